/* squared_error.c - the squared distance of values from their targets, and its gradient.
 *
 *   loss = weight * sum over j of (p_j - t_j)^2
 *   dp_j = weight * image_weight * 2 (p_j - t_j)
 *
 * Of a class number it is the squared distance of the probabilities from the true ones (distances.h). */
#include "ops/distances.h"

static double value(double p, double t, double delta)
{
    (void)delta;
    return (p - t) * (p - t);
}

static double slope(double p, double t, double delta)
{
    (void)delta;
    return 2 * (p - t);
}

static fv_status grad(fv_grad *g)
{
    return fv__loss_grad(g, &fv_op_squared_error_dx);
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
    return fv__distance_lower(l, FV_DISTANCE_SQUARED);
}

static fv_status lower_dx(fv_lower *l)
{
    return fv__distance_lower_dx(l, FV_DISTANCE_SQUARED);
}

const fv_op fv_op_squared_error = {
    .name = "squared_error",
    .part = FV_PART_LOSS,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .target = FV_TARGET_VALUES,
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

const fv_op fv_op_squared_error_dx = {
    .name = "squared_error_dx",
    .family = "squared_error",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .target = FV_TARGET_VALUES,
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
