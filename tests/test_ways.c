/* test_ways.c - every way in the lists of convolutions, on all cases of the harness that it can do, against
 * the reference in double, on every instruction set: also where it is not the one that a plan takes.
 * Tolerance: the operation's own; of Winograd, whose transforms multiply by up to 8, sixteen times that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "op_harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};

typedef struct list {
    const fv_op *op;
    const char *way;
    int least; /* cases that it can do, at least */
} list;

static double root_mean_square(const double *v, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += v[i] * v[i];
    return sqrt(sum / (double)n);
}

static void compare(const op_call *call, const char *isa, const float *found, const double *expected)
{
    const double rms = root_mean_square(expected, call->n_out);
    const double tolerance = call->op->tolerance * (strncmp(call->way, "winograd", 8) == 0 ? 16 : 1);
    for (int64_t i = 0; i < call->n_out; i++)
        if (!(fabs((double)found[i] - expected[i]) <= tolerance * (fabs(expected[i]) + rms)))
            fail_msg("%s by %s, %s: value %lld is %.9g, expected %.9g", call->what, call->way, isa,
                     (long long)i, (double)found[i], expected[i]);
}

/* Whether the way can do the case; then it is right on every instruction set. */
static bool check_case(const fv_op *op, const char *way, int index)
{
    op_call call;
    bool can = false;
    op_call_case(&call, op, index, 20, OP_SMOOTH);
    op_call_check(&call);
    call.way = way;
    double *const expected = op_by_reference(&call);
    for (size_t isa = 0; isa < sizeof isas / sizeof *isas; isa++)
        for (int threads = 1; threads <= 3; threads += 2) {
            fv_context *const ctx = op_context(isas[isa], threads);
            float *const found = ctx ? op_by_plan(&call, ctx) : NULL;
            if (found)
                compare(&call, isas[isa], found, expected);
            can = can || found;
            free(found);
            if (ctx)
                fv_context_destroy(ctx);
        }
    free(expected);
    op_call_free(&call);
    return can;
}

static void test_every_way(void **state)
{
    (void)state;
    const list lists[] = {
        {&fv_op_conv, "winograd", 9},
        {&fv_op_conv, "winograd-1d", 5},
        {&fv_op_conv, "pixels", 20},
        {&fv_op_conv, "lines", fv_op_conv.n_cases},
        {&fv_op_conv_dx, "linear", 1},
        {&fv_op_conv_dx, "winograd", 7},
        {&fv_op_conv_dx, "winograd-1d", 3},
        {&fv_op_conv_dx, "pixels", 8},
        {&fv_op_conv_dx, "lines", fv_op_conv_dx.n_cases},
        {&fv_op_convtranspose, "linear", 4},
        {&fv_op_convtranspose, "winograd", 1},
        {&fv_op_convtranspose, "pixels", 8},
        {&fv_op_convtranspose, "lines", fv_op_convtranspose.n_cases},
        {&fv_op_conv_dw, "winograd", 8},
        {&fv_op_conv_dw, "rows", fv_op_conv_dw.n_cases},
        {&fv_op_conv_dw, "outputs", 15},
        {&fv_op_conv_dw, "blocks", fv_op_conv_dw.n_cases},
    };
    for (const list *l = lists; l < lists + sizeof lists / sizeof *lists; l++) {
        int n = 0;
        for (int index = 0; index < l->op->n_cases; index++)
            n += check_case(l->op, l->way, index);
        printf("%s by %s: %d of %d cases\n", l->op->name, l->way, n, l->op->n_cases);
        assert_in_range(n, l->least, l->op->n_cases);
    }
}

static void test_unknown_way(void **state)
{
    (void)state;
    assert_false(check_case(&fv_op_conv, "fourier", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_way), cmocka_unit_test(test_unknown_way)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
