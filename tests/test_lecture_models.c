/* test_lecture_models.c - sizes that the lectures state: parameters and shapes of layers, by the models of
 * examples/lectures and by models that are written here. All exact, but for the share of rectifiers that are
 * off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fovea.h"
#include "one_context.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fv_model *model_of(const char *text)
{
    fv_model *model = NULL;
    if (fv_model_from_text(ctx, text, "lecture", &model) != FV_OK)
        fail_msg("%s", fv_message(ctx));
    return model;
}

static fv_model *example(const char *name)
{
    char path[1024];
    fv_model *model = NULL;
    snprintf(path, sizeof path, "%s/examples/lectures/%s.fovea", getenv("FOVEA_SOURCE"), name);
    if (fv_model_open(ctx, path, &model) != FV_OK)
        fail_msg("%s", fv_message(ctx));
    return model;
}

static fv_layer_info layer(const fv_model *model, const char *name)
{
    for (int i = 0; i < fv_model_describe(model).n_layers; i++)
        if (strcmp(fv_model_layer(model, i).name, name) == 0)
            return fv_model_layer(model, i);
    fail_msg("no layer '%s'", name);
    return (fv_layer_info){0};
}

static void expect_image(const fv_model *model, const char *name, int c, int h, int w, int64_t n_parameters)
{
    const fv_layer_info found = layer(model, name);
    assert_int_equal(found.rank, 3);
    assert_int_equal(found.shape[0], c);
    assert_int_equal(found.shape[1], h);
    assert_int_equal(found.shape[2], w);
    assert_int_equal(found.n_parameters, n_parameters);
}

/* "Neural network architecture": n = 5 units to 5 units are n^2 = 25 weights fully connected, and 3 shared
 * ones. */
static void fully_connected_and_shared(void **state)
{
    (void)state;
    fv_model *const m = model_of("input signal 1x5\n"
                                 "conv shared 1 3 pad=1 bias=no\n"
                                 "flatten\n"
                                 "linear full 5 bias=no\n"
                                 "softmax\n");
    assert_int_equal(layer(m, "shared").n_parameters, 3);
    assert_int_equal(layer(m, "shared").shape[1], 5);
    assert_int_equal(layer(m, "full").n_parameters, 25);
    fv_model_destroy(m);
}

/* "ANN": W1 3x4, W2 4x4, W3 4x1 and biases of 4, 4 and 1: 12 + 4 + 16 + 4 + 4 + 1. */
static void three_inputs_two_hidden_layers(void **state)
{
    (void)state;
    fv_model *const m = model_of("input vector 3\nlinear h1 4\nsigmoid\nlinear h2 4\nsigmoid\n"
                                 "linear out 1\nsigmoid\n");
    assert_int_equal(fv_model_describe(m).n_parameters, 41);
    fv_model_destroy(m);
}

/* "Local receptive fields": 5x5 fields over 28x28 pixels are 24x24 hidden units, of 25 weights and a bias
 * each map; pooled 2x2 they are 12x12. One fully connected hidden unit has 785. */
static void receptive_fields(void **state)
{
    (void)state;
    fv_model *const m = example("local-fields");
    expect_image(m, "maps", 3, 24, 24, 3 * (5 * 5 + 1));
    expect_image(m, "maxpool", 3, 12, 12, 0);
    fv_model_destroy(m);
}

/* "Stacking convolved images": a filter of 6x6x3 over 32x32x3 gives 27x27; D filters are D channels. */
static void stacked_channels(void **state)
{
    (void)state;
    fv_model *const m = example("stacking");
    expect_image(m, "filters", 8, 27, 27, 8 * (6 * 6 * 3 + 1));
    fv_model_destroy(m);
}

/* "A stride of s yields a feature map with 1/s of the input resolution." */
static void strides(void **state)
{
    (void)state;
    fv_model *const m = example("strided");
    expect_image(m, "conv1", 8, 14, 14, 8 * (9 + 1));
    expect_image(m, "conv2", 16, 7, 7, 16 * (8 * 9 + 1));
    fv_model_destroy(m);
}

