/* test_feeds.c - samples as named fields: models of several inputs, results and losses, regressions,
 * autoencoders and labelled pictures, from the text to the score. Every loss's gradient is checked in a whole
 * model. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fovea.h"
#include "scratch.h"
#include "training.h"

enum { N = 96 };

#define IMAGE "input image 1x6x6\n"

/* ---- gradients in whole models --------------------------------------------------------------------------
 */

static void every_loss_has_its_gradient(void **state)
{
    static const char *const texts[] = {
        IMAGE "flatten\nlinear a 5\nsoftmax\nloss cross-entropy smoothing=0.1 weights=1/2/0.5/1/3\n",
        IMAGE "conv a 3 3x3 pad=1\nloss pixel-cross-entropy\n",
        IMAGE "conv a 3 3x3 pad=1\nloss pixel-cross-entropy weights=1/2/0.5 weight=0.5\n",
        IMAGE "conv a 3 3x3 pad=1\nsoftmax\nloss pixel-cross-entropy\n",
        IMAGE "conv a 3 3x3 pad=1\nsoftmax\nconv b 2 3x3\nloss squared-error target=wanted\n",
        IMAGE "flatten\nlinear a 5\ntanh\nlinear b 4\nloss squared-error target=wanted\n",
        IMAGE "flatten\nlinear a 1\nloss squared-error\n",
        IMAGE "conv a 2 3x3 pad=1\ntanh\nconv b 1 3x3 pad=1\nsigmoid\nloss squared-error target=input\n",
        IMAGE "flatten\nlinear a 3\nloss absolute-error\n",
        IMAGE "flatten\nlinear a 3\nloss huber delta=0.5\n",
        IMAGE "flatten\nlinear a 4\nsigmoid\nloss binary-cross-entropy target=labels\n",
        IMAGE "flatten\nlinear a 1\nloss hinge\n",
        IMAGE "flatten\nlinear a 3\nloss hinge\n",
        IMAGE "flatten\nlinear a 1\nloss perceptron\n",
        "input vector 5\nlinear a 3\nsoftmax\n",
        "input vector 5\ninput vector 4 name=other\nlinear a 3\nlinear b 3 from=other\nadd a\nsoftmax\n",
        "input image 2x4x4\nflatten\nlinear a 6\ntanh\nlinear b 3\nsoftmax\nlinear c 2 from=a\n"
        "loss cross-entropy from=softmax weight=0.25\nloss squared-error target=place\nresult softmax\n",
    };
    scratch *s = *state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fv_model *m = training_model(s->ctx, texts[i]);
        const fv_check_options o = {.seed = 5, .batch = 5};
        fv_check_summary summary;
        assert_well(s->ctx, fv_model_check(m, &o, NULL, NULL, &summary));
        if (summary.n_wrong > 0 || summary.n_ok == 0)
            fail_msg("%s: %d gradients are wrong, %d right", texts[i], summary.n_wrong, summary.n_ok);
        fv_model_destroy(m);
    }
}

/* ---- training on fields ---------------------------------------------------------------------------------
 */

static uint32_t noise;

static float draw(void)
{
    noise = noise * 1664525u + 1013904223u;
    return (float)(int32_t)noise * 0x1p-31f;
}

static fv_train_options options_of(int epochs, double lr)
{
    fv_train_options o = fv_train_options_default();
    o.epochs = epochs;
    o.batch = 16;
    o.lr = lr;
    return o;
}

