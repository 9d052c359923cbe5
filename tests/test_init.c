/* test_init.c - the first values of parameters: their moments, and that they are the same everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/model.h"
#include "one_context.h"

#include <math.h>
#include <string.h>

enum { N = 200000 };

typedef struct moments {
    double mean, deviation, kurtosis, largest;
} moments;

static moments moments_of(fv_init init, uint64_t seed)
{
    float *values = test_malloc(N * sizeof *values);
    fv__init_draw(&init, seed, 3, values, N);
    moments m = {0};
    double second = 0, fourth = 0;
    for (int i = 0; i < N; i++)
        m.mean += values[i] / (double)N;
    for (int i = 0; i < N; i++) {
        const double d = values[i] - m.mean;
        second += d * d / N;
        fourth += d * d * d * d / N;
        m.largest = fmax(m.largest, fabs(values[i]));
    }
    m.deviation = sqrt(second);
    m.kurtosis = fourth / (second * second);
    test_free(values);
    return m;
}

/* With N draws the mean deviates by s/sqrt(N) = 0.0022 s, the deviation by s/sqrt(2N) = 0.0016 s, and a
 * normal's kurtosis by sqrt(24/N) = 0.011: the bounds are five times that. */
static void expect_normal(fv_init init, double s)
{
    const moments m = moments_of(init, 1);
    assert_true(fabs(m.mean) < 0.0112 * s);
    assert_true(fabs(m.deviation - s) < 0.008 * s);
    assert_true(fabs(m.kurtosis - 3) < 0.055);
    assert_true(m.largest > 4 * s && m.largest < 7 * s);
}

/* U(-s, s): deviation s/sqrt(3), kurtosis 9/5; its extremes come near s but not past it. */
static void expect_uniform(fv_init init, double s)
{
    const moments m = moments_of(init, 1);
    assert_true(fabs(m.mean) < 0.0065 * s);
    assert_true(fabs(m.deviation - s / sqrt(3)) < 0.004 * s);
    assert_true(fabs(m.kurtosis - 1.8) < 0.02);
    assert_true(m.largest <= (float)s && m.largest > 0.999 * s);
}

static void moments_fit(void **state)
{
    (void)state;
    expect_normal((fv_init){.kind = FV_INIT_NORMAL, .scale = 0.01}, 0.01);
    expect_normal((fv_init){.kind = FV_INIT_HE, .fan_in = 50, .fan_out = 7}, 0.2);
    expect_normal((fv_init){.kind = FV_INIT_LECUN, .fan_in = 400, .fan_out = 7}, 0.05);
    expect_uniform((fv_init){.kind = FV_INIT_UNIFORM, .scale = 0.5}, 0.5);
    expect_uniform((fv_init){.kind = FV_INIT_XAVIER, .fan_in = 100, .fan_out = 50}, 0.2);
}

static void constants(void **state)
{
    (void)state;
    float values[3] = {7, 7, 7};
    fv__init_draw(&(fv_init){.kind = FV_INIT_ZERO, .scale = 5}, 1, 0, values, 3);
    assert_true(values[0] == 0 && values[1] == 0 && values[2] == 0);
    fv__init_draw(&(fv_init){.kind = FV_INIT_CONSTANT, .scale = 2.5}, 1, 0, values, 2);
    assert_true(values[0] == 2.5f && values[1] == 2.5f && values[2] == 0);
}

/* A value depends on its seed, its parameter and its place, and on nothing else. */
static void places(void **state)
{
    (void)state;
    const fv_init init = {.kind = FV_INIT_HE, .fan_in = 10};
    float few[10], many[100], other[100];
    fv__init_draw(&init, 5, 1, many, 100);
    fv__init_draw(&init, 5, 1, few, 10);
    assert_memory_equal(few, many, sizeof few);
    fv__init_draw(&init, 5, 2, other, 100);
    assert_memory_not_equal(other, many, sizeof many);
    fv__init_draw(&init, 6, 1, other, 100);
    assert_memory_not_equal(other, many, sizeof many);
    fv__init_draw(&init, 5ull << 32, 1, other, 100);
    assert_memory_not_equal(other, many, sizeof many);
}

/* A text of its own: the zoo may begin otherwise one day. */
static const char lenet5_he[] = "input image 1x28x28\nconv conv1 6 5x5 pad=2\nrelu\nmaxpool 2x2\n"
                                "conv conv2 16 5x5\nrelu\nmaxpool 2x2\nflatten\nlinear fc1 120\nrelu\n"
                                "linear fc2 84\nrelu\nlinear out 10\nsoftmax\n";

/* The hashes were taken once, on x86-64 with gcc; every machine and compiler has to arrive at them. */
static void pinned(void **state)
{
    (void)state;
    fv_model *model = NULL;
    assert_int_equal(fv_model_from_text(ctx, lenet5_he, "text", &model), FV_OK);
    const uint64_t first = fv_model_hash(model);
    assert_int_equal(fv_model_initialise(model, 1), FV_OK);
    const uint64_t second = fv_model_hash(model);
    assert_int_equal(fv_model_initialise(model, 0), FV_OK);
    assert_int_equal(fv_model_hash(model), first);
    fv_model_destroy(model);
    assert_int_equal(fv_model_open(ctx, "lenet5", &model), FV_OK);
    const uint64_t third = fv_model_hash(model);
    fv_model_destroy(model);
    assert_int_equal(first, 0xffa5183bd1fe0b1bull);
    assert_int_equal(second, 0x1cc5b1a109b12210ull);
    assert_int_equal(third, 0x3cb03c6e3f8507deull);
}

/* FNV-1a's own test: the hash of four zero bytes, one float. */
static void hash_is_fnv1a(void **state)
{
    (void)state;
    fv_model *model = NULL;
    assert_int_equal(
        fv_model_from_text(ctx, "input image 1x1x1\nflatten\nlinear a 1 bias=no\nsigmoid", "m", &model),
        FV_OK);
    fv__model_values(model, 0)[0] = 0;
    assert_true(fv_model_hash(model) == 0x4d25767f9dce13f5ull);
    /* padding and statistics are no part of it */
    fv__model_values(model, 0)[1] = 1;
    *fv__model_values(model, model->n_params - 1) = 3;
    assert_true(fv_model_hash(model) == 0x4d25767f9dce13f5ull);
    fv_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_fit), cmocka_unit_test(constants),     cmocka_unit_test(places),
        cmocka_unit_test(pinned),      cmocka_unit_test(hash_is_fnv1a),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
