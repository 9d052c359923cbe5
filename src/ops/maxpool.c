/* maxpool.c - the largest value of each window, and its gradient.
 *
 *   y[c][oy][ox]  = max over ky, kx of x[c][oy*sh + ky - ph][ox*sw + kx - pw]
 *   dx[c][iy][ix] = sum of dy over the windows whose maximum is at (iy, ix)
 *
 * The formulas hold likewise for one and three directions. Padding counts as minus infinity. Of equal values
 * the first, row by row, is the maximum and receives the whole gradient. A NaN in a window is its maximum;
 * the gradient of such a window goes to its last pixel.
 *
 * The gradient finds the positions again in x; they are not stored. */
#include "plan/lower.h"
#include "ops/layer_shapes.h"
#include "ops/ops.h"
#include "ops/pool_window.h"
#include "ops/window.h"

/* Only the gradient has the last attribute. */
static const fv_attr_spec specs[] = {FV_POOL_WINDOW_SPECS(0), FV_POOL_OUT_SPEC("out", 0, 0)};

static fv_status infer(fv_infer *q)
{
    return fv__pool_infer(q->ctx, q->attrs, q->input[0]->shape, q->what, &q->out);
}

static fv_status grad(fv_grad *g)
{
    const int inputs[] = {g->dy, g->node->input[0]};
    return fv__grad_node(g, &fv_op_maxpool_dx, "dx", g->node->attrs, 2, inputs, FV_ROLE_VALUE, -1, &g->dx[0]);
}

static void ref(const fv_ref *r)
{
    const fv_pool_args a = fv__pool_args(r->attrs, r->in_shape[0]);
    const int64_t pixels = fv__pool_pixels_in(&a), outputs = fv__pool_pixels_out(&a);
    double *y = r->out;
    int64_t at;
    for (int64_t c = 0; c < (int64_t)r->n * a.channels; c++)
        for (int64_t k = 0; k < outputs; k++)
            *y++ = fv__pool_maximum(&a, r->in[0] + c * pixels, k, &at);
}

static uint64_t side(const fv_ref *r)
{
    return fv__pool_side(r, 0);
}

static fv_status lower(fv_lower *l)
{
    const fv_pool_args args = fv__pool_args(l->attrs, l->in_shape[0]);
    return fv__lower_simple(l, FV_KERNEL_maxpool, &args, sizeof args);
}

/* One comparison for each pixel of every window. */
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
    {17, {{2, {3, 11}}}, "kernel=3 stride=2 pad=1"},
    {16, {{2, {5, 40}}}, ""},
    {2, {{4, {3, 5, 6, 7}}}, "kernel=3x2x3 stride=2x2x1 pad=1x0x1"},
    {17, {{4, {2, 4, 6, 6}}}, ""},
    {3, {{4, {2, 3, 6, 8}}}, "kernel=1x2x2"},
    {4, {{4, {2, 3, 5, 1}}}, "kernel=1x3x1 stride=2x1x1"},
};

static const fv_layer_kind layers[] = {
    {
        .word = "maxpool",
        .help = "the largest value of each window",
        .op = &fv_op_maxpool,
        .slot = {{FV_SLOT_ATTR, "kernel"}},
    },
    {
        .word = "globalmaxpool",
        .help = "the largest value of each channel",
        .op = &fv_op_maxpool,
        .reads = FV_READS_POOLED,
        .set = fv__pool_whole,
    },
};

const fv_op fv_op_maxpool = {
    .name = "maxpool",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .cheap = true,
    .attr_bytes = sizeof(fv_window_attrs),
    .attrs = specs,
    .n_attrs = FV_N_POOL_WINDOW_SPECS,
    .by_channel = true,
    .side = side,
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
    {17, {{3, {2, 6, 9}}}, "size=3x3"}, {3, {{3, {3, 7, 13}}}, "size=3x5"},
    {16, {{3, {2, 5, 5}}}, ""},         {2, {{2, {3, 11}}}, "size=4"},
    {3, {{2, {2, 5}}}, "size=8"},       {17, {{4, {2, 4, 5, 9}}}, "size=3x2x4"},
};

static const fv_layer_kind layers_adaptive[] = {{
    .word = "adaptivemaxpool",
    .help = "the largest value of windows that divide the input evenly",
    .op = &fv_op_adaptivemaxpool,
    .slot = {{FV_SLOT_ATTR, "size"}},
    .reads = FV_READS_POOLED,
}};

const fv_op fv_op_adaptivemaxpool = {
    .name = "adaptivemaxpool",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .cheap = true,
    .attr_bytes = sizeof(fv_window_attrs),
    .attrs = specs_adaptive,
    .n_attrs = 1,
    .by_channel = true,
    .side = side,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases_adaptive,
    .n_cases = sizeof cases_adaptive / sizeof *cases_adaptive,
    FV_LAYERS(layers_adaptive),
};

/* ---- the gradient: inputs dy, x ------------------------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    fv_shape dy;
    q->out = q->input[1]->shape;
    FV_TRY(fv__pool_infer(q->ctx, q->attrs, q->out, q->what, &dy));
    return fv__window_expect(q->ctx, dy, q->input[0]->shape, q->what);
}

static fv_status lower_dx(fv_lower *l)
{
    const fv_pool_args args = fv__pool_args(l->attrs, l->in_shape[1]);
    return fv__lower_simple(l, FV_KERNEL_maxpool_dx, &args, sizeof args);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_pool_args pool = fv__pool_args(attrs, in[1]);
    const double n_dy = (double)fv__shape_count(in[0]), n_x = (double)fv__shape_count(out);
    return (fv_cost){2 * n_dy * fv__pool_taps(&pool), 4 * (n_dy + 2 * n_x)};
}

static const fv_case cases_dx[] = {
    {17, {{3, {1, 2, 2}}, {3, {1, 4, 4}}}, ""},
    {16, {{3, {6, 14, 14}}, {3, {6, 28, 28}}}, "kernel=2"},
    {3, {{3, {3, 2, 3}}, {3, {3, 5, 7}}}, "kernel=2"},
    {15, {{3, {5, 3, 2}}, {3, {5, 7, 5}}}, "kernel=3 stride=2"},
    {17, {{3, {2, 6, 6}}, {3, {2, 6, 6}}}, "kernel=3 stride=1 pad=1"},
    {18, {{3, {3, 3, 3}}, {3, {3, 9, 8}}}, "kernel=2 stride=3"},
    {1, {{3, {1, 1, 1}}, {3, {1, 1, 1}}}, "kernel=1"},
    {17, {{2, {3, 6}}, {2, {3, 11}}}, "kernel=3 stride=2 pad=1"},
    {2, {{4, {3, 3, 3, 7}}, {4, {3, 5, 6, 7}}}, "kernel=3x2x3 stride=2x2x1 pad=1x0x1"},
    {17, {{4, {2, 2, 3, 3}}, {4, {2, 4, 6, 6}}}, ""},
    {3, {{4, {2, 3, 3, 4}}, {4, {2, 3, 6, 8}}}, "kernel=1x2x2"},
    {17, {{3, {3, 3, 5}}, {3, {3, 7, 13}}}, "out=3x5"},
    {3, {{2, {2, 8}}, {2, {2, 5}}}, "out=8"},
};

const fv_op fv_op_maxpool_dx = {
    .name = "maxpool_dx",
    .family = "maxpool",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .attr_bytes = sizeof(fv_window_attrs),
    .attrs = specs,
    .n_attrs = FV_N_POOL_WINDOW_SPECS + 1,
    .no_gradient = true,
    .infer = infer_dx,
    .ref = fv__pool_scatter,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