/* y = 3 x0 - 2 x1 + 0.5, learned from floats; the score is of values. */
static void a_line_is_found(void **state)
{
    scratch *s = *state;
    static float x[N][2], y[N];
    for (int i = 0; i < N; i++) {
        x[i][0] = draw(), x[i][1] = draw();
        y[i] = 3 * x[i][0] - 2 * x[i][1] + 0.5f;
    }
    const fv_data_field fields[] = {
        {.name = "x", .element = FV_F32, .rank = 1, .dims = {2}, .values = x},
        {.name = "target", .element = FV_F32, .rank = 1, .dims = {1}, .values = y},
    };
    fv_data *data;
    assert_well(s->ctx, fv_data_from_fields(s->ctx, fields, 2, N, &data));
    fv_model *m = training_model(s->ctx, "input vector 2\nlinear out 1\nloss squared-error\n");
    fv_train_options o = options_of(60, 0.1);
    o.momentum = 0.5;
    assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
    fv_score score;
    assert_well(s->ctx, fv_evaluate(m, data, &score));
    if (!(score.squared_error < 1e-5 && score.absolute_error < 3e-3))
        fail_msg("errors of %g and %g are left", score.squared_error, score.absolute_error);
    assert_int_equal(score.n_classes, 0);
    float out[N];
    assert_int_equal(fv_model_describe(m).n_outputs, 1);
    assert_well(s->ctx, fv_predict(m, data, 0, N, out));
    for (int i = 0; i < N; i++)
        assert_float_equal(out[i], y[i], 2e-2);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

/* An autoencoder learns its own input, and needs no labels. Shifted images have shifted targets. */
static void an_autoencoder_learns_its_input(void **state)
{
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, N, 1, 6, 6, 0);
    fv_model *m = training_model(s->ctx, IMAGE "conv code 4 3x3 pad=1\ntanh\nconv out 1 3x3 pad=1\nsigmoid\n"
                                               "loss squared-error target=input\n");
    fv_score before, after;
    fv_train_options o = options_of(30, 0.02);
    o.shift = 1;
    assert_well(s->ctx, fv_evaluate(m, data, &before));
    assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
    assert_well(s->ctx, fv_evaluate(m, data, &after));
    assert_true(after.loss < 0.6 * before.loss);
    uint8_t *bytes; /* the labels' names are not the model's: what it writes can be read */
    size_t n_bytes;
    fv_model *read = NULL;
    assert_well(s->ctx, fv_model_save_memory(m, &bytes, &n_bytes));
    assert_well(s->ctx, fv_model_from_memory(s->ctx, bytes, n_bytes, &read));
    assert_true(fv_model_hash(read) == fv_model_hash(m));
    assert_null(fv_model_class_name(read, 0));
    fv_bytes_destroy(s->ctx, bytes);
    fv_model_destroy(read);
    assert_int_equal(fv_model_describe(m).n_outputs, 36);
    assert_int_equal(fv_model_describe(m).n_classes, 0);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

/* Each pixel's class is whether it is bright: labels are a picture of bytes. */
static void every_pixel_has_a_class(void **state)
{
    scratch *s = *state;
    static uint8_t pixels[N][36], labels[N][36];
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 36; k++) {
            pixels[i][k] = (uint8_t)(127.5f + 127.0f * draw());
            labels[i][k] = pixels[i][k] > 127;
        }
    const fv_data_field fields[] = {
        {.name = "image", .scale = FV_SCALE_PIXELS, .rank = 3, .dims = {1, 6, 6}, .values = pixels},
        {.name = "label", .rank = 3, .dims = {1, 6, 6}, .n_classes = 2, .values = labels},
    };
    fv_data *data;
    assert_well(s->ctx, fv_data_from_fields(s->ctx, fields, 2, N, &data));
    fv_model *m = training_model(s->ctx, IMAGE "conv out 2 1x1\nloss pixel-cross-entropy\n");
    const fv_train_options o = options_of(30, 0.5);
    fv_score score;
    assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
    fv_class_score per_class[2];
    assert_well(s->ctx, fv_evaluate_classes(m, data, &score, per_class, NULL));
    assert_int_equal(score.n_labels, N * 36);
    assert_int_equal(per_class[0].n + per_class[1].n, N * 36);
    assert_true(score.error < 0.02);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

/* Two inputs, matched by name whatever their order in the data. */
static void two_inputs_are_told_apart(void **state)
{
    scratch *s = *state;
    static float a[N][3], b[N][2];
    static int32_t label[N];
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < 3; k++)
            a[i][k] = draw();
        b[i][0] = draw(), b[i][1] = draw();
        label[i] = a[i][0] + b[i][1] > 0;
    }
    const fv_data_field fields[] = {
        {.name = "label", .element = FV_I32, .rank = 1, .dims = {1}, .n_classes = 2, .values = label},
        {.name = "b", .element = FV_F32, .rank = 1, .dims = {2}, .values = b},
        {.name = "a", .element = FV_F32, .rank = 1, .dims = {3}, .values = a},
    };
    fv_data *data;
    assert_well(s->ctx, fv_data_from_fields(s->ctx, fields, 3, N, &data));
    fv_model *m = training_model(s->ctx, "input vector 3 name=a\ninput vector 2 name=b\nlinear p 2\n"
                                         "linear q 2 from=b\nadd p\nsoftmax\n");
    const fv_train_options o = options_of(60, 0.1);
    fv_score score;
    assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
    assert_well(s->ctx, fv_evaluate(m, data, &score));
    assert_true(score.error < 0.08);
    float together[2 * N], alone[2];
    assert_well(s->ctx, fv_predict(m, data, 0, N, together));
    for (int i = 0; i < N; i += 31) {
        assert_well(s->ctx, fv_predict(m, data, i, 1, alone));
        assert_memory_equal(alone, together + 2 * i, sizeof alone);
    }
    fv_predictor *predictor;
    assert_well(s->ctx, fv_predictor_create(m, 1, &predictor));
    assert_int_equal(fv_predictor_run_values(predictor, a[0], 1, alone), FV_ERR_ARGUMENT);
    assert_non_null(strstr(fv_message(s->ctx), "expected a model of one input, found 2"));
    fv_predictor_destroy(predictor);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

