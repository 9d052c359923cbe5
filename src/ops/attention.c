/* attention.c - scaled dot-product attention of several heads (Vaswani et al. 2017, equation 1).
 *
 *   p[i][.] = softmax over j of q[.][i] . k[.][j] / sqrt(size),   y[.][i] = sum over j of p[i][j] * v[.][j]
 *
 * x [3c][tokens]: queries, keys and values, each [heads][size][tokens] with c = heads * size; y [c][tokens].
 * The probabilities are made again for the gradient: tokens^2 of them a head are not worth their memory. */
#include "kernels/lower.h"
#include "ops/ops.h"

#include <math.h>
#include <string.h>

typedef struct attention_attrs {
    int heads;
} attention_attrs;

static const fv_attr_spec specs[] = {
    {"heads", FV_ATTR_INT, offsetof(attention_attrs, heads), 1, FV_MAX_DIM, 1},
};

static fv_status expect(const fv_infer *q, int input)
{
    const int heads = ((const attention_attrs *)q->attrs)->heads;
    const fv_shape x = q->input[input]->shape;
    char found[FV_SHAPE_TEXT];
    if (x.rank != 2 || x.dim[0] % 3 != 0 || x.dim[0] / 3 % heads != 0)
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: expected a sequence of queries, keys and values of %d heads, found %s", q->what,
                        heads, fv__shape_text(x, found));
    return FV_OK;
}

static fv_status infer(fv_infer *q)
{
    FV_TRY(expect(q, 0));
    q->out = fv__shape(2, q->input[0]->shape.dim[0] / 3, q->input[0]->shape.dim[1], 0, 0);
    return FV_OK;
}

static fv_status infer_dx(fv_infer *q)
{
    FV_TRY(expect(q, 1));
    q->out = q->input[1]->shape;
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    return fv__grad_node(g, &fv_op_attention_dx, "dx", g->node->attrs, 2, (int[]){g->dy, g->node->input[0]},
                         FV_ROLE_VALUE, -1, &g->dx[0]);
}

/* ---- the reference: one query of one head at a time -------------------------------------------------- */

typedef struct head {
    const double *q, *k, *v; /* [size][tokens] */
    int size, tokens;
    double scale;
} head;

static head head_of(const double *x, fv_shape shape, int heads, int64_t image, int h)
{
    const int64_t part = (int64_t)shape.dim[0] / 3 * shape.dim[1];
    const double *const q = x + image * 3 * part + h * (part / heads);
    const int size = shape.dim[0] / 3 / heads;
    return (head){q, q + part, q + 2 * part, size, shape.dim[1], 1 / sqrt((double)size)};
}

/* sum over d of a[d][i] * b[d][j] */
static double dot(const head *h, const double *a, int i, const double *b, int j)
{
    double sum = 0;
    for (int d = 0; d < h->size; d++)
        sum += a[d * h->tokens + i] * b[d * h->tokens + j];
    return sum;
}

/* Of query i: the largest score, and the sum of exp(score - largest). */
typedef struct query {
    int i;
    double most, sum;
} query;

static double probability(const head *h, const query *q, int j)
{
    return exp(h->scale * dot(h, h->q, q->i, h->k, j) - q->most) / q->sum;
}

static query query_of(const head *h, int i)
{
    query q = {i, -INFINITY, 1};
    double sum = 0;
    for (int j = 0; j < h->tokens; j++)
        q.most = fmax(q.most, h->scale * dot(h, h->q, i, h->k, j));
    for (int j = 0; j < h->tokens; j++)
        sum += probability(h, &q, j);
    q.sum = sum;
    return q;
}

static void ref(const fv_ref *r)
{
    const int heads = ((const attention_attrs *)r->attrs)->heads;
    const int64_t tokens = r->out_shape.dim[1], image = r->out_shape.dim[0] * tokens;
    memset(r->out, 0, (size_t)(r->n * image) * sizeof *r->out);
    for (int64_t n = 0; n < r->n; n++)
        for (int k = 0; k < heads; k++) {
            const head h = head_of(r->in[0], r->in_shape[0], heads, n, k);
            double *const y = r->out + n * image + k * (image / heads);
            for (int i = 0; i < tokens; i++) {
                const query q = query_of(&h, i);
                for (int j = 0; j < tokens; j++) {
                    const double p = probability(&h, &q, j);
                    for (int d = 0; d < h.size; d++)
                        y[d * tokens + i] += p * h.v[d * tokens + j];
                }
            }
        }
}

/* What the output of query i gives back, added to the gradients of its head: dq, and behind it dk and dv. */
static void ref_dx_query(const head *h, int i, const double *dy, double *dq, int64_t part)
{
    const query q = query_of(h, i);
    double mean = 0;
    for (int j = 0; j < h->tokens; j++)
        mean += probability(h, &q, j) * dot(h, dy, i, h->v, j);
    for (int j = 0; j < h->tokens; j++) {
        const double p = probability(h, &q, j), ds = h->scale * p * (dot(h, dy, i, h->v, j) - mean);
        for (int d = 0; d < h->size; d++) {
            const int at_i = d * h->tokens + i, at_j = d * h->tokens + j;
            dq[at_i] += ds * h->k[at_j];
            dq[part + at_j] += ds * h->q[at_i];
            dq[2 * part + at_j] += p * dy[at_i];
        }
    }
}

