/* memory.c - what the memory of a plan is needed for. */
#include "plan/passes.h"

static bool is_activation(const fv_buffer *b)
{
    return b->scope == FV_SCOPE_IMAGE || b->scope == FV_SCOPE_ROWS || b->scope == FV_SCOPE_PLANES;
}

/* What is there of the images in one phase. */
static int64_t activations_in(const fv_plan *plan, int phase)
{
    int64_t floats = 0;
    for (size_t i = 0; i < plan->n_buffers; i++) {
        const fv_buffer *const b = &plan->buffers[i];
        if (b->alias == (int)i && b->place == FV_PLACE_SHARED && is_activation(b) &&
            fv__plan_phase_of(plan, b->first) <= phase && phase <= fv__plan_phase_of(plan, b->last))
            floats += fv__plan_floats(plan, b);
    }
    return floats;
}

fv_plan_memory fv__plan_memory(const fv_plan *plan)
{
    fv_plan_memory m = {.worker = plan->local_floats + plan->scratch_floats};
    for (size_t t = 0; t < plan->graph->n_tensors; t++) {
        const fv_tensor *const tensor = &plan->graph->tensors[t];
        const int64_t floats = fv__shape_count(tensor->shape);
        m.parameters += tensor->role == FV_ROLE_PARAMETER || tensor->role == FV_ROLE_STATISTIC ? floats : 0;
        m.states += tensor->role == FV_ROLE_STATE && tensor->source < 0 ? floats : 0;
        if (tensor->role == FV_ROLE_GRADIENT && plan->buffers[t].place == FV_PLACE_SHARED)
            m.gradients += fv__plan_floats(plan, &plan->buffers[t]);
    }
    for (int p = 0; p < plan->n_phases; p++) {
        const int64_t floats = activations_in(plan, p);
        if (floats > m.activations) {
            m.activations = floats;
            m.peak = p;
        }
    }
    m.work = plan->shared_floats - m.gradients - m.activations;
    return m;
}
