/* unpool.c - the approximate inverse of a max-pooling layer: each value goes back to the position where that
 * layer found its maximum; all other values are 0 (Zeiler, Fergus 2014; PyTorch's MaxUnpool).
 *
 *   y[c][i] = sum of x over the windows of p whose maximum is at i,  dx = dy at these positions
 *
 * Inputs: x, of the shape of the pooling layer's output, and p, the pooling layer's input. Windows that
 * share a maximum add their values. The maxima are searched for again in p, which gets no gradient. */
#include "ops/layer_shapes.h"
#include "ops/ops.h"
#include "ops/pool_window.h"
#include "ops/window.h"
#include "plan/lower.h"

#include <string.h>

static const fv_attr_spec specs[] = {FV_POOL_WINDOW_SPECS(0)};

static fv_status infer(fv_infer *q)
{
    fv_shape pooled;
    q->out = q->input[1]->shape;
    FV_TRY(fv__pool_infer(q->ctx, q->attrs, q->out, q->what, &pooled));
    char expected[FV_SHAPE_TEXT], found[FV_SHAPE_TEXT];
    if (!fv__shape_equal(pooled, q->input[0]->shape))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected %s, as the pooling layer puts out, found %s",
                        q->what, fv__shape_text(pooled, expected), fv__shape_text(q->input[0]->shape, found));
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const int inputs[] = {g->dy, g->node->input[1]};
    if (!g->wanted[0])
        return FV_OK;
    return fv__grad_node(g, &fv_op_unpool_dx, "dx", g->node->attrs, 2, inputs, FV_ROLE_VALUE, -1, &g->dx[0]);
}

static uint64_t side(const fv_ref *r)
{
    return fv__pool_side(r, 1);
}

/* The gradient of max pooling copies values in the same way. */
static fv_status lower(fv_lower *l)
{
    const fv_pool_args args = fv__pool_args(l->attrs, l->in_shape[1]);
    return fv__lower_simple(l, FV_KERNEL_maxpool_dx, &args, sizeof args);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_pool_args pool = fv__pool_args(attrs, in[1]);
    const double n_x = (double)fv__shape_count(in[0]), n_y = (double)fv__shape_count(out);
    return (fv_cost){n_x * fv__pool_taps(&pool), 4 * (n_x + 2 * n_y)};
}

static const fv_case cases[] = {
    {17, {{3, {1, 2, 2}}, {3, {1, 4, 4}}}, ""},
    {16, {{3, {6, 14, 14}}, {3, {6, 28, 28}}}, "kernel=2"},
    {3, {{3, {3, 2, 3}}, {3, {3, 5, 7}}}, "kernel=2"},
    {15, {{3, {5, 3, 2}}, {3, {5, 7, 5}}}, "kernel=3 stride=2"},
    {18, {{3, {3, 3, 3}}, {3, {3, 9, 8}}}, "kernel=2 stride=3"},
    {1, {{3, {1, 1, 1}}, {3, {1, 1, 1}}}, "kernel=1"},
    {17, {{2, {3, 6}}, {2, {3, 11}}}, "kernel=3 stride=2 pad=1"},
    {2, {{4, {2, 2, 3, 2}}, {4, {2, 4, 6, 5}}}, "kernel=2"},
};

static bool of_layer(const fv_node *maker, void *attrs, int *tensor)
{
    if (maker->op != &fv_op_maxpool)
        return false;
    memcpy(attrs, maker->attrs, sizeof(fv_window_attrs));
    *tensor = maker->input[0];
    return true;
}

static const fv_layer_kind layers[] = {{
    .word = "unpool",
    .help = "puts values back where the max-pooling layer LAYER found its maxima",
    .op = &fv_op_unpool,
    .slot = {{FV_SLOT_LAYER, "LAYER"}},
    .of_layer = of_layer,
    .of_word = "maxpool",
}};

const fv_op fv_op_unpool = {
    .name = "unpool",
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .attr_bytes = sizeof(fv_window_attrs),
    .attrs = specs,
    .n_attrs = FV_N_POOL_WINDOW_SPECS,
    .by_channel = true,
    .side = side,
    .infer = infer,
    .grad = grad,
    .ref = fv__pool_scatter,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- the gradient: inputs dy, p ------------------------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    FV_TRY(fv__pool_infer(q->ctx, q->attrs, q->input[1]->shape, q->what, &q->out));
    return fv__window_expect(q->ctx, q->input[1]->shape, q->input[0]->shape, q->what);
}

static void ref_dx(const fv_ref *r)
{
    const fv_pool_args a = fv__pool_args(r->attrs, r->in_shape[1]);
    const int64_t pixels = fv__pool_pixels_in(&a), outputs = fv__pool_pixels_out(&a);
    double *dx = r->out;
    int64_t at;
    for (int64_t c = 0; c < (int64_t)r->n * a.channels; c++)
        for (int64_t k = 0; k < outputs; k++) {
            fv__pool_maximum(&a, r->in[1] + c * pixels, k, &at);
            *dx++ = r->in[0][c * pixels + at];
        }
}

static fv_status lower_dx(fv_lower *l)
{
    const fv_pool_args args = fv__pool_args(l->attrs, l->in_shape[1]);
    return fv__lower_simple(l, FV_KERNEL_unpool_dx, &args, sizeof args);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_pool_args pool = fv__pool_args(attrs, in[1]);
    const double n_dx = (double)fv__shape_count(out), n_p = (double)fv__shape_count(in[1]);
    return (fv_cost){2 * n_dx * fv__pool_taps(&pool), 4 * (n_dx + 2 * n_p)};
}

static const fv_case cases_dx[] = {
    {17, {{3, {1, 4, 4}}, {3, {1, 4, 4}}}, ""},
    {3, {{3, {3, 5, 7}}, {3, {3, 5, 7}}}, "kernel=2"},
    {15, {{3, {5, 7, 5}}, {3, {5, 7, 5}}}, "kernel=3 stride=2"},
    {17, {{2, {3, 11}}, {2, {3, 11}}}, "kernel=3 stride=2 pad=1"},
    {2, {{4, {2, 4, 6, 5}}, {4, {2, 4, 6, 5}}}, "kernel=2"},
};

const fv_op fv_op_unpool_dx = {
    .name = "unpool_dx",
    .family = "unpool",
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
