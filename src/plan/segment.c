/* segment.c - cuts the steps into phases.
 *
 * A per-block step that reads what a per-block step wrote stays in the same phase, which runs block by block,
 * depth first. A step over the whole batch runs in a later phase than the per-block steps whose outputs it
 * reads, and a step that reads its output runs in a later phase again.
 *
 * Steps belong to one of three stages, which follow each other: preparation from parameters, computation
 * from images, and update of parameters. Within its stage each step is scheduled as early as its inputs
 * allow. Steps whose output is larger than their input (packed weights, transposed images) are then moved
 * as late as their readers allow, so that the large buffer is alive for fewer phases. */
#include "graph/op.h"
#include "plan/passes.h"

#include <string.h>

static bool writes(const fv_step_spec *s, int operand)
{
    return s->access[operand] != FV_READ;
}

/* A step depends on an earlier one if one of them writes what the other reads or writes. It is therefore
 * enough to know for each buffer which of the steps so far have written it, and which have used it. A phase
 * boundary must lie between two dependent steps unless both are per-block steps, so the two kinds are
 * recorded separately. */
typedef struct uses {
    int phase[2]; /* [by block]: the largest or the smallest phase of a step; NONE: there is none */
} uses;

typedef struct history {
    uses written, any;
} history;

enum { NONE = -1 };

static bool by_block(const fv_step_spec *spec)
{
    return spec->domain == FV_PER_BLOCK;
}

static fv_status begin_history(const fv_plan *plan, history **out)
{
    history *const of = fv__alloc(plan->ctx, plan->n_buffers, sizeof *of);
    const uses none = {{NONE, NONE}};
    for (size_t b = 0; of && b < plan->n_buffers; b++)
        of[b] = (history){none, none};
    *out = of;
    return of ? FV_OK : FV_ERR_MEMORY;
}

static void note(uses *u, bool block, int phase, bool largest)
{
    int *const known = &u->phase[block];
    if (*known == NONE || (largest ? phase > *known : phase < *known))
        *known = phase;
}

/* Adds step `step` to the recorded uses. */
static void record(const fv_plan *plan, history *of, const fv_step *step, bool largest)
{
    const bool block = by_block(&step->spec);
    for (int k = 0; k < step->spec.n_operands; k++) {
        history *const h = &of[fv__plan_root(plan, step->spec.operand[k])];
        note(&h->any, block, step->phase, largest);
        if (writes(&step->spec, k))
            note(&h->written, block, step->phase, largest);
    }
}

/* The uses of operand k of a step that the step depends on, or that depend on the step. */
static const uses *uses_of(const fv_plan *plan, const history *of, const fv_step_spec *spec, int k)
{
    const history *const h = &of[fv__plan_root(plan, spec->operand[k])];
    return writes(spec, k) ? &h->any : &h->written;
}

/* ---- the earliest phases ---------------------------------------------------------------------------- */

/* Whether step `to` depends on one of the recorded steps; *phase: the earliest phase that it can be in, not
 * earlier than on entry. */
static bool depends(const fv_plan *plan, const history *of, const fv_step_spec *to, int *phase)
{
    bool any = false;
    for (int k = 0; k < to->n_operands; k++) {
        const uses *const u = uses_of(plan, of, to, k);
        for (int block = 0; block <= 1; block++) {
            const int earliest = u->phase[block] + (block && by_block(to) ? 0 : 1);
            if (u->phase[block] == NONE)
                continue;
            any = true;
            *phase = earliest > *phase ? earliest : *phase;
        }
    }
    return any;
}

/* The earliest phases of the steps of a stage, from `begin` on. *end: the phase after them. */
static fv_status earliest(fv_plan *plan, fv_stage stage, int begin, int *end)
{
    history *of;
    FV_TRY(begin_history(plan, &of));
    *end = begin;
    for (size_t t = 0; t < plan->n_steps; t++) {
        fv_step *const to = &plan->steps[t];
        if (to->stage != stage)
            continue;
        to->phase = begin;
        depends(plan, of, &to->spec, &to->phase);
        record(plan, of, to, true);
        *end = to->phase + 1 > *end ? to->phase + 1 : *end;
    }
    fv__free(plan->ctx, of);
    return FV_OK;
}

/* Steps of nodes that change parameters, statistics or states are updates. Steps that depend on no image
 * and only on preparation are preparation (packed weights). */
