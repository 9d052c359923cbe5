/* batchnorm_inference.c - batch normalisation in inference, with the running statistics.
 *
 *   y = gamma * (x - running mean) / sqrt(running variance + eps) + beta       per channel
 *
 * Replaces batchnorm in a graph for inference. It has no gradient. */
#include "ops/batchnorm.h"
#include "ops/conv_c16.h"

#include <math.h>

static fv_status infer(fv_infer *q)
{
    for (int i = 1; i < 5; i++)
        FV_TRY(fv__batchnorm_expect(q, i, q->input[0]->shape.dim[0], 0));
    q->out = q->input[0]->shape;
    return FV_OK;
}

static void ref(const fv_ref *r)
{
    const int64_t c = r->out_shape.dim[0], pixels = fv__shape_count(r->out_shape) / c;
    for (int64_t plane = 0; plane < r->n * c; plane++)
        for (int64_t i = plane * pixels, k = plane % c; i < (plane + 1) * pixels; i++)
            r->out[i] = r->in[3][k] * (r->in[0][i] - r->in[1][k]) / sqrt(r->in[2][k] + FV_BATCHNORM_EPS) +
                        r->in[4][k];
}

static fv_status lower(fv_lower *l)
{
    const fv_plane_args args = fv__batchnorm_planes(l->out_shape);
    return fv__lower_simple(l, FV_KERNEL_batchnorm_inference, &args, sizeof args);
}

static fv_status lower_c16(fv_lower *l)
{
    const fv_plane_args planes = fv__batchnorm_planes(l->out_shape);
    const fv_fused fused = {.affine = true, .norm = {l->in[1], l->in[2], l->in[3], l->in[4]}, .residual = -1};
    return fv__c16_lower_finish(l, &fused, planes.channels, planes.pixels);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in;
    const double n = (double)fv__shape_count(out);
    return (fv_cost){3 * n, 8 * n};
}

#define FV_CASE_OF(n, c, ...)                                                                                \
    {                                                                                                        \
        n, {__VA_ARGS__, {1, {c}}, {1, {c}}, {1, {c}}, {1, {c}}}, ""                                         \
    }
static const fv_case cases[] = {
    FV_CASE_OF(17, 3, {3, {3, 5, 7}}),
    FV_CASE_OF(16, 5, {3, {5, 4, 4}}),
    FV_CASE_OF(1, 1, {3, {1, 1, 1}}),
    FV_CASE_OF(17, 17, {1, {17}}),
};

const fv_op fv_op_batchnorm_inference = {
    .name = "batchnorm_inference",
    .family = "batchnorm",
    .finish = FV_FINISH_AFFINE,
    .n_inputs = 5,
    .in_place = 1,
    .no_gradient = true,
    .role = {FV_ROLE_VALUE, FV_ROLE_STATISTIC, FV_ROLE_STATISTIC, FV_ROLE_PARAMETER, FV_ROLE_PARAMETER},
    .infer = infer,
    .ref = ref,
    .lower = lower,
    .lower_c16 = lower_c16,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};
