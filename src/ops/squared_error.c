/* squared_error.c - the squared distance of the probabilities from the true class's, and its gradient.
 *
 *   loss = sum over j of (p_j - [j = t])^2
 *   dp_j = 2 (p_j - [j = t]) * image_weight
 *
 * t is the label. */
#include "ops/class_shapes.h"

static fv_status grad(fv_grad *g)
{
    return fv__loss_grad(g, &fv_op_squared_error_dx);
}

static void ref(const fv_ref *r)
{
    const int n = r->in_shape[0].dim[0];
    for (int image = 0; image < r->n; image++) {
        const double *p = r->in[0] + (int64_t)image * n;
        const int label = (int)r->in[1][image];
        double sum = 0;
        for (int j = 0; j < n; j++) {
            const double difference = p[j] - (j == label ? 1 : 0);
            sum += difference * difference;
        }
        r->out[image] = sum;
    }
}

static fv_status lower(fv_lower *l)
{
    return fv__classes_lower(l, FV_KERNEL_squared_error);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)out;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){3 * n, 4 * n + 8};
}

static const fv_case cases[] = {
    {17, {{1, {10}}, {1, {1}}}, ""},
    {1, {{1, {1}}, {1, {1}}}, ""},
    {16, {{1, {2}}, {1, {1}}}, ""},
    {3, {{1, {257}}, {1, {1}}}, ""},
};

const fv_op fv_op_squared_error = {
    .name = "squared_error",
    .part = FV_PART_LOSS,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .target = FV_TARGET_CLASS,
    .infer = fv__loss_infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};

/* ---- the gradient: inputs p, label ---------------------------------------------------------------- */

static void ref_dx(const fv_ref *r)
{
    const int n = r->in_shape[0].dim[0];
    for (int image = 0; image < r->n; image++) {
        const double *p = r->in[0] + (int64_t)image * n;
        double *dp = r->out + (int64_t)image * n;
        const int label = (int)r->in[1][image];
        for (int j = 0; j < n; j++)
            dp[j] = 2 * (p[j] - (j == label ? 1 : 0)) / r->n;
    }
}

static fv_status lower_dx(fv_lower *l)
{
    return fv__classes_lower(l, FV_KERNEL_squared_error_dx);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in;
    const double n = (double)fv__shape_count(out);
    return (fv_cost){2 * n, 4 * 2 * n + 4};
}

const fv_op fv_op_squared_error_dx = {
    .name = "squared_error_dx",
    .family = "squared_error",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .target = FV_TARGET_CLASS,
    .in_place = 1,
    .no_gradient = true,
    .infer = fv__loss_infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};
