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
    fv_model *const m = model_of("input image 1x1x5\n"
                                 "conv shared 1 1x3 pad=0x1 bias=no\n"
                                 "flatten\n"
                                 "linear full 5 bias=no\n"
                                 "softmax\n");
    assert_int_equal(layer(m, "shared").n_parameters, 3);
    assert_int_equal(layer(m, "shared").shape[2], 5);
    assert_int_equal(layer(m, "full").n_parameters, 25);
    fv_model_destroy(m);
}

/* "ANN": W1 3x4, W2 4x4, W3 4x1 and biases of 4, 4 and 1: 12 + 4 + 16 + 4 + 4 + 1. */
static void three_inputs_two_hidden_layers(void **state)
{
    (void)state;
    fv_model *const m = model_of("input image 3x1x1\nflatten\nlinear h1 4\nsigmoid\nlinear h2 4\nsigmoid\n"
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
        cmocka_unit_test(half_of_the_rectifiers_are_off),
    };
    return cmocka_run_group_tests_name("lecture_models", tests, setup, teardown);
}