/* 1000 classes, as ImageNet has them; and as many as there may be. */
static void many_classes(void **state)
{
    scratch *s = *state;
    static uint8_t pixels[N][4];
    static int labels[N];
    for (int i = 0; i < N; i++) {
        labels[i] = 999 - i;
        for (int k = 0; k < 4; k++)
            pixels[i][k] = (uint8_t)(i >> 2 * k << 6);
    }
    fv_data *data;
    assert_well(s->ctx, fv_data_from_memory(s->ctx, pixels[0], labels, N, 4, 1, 1, 1000, &data));
    fv_model *m =
        training_model(s->ctx, "input image 4x1x1\nflatten\nlinear h 32\nrelu\nlinear out 1000\nsoftmax\n");
    fv_score score;
    fv_train_options o = options_of(60, 0.5);
    assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
    assert_well(s->ctx, fv_evaluate(m, data, &score));
    assert_int_equal(score.n_classes, 1000);
    assert_true(score.top5_error < score.error && score.top5_error < 0.9);
    assert_string_equal(fv_model_class_name(m, 999), "999");
    fv_model_destroy(m);
    fv_data_destroy(data);
    labels[0] = FV_MAX_CLASSES - 1;
    assert_well(s->ctx, fv_data_from_memory(s->ctx, pixels[0], labels, 1, 4, 1, 1, FV_MAX_CLASSES, &data));
    assert_string_equal(fv_data_class_name(data, FV_MAX_CLASSES - 1), "65534");
    fv_data_destroy(data);
    assert_int_equal(fv_data_from_memory(s->ctx, pixels[0], labels, 1, 4, 1, 1, 65536, &data),
                     FV_ERR_ARGUMENT);
    assert_string_equal(fv_message(s->ctx), "fv_data_from_memory: n_classes 65536; expected 1 to 65535");
}

/* ---- what is refused ------------------------------------------------------------------------------------
 */

