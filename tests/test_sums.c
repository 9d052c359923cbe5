/* test_sums.c - long sums lose little: each reduction over many values of one image against its reference in
 * double, and against itself on every instruction set, bit by bit; a large bias costs one rounding, in every
 * form of convolution and linear layer.
 *
 * Errors are in units of 2^-24, the most that one rounding costs, of the value or of the output's root mean
 * square if that is more. Added up one after the other, n terms of one sign lose about 0.3 sqrt(n) of them
 * (the partial sums grow, and each is rounded), those of random sign 0.4 sqrt(n); in runs of 64 and a tree it
 * is 3, whatever n is, and in the runs of 128 of a linear layer 4. The largest of many errors is some times
 * that. Each bound is about twice what was measured; beside it stands what was measured with single runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "op_harness.h"

#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT 0x1p-24

static const char *const isas[] = {"avx512", "avx2", "neon", "portable"};
enum { N_ISAS = sizeof isas / sizeof *isas, SEED = 41 };

/* ---- what is summed ----------------------------------------------------------------------------------- */

/* Values of each input are drawn evenly from [low, high). */
typedef struct sum_case {
    const char *op, *words;
    int n;
    fv_shape shape[FV_MAX_INPUTS];
    double range[FV_MAX_INPUTS][2];
    double bound, single_run;
} sum_case;

static bool is_per_image(fv_role role)
{
    return role == FV_ROLE_VALUE;
}

/* Labels are the whole numbers of their range. */
static op_call make_call(const sum_case *c)
{
    op_call call = {.op = fv__op_find(c->op), .words = c->words, .n = c->n};
    assert_non_null(call.op);
    snprintf(call.what, sizeof call.what, "%s %s", c->op, c->words);
    for (int i = 0; i < call.op->n_inputs && c->shape[i].rank > 0; i++) {
        fv_rng rng = fv__rng(SEED, 0, (uint32_t)i, 0);
        const fv_role role = call.op->role[i];
        const int64_t n = fv__shape_count(c->shape[i]) * (is_per_image(role) ? c->n : 1);
        call.shape[i] = c->shape[i];
        call.value[i] = malloc((size_t)n * sizeof(double));
        assert_non_null(call.value[i]);
        for (int64_t k = 0; k < n; k++) {
            const double u = fv__rng_u32(&rng) * 0x1p-32;
            const double value = c->range[i][0] + (c->range[i][1] - c->range[i][0]) * u;
            call.value[i][k] = op_is_target(call.op, i) ? floor(value) : (double)(float)value;
        }
    }
    op_call_check(&call);
    return call;
}

/* The largest error of an output, in units. */
static double error_of(const op_call *call, const double *expected, const float *found)
{
    double squares = 0, most = 0;
    for (int64_t i = 0; i < call->n_out; i++)
        squares += expected[i] * expected[i];
    const double rms = sqrt(squares / (double)call->n_out);
    for (int64_t i = 0; i < call->n_out; i++) {
        const double size = fmax(fabs(expected[i]), rms), error = fabs((double)found[i] - expected[i]);
        most = fmax(most, isfinite(error) ? error / size / UNIT : INFINITY);
    }
    return most;
}

/* Runs the call on every instruction set; all must have the same bits. */
static float *run_everywhere(const op_call *call)
{
    float *first = NULL;
    for (int isa = 0; isa < N_ISAS; isa++) {
        fv_context *ctx = op_context(isas[isa], isa + 1);
        if (!ctx)
            continue;
        float *const found = op_by_plan(call, ctx);
        fv_context_destroy(ctx);
        if (!first) {
            first = found;
            continue;
        }
        if (memcmp(first, found, (size_t)call->n_out * sizeof *found) != 0)
            fail_msg("%s: other bits on %s", call->what, isas[isa]);
        free(found);
    }
    assert_non_null(first);
    return first;
}

static void check(op_call *call, double bound, double single_run)
{
    double *const expected = op_by_reference(call);
    float *const found = run_everywhere(call);
    const double error = error_of(call, expected, found);
    print_message("%-36s %6.2f units", call->what, error);
    if (single_run > 0) /* else it was not measured */
        print_message(", a single run %.1f", single_run);
    print_message("\n");
    if (!(error <= bound))
        fail_msg("%s: expected an error of at most %g units, found %g", call->what, bound, error);
    free(found);
    free(expected);
    op_call_free(call);
}

/* ---- long sums ---------------------------------------------------------------------------------------- */

#define CHANNELS(c)                                                                                          \
    {                                                                                                        \
        1,                                                                                                   \
        {                                                                                                    \
            c                                                                                                \
        }                                                                                                    \
    }
#define TOKENS(c, t)                                                                                         \
    {                                                                                                        \
        2,                                                                                                   \
        {                                                                                                    \
            c, t                                                                                             \
        }                                                                                                    \
    }
