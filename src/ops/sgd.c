/* sgd.c - stochastic gradient descent with momentum and weight decay, as PyTorch has it.
 *
 *   g += weight_decay p (parameters that decay);  v = momentum v + g;  p -= lr v
 *
 * Inputs: parameter p, gradient g, state v. It changes p and v where they are; the output, a state of the
 * parameter's shape, holds nothing and only gives the node a place in the graph. The learning rate, momentum
 * and weight decay come with the run (fv_batch), not with the graph, so the reference takes no step: it
 * copies v. */
#include "plan/lower.h"
#include "ops/ops.h"

#include <string.h>

static fv_status infer(fv_infer *q)
{
    const fv_shape p = q->input[0]->shape;
    char expected[FV_SHAPE_TEXT], found[FV_SHAPE_TEXT];
    for (int i = 1; i < 3; i++)
        if (!fv__shape_equal(p, q->input[i]->shape))
            return fv__fail(q->ctx, FV_ERR_INTERNAL, "%s: '%s' has shape %s; expected %s, that of '%s'",
                            q->what, q->input[i]->name, fv__shape_text(q->input[i]->shape, found),
                            fv__shape_text(p, expected), q->input[0]->name);
    q->out = p;
    return FV_OK;
}

static void ref(const fv_ref *r)
{
    memcpy(r->out, r->in[2], (size_t)fv__shape_count(r->out_shape) * sizeof *r->out);
}

static fv_status lower(fv_lower *l)
{
    const double n = (double)fv__shape_count(l->out_shape);
    const fv_sgd_args args = {l->decays};
    fv_step_spec spec = {.kernel = FV_KERNEL_sgd,
                         .domain = FV_PER_RANGE,
                         .args = fv__lower_args(l, &args, sizeof args),
                         .n_operands = 3,
                         .operand = {l->in[0], l->in[1], l->in[2]},
                         .access = {FV_UPDATE, FV_READ, FV_UPDATE},
                         .units = fv__shape_count(l->out_shape),
                         .grain = 8192,
                         .flops = 6 * n,
                         .bytes = 20 * n};
    return fv__lower_step(l, &spec);
}

/* Once a batch, whatever its size: next to nothing per image. */
static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in, (void)out;
    return (fv_cost){0};
}

static const fv_case cases[] = {
    {1, {{1, {1}}, {1, {1}}, {1, {1}}}, ""},
    {1, {{1, {17}}, {1, {17}}, {1, {17}}}, ""},
    {1, {{4, {5, 3, 3, 3}}, {4, {5, 3, 3, 3}}, {4, {5, 3, 3, 3}}}, ""},
};

const fv_op fv_op_sgd = {
    .name = "sgd",
    .part = FV_PART_UPDATE,
    .out = FV_ROLE_STATE,
    .n_inputs = 3,
    .role = {FV_ROLE_PARAMETER, FV_ROLE_GRADIENT, FV_ROLE_STATE},
    .no_gradient = true,
    .infer = infer,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};
