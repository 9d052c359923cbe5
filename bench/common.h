/* common.h - functions that the programs of bench/ share: fatal errors, options, medians, the machine's
 * peak. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include "base/context.h"

/* Prints the reason on standard error and ends the program with exit code 1. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void die_unless_ok(fv_context *ctx, fv_status status, const char *what);
/* Parses a whole number in low..high; otherwise ends the program with exit code 2. */
int whole_option(const char *name, const char *text, int low, int high);
double real_option(const char *name, const char *text, double low, double high);

fv_context *open_context(int n_threads);
double median(double *values, int n); /* sorts them */
void pause_ms(int ms);

/* Seconds of a monotonic clock or, if asked for, of this process's CPU time: for one thread, on a machine
 * that other processes use. */
double bench_seconds(void);
void bench_use_cpu_time(void);

/* Flops a second of all workers of the context together, multiplying and adding in registers for some
 * milliseconds: the median of their tasks. */
double measure_peak(fv_context *ctx);
/* Bytes a second of all workers together, adding two arrays into a third, with `bytes` for all three
 * together: from the caches or from memory, as for a layer of that size. */
double measure_bandwidth(fv_context *ctx, double bytes);

#endif
