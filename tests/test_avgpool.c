/* test_avgpool.c - what average pooling divides by at the edges: the whole window, with the zeros around the
 * image that it reaches, as torch.nn.AvgPool2d(K, stride=S, padding=P) does unless it is told otherwise. The
 * numbers are worked out by hand from the pixels 1 to 9, and hold for the kernels of every instruction set
 * and for the reference in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "op_harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};
enum { N = 2 }; /* the same image twice */

/* Tolerance: one rounding of numbers below 10. */
static void expect(const op_call *call, const char *who, int64_t i, double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-6))
        fail_msg("%s, %s: value %lld is %.9g, expected %.9g", call->what, who, (long long)i, found, expected);
}

static void check(const char *op, const char *words, fv_shape in, const double *given, fv_shape out,
                  const double *expected)
{
    op_call call = {.op = fv__op_find(op), .words = words, .n = N, .shape = {in}};
    const int64_t n_in = fv__shape_count(in), n_out = fv__shape_count(out);
    snprintf(call.what, sizeof call.what, "%s %s", op, words);
    call.value[0] = malloc((size_t)(N * n_in) * sizeof(double));
    assert_non_null(call.value[0]);
    for (int64_t i = 0; i < N * n_in; i++)
        call.value[0][i] = given[i % n_in];
    op_call_check(&call);
    assert_int_equal(call.n_out, N * n_out);
    double *const reference = op_by_reference(&call);
    for (int64_t i = 0; i < call.n_out; i++)
        expect(&call, "reference", i, reference[i], expected[i % n_out]);
    for (size_t isa = 0; isa < sizeof isas / sizeof *isas; isa++) {
        fv_context *ctx = op_context(isas[isa], 1);
        if (!ctx)
            continue;
        float *const found = op_by_plan(&call, ctx);
        for (int64_t i = 0; i < call.n_out; i++)
            expect(&call, isas[isa], i, (double)found[i], expected[i % n_out]);
        free(found);
        fv_context_destroy(ctx);
    }
    free(reference);
    op_call_free(&call);
}

static const double pixels[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
#define IMAGE(h, w) ((fv_shape){3, {1, h, w}})

/* Windows of 3x3 around every pixel: 4 pixels and 5 zeros in a corner, 6 and 3 at an edge. */
static void zeros_around_count(void **state)
{
    (void)state;
    static const double y[] = {12 / 9.0, 21 / 9.0, 16 / 9.0, 27 / 9.0, 45 / 9.0,
                               33 / 9.0, 24 / 9.0, 39 / 9.0, 28 / 9.0};
    static const double ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const double dx[] = {4 / 9.0, 6 / 9.0, 4 / 9.0, 6 / 9.0, 9 / 9.0,
                                6 / 9.0, 4 / 9.0, 6 / 9.0, 4 / 9.0};
    check("avgpool", "kernel=3 stride=1 pad=1", IMAGE(3, 3), pixels, IMAGE(3, 3), y);
    check("avgpool_dx", "kernel=3 stride=1 pad=1 size=3", IMAGE(3, 3), ones, IMAGE(3, 3), dx);
}

/* Windows of 2x2 from the row and column before the image on; those behind it, which no whole window reaches,
 * are left out. */
static void windows_that_begin_outside(void **state)
{
    (void)state;
    static const double y[] = {1 / 4.0, (2 + 3) / 4.0, (4 + 7) / 4.0, (5 + 6 + 8 + 9) / 4.0};
    static const double dy[] = {4, 8, 12, 16}, dx[] = {1, 2, 2, 3, 4, 4, 3, 4, 4};
    check("avgpool", "kernel=2 stride=2 pad=1", IMAGE(3, 3), pixels, IMAGE(2, 2), y);
    check("avgpool_dx", "kernel=2 stride=2 pad=1 size=3", IMAGE(2, 2), dy, IMAGE(3, 3), dx);
}

/* The size is rounded down: what no whole window reaches is not read, and no window is cut. */
static void what_no_whole_window_reaches(void **state)
{
    (void)state;
    static const double y[] = {(1 + 2 + 4 + 5) / 4.0}, dy[] = {4}, dx[] = {1, 1, 0, 1, 1, 0, 0, 0, 0};
    check("avgpool", "kernel=2", IMAGE(3, 3), pixels, IMAGE(1, 1), y);
    check("avgpool_dx", "kernel=2 size=3", IMAGE(1, 1), dy, IMAGE(3, 3), dx);
}

/* The whole image in one window of 3x5, a column of zeros on either side. */
static void one_window_wider_than_the_image(void **state)
{
    (void)state;
    static const double y[] = {45 / 15.0}, dy[] = {15}, dx[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    check("avgpool", "kernel=3x5 stride=1 pad=0x1", IMAGE(3, 3), pixels, IMAGE(1, 1), y);
    check("avgpool_dx", "kernel=3x5 stride=1 pad=0x1 size=3", IMAGE(1, 1), dy, IMAGE(3, 3), dx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_around_count),
        cmocka_unit_test(windows_that_begin_outside),
        cmocka_unit_test(what_no_whole_window_reaches),
        cmocka_unit_test(one_window_wider_than_the_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