#define IMAGE(c, h, w)                                                                                       \
    {                                                                                                        \
        3,                                                                                                   \
        {                                                                                                    \
            c, h, w                                                                                          \
        }                                                                                                    \
    }
#define MANY    CHANNELS(12288)
#define CLASSES CHANNELS(20000)
#define PICTURE IMAGE(4, 224, 224)
#define EVEN                                                                                                 \
    {                                                                                                        \
        0.5, 1.5                                                                                             \
    }
#define UNSIGNED                                                                                             \
    {                                                                                                        \
        0, 1                                                                                                 \
    }
#define SIGNED                                                                                               \
    {                                                                                                        \
        -1, 1                                                                                                \
    }

static const sum_case sums[] = {
    {"avgpool", "kernel=224", 16, {IMAGE(1, 224, 224)}, {EVEN}, 3, 36},
    {"avgpool", "kernel=112 stride=56", 3, {IMAGE(1, 224, 224)}, {EVEN}, 4, 64},
    {"layernorm", "", 5, {MANY, MANY, MANY}, {UNSIGNED, EVEN, SIGNED}, 12, 78},
    {"layernorm_dx", "", 5, {MANY, MANY, MANY}, {EVEN, UNSIGNED, EVEN}, 40, 391},
    {"layernorm_dw", "", 16, {TOKENS(4, 16384), TOKENS(4, 16384)}, {SIGNED, UNSIGNED}, 10, 20},
    {"groupnorm", "groups=2", 5, {PICTURE, CHANNELS(4), CHANNELS(4)}, {UNSIGNED, EVEN, SIGNED}, 12, 0},
    {"groupnorm_dx", "groups=2", 5, {PICTURE, PICTURE, CHANNELS(4)}, {EVEN, UNSIGNED, EVEN}, 40, 0},
    {"groupnorm_dw", "groups=2", 16, {PICTURE, PICTURE}, {SIGNED, UNSIGNED}, 10, 0},
    {"prelu_dw", "", 16, {PICTURE, PICTURE}, {EVEN, {-1, 0}}, 3, 0},
    {"lrn", "size=12288 alpha=1000", 3, {MANY}, {EVEN}, 20, 0},
    {"lrn_dx", "size=12288 alpha=1000", 3, {MANY, MANY}, {EVEN, EVEN}, 45, 0},
    {"batchnorm_stats", "", 16, {IMAGE(8, 224, 224)}, {UNSIGNED}, 2, 4.7},
    {"batchnorm_sums", "", 16, {PICTURE, PICTURE, {2, {3, 4}}}, {EVEN, SIGNED, EVEN}, 4, 8.3},
    {"bias_db", "", 16, {PICTURE}, {EVEN}, 2.5, 29},
    {"softmax", "", 16, {CLASSES}, {SIGNED}, 8, 89},
    {"softmax_dx", "", 16, {CLASSES, CLASSES}, {UNSIGNED, {0, 1e-4}}, 10, 199},
    {"cross_entropy", "", 64, {CLASSES, CHANNELS(1)}, {SIGNED, {0, 20000}}, 4, 8.7},
    {"squared_error", "", 16, {CLASSES, CHANNELS(1)}, {UNSIGNED, {0, 20000}}, 4, 89},
    {"linear", "", 17, {MANY, {2, {8, 12288}}}, {UNSIGNED, SIGNED}, 30, 117},
    {"linear_dx", "", 17, {MANY, {2, {12288, 9}}}, {UNSIGNED, SIGNED}, 30, 93},
};

static void long_sums_lose_little(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        op_call call = make_call(&sums[i]);
        check(&call, sums[i].bound, sums[i].single_run);
    }
}

/* One query and a v that is 1 for one key alone: the output is that key's probability, of which the sum over
 * all keys is the only long one. */
static void attention_over_many_keys(void **state)
{
    (void)state;
    enum { KEYS = 16384, N = 4 };
    const sum_case c = {"attention", "heads=1 queries=1", N, {TOKENS(3, KEYS)}, {SIGNED}, 0, 0};
    op_call call = make_call(&c);
    for (int n = 0; n < N; n++)
        for (int j = 0; j < KEYS; j++)
            call.value[0][(n * 3 + 2) * KEYS + j] = j == 100 * n;
    check(&call, 6, 52);
}

/* ---- a large bias ------------------------------------------------------------------------------------- */

/* Sums of a few units and a bias of 10,000, whose last place is 2^-10: one rounding costs half of it, and the
 * sum itself, Winograd's most of all, less than 2^-13. A sum that starts from the bias is rounded to 2^-10 at
 * each of its terms. */
#define BIAS                                                                                                 \
    {                                                                                                        \
        1e4, 1e4                                                                                             \
    }
#define HALF_A_PLACE 0x1p-11
#define OF_THE_SUM   0x1p-13

