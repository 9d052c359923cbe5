/* avgpool.c - the mean of each window (LeCun et al. 1998 call it subsampling), and its gradient.
 *
 *   y[c][oy][ox]  = 1 / (kh*kw) * sum over ky, kx of x[c][oy*sh + ky - ph][ox*sw + kx - pw]
 *   dx[c][iy][ix] = 1 / (kh*kw) * sum of dy over the windows that contain (iy, ix)
 *
 * The formulas hold likewise for one and three directions. Padding counts as zeros and as pixels: the
 * divisor is always the number of the window's pixels (PyTorch's default). */
#include "plan/lower.h"
#include "ops/layer_shapes.h"
#include "ops/ops.h"
#include "ops/pool_window.h"
#include "ops/window.h"

#include <string.h>

static const fv_attr_spec specs[] = {FV_POOL_WINDOW_SPECS(0)};

/* The gradient needs the input's size, which does not follow from the output's. */
typedef struct dx_attrs {
    fv_window_attrs window;
    fv_sizes size; /* of the input, in each direction */
} dx_attrs;

static const fv_attr_spec specs_dx[] = {
    FV_POOL_WINDOW_SPECS(offsetof(dx_attrs, window)),
    {"size", FV_ATTR_SIZES, offsetof(dx_attrs, size), 1, FV_MAX_DIM, 1},
    FV_POOL_OUT_SPEC("out", offsetof(dx_attrs, window), 0),
};

static fv_status infer(fv_infer *q)
{
    return fv__pool_infer(q->ctx, q->attrs, q->input[0]->shape, q->what, &q->out);
}

static fv_status grad(fv_grad *g)
{
    const fv_shape x = g->graph->tensors[g->node->input[0]].shape;
    const dx_attrs attrs = {*(const fv_window_attrs *)g->node->attrs, fv__sizes_of(x, 1)};
    return fv__grad_node(g, &fv_op_avgpool_dx, "dx", &attrs, 1, &g->dy, FV_ROLE_VALUE, -1, &g->dx[0]);
}

static double window_sum(const fv_pool_args *a, const double *x, int64_t output)
{
    const fv_pool_range r = fv__pool_range(a, output);
    double sum = 0;
    for (int d = r.first[FV_DEPTH]; d < r.end[FV_DEPTH]; d++)
        for (int row = r.first[FV_HEIGHT]; row < r.end[FV_HEIGHT]; row++)
            for (int column = r.first[FV_WIDTH]; column < r.end[FV_WIDTH]; column++)
                sum += x[fv__pool_pixel(a, d, row, column)];
    return sum;
}

static void ref(const fv_ref *r)
{
    const fv_pool_args a = fv__pool_args(r->attrs, r->in_shape[0]);
    const int64_t pixels = fv__pool_pixels_in(&a), outputs = fv__pool_pixels_out(&a);
    for (int64_t c = 0; c < (int64_t)r->n * a.channels; c++)
        for (int64_t k = 0; k < outputs; k++)
            r->out[c * outputs + k] = window_sum(&a, r->in[0] + c * pixels, k) / fv__pool_count(&a, k);
}

static fv_status lower(fv_lower *l)
{
    const fv_pool_args args = fv__pool_args(l->attrs, l->in_shape[0]);
    return fv__lower_simple(l, FV_KERNEL_avgpool, &args, sizeof args);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_pool_args pool = fv__pool_args(attrs, in[0]);
    const double n_in = (double)fv__shape_count(in[0]), n_out = (double)fv__shape_count(out);
    return (fv_cost){n_out * fv__pool_taps(&pool), 4 * (n_in + n_out)};
}

