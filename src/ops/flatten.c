/* flatten.c - a tensor under another shape: flatten makes it a vector, reshape gives it the shape of its
 * attribute. The order of the values stays, so both are views. */
#include "ops/conv_c16.h"
#include "ops/layer_shapes.h"
#include "ops/ops.h"

#include <string.h>

typedef struct reshape_attrs {
    int rank, dim[FV_MAX_RANK]; /* the list of the attribute `shape` */
} reshape_attrs;

static fv_status infer(fv_infer *q)
{
    const int64_t n = fv__shape_count(q->input[0]->shape);
    char found[FV_SHAPE_TEXT];
    if (n > FV_MAX_DIM)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: %s has %lld values; expected at most %d in a vector",
                        q->what, fv__shape_text(q->input[0]->shape, found), (long long)n, FV_MAX_DIM);
    q->out = FV_SHAPE((int)n);
    return FV_OK;
}

fv_status fv__unflatten(fv_grad *g)
{
    const fv_shape shape = g->graph->tensors[g->node->input[0]].shape;
    reshape_attrs attrs = {.rank = shape.rank};
    memcpy(attrs.dim, shape.dim, sizeof attrs.dim);
    return fv__grad_node(g, &fv_op_reshape, "dx", &attrs, 1, &g->dy, FV_ROLE_VALUE, -1, &g->dx[0]);
}

static void ref(const fv_ref *r)
{
    const int64_t n = r->n * fv__shape_count(r->out_shape);
    memcpy(r->out, r->in[0], (size_t)n * sizeof *r->out);
}

static fv_status lower_c16(fv_lower *l)
{
    return fv__c16_lower_out(l, l->in_shape[0], 1);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in, (void)out;
    return (fv_cost){0};
}

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}}, ""}, {16, {{3, {5, 4, 4}}}, ""}, {15, {{3, {17, 1, 3}}}, ""},
    {1, {{3, {1, 1, 1}}}, ""},  {2, {{1, {17}}}, ""},       {3, {{2, {5, 9}}}, ""},
};

static const fv_layer_kind layers[] = {
    {.word = "flatten", .help = "all values as one vector", .op = &fv_op_flatten},
};

const fv_op fv_op_flatten = {
    .name = "flatten",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .is_view = true,
    .infer = infer,
    .grad = fv__unflatten,
    .ref = ref,
    .lower_c16 = lower_c16,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- reshape: the attributes contain the shape -------------------------------------------------- */

static const fv_attr_spec specs[] = {
    {.word = "shape",
     .type = FV_ATTR_LIST,
     .offset = offsetof(reshape_attrs, rank),
     .min = 1,
     .max = FV_MAX_DIM,
     .count = FV_MAX_RANK},
};

static fv_status infer_back(fv_infer *q)
{
    const reshape_attrs *a = q->attrs;
    char found[FV_SHAPE_TEXT], expected[FV_SHAPE_TEXT];
    fv_shape out = {.rank = a->rank};
    for (int i = 0; i < a->rank; i++)
        out.dim[i] = a->dim[i];
    FV_TRY(fv__shape_check(q->ctx, out, q->what));
    if (fv__shape_count(q->input[0]->shape) != fv__shape_count(out))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: %s does not hold the values of %s", q->what,
                        fv__shape_text(q->input[0]->shape, found), fv__shape_text(out, expected));
    q->out = out;
    return FV_OK;
}

static const fv_case cases_back[] = {
    {17, {{1, {105}}}, "shape=3x5x7"},     {16, {{1, {80}}}, "shape=5x4x4"},
    {15, {{1, {51}}}, "shape=17x1x3"},     {1, {{1, {1}}}, "shape=1x1x1"},
    {3, {{1, {24}}}, "shape=1x2x3x2x1x2"}, {17, {{3, {4, 3, 2}}}, "shape=2x6x2"},
    {2, {{2, {5, 9}}}, "shape=45"},
};

static const fv_layer_kind reshape_layers[] = {{
    .word = "reshape",
    .help = "the same values under another shape",
    .op = &fv_op_reshape,
    .slot = {{FV_SLOT_ATTR, "shape"}},
}};

const fv_op fv_op_reshape = {
    .name = "reshape",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .is_view = true,
    .attr_bytes = sizeof(reshape_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .infer = infer_back,
    .grad = fv__unflatten,
    .ref = ref,
    .cost = cost,
    .cases = cases_back,
    .n_cases = sizeof cases_back / sizeof *cases_back,
    FV_LAYERS(reshape_layers),
};
