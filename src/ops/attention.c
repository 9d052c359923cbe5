/* attention.c - scaled dot-product attention of several heads (Vaswani et al. 2017, equation 1).
 *
 *   p[i][.] = softmax over j of q[.][i] . k[.][j] / sqrt(size),   y[.][i] = sum over j of p[i][j] * v[.][j]
 *
 * x [3c][tokens]: queries, keys and values, each [heads][size][tokens] with c = heads * size. y
 * [c][queries]: of all tokens, or of the first few if later layers read only these. The gradient recomputes
 * the probabilities: tokens^2 of them per head are not worth their memory. */
#include "plan/lower.h"
#include "ops/layer_shapes.h"
#include "ops/ops.h"

#include <math.h>
#include <string.h>

typedef struct attention_attrs {
    int heads, queries; /* queries 0: all tokens */
} attention_attrs;

static const fv_attr_spec specs[] = {
    {"heads", FV_ATTR_INT, offsetof(attention_attrs, heads), 1, FV_MAX_DIM, 1},
    {"queries", FV_ATTR_INT, offsetof(attention_attrs, queries), 0, FV_MAX_DIM, 0},
};

static int queries_of(const void *attrs, int tokens)
{
    const int queries = ((const attention_attrs *)attrs)->queries;
    return queries ? queries : tokens;
}

static fv_status expect(const fv_infer *q, int input)
{
    const int heads = ((const attention_attrs *)q->attrs)->heads;
    const fv_shape x = q->input[input]->shape;
    char found[FV_SHAPE_TEXT];
    if (x.rank != 2 || x.dim[0] % 3 != 0)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a sequence of queries, keys and values, found %s",
                        q->what, fv__shape_text(x, found));
    if (x.dim[0] / 3 % heads != 0)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected heads that divide the %d channels, found %d",
                        q->what, x.dim[0] / 3, heads);
    return FV_OK;
}

static fv_status infer(fv_infer *q)
{
    FV_TRY(expect(q, 0));
    const fv_shape x = q->input[0]->shape;
    const int queries = queries_of(q->attrs, x.dim[1]);
    if (queries > x.dim[1])
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected at most %d queries, found %d", q->what, x.dim[1],
                        queries);
    q->out = FV_SHAPE(x.dim[0] / 3, queries);
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

/* ---- the reference: one query of one head at a time ------------------------------------------------ */

typedef struct head {
    const fv_ref *r;
    const double *q, *k, *v; /* [size][tokens] */
    int size, tokens;
    double scale;
} head;

static head head_of(const fv_ref *r, const double *x, fv_shape shape, int heads, int64_t image, int h)
{
    const int64_t part = (int64_t)shape.dim[0] / 3 * shape.dim[1];
    const double *const q = x + image * 3 * part + h * (part / heads);
    const int size = shape.dim[0] / 3 / heads;
    return (head){r, q, q + part, q + 2 * part, size, shape.dim[1], 1 / sqrt((double)size)};
}

/* sum over d of a[d][i] * b[d][j]; the channels of a are a_plane apart. */
static double dot(const head *h, const double *a, int a_plane, int i, const double *b, int j)
{
    double sum = 0;
    for (int d = 0; d < h->size; d++)
        sum += a[d * a_plane + i] * b[d * h->tokens + j];
    return sum;
}

static double score(const head *h, int i, int j)
{
    return h->scale * dot(h, h->q, h->tokens, i, h->k, j);
}

/* The largest score of query i, and the sum of exp(score - largest). */
typedef struct query {
    int i;
    double most, sum;
} query;

static double probability(const head *h, const query *q, int j)
{
    return fv__ref_rounded(h->r, exp(score(h, q->i, j) - q->most) / q->sum);
}

static query query_of(const head *h, int i)
{
    query q = {i, -INFINITY, 1};
    double sum = 0;
    for (int j = 0; j < h->tokens; j++)
        q.most = fmax(q.most, score(h, i, j));
    for (int j = 0; j < h->tokens; j++)
        sum += probability(h, &q, j);
    q.sum = sum;
    return q;
}

