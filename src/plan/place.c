/* place.c - gives every buffer its address, before the first step runs.
 *
 * A value that is read and written within one phase needs memory for the blocks of one worker only. A value
 * that is used in several phases, is kept, or is summed over the batch needs memory for the whole batch.
 * Within each arena two buffers share memory if their live ranges do not overlap (first fit, largest
 * first). A view shares the memory of its input, and so does an elementwise step that is the last to read
 * its input. */
#include "plan/passes.h"

#include <stdlib.h>
#include <string.h>

/* First and last step of every root, over all buffers that share its memory. */
static void find_live_ranges(fv_plan *plan)
{
    const int n_steps = (int)plan->n_steps;
    for (size_t b = 0; b < plan->n_buffers; b++) {
        plan->buffers[b].first = n_steps;
        plan->buffers[b].last = -1;
    }
    for (int s = 0; s < n_steps; s++)
        for (int k = 0; k < plan->steps[s].spec.n_operands; k++) {
            fv_buffer *const b = &plan->buffers[fv__plan_root(plan, plan->steps[s].spec.operand[k])];
            b->first = s < b->first ? s : b->first;
            b->last = s > b->last ? s : b->last;
        }
    for (size_t b = 0; b < plan->n_buffers; b++) {
        fv_buffer *const root = &plan->buffers[fv__plan_root(plan, (int)b)];
        if (fv__plan_keeps(plan, (int)b) && root->last >= 0) {
            root->first = -1;
            root->last = n_steps;
        }
        const bool prepared =
            root->first >= 0 && root->first < n_steps && plan->steps[root->first].stage == FV_STAGE_PREPARE;
        if (plan->options.frozen && prepared && plan->steps[root->last].stage != FV_STAGE_PREPARE) {
            root->first = -1;
            root->last = n_steps;
        }
    }
}

/* Whether step s may write its output over operand k, because no later step reads that operand. */
static bool may_share(const fv_plan *plan, int s, int k)
{
    const fv_step_spec *const spec = &plan->steps[s].spec;
    const int from = fv__plan_root(plan, spec->operand[k]), to = fv__plan_root(plan, spec->operand[0]);
    const fv_buffer *const b = &plan->buffers[from];
    return (plan->steps[s].over >> k & 1) && from != to && b->place != FV_PLACE_EXTERNAL && b->last == s &&
           b->scope == FV_SCOPE_IMAGE && plan->buffers[to].floats == b->floats &&
           plan->buffers[to].first == s;
}

/* `to` takes the memory of `from`; the step that writes `to` is the last that reads `from`. */
static void share(fv_plan *plan, int from, int to)
{
    fv_buffer *const b = &plan->buffers[to];
    b->alias = from;
    plan->buffers[from].last = b->last;
    b->first = (int)plan->n_steps; /* the same for every buffer in another's memory */
    b->last = -1;
}

/* Elementwise steps write over an input that no later step reads. */
static void share_in_place(fv_plan *plan)
{
    for (int s = 0; s < (int)plan->n_steps && !plan->options.keep_all; s++)
        for (int k = 1; k < plan->steps[s].spec.n_operands; k++)
            if (may_share(plan, s, k))
                share(plan, fv__plan_root(plan, plan->steps[s].spec.operand[k]),
                      fv__plan_root(plan, plan->steps[s].spec.operand[0]));
}

static int64_t round_up(int64_t floats)
{
    return (floats + FV_LANES - 1) / FV_LANES * FV_LANES;
}

/* The floats of one block, shard or bundle, or of the whole buffer: the distance that `stride` covers. */
static int64_t unit_floats(const fv_buffer *b)
{
    return fv__buffer_by_block(b) ? b->floats * FV_LANES : round_up(b->floats);
}

static void choose_places(fv_plan *plan)
{
    for (size_t i = 0; i < plan->n_buffers; i++) {
        fv_buffer *const b = &plan->buffers[i];
        b->stride = b->scope == FV_SCOPE_BATCH ? 0 : unit_floats(b);
        if (b->alias != (int)i || b->place == FV_PLACE_EXTERNAL || b->last < 0)
            continue;
        const bool one_phase = b->first >= 0 && b->last < (int)plan->n_steps &&
                               plan->steps[b->first].phase == plan->steps[b->last].phase;
        b->place = one_phase && b->scope == FV_SCOPE_IMAGE ? FV_PLACE_LOCAL : FV_PLACE_SHARED;
    }
}

