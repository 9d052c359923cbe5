/* gelu.c - x times the share of the normal distribution below it (Hendrycks and Gimpel 2016).
 *
 *   y = x P(x),   P(x) = (1 + erf(x / sqrt(2))) / 2
 *   dx = dy (P(x) + x p(x)),   p(x) = exp(-x^2 / 2) / sqrt(2 pi) */
#include "ops/layer_shapes.h"
#include "ops/unary.h"

#include <math.h>

static fv_status grad(fv_grad *g)
{
    return fv__unary_grad(g, &fv_op_gelu_dx, false);
}

static double below(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752440);
}

static double f(double x, const void *attrs)
{
    (void)attrs;
    return x * below(x);
}

static void ref(const fv_ref *r)
{
    fv__unary_ref(r, f);
}

static double slope(double x, const void *attrs)
{
    (void)attrs;
    return below(x) + x * exp(-0.5 * x * x) * 0.39894228040143267794;
}

static void ref_dx(const fv_ref *r)
{
    fv__unary_dx_ref(r, slope);
}

static fv_status lower(fv_lower *l)
{
    return fv__unary_lower(l, FV_UNARY_GELU, 0.0f, 0.0f);
}

static const fv_layer_kind layers[] = {
    {.word = "gelu", .help = "x times the share of the normal distribution below x", .op = &fv_op_gelu},
};

const fv_op fv_op_gelu = {
    .name = "gelu",
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

/* Inputs: dy, x. */
const fv_op fv_op_gelu_dx = {
    .name = "gelu_dx",
    .family = "gelu",
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
