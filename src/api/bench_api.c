/* bench_api.c - fv_bench: this machine's FMA peak, and each kernel's share of it.
 *
 * For the peak every worker only multiplies and adds in registers. For the kernels whole training steps run,
 * and every call of every kernel is timed in place, so that caches and neighbouring steps are those of
 * training. Seconds are summed over the workers, so with F flops in S seconds on T workers
 *
 *   gflops = F T / S / 1e9     is the rate of T workers together, as the peak is. */
#include "base/clock.h"
#include "base/pool.h"
#include "base/rng.h"
#include "ops/ops.h"
#include "train/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEAK_TASKS    60     /* per worker */
#define PEAK_ROUNDS   500000 /* of the fma loop in one task: about 2 ms */
#define N_ROUNDS      21     /* the median counts */
#define ROUND_SECONDS 0.05
#define TEXT_BYTES    160
#define BENCH_FLOPS   (100 * 1000 * 1000)

_Static_assert(FV_MAX_BENCH_BATCH == FV_MAX_RUN, "a measured step is one run of the plan");

typedef bool (*report_fn)(void *user, const fv_bench_result *result);

typedef struct bench {
    fv_context *ctx;
    int batch;
    double peak; /* flops a second of all workers together */
    report_fn report;
    void *user;
} bench;

/* ---- the peak --------------------------------------------------------------------------------------- */

typedef struct peak_run {
    const fv_kernels *kernels;
    double *seconds; /* [task] */
} peak_run;

static void peak_task(void *user, int task, int worker)
{
    (void)worker;
    const peak_run *const run = user;
    const double start = fv__seconds();
    run->kernels->peak(PEAK_ROUNDS);
    run->seconds[task] = fv__seconds() - start;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, ascending);
    return values[n / 2];
}

/* All workers run at once, and each times its own tasks, as it does for the kernels. */
static fv_status measure_peak(bench *b)
{
    const int threads = fv__pool_threads(b->ctx->pool);
    const size_t n_tasks = PEAK_TASKS * (size_t)threads;
    peak_run run = {fv__kernels(b->ctx->isa), fv__alloc(b->ctx, n_tasks, sizeof *run.seconds)};
    if (!run.seconds)
        return FV_ERR_MEMORY;
    const double flops = run.kernels->peak(PEAK_ROUNDS); /* also wakes the vector units */
    fv__pool_run(b->ctx->pool, (int)n_tasks, peak_task, &run);
    b->peak = flops * threads / median(run.seconds, n_tasks);
    fv__free(b->ctx, run.seconds);
    return FV_OK;
}

static fv_status report_peak(const bench *b)
{
    char shape[TEXT_BYTES];
    const int threads = fv__pool_threads(b->ctx->pool);
    snprintf(shape, sizeof shape, "%d thread%s, fused multiply-adds alone", threads, threads == 1 ? "" : "s");
    const fv_bench_result result = {
        .name = "peak", .shape = shape, .gflops = b->peak * 1e-9, .peak_share = 1};
    return b->report(b->user, &result) ? FV_OK : FV_STOPPED;
}

/* ---- the name of a step ------------------------------------------------------------------------------- */

/* "conv forward c1": the family of the operation, its part, and the layer. */
static void name_step(const fv_node *node, char name[TEXT_BYTES])
{
    static const char *const parts[] = {
        [FV_PART_FORWARD] = "forward", [FV_PART_LOSS] = "forward",          [FV_PART_DATA] = "backward",
        [FV_PART_WEIGHTS] = "weights", [FV_PART_BIAS] = "gradient",         [FV_PART_SUMS] = "sums",
        [FV_PART_UPDATE] = "update",   [FV_PART_STATISTICS] = "statistics", [FV_PART_TRACK] = "update",
    };
    snprintf(name, TEXT_BYTES, "%s %s %s", fv__op_family(node->op), parts[node->op->part], node->layer);
}

/* The weights [o][i/groups][window...] that a node multiplies or whose gradient it computes; rank 0 if it
 * has none. */
static fv_shape weights_of(const fv_graph *graph, const fv_node *node, int o, int i)
{
    const fv_tensor *const second = &graph->tensors[node->input[node->n_inputs > 1]];
    const fv_tensor *const tensor =
        node->op->part == FV_PART_WEIGHTS ? &graph->tensors[node->output] : second;
    const fv_shape s = tensor->shape;
    const bool multiplied = tensor->role == FV_ROLE_PARAMETER || tensor->role == FV_ROLE_GRADIENT;
    return multiplied && s.rank >= 2 && s.dim[0] == o && i % s.dim[1] == 0 ? s : (fv_shape){0};
}

/* "6@28x28 5x5 from 1" for convolutions, followed by ", 3 groups" if there are several; "10 from 84" for
 * linear layers; otherwise the shape of the result. A weight gradient is described like its forward pass. */
static void describe_step(const fv_graph *graph, const fv_node *node, char shape[TEXT_BYTES])
{
    const fv_part part = node->op->part;
    const fv_shape first = graph->tensors[node->input[0]].shape,
                   second = graph->tensors[node->input[node->n_inputs > 1]].shape;
    const fv_shape made = graph->tensors[node->output].shape;
    const fv_shape out = part == FV_PART_WEIGHTS ? first : made,
                   in = part == FV_PART_WEIGHTS ? second : first;
    const int o = part == FV_PART_DATA ? in.dim[0] : out.dim[0],
              i = part == FV_PART_DATA ? out.dim[0] : in.dim[0];
    const fv_shape weights = weights_of(graph, node, o, i);
    char text[FV_SHAPE_TEXT];
    size_t n;
    if (out.rank == 3)
        n = (size_t)snprintf(shape, TEXT_BYTES, "%d@%dx%d", out.dim[0], out.dim[1], out.dim[2]);
    else
        n = (size_t)snprintf(shape, TEXT_BYTES, "%s", fv__shape_text(out, text));
    if (weights.rank == 0)
        return;
    for (int k = 2; k < weights.rank; k++)
        n += (size_t)snprintf(shape + n, TEXT_BYTES - n, "%c%d", k > 2 ? 'x' : ' ', weights.dim[k]);
    n += (size_t)snprintf(shape + n, TEXT_BYTES - n, " from %d", in.dim[0]);
    if (i / weights.dim[1] > 1)
        snprintf(shape + n, TEXT_BYTES - n, ", %d groups", i / weights.dim[1]);
}

