/* maxpool.c - the largest value of each window, and its gradient.
 *
 *   y[c][oy][ox]  = max over ky, kx of x[c][oy*sh + ky - ph][ox*sw + kx - pw]
 *   dx[c][iy][ix] = sum of dy over the windows whose maximum stands at (iy, ix)
 *
 * Padding counts as minus infinity. Of equal values the first, row by row, is the maximum and receives the
 * whole gradient. A NaN in a window is its maximum; the gradient of such a window goes to its last pixel.
 *
 * The gradient finds the places again in x; they are not kept. */
#include "plan/lower.h"
#include "ops/layer_shapes.h"
#include "ops/ops.h"
#include "ops/pool_window.h"

#include <math.h>
#include <string.h>

static const fv_attr_spec specs[] = {FV_POOL_WINDOW_SPECS(0)};

static fv_status infer(fv_infer *q)
{
    fv_pool_args sizes;
    FV_TRY(fv__pool_sizes(q->ctx, q->attrs, q->input[0]->shape, q->what, &sizes));
    q->out = FV_SHAPE(sizes.c, sizes.oh, sizes.ow);
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const int inputs[] = {g->dy, g->node->input[0]};
    return fv__grad_node(g, &fv_op_maxpool_dx, "dx", g->node->attrs, 2, inputs, FV_ROLE_VALUE, -1, &g->dx[0]);
}

/* The maximum of a window; *at: where in the plane its gradient goes. */
static double maximum(const double *plane, const fv_pool_args *a, int oy, int ox, int64_t *at)
{
    const fv_pool_range rows = fv__pool_range(oy, a->kh, a->stride_h, a->pad_h, a->h);
    const fv_pool_range columns = fv__pool_range(ox, a->kw, a->stride_w, a->pad_w, a->w);
    *at = (int64_t)rows.begin * a->w + columns.begin;
    for (int y = rows.begin; y < rows.end; y++)
        for (int x = columns.begin; x < columns.end; x++) {
            const int64_t here = (int64_t)y * a->w + x;
            if (isnan(plane[here])) {
                *at = (int64_t)(rows.end - 1) * a->w + columns.end - 1;
                return plane[here];
            }
            if (plane[here] > plane[*at])
                *at = here;
        }
    return plane[*at];
}

static void ref(const fv_ref *r)
{
    const fv_pool_args a = fv__pool_args(r->attrs, r->in_shape[0], r->out_shape);
    const int64_t pixels = (int64_t)a.h * a.w;
    double *y = r->out;
    int64_t at;
    for (int64_t plane = 0; plane < (int64_t)r->n * a.c; plane++) {
        const double *x = r->in[0] + plane * pixels;
        for (int oy = 0; oy < a.oh; oy++)
            for (int ox = 0; ox < a.ow; ox++)
                *y++ = maximum(x, &a, oy, ox, &at);
    }
}

/* Where each window's maximum stands. */
static uint64_t side(const fv_ref *r)
{
    const fv_pool_args a = fv__pool_args(r->attrs, r->in_shape[0], r->out_shape);
    const int64_t pixels = (int64_t)a.h * a.w;
    uint64_t hash = FV_HASH_SIDES;
    int64_t at;
    for (int64_t plane = 0; plane < (int64_t)r->n * a.c; plane++)
        for (int oy = 0; oy < a.oh; oy++)
            for (int ox = 0; ox < a.ow; ox++) {
                maximum(r->in[0] + plane * pixels, &a, oy, ox, &at);
                hash = fv__hash_side(hash, at);
            }
    return hash;
}

static fv_status lower(fv_lower *l)
{
    const fv_pool_args args = fv__pool_args(l->attrs, l->in_shape[0], l->out_shape);
    return fv__lower_simple(l, FV_KERNEL_maxpool, &args, sizeof args);
}

/* A comparison a pixel of every window. */
static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_window_attrs *window = attrs;
    const double n_in = (double)fv__shape_count(in[0]), n_out = (double)fv__shape_count(out);
    return (fv_cost){n_out * window->kernel[0] * window->kernel[1], 4 * (n_in + n_out)};
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
};

static const fv_layer_kind layers[] = {{
    .word = "maxpool",
    .help = "the largest value of each window",
    .op = &fv_op_maxpool,
    .slot = {{FV_SLOT_ATTR, "kernel"}},
}};

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

/* ---- the gradient: inputs dy, x ------------------------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    fv_pool_args sizes;
    char found[FV_SHAPE_TEXT], expected[FV_SHAPE_TEXT];
    FV_TRY(fv__pool_sizes(q->ctx, q->attrs, q->input[1]->shape, q->what, &sizes));
    const fv_shape dy = FV_SHAPE(sizes.c, sizes.oh, sizes.ow);
    if (!fv__shape_equal(q->input[0]->shape, dy))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a gradient of %s, found %s", q->what,
                        fv__shape_text(dy, expected), fv__shape_text(q->input[0]->shape, found));
    q->out = q->input[1]->shape;
    return FV_OK;
}

static void ref_dx(const fv_ref *r)
{
    const fv_pool_args a = fv__pool_args(r->attrs, r->in_shape[1], r->in_shape[0]);
    const int64_t pixels = (int64_t)a.h * a.w;
    const double *dy = r->in[0];
    int64_t at;
    for (int64_t plane = 0; plane < (int64_t)r->n * a.c; plane++) {
        const double *x = r->in[1] + plane * pixels;
        double *dx = r->out + plane * pixels;
        memset(dx, 0, (size_t)pixels * sizeof *dx);
        for (int oy = 0; oy < a.oh; oy++)
            for (int ox = 0; ox < a.ow; ox++) {
                maximum(x, &a, oy, ox, &at);
                dx[at] += *dy++;
            }
    }
}

static fv_status lower_dx(fv_lower *l)
{
    const fv_pool_args args = fv__pool_args(l->attrs, l->in_shape[1], l->in_shape[0]);
    return fv__lower_simple(l, FV_KERNEL_maxpool_dx, &args, sizeof args);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_window_attrs *window = attrs;
    const double n_dy = (double)fv__shape_count(in[0]), n_x = (double)fv__shape_count(out);
    return (fv_cost){2 * n_dy * window->kernel[0] * window->kernel[1], 4 * (n_dy + 2 * n_x)};
}

static const fv_case cases_dx[] = {
    {17, {{3, {1, 2, 2}}, {3, {1, 4, 4}}}, ""},
    {16, {{3, {6, 14, 14}}, {3, {6, 28, 28}}}, "kernel=2"},
    {3, {{3, {3, 2, 3}}, {3, {3, 5, 7}}}, "kernel=2"},
    {15, {{3, {5, 3, 2}}, {3, {5, 7, 5}}}, "kernel=3 stride=2"},
    {17, {{3, {2, 6, 6}}, {3, {2, 6, 6}}}, "kernel=3 stride=1 pad=1"},
    {18, {{3, {3, 3, 3}}, {3, {3, 9, 8}}}, "kernel=2 stride=3"},
    {1, {{3, {1, 1, 1}}, {3, {1, 1, 1}}}, "kernel=1"},
};

const fv_op fv_op_maxpool_dx = {
    .name = "maxpool_dx",
    .family = "maxpool",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .attr_bytes = sizeof(fv_window_attrs),
    .attrs = specs,
    .n_attrs = FV_N_POOL_WINDOW_SPECS,
    .no_gradient = true,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
