/* test_losses.c - pooling, softmax and losses where numbers are extreme or shapes are wrong: what the
 * harness's ordinary cases do not reach. Nothing may hide a NaN, and a wrong shape is a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "op_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_IMAGES = 18, N_CLASSES = 3 };
static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};
static const fv_shape one = {1, {1}}, classes = {1, {N_CLASSES}};

/* Calls `check` with the results of every ISA, and of the reference. */
static void on_every_isa(op_call *call, void (*check)(const op_call *call, const float *out))
{
    op_call_check(call);
    double *reference = op_by_reference(call);
    float *out = calloc((size_t)call->n_out, sizeof *out);
    for (int64_t i = 0; i < call->n_out; i++)
        out[i] = (float)reference[i];
    check(call, out);
    free(reference), free(out);
    for (int i = 0; i < 3; i++) {
        fv_context *ctx = op_context(isas[i], 1);
        if (!ctx)
            continue;
        out = op_by_kernels(call, ctx, 1, false);
        check(call, out);
        free(out);
        fv_context_destroy(ctx);
    }
}

/* ---- losses --------------------------------------------------------------------------------------- */

/* Image `sick` has one bad value, at a place that moves with `at`. */
static void make_scores(double *z, double *labels, int n, int sick, int at, double bad)
{
    for (int i = 0; i < N_IMAGES * n; i++)
        z[i] = 0.25 * (i % 7) - 0.5;
    for (int i = 0; i < N_IMAGES; i++)
        labels[i] = i % (n == 1 ? 2 : n);
    z[sick * n + at] = bad;
}

enum { SICK = 16 }; /* in the second, partly filled block */

static void only_the_sick_is_nan(const op_call *call, const float *loss)
{
    for (int i = 0; i < call->n; i++)
        if (isnan(loss[i]) != (i == SICK))
            fail_msg("%s: the loss of image %d is %g", call->what, i, (double)loss[i]);
}

static void test_nan_is_not_hidden(void **state)
{
    (void)state;
    const fv_op *const ops[] = {&fv_op_cross_entropy, &fv_op_squared_error, &fv_op_binary_cross_entropy};
    double z[N_IMAGES * N_CLASSES], labels[N_IMAGES];
    for (int k = 0; k < 3; k++) {
        const int n = k == 2 ? 1 : N_CLASSES;
        for (int at = 0; at < n; at++) {
            make_scores(z, labels, n, SICK, at, NAN);
            op_call call = {.op = ops[k], .n = N_IMAGES, .shape = {{1, {n}}, one}, .value = {z, labels}};
            strcpy(call.what, ops[k]->name);
            on_every_isa(&call, only_the_sick_is_nan);
        }
    }
}

static void the_sick_is_not_finite(const op_call *call, const float *loss)
{
    for (int i = 0; i < call->n; i++)
        if (isfinite(loss[i]) == (i == SICK))
            fail_msg("%s: the loss of image %d is %g", call->what, i, (double)loss[i]);
}

static void test_infinite_score_is_found(void **state)
{
    (void)state;
    double z[N_IMAGES * N_CLASSES], labels[N_IMAGES];
    for (int at = 0; at < N_CLASSES; at++) {
        make_scores(z, labels, N_CLASSES, SICK, at, INFINITY);
        op_call call = {
            .op = &fv_op_cross_entropy, .n = N_IMAGES, .shape = {classes, one}, .value = {z, labels}};
        strcpy(call.what, "infinite score");
        on_every_isa(&call, the_sick_is_not_finite);
    }
}

static void all_finite_and_right(const op_call *call, const float *loss)
{
    for (int i = 0; i < call->n; i++) {
        const double *const z = call->value[0] + i * N_CLASSES;
        const double expected = i == SICK ? z[0] - z[(int)call->value[1][i]] : loss[i];
        if (!isfinite(loss[i]) || fabs(loss[i] - expected) > 1e-6 * expected)
            fail_msg("%s: the loss of image %d is %g", call->what, i, (double)loss[i]);
    }
}

/* A score of 1e30: the other classes' probabilities are 0, the loss is the distance, and finite. */
static void test_huge_scores(void **state)
{
    (void)state;
    double z[N_IMAGES * N_CLASSES], labels[N_IMAGES];
    make_scores(z, labels, N_CLASSES, SICK, 0, (double)1e30f);
    op_call call = {.op = &fv_op_cross_entropy, .n = N_IMAGES, .shape = {classes, one}, .value = {z, labels}};
    strcpy(call.what, "huge score");
    on_every_isa(&call, all_finite_and_right);
}

static void sums_to_one(const op_call *call, const float *p)
{
    for (int i = 0; i < call->n; i++) {
        double sum = 0;
        for (int j = 0; j < N_CLASSES; j++) {
            assert_true(p[i * N_CLASSES + j] >= 0 && p[i * N_CLASSES + j] <= 1);
            sum += (double)p[i * N_CLASSES + j];
        }
        if (fabs(sum - 1) > 1e-6) /* three roundings of at most 6e-8 */
            fail_msg("%s: the probabilities of image %d sum to %.9g", call->what, i, sum);
    }
}

