/* border.c - a border around the pixels of every channel: zeros, a constant, or values of the picture.
 *
 *   y[c][i] = x[c][i - size] inside of x; outside (lecture "Convolutional network", border handling):
 *
 *   zero, constant   a number
 *   mirror           the picture reflected at its border, the edge repeated (numpy's symmetric)
 *   reflect          reflected at the centre of the edge pixel, which is not repeated (PyTorch's reflect)
 *   edge             the nearest pixel (PyTorch's replicate)
 *   modulo           the picture repeated (PyTorch's circular)
 *
 * in every direction of x [c][w], [c][h][w] or [c][t][h][w]. The gradient is the transposed map: each pixel
 * of x receives the gradients of all positions that have its value. */
#include "ops/axis_map.h"
#include "ops/layer_shapes.h"

static const fv_attr_spec specs[] = {
    {.word = "size",
     .type = FV_ATTR_SIZES,
     .offset = offsetof(fv_border_attrs, size),
     .min = 0,
     .max = 1024,
     .initial = 1},
    {.word = "end",
     .type = FV_ATTR_SIZES,
     .offset = offsetof(fv_border_attrs, end),
     .min = 0,
     .max = 1024,
     .initial = -1},
    {.word = "mode",
     .type = FV_ATTR_CHOICE,
     .offset = offsetof(fv_border_attrs, mode),
     .min = -1e30,
     .max = 1e30,
     .choices = fv__border_modes},
};

/* Pixels at the beginning and at the end of direction d, of which there are as many numbers as directions or
 * one. */
static int begin_at(const fv_border_attrs *a, int d)
{
    return a->size.at[a->size.n == 1 || d >= FV_DIRECTIONS ? 0 : d];
}

static int end_at(const fv_border_attrs *a, int d)
{
    const int end = a->end.at[a->end.n == 1 || d >= FV_DIRECTIONS ? 0 : d];
    return end < 0 ? begin_at(a, d) : end;
}

static fv_map map_of(const void *attrs, fv_shape x, fv_shape y)
{
    const fv_border_attrs *const a = attrs;
    fv_map map = fv__map_identity(x);
    map.y = y;
    map.outside = fv__map_outside(a->mode.index);
    map.value = a->mode.value;
    for (int d = 1; d < x.rank; d++)
        map.before[d] = begin_at(a, d - 1);
    return map;
}

/* x [c] and n directions; y, 2 * size larger in each. */
static fv_status y_of(const fv_infer *q, fv_shape x, fv_shape *y)
{
    const fv_border_attrs *const a = q->attrs;
    int size[FV_DIRECTIONS];
    FV_TRY(fv__map_expect_pixels(q, x));
    FV_TRY(fv__sizes_spread(q->ctx, &a->size, x.rank - 1, "size", q->what, size));
    FV_TRY(fv__sizes_spread(q->ctx, &a->end, x.rank - 1, "end", q->what, size));
    *y = x;
    for (int d = 1; d < x.rank; d++) {
        const int begin = begin_at(a, d - 1), end = end_at(a, d - 1);
        FV_TRY(fv__map_expect_border(q, a->mode, x.dim[d], begin, end));
        y->dim[d] += begin + end;
    }
    return FV_OK;
}

static fv_status x_of(const fv_infer *q, fv_shape y, fv_shape *x)
{
    const fv_border_attrs *const a = q->attrs;
    *x = y;
    for (int d = 1; d < y.rank; d++) {
        x->dim[d] -= begin_at(a, d - 1) + end_at(a, d - 1);
        if (x->dim[d] < 1)
            return fv__fail(q->ctx, FV_ERR_INPUT, "%s: a gradient of %d pixels is all border", q->what,
                            y.dim[d]);
    }
    return FV_OK;
}

static const fv_map_rule rule = {&fv_op_border_dx, map_of, y_of, x_of};

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}}, "size=1"},
    {16, {{3, {1, 8, 8}}}, "size=2 mode=zero"},
    {3, {{3, {2, 4, 3}}}, "size=3x1 mode=constant:-1.5"},
    {18, {{3, {3, 5, 4}}}, "size=2 mode=mirror"},
    {2, {{3, {2, 3, 3}}}, "size=3 mode=mirror"},
    {15, {{3, {5, 3, 9}}}, "size=2x3 mode=reflect"},
    {1, {{3, {17, 6, 6}}}, "size=5 mode=edge"},
    {5, {{3, {2, 4, 5}}}, "size=4x0 mode=modulo"},
    {17, {{2, {3, 9}}}, "size=4 mode=reflect"},
    {4, {{2, {1, 1}}}, "size=1 mode=mirror"},
    {2, {{4, {2, 3, 4, 5}}}, "size=1x2x3 mode=modulo"},
    {3, {{4, {3, 2, 2, 3}}}, "size=1 mode=edge"},
    {2, {{2, {1, 2}}}, "size=200 mode=edge"},
    {17, {{3, {2, 4, 5}}}, "size=0x2 end=1x0 mode=modulo"},
    {3, {{3, {2, 4, 5}}}, "size=0 end=1"},
};

static const fv_layer_kind layers[] = {{
    .word = "border",
    .help = "a frame around the pixels",
    .op = &fv_op_border,
    .slot = {{FV_SLOT_ATTR, "size"}},
}};

const fv_op fv_op_border = {
    .name = "border",
    FV_MAP(rule),
    .attr_bytes = sizeof(fv_border_attrs),
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
    {17, {{3, {3, 7, 9}}}, "size=1"},
    {3, {{3, {2, 10, 5}}}, "size=3x1 mode=constant:-1.5"},
    {18, {{3, {3, 9, 8}}}, "size=2 mode=mirror"},
    {15, {{3, {5, 7, 15}}}, "size=2x3 mode=reflect"},
    {1, {{3, {17, 16, 16}}}, "size=5 mode=edge"},
    {5, {{3, {2, 12, 5}}}, "size=4x0 mode=modulo"},
    {17, {{2, {3, 17}}}, "size=4 mode=reflect"},
    {2, {{4, {2, 5, 8, 11}}}, "size=1x2x3 mode=modulo"},
    {2, {{2, {1, 402}}}, "size=200 mode=edge"},
    {17, {{3, {2, 5, 7}}}, "size=0x2 end=1x0 mode=modulo"},
};

const fv_op fv_op_border_dx = {
    .name = "border_dx",
    FV_MAP_DX(rule, "border"),
    .attr_bytes = sizeof(fv_border_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
