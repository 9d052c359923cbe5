/* crop.c - a part of the pixels of every channel: `size` of them in each direction, from `at` on, or the
 * middle.
 *
 *   y[c][i] = x[c][i + at],  dx = dy in its place, zeros around it
 *
 * x is [c][w], [c][h][w] or [c][t][h][w]. In the middle, at = (pixels - size) / 2, rounded down. */
#include "ops/axis_map.h"
#include "ops/layer_shapes.h"

#include <string.h>

typedef struct crop_attrs {
    fv_sizes size, at;          /* at -1: the middle */
    int n, full[FV_DIRECTIONS]; /* crop_dx: the list of x's sizes */
} crop_attrs;

static const fv_attr_spec specs[] = {
    {.word = "size",
     .type = FV_ATTR_SIZES,
     .offset = offsetof(crop_attrs, size),
     .min = 1,
     .max = FV_MAX_DIM,
     .initial = 1},
    {.word = "at",
     .type = FV_ATTR_SIZES,
     .offset = offsetof(crop_attrs, at),
     .min = 0,
     .max = FV_MAX_DIM,
     .initial = -1},
    {.word = "full",
     .type = FV_ATTR_LIST,
     .offset = offsetof(crop_attrs, n),
     .min = 1,
     .max = FV_MAX_DIM,
     .count = FV_DIRECTIONS},
};
enum { N_FORWARD_SPECS = 2 };

static int first_of(const crop_attrs *a, int direction, int pixels, int size)
{
    const int at = a->at.at[a->at.n == 1 ? 0 : direction];
    return at < 0 ? (pixels - size) / 2 : at;
}

static fv_map map_of(const void *attrs, fv_shape x, fv_shape y)
{
    fv_map map = fv__map_identity(x);
    map.y = y;
    for (int d = 1; d < x.rank; d++)
        map.before[d] = -first_of(attrs, d - 1, x.dim[d], y.dim[d]);
    return map;
}

static fv_status y_of(const fv_infer *q, fv_shape x, fv_shape *y)
{
    const crop_attrs *const a = q->attrs;
    int size[FV_DIRECTIONS], at[FV_DIRECTIONS];
    FV_TRY(fv__map_expect_pixels(q, x));
    FV_TRY(fv__sizes_spread(q->ctx, &a->size, x.rank - 1, "size", q->what, size));
    FV_TRY(fv__sizes_spread(q->ctx, &a->at, x.rank - 1, "at", q->what, at));
    *y = x;
    for (int d = 1; d < x.rank; d++) {
        const int pixels = x.dim[d];
        if (size[d - 1] > pixels)
            return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a size of at most %d, found %d", q->what,
                            pixels, size[d - 1]);
        if (at[d - 1] > pixels - size[d - 1])
            return fv__fail(q->ctx, FV_ERR_INPUT,
                            "%s: expected at of at most %d for %d of %d pixels, found %d", q->what,
                            pixels - size[d - 1], size[d - 1], pixels, at[d - 1]);
        y->dim[d] = size[d - 1];
    }
    return FV_OK;
}

static fv_status x_of(const fv_infer *q, fv_shape y, fv_shape *x)
{
    const crop_attrs *const a = q->attrs;
    *x = (fv_shape){.rank = 1 + a->n, .dim = {y.dim[0]}};
    memcpy(&x->dim[1], a->full, (size_t)a->n * sizeof *a->full);
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const fv_shape x = g->graph->tensors[g->node->input[0]].shape;
    crop_attrs attrs = *(const crop_attrs *)g->node->attrs;
    attrs.n = x.rank - 1;
    memcpy(attrs.full, &x.dim[1], (size_t)attrs.n * sizeof *attrs.full);
    return fv__grad_node(g, &fv_op_crop_dx, "dx", &attrs, 1, &g->dy, FV_ROLE_VALUE, -1, &g->dx[0]);
}

static const fv_map_rule rule = {&fv_op_crop_dx, map_of, y_of, x_of};

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}}, "size=3"},       {16, {{3, {2, 8, 8}}}, "size=4x8 at=1x0"},
    {3, {{3, {1, 4, 3}}}, "size=1 at=3x2"}, {15, {{3, {17, 6, 6}}}, "size=6"},
    {18, {{2, {3, 9}}}, "size=4"},          {1, {{2, {1, 1}}}, "size=1 at=0"},
    {2, {{4, {2, 3, 4, 5}}}, "size=2x4x1"},
};

static const fv_layer_kind layers[] = {{
    .word = "crop",
    .help = "a part of the pixels of each channel",
    .op = &fv_op_crop,
    .slot = {{FV_SLOT_ATTR, "size"}},
}};

const fv_op fv_op_crop = {
    .name = "crop",
    FV_MAP(rule),
    .attr_bytes = sizeof(crop_attrs),
    .attrs = specs,
    .n_attrs = N_FORWARD_SPECS,
    .by_channel = true,
    .grad = grad,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- the gradient: input dy --------------------------------------------------------------------------- */

static const fv_case cases_dx[] = {
    {17, {{3, {3, 3, 3}}}, "size=3 full=5x7"},
    {16, {{3, {2, 4, 8}}}, "size=4x8 at=1x0 full=8x8"},
    {18, {{2, {3, 4}}}, "size=4 full=9"},
    {2, {{4, {2, 2, 4, 1}}}, "size=2x4x1 full=3x4x5"},
};

const fv_op fv_op_crop_dx = {
    .name = "crop_dx",
    FV_MAP_DX(rule, "crop"),
    .attr_bytes = sizeof(crop_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
