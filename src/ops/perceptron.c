/* perceptron.c - the loss whose gradient is the perceptron's learning rule (Rosenblatt, 1958).
 *
 *   loss = weight * sum over j of max(0, -y_j p_j),  y_j = 2 t_j - 1
 *   dp_j = weight * image_weight * -y_j where y_j p_j <= 0, else 0
 *
 * t is 0 or 1, so y is -1 or 1. A sample on the boundary counts as wrong: weights of 0 could not be left
 * otherwise. Of several outputs and a class number, each output is told apart from all others. */
#include "ops/distances.h"

static double value(double p, double t, double delta)
{
    (void)delta;
    const double missing = -(2 * t - 1) * p;
    return missing > 0 ? missing : 0;
}

static double slope(double p, double t, double delta)
{
    (void)delta;
    return (2 * t - 1) * p <= 0 ? 1 - 2 * t : 0;
}

static double kinked(double p, double t, double delta)
{
    (void)delta;
    return p * (2 * t - 1);
}

static uint64_t side(const fv_ref *r)
{
    return fv__distance_side(r, kinked);
}

static fv_status grad(fv_grad *g)
{
    return fv__loss_grad(g, &fv_op_perceptron_dx);
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
    return fv__distance_lower(l, FV_DISTANCE_PERCEPTRON);
}

static fv_status lower_dx(fv_lower *l)
{
    return fv__distance_lower_dx(l, FV_DISTANCE_PERCEPTRON);
}

const fv_op fv_op_perceptron = {
    .name = "perceptron",
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
    .side = side,
    .lower = lower,
    .cost = fv__distance_cost,
    .cases = fv__distance_cases,
    .n_cases = sizeof fv__distance_cases / sizeof *fv__distance_cases,
};

const fv_op fv_op_perceptron_dx = {
    .name = "perceptron_dx",
    .family = "perceptron",
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
