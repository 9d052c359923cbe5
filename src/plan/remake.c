/* remake.c - rematerialisation: values that are cheap to recompute are not kept for the backward pass.
 *
 * The backward pass of a deep network begins several phases after the forward pass has ended. Of the values
 * that it reads, the outputs of convolutions must be kept for the gradient of batch normalisation; values
 * that are computed from them element by element (op.h: cheap) need not be. If all inputs of such a step are
 * still alive in the last phase that reads its output, or can themselves be recomputed, a copy of the step is
 * inserted in front of each reader, and its output lives in that phase only, in a worker's memory. For a step
 * over the whole batch the copy is inserted in the phase before. Gathered images are recomputed in the same
 * way.
 *
 * A chain of residual blocks would be followed to its beginning, so after FV_REMAKE_STEPS steps a value is
 * kept.
 *
 * A copy runs the same kernel on the same values, so the bits stay the same. */
#include "plan/passes.h"

#include "graph/op.h"

#include <limits.h>

/* The most steps that run again to recompute one value. */
#define FV_REMAKE_STEPS 4

typedef struct remaking {
    fv_plan *plan;
    int *writer;    /* [buffer]: the step that writes it; -1: none; n_steps: several */
    int *last;      /* [buffer]: the last phase in which it is used, if nothing is recomputed */
    int *until;     /* [buffer]: the last phase in which it can be recomputed */
    int *depth;     /* [buffer]: steps run again for it; 0: it is kept */
    int *copy[2];   /* [phase % 2][buffer]: the buffer that is recomputed in ... */
    int *made[2];   /* [phase % 2][buffer]: ... this phase; -1: in none */
    int *first_use; /* [buffer + 1]: where its uses begin in ... */
    int *use;       /* the steps of every operand, by buffer */
    fv_step *steps; /* the new list */
    size_t n_steps, capacity;
    size_t n_buffers; /* before any copy was inserted */
    int n_uses;       /* operands of all steps */
} remaking;

static bool is_read(const fv_step_spec *spec, int k)
{
    return spec->access[k] == FV_READ;
}

/* Whether a step belongs to the forward pass: it gathers a feed, or stands no later than the last loss. */
static bool is_forward(const fv_plan *plan, const fv_step *step)
{
    const fv_graph *const graph = plan->graph;
    return graph->n_losses > 0 && (!step->node || step->node - graph->nodes < fv__graph_forward_end(graph));
}

static bool is_cheap(const fv_step *step)
{
    return step->spec.domain == FV_PER_BLOCK && (!step->node || step->node->op->cheap);
}

/* Finds the step that writes each buffer and the last phase that uses it; both are stored at the root. */
static void find_uses(remaking *r)
{
    const fv_plan *const plan = r->plan;
    for (size_t b = 0; b < r->n_buffers; b++) {
        r->writer[b] = r->last[b] = r->made[0][b] = r->made[1][b] = -1;
        r->depth[b] = 0;
    }
    for (int s = 0; s < (int)plan->n_steps; s++)
        for (int k = 0; k < plan->steps[s].spec.n_operands; k++) {
            const int root = fv__plan_root(plan, plan->steps[s].spec.operand[k]);
            r->last[root] = plan->steps[s].phase;
            if (!is_read(&plan->steps[s].spec, k))
                r->writer[root] = r->writer[root] < 0 ? s : (int)plan->n_steps;
            r->first_use[root]++;
        }
    /* counts become the ends of the buffers' ranges, and then, counting down, their beginnings */
    for (size_t b = 1; b < r->n_buffers; b++)
        r->first_use[b] += r->first_use[b - 1];
    for (int s = (int)plan->n_steps - 1; s >= 0; s--)
        for (int k = 0; k < plan->steps[s].spec.n_operands; k++)
            r->use[--r->first_use[fv__plan_root(plan, plan->steps[s].spec.operand[k])]] = s;
    r->first_use[r->n_buffers] = r->n_uses;
}

