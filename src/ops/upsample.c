/* upsample.c - enlarges every channel `factor` times in each direction.
 *
 *   nearest    y[c][i] = x[c][i / factor]
 *   bilinear   linear interpolation between the centres of pixels: y's pixel i is at
 *              (i + 1/2) / factor - 1/2 in x; outside of the centres it has the edge's value (PyTorch's
 *              align_corners=False). For signals it is linear, for videos trilinear.
 *
 * x is [c][w], [c][h][w] or [c][t][h][w]. The gradient is the transpose: each pixel of x sums the gradients
 * of the pixels that read it, with their weights. */
#include "ops/axis_map.h"
#include "ops/layer_shapes.h"

typedef struct upsample_attrs {
    fv_sizes factor;
    fv_choice mode;
} upsample_attrs;

static const char *const modes[] = {"nearest", "bilinear", NULL};
enum { NEAREST, BILINEAR };

static const fv_attr_spec specs[] = {
    {.word = "factor",
     .type = FV_ATTR_SIZES,
     .offset = offsetof(upsample_attrs, factor),
     .min = 1,
     .max = 64,
     .initial = 2},
    {.word = "mode", .type = FV_ATTR_CHOICE, .offset = offsetof(upsample_attrs, mode), .choices = modes},
};

static fv_map map_of(const void *attrs, fv_shape x, fv_shape y)
{
    const upsample_attrs *const a = attrs;
    fv_map map = fv__map_identity(x);
    map.y = y;
    map.interpolate = a->mode.index == BILINEAR;
    for (int d = 1; d < x.rank; d++)
        map.factor[d] = a->factor.at[a->factor.n == 1 ? 0 : d - 1];
    return map;
}

/* The factors of the directions of `shape`, x's or y's. */
static fv_status find_factors(const fv_infer *q, fv_shape shape, int factor[FV_DIRECTIONS])
{
    const upsample_attrs *const a = q->attrs;
    FV_TRY(fv__map_expect_pixels(q, shape));
    return fv__sizes_spread(q->ctx, &a->factor, shape.rank - 1, "factor", q->what, factor);
}

static fv_status y_of(const fv_infer *q, fv_shape x, fv_shape *y)
{
    int factor[FV_DIRECTIONS];
    FV_TRY(find_factors(q, x, factor));
    *y = x;
    for (int d = 1; d < x.rank; d++) {
        if (x.dim[d] > FV_MAX_DIM / factor[d - 1])
            return fv__fail(q->ctx, FV_ERR_INPUT, "%s: %d pixels %d times are more than %d", q->what,
                            x.dim[d], factor[d - 1], FV_MAX_DIM);
        y->dim[d] *= factor[d - 1];
    }
    return FV_OK;
}

static fv_status x_of(const fv_infer *q, fv_shape y, fv_shape *x)
{
    int factor[FV_DIRECTIONS];
    FV_TRY(find_factors(q, y, factor));
    *x = y;
    for (int d = 1; d < y.rank; d++) {
        if (y.dim[d] % factor[d - 1])
            return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a multiple of %d pixels, found %d", q->what,
                            factor[d - 1], y.dim[d]);
        x->dim[d] /= factor[d - 1];
    }
    return FV_OK;
}

static const fv_map_rule rule = {&fv_op_upsample_dx, map_of, y_of, x_of};

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}}, ""},
    {16, {{3, {2, 4, 4}}}, "factor=2 mode=bilinear"},
    {3, {{3, {1, 2, 3}}}, "factor=3x1"},
    {15, {{3, {5, 3, 2}}}, "factor=3x4 mode=bilinear"},
    {1, {{3, {17, 1, 1}}}, "factor=5 mode=bilinear"},
    {18, {{2, {3, 9}}}, "factor=4"},
    {5, {{2, {2, 5}}}, "factor=2 mode=bilinear"},
    {2, {{4, {2, 3, 4, 2}}}, "factor=1x2x3"},
    {2, {{4, {3, 2, 2, 3}}}, "factor=2 mode=bilinear"},
};

static const fv_layer_kind layers[] = {{
    .word = "upsample",
    .help = "each channel several times as large",
    .op = &fv_op_upsample,
    .slot = {{FV_SLOT_ATTR, "factor"}},
}};

const fv_op fv_op_upsample = {
    .name = "upsample",
    FV_MAP(rule),
    .attr_bytes = sizeof(upsample_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .by_channel = true,
    .grad = fv__map_op_grad,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- the gradient: input dy --------------------------------------------------------------------------- */

static const fv_case cases_dx[] = {
    {17, {{3, {3, 10, 14}}}, ""},
    {16, {{3, {2, 8, 8}}}, "factor=2 mode=bilinear"},
    {3, {{3, {1, 6, 3}}}, "factor=3x1"},
    {15, {{3, {5, 9, 8}}}, "factor=3x4 mode=bilinear"},
    {18, {{2, {3, 36}}}, "factor=4"},
    {2, {{4, {2, 3, 8, 6}}}, "factor=1x2x3"},
    {2, {{4, {3, 4, 4, 6}}}, "factor=2 mode=bilinear"},
};

const fv_op fv_op_upsample_dx = {
    .name = "upsample_dx",
    FV_MAP_DX(rule, "upsample"),
    .attr_bytes = sizeof(upsample_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