/* The demonstration of a convolutional layer: 5x5x3, padded by 1, two filters 3x3x3, stride 2: 3x3x2. */
static void demonstration(void **state)
{
    (void)state;
    fv_model *const m =
        model_of("input image 3x5x5\nconv filters 2 3x3 stride=2 pad=1\nflatten\nlinear out 2\nsoftmax\n");
    expect_image(m, "filters", 2, 3, 3, 2 * (3 * 3 * 3 + 1));
    fv_model_destroy(m);
}

/* 150x150 pixels are 22500 inputs, of RGB three times as many. */
static void inputs(void **state)
{
    (void)state;
    fv_model *const grey = model_of("input image 1x150x150\nflatten\nlinear out 2 bias=no\nsoftmax\n");
    fv_model *const colour = model_of("input image 3x150x150\nflatten\nlinear out 2 bias=no\nsoftmax\n");
    assert_int_equal(layer(grey, "flatten").shape[0], 22500);
    assert_int_equal(layer(colour, "flatten").shape[0], 3 * 22500);
    fv_model_destroy(colour);
    fv_model_destroy(grey);
}

/* "Uniform initialisation of the weights implies that around 50% of the hidden units are off": of 2000 units
 * with weights symmetric around 0, half, within 5 standard deviations (5 * sqrt(0.25 / 2000) = 5.6%). */
static void half_of_the_rectifiers_are_off(void **state)
{
    (void)state;
    fv_model *const m = model_of("init uniform 0.5\ninput image 1x4x4\nflatten\nlinear hidden 2000\nrelu\n"
                                 "loss squared-error\n");
    uint8_t pixels[16];
    static float y[2000];
    int off = 0;
    fv_predictor *predictor = NULL;
    for (int i = 0; i < 16; i++)
        pixels[i] = (uint8_t)(17 * i);
    assert_int_equal(fv_predictor_create(m, 1, &predictor), FV_OK);
    assert_int_equal(fv_predictor_run_pixels(predictor, pixels, 1, y), FV_OK);
    for (int i = 0; i < 2000; i++)
        off += y[i] == 0;
    assert_in_range(off, 888, 1112);
    fv_predictor_destroy(predictor);
    fv_model_destroy(m);
}

/* "Shift by mean and normalise by standard deviation (over the training set)": training
 * leaves the model with the mean and 1 / deviation of all pixels / 255, here of 0, 51, 102, 153. */
static void inputs_are_standardised(void **state)
{
    (void)state;
    fv_model *const m = model_of("input image 1x1x2\nflatten\nlinear out 2\nsoftmax\n");
    const uint8_t pixels[4] = {0, 51, 102, 153};
    const int labels[2] = {0, 1};
    fv_data *data = NULL;
    fv_train_options options = fv_train_options_default();
    options.epochs = 1;
    assert_int_equal(fv_data_from_memory(ctx, pixels, labels, 2, 1, 1, 2, 2, &data), FV_OK);
    assert_int_equal(fv_train(m, data, NULL, &options, NULL, NULL), FV_OK);
    assert_string_equal(fv_model_statistic(m, 0).name, "input.mean");
    assert_true(fabs(fv_model_statistic(m, 0).values[0] - 0.3) < 1e-6);
    assert_string_equal(fv_model_statistic(m, 1).name, "input.inv_std");
    assert_true(fabs(fv_model_statistic(m, 1).values[0] - 1 / sqrt(0.05)) < 1e-5); /* (.09+.01+.01+.09) / 4 */
    fv_data_destroy(data);
    fv_model_destroy(m);
}

/* Accuracy: the share of images whose largest output is that of their class, 1/n sum of [argmax p = argmax
 * y]. */