/* A caller may ask for each result: the last layer's, and those of result lines. */
static void every_result_can_be_had(void **state)
{
    scratch *s = *state;
    fv_model *m = training_model(s->ctx, "input image 1x6x6\nconv a 3 3x3\nrelu\nflatten name=f\nlinear b 1\n"
                                         "tanh name=t\nlinear c 4 from=f\nsoftmax\nresult t\nresult a\n");
    static float values[20 * 36], first[20 * 4], again[20 * 4], single[20], maps[20 * 48], alone[48];
    fv_predictor *p;
    for (int i = 0; i < 20 * 36; i++)
        values[i] = draw();
    assert_string_equal(fv_model_result(m, 0).name, "softmax");
    assert_string_equal(fv_model_result(m, 1).name, "t");
    const fv_layer_info map = fv_model_result(m, 2);
    assert_true(map.rank == 3 && map.shape[0] == 3 && map.shape[1] == 4 && map.shape[2] == 4);
    assert_true(fv_model_result(m, 1).rank == 1 && fv_model_result(m, 1).shape[0] == 1);
    assert_null(fv_model_result(m, 3).name);
    assert_well(s->ctx, fv_predictor_create(m, 20, &p));
    assert_well(s->ctx, fv_predictor_run_values(p, values, 20, first));
    assert_well(s->ctx, fv_predictor_choose(p, 1));
    assert_well(s->ctx, fv_predictor_run_values(p, values, 20, single));
    assert_well(s->ctx, fv_predictor_choose(p, 2));
    assert_well(s->ctx, fv_predictor_run_values(p, values, 20, maps));
    assert_well(s->ctx, fv_predictor_choose(p, 0));
    assert_well(s->ctx, fv_predictor_run_values(p, values, 20, again));
    fv_predictor_destroy(p);
    assert_memory_equal(again, first, sizeof first);
    const fv_parameter_info w = fv_model_parameter(m, 0);
    for (int i = 0; i < 20; i++) {
        float sum = 0;
        for (int k = 0; k < 4; k++)
            sum += first[i * 4 + k];
        assert_float_equal(sum, 1, 1e-6);
        assert_true(single[i] > -1 && single[i] < 1);
        sum = 0; /* the second map's first pixel */
        for (int k = 0; k < 9; k++)
            sum += w.values[9 + k] * values[i * 36 + k / 3 * 6 + k % 3];
        assert_float_equal(maps[i * 48 + 16], sum, 1e-5);
    }
    assert_well(s->ctx, fv_predictor_create(m, 1, &p)); /* c16 */
    assert_well(s->ctx, fv_predictor_choose(p, 2));
    assert_well(s->ctx, fv_predictor_run_values(p, values + 7 * 36, 1, alone));
    assert_memory_equal(alone, maps + 7 * 48, sizeof alone);
    fv_predictor_destroy(p);
    fv_model_destroy(m);
}

static void wrong_fields(void **state)
{
    scratch *s = *state;
    static const float x[8] = {0};
    static const float bad[8] = {0, NAN};
    static const int32_t label[4] = {0, 1, 2, 3};
    static const struct {
        fv_data_field field;
        const char *message;
    } cases[] = {
        {{.name = "x", .element = FV_F32, .rank = 1, .dims = {2}, .values = bad},
         "data set memory: field x: value 1: expected a finite number, found NaN or infinity"},
        {{.name = "x", .element = FV_I32, .rank = 1, .dims = {1}, .n_classes = 3, .values = label},
         "data set memory: field x: value 3: expected a class of 0 to 2, found 3"},
        {{.name = "x", .element = FV_F32, .rank = 0, .values = x},
         "data set memory: field x: expected 1 to 6 dimensions, found 0"},
        {{.name = "x", .rank = 1, .dims = {2}, .values = x},
         "data set memory: field x: expected a scale for its bytes, such as FV_SCALE_PIXELS, found 0"},
        {{.name = "", .element = FV_F32, .rank = 1, .dims = {2}, .values = x},
         "data set memory: field : expected a name of its own"},
    };
    fv_data *data = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fv_data_from_fields(s->ctx, &cases[i].field, 1, 4, &data), FV_ERR_ARGUMENT);
        assert_string_equal(fv_message(s->ctx), cases[i].message);
    }
    assert_null(data);
}

static void data_that_does_not_fit(void **state)
{
    scratch *s = *state;
    static const float x[12] = {0};
    const fv_data_field field = {.name = "x", .element = FV_F32, .rank = 1, .dims = {3}, .values = x};
    fv_data *data;
    fv_score score;
    assert_well(s->ctx, fv_data_from_fields(s->ctx, &field, 1, 4, &data));
    fv_model *m = training_model(s->ctx, "input vector 2\nlinear out 1\nloss squared-error\n");
    assert_int_equal(fv_evaluate(m, data, &score), FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(s->ctx), "expected 'input' of 2"));
    assert_non_null(strstr(fv_message(s->ctx), "found field 'x' of 3"));
    fv_model_destroy(m);
    m = training_model(s->ctx, "input vector 3\nlinear out 1\nloss squared-error\n");
    float out[4];
    assert_well(s->ctx, fv_predict(m, data, 0, 4, out)); /* which needs no target */
    assert_int_equal(fv_evaluate(m, data, &score), FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(s->ctx), "expected a field 'target' of 1"));
    fv_model_destroy(m);
    fv_data_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_loss_has_its_gradient, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_line_is_found, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(an_autoencoder_learns_its_input, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(every_pixel_has_a_class, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(two_inputs_are_told_apart, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(many_classes, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(every_result_can_be_had, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(wrong_fields, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(data_that_does_not_fit, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests_name("feeds", tests, NULL, NULL);
}
