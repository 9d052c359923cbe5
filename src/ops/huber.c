/* huber.c - squared error near the target, absolute error far from it (Huber, 1964), and its gradient.
 *
 *   loss = weight * sum over j of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2),  d = p_j - t_j
 *   dp_j = weight * image_weight * d, held within -delta and delta
 *
 * As PyTorch's HuberLoss has it. */
#include "ops/distances.h"

#include <math.h>

static double value(double p, double t, double delta)
{
    const double d = fabs(p - t);
    return d <= delta ? d * d / 2 : delta * (d - delta / 2);
}

static double slope(double p, double t, double delta)
{
    const double d = p - t;
    return d > delta ? delta : d < -delta ? -delta : d;
}

static double kinked(double p, double t, double delta)
{
    return fabs(p - t) - delta;
}

static uint64_t side(const fv_ref *r)
{
    return fv__distance_side(r, kinked);
}

static fv_status grad(fv_grad *g)
{
    return fv__loss_grad(g, &fv_op_huber_dx);
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
    return fv__distance_lower(l, FV_DISTANCE_HUBER);
}

static fv_status lower_dx(fv_lower *l)
{
    return fv__distance_lower_dx(l, FV_DISTANCE_HUBER);
}

const fv_op fv_op_huber = {
    .name = "huber",
    .part = FV_PART_LOSS,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .target = FV_TARGET_VALUES,
    .attr_bytes = sizeof(fv_distance_attrs),
    .attrs = fv__distance_specs,
    .n_attrs = 2,
    .infer = fv__distance_infer,
    .grad = grad,
    .ref = ref,
    .side = side,
    .lower = lower,
    .cost = fv__distance_cost,
    .cases = fv__distance_cases,
    .n_cases = sizeof fv__distance_cases / sizeof *fv__distance_cases,
};

const fv_op fv_op_huber_dx = {
    .name = "huber_dx",
    .family = "huber",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .target = FV_TARGET_VALUES,
    .attr_bytes = sizeof(fv_distance_attrs),
    .attrs = fv__distance_specs,
    .n_attrs = 2,
    .in_place = 1,
    .no_gradient = true,
    .infer = fv__distance_infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = fv__distance_cost,
    .cases = fv__distance_cases,
    .n_cases = sizeof fv__distance_cases / sizeof *fv__distance_cases,
};
