/* plan_memory.c - what the memory of a plan is used for. */
#include "plan/passes.h"

static bool is_activation(const fv_buffer *b)
{
    return fv__buffer_by_block(b) || b->scope == FV_SCOPE_C16;
}

/* The largest number of floats of images that are alive in one phase, and the first such phase. Buffers
 * whose live range begins in a phase are added, and those whose range has ended are subtracted. */
static fv_status find_peak(const fv_plan *plan, fv_plan_memory *m)
{
    int64_t *const change = fv__alloc(plan->ctx, (size_t)plan->n_phases + 2, sizeof *change);
    if (!change)
        return FV_ERR_MEMORY;
    for (size_t i = 0; i < plan->n_buffers; i++) {
        const fv_buffer *const b = &plan->buffers[i];
        if (b->alias != (int)i || b->place != FV_PLACE_SHARED || !is_activation(b))
            continue;
        const int first = fv__plan_phase_of(plan, b->first);
        change[first < 0 ? 0 : first] += fv__plan_floats(plan, b);
        change[fv__plan_phase_of(plan, b->last) + 1] -= fv__plan_floats(plan, b);
    }
    int64_t floats = 0;
    for (int p = 0; p < plan->n_phases; p++) {
        floats += change[p];
        if (floats > m->activations) {
            m->activations = floats;
            m->peak = p;
        }
    }
    fv__free(plan->ctx, change);
    return FV_OK;
}

fv_status fv__plan_memory(const fv_plan *plan, fv_plan_memory *out)
{
    fv_plan_memory m = {.worker = plan->local_floats + plan->scratch_floats};
    for (size_t t = 0; t < plan->graph->n_tensors; t++) {
        const fv_tensor *const tensor = &plan->graph->tensors[t];
        const int64_t floats = fv__shape_count(tensor->shape);
        const bool stored = tensor->role == FV_ROLE_PARAMETER || tensor->role == FV_ROLE_STATISTIC;
        m.parameters += stored && tensor->source < 0 ? floats : 0;
        m.states += tensor->role == FV_ROLE_STATE && tensor->source < 0 ? floats : 0;
        if (tensor->role == FV_ROLE_GRADIENT && plan->buffers[t].place == FV_PLACE_SHARED)
            m.gradients += fv__plan_floats(plan, &plan->buffers[t]);
    }
    FV_TRY(find_peak(plan, &m));
    m.work = plan->shared_floats - m.gradients - m.activations;
    *out = m;
    return FV_OK;
}