static const fv_case cases[] = {
    {17, {{3, {1, 4, 4}}}, ""},
    {16, {{3, {6, 28, 28}}}, "kernel=2"},
    {3, {{3, {3, 5, 7}}}, "kernel=2x2 stride=2x2"},
    {1, {{3, {1, 1, 1}}}, "kernel=1"},
    {15, {{3, {5, 7, 5}}}, "kernel=3 stride=2"},
    {17, {{3, {2, 6, 6}}}, "kernel=3 stride=1 pad=1"},
    {2, {{3, {17, 3, 9}}}, "kernel=3x2 stride=2x3 pad=1x1"},
    {18, {{3, {3, 9, 8}}}, "kernel=2 stride=3"},
    {4, {{3, {2, 1, 6}}}, "kernel=1x3 stride=1x2"},
    {5, {{3, {1, 2, 2}}}, "kernel=4 stride=1 pad=2"},
    {17, {{3, {5, 7, 7}}}, "kernel=7"},
    {3, {{3, {2, 3, 1}}}, "kernel=3x1 stride=2"},
    {17, {{3, {2, 17, 19}}}, "kernel=17x19"},
    {3, {{3, {1, 12, 140}}}, "kernel=9x133 stride=2x5 pad=3x2"},
    {17, {{2, {3, 11}}}, "kernel=3 stride=2 pad=1"},
    {16, {{2, {5, 40}}}, "kernel=40"},
    {2, {{4, {3, 5, 6, 7}}}, "kernel=3x2x3 stride=2x2x1 pad=1x0x1"},
    {17, {{4, {2, 4, 6, 6}}}, ""},
    {3, {{4, {2, 3, 6, 8}}}, "kernel=1x2x2"},
    {3, {{4, {2, 4, 6, 7}}}, "kernel=4x6x7"},
    {2, {{4, {2, 5, 6, 9}}}, "kernel=4x4x7 stride=1 pad=1x2x3"},
};

static const fv_layer_kind layers[] = {
    {
        .word = "avgpool",
        .help = "the mean of each window",
        .op = &fv_op_avgpool,
        .slot = {{FV_SLOT_ATTR, "kernel"}},
    },
    {
        .word = "globalavgpool",
        .help = "the mean of each channel",
        .op = &fv_op_avgpool,
        .reads = FV_READS_POOLED,
        .set = fv__pool_whole,
    },
};

