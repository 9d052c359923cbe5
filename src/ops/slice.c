/* slice.c - a range of the indices of one dimension: the tokens of a sequence, or with `axis` the channels,
 * rows or columns of any tensor.
 *
 *   y[.][i][.] = x[.][first + i][.] for `count` indices; for all from `first` on if count is 0
 *   dx = dy at the same indices, zeros elsewhere */
#include "ops/axis_map.h"
#include "ops/layer_shapes.h"

#include <string.h>

typedef struct place_attrs {
    int first, total, axis;
} place_attrs;

/* [outer][n][inner], as the axis cuts a shape. */
static int64_t outer_of(fv_shape shape, int axis)
{
    int64_t n = 1;
    for (int d = 0; d < axis; d++)
        n *= shape.dim[d];
    return n;
}

static int64_t inner_of(fv_shape shape, int axis)
{
    int64_t n = 1;
    for (int d = axis + 1; d < shape.rank; d++)
        n *= shape.dim[d];
    return n;
}

static fv_status check_axis(const fv_infer *q, int axis)
{
    const fv_shape x = q->input[0]->shape;
    char found[FV_SHAPE_TEXT];
    if (axis >= 0 && axis < x.rank)
        return FV_OK;
    if (axis >= 0)
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: expected an axis from 0 to %d, for the dimensions of %s, found %d", q->what,
                        x.rank - 1, fv__shape_text(x, found), axis);
    if (x.rank == 2)
        return FV_OK;
    return fv__fail(
        q->ctx, FV_ERR_INPUT,
        "%s: expected a sequence of tokens, found %s; a tokens line makes one of an image, and axis= "
        "slices anything",
        q->what, fv__shape_text(x, found));
}

/* Copies n indices from `from` on to `to` on, with zeros around them. */
static void copy(const fv_ref *r, int axis, int from, int to, int n)
{
    const int64_t inner = inner_of(r->out_shape, axis), outer = r->n * outer_of(r->out_shape, axis);
    const int64_t nx = r->in_shape[0].dim[axis] * inner, ny = r->out_shape.dim[axis] * inner;
    memset(r->out, 0, (size_t)(outer * ny) * sizeof *r->out);
    for (int64_t k = 0; k < outer; k++)
        memcpy(r->out + k * ny + to * inner, r->in[0] + k * nx + from * inner,
               (size_t)(n * inner) * sizeof *r->out);
}

/* Inner indices join the axis, so the kernel copies [outer] channels of tokens. */
static fv_status lower_copy(fv_lower *l, int axis, int from, int to, int n)
{
    const int inner = (int)inner_of(l->out_shape, axis);
    const fv_tokens_args args = {.channels = (int)outer_of(l->out_shape, axis),
                                 .from_tokens = l->in_shape[0].dim[axis] * inner,
                                 .to_tokens = l->out_shape.dim[axis] * inner,
                                 .from = from * inner,
                                 .to = to * inner,
                                 .n = n * inner};
    return fv__lower_simple(l, FV_KERNEL_tokens_copy, &args, sizeof args);
}

/* ---- slice ------------------------------------------------------------------------------------------ */

static const fv_attr_spec specs[] = {
    {"first", FV_ATTR_INT, offsetof(fv_slice_attrs, first), 0, FV_MAX_DIM, 0},
    {"count", FV_ATTR_INT, offsetof(fv_slice_attrs, count), 0, FV_MAX_DIM, 0},
    {"axis", FV_ATTR_INT, offsetof(fv_slice_attrs, axis), 0, FV_MAX_RANK - 1, -1},
};

static int axis_of(const fv_slice_attrs *a)
{
    return a->axis < 0 ? 1 : a->axis;
}

static fv_status infer(fv_infer *q)
{
    const fv_slice_attrs *const a = q->attrs;
    FV_TRY(check_axis(q, a->axis));
    const int n = q->input[0]->shape.dim[axis_of(a)];
    if (a->first >= n || a->count > n - a->first)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected %s among 0 to %d, found %d to %lld", q->what,
                        a->axis < 0 ? "tokens" : "indices", n - 1, a->first,
                        (long long)a->first + (a->count ? a->count : 1) - 1);
    q->out = q->input[0]->shape;
    q->out.dim[axis_of(a)] = a->count ? a->count : n - a->first;
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const fv_slice_attrs *const a = g->node->attrs;
    const int axis = axis_of(a);
    const place_attrs attrs = {a->first, g->graph->tensors[g->node->input[0]].shape.dim[axis], axis};
    return fv__grad_node(g, &fv_op_slice_dx, "dx", &attrs, 1, &g->dy, FV_ROLE_VALUE, -1, &g->dx[0]);
}

