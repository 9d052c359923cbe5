/* segment.c - third pass: cuts the steps into phases.
 *
 * A per-block step that reads what a per-block step wrote stays in its phase: block by block, depth first. A
 * step over the whole batch stands in a later phase than the per-block steps it reads, and a step that reads
 * what a whole-batch step wrote in a later one than that. Every step takes the earliest phase it can; then
 * those that make more than they read, such as packed weights or an image turned into rows, sink to where it
 * is needed. */
#include "plan/passes.h"

#include <string.h>

static bool writes(const fv_step_spec *s, int operand)
{
    return s->access[operand] != FV_READ;
}

/* A dependence of step `to` on step `from`, from < to: one of them writes what the other reads or writes. */
static bool depends(const fv_plan *plan, const fv_step_spec *to, const fv_step_spec *from)
{
    for (int a = 0; a < to->n_operands; a++)
        for (int b = 0; b < from->n_operands; b++)
            if ((writes(to, a) || writes(from, b)) &&
                fv__plan_root(plan, to->operand[a]) == fv__plan_root(plan, from->operand[b]))
                return true;
    return false;
}

/* Phases that must lie between two dependent steps: none where both go block by block. */
static int distance(const fv_step_spec *from, const fv_step_spec *to)
{
    return from->domain == FV_PER_BLOCK && to->domain == FV_PER_BLOCK ? 0 : 1;
}

/* The earliest phases, from `begin` on, of the steps that prepare or of the others. Returns the next phase.
 */
static int earliest(fv_plan *plan, bool prepares, int begin)
{
    int end = begin;
    for (size_t t = 0; t < plan->n_steps; t++) {
        fv_step *const to = &plan->steps[t];
        if (to->prepares != prepares)
            continue;
        to->phase = begin;
        for (size_t f = 0; f < t; f++) {
            const fv_step *const from = &plan->steps[f];
            if (from->prepares != prepares || from->phase + 1 <= to->phase ||
                !depends(plan, &to->spec, &from->spec))
                continue;
            const int phase = from->phase + distance(&from->spec, &to->spec);
            if (phase > to->phase)
                to->phase = phase;
        }
        end = to->phase + 1 > end ? to->phase + 1 : end;
    }
    return end;
}

/* What can be prepared before any image comes (packed weights) stands in phases of its own, the first. */
static void find_prepared(fv_plan *plan)
{
    for (size_t t = 0; t < plan->n_steps; t++) {
        fv_step *const to = &plan->steps[t];
        to->prepares = to->spec.domain == FV_PER_RANGE && !to->spec.of_images;
        for (size_t f = 0; f < t && to->prepares; f++)
            to->prepares = plan->steps[f].prepares || !depends(plan, &to->spec, &plan->steps[f].spec);
    }
}

static bool changes_parameters(const fv_plan *plan, const fv_step *step)
{
    return step->node && plan->graph->tensors[step->node->output].role == FV_ROLE_STATE;
}

/* Updates wait for all gradients: they stand in a phase of their own, the last. */
static void updates_last(fv_plan *plan)
{
    int last = 0;
    for (size_t s = 0; s < plan->n_steps; s++)
        if (!changes_parameters(plan, &plan->steps[s]) && plan->steps[s].phase > last)
            last = plan->steps[s].phase;
    for (size_t s = 0; s < plan->n_steps; s++)
        if (changes_parameters(plan, &plan->steps[s]))
            plan->steps[s].phase = last + 1;
}

/* ---- steps sink ------------------------------------------------------------------------------------- */

static int64_t floats_of(const fv_plan *plan, int buffer)
{
    const fv_buffer *const b = &plan->buffers[buffer];
    const bool by_image = b->scope == FV_SCOPE_IMAGE || b->scope == FV_SCOPE_ROWS;
    return b->floats * (by_image ? plan->options.batch : b->scope == FV_SCOPE_SHARD ? FV_SHARDS : 1);
}

/* The last phase in which step t could stand, by those that depend on it; -1: none does. */
static int latest(const fv_plan *plan, int t)
{
    int latest = -1;
    for (size_t d = (size_t)t + 1; d < plan->n_steps; d++)
        if (depends(plan, &plan->steps[d].spec, &plan->steps[t].spec)) {
            const int phase =
                plan->steps[d].phase - distance(&plan->steps[t].spec, &plan->steps[d].spec);
            latest = latest < 0 || phase < latest ? phase : latest;
        }
    return latest;
}

