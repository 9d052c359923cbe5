/* fuse.c - second pass: what follows a batch normalisation is done by the same step.
 *
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

/* Step s, a batch normalisation, moves to the place of `reader` and does what that did. Returns whether. */
static bool absorb(fv_plan *plan, int s, int reader, fv_norm_args *args)
{
    fv_step_spec *const norm = &plan->steps[s].spec, *const next = &plan->steps[reader].spec;
    const bool is_sum = next->kernel == FV_KERNEL_add && norm->n_operands == 5 && !args->relu;
    if (next->domain != FV_PER_BLOCK || !(is_sum || (is_relu(next) && !args->relu)))
        return false;
    fv_step_spec fused = *norm;
    if (is_sum) {
        const int other = next->operand[1] == norm->operand[0] ? 2 : 1;
        fused.operand[5] = next->operand[other];
        fused.access[5] = FV_READ;
        fused.n_operands = 6;
        fused.bytes += next->bytes / 3;
        plan->steps[s].over |= 1u << 5;
    } else {
        args->relu = true;
    }
    fused.operand[0] = next->operand[0];
    fused.flops += next->flops;
    plan->steps[reader].spec = fused;
    plan->steps[reader].over = plan->steps[s].over;
    plan->steps[s].spec.n_operands = 0; /* to be left out */
    return true;
}

/* Everything behind step s that fits. */
static fv_status fuse_behind(fv_plan *plan, int s)
{
    fv_norm_args *const args = fv__arena_alloc(&plan->arena, 1, sizeof *args);
    if (!args)
        return FV_ERR_MEMORY;
    *args = *(const fv_norm_args *)plan->steps[s].spec.args;
    plan->steps[s].spec.args = args;
    for (int next; (next = only_reader(plan, plan->steps[s].spec.operand[0])) >= 0; s = next)
        if (!absorb(plan, s, next, args))
            break;
    return FV_OK;
}

fv_status fv__plan_fuse(fv_plan *plan)
{
    size_t n = 0;
    if (plan->options.unfused)
        return FV_OK;
    for (int s = 0; s < (int)plan->n_steps; s++) {
        const fv_step_spec *const spec = &plan->steps[s].spec;
        if (spec->kernel == FV_KERNEL_batchnorm && spec->domain == FV_PER_BLOCK && spec->n_operands == 5)
            FV_TRY(fuse_behind(plan, s));
    }
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].spec.n_operands > 0)
            plan->steps[n++] = plan->steps[s];
    plan->n_steps = n;
    return FV_OK;
}