#define WEIGHTS(o, i, k)                                                                                     \
    {                                                                                                        \
        4,                                                                                                   \
        {                                                                                                    \
            o, i, k, k                                                                                       \
        }                                                                                                    \
    }
#define AND_A_BIAS {SIGNED, SIGNED, BIAS}, 0, 0

static const sum_case biased[] = {
    {"conv", "pad=2", 17, {IMAGE(3, 9, 9), WEIGHTS(5, 3, 5), CHANNELS(5)}, AND_A_BIAS},
    {"conv", "groups=2 pad=1", 3, {IMAGE(32, 6, 6), WEIGHTS(4, 16, 3), CHANNELS(4)}, AND_A_BIAS},
    {"conv", "stride=2 pad=1", 3, {IMAGE(64, 9, 9), WEIGHTS(40, 64, 3), CHANNELS(40)}, AND_A_BIAS},
    {"conv", "pad=1", 3, {IMAGE(32, 8, 8), WEIGHTS(32, 32, 3), CHANNELS(32)}, AND_A_BIAS}, /* Winograd */
    {"conv", "", 3, {IMAGE(70, 5, 5), WEIGHTS(33, 70, 1), CHANNELS(33)}, AND_A_BIAS},
    {"linear", "", 70, {CHANNELS(300), {2, {31, 300}}, CHANNELS(31)}, AND_A_BIAS},
    {"linear", "", 3, {TOKENS(48, 17), {2, {40, 48}}, CHANNELS(40)}, AND_A_BIAS},
};

static void a_bias_is_added_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof biased / sizeof *biased; i++) {
        op_call call = make_call(&biased[i]);
        double *const expected = op_by_reference(&call);
        float *const found = run_everywhere(&call);
        for (int64_t k = 0; k < call.n_out; k++)
            if (!(fabs((double)found[k] - expected[k]) <= HALF_A_PLACE + OF_THE_SUM))
                fail_msg("%s: output %lld is %.9g, expected %.12g but for half a unit in the last place",
                         call.what, (long long)k, (double)found[k], expected[k]);
        free(found);
        free(expected);
        op_call_free(&call);
    }
}

/* The outputs of `op` in float, as an input of the next. */
static double *next_input(fv_context *ctx, op_call *call, double **exact)
{
    op_call_check(call);
    float *const found = op_by_plan(call, ctx);
    double *const values = malloc((size_t)call->n_out * sizeof *values);
    assert_non_null(values);
    *exact = op_by_reference(call);
    for (int64_t i = 0; i < call->n_out; i++)
        values[i] = (double)found[i];
    free(found);
    return values;
}

/* Root mean square of the errors of batch normalisation behind a convolution of 144 terms with a bias of
 * 10,000, against double. The sums deviate by 2 to 4, so that a rounding to 2^-10 is 1.0e-4 of that as a
 * mean; of a sum that starts from the bias, which is rounded 144 times, it was 8.5e-4. */
static void a_large_bias_before_batch_normalisation(void **state)
{
    (void)state;
    enum { N = 16, C = 16, PIXELS = 64 };
    const sum_case c = {"conv", "pad=1", N, {IMAGE(C, 8, 8), WEIGHTS(C, C, 3), CHANNELS(C)}, AND_A_BIAS};
    fv_context *ctx = op_context("portable", 2);
    op_call conv = make_call(&c);
    double *exact, *stats_exact;
    double *const y = next_input(ctx, &conv, &exact);
    op_call stats = {.op = fv__op_find("batchnorm_stats"), .n = N, .what = "s", .shape = {IMAGE(C, 8, 8)}};
    stats.value[0] = y;
    double *const found = next_input(ctx, &stats, &stats_exact);
    double squares = 0;
    for (int k = 0; k < C; k++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < N * PIXELS; i++)
            mean += exact[(i / PIXELS * C + k) * PIXELS + i % PIXELS] / (N * PIXELS);
        for (int i = 0; i < N * PIXELS; i++)
            variance += pow(exact[(i / PIXELS * C + k) * PIXELS + i % PIXELS] - mean, 2) / (N * PIXELS);
        for (int i = 0; i < N * PIXELS; i++) {
            const int at = (i / PIXELS * C + k) * PIXELS + i % PIXELS;
            squares += pow((y[at] - found[k]) * found[C + k] - (exact[at] - mean) / sqrt(variance + 1e-5), 2);
        }
    }
    const double rms = sqrt(squares / (N * C * PIXELS));
    print_message("a bias of 1e4 before batch normalisation: %.2g\n", rms);
    assert_true(rms <= 1.5e-4);
    free(found);
    free(exact);
    free(stats_exact);
    op_call_free(&conv);
    op_call_free(&stats);
    fv_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_sums_lose_little),
        cmocka_unit_test(attention_over_many_keys),
        cmocka_unit_test(a_bias_is_added_once),
        cmocka_unit_test(a_large_bias_before_batch_normalisation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
