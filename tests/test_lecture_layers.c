/* test_lecture_layers.c - the worked examples of the lectures as model texts: the layers, given the slide's
 * weights, predict the slide's numbers. Tolerance 1e-5: inputs are tenths, rounded, and results stay below
 * 100. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fovea.h"
#include "one_context.h"

#include <math.h>

/* Values of x through the text's layers, whose parameter `name` is `w`, against `expected`. */
static void expect(const char *text, const char *name, const float *w, size_t n_w, const float *x,
                   const float *expected, int n)
{
    float y[64] = {0};
    fv_model *model = NULL;
    fv_predictor *predictor = NULL;
    assert_true(n <= 64);
    if (fv_model_from_text(ctx, text, "lecture", &model) != FV_OK)
        fail_msg("%s", fv_message(ctx));
    if (fv_model_set_parameter(model, name, w, n_w) != FV_OK)
        fail_msg("%s", fv_message(ctx));
    assert_int_equal(fv_model_describe(model).n_classes, n);
    assert_int_equal(fv_predictor_create(model, 1, &predictor), FV_OK);
    assert_int_equal(fv_predictor_run_values(predictor, x, 1, y), FV_OK);
    for (int i = 0; i < n; i++)
        if (!(fabsf(y[i] - expected[i]) <= 1e-5f))
            fail_msg("%s\nvalue %d is %.9g, expected %.9g", text, i, (double)y[i], (double)expected[i]);
    fv_predictor_destroy(predictor);
    fv_model_destroy(model);
}

static const float smoothing[9] = {0.1f, 0.1f, 0.1f, 0.1f, 0.2f, 0.1f, 0.1f, 0.1f, 0.1f};
static const float image[25] = {4, 3, 2, 4, 5, 6, 2, 4, 4, 5, 3, 5, 3, 7, 6, 6, 1, 9, 8, 7, 2, 1, 1, 2, 7};

/* "Convolutions - treating the border": mirroring, constant values, modulo, and those that other programs
 * have. In the corner, for instance, mirrored: (4+4+3 + 4+2*4+3 + 6+6+2) / 10 = 4.0; modulo: (7+2+1 + 5+2*4+3
 * + 5+6+2) / 10. */
static void test_borders(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int tenths[25];
    } borders[] = {
#define BORDERED(line) "input image 1x5x5\n" line "flatten\nloss squared-error\n"
        {BORDERED("conv c 1 3x3 pad=1 bias=no\n"), {19, 24, 21, 28, 23, 29, 34, 38, 44, 36, 26, 44, 46,
                                                    60, 43, 24, 32, 46, 58, 44, 12, 21, 23, 36, 31}},
        {BORDERED("border 1 mode=zero\nconv c 1 3x3 bias=no\n"),
         {19, 24, 21, 28, 23, 29, 34, 38, 44, 36, 26, 44, 46,
          60, 43, 24, 32, 46, 58, 44, 12, 21, 23, 36, 31}},
        {BORDERED("border 1 mode=constant:2\nconv c 1 3x3 bias=no\n"),
         {29, 30, 27, 34, 33, 35, 34, 38, 44, 42, 32, 44, 46,
          60, 49, 30, 32, 46, 58, 50, 22, 27, 29, 42, 41}},
        {BORDERED("border 1 mode=mirror\nconv c 1 3x3 bias=no\n"),
         {40, 33, 30, 39, 47, 42, 34, 38, 44, 52, 41, 44, 46,
          60, 61, 35, 32, 46, 58, 64, 25, 25, 27, 46, 61}},
        {BORDERED("conv c 1 3x3 pad=1 border=modulo bias=no\n"),
         {39, 28, 25, 38, 44, 45, 34, 38, 44, 49, 44, 44, 46,
          60, 58, 44, 32, 46, 58, 55, 38, 30, 32, 47, 52}},
        {BORDERED("border 1 mode=reflect\nconv c 1 3x3 bias=no\n"),
         {34, 36, 31, 41, 44, 39, 34, 38, 44, 51, 34, 44, 46,
          60, 62, 31, 32, 46, 58, 61, 22, 37, 41, 60, 64}},
        {BORDERED("border 1 mode=edge\nconv c 1 3x3 bias=no\n"),
         {40, 33, 30, 39, 47, 42, 34, 38, 44, 52, 41, 44, 46,
          60, 61, 35, 32, 46, 58, 64, 25, 25, 27, 46, 61}},
        {BORDERED("border 1 mode=modulo\nconv c 1 3x3 bias=no\n"),
         {39, 28, 25, 38, 44, 45, 34, 38, 44, 49, 44, 44, 46,
          60, 58, 44, 32, 46, 58, 55, 38, 30, 32, 47, 52}},
    };
    for (size_t i = 0; i < sizeof borders / sizeof *borders; i++) {
        float y[25];
        for (int k = 0; k < 25; k++)
            y[k] = (float)borders[i].tenths[k] / 10;
        expect(borders[i].text, "c.weight", smoothing, 9, image, y, 25);
    }
}