static fv_status find_stages(fv_plan *plan)
{
    history *of; /* of the steps that are no preparation */
    FV_TRY(begin_history(plan, &of));
    for (size_t t = 0; t < plan->n_steps; t++) {
        fv_step *const to = &plan->steps[t];
        const bool of_parameters = to->spec.domain == FV_PER_RANGE && !to->spec.of_images;
        int phase = 0;
        to->stage = FV_STAGE_COMPUTE;
        if (to->node && to->node->op->changes)
            to->stage = FV_STAGE_UPDATE;
        else if (of_parameters && !depends(plan, of, &to->spec, &phase))
            to->stage = FV_STAGE_PREPARE;
        if (to->stage != FV_STAGE_PREPARE)
            record(plan, of, to, true);
    }
    fv__free(plan->ctx, of);
    return FV_OK;
}

/* ---- moving steps to later phases --------------------------------------------------------------------- */

static int64_t floats_of(const fv_plan *plan, int buffer)
{
    const fv_buffer *const b = &plan->buffers[buffer];
    return b->floats * (fv__buffer_by_block(b)       ? plan->options.batch
                        : b->scope == FV_SCOPE_SHARD ? FV_SHARDS
                                                     : 1);
}

/* The latest phase of step t that the later steps which depend on it allow; NONE: no step depends on it. */
static int latest(const fv_plan *plan, const history *behind, int t)
{
    const fv_step_spec *const spec = &plan->steps[t].spec;
    int latest = NONE;
    for (int k = 0; k < spec->n_operands; k++) {
        const uses *const u = uses_of(plan, behind, spec, k);
        for (int block = 0; block <= 1; block++) {
            const int phase = u->phase[block] - (block && by_block(spec) ? 0 : 1);
            if (u->phase[block] != NONE && (latest == NONE || phase < latest))
                latest = phase;
        }
    }
    return latest;
}

typedef struct sinking {
    fv_plan *plan;
    history *behind; /* [buffer]: the first uses by steps behind the current one */
    int *last;       /* [buffer]: the last phase in which a later step uses the buffer; NONE: none does */
    int *before;     /* [step][operand]: the last phase in which an earlier step uses it */
    const int *end;  /* [stage]: the phase behind its last */
} sinking;

static void find_before(sinking *s)
{
    fv_plan *const plan = s->plan;
    for (size_t b = 0; b < plan->n_buffers; b++)
        s->last[b] = NONE;
    for (size_t t = 0; t < plan->n_steps; t++) {
        const fv_step *const step = &plan->steps[t];
        for (int k = 0; k < step->spec.n_operands; k++)
            s->before[t * FV_MAX_OPERANDS + (size_t)k] = s->last[fv__plan_root(plan, step->spec.operand[k])];
        for (int k = 0; k < step->spec.n_operands; k++) {
            int *const last = &s->last[fv__plan_root(plan, step->spec.operand[k])];
            *last = step->phase > *last ? step->phase : *last;
        }
    }
    for (size_t b = 0; b < plan->n_buffers; b++)
        s->last[b] = NONE;
}

/* Whether another step than t still uses its operand k in `phase` or later. */
static bool used_from(const sinking *s, int t, int k, int phase)
{
    const int root = fv__plan_root(s->plan, s->plan->steps[t].spec.operand[k]);
    return s->last[root] >= phase || s->before[t * FV_MAX_OPERANDS + k] >= phase ||
           fv__plan_keeps(s->plan, root);
}

/* The floats whose live range would be shorter if step t were in `phase`, minus those whose range would be
 * longer. -1 for a value that is kept anyway. */
static int64_t saved_floats(const sinking *s, int t, int phase)
{
    const fv_plan *const plan = s->plan;
    const fv_step_spec *const spec = &plan->steps[t].spec;
    int64_t saved = 0;
    for (int k = 0; k < spec->n_operands; k++) {
        const int root = fv__plan_root(plan, spec->operand[k]);
        if (spec->access[k] != FV_READ && fv__plan_keeps(plan, root))
            return -1;
        if (spec->access[k] != FV_READ)
            saved += floats_of(plan, root);
        else if (plan->buffers[root].place != FV_PLACE_EXTERNAL && !used_from(s, t, k, phase))
            saved -= floats_of(plan, root);
    }
    return saved;
}

/* Goes from the last step to the first, so that a chain of steps moves as one. No step leaves its stage,
 * except that a preparation may move into the computation, unless a frozen plan keeps its output from run
 * to run. */