int64_t fv__plan_floats(const fv_plan *plan, const fv_buffer *b)
{
    if (b->place == FV_PLACE_LOCAL || b->scope == FV_SCOPE_BATCH)
        return unit_floats(b);
    return unit_floats(b) * (b->scope == FV_SCOPE_SHARD ? FV_SHARDS
                             : b->scope == FV_SCOPE_C16 ? b->bundles
                                                        : plan->max_blocks);
}

int fv__plan_phase_of(const fv_plan *plan, int step)
{
    return step < 0 ? -1 : step >= (int)plan->n_steps ? plan->n_phases : plan->steps[step].phase;
}

typedef struct entry {
    int64_t floats;
    int buffer;
} entry;

static int largest_first(const void *a, const void *b)
{
    const entry *const x = a, *const y = b;
    return x->floats != y->floats ? (x->floats < y->floats) - (x->floats > y->floats) : x->buffer - y->buffer;
}

/* ---- arenas ------------------------------------------------------------------------------------------ */

/* The intervals placed in one arena, sorted by their beginning; adjacent intervals with the same live range
 * are merged. Local memory has one arena per phase, where live ranges count in steps. Many blocks use
 * shared buffers at once, so there live ranges count in phases. */
typedef struct interval {
    int64_t begin, end; /* in floats */
    int first, last;    /* its live range, both ends included */
} interval;

typedef struct arena {
    interval *placed;
    size_t n, capacity;
} arena;

/* The lowest offset at which `size` floats overlap nothing that is alive at the same time. */
static int64_t lowest_fit(const arena *s, int64_t size, int first, int last)
{
    int64_t offset = 0;
    for (size_t i = 0; i < s->n && s->placed[i].begin < offset + size; i++) {
        const interval *const p = &s->placed[i];
        if (p->end > offset && p->first <= last && first <= p->last)
            offset = p->end;
    }
    return offset;
}

static fv_status insert(fv_context *ctx, arena *s, interval in)
{
    size_t at = 0, end = s->n; /* the first interval that begins behind it */
    while (at < end) {
        const size_t middle = at + (end - at) / 2;
        if (s->placed[middle].begin <= in.begin)
            at = middle + 1;
        else
            end = middle;
    }
    interval *const before = at > 0 ? &s->placed[at - 1] : NULL;
    if (before && before->end == in.begin && before->first == in.first && before->last == in.last) {
        before->end = in.end;
        return FV_OK;
    }
    void *placed = s->placed;
    FV_TRY(fv__grow(ctx, &placed, s->n, &s->capacity, sizeof *s->placed));
    s->placed = placed;
    memmove(s->placed + at + 1, s->placed + at, (s->n - at) * sizeof in);
    s->placed[at] = in;
    s->n++;
    return FV_OK;
}

/* The most floats of an arena: far more than any machine has, and few enough that sums of them fit. */
#define MOST_FLOATS ((int64_t)1 << 56)

static fv_status too_much(const fv_plan *plan, const fv_buffer *b, int64_t floats)
{
    return fv__fail(plan->ctx, FV_ERR_MEMORY,
                    "%s: out of memory: '%s' and the buffers beside it, for a batch of %d, would take %lld "
                    "floats",
                    plan->graph->source, b->name, plan->options.batch, (long long)floats);
}

static fv_status place(fv_plan *plan, arena *arenas, const entry *e)
{
    fv_buffer *const b = &plan->buffers[e->buffer];
    const int first_phase = fv__plan_phase_of(plan, b->first);
    const bool local = b->place == FV_PLACE_LOCAL;
    arena *const s = &arenas[local ? first_phase : plan->n_phases];
    const int first = local ? b->first : first_phase;
    const int last = local ? b->last : fv__plan_phase_of(plan, b->last);
    int64_t *const top = local ? &plan->phases[first_phase].local_floats : &plan->shared_floats;
    if (e->floats > MOST_FLOATS)
        return too_much(plan, b, e->floats);
    b->offset = lowest_fit(s, e->floats, first, last);
    const int64_t end = b->offset + e->floats;
    if (end > MOST_FLOATS)
        return too_much(plan, b, end);
    *top = end > *top ? end : *top;
    return insert(plan->ctx, s, (interval){b->offset, end, first, last});
}