/* ---- the kernels ------------------------------------------------------------------------------------ */

/* seconds[step][round] of one training step, summed over the workers. The learning rate is 0, so the values
 * stay ordinary numbers. */
static fv_status time_steps(fv_run *run, const fv_batch *batch, size_t n_steps, double *seconds)
{
    double start = fv__seconds();
    int repeats = 0;
    for (; repeats < 2 || fv__seconds() - start < ROUND_SECONDS; repeats++) /* also warms the caches */
        FV_TRY(fv__run_step(run, batch, true));
    for (int round = 0; round < N_ROUNDS; round++) {
        FV_TRY(fv__run_profile(run, true)); /* resets the counts */
        for (int i = 0; i < repeats; i++)
            FV_TRY(fv__run_step(run, batch, true));
        const double *const sum = fv__run_seconds(run);
        for (size_t s = 0; s < n_steps; s++)
            seconds[s * N_ROUNDS + (size_t)round] = sum[s] / repeats;
    }
    return FV_OK;
}

/* Steps that only move data have no flops and are left out. */
static fv_status report_steps(const bench *b, const fv_plan *plan, const char *model, double *seconds)
{
    for (size_t s = 0; s < plan->n_steps; s++) {
        const fv_step *const step = &plan->steps[s];
        const double typical = median(seconds + s * N_ROUNDS, N_ROUNDS);
        const double flops = step->spec.flops * (step->spec.domain == FV_PER_BLOCK ? b->batch : 1);
        if (!step->node || flops <= 0 || typical <= 0)
            continue;
        char name[TEXT_BYTES], what[TEXT_BYTES], shape[2 * TEXT_BYTES];
        name_step(step->node, name);
        describe_step(plan->graph, step->node, what);
        snprintf(shape, sizeof shape, "%s, batch %d, %s", what, b->batch, model);
        const double rate = flops * fv__pool_threads(b->ctx->pool) / typical;
        const fv_bench_result result = {
            .name = name, .shape = shape, .gflops = rate * 1e-9, .peak_share = rate / b->peak};
        if (!b->report(b->user, &result))
            return FV_STOPPED;
    }
    return FV_OK;
}

/* `small`: skips a network of more than BENCH_FLOPS an image, unless it was asked for by name. */
static fv_status bench_model(const bench *b, const fv_zoo_entry *entry, bool small)
{
    fv_model *model = NULL;
    fv_trainer *trainer = NULL;
    double *seconds = NULL;
    fv_noise noise = {0};
    fv_status status = fv__model_create(b->ctx, entry->text, strlen(entry->text), entry->name, &model);
    if (status == FV_OK && small && fv_model_describe(model).flops > BENCH_FLOPS) {
        fv__model_destroy(model);
        return FV_OK;
    }
    if (status == FV_OK)
        status = fv__trainer_create(model, b->batch, "sgd", 0, &trainer);
    if (status == FV_OK)
        status = fv__noise_create(model, b->batch, &noise);
    if (status == FV_OK) {
        seconds = fv__alloc(b->ctx, trainer->plan->n_steps, N_ROUNDS * sizeof *seconds);
        status = seconds ? FV_OK : FV_ERR_MEMORY;
    }
    if (status == FV_OK) {
        const fv_batch batch = {.n = b->batch, .feed = noise.feed, .image_weight = 1.0f / (float)b->batch};
        status = time_steps(trainer->run, &batch, trainer->plan->n_steps, seconds);
    }
    if (status == FV_OK)
        status = report_steps(b, trainer->plan, entry->name, seconds);
    fv__free(b->ctx, seconds);
    fv__noise_destroy(&noise);
    fv__trainer_destroy(trainer);
    fv__model_destroy(model);
    return status;
}

/* All names are checked before anything is measured. */
static fv_status check_names(fv_context *ctx, const char *const *models)
{
    const char *known[64];
    int n = 0;
    for (; n < 64 && fv__zoo_at(n); n++)
        known[n] = fv__zoo_at(n)->name;
    for (; models && *models; models++) {
        const char *const nearest = fv__nearest(*models, known, n);
        if (!fv__zoo_find(*models))
            return fv__fail(ctx, FV_ERR_ARGUMENT, "fv_bench: no built-in model '%s'%s", *models,
                            fv__nearest_is(nearest).text);
    }
    return FV_OK;
}

fv_status fv_bench(fv_context *ctx, const char *const *models, int batch, report_fn report, void *user)
{
    FV_NEED(NULL, ctx);
    FV_WITHIN(ctx, batch, 1, FV_MAX_BENCH_BATCH);
    FV_NEED(ctx, report);
    FV_TRY(check_names(ctx, models));
    bench b = {.ctx = ctx, .batch = batch, .report = report, .user = user};
    FV_TRY(measure_peak(&b));
    FV_TRY(report_peak(&b));
    for (int i = 0; models && models[i]; i++)
        FV_TRY(bench_model(&b, fv__zoo_find(models[i]), false));
    for (int i = 0; !models && fv__zoo_at(i); i++)
        FV_TRY(bench_model(&b, fv__zoo_at(i), true));
    return FV_OK;
}