/* Whether another step still uses a buffer in `phase` or later. */
static bool used_from(const fv_plan *plan, int root, int phase, int except)
{
    for (int s = 0; s < (int)plan->n_steps; s++)
        for (int k = 0; k < plan->steps[s].spec.n_operands; k++)
            if (s != except && plan->steps[s].phase >= phase &&
                fv__plan_root(plan, plan->steps[s].spec.operand[k]) == root)
                return true;
    return fv__plan_keeps(plan, root);
}

/* What would wait less if step t stood in `phase`, less what would wait longer; what is kept anyway gains
 * nothing: -1. */
static int64_t saved_floats(const fv_plan *plan, int t, int phase)
{
    const fv_step_spec *const spec = &plan->steps[t].spec;
    int64_t saved = 0;
    for (int k = 0; k < spec->n_operands; k++) {
        const int root = fv__plan_root(plan, spec->operand[k]);
        if (spec->access[k] != FV_READ && fv__plan_keeps(plan, root))
            return -1;
        if (spec->access[k] != FV_READ)
            saved += floats_of(plan, root);
        else if (plan->buffers[root].place != FV_PLACE_EXTERNAL && !used_from(plan, root, phase, t))
            saved -= floats_of(plan, root);
    }
    return saved;
}

/* From the last to the first, so that a chain of steps sinks as one. What a frozen plan prepares stays. */
static void sink(fv_plan *plan)
{
    for (int t = (int)plan->n_steps - 1; t >= 0; t--) {
        fv_step *const step = &plan->steps[t];
        const int phase = latest(plan, t);
        if (phase > step->phase && !(step->prepares && plan->options.frozen) &&
            saved_floats(plan, t, phase) >= 0)
            step->phase = phase;
    }
}

/* Phases that nobody is left in go. */
static void close_ranks(fv_plan *plan)
{
    int n_prepared = 0;
    plan->n_phases = 0;
    for (int p = 0, last = 0; p <= last; p++) {
        bool used = false;
        for (size_t s = 0; s < plan->n_steps; s++) {
            fv_step *const step = &plan->steps[s];
            last = step->phase > last ? step->phase : last;
            if (step->phase == p) {
                step->phase = plan->n_phases;
                used = true;
            }
        }
        n_prepared += used && p < plan->n_prepared;
        plan->n_phases += used;
    }
    plan->n_prepared = n_prepared;
}

/* ---- order ------------------------------------------------------------------------------------------ */

/* Sorts steps by phase, per-block steps first, else as they were. */
static fv_status sort_steps(fv_plan *plan)
{
    fv_step *const sorted = fv__alloc(plan->ctx, plan->n_steps, sizeof *sorted);
    if (!sorted)
        return FV_ERR_MEMORY;
    size_t n = 0;
    for (int p = 0; p < plan->n_phases; p++) {
        fv_phase *const phase = &plan->phases[p];
        phase->first_step = (int)n;
        for (int whole = 0; whole <= 1; whole++) {
            for (size_t s = 0; s < plan->n_steps; s++)
                if (plan->steps[s].phase == p && (plan->steps[s].spec.domain != FV_PER_BLOCK) == whole) {
                    phase->is_update |= changes_parameters(plan, &plan->steps[s]);
                    sorted[n++] = plan->steps[s];
                }
            if (!whole)
                phase->n_block_steps = (int)n - phase->first_step;
        }
        phase->n_steps = (int)n - phase->first_step;
    }
    memcpy(plan->steps, sorted, plan->n_steps * sizeof *sorted);
    fv__free(plan->ctx, sorted);
    return FV_OK;
}

fv_status fv__plan_segment(fv_plan *plan)
{
    find_prepared(plan);
    plan->n_prepared = earliest(plan, true, 0);
    earliest(plan, false, plan->n_prepared);
    updates_last(plan);
    sink(plan);
    close_ranks(plan);
    plan->phases = fv__arena_alloc(&plan->arena, (size_t)plan->n_phases, sizeof *plan->phases);
    if (!plan->phases)
        return FV_ERR_MEMORY;
    return sort_steps(plan);
}
