/* lrn.c - local response normalisation, across neighbouring channels (Krizhevsky et al. 2012, section 3.3).
 *
 *   s[c] = k + alpha / size * sum of x[j]^2 over j from c - size / 2 to c + (size - 1) / 2
 *   y[c] = x[c] * s[c]^-beta
 *   dx[c] = dy[c] s[c]^-beta - 2 alpha beta / size x[c] * sum over j of dy[j] x[j] s[j]^(-beta - 1),
 *           over the channels j whose window contains c
 *
 * The definition is that of PyTorch's LocalResponseNorm: alpha is divided by the size, even if the window
 * reaches beyond the channels. x is [c] and any number of directions. */
#include "ops/layer_shapes.h"
#include "ops/unary.h"

#include <math.h>

typedef struct lrn_attrs {
    int size;
    float alpha, beta, k;
} lrn_attrs;

static const fv_attr_spec specs[] = {
    {"size", FV_ATTR_INT, offsetof(lrn_attrs, size), 1, 65536, 5},
    {"alpha", FV_ATTR_FLOAT, offsetof(lrn_attrs, alpha), 0, 1000, 1e-4},
    {"beta", FV_ATTR_FLOAT, offsetof(lrn_attrs, beta), 0, 10, 0.75},
    {"k", FV_ATTR_FLOAT, offsetof(lrn_attrs, k), 1e-6, 1000, 1},
};

static fv_lrn_args args_of(const void *attrs, fv_shape x)
{
    const lrn_attrs *const a = attrs;
    return (fv_lrn_args){.channels = x.dim[0],
                         .size = a->size,
                         .pixels = fv__shape_count(x) / x.dim[0],
                         .factor = a->alpha / (float)a->size,
                         .beta = a->beta,
                         .k = a->k};
}

static fv_status grad(fv_grad *g)
{
    return fv__grad_node(g, &fv_op_lrn_dx, "dx", g->node->attrs, 2, (int[]){g->dy, g->node->input[0]},
                         FV_ROLE_VALUE, -1, &g->dx[0]);
}

/* s of channel c of the pixel whose first channel is *x. */
static double scale_of(const fv_lrn_args *a, const double *x, int c)
{
    double sum = 0;
    for (int j = c - a->size / 2; j <= c + (a->size - 1) / 2; j++)
        if (j >= 0 && j < a->channels)
            sum += x[j * a->pixels] * x[j * a->pixels];
    return (double)a->k + (double)a->factor * sum;
}

static void ref(const fv_ref *r)
{
    const fv_lrn_args a = args_of(r->attrs, r->out_shape);
    for (int64_t p = 0; p < r->n * a.pixels; p++) {
        const int64_t first = p / a.pixels * a.channels * a.pixels + p % a.pixels;
        for (int c = 0; c < a.channels; c++)
            r->out[first + c * a.pixels] =
                r->in[0][first + c * a.pixels] * pow(scale_of(&a, r->in[0] + first, c), -(double)a.beta);
    }
}

static void ref_dx(const fv_ref *r)
{
    const fv_lrn_args a = args_of(r->attrs, r->out_shape);
    const double beta = (double)a.beta, factor = (double)a.factor;
    for (int64_t p = 0; p < r->n * a.pixels; p++) {
        const int64_t first = p / a.pixels * a.channels * a.pixels + p % a.pixels;
        const double *const dy = r->in[0] + first, *const x = r->in[1] + first;
        double *const dx = r->out + first;
        for (int c = 0; c < a.channels; c++)
            dx[c * a.pixels] = dy[c * a.pixels] * pow(scale_of(&a, x, c), -beta);
        for (int j = 0; j < a.channels; j++) {
            const double t = dy[j * a.pixels] * x[j * a.pixels] * pow(scale_of(&a, x, j), -beta - 1);
            for (int c = j - a.size / 2; c <= j + (a.size - 1) / 2; c++)
                if (c >= 0 && c < a.channels)
                    dx[c * a.pixels] -= 2 * beta * factor * x[c * a.pixels] * t;
        }
    }
}

static fv_status lower(fv_lower *l)
{
    const fv_lrn_args args = args_of(l->attrs, l->out_shape);
    return fv__lower_simple(l, FV_KERNEL_lrn, &args, sizeof args);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    const double n = (double)fv__shape_count(out), size = ((const lrn_attrs *)attrs)->size;
    (void)in;
    return (fv_cost){(2 * size + 4) * n, 8 * n};
}

static fv_status lower_dx(fv_lower *l)
{
    const fv_lrn_args args = args_of(l->attrs, l->out_shape);
    const double n = (double)fv__shape_count(l->out_shape);
    const fv_step_spec spec = {.kernel = FV_KERNEL_lrn_dx,
                               .domain = FV_PER_BLOCK,
                               .args = fv__lower_args(l, &args, sizeof args),
                               .n_operands = 3,
                               .operand = {l->out, l->in[0], l->in[1]},
                               .access = {FV_WRITE, FV_READ, FV_READ},
                               .scratch_floats = 2 * (size_t)args.channels * FV_LRN_PIXELS * FV_LANES,
                               .flops = (3 * args.size + 10) * n,
                               .bytes = 12 * n};
    return fv__lower_step(l, &spec);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    const double n = (double)fv__shape_count(out), size = ((const lrn_attrs *)attrs)->size;
    (void)in;
    return (fv_cost){(3 * size + 10) * n, 12 * n};
}

static const fv_layer_kind layers[] = {{
    .word = "lrn",
    .help = "local response normalisation: x times a power of the squares of SIZE neighbouring channels",
    .op = &fv_op_lrn,
    .slot = {{FV_SLOT_ATTR, "size"}},
}};

static const fv_case cases[] = {
    {17, {{3, {9, 5, 7}}}, "size=5 alpha=0.5"},
    {16, {{3, {5, 4, 4}}}, "size=3 alpha=2 beta=0.5 k=2"},
    {15, {{2, {17, 3}}}, "size=4 alpha=1"},
    {1, {{3, {1, 1, 1}}}, "size=1"},
    {17, {{1, {17}}}, "size=40 alpha=1"},
    {3, {{4, {6, 2, 3, 3}}}, ""},
    {3, {{2, {150, 9}}}, "size=131 alpha=3 beta=1"},
};

const fv_op fv_op_lrn = {
    .name = "lrn",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .attr_bytes = sizeof(lrn_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .infer = fv__unary_infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- lrn_dx: inputs dy, x --------------------------------------------------------------------------- */

static const fv_case cases_dx[] = {
    {17, {{3, {9, 5, 7}}, {3, {9, 5, 7}}}, "size=5 alpha=0.5"},
    {16, {{3, {5, 4, 4}}, {3, {5, 4, 4}}}, "size=3 alpha=2 beta=0.5 k=2"},
    {15, {{2, {17, 3}}, {2, {17, 3}}}, "size=4 alpha=1"},
    {1, {{3, {1, 1, 1}}, {3, {1, 1, 1}}}, "size=1"},
    {17, {{1, {17}}, {1, {17}}}, "size=40 alpha=1"},
    {3, {{2, {150, 9}}, {2, {150, 9}}}, "size=131 alpha=3 beta=1"},
};

const fv_op fv_op_lrn_dx = {
    .name = "lrn_dx",
    .family = "lrn",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .attr_bytes = sizeof(lrn_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .no_gradient = true,
    .infer = fv__unary_infer,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
