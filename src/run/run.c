/* run.c - executes a plan: the memory of one run, and the loop over its phases. */
#include "run/run.h"

#include "base/clock.h"
#include "base/pool.h"

#include <stdatomic.h>

struct fv_run {
    fv_context *ctx;
    const fv_plan *plan;
    float *shared;
    float **local; /* [worker]: values, then scratch */
    float **bound; /* [buffer]: external storage */
    int n_workers;
    const fv_batch *batch;
    bool prepared; /* the prepared steps of a frozen plan have run */
    int n_blocks;
    const fv_phase *phase;
    int n_block_tasks;
    int *n_range_tasks;    /* [step] */
    atomic_int bad_step;   /* the lowest step whose gradient was not finite; n_steps: none */
    double *seconds;       /* [worker][step] while profiling */
    double *total_seconds; /* [step] */
};

static fv_status allocate(fv_run *run)
{
    const fv_plan *const plan = run->plan;
    run->shared = fv__alloc(run->ctx, (size_t)plan->shared_floats, sizeof(float));
    run->local = fv__alloc(run->ctx, (size_t)run->n_workers, sizeof *run->local);
    run->bound = fv__alloc(run->ctx, plan->n_buffers, sizeof *run->bound);
    run->n_range_tasks = fv__alloc(run->ctx, plan->n_steps, sizeof *run->n_range_tasks);
    if (!run->shared || !run->local || !run->bound || !run->n_range_tasks)
        return FV_ERR_MEMORY;
    for (int w = 0; w < run->n_workers; w++) {
        run->local[w] =
            fv__alloc(run->ctx, (size_t)(plan->local_floats + plan->scratch_floats), sizeof(float));
        if (!run->local[w])
            return FV_ERR_MEMORY;
    }
    return FV_OK;
}

static fv_number gib(int64_t floats)
{
    return fv__fixed((double)floats * sizeof(float) / (1 << 30), 2);
}

fv_status fv__run_create(fv_context *ctx, const fv_plan *plan, fv_run **out)
{
    fv_run *const run = fv__alloc(ctx, 1, sizeof *run);
    if (!run)
        return FV_ERR_MEMORY;
    run->ctx = ctx;
    run->plan = plan;
    run->n_workers = fv__pool_threads(ctx->pool);
    const fv_status status = allocate(run);
    if (status != FV_OK) {
        fv__run_destroy(run);
        return fv__fail(ctx, status,
                        "%s: out of memory: a batch of %d takes %s GiB, and %s on each of %d threads, beside "
                        "the parameters",
                        plan->graph->source, plan->options.batch, gib(plan->shared_floats).text,
                        gib(plan->local_floats + plan->scratch_floats).text, fv__pool_threads(ctx->pool));
    }
    *out = run;
    return FV_OK;
}

void fv__run_destroy(fv_run *run)
{
    if (!run)
        return;
    fv_context *const ctx = run->ctx;
    for (int w = 0; run->local && w < run->n_workers; w++)
        fv__free(ctx, run->local[w]);
    fv__free(ctx, run->local);
    fv__free(ctx, run->shared);
    fv__free(ctx, run->bound);
    fv__free(ctx, run->n_range_tasks);
    fv__free(ctx, run->seconds);
    fv__free(ctx, run->total_seconds);
    fv__free(ctx, run);
}

void fv__run_bind(fv_run *run, int tensor, float *storage)
{
    run->bound[tensor] = storage;
}

float *fv__run_buffer(fv_run *run, int tensor)
{
    const fv_buffer *const b = &run->plan->buffers[fv__plan_root(run->plan, tensor)];
    const bool kept = b->first < 0 && b->last >= (int)run->plan->n_steps;
    return b->place == FV_PLACE_SHARED && kept ? run->shared + b->offset : NULL;
}

double fv__run_loss(fv_run *run, const fv_graph *graph, int i)
{
    double sum = 0;
    for (int k = 0; k < graph->n_losses; k++)
        sum += (double)fv__run_buffer(run, graph->loss[k])[i];
    return sum;
}

void fv__run_refresh(fv_run *run)
{
    run->prepared = false;
}

size_t fv__run_bytes(const fv_run *run)
{
    const fv_plan *const plan = run->plan;
    return sizeof(float) *
           (size_t)(plan->shared_floats + run->n_workers * (plan->local_floats + plan->scratch_floats));
}

