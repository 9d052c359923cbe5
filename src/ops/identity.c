/* identity.c - y = x: a layer that does nothing, and what dropout becomes where nobody trains. */
#include "ops/layer_shapes.h"
#include "ops/unary.h"

static fv_status grad(fv_grad *g)
{
    g->dx[0] = g->dy;
    return FV_OK;
}

static double f(double x, const void *attrs)
{
    (void)attrs;
    return x;
}

static void ref(const fv_ref *r)
{
    fv__unary_ref(r, f);
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
