/* common.c - fatal errors, options, medians, the machine's peak. */
#include "common.h"

#include "base/clock.h"
#include "base/pool.h"
#include "kernels/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PEAK_TASKS = 3, MAX_THREADS = 1024 }; /* tasks per worker */
#define PEAK_ROUNDS 500000                   /* of the fma loop per task: about 2 ms */

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void die_unless_ok(fv_context *ctx, fv_status status, const char *what)
{
    if (status != FV_OK)
        die("%s: %s", what, fv_message(ctx));
}

double real_option(const char *name, const char *text, double low, double high)
{
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end || !(value >= low && value <= high)) {
        fprintf(stderr, "bench: --%s: expected %g to %g, found '%s'\n", name, low, high, text);
        exit(2);
    }
    return value;
}

int whole_option(const char *name, const char *text, int low, int high)
{
    const double value = real_option(name, text, low, high);
    if (value != (int)value) {
        fprintf(stderr, "bench: --%s: expected a whole number, found '%s'\n", name, text);
        exit(2);
    }
    return (int)value;
}

fv_context *open_context(int n_threads)
{
    fv_context *ctx = NULL;
    char why[FV_MESSAGE_BYTES] = "";
    const fv_context_options options = {.n_threads = n_threads};
    if (fv_context_create(&options, &ctx, why, sizeof why) != FV_OK)
        die("%s", why);
    return ctx;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

void pause_ms(int ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static bool uses_cpu_time;

void bench_use_cpu_time(void)
{
    uses_cpu_time = true;
}

double bench_seconds(void)
{
    struct timespec now;
    if (!uses_cpu_time)
        return fv__seconds();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct peak_run {
    const fv_kernels *kernels;
    double *seconds; /* [task] */
} peak_run;

static void peak_task(void *user, int task, int worker)
{
    (void)worker;
    const peak_run *const run = user;
    const double start = bench_seconds();
    run->kernels->peak(PEAK_ROUNDS);
    run->seconds[task] = bench_seconds() - start;
}

double measure_peak(fv_context *ctx)
{
    double seconds[PEAK_TASKS * MAX_THREADS];
    const int threads = fv__pool_threads(ctx->pool);
    if (threads > MAX_THREADS)
        die("%d threads; expected at most %d", threads, MAX_THREADS);
    peak_run run = {fv__kernels(ctx->isa), seconds};
    const double flops = run.kernels->peak(PEAK_ROUNDS); /* also wakes the vector units */
    fv__pool_run(ctx->pool, PEAK_TASKS * threads, peak_task, &run);
    return flops * threads / median(seconds, PEAK_TASKS * threads);
}

typedef struct stream_run {
    const float *a, *b;
    float *sum;
    int64_t n; /* values of a task */
} stream_run;

static void stream_task(void *user, int task, int worker)
{
    (void)worker;
    const stream_run *const run = user;
    const int64_t first = task * run->n;
    const float *restrict const a = run->a + first, *restrict const b = run->b + first;
    float *restrict const sum = run->sum + first;
    for (int64_t i = 0; i < run->n; i++)
        sum[i] = a[i] + b[i];
}

double measure_bandwidth(fv_context *ctx, double bytes)
{
    enum { TURNS = 3 };
    const int threads = fv__pool_threads(ctx->pool);
    stream_run run = {.n = (int64_t)(bytes / 12 / threads) + 1};
    const int64_t n = run.n * threads;
    float *const memory =
        fv__alloc(ctx, (size_t)(3 * n), sizeof *memory); /* zeros, so that every page exists */
    if (!memory)
        die("%s", fv_message(ctx));
    run.a = memory, run.b = memory + n, run.sum = memory + 2 * n;
    const int repeats = (int)(20e6 / (12.0 * (double)n)) + 1;
    double seconds[TURNS];
    fv__pool_run(ctx->pool, threads, stream_task, &run);
    for (int t = 0; t < TURNS; t++) {
        const double start = bench_seconds();
        for (int i = 0; i < repeats; i++)
            fv__pool_run(ctx->pool, threads, stream_task, &run);
        seconds[t] = (bench_seconds() - start) / repeats;
    }
    fv__free(ctx, memory);
    return 12.0 * (double)n / median(seconds, TURNS);
}