/* arenas[phase] is local memory; the last arena is the shared one. */
static fv_status place_all(fv_plan *plan)
{
    const size_t n_arenas = (size_t)plan->n_phases + 1;
    arena *const arenas = fv__alloc(plan->ctx, n_arenas, sizeof *arenas);
    entry *const order = fv__alloc(plan->ctx, plan->n_buffers, sizeof *order);
    fv_status status = arenas && order ? FV_OK : FV_ERR_MEMORY;
    size_t n = 0;
    for (size_t i = 0; i < plan->n_buffers && status == FV_OK; i++) {
        const fv_buffer *const b = &plan->buffers[i];
        if (b->alias == (int)i && (b->place == FV_PLACE_LOCAL || b->place == FV_PLACE_SHARED))
            order[n++] = (entry){fv__plan_floats(plan, b), (int)i};
    }
    if (n > 0)
        qsort(order, n, sizeof *order, largest_first);
    for (size_t i = 0; i < n && status == FV_OK; i++)
        status = place(plan, arenas, &order[i]);
    for (size_t i = 0; arenas && i < n_arenas; i++)
        fv__free(plan->ctx, arenas[i].placed);
    fv__free(plan->ctx, order);
    fv__free(plan->ctx, arenas);
    return status;
}

/* ---- groups of blocks -------------------------------------------------------------------------------- */

static bool has_shards(const fv_plan *plan, const fv_phase *phase)
{
    for (int s = phase->first_step; s < phase->first_step + phase->n_block_steps; s++)
        for (int k = 0; k < plan->steps[s].spec.n_operands; k++)
            if (plan->buffers[plan->steps[s].spec.operand[k]].scope == FV_SCOPE_SHARD)
                return true;
    return false;
}

/* Chooses how many blocks go through a phase together: enough to reuse weights, few enough that the values
 * stay in the cache and every worker has a task. No sum depends on the choice. */
static void choose_groups(fv_plan *plan)
{
    const int workers = plan->options.n_workers > 0 ? plan->options.n_workers : 1;
    const int share = (plan->max_blocks + workers - 1) / workers;
    for (int p = 0; p < plan->n_phases; p++) {
        fv_phase *const phase = &plan->phases[p];
        int group = plan->blocks->group_blocks;
        while (group > 1 && (phase->local_floats * 4 * group > plan->blocks->group_bytes || group > share))
            group--;
        phase->group = group;
        phase->blocks_per_task = group;
        if (has_shards(plan, phase))
            phase->blocks_per_task =
                (group + plan->blocks_per_shard - 1) / plan->blocks_per_shard * plan->blocks_per_shard;
        const int64_t floats = phase->local_floats * group;
        plan->local_floats = floats > plan->local_floats ? floats : plan->local_floats;
    }
}

/* Local buffers hold the blocks of a whole group: [group][floats][16]. */
static void scale_locals(fv_plan *plan)
{
    for (size_t i = 0; i < plan->n_buffers; i++) {
        fv_buffer *const b = &plan->buffers[i];
        if (b->place == FV_PLACE_LOCAL)
            b->offset *= plan->phases[plan->steps[b->first].phase].group;
    }
    for (size_t s = 0; s < plan->n_steps; s++) {
        const int64_t floats = (int64_t)plan->steps[s].spec.scratch_floats;
        plan->scratch_floats = floats > plan->scratch_floats ? floats : plan->scratch_floats;
    }
}

fv_status fv__plan_place(fv_plan *plan)
{
    find_live_ranges(plan);
    share_in_place(plan);
    choose_places(plan);
    FV_TRY(place_all(plan));
    choose_groups(plan);
    scale_locals(plan);
    return FV_OK;
}