const fv_op fv_op_avgpool = {
    .name = "avgpool",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .attr_bytes = sizeof(fv_window_attrs),
    .attrs = specs,
    .n_attrs = FV_N_POOL_WINDOW_SPECS,
    .by_channel = true,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- adaptive pooling: the output's sizes are given --------------------------------------------------- */

static const fv_attr_spec specs_adaptive[] = {FV_POOL_OUT_SPEC("size", 0, 1)};

static const fv_case cases_adaptive[] = {
    {17, {{3, {2, 6, 9}}}, "size=3x3"},  {3, {{3, {3, 7, 13}}}, "size=3x5"},
    {16, {{3, {2, 5, 5}}}, ""},          {2, {{2, {3, 11}}}, "size=4"},
    {3, {{2, {2, 5}}}, "size=8"},        {17, {{4, {2, 4, 5, 9}}}, "size=3x2x4"},
    {2, {{3, {1, 30, 40}}}, "size=1x3"},
};

static const fv_layer_kind layers_adaptive[] = {{
    .word = "adaptiveavgpool",
    .help = "the mean of windows that divide the input evenly",
    .op = &fv_op_adaptiveavgpool,
    .slot = {{FV_SLOT_ATTR, "size"}},
    .reads = FV_READS_POOLED,
}};

const fv_op fv_op_adaptiveavgpool = {
    .name = "adaptiveavgpool",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .attr_bytes = sizeof(fv_window_attrs),
    .attrs = specs_adaptive,
    .n_attrs = 1,
    .by_channel = true,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases_adaptive,
    .n_cases = sizeof cases_adaptive / sizeof *cases_adaptive,
    FV_LAYERS(layers_adaptive),
};

/* ---- the gradient: input dy ----------------------------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    const dx_attrs *attrs = q->attrs;
    const fv_shape dy = q->input[0]->shape;
    fv_shape wanted;
    FV_TRY(fv__window_input(q->ctx, &attrs->size, dy, q->what, &q->out));
    FV_TRY(fv__pool_infer(q->ctx, &attrs->window, q->out, q->what, &wanted));
    return fv__window_expect(q->ctx, wanted, dy, q->what);
}

static void window_add(const fv_pool_args *a, double value, double *dx, int64_t output)
{
    const fv_pool_range r = fv__pool_range(a, output);
    for (int d = r.first[FV_DEPTH]; d < r.end[FV_DEPTH]; d++)
        for (int row = r.first[FV_HEIGHT]; row < r.end[FV_HEIGHT]; row++)
            for (int column = r.first[FV_WIDTH]; column < r.end[FV_WIDTH]; column++)
                dx[fv__pool_pixel(a, d, row, column)] += value;
}

static void ref_dx(const fv_ref *r)
{
    const dx_attrs *attrs = r->attrs;
    const fv_pool_args a = fv__pool_args(&attrs->window, r->out_shape);
    const int64_t pixels = fv__pool_pixels_in(&a), outputs = fv__pool_pixels_out(&a);
    memset(r->out, 0, (size_t)((int64_t)r->n * a.channels * pixels) * sizeof *r->out);
    for (int64_t c = 0; c < (int64_t)r->n * a.channels; c++)
        for (int64_t k = 0; k < outputs; k++)
            window_add(&a, r->in[0][c * outputs + k] / fv__pool_count(&a, k), r->out + c * pixels, k);
}

static fv_status lower_dx(fv_lower *l)
{
    const dx_attrs *attrs = l->attrs;
    const fv_pool_args args = fv__pool_args(&attrs->window, l->out_shape);
    return fv__lower_simple(l, FV_KERNEL_avgpool_dx, &args, sizeof args);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    const dx_attrs *dx = attrs;
    const fv_pool_args pool = fv__pool_args(&dx->window, out);
    const double n_dy = (double)fv__shape_count(in[0]), n_x = (double)fv__shape_count(out);
    return (fv_cost){n_dy * fv__pool_taps(&pool), 4 * (n_dy + n_x)};
}

static const fv_case cases_dx[] = {
    {17, {{3, {1, 2, 2}}}, "size=4x4"},
    {16, {{3, {6, 14, 14}}}, "kernel=2 size=28"},
    {3, {{3, {3, 2, 3}}}, "kernel=2 size=5x7"},
    {15, {{3, {5, 3, 2}}}, "kernel=3 stride=2 size=7x5"},
    {17, {{3, {2, 6, 6}}}, "kernel=3 stride=1 pad=1 size=6"},
    {18, {{3, {3, 3, 3}}}, "kernel=2 stride=3 size=9x8"},
    {1, {{3, {1, 1, 1}}}, "kernel=1"},
    {17, {{3, {5, 1, 1}}}, "kernel=7 size=7"},
    {17, {{2, {3, 6}}}, "kernel=3 stride=2 pad=1 size=11"},
    {2, {{4, {3, 3, 3, 7}}}, "kernel=3x2x3 stride=2x2x1 pad=1x0x1 size=5x6x7"},
    {17, {{4, {2, 2, 3, 3}}}, "size=4x6x6"},
    {3, {{4, {2, 3, 3, 4}}}, "kernel=1x2x2 size=3x6x8"},
    {3, {{4, {2, 1, 1, 1}}}, "kernel=4x6x7 size=4x6x7"},
    {17, {{3, {3, 3, 5}}}, "out=3x5 size=7x13"},
    {2, {{4, {2, 3, 2, 4}}}, "out=3x2x4 size=4x5x9"},
    {3, {{2, {2, 8}}}, "out=8 size=5"},
};

const fv_op fv_op_avgpool_dx = {
    .name = "avgpool_dx",
    .family = "avgpool",
    .part = FV_PART_DATA,
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .attr_bytes = sizeof(dx_attrs),
    .attrs = specs_dx,
    .n_attrs = FV_N_POOL_WINDOW_SPECS + 2,
    .no_gradient = true,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
