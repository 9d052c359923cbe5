/* sigmoid.c - the logistic function.
 *
 *   y = 1 / (1 + exp(-x))
 *   dx = dy y (1 - y) */
#include "ops/layer_shapes.h"
#include "ops/unary.h"

#include <math.h>

static fv_status grad(fv_grad *g)
{
    return fv__unary_grad(g, &fv_op_sigmoid_dx, true);
}

static double f(double x, const void *attrs)
{
    (void)attrs;
    return 1 / (1 + exp(-x));
}

static void ref(const fv_ref *r)
{
    fv__unary_ref(r, f);
}

static double slope(double y, const void *attrs)
{
    (void)attrs;
    return y * (1 - y);
}

static void ref_dx(const fv_ref *r)
{
    fv__unary_dx_ref(r, slope);
}

static fv_status lower(fv_lower *l)
{
    return fv__unary_lower(l, FV_UNARY_SIGMOID, 0.0f, 0.0f);
}

static const fv_layer_kind layers[] = {
    {.word = "sigmoid", .help = "1 / (1 + exp(-x))", .op = &fv_op_sigmoid},
};

const fv_op fv_op_sigmoid = {
    .name = "sigmoid",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .in_place = 1,
    .by_channel = true,
    .infer = fv__unary_infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = fv__unary_cost,
    .cases = fv__unary_cases,
    .n_cases = FV_N_UNARY_CASES,
    FV_LAYERS(layers),
};

/* Inputs: dy, y. */
const fv_op fv_op_sigmoid_dx = {
    .name = "sigmoid_dx",
    .family = "sigmoid",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .in_place = 1,
    .no_gradient = true,
    .infer = fv__unary_infer,
    .ref = ref_dx,
    .lower = lower,
    .cost = fv__unary_cost,
    .cases = fv__binary_cases,
    .n_cases = FV_N_BINARY_CASES,
};
