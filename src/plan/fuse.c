/* fuse.c - second pass: what follows a convolution, a linear layer or a batch normalisation is done by the
 * same step.
 *
 *   conv2d or linear [+ relu]    ->   y = max(0, sum + b)
 *   batchnorm [+ add] [+ relu]   ->   y = max(0, gamma * (x - mean) * inv_std + beta + r)
 *
 * each part where it is there, and where nobody else reads what lies between: then that is never in memory.
 * The kernel takes the same operations in the same order, so the bits stay. */
#include "plan/passes.h"

/* The only step that reads the buffer; -1: none, or several, or it is asked for afterwards. */
static int only_reader(const fv_plan *plan, int buffer)
{
    int reader = -1;
    if (fv__plan_keeps(plan, buffer))
        return -1;
    for (int s = 0; s < (int)plan->n_steps; s++)
        for (int k = 0; k < plan->steps[s].spec.n_operands; k++) {
            if (plan->steps[s].spec.access[k] == FV_WRITE ||
                fv__plan_root(plan, plan->steps[s].spec.operand[k]) != buffer)
                continue;
            if (reader >= 0 || plan->steps[s].spec.operand[k] != buffer) /* again, or under another shape */
                return -1;
            reader = s;
        }
    return reader;
}

static bool is_relu(const fv_step_spec *spec)
{
    return spec->kernel == FV_KERNEL_unary && ((const fv_unary_args *)spec->args)->function == FV_UNARY_RELU;
}

/* Kernels that can make outputs below 0 to 0 as they store them. */
static bool can_relu(const fv_step_spec *spec)
{
    return spec->kernel == FV_KERNEL_batchnorm || spec->kernel == FV_KERNEL_conv ||
           spec->kernel == FV_KERNEL_winograd || spec->kernel == FV_KERNEL_matmul;
}

/* Step s moves to the place of `reader` and does what that did. Returns whether it can. */
static bool absorb(fv_plan *plan, int s, int reader)
{
    const fv_step first = plan->steps[s], next = plan->steps[reader];
    fv_step fused = first;
    if (next.spec.domain != FV_PER_BLOCK || first.spec.relu)
        return false;
    if (next.spec.kernel == FV_KERNEL_add && first.spec.kernel == FV_KERNEL_batchnorm &&
        first.spec.n_operands == 5) {
        const int other = next.spec.operand[1] == first.spec.operand[0] ? 2 : 1;
        fused.spec.operand[5] = next.spec.operand[other];
        fused.spec.access[5] = FV_READ;
        fused.spec.n_operands = 6;
        fused.spec.bytes += next.spec.bytes / 3;
        fused.over |= 1u << 5;
    } else if (is_relu(&next.spec)) {
        fused.spec.relu = true;
    } else {
        return false;
    }
    fused.spec.operand[0] = next.spec.operand[0];
    fused.spec.flops += next.spec.flops;
    plan->steps[reader] = fused;
    plan->steps[s].spec.n_operands = 0; /* to be left out */
    return true;
}

fv_status fv__plan_fuse(fv_plan *plan)
{
    size_t n = 0;
    if (plan->options.unfused)
        return FV_OK;
    for (int s = 0; s < (int)plan->n_steps; s++) {
        const fv_step_spec *const spec = &plan->steps[s].spec;
        if (!can_relu(spec))
            continue;
        for (int at = s, next; (next = only_reader(plan, plan->steps[at].spec.operand[0])) >= 0; at = next)
            if (!absorb(plan, at, next))
                break;
    }
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].spec.n_operands > 0)
            plan->steps[n++] = plan->steps[s];
    plan->n_steps = n;
    return FV_OK;
}