/* "Why we don't need deep learning": a sigmoid of a large weight is a step, and a sum of steps of chosen
 * heights approximates any continuous function: here 0.5 + 0.4 sin(2 pi x) on [0, 1] and its negative by 100
 * steps, each 0.4 * 2 pi / 100 high at most (0.025). */
static void test_steps_approximate_a_function(void **state)
{
    (void)state;
    enum { STEPS = 100, POINTS = 57 };
    static float slope[STEPS], at[STEPS], height[2 * STEPS];
    const float start[2] = {0.5f, -0.5f};
    fv_model *m = NULL;
    fv_predictor *predictor = NULL;
    const double pi = acos(-1.0);
    for (int k = 0; k < STEPS; k++) {
        const double rise = 0.4 * (sin(2 * pi * (k + 1) / STEPS) - sin(2 * pi * k / STEPS));
        slope[k] = 5000;
        at[k] = -5000 * ((float)k + 0.5f) / STEPS;
        height[k] = (float)rise;
        height[STEPS + k] = (float)-rise;
    }
    assert_int_equal(fv_model_from_text(ctx,
                                        "input image 1x1x1\nflatten\nlinear hidden 100\nsigmoid\n"
                                        "linear out 2\nloss squared-error\n",
                                        "steps", &m),
                     FV_OK);
    assert_int_equal(fv_model_set_parameter(m, "hidden.weight", slope, STEPS), FV_OK);
    assert_int_equal(fv_model_set_parameter(m, "hidden.bias", at, STEPS), FV_OK);
    assert_int_equal(fv_model_set_parameter(m, "out.weight", height, 2 * STEPS), FV_OK);
    assert_int_equal(fv_model_set_parameter(m, "out.bias", start, 2), FV_OK);
    assert_int_equal(fv_predictor_create(m, 1, &predictor), FV_OK);
    for (int i = 0; i <= POINTS; i++) {
        const float x = (float)i / POINTS;
        const double f = 0.5 + 0.4 * sin(2 * pi * (double)x);
        float y[2];
        assert_int_equal(fv_predictor_run_values(predictor, &x, 1, y), FV_OK);
        assert_true(fabs((double)y[0] - f) < 0.0252 && fabs((double)y[1] + f) < 0.0252);
    }
    fv_predictor_destroy(predictor);
    fv_model_destroy(m);
}

/* "Example (1d convolution)": (1 1 1 0 0) with the filter (1 0 1) is 2 1 1. */
static void test_signal(void **state)
{
    (void)state;
    const float x[5] = {1, 1, 1, 0, 0}, w[3] = {1, 0, 1}, y[3] = {2, 1, 1};
    expect("input signal 1x5\nconv c 1 3 bias=no\nflatten\nloss squared-error\n", "c.weight", w, 3, x, y, 3);
}

/* "Less than 2D, more than 3D": a video of 2 frames of 2x3 pixels; a mask of one frame more than the next:
 * y[t][i][j] = x[1][i][j] - x[0][i][j] + 2 (x[1][i][j+1] - x[0][i][j+1]). */
static void test_video(void **state)
{
    (void)state;
    const float x[12] = {1, 2, 3, 4, 5, 6, 3, 1, 4, 1, 5, 9}, w[4] = {-1, -2, 1, 2};
    const float y[4] = {2 + 2 * -1, -1 + 2 * 1, -3 + 2 * 0, 0 + 2 * 3};
    expect("input video 1x2x2x3\nconv c 1 2x1x2 bias=no\nflatten\nloss squared-error\n", "c.weight", w, 4, x,
           y, 4);
}

static double sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}

/* "Simple case: d = 1, m = 1": L = sum of (s(u s(w x)) - y)^2, and its two derivatives as the slide writes
 * them out. One update from x = -1, 1 (which are standardised already) takes the mean over both samples. */
