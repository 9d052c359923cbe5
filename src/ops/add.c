/* add.c - y = a + b, element by element: the end of a residual connection. */
#include "ops/layer_shapes.h"
#include "ops/unary.h"

static fv_status grad(fv_grad *g)
{
    g->dx[0] = g->dx[1] = g->dy;
    return FV_OK;
}

static void ref(const fv_ref *r)
{
    const int64_t n = r->n * fv__shape_count(r->out_shape);
    for (int64_t i = 0; i < n; i++)
        r->out[i] = r->in[0][i] + r->in[1][i];
}

static fv_status lower(fv_lower *l)
{
    const fv_unary_args args = {.n = fv__shape_count(l->out_shape)};
    return fv__lower_simple(l, FV_KERNEL_add, &args, sizeof args);
}

static const fv_layer_kind layers[] = {{
    .word = "add",
    .help = "the sum of two layers",
    .op = &fv_op_add,
    .slot = {{FV_SLOT_LAYER, "LAYER"}},
}};

const fv_op fv_op_add = {
    .name = "add",
    .finish = FV_FINISH_RESIDUAL,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .in_place = 3,
    .cheap = true,
    .by_channel = true,
    .infer = fv__unary_infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = fv__unary_cost,
    .cases = fv__binary_cases,
    .n_cases = FV_N_BINARY_CASES,
    FV_LAYERS(layers),
};
