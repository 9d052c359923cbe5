/* binary_cross_entropy.c - the log-loss of one or many logistic outputs, sigmoid fused in, and its gradient.
 *
 *   loss = weight * sum over j of -t log s(z) - (1 - t) log(1 - s(z)) = max(z, 0) - z t + log(1 + exp(-|z|)),
 * z = p_j dp_j = weight * image_weight * (s(z) - t),  s(z) = 1 / (1 + exp(-z))
 *
 * t is 0 or 1: of each output by itself. The second form never takes the log of a rounded zero. */
#include "ops/distances.h"

#include <math.h>

static double value(double p, double t, double delta)
{
    (void)delta;
    return (p > 0 ? p : 0) - p * t + log1p(exp(-fabs(p)));
}

static double slope(double p, double t, double delta)
{
    (void)delta;
    return 1 / (1 + exp(-p)) - t;
}

static fv_status grad(fv_grad *g)
{
    return fv__loss_grad(g, &fv_op_binary_cross_entropy_dx);
}

static void ref(const fv_ref *r)
{
    fv__distance_ref(r, value);
}

static void ref_dx(const fv_ref *r)
{
    fv__distance_ref_dx(r, slope);
}

static fv_status lower(fv_lower *l)
{
    return fv__distance_lower(l, FV_DISTANCE_LOGISTIC);
}

static fv_status lower_dx(fv_lower *l)
{
    return fv__distance_lower_dx(l, FV_DISTANCE_LOGISTIC);
}

const fv_op fv_op_binary_cross_entropy = {
    .name = "binary_cross_entropy",
    .part = FV_PART_LOSS,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .target = FV_TARGET_BITS,
    .attr_bytes = sizeof(fv_distance_attrs),
    .attrs = fv__distance_specs,
    .n_attrs = 1,
    .infer = fv__distance_infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = fv__distance_cost,
    .cases = fv__distance_cases,
    .n_cases = sizeof fv__distance_cases / sizeof *fv__distance_cases,
};

const fv_op fv_op_binary_cross_entropy_dx = {
    .name = "binary_cross_entropy_dx",
    .family = "binary_cross_entropy",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .target = FV_TARGET_BITS,
    .attr_bytes = sizeof(fv_distance_attrs),
    .attrs = fv__distance_specs,
    .n_attrs = 1,
    .in_place = 1,
    .no_gradient = true,
    .infer = fv__distance_infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = fv__distance_cost,
    .cases = fv__distance_cases,
    .n_cases = sizeof fv__distance_cases / sizeof *fv__distance_cases,
};