static void test_softmax_sums_to_one(void **state)
{
    (void)state;
    const double scores[] = {0, 88, -90, 1000, 3e38};
    double z[N_IMAGES * N_CLASSES], labels[N_IMAGES];
    for (int k = 0; k < 5; k++) {
        make_scores(z, labels, N_CLASSES, SICK, k % N_CLASSES, (double)(float)scores[k]);
        op_call call = {.op = &fv_op_softmax, .n = N_IMAGES, .shape = {classes}, .value = {z}};
        strcpy(call.what, "softmax");
        on_every_isa(&call, sums_to_one);
    }
}

/* ---- max pooling ---------------------------------------------------------------------------------- */

static void the_nan_wins(const op_call *call, const float *y)
{
    (void)call;
    assert_true(isnan(y[0]));
    for (int i = 1; i < 4; i++)
        assert_true(y[i] == 5.0f);
}

static void test_nan_wins_its_window(void **state)
{
    (void)state;
    const char *const words[] = {"kernel=2", "kernel=2 pad=0 stride=2x2", "kernel=2x2 stride=2"};
    for (int at = 0; at < 4; at++) {
        double x[16];
        for (int i = 0; i < 16; i++)
            x[i] = i % 2 && i / 4 % 2 ? 5 : -3;
        x[at / 2 * 4 + at % 2] = NAN;
        op_call call = {
            .op = &fv_op_maxpool, .words = words[at % 3], .n = 1, .shape = {{3, {1, 4, 4}}}, .value = {x}};
        on_every_isa(&call, the_nan_wins);
    }
}

static void overlapping_nan_wins(const op_call *call, const float *y)
{
    (void)call;
    for (int i = 0; i < 4; i++)
        assert_true(isnan(y[i]));
}