static void sink_all(sinking *s)
{
    fv_plan *const plan = s->plan;
    find_before(s);
    for (int t = (int)plan->n_steps - 1; t >= 0; t--) {
        fv_step *const step = &plan->steps[t];
        const bool may_compute = step->stage == FV_STAGE_PREPARE && !plan->options.frozen;
        const int most = s->end[may_compute ? FV_STAGE_COMPUTE : step->stage] - 1;
        int phase = latest(plan, s->behind, t);
        phase = phase < most ? phase : most;
        if (phase > step->phase && saved_floats(s, t, phase) >= 0)
            step->phase = phase;
        record(plan, s->behind, step, false);
        for (int k = 0; k < step->spec.n_operands; k++) {
            int *const last = &s->last[fv__plan_root(plan, step->spec.operand[k])];
            *last = step->phase > *last ? step->phase : *last;
        }
    }
}

static fv_status sink(fv_plan *plan, const int *end)
{
    sinking s = {.plan = plan, .end = end};
    FV_TRY(begin_history(plan, &s.behind));
    s.last = fv__alloc(plan->ctx, plan->n_buffers, sizeof *s.last);
    s.before = fv__alloc(plan->ctx, plan->n_steps, FV_MAX_OPERANDS * sizeof *s.before);
    const bool well = s.last && s.before;
    if (well)
        sink_all(&s);
    fv__free(plan->ctx, s.before);
    fv__free(plan->ctx, s.last);
    fv__free(plan->ctx, s.behind);
    return well ? FV_OK : FV_ERR_MEMORY;
}

/* ---- order ------------------------------------------------------------------------------------------ */

/* Removes empty phases. */
static fv_status remove_empty_phases(fv_plan *plan)
{
    int end = 0, n_prepared = 0;
    for (size_t s = 0; s < plan->n_steps; s++)
        end = plan->steps[s].phase + 1 > end ? plan->steps[s].phase + 1 : end;
    int *const number = fv__alloc(plan->ctx, (size_t)end, sizeof *number); /* [phase]: 1 where it is used */
    if (!number)
        return FV_ERR_MEMORY;
    for (size_t s = 0; s < plan->n_steps; s++)
        number[plan->steps[s].phase] = 1;
    plan->n_phases = 0;
    for (int p = 0; p < end; p++) {
        const int used = number[p];
        number[p] = plan->n_phases;
        n_prepared += used && p < plan->n_prepared;
        plan->n_phases += used;
    }
    for (size_t s = 0; s < plan->n_steps; s++)
        plan->steps[s].phase = number[plan->steps[s].phase];
    plan->n_prepared = n_prepared;
    fv__free(plan->ctx, number);
    return FV_OK;
}

/* Sorts steps by phase, per-block steps first; otherwise their order is kept. */
static fv_status sort_steps(fv_plan *plan)
{
    fv_step *const sorted = fv__alloc(plan->ctx, plan->n_steps, sizeof *sorted);
    int *const next = fv__alloc(plan->ctx, (size_t)plan->n_phases, 2 * sizeof *next); /* [phase][whole] */
    if (!sorted || !next) {
        fv__free(plan->ctx, sorted);
        fv__free(plan->ctx, next);
        return FV_ERR_MEMORY;
    }
    for (size_t s = 0; s < plan->n_steps; s++) {
        fv_phase *const phase = &plan->phases[plan->steps[s].phase];
        phase->n_steps++;
        phase->n_block_steps += by_block(&plan->steps[s].spec);
        phase->is_update |= plan->steps[s].stage == FV_STAGE_UPDATE;
    }
    for (int p = 0, n = 0; p < plan->n_phases; n += plan->phases[p++].n_steps) {
        plan->phases[p].first_step = next[2 * p] = n;
        next[2 * p + 1] = n + plan->phases[p].n_block_steps;
    }
    for (size_t s = 0; s < plan->n_steps; s++) {
        const fv_step *const step = &plan->steps[s];
        sorted[next[2 * step->phase + !by_block(&step->spec)]++] = *step;
    }
    memcpy(plan->steps, sorted, plan->n_steps * sizeof *sorted);
    fv__free(plan->ctx, next);
    fv__free(plan->ctx, sorted);
    return FV_OK;
}

fv_status fv__plan_segment(fv_plan *plan)
{
    int end[FV_N_STAGES];
    FV_TRY(find_stages(plan));
    for (int stage = 0; stage < FV_N_STAGES; stage++)
        FV_TRY(earliest(plan, (fv_stage)stage, stage > 0 ? end[stage - 1] : 0, &end[stage]));
    plan->n_prepared = end[FV_STAGE_PREPARE];
    FV_TRY(sink(plan, end));
    FV_TRY(remove_empty_phases(plan));
    plan->phases = fv__arena_alloc(&plan->arena, (size_t)plan->n_phases, sizeof *plan->phases);
    if (!plan->phases)
        return FV_ERR_MEMORY;
    return sort_steps(plan);
}