static void test_two_weights(void **state)
{
    (void)state;
    const float w = 0.5f, u = -1.5f, x[2] = {-1, 1}, y[2] = {0.2f, 0.9f};
    const fv_data_field fields[] = {
        {.name = "input", .element = FV_F32, .rank = 1, .dims = {1}, .values = x},
        {.name = "target", .element = FV_F32, .rank = 1, .dims = {1}, .values = y},
    };
    const double rate = 0.25;
    double dw = 0, du = 0;
    for (int i = 0; i < 2; i++) {
        const double h = sigmoid(w * x[i]), p = sigmoid(u * h), common = 2 * (p - y[i]) * p * (1 - p);
        dw += common * u * h * (1 - h) * x[i] / 2;
        du += common * h / 2;
    }
    fv_model *m = NULL;
    fv_data *data = NULL;
    fv_train_options options = fv_train_options_default();
    options.epochs = 1;
    options.batch = 2;
    options.lr = rate;
    options.momentum = 0;
    options.schedule = FV_SCHEDULE_CONSTANT;
    const char *const text = "input vector 1\nlinear w 1 bias=no\nsigmoid\nlinear u 1 bias=no\nsigmoid\n"
                             "loss squared-error\n";
    if (fv_model_from_text(ctx, text, "two", &m) != FV_OK)
        fail_msg("%s", fv_message(ctx));
    assert_int_equal(fv_model_set_parameter(m, "w.weight", &w, 1), FV_OK);
    assert_int_equal(fv_model_set_parameter(m, "u.weight", &u, 1), FV_OK);
    assert_int_equal(fv_data_from_fields(ctx, fields, 2, 2, &data), FV_OK);
    if (fv_train(m, data, NULL, &options, NULL, NULL) != FV_OK)
        fail_msg("%s", fv_message(ctx));
    assert_true(fabs((double)fv_model_parameter(m, 0).values[0] - (w - rate * dw)) < 1e-6);
    assert_true(fabs((double)fv_model_parameter(m, 1).values[0] - (u - rate * du)) < 1e-6);
    assert_true(fabs(rate * dw) > 1e-3 && fabs(rate * du) > 1e-3);
    fv_data_destroy(data);
    fv_model_destroy(m);
}

/* "Transposed convolution": the mask is pasted at each place, scaled by the value there, and overlaps add up:
 * with strides 3, 2 and 1. With stride 1 the slide's last two rows sum to more than mask and image do (9 *
 * 10). */
static void test_transposed(void **state)
{
    (void)state;
    const float x[4] = {4, 3, 2, 0}, w[9] = {1, 1, 1, 1, 2, 1, 1, 1, 1};
    const float stride_3[36] = {4, 4, 4, 3, 3, 3, 4, 8, 4, 3, 6, 3, 4, 4, 4, 3, 3, 3,
                                2, 2, 2, 0, 0, 0, 2, 4, 2, 0, 0, 0, 2, 2, 2, 0, 0, 0};
    const float stride_2[25] = {4, 4, 7, 3, 3, 4, 8, 7, 6, 3, 6, 6, 9, 3, 3, 2, 4, 2, 0, 0, 2, 2, 2, 0, 0};
    const float stride_1[16] = {4, 7, 7, 3, 6, 13, 12, 3, 6, 11, 9, 3, 2, 2, 2, 0};
#define PASTED(keys)                                                                                         \
    "input image 1x2x2\nconvtranspose t 1 3x3 " keys " bias=no\nflatten\nloss squared-error\n"
    expect(PASTED("stride=3"), "t.weight", w, 9, x, stride_3, 36);
    expect(PASTED("stride=2"), "t.weight", w, 9, x, stride_2, 25);
    expect(PASTED("stride=1"), "t.weight", w, 9, x, stride_1, 16);
}

/* "Why is it called transposed": the 4x4 image through the mask, and a 2x2 image through the transposed
 * matrix. */
static void test_why_transposed(void **state)
{
    (void)state;
    const float w[9] = {1, 1, 1, 1, 2, 1, 1, 1, 1}, small[4] = {2, 3, 1, 0};
    const float x[16] = {4, 3, 2, 4, 6, 2, 4, 4, 3, 5, 3, 7, 6, 1, 9, 8}, y[4] = {34, 38, 44, 46};
    const float large[16] = {2, 5, 5, 3, 3, 8, 9, 3, 3, 7, 6, 3, 1, 1, 1, 0};
    expect("input image 1x4x4\nconv c 1 3x3 bias=no\nflatten\nloss squared-error\n", "c.weight", w, 9, x, y,
           4);
    expect(PASTED(""), "t.weight", w, 9, small, large, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_transposed),
        cmocka_unit_test(test_why_transposed),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_video),
        cmocka_unit_test(test_two_weights),
        cmocka_unit_test(test_steps_approximate_a_function),
    };
    return cmocka_run_group_tests_name("lecture_layers", tests, setup, teardown);
}