fv_status fv__run_profile(fv_run *run, bool on)
{
    fv__free(run->ctx, run->seconds);
    fv__free(run->ctx, run->total_seconds);
    run->seconds = run->total_seconds = NULL;
    if (!on)
        return FV_OK;
    const size_t n_steps = run->plan->n_steps;
    run->seconds = fv__alloc(run->ctx, n_steps * (size_t)run->n_workers, sizeof *run->seconds);
    run->total_seconds = fv__alloc(run->ctx, n_steps, sizeof *run->total_seconds);
    return run->seconds && run->total_seconds ? FV_OK : FV_ERR_MEMORY;
}

const double *fv__run_seconds(const fv_run *run)
{
    const size_t n_steps = run->plan->n_steps;
    for (size_t s = 0; run->total_seconds && s < n_steps; s++) {
        run->total_seconds[s] = 0;
        for (int w = 0; w < run->n_workers; w++)
            run->total_seconds[s] += run->seconds[(size_t)w * n_steps + s];
    }
    return run->total_seconds;
}

/* The address of a buffer that shares no other's memory, for the blocks from `block` on. Local memory holds
 * the blocks of one call only. */
static float *resolve(const fv_run *run, int root, int worker, int block)
{
    const fv_buffer *const b = &run->plan->buffers[root];
    switch (b->place) {
    case FV_PLACE_EXTERNAL:
        return run->bound[root];
    case FV_PLACE_LOCAL:
        return run->local[worker] + b->offset;
    case FV_PLACE_SHARED:
        return run->shared + b->offset + (fv__buffer_by_block(b) ? block * b->stride : 0);
    default:
        return NULL;
    }
}

static inline bool is_external(const fv_plan *plan, int buffer)
{
    return plan->buffers[fv__plan_root(plan, buffer)].place == FV_PLACE_EXTERNAL;
}

static void call_kernel(fv_run *run, int s, int worker, fv_call *call)
{
    const fv_plan *const plan = run->plan;
    const fv_step_spec *const spec = &plan->steps[s].spec;
    call->args = spec->args;
    call->relu = spec->relu;
    call->batch = run->batch;
    call->blocks_per_shard = plan->blocks_per_shard;
    call->scratch = run->local[worker] + plan->local_floats;
    for (int k = 0; k < spec->n_operands; k++) {
        const int root = fv__plan_root(plan, spec->operand[k]);
        call->p[k] = resolve(run, root, worker, call->first_block);
        call->stride[k] = plan->buffers[root].stride;
        if (spec->domain == FV_PER_BUNDLE)
            call->p[k] += call->begin * call->stride[k];
    }
    FV_ASSERT(call->n_blocks > 0 && (spec->domain == FV_PER_BLOCK || call->begin < call->end));
    for (int k = 0; k < spec->n_operands; k++)
        FV_ASSERT(call->p[k] && (is_external(plan, spec->operand[k]) || (uintptr_t)call->p[k] % 64 == 0));
    for (int k = spec->n_operands; k < FV_MAX_OPERANDS; k++)
        call->p[k] = NULL;
    const double start = run->seconds ? fv__seconds() : 0;
    plan->kernels->run[spec->kernel](call);
    if (run->seconds)
        run->seconds[(size_t)worker * plan->n_steps + (size_t)s] += fv__seconds() - start;
}

/* Keeps the lowest step whose gradient is not finite, in whatever order the workers find them. */
static void check_gradient(fv_run *run, int s, const fv_call *call)
{
    const fv_step_spec *const spec = &run->plan->steps[s].spec;
    const int64_t floats = spec->checked_floats, rows = spec->checked_rows > 0 ? spec->checked_rows : 1;
    bool finite = true;
    for (int64_t row = 0; finite && floats > 0 && row < rows; row++)
        finite = run->plan->kernels->all_finite(call->p[0] + (row * spec->units + call->begin) * floats,
                                                (call->end - call->begin) * floats);
    if (finite)
        return;
    int known = atomic_load(&run->bad_step);
    while (s < known && !atomic_compare_exchange_weak(&run->bad_step, &known, s))
        ;
}