static void accuracy_is_by_argmax(void **state)
{
    (void)state;
    enum { N = 200 };
    fv_model *const m = model_of("input image 1x28x28\nflatten\nlinear out 10\nsoftmax\n");
    const fv_data_options which = {.limit = N};
    fv_train_options options = fv_train_options_default();
    static float p[N][10];
    fv_data *data = NULL;
    fv_score score;
    int wrong = 0;
    options.epochs = 1;
    assert_int_equal(fv_data_open(ctx, "digits", FV_SPLIT_TRAIN, &which, &data), FV_OK);
    assert_int_equal(fv_train(m, data, NULL, &options, NULL, NULL), FV_OK);
    assert_int_equal(fv_predict(m, data, 0, N, p[0]), FV_OK);
    assert_int_equal(fv_evaluate(m, data, &score), FV_OK);
    for (int i = 0; i < N; i++) {
        int largest = 0;
        for (int j = 1; j < 10; j++)
            largest = p[i][j] > p[i][largest] ? j : largest;
        wrong += largest != fv_data_label(data, i);
    }
    assert_in_range(wrong, 1, N - 1);
    assert_int_equal(score.n_wrong, wrong);
    assert_true(score.error == (double)wrong / N);
    fv_data_destroy(data);
    fv_model_destroy(m);
}

/* The root mean square of each weight's change by one update of rate 1, first layer over last. */
static double first_over_last(const char *name)
{
    fv_data *data = NULL;
    double change[2] = {0};
    const fv_data_options which = {.limit = 64};
    assert_int_equal(fv_data_open(ctx, "digits", FV_SPLIT_TRAIN, &which, &data), FV_OK);
    fv_model *m[2]; /* as it began, since a rate of 1e-30 changes nothing, and after the update */
    for (int i = 0; i < 2; i++) {
        fv_train_options options = fv_train_options_default();
        options.epochs = 1;
        options.batch = 64;
        options.lr = i == 0 ? 1e-30 : 1;
        m[i] = example(name);
        assert_int_equal(fv_train(m[i], data, NULL, &options, NULL, NULL), FV_OK);
    }
    for (int end = 0; end < 2; end++) {
        const int k = end == 0 ? 0 : fv_model_n_parameters(m[0]) - 2; /* weights; the last is a bias */
        const fv_parameter_info a = fv_model_parameter(m[0], k), b = fv_model_parameter(m[1], k);
        const int n = a.shape[0] * a.shape[1];
        assert_int_equal(a.rank, 2);
        for (int i = 0; i < n; i++)
            change[end] += pow((double)b.values[i] - (double)a.values[i], 2) / n;
    }
    fv_model_destroy(m[0]);
    fv_model_destroy(m[1]);
    fv_data_destroy(data);
    return sqrt(change[0] / change[1]);
}

/* "Vanishing gradient": through six sigmoids the gradient of the first layer is a product of derivatives of
 * at most 1/4, so at most 4^-6 of what the weights alone would pass back; through six rectifiers it is of the
 * order of the last layer's. */
static void the_gradient_vanishes(void **state)
{
    (void)state;
    const double sigmoids = first_over_last("deep-sigmoid"), rectifiers = first_over_last("deep-relu");
    print_message("first layer's gradient over the last one's: sigmoids %.1e, rectifiers %.1e\n", sigmoids,
                  rectifiers);
    assert_true(sigmoids > 0 && sigmoids < 1e-3);
    assert_true(rectifiers > 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fully_connected_and_shared),
        cmocka_unit_test(three_inputs_two_hidden_layers),
        cmocka_unit_test(receptive_fields),
        cmocka_unit_test(stacked_channels),
        cmocka_unit_test(strides),
        cmocka_unit_test(demonstration),
        cmocka_unit_test(inputs),
        cmocka_unit_test(inputs_are_standardised),
        cmocka_unit_test(accuracy_is_by_argmax),
        cmocka_unit_test(the_gradient_vanishes),
        cmocka_unit_test(half_of_the_rectifiers_are_off),
    };
    return cmocka_run_group_tests_name("lecture_models", tests, setup, teardown);
}
