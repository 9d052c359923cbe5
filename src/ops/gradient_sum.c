/* gradient_sum.c - y = a + b: the sum of two gradients of one parameter, which two nodes read. */
#include "ops/ops.h"
#include "plan/lower.h"

static fv_status infer(fv_infer *q)
{
    char expected[FV_SHAPE_TEXT], found[FV_SHAPE_TEXT];
    if (!fv__shape_equal(q->input[0]->shape, q->input[1]->shape))
        return fv__fail(q->ctx, FV_ERR_INTERNAL, "%s: expected two gradients of shape %s, found %s", q->what,
                        fv__shape_text(q->input[0]->shape, expected),
                        fv__shape_text(q->input[1]->shape, found));
    q->out = q->input[0]->shape;
    return FV_OK;
}

static void ref(const fv_ref *r)
{
    for (int64_t i = 0; i < fv__shape_count(r->out_shape); i++)
        r->out[i] = r->in[0][i] + r->in[1][i];
}

/* Its inputs are sums over the runs of an update already, so every run overwrites the output. */
static fv_status lower(fv_lower *l)
{
    const int64_t n = fv__shape_count(l->out_shape);
    const fv_unary_args args = {.n = n};
    const fv_step_spec spec = {.kernel = FV_KERNEL_gradient_sum,
                               .domain = FV_PER_RANGE,
                               .args = fv__lower_args(l, &args, sizeof args),
                               .n_operands = 3,
                               .operand = {l->out, l->in[0], l->in[1]},
                               .access = {FV_WRITE, FV_READ, FV_READ},
                               .units = n,
                               .grain = 8192,
                               .checked_floats = 1,
                               .of_images = true,
                               .flops = (double)n,
                               .bytes = 12 * (double)n};
    return fv__lower_step(l, &spec);
}

/* Runs once per batch. */
static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in, (void)out;
    return (fv_cost){0};
}

static const fv_case cases[] = {
    {1, {{1, {1}}, {1, {1}}}, ""},
    {1, {{1, {17}}, {1, {17}}}, ""},
    {17, {{4, {5, 3, 3, 3}}, {4, {5, 3, 3, 3}}}, ""},
};

const fv_op fv_op_gradient_sum = {
    .name = "gradient_sum",
    .family = "add",
    .part = FV_PART_WEIGHTS,
    .out = FV_ROLE_GRADIENT,
    .n_inputs = 2,
    .role = {FV_ROLE_GRADIENT, FV_ROLE_GRADIENT},
    .no_gradient = true,
    .infer = infer,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};