static void ref(const fv_ref *r)
{
    const int heads = ((const attention_attrs *)r->attrs)->heads;
    const int64_t queries = r->out_shape.dim[1], image = r->out_shape.dim[0] * queries;
    memset(r->out, 0, (size_t)(r->n * image) * sizeof *r->out);
    for (int64_t n = 0; n < r->n; n++)
        for (int k = 0; k < heads; k++) {
            const head h = head_of(r, r->in[0], r->in_shape[0], heads, n, k);
            double *const y = r->out + n * image + k * (image / heads);
            for (int i = 0; i < queries; i++) {
                const query q = query_of(&h, i);
                for (int j = 0; j < h.tokens; j++) {
                    const double p = probability(&h, &q, j);
                    for (int d = 0; d < h.size; d++)
                        y[d * queries + i] += p * h.v[d * h.tokens + j];
                }
            }
        }
}

/* Adds the gradient through the output of query i to the gradients of its head: dq, and behind it dk and
 * dv. */
static void ref_dx_query(const head *h, int i, int queries, const double *dy, double *dq, int64_t part)
{
    const query q = query_of(h, i);
    double mean = 0;
    for (int j = 0; j < h->tokens; j++)
        mean += probability(h, &q, j) * dot(h, dy, queries, i, h->v, j);
    for (int j = 0; j < h->tokens; j++) {
        const double p = probability(h, &q, j);
        const double ds = h->scale * p * (dot(h, dy, queries, i, h->v, j) - mean);
        for (int d = 0; d < h->size; d++) {
            const int at_i = d * h->tokens + i, at_j = d * h->tokens + j;
            dq[at_i] += ds * h->k[at_j];
            dq[part + at_j] += ds * h->q[at_i];
            dq[2 * part + at_j] += p * dy[d * queries + i];
        }
    }
}

static void ref_dx(const fv_ref *r)
{
    const int heads = ((const attention_attrs *)r->attrs)->heads, queries = r->in_shape[0].dim[1];
    const int64_t part = fv__shape_count(r->out_shape) / 3, of_y = fv__shape_count(r->in_shape[0]);
    memset(r->out, 0, (size_t)(r->n * 3 * part) * sizeof *r->out);
    for (int64_t n = 0; n < r->n; n++)
        for (int k = 0; k < heads; k++) {
            const head h = head_of(r, r->in[1], r->out_shape, heads, n, k);
            const double *const dy = r->in[0] + n * of_y + k * (of_y / heads);
            for (int i = 0; i < queries; i++)
                ref_dx_query(&h, i, queries, dy, r->out + 3 * n * part + k * (part / heads), part);
        }
}

/* ---- kernels ---------------------------------------------------------------------------------------- */

static fv_attention_args args_of(const void *attrs, fv_shape x)
{
    const int heads = ((const attention_attrs *)attrs)->heads, size = x.dim[0] / 3 / heads;
    return (fv_attention_args){heads, size, x.dim[1], queries_of(attrs, x.dim[1]),
                               (float)(1 / sqrt((double)size))};
}

/* Cost of n products of queries, tokens and channels, without the recomputed probabilities. x is read
 * `passes` times, y once. */
static fv_cost cost_of(const void *attrs, fv_shape x, int n, int passes)
{
    const fv_attention_args g = args_of(attrs, x);
    const double y = (double)g.heads * g.size * g.queries;
    return (fv_cost){.flops = 2.0 * n * y * g.tokens,
                     .bytes = 4.0 * (passes * (double)fv__shape_count(x) + y)};
}

static fv_status lower_step(fv_lower *l, fv_kernel_id kernel, fv_shape x, fv_cost cost, int rows)
{
    fv_attention_args args = args_of(l->attrs, x);
    args.at_a_time = l->blocks->attention_queries;
    fv_step_spec s = {.kernel = kernel,
                      .domain = FV_PER_BLOCK,
                      .args = fv__lower_args(l, &args, sizeof args),
                      .n_operands = 1 + l->n_inputs,
                      .operand = {l->out, l->in[0], l->in[1]},
                      .access = {FV_WRITE, FV_READ, FV_READ},
                      .scratch_floats = (size_t)rows * (size_t)args.queries * (size_t)args.tokens * FV_LANES,
                      .flops = cost.flops,
                      .bytes = cost.bytes};
    return fv__lower_step(l, &s);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)out;
    return cost_of(attrs, in[0], 2, 1);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)out;
    return cost_of(attrs, in[1], 4, 2);
}

/* Scratch holds the scores of all queries; fewer would do, but the gradient needs this much anyway. */
static fv_status lower(fv_lower *l)
{
    return lower_step(l, FV_KERNEL_attention, l->in_shape[0], cost(l->attrs, l->in_shape, l->out_shape), 1);
}

