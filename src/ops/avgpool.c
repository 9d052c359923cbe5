/* avgpool.c - the mean of each window (LeCun et al. 1998 call it subsampling), and its gradient.
 *
 *   y[c][oy][ox]  = 1 / (kh*kw) * sum over ky, kx of x[c][oy*sh + ky - ph][ox*sw + kx - pw]
 *   dx[c][iy][ix] = 1 / (kh*kw) * sum of dy over the windows that hold (iy, ix)
 *
 * Padding counts as zeros, and as pixels: the divisor is kh*kw everywhere (PyTorch's default). */
#include "plan/lower.h"
#include "ops/layer_shapes.h"
#include "ops/ops.h"
#include "ops/pool_window.h"

#include <string.h>

static const fv_attr_spec specs[] = {FV_POOL_WINDOW_SPECS(0)};

/* The gradient must be told the input's size: it does not follow from the output's. */
typedef struct dx_attrs {
    fv_window_attrs window;
    int size[2]; /* h, w of the input */
} dx_attrs;

static const fv_attr_spec specs_dx[] = {
    FV_POOL_WINDOW_SPECS(offsetof(dx_attrs, window)),
    {"size", FV_ATTR_PAIR, offsetof(dx_attrs, size), 1, FV_MAX_DIM, 1},
};

static fv_status infer(fv_infer *q)
{
    fv_pool_args sizes;
    FV_TRY(fv__pool_sizes(q->ctx, q->attrs, q->input[0]->shape, q->what, &sizes));
    q->out = FV_SHAPE(sizes.c, sizes.oh, sizes.ow);
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const fv_shape x = g->graph->tensors[g->node->input[0]].shape;
    const dx_attrs attrs = {*(const fv_window_attrs *)g->node->attrs, {x.dim[1], x.dim[2]}};
    return fv__grad_node(g, &fv_op_avgpool_dx, "dx", &attrs, 1, &g->dy, FV_ROLE_VALUE, -1, &g->dx[0]);
}

static void ref(const fv_ref *r)
{
    const fv_pool_args a = fv__pool_args(r->attrs, r->in_shape[0], r->out_shape);
    const int64_t pixels = (int64_t)a.h * a.w;
    double *out = r->out;
    for (int64_t plane = 0; plane < (int64_t)r->n * a.c; plane++) {
        const double *in = r->in[0] + plane * pixels;
        for (int oy = 0; oy < a.oh; oy++)
            for (int ox = 0; ox < a.ow; ox++) {
                const fv_pool_range rows = fv__pool_range(oy, a.kh, a.stride_h, a.pad_h, a.h);
                const fv_pool_range columns = fv__pool_range(ox, a.kw, a.stride_w, a.pad_w, a.w);
                double sum = 0;
                for (int y = rows.begin; y < rows.end; y++)
                    for (int x = columns.begin; x < columns.end; x++)
                        sum += in[(int64_t)y * a.w + x];
                *out++ = sum / ((double)a.kh * a.kw);
            }
    }
}

static fv_status lower(fv_lower *l)
{
    const fv_pool_args args = fv__pool_args(l->attrs, l->in_shape[0], l->out_shape);
    return fv__lower_simple(l, FV_KERNEL_avgpool, &args, sizeof args);
}

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
    {17, {{3, {5, 7, 7}}}, "kernel=7"},
    {3, {{3, {2, 3, 1}}}, "kernel=3x1 stride=2"},
    {17, {{3, {2, 17, 19}}}, "kernel=17x19"},
    {3, {{3, {1, 12, 140}}}, "kernel=9x133 stride=2x5 pad=3x2"},
};

static void whole_image(fv_shape in, void *attrs)
{
    *(fv_window_attrs *)attrs = (fv_window_attrs){.kernel = {in.dim[1], in.dim[2]}};
}

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
        .reads = FV_READS_IMAGE,
        .set = whole_image,
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

/* ---- the gradient: input dy ----------------------------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    const dx_attrs *attrs = q->attrs;
    const fv_shape dy = q->input[0]->shape;
    const fv_shape x = FV_SHAPE(dy.dim[0], attrs->size[0], attrs->size[1]);
    fv_pool_args sizes;
    char found[FV_SHAPE_TEXT], expected[FV_SHAPE_TEXT];
    FV_TRY(fv__pool_sizes(q->ctx, &attrs->window, x, q->what, &sizes));
    const fv_shape wanted = FV_SHAPE(sizes.c, sizes.oh, sizes.ow);
    if (!fv__shape_equal(dy, wanted))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a gradient of %s, found %s", q->what,
                        fv__shape_text(wanted, expected), fv__shape_text(dy, found));
    q->out = x;
    return FV_OK;
}

static void ref_dx(const fv_ref *r)
{
    const dx_attrs *attrs = r->attrs;
    const fv_pool_args a = fv__pool_args(&attrs->window, r->out_shape, r->in_shape[0]);
    const int64_t pixels = (int64_t)a.h * a.w;
    const double *dy = r->in[0];
    memset(r->out, 0, (size_t)((int64_t)r->n * a.c * pixels) * sizeof *r->out);
    for (int64_t plane = 0; plane < (int64_t)r->n * a.c; plane++) {
        double *dx = r->out + plane * pixels;
        for (int oy = 0; oy < a.oh; oy++)
            for (int ox = 0; ox < a.ow; ox++, dy++) {
                const fv_pool_range rows = fv__pool_range(oy, a.kh, a.stride_h, a.pad_h, a.h);
                const fv_pool_range columns = fv__pool_range(ox, a.kw, a.stride_w, a.pad_w, a.w);
                for (int y = rows.begin; y < rows.end; y++)
                    for (int x = columns.begin; x < columns.end; x++)
                        dx[(int64_t)y * a.w + x] += *dy / ((double)a.kh * a.kw);
            }
    }
}

static fv_status lower_dx(fv_lower *l)
{
    const dx_attrs *attrs = l->attrs;
    const fv_pool_args args = fv__pool_args(&attrs->window, l->out_shape, l->in_shape[0]);
    return fv__lower_simple(l, FV_KERNEL_avgpool_dx, &args, sizeof args);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    const dx_attrs *dx = attrs;
    const double n_dy = (double)fv__shape_count(in[0]), n_x = (double)fv__shape_count(out);
    return (fv_cost){n_dy * dx->window.kernel[0] * dx->window.kernel[1], 4 * (n_dy + n_x)};
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
};

const fv_op fv_op_avgpool_dx = {
    .name = "avgpool_dx",
    .family = "avgpool",
    .part = FV_PART_DATA,
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .attr_bytes = sizeof(dx_attrs),
    .attrs = specs_dx,
    .n_attrs = FV_N_POOL_WINDOW_SPECS + 1,
    .no_gradient = true,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
