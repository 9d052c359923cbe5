/* fuse.c - second pass: what follows a convolution, a linear layer or a batch normalisation is done by the
 * same step.
 *
 *   conv2d or linear [+ relu]    ->   y = max(0, sum + b)
 *   batchnorm [+ add] [+ relu]   ->   y = max(0, gamma * (x - mean) * inv_std + beta + r)
 *
 * each part where it is there, and where nobody else reads what lies between: then that is never in memory.
 * The kernel takes the same operations in the same order, so the bits stay. */
#include "plan/passes.h"

/* Who reads a buffer. */
typedef struct readers {
    int n;        /* operands that are read */
    int step;     /* one of the steps */
    bool as_view; /* one reads it under another shape */
} readers;

/* [buffer]: by the buffer whose memory it is. */
static readers *find_readers(const fv_plan *plan)
{
    readers *const of = fv__alloc(plan->ctx, plan->n_buffers, sizeof *of);
    for (int s = 0; of && s < (int)plan->n_steps; s++)
        for (int k = 0; k < plan->steps[s].spec.n_operands; k++) {
            const int buffer = plan->steps[s].spec.operand[k], root = fv__plan_root(plan, buffer);
            if (plan->steps[s].spec.access[k] == FV_WRITE)
                continue;
            of[root].n++;
            of[root].step = s;
            of[root].as_view |= buffer != root;
        }
    return of;
}

/* The only step that reads the buffer; -1: none, or several, or it is asked for afterwards. */
static int only_reader(const fv_plan *plan, const readers *of, int buffer)
{
    return of[buffer].n == 1 && !of[buffer].as_view && !fv__plan_keeps(plan, buffer) ? of[buffer].step : -1;
}

static bool is_relu(const fv_step_spec *spec)
{
    return spec->kernel == FV_KERNEL_unary && ((const fv_unary_args *)spec->args)->function == FV_UNARY_RELU;
}

/* Step s moves to the place of `reader` and does what that did. Returns whether it can. */
static bool absorb(fv_plan *plan, readers *of, int s, int reader)
{
    const fv_step first = plan->steps[s], next = plan->steps[reader];
    fv_step fused = first;
    if (next.spec.domain != FV_PER_BLOCK || first.spec.relu)
        return false;
    if (next.spec.kernel == FV_KERNEL_add && (fv__kernel_row(first.spec.kernel)->can & FV_CAN_ADD) &&
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
    of[first.spec.operand[0]].n = 0;
    for (int k = 1; k < fused.spec.n_operands; k++) {
        readers *const r = &of[fv__plan_root(plan, fused.spec.operand[k])];
        r->step = r->n == 1 ? reader : r->step;
    }
    return true;
}

fv_status fv__plan_fuse(fv_plan *plan)
{
    size_t n = 0;
    if (plan->options.unfused)
        return FV_OK;
    readers *const of = find_readers(plan);
    if (!of)
        return FV_ERR_MEMORY;
    for (int s = 0; s < (int)plan->n_steps; s++) {
        if (!(fv__kernel_row(plan->steps[s].spec.kernel)->can & FV_CAN_RELU))
            continue;
        for (int at = s, next; (next = only_reader(plan, of, plan->steps[at].spec.operand[0])) >= 0;
             at = next)
            if (!absorb(plan, of, at, next))
                break;
    }
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].spec.n_operands > 0)
            plan->steps[n++] = plan->steps[s];
    plan->n_steps = n;
    fv__free(plan->ctx, of);
    return FV_OK;
}
