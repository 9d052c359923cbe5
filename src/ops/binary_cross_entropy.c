/* binary_cross_entropy.c - the log-loss of one logistic output, sigmoid fused in, and its gradient.
 *
 *   loss = -y log s(z) - (1 - y) log(1 - s(z)) = max(z, 0) - z y + log(1 + exp(-|z|))
 *   dz   = (s(z) - y) * image_weight,  s(z) = 1 / (1 + exp(-z))
 *
 * y is the label, 0 or 1. The second form never takes the log of a rounded zero. */
#include "ops/class_shapes.h"

#include <math.h>

static fv_status infer(fv_infer *q)
{
    FV_TRY(fv__loss_infer(q));
    if (q->input[0]->shape.dim[0] != 1)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: binary cross-entropy expected one output, found %d",
                        q->what, q->input[0]->shape.dim[0]);
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    return fv__loss_grad(g, &fv_op_binary_cross_entropy_dx);
}

static void ref(const fv_ref *r)
{
    for (int image = 0; image < r->n; image++) {
        const double z = r->in[0][image], y = r->in[1][image];
        r->out[image] = (z > 0 ? z : 0) - z * y + log1p(exp(-fabs(z)));
    }
}

static fv_status lower(fv_lower *l)
{
    return fv__classes_lower(l, FV_KERNEL_binary_cross_entropy);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in, (void)out;
    return (fv_cost){7, 12};
}

static const fv_case cases[] = {
    {17, {{1, {1}}, {1, {1}}}, ""},
    {1, {{1, {1}}, {1, {1}}}, ""},
    {48, {{1, {1}}, {1, {1}}}, ""},
};

const fv_op fv_op_binary_cross_entropy = {
    .name = "binary_cross_entropy",
    .part = FV_PART_LOSS,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .target = FV_TARGET_BITS,
    .infer = infer,
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
    for (int image = 0; image < r->n; image++)
        r->out[image] = (fv__ref_rounded(r, 1 / (1 + exp(-r->in[0][image]))) - r->in[1][image]) / r->n;
}

static fv_status lower_dx(fv_lower *l)
{
    return fv__classes_lower(l, FV_KERNEL_binary_cross_entropy_dx);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in, (void)out;
    return (fv_cost){6, 12};
}

const fv_op fv_op_binary_cross_entropy_dx = {
    .name = "binary_cross_entropy_dx",
    .family = "binary_cross_entropy",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .target = FV_TARGET_BITS,
    .in_place = 1,
    .no_gradient = true,
    .infer = infer,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};
