/* lecture_checks.h - how the tests of the lectures compare an operation with numbers: by the reference and by
 * every instruction set. Include after cmocka.h.
 *
 * Tolerance: 1e-12 for the double reference, 1e-5 for floats, whose inputs (tenths, eighteenths) are rounded
 * themselves and whose results stay below 100. */
#ifndef FV_TESTS_LECTURE_CHECKS_H
#define FV_TESTS_LECTURE_CHECKS_H

#include "op_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHAPE1(a)          ((fv_shape){1, {a}})
#define SHAPE3(a, b, c)    ((fv_shape){3, {a, b, c}})
#define SHAPE4(a, b, c, d) ((fv_shape){4, {a, b, c, d}})

/* Evaluates by the reference and by every ISA; all must give `expected`. */
static inline void expect(op_call call, fv_shape shape, const double *expected)
{
    static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};
    op_call_check(&call);
    if (!fv__shape_equal(call.out_shape, shape))
        fail_msg("%s: the output has another shape than expected", call.what);
    double *reference = op_by_reference(&call);
    for (int64_t i = 0; i < call.n_out; i++)
        if (!(fabs(reference[i] - expected[i]) <= 1e-12))
            fail_msg("%s: value %lld is %.15g, the lecture has %.15g", call.what, (long long)i, reference[i],
                     expected[i]);
    free(reference);
    for (size_t isa = 0; isa < sizeof isas / sizeof *isas; isa++) {
        fv_context *ctx = op_context(isas[isa], 1);
        if (!ctx)
            continue;
        float *found = op_by_plan(&call, ctx);
        for (int64_t i = 0; i < call.n_out; i++)
            if (!(fabs((double)found[i] - expected[i]) <= 1e-5))
                fail_msg("%s, %s: value %lld is %.9g, the lecture has %.9g", call.what, isas[isa],
                         (long long)i, (double)found[i], expected[i]);
        free(found);
        fv_context_destroy(ctx);
    }
}

/* One image through an operation with one or two inputs. */
static inline op_call one_image(const fv_op *op, const char *what, const char *words, fv_shape a,
                                double *a_values, fv_shape b, double *b_values)
{
    op_call call = {.op = op, .words = words, .n = 1, .shape = {a, b}, .value = {a_values, b_values}};
    strncpy(call.what, what, sizeof call.what - 1);
    return call;
}

#endif