/* The phase in which the value of `root` is recomputed for step `reader`; -1: the value is kept. A step
 * over the whole batch needs the whole value when its phase begins. */
static int phase_of_copy(const remaking *r, const fv_step *reader, int root)
{
    const int phase = reader->phase - (reader->spec.domain != FV_PER_BLOCK);
    return !is_forward(r->plan, reader) && phase > r->plan->steps[r->writer[root]].phase ? phase : -1;
}

/* The last phase in which the backward pass needs a recomputed copy of the buffer that step s writes; -1 if
 * it needs none. */
static int needed_until(const remaking *r, int s)
{
    const fv_plan *const plan = r->plan;
    const int root = fv__plan_root(plan, plan->steps[s].spec.operand[0]);
    int last = -1;
    for (int u = r->first_use[root]; u < r->first_use[root + 1]; u++)
        if (r->use[u] > s) {
            const int phase = phase_of_copy(r, &plan->steps[r->use[u]], root);
            last = phase > last ? phase : last;
        }
    return last;
}

/* How many steps recompute the output of step s, and until which phase all of their inputs are alive. */
static int count_steps(const remaking *r, int s, int *until)
{
    const fv_plan *const plan = r->plan;
    const fv_step_spec *const spec = &plan->steps[s].spec;
    int n = 1;
    *until = INT_MAX;
    for (int k = 1; k < spec->n_operands; k++) {
        const int root = fv__plan_root(plan, spec->operand[k]);
        if (plan->buffers[root].scope != FV_SCOPE_IMAGE || fv__plan_keeps(plan, root))
            continue;
        const int there = r->depth[root] > 0 ? r->until[root] : r->last[root];
        *until = there < *until ? there : *until;
        n += r->depth[root];
    }
    return n;
}

/* Decides which buffers can be recomputed, inputs before the values computed from them. A value without
 * later readers counts too, because other values may be recomputed from it. */
static void choose(remaking *r)
{
    const fv_plan *const plan = r->plan;
    for (int s = 0; s < (int)plan->n_steps; s++) {
        const fv_step *const step = &plan->steps[s];
        const int out = fv__plan_root(plan, step->spec.operand[0]);
        if (!is_cheap(step) || !is_forward(plan, step) || r->writer[out] != s || fv__plan_keeps(plan, out))
            continue;
        const int n = count_steps(r, s, &r->until[out]);
        if (n <= FV_REMAKE_STEPS && needed_until(r, s) <= r->until[out])
            r->depth[out] = n;
    }
}

static fv_status emit(remaking *r, const fv_step *step)
{
    void *array = r->steps;
    FV_TRY(fv__grow(r->plan->ctx, &array, r->n_steps, &r->capacity, sizeof *r->steps));
    r->steps = array;
    r->steps[r->n_steps++] = *step;
    return FV_OK;
}

/* Inserts a copy of the step that writes `root` into `phase`, after copies of those that write its inputs. */
static fv_status recompute(remaking *r, int root, int phase)
{
    fv_plan *const plan = r->plan;
    fv_step copy = plan->steps[r->writer[root]];
    int *const made = &r->copy[phase % 2][root];
    if (r->made[phase % 2][root] == phase)
        return FV_OK;
    for (int k = 1; k < copy.spec.n_operands; k++) {
        const int input = fv__plan_root(plan, copy.spec.operand[k]);
        if (r->depth[input] == 0)
            continue;
        FV_TRY(recompute(r, input, phase));
        copy.spec.operand[k] = r->copy[phase % 2][input];
    }
    fv_buffer buffer = plan->buffers[root];
    buffer.name = fv__arena_printf(&plan->arena, "%s again", buffer.name);
    FV_TRY(buffer.name ? fv__plan_buffer(plan, buffer, made) : FV_ERR_MEMORY);
    plan->buffers[*made].remade = root;
    r->made[phase % 2][root] = phase;
    copy.spec.operand[0] = *made;
    copy.phase = phase;
    return emit(r, &copy);
}

