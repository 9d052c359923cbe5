/* common.c - giving up, options, medians, the machine's peak. */
#include "common.h"

#include "base/clock.h"
#include "base/pool.h"
#include "kernels/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PEAK_TASKS = 3, MAX_THREADS = 1024 }; /* tasks a worker */
#define PEAK_ROUNDS 500000                   /* of the fma loop, a task: about 2 ms */

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
