/* cross_entropy.c - minus the log of the true class's probability, softmax fused in, and its gradient.
 *
 *   loss = -log softmax(z)_t = log(sum over j of exp(z_j - m)) + (m - z_t),  m = max over j of z_j
 *   dz_j = (softmax(z)_j - [j = t]) * image_weight
 *
 * t is the label. Fused, nothing is lost where a probability underflows: the loss stays finite. */
#include "ops/class_shapes.h"

#include <math.h>

/* exp(z_j - m) into e, which may be NULL; returns their sum, and m. */
static double exponentials(const double *z, int n, double *e, double *largest)
{
    double m = z[0], sum = 0;
    for (int j = 1; j < n; j++)
        m = z[j] > m ? z[j] : m;
    for (int j = 0; j < n; j++) {
        const double value = exp(z[j] - m);
        sum += value;
        if (e)
            e[j] = value;
    }
    *largest = m;
    return sum;
}

static fv_status grad(fv_grad *g)
{
    return fv__loss_grad(g, &fv_op_cross_entropy_dx);
}

static void ref(const fv_ref *r)
{
    const int n = r->in_shape[0].dim[0];
    for (int image = 0; image < r->n; image++) {
        const double *z = r->in[0] + (int64_t)image * n;
        double m;
        const double sum = exponentials(z, n, NULL, &m);
        r->out[image] = log(sum) + (m - z[(int)r->in[1][image]]);
    }
}

static fv_status lower(fv_lower *l)
{
    return fv__classes_lower(l, FV_KERNEL_cross_entropy);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)out;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){4 * n, 4 * n + 8};
}

static const fv_case cases[] = {
    {17, {{1, {10}}, {1, {1}}}, ""}, {1, {{1, {1}}, {1, {1}}}, ""},   {16, {{1, {2}}, {1, {1}}}, ""},
    {15, {{1, {3}}, {1, {1}}}, ""},  {3, {{1, {257}}, {1, {1}}}, ""},
};

const fv_op fv_op_cross_entropy = {
    .name = "cross_entropy",
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

/* ---- the gradient: inputs z, label ---------------------------------------------------------------- */

static void ref_dx(const fv_ref *r)
{
    const int n = r->in_shape[0].dim[0];
    for (int image = 0; image < r->n; image++) {
        const int label = (int)r->in[1][image];
        double *dz = r->out + (int64_t)image * n, m;
        const double sum = exponentials(r->in[0] + (int64_t)image * n, n, dz, &m);
        for (int j = 0; j < n; j++)
            dz[j] = (fv__ref_rounded(r, dz[j] / sum) - (j == label ? 1 : 0)) / r->n;
    }
}

static fv_status lower_dx(fv_lower *l)
{
    return fv__classes_lower(l, FV_KERNEL_cross_entropy_dx);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in;
    const double n = (double)fv__shape_count(out);
    return (fv_cost){7 * n, 4 * 2 * n + 4};
}

const fv_op fv_op_cross_entropy_dx = {
    .name = "cross_entropy_dx",
    .family = "cross_entropy",
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