static fv_status lower_dx(fv_lower *l)
{
    const fv_cost c = cost_dx(l->attrs, l->in_shape, l->out_shape);
    return lower_step(l, FV_KERNEL_attention_dx, l->in_shape[1], c, 2);
}

static const fv_case cases[] = {
    {17, {{2, {9, 5}}}, "heads=1"},
    {16, {{2, {96, 65}}}, "heads=2"},
    {15, {{2, {30, 7}}}, "heads=2"},
    {3, {{2, {102, 21}}}, "heads=1"},
    {2, {{2, {12, 1}}}, "heads=2"},
    {1, {{2, {3, 1}}}, ""},
    {33, {{2, {9, 23}}}, "heads=3"},
    {17, {{2, {30, 9}}}, "heads=2 queries=1"},
    {2, {{2, {12, 40}}}, "heads=1 queries=23"},
    {2, {{2, {6, 203}}}, "heads=1 queries=3"},
};

/* Names and shapes are those of PyTorch's nn.MultiheadAttention. */
static fv_shape in_weights_shape(fv_layer_shapes *q)
{
    return FV_SHAPE(3 * q->in.dim[0], q->in.dim[0]);
}

static fv_shape in_bias_shape(fv_layer_shapes *q)
{
    return FV_SHAPE(3 * q->in.dim[0]);
}

static fv_shape out_weights_shape(fv_layer_shapes *q)
{
    return FV_SHAPE(q->in.dim[0], q->in.dim[0]);
}

static const fv_parameter_spec in_projection[] = {
    {.suffix = "in_proj_weight", .role = FV_ROLE_PARAMETER, .shape = in_weights_shape, .weights = true},
    {.suffix = "in_proj_bias", .role = FV_ROLE_PARAMETER, .shape = in_bias_shape, .optional = true},
};

static const fv_parameter_spec out_projection[] = {
    {.suffix = "out_proj.weight", .role = FV_ROLE_PARAMETER, .shape = out_weights_shape, .weights = true},
    {.suffix = "out_proj.bias", .role = FV_ROLE_PARAMETER, .shape = fv__shape_per_channel, .optional = true},
};

/* One product gives queries, keys and values; the heads; and a product combines their outputs. */
static const fv_layer_part parts[] = {
    {.op = &fv_op_linear, .suffix = "in_proj", FV_PARAMETERS(in_projection)},
    {.op = &fv_op_attention, .suffix = "heads"},
    {.op = &fv_op_linear, FV_PARAMETERS(out_projection)},
};

static const fv_layer_kind layers[] = {{
    .word = "attention",
    .help = "self-attention of HEADS heads between two linear layers",
    .op = &fv_op_attention,
    .slot = {{FV_SLOT_NAME, "NAME"}, {FV_SLOT_ATTR, "heads"}},
    .reads = FV_READS_SEQUENCE,
    .parts = parts,
    .n_parts = sizeof parts / sizeof *parts,
}};

const fv_op fv_op_attention = {
    .name = "attention",
    .tolerance = FV_TOLERANCE_LONG,
    .input_size = 2, /* products of larger inputs would leave each query a single key */
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .attr_bytes = sizeof(attention_attrs),
    .attrs = specs,
    .n_attrs = 2,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* Inputs: dy, x. */
static const fv_case cases_dx[] = {
    {17, {{2, {3, 5}}, {2, {9, 5}}}, "heads=1"},
    {16, {{2, {32, 65}}, {2, {96, 65}}}, "heads=2"},
    {15, {{2, {10, 7}}, {2, {30, 7}}}, "heads=2"},
    {3, {{2, {34, 21}}, {2, {102, 21}}}, "heads=1"},
    {2, {{2, {4, 1}}, {2, {12, 1}}}, "heads=2"},
    {1, {{2, {1, 1}}, {2, {3, 1}}}, ""},
    {33, {{2, {3, 23}}, {2, {9, 23}}}, "heads=3"},
    {17, {{2, {10, 1}}, {2, {30, 9}}}, "heads=2 queries=1"},
    {2, {{2, {4, 23}}, {2, {12, 40}}}, "heads=1 queries=23"},
};

const fv_op fv_op_attention_dx = {
    .name = "attention_dx",
    .family = "attention",
    .part = FV_PART_DATA,
    .tolerance = FV_TOLERANCE_LONG,
    .input_size = 2, /* products of larger inputs would leave each query a single key */
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .no_gradient = true,
    .attr_bytes = sizeof(attention_attrs),
    .attrs = specs,
    .n_attrs = 2,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
