/* standardise.c - subtracts the training set's mean and divides by its standard deviation, per channel.
 *
 *   y[c][h][w] = (x[c][h][w] - mean[c]) inv_std[c]
 *
 * It stands before all learned parameters, and x is the input, so it needs no gradient. */
#include "plan/lower.h"
#include "ops/layer_shapes.h"
#include "ops/ops.h"

static fv_status infer(fv_infer *q)
{
    FV_TRY(fv__expect_per_channel(q, 1));
    FV_TRY(fv__expect_per_channel(q, 2));
    q->out = q->input[0]->shape;
    return FV_OK;
}

static void ref(const fv_ref *r)
{
    const int64_t c = r->out_shape.dim[0], pixels = fv__shape_count(r->out_shape) / c;
    for (int64_t plane = 0; plane < r->n * c; plane++)
        for (int64_t i = plane * pixels; i < (plane + 1) * pixels; i++)
            r->out[i] = (r->in[0][i] - r->in[1][plane % c]) * r->in[2][plane % c];
}

static fv_status lower(fv_lower *l)
{
    const int c = l->out_shape.dim[0];
    const fv_plane_args args = {c, fv__shape_count(l->out_shape) / c};
    return fv__lower_simple(l, FV_KERNEL_standardise, &args, sizeof args);
}

static fv_status lower_c16(fv_lower *l)
{
    const fv_chw image = fv__shape_chw(l->out_shape);
    const fv_gather_args args = {image.c, image.h, image.w};
    const fv_step_spec s = {.kernel = FV_KERNEL_standardise_c16,
                            .domain = FV_PER_RANGE,
                            .args = fv__lower_args(l, &args, sizeof args),
                            .n_operands = 4,
                            .operand = {l->out, l->in[0], l->in[1], l->in[2]},
                            .access = {FV_WRITE, FV_READ, FV_READ, FV_READ},
                            .units = image.h,
                            .grain = 32,
                            .of_images = true,
                            .flops = 2.0 * image.c * image.h * image.w,
                            .bytes = 8.0 * image.c * image.h * image.w};
    return fv__lower_step(l, &s);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in;
    const double n = (double)fv__shape_count(out);
    return (fv_cost){2 * n, 8 * n};
}

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}, {1, {3}}, {1, {3}}}, ""},    {16, {{3, {5, 4, 4}}, {1, {5}}, {1, {5}}}, ""},
    {15, {{3, {17, 1, 3}}, {1, {17}}, {1, {17}}}, ""}, {1, {{3, {1, 1, 1}}, {1, {1}}, {1, {1}}}, ""},
    {17, {{1, {17}}, {1, {17}}, {1, {17}}}, ""},
};

const fv_op fv_op_standardise = {
    .name = "standardise",
    .n_inputs = 3,
    .role = {FV_ROLE_VALUE, FV_ROLE_STATISTIC, FV_ROLE_STATISTIC},
    .in_place = 1,
    .cheap = true,
    .infer = infer,
    .no_gradient = true,
    .ref = ref,
    .lower = lower,
    .lower_c16 = lower_c16,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};