static void test_nan_wins_general_windows(void **state)
{
    (void)state;
    double x[16] = {1, 2, 3, 4, 5, NAN, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    op_call call = {
        .op = &fv_op_maxpool, .words = "kernel=3 stride=1", .n = 1, .shape = {{3, {1, 4, 4}}}, .value = {x}};
    on_every_isa(&call, overlapping_nan_wins);
}

static void all_minus_one(const op_call *call, const float *y)
{
    for (int64_t i = 0; i < call->n_out; i++)
        assert_true(y[i] == -1.0f);
}

/* Were it zeros, a padded image of negative values would pool to 0. */
static void test_padding_is_minus_infinity(void **state)
{
    (void)state;
    double x[9] = {-1, -1, -1, -1, -1, -1, -1, -1, -1};
    op_call call = {.op = &fv_op_maxpool,
                    .words = "kernel=3 stride=2 pad=1",
                    .n = 1,
                    .shape = {{3, {1, 3, 3}}},
                    .value = {x}};
    on_every_isa(&call, all_minus_one);
}

static void first_takes_all(const op_call *call, const float *dx)
{
    const float expected[9] = {1, 2, 0, 3, 4, 0, 0, 0, 0};
    assert_int_equal(call->n_out, 9);
    for (int i = 0; i < 9; i++)
        assert_true(dx[i] == expected[i]);
}

static void test_first_of_equals_takes_the_gradient(void **state)
{
    (void)state;
    double dy[4] = {1, 2, 3, 4}, x[9] = {0};
    op_call call = {.op = &fv_op_maxpool_dx,
                    .words = "kernel=2 stride=1",
                    .n = 1,
                    .shape = {{3, {1, 2, 2}}, {3, {1, 3, 3}}},
                    .value = {dy, x}};
    on_every_isa(&call, first_takes_all);
}

/* ---- shapes --------------------------------------------------------------------------------------- */

typedef struct wrong {
    const fv_op *op;
    fv_window_attrs window;
    fv_shape shape;
    const char *message;
} wrong;

static void test_wrong_shapes(void **state)
{
    (void)state;
    const wrong cases[] = {
        {&fv_op_maxpool,
         {{2, {5, 5}}, {1, {0}}, {1, {0}}},
         {3, {6, 4, 9}},
         "here: expected a window of at most 4x9, found 5x5"},
        {&fv_op_avgpool,
         {{2, {3, 6}}, {1, {1}}, {1, {1}}},
         {3, {1, 3, 3}},
         "here: expected a window of at most 5x5, found 3x6"},
        {&fv_op_maxpool,
         {{1, {3}}, {1, {1}}, {2, {1, 2}}},
         {3, {1, 9, 9}},
         "here: padding 2 is more than half the window's width: expected at most 1"},
        {&fv_op_avgpool,
         {{1, {2}}, {1, {2}}, {1, {0}}},
         {1, {10}},
         "here: expected a signal, an image or a video (channels, then one to three directions), found 10"},
        {&fv_op_maxpool,
         {{2, {2, 2}}, {1, {2}}, {1, {0}}},
         {2, {3, 10}},
         "here: kernel: expected one number, for the input has one direction, found 2"},
        {&fv_op_avgpool,
         {{1, {3}}, {3, {1, 2, 3}}, {1, {0}}},
         {3, {3, 10, 10}},
         "here: stride: expected one number, or two for the input's two directions, found 3"},
        {&fv_op_maxpool,
         {{1, {3}}, {1, {1}}, {3, {2, 0, 0}}},
         {4, {3, 10, 10, 10}},
         "here: padding 2 is more than half the window's depth: expected at most 1"},
        {&fv_op_avgpool,
         {{3, {3, 5, 9}}, {1, {1}}, {3, {1, 0, 1}}},
         {4, {3, 4, 4, 4}},
         "here: expected a window of at most 6x4x6, found 3x5x9"},
    };
    fv_context *ctx = op_context("portable", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const fv_tensor x = {.name = "x", .shape = cases[i].shape, .role = FV_ROLE_VALUE};
        fv_infer q = {.ctx = ctx, .what = "here", .attrs = &cases[i].window, .n_inputs = 1, .input = {&x}};
        assert_int_equal(cases[i].op->infer(&q), FV_ERR_INPUT);
        assert_string_equal(fv_message(ctx), cases[i].message);
    }
    fv_context_destroy(ctx);
}

static void test_wrong_loss_shapes(void **state)
{
    (void)state;
    fv_context *ctx = op_context("portable", 1);
    fv_tensor z = {.name = "z", .shape = {1, {2}}, .role = FV_ROLE_VALUE};
    fv_tensor label = {.name = "label", .shape = {1, {3}}, .role = FV_ROLE_INPUT};
    fv_cross_entropy_attrs attrs = {.weight = 1};
    fv_infer q = {.ctx = ctx, .what = "here", .attrs = &attrs, .n_inputs = 2, .input = {&z, &label}};
    assert_int_equal(fv_op_cross_entropy.infer(&q), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx), "here: expected one label per image, found 'label' of 3");
    assert_int_equal(fv_op_binary_cross_entropy.infer(&q), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx), "here: the target 'label' is 3; expected 2, like the values, or one "
                                         "class number");
    z.shape = FV_SHAPE(4, 3, 5);
    label.shape = FV_SHAPE(1, 5, 3);
    assert_int_equal(fv_op_cross_entropy.infer(&q), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx), "here: expected 1x3x5, found 'label' of 1x5x3");
    assert_int_equal(fv_op_huber.infer(&q), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx),
                        "here: the target 'label' is 1x5x3; expected 4x3x5, like the values");
    label.shape = FV_SHAPE(1, 3, 5);
    attrs.n_weights = 3;
    assert_int_equal(fv_op_cross_entropy.infer(&q), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx), "here: expected a weight for each of 4 classes, found 3");
    fv_context_destroy(ctx);
}

/* A NaN among the values of any loss is a NaN in the loss. */
static void test_nan_in_every_loss(void **state)
{
    (void)state;
    static const fv_op *const ops[] = {
        &fv_op_cross_entropy, &fv_op_squared_error, &fv_op_absolute_error, &fv_op_binary_cross_entropy,
        &fv_op_huber,         &fv_op_hinge,         &fv_op_perceptron};
    fv_context *ctx = op_context("portable", 2);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (int at = 0; at < 3; at++) {
            double values[] = {0.5, -0.25, 0.125}, label = 1;
            values[at] = NAN;
            op_call call = {.op = ops[i],
                            .words = "",
                            .n = 1,
                            .shape = {{1, {3}}, {1, {1}}},
                            .value = {values, &label},
                            .what = "NaN"};
            op_call_check(&call);
            float *const loss = op_by_kernels(&call, ctx, 1, 0);
            if (!isnan(*loss))
                fail_msg("%s: the loss of a NaN at %d is %g", ops[i]->name, at, (double)*loss);
            free(loss);
        }
    fv_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nan_is_not_hidden),
        cmocka_unit_test(test_infinite_score_is_found),
        cmocka_unit_test(test_huge_scores),
        cmocka_unit_test(test_softmax_sums_to_one),
        cmocka_unit_test(test_nan_wins_its_window),
        cmocka_unit_test(test_nan_wins_general_windows),
        cmocka_unit_test(test_padding_is_minus_infinity),
        cmocka_unit_test(test_first_of_equals_takes_the_gradient),
        cmocka_unit_test(test_wrong_shapes),
        cmocka_unit_test(test_wrong_loss_shapes),
        cmocka_unit_test(test_nan_in_every_loss),
    };
    return cmocka_run_group_tests_name("losses", tests, NULL, NULL);
}
