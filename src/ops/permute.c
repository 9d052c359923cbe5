/* permute.c - permutes the dimensions of a tensor, including the channels.
 *
 *   y[i0][i1]... = x[j0][j1]...,  where j[order[d]] = i[d]: "permute 1x2x0" makes [h][w][c] of [c][h][w] */
#include "ops/axis_map.h"
#include "ops/layer_shapes.h"

typedef struct permute_attrs {
    int n, order[FV_MAX_RANK];
} permute_attrs;

static const fv_attr_spec specs[] = {
    {.word = "order",
     .type = FV_ATTR_LIST,
     .offset = offsetof(permute_attrs, n),
     .min = 0,
     .max = FV_MAX_RANK - 1,
     .count = FV_MAX_RANK},
};

static fv_status y_of(const fv_infer *q, fv_shape x, fv_shape *y)
{
    const permute_attrs *const a = q->attrs;
    char found[FV_SHAPE_TEXT];
    bool is_there[FV_MAX_RANK] = {false};
    bool well = a->n == x.rank;
    *y = x;
    for (int d = 0; d < a->n && well; d++) {
        well = a->order[d] < x.rank && !is_there[a->order[d]];
        is_there[a->order[d]] = true;
        y->dim[d] = x.dim[a->order[d]];
    }
    if (!well)
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: expected the numbers 0 to %d in an order, for the dimensions of %s", q->what,
                        x.rank - 1, fv__shape_text(x, found));
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const permute_attrs *const a = g->node->attrs;
    permute_attrs inverse = {.n = a->n};
    for (int d = 0; d < a->n; d++)
        inverse.order[a->order[d]] = d;
    return fv__grad_node(g, &fv_op_permute, "dx", &inverse, 1, &g->dy, FV_ROLE_VALUE, -1, &g->dx[0]);
}

static fv_map map_of(const void *attrs, fv_shape x, fv_shape y)
{
    const permute_attrs *const a = attrs;
    fv_map map = fv__map_identity(x);
    map.y = y;
    for (int d = 0; d < a->n; d++)
        map.axis[d] = a->order[d];
    return map;
}

static const fv_map_rule rule = {NULL, map_of, y_of, NULL};

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}}, "order=1x2x0"},
    {16, {{3, {4, 4, 2}}}, "order=1x0x2"},
    {3, {{3, {1, 4, 3}}}, "order=2x1x0"},
    {18, {{2, {3, 9}}}, "order=1x0"},
    {1, {{1, {5}}}, "order=0"},
    {2, {{4, {2, 3, 4, 5}}}, "order=0x2x1x3"},
    {15, {{3, {3, 5, 7}}}, "order=0x1x2"},
    {2, {{6, {2, 3, 1, 2, 3, 2}}}, "order=5x0x3x1x4x2"},
};

static const fv_layer_kind layers[] = {{
    .word = "permute",
    .help = "the dimensions in another order",
    .op = &fv_op_permute,
    .slot = {{FV_SLOT_ATTR, "order"}},
}};

const fv_op fv_op_permute = {
    .name = "permute",
    FV_MAP(rule),
    .attr_bytes = sizeof(permute_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .grad = grad,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};
