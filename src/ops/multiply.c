/* multiply.c - y = a b, element by element: one layer is the gate of another. da = dy b, db = dy a. */
#include "ops/layer_shapes.h"
#include "ops/unary.h"

static fv_status grad(fv_grad *g)
{
    for (int i = 0; i < 2; i++)
        if (g->wanted[i])
            FV_TRY(fv__grad_node(g, &fv_op_multiply, i == 0 ? "dx" : "dother", NULL, 2,
                                 (int[]){g->dy, g->node->input[1 - i]}, FV_ROLE_VALUE, -1, &g->dx[i]));
    return FV_OK;
}

static void ref(const fv_ref *r)
{
    const int64_t n = r->n * fv__shape_count(r->out_shape);
    for (int64_t i = 0; i < n; i++)
        r->out[i] = r->in[0][i] * r->in[1][i];
}

static fv_status lower(fv_lower *l)
{
    const fv_unary_args args = {.n = fv__shape_count(l->out_shape)};
    return fv__lower_simple(l, FV_KERNEL_multiply, &args, sizeof args);
}

static const fv_layer_kind layers[] = {{
    .word = "multiply",
    .help = "the product of two layers, value by value",
    .op = &fv_op_multiply,
    .slot = {{FV_SLOT_LAYER, "LAYER"}},
}};

const fv_op fv_op_multiply = {
    .name = "multiply",
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
