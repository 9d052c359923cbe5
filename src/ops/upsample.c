/* upsample.c - every channel `factor` times as large in each direction.
 *
 *   nearest    y[c][i] = x[c][i / factor]
 *   bilinear   linear interpolation between the centres of pixels: y's pixel i lies at
 *              (i + 1/2) / factor - 1/2 in x; outside of the centres it has the edge's value (PyTorch's
 *              align_corners=False). For signals it is linear, for videos trilinear.
 *
 * x is [c][w], [c][h][w] or [c][t][h][w]. The gradient is the transpose: each pixel of x sums what it gave.
 */
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

static fv_map upsample_map(const upsample_attrs *a, fv_shape x, fv_shape y)
{
    fv_map map = fv__map_identity(x);
    map.y = y;
    map.interpolate = a->mode.index == BILINEAR;
    for (int d = 1; d < x.rank; d++)
        map.factor[d] = a->factor.at[a->factor.n == 1 ? 0 : d - 1];
    return map;
}

/* The factors of the directions that `shape`, x's or y's, has. */
static fv_status find_factors(const fv_infer *q, fv_shape shape, int factor[FV_DIRECTIONS])
{
    const upsample_attrs *const a = q->attrs;
    FV_TRY(fv__map_expect_pixels(q, shape));
    return fv__sizes_spread(q->ctx, &a->factor, shape.rank - 1, "factor", q->what, factor);
}

static fv_status infer(fv_infer *q)
{
    int factor[FV_DIRECTIONS];
    q->out = q->input[0]->shape;
    FV_TRY(find_factors(q, q->out, factor));
    for (int d = 1; d < q->out.rank; d++) {
        if (q->out.dim[d] > FV_MAX_DIM / factor[d - 1])
            return fv__fail(q->ctx, FV_ERR_INPUT, "%s: %d pixels %d times are more than %d", q->what,
                            q->out.dim[d], factor[d - 1], FV_MAX_DIM);
        q->out.dim[d] *= factor[d - 1];
    }
    return fv__shape_check(q->ctx, q->out, q->what);
}

static fv_status grad(fv_grad *g)
{
    return fv__grad_node(g, &fv_op_upsample_dx, "dx", g->node->attrs, 1, &g->dy, FV_ROLE_VALUE, -1,
                         &g->dx[0]);
}

static void ref(const fv_ref *r)
{
    const fv_map map = upsample_map(r->attrs, r->in_shape[0], r->out_shape);
    fv__map_ref(r, &map);
}

static fv_status lower(fv_lower *l)
{
    const fv_map map = upsample_map(l->attrs, l->in_shape[0], l->out_shape);
    return fv__map_lower(l, &map);
}

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
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .attr_bytes = sizeof(upsample_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .cheap = true,
    .by_channel = true,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = fv__map_cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- the gradient: input dy --------------------------------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    int factor[FV_DIRECTIONS];
    q->out = q->input[0]->shape;
    FV_TRY(find_factors(q, q->out, factor));
    for (int d = 1; d < q->out.rank; d++) {
        if (q->out.dim[d] % factor[d - 1])
            return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a multiple of %d pixels, found %d", q->what,
                            factor[d - 1], q->out.dim[d]);
        q->out.dim[d] /= factor[d - 1];
    }
    return FV_OK;
}

static void ref_dx(const fv_ref *r)
{
    const fv_map map = upsample_map(r->attrs, r->out_shape, r->in_shape[0]);
    fv__map_dx_ref(r, &map);
}

static fv_status lower_dx(fv_lower *l)
{
    const fv_map map = upsample_map(l->attrs, l->out_shape, l->in_shape[0]);
    return fv__map_dx_lower(l, &map);
}

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
    .family = "upsample",
    .part = FV_PART_DATA,
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .no_gradient = true,
    .attr_bytes = sizeof(upsample_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = fv__map_cost,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