static void ref(const fv_ref *r)
{
    const fv_slice_attrs *const a = r->attrs;
    copy(r, axis_of(a), a->first, 0, r->out_shape.dim[axis_of(a)]);
}

static fv_status lower(fv_lower *l)
{
    const fv_slice_attrs *const a = l->attrs;
    return lower_copy(l, axis_of(a), a->first, 0, l->out_shape.dim[axis_of(a)]);
}

static const fv_case cases[] = {
    {17, {{2, {3, 5}}}, "count=1"},
    {16, {{2, {17, 65}}}, "first=1"},
    {3, {{2, {2, 7}}}, "first=2 count=3"},
    {1, {{2, {1, 1}}}, ""},
    {17, {{3, {5, 3, 4}}}, "first=1 count=3 axis=0"},
    {3, {{3, {2, 5, 3}}}, "first=3 axis=1"},
    {2, {{4, {2, 3, 4, 5}}}, "count=2 axis=3"},
    {15, {{1, {7}}}, "first=6 axis=0"},
};

static const fv_layer_kind layers[] = {{
    .word = "slice",
    .help = "COUNT tokens from FIRST on, or indices of another dimension",
    .op = &fv_op_slice,
    .slot = {{FV_SLOT_ATTR, "first"}, {FV_SLOT_ATTR, "count"}},
}};

const fv_op fv_op_slice = {
    .name = "slice",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .attr_bytes = sizeof(fv_slice_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = fv__map_cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- slice_dx: input dy, at its indices among `total`, zeros elsewhere ------------------------------ */

static const fv_attr_spec specs_place[] = {
    {"first", FV_ATTR_INT, offsetof(place_attrs, first), 0, FV_MAX_DIM, 0},
    {"total", FV_ATTR_INT, offsetof(place_attrs, total), 1, FV_MAX_DIM, 1},
    {"axis", FV_ATTR_INT, offsetof(place_attrs, axis), 0, FV_MAX_RANK - 1, 1},
};

static fv_status infer_place(fv_infer *q)
{
    const place_attrs *const a = q->attrs;
    FV_TRY(check_axis(q, a->axis));
    q->out = q->input[0]->shape;
    if (a->first > a->total - q->out.dim[a->axis])
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: %d indices from %d on are more than %d", q->what,
                        q->out.dim[a->axis], a->first, a->total);
    q->out.dim[a->axis] = a->total;
    return fv__shape_check(q->ctx, q->out, q->what);
}

static void ref_place(const fv_ref *r)
{
    const place_attrs *const a = r->attrs;
    copy(r, a->axis, 0, a->first, r->in_shape[0].dim[a->axis]);
}

static fv_status lower_place(fv_lower *l)
{
    const place_attrs *const a = l->attrs;
    return lower_copy(l, a->axis, 0, a->first, l->in_shape[0].dim[a->axis]);
}

static const fv_case cases_place[] = {
    {17, {{2, {3, 1}}}, "total=5"},
    {16, {{2, {17, 64}}}, "first=1 total=65"},
    {3, {{2, {2, 3}}}, "first=2 total=7"},
    {17, {{3, {3, 3, 4}}}, "first=1 total=5 axis=0"},
    {2, {{4, {2, 3, 4, 2}}}, "total=5 axis=3"},
};

const fv_op fv_op_slice_dx = {
    .name = "slice_dx",
    .family = "slice",
    .part = FV_PART_DATA,
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .no_gradient = true,
    .attr_bytes = sizeof(place_attrs),
    .attrs = specs_place,
    .n_attrs = sizeof specs_place / sizeof *specs_place,
    .infer = infer_place,
    .ref = ref_place,
    .lower = lower_place,
    .cost = fv__map_cost,
    .cases = cases_place,
    .n_cases = sizeof cases_place / sizeof *cases_place,
};
