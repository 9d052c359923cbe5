/* identity.c - y = x: a layer without effect, and the replacement of dropout in inference. */
#include "ops/layer_shapes.h"
#include "ops/unary.h"

static fv_status grad(fv_grad *g)
{
    g->dx[0] = g->dy;
    return FV_OK;
}

static void ref(const fv_ref *r)
{
    const int64_t n = r->n * fv__shape_count(r->out_shape);
    for (int64_t i = 0; i < n; i++)
        r->out[i] = r->in[0][i];
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in, (void)out;
    return (fv_cost){0};
}

static const fv_layer_kind layers[] = {
    {.word = "identity", .help = "the values as they are", .op = &fv_op_identity},
};

const fv_op fv_op_identity = {
    .name = "identity",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .is_view = true,
    .by_channel = true,
    .infer = fv__unary_infer,
    .grad = grad,
    .ref = ref,
    .cost = cost,
    .cases = fv__unary_cases,
    .n_cases = FV_N_UNARY_CASES,
    FV_LAYERS(layers),
};