static void run_blocks(fv_run *run, int task, int worker)
{
    const fv_phase *const phase = run->phase;
    const int begin = task * phase->blocks_per_task;
    const int end =
        begin + phase->blocks_per_task < run->n_blocks ? begin + phase->blocks_per_task : run->n_blocks;
    for (int block = begin; block < end; block += phase->group)
        for (int s = phase->first_step; s < phase->first_step + phase->n_block_steps; s++) {
            fv_call call = {.first_block = block,
                            .n_blocks = end - block < phase->group ? end - block : phase->group};
            call_kernel(run, s, worker, &call);
        }
}

static void run_range(fv_run *run, int s, int task, int worker)
{
    const fv_step_spec *const spec = &run->plan->steps[s].spec;
    fv_call call = {.n_blocks = run->n_blocks,
                    .by_units = spec->domain == FV_PER_RANGE,
                    .begin = spec->units * task / run->n_range_tasks[s],
                    .end = spec->units * (task + 1) / run->n_range_tasks[s]};
    if (spec->domain == FV_PER_BUNDLE)
        call.n_blocks = (int)(call.end - call.begin);
    call_kernel(run, s, worker, &call);
    check_gradient(run, s, &call);
}

static void run_task(void *user, int task, int worker)
{
    fv_run *const run = user;
    const fv_phase *const phase = run->phase;
    if (task < run->n_block_tasks) {
        run_blocks(run, task, worker);
        return;
    }
    task -= run->n_block_tasks;
    int s = phase->first_step + phase->n_block_steps;
    for (; task >= run->n_range_tasks[s]; s++)
        task -= run->n_range_tasks[s];
    run_range(run, s, task, worker);
}

/* If there are several, their number is a multiple of four, so that two or four workers end together. */
static int count_range_tasks(const fv_step_spec *spec)
{
    const int64_t n = (spec->units + spec->grain - 1) / spec->grain, even = (n + 3) / 4 * 4;
    return (int)(n <= 1 || even > spec->units ? n : even);
}

static void run_phase(fv_run *run, const fv_phase *phase)
{
    run->phase = phase;
    run->n_block_tasks =
        phase->n_block_steps > 0 ? (run->n_blocks + phase->blocks_per_task - 1) / phase->blocks_per_task : 0;
    int n_tasks = run->n_block_tasks;
    for (int s = phase->first_step + phase->n_block_steps; s < phase->first_step + phase->n_steps; s++) {
        const fv_step_spec *const spec = &run->plan->steps[s].spec;
        run->n_range_tasks[s] = count_range_tasks(spec);
        n_tasks += run->n_range_tasks[s];
    }
    fv__pool_run(run->ctx->pool, n_tasks, run_task, run);
}

static fv_status check_loss(fv_run *run)
{
    const fv_graph *const graph = run->plan->graph;
    for (int i = 0; i < graph->n_losses; i++) {
        const float *const values = fv__run_buffer(run, graph->loss[i]);
        if (values && !run->plan->kernels->all_finite(values, run->batch->n))
            return fv__fail(run->ctx, FV_ERR_NONFINITE,
                            "layer %s: expected a finite loss, found NaN or infinity",
                            graph->nodes[graph->tensors[graph->loss[i]].source].layer);
    }
    return FV_OK;
}

static fv_status check_finite(fv_run *run)
{
    FV_TRY(check_loss(run));
    const int s = atomic_load(&run->bad_step);
    if (s >= (int)run->plan->n_steps)
        return FV_OK;
    const fv_node *const node = run->plan->steps[s].node;
    return fv__fail(run->ctx, FV_ERR_NONFINITE,
                    "layer %s: expected a finite gradient, found NaN or infinity in %s", node->layer,
                    node->name);
}

fv_status fv__run_step(fv_run *run, const fv_batch *batch, bool update)
{
    const fv_plan *const plan = run->plan;
    run->batch = batch;
    run->n_blocks = (batch->n + FV_LANES - 1) / FV_LANES;
    atomic_store(&run->bad_step, (int)plan->n_steps);
    bool checked = false;
    for (int p = plan->options.frozen && run->prepared ? plan->n_prepared : 0; p < plan->n_phases; p++) {
        if (plan->phases[p].is_update && !checked) {
            FV_TRY(check_finite(run));
            checked = true;
        }
        if (!plan->phases[p].is_update || update)
            run_phase(run, &plan->phases[p]);
    }
    run->prepared = true;
    return checked ? FV_OK : check_finite(run);
}