static void ref_dx(const fv_ref *r)
{
    const int heads = ((const attention_attrs *)r->attrs)->heads;
    const int64_t part = fv__shape_count(r->out_shape) / 3, of_head = part / heads;
    memset(r->out, 0, (size_t)(r->n * 3 * part) * sizeof *r->out);
    for (int64_t n = 0; n < r->n; n++)
        for (int k = 0; k < heads; k++) {
            const head h = head_of(r->in[1], r->out_shape, heads, n, k);
            for (int i = 0; i < h.tokens; i++)
                ref_dx_query(&h, i, r->in[0] + n * part + k * of_head, r->out + 3 * n * part + k * of_head,
                             part);
        }
}

/* ---- kernels ---------------------------------------------------------------------------------------- */

static fv_attention_args args_of(const fv_lower *l, fv_shape x)
{
    const int heads = ((const attention_attrs *)l->attrs)->heads, size = x.dim[0] / 3 / heads;
    return (fv_attention_args){heads, size, x.dim[1], (float)(1 / sqrt((double)size))};
}

/* Products of size * tokens^2 in each head. */
static double products(fv_shape x, int n)
{
    return 2.0 * n * x.dim[0] / 3 * x.dim[1] * x.dim[1];
}

static fv_status lower_step(fv_lower *l, fv_kernel_id kernel, fv_shape x, int n_products, size_t rows)
{
    const fv_attention_args args = args_of(l, x);
    fv_step_spec s = {.kernel = kernel,
                      .domain = FV_PER_BLOCK,
                      .args = fv__lower_args(l, &args, sizeof args),
                      .n_operands = 1 + l->n_inputs,
                      .operand = {l->out, l->in[0], l->in[1]},
                      .access = {FV_WRITE, FV_READ, FV_READ},
                      .scratch_floats = rows * (size_t)args.tokens * FV_LANES,
                      .flops = products(x, n_products),
                      .bytes = 4.0 / 3 * (n_products == 2 ? 4 : 7) * (double)fv__shape_count(x)};
    return s.args ? fv__lower_step(l, &s) : FV_ERR_MEMORY;
}

static fv_status lower(fv_lower *l)
{
    return lower_step(l, FV_KERNEL_attention, l->in_shape[0], 2, (size_t)l->in_shape[0].dim[1]);
}

static fv_status lower_dx(fv_lower *l)
{
    return lower_step(l, FV_KERNEL_attention_dx, l->in_shape[1], 4, 2 * (size_t)l->in_shape[1].dim[1]);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)out;
    return (fv_cost){products(in[0], 2), 16.0 / 3 * (double)fv__shape_count(in[0])};
}

/* The probabilities, made again, are not counted. */
static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)out;
    return (fv_cost){products(in[1], 4), 28.0 / 3 * (double)fv__shape_count(in[1])};
}

static const fv_case cases[] = {
    {17, {{2, {9, 5}}}, "heads=1"},  {16, {{2, {96, 65}}}, "heads=2"}, {15, {{2, {30, 7}}}, "heads=2"},
    {3, {{2, {102, 21}}}, "heads=1"}, {2, {{2, {12, 1}}}, "heads=2"},  {1, {{2, {3, 1}}}, ""},
    {33, {{2, {9, 23}}}, "heads=3"},
};

const fv_op fv_op_attention = {
    .name = "attention", .n_inputs = 1, .role = {FV_ROLE_VALUE},
    .attr_bytes = sizeof(attention_attrs), .attrs = specs, .n_attrs = 1,
    .infer = infer, .grad = grad, .ref = ref, .lower = lower, .cost = cost,
    .cases = cases, .n_cases = sizeof cases / sizeof *cases,
};

/* Inputs: dy, x. */
static const fv_case cases_dx[] = {
    {17, {{2, {3, 5}}, {2, {9, 5}}}, "heads=1"},    {16, {{2, {32, 65}}, {2, {96, 65}}}, "heads=2"},
    {15, {{2, {10, 7}}, {2, {30, 7}}}, "heads=2"},  {3, {{2, {34, 21}}, {2, {102, 21}}}, "heads=1"},
    {2, {{2, {4, 1}}, {2, {12, 1}}}, "heads=2"},    {1, {{2, {1, 1}}, {2, {3, 1}}}, ""},
    {33, {{2, {3, 23}}, {2, {9, 23}}}, "heads=3"},
};

const fv_op fv_op_attention_dx = {
    .name = "attention_dx", .n_inputs = 2, .role = {FV_ROLE_VALUE, FV_ROLE_VALUE}, .no_gradient = true,
    .attr_bytes = sizeof(attention_attrs), .attrs = specs, .n_attrs = 1,
    .infer = infer_dx, .ref = ref_dx, .lower = lower_dx, .cost = cost_dx,
    .cases = cases_dx, .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