/* Recomputes in phase p those inputs of `reader` that can be recomputed there. */
static fv_status recompute_inputs(remaking *r, const fv_step *reader, int p)
{
    for (int k = 0; k < reader->spec.n_operands; k++) {
        const int root = fv__plan_root(r->plan, reader->spec.operand[k]);
        if (is_read(&reader->spec, k) && r->depth[root] > 0 && phase_of_copy(r, reader, root) == p)
            FV_TRY(recompute(r, root, p));
    }
    return FV_OK;
}

/* Appends a step of the original list, whose operands now are the copies. */
static fv_status keep_step(remaking *r, fv_step step)
{
    for (int k = 0; k < step.spec.n_operands; k++) {
        const int root = fv__plan_root(r->plan, step.spec.operand[k]);
        const int phase = is_read(&step.spec, k) && r->depth[root] > 0 ? phase_of_copy(r, &step, root) : -1;
        if (phase >= 0)
            step.spec.operand[k] = r->copy[phase % 2][root];
    }
    return emit(r, &step);
}

/* Phase p, of `steps`. Copies whose whole outputs the next phase needs follow its per-block steps. */
static fv_status remake_phase(remaking *r, int p, const fv_step *steps)
{
    fv_phase *const phase = &r->plan->phases[p];
    const int n = phase->n_steps, n_block = phase->n_block_steps;
    phase->first_step = (int)r->n_steps;
    for (const fv_step *s = steps; s < steps + n_block; s++) {
        FV_TRY(recompute_inputs(r, s, p));
        FV_TRY(keep_step(r, *s));
    }
    for (const fv_step *s = steps + n; p + 1 < r->plan->n_phases && s < steps + n + phase[1].n_steps; s++)
        if (s->spec.domain != FV_PER_BLOCK)
            FV_TRY(recompute_inputs(r, s, p));
    phase->n_block_steps = (int)r->n_steps - phase->first_step;
    for (const fv_step *s = steps + n_block; s < steps + n; s++)
        FV_TRY(keep_step(r, *s));
    phase->n_steps = (int)r->n_steps - phase->first_step;
    return FV_OK;
}

static fv_status remake(remaking *r)
{
    fv_plan *const plan = r->plan;
    find_uses(r);
    choose(r);
    const fv_step *steps = plan->steps;
    for (int p = 0; p < plan->n_phases; p++) {
        const int n = plan->phases[p].n_steps;
        FV_TRY(remake_phase(r, p, steps));
        steps += n;
    }
    fv__free(plan->ctx, plan->steps);
    plan->steps = r->steps;
    plan->n_steps = r->n_steps;
    plan->step_capacity = r->capacity;
    r->steps = NULL;
    return FV_OK;
}

fv_status fv__plan_remake(fv_plan *plan)
{
    const size_t n = plan->n_buffers;
    remaking r = {.plan = plan, .n_buffers = n};
    if (plan->options.keep_all || plan->options.keep)
        return FV_OK;
    for (size_t t = 0; t < plan->n_steps; t++)
        r.n_uses += plan->steps[t].spec.n_operands;
    int *const numbers = fv__alloc(plan->ctx, 9 * n + 1 + (size_t)r.n_uses, sizeof *numbers);
    if (!numbers)
        return FV_ERR_MEMORY;
    int **const arrays[] = {&r.writer,  &r.last,    &r.depth,   &r.until,    &r.copy[0],
                            &r.copy[1], &r.made[0], &r.made[1], &r.first_use};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i] = numbers + i * n;
    r.use = r.first_use + n + 1;
    const fv_status status = remake(&r);
    fv__free(plan->ctx, r.steps);
    fv__free(plan->ctx, numbers);
    return status;
}
