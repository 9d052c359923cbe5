/* test_api_misuse.c - what fovea.h promises to those who call it wrongly: NULL and numbers out of range are
 * FV_ERR_ARGUMENT with the argument's name, or harmless where there is no status. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/context.h"
#include "scratch.h"
#include "training.h"

#define TINY  "input image 1x2x2\nflatten\nlinear o 2\nsoftmax\n"
#define OTHER "input image 1x3x3\nflatten\nlinear o 3\nsoftmax\n"

static scratch *files;
static fv_context *ctx;
static fv_model *model, *other;
static fv_data *data;
static fv_predictor *predictor;
static const uint8_t pixels[16] = {0, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240};
static const int labels[4] = {0, 1, 0, 1};

static int setup(void **state)
{
    (void)state;
    if (scratch_setup((void **)&files) != 0)
        return -1;
    ctx = files->ctx;
    model = training_model(ctx, TINY);
    other = training_model(ctx, OTHER);
    assert_well(ctx, fv_data_from_memory(ctx, pixels, labels, 4, 1, 2, 2, 2, &data));
    assert_well(ctx, fv_predictor_create(model, 1, &predictor));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fv_predictor_destroy(predictor);
    fv_data_destroy(data);
    fv_model_destroy(other);
    fv_model_destroy(model);
    return scratch_teardown((void **)&files);
}

/* ---- statuses ------------------------------------------------------------------------------------- */

static void expect(const char *call, fv_status found, const char *message)
{
    if (found != FV_ERR_ARGUMENT || strcmp(fv_message(ctx), message) != 0)
        fail_msg("%s\n  expected status %d, \"%s\"\n  found    status %d, \"%s\"", call, (int)FV_ERR_ARGUMENT,
                 message, (int)found, fv_message(ctx));
}

/* REFUSED: with this message. SILENT: what is NULL is the context, or what would give it. */
#define REFUSED(call, message) (fv__fail(ctx, FV_OK, "nothing"), expect(#call, (call), message))
#define SILENT(call)           REFUSED(call, "nothing")

static void null_contexts_and_data(void **state)
{
    (void)state;
    fv_context *no_context = NULL;
    fv_data *made = NULL;
    char why[64] = "";
    assert_int_equal(fv_context_create(NULL, NULL, why, sizeof why), FV_ERR_ARGUMENT);
    assert_string_equal(why, "fv_context_create: out is NULL");
    assert_int_equal(fv_context_create(NULL, NULL, NULL, 0), FV_ERR_ARGUMENT);
    for (int i = 0; i < 3; i++) {
        static const int wrong[] = {-1, FV_MAX_THREADS + 1, INT_MAX};
        const fv_context_options options = {.n_threads = wrong[i]};
        assert_int_equal(fv_context_create(&options, &no_context, NULL, 0), FV_ERR_ARGUMENT);
    }
    assert_null(no_context);

    SILENT(fv_data_open(NULL, "digits", FV_SPLIT_TRAIN, NULL, &made));
    REFUSED(fv_data_open(ctx, NULL, FV_SPLIT_TRAIN, NULL, &made), "fv_data_open: spec is NULL");
    REFUSED(fv_data_open(ctx, "digits", FV_SPLIT_TRAIN, NULL, NULL), "fv_data_open: out is NULL");
    REFUSED(fv_data_open(ctx, "digits", (fv_split)7, NULL, &made), "data set digits: there is no split 7");
    REFUSED(fv_data_open(ctx, "digits", FV_SPLIT_TEST, &(fv_data_options){.n_classes = 3}, &made),
            "data set digits: 3 classes were asked for, but not which");
    REFUSED(fv_data_open(ctx, "digits", FV_SPLIT_TEST, &(fv_data_options){.n_classes = -3}, &made),
            "data set digits: has 10 classes; -3 of them were asked for");

    SILENT(fv_data_from_memory(NULL, pixels, labels, 4, 1, 2, 2, 2, &made));
    REFUSED(fv_data_from_memory(ctx, NULL, labels, 4, 1, 2, 2, 2, &made),
            "fv_data_from_memory: pixels is NULL");
    REFUSED(fv_data_from_memory(ctx, pixels, NULL, 4, 1, 2, 2, 2, &made),
            "fv_data_from_memory: labels is NULL");
    REFUSED(fv_data_from_memory(ctx, pixels, labels, 4, 1, 2, 2, 2, NULL),
            "fv_data_from_memory: out is NULL");
    REFUSED(fv_data_from_memory(ctx, pixels, labels, -1, 1, 2, 2, 2, &made),
            "fv_data_from_memory: n -1; expected 1 or more");
    REFUSED(fv_data_from_memory(ctx, pixels, labels, 4, -1, 2, 2, 2, &made),
            "fv_data_from_memory: c -1; expected 1 to 16777216");
    REFUSED(fv_data_from_memory(ctx, pixels, labels, 4, 1, 0, 2, 2, &made),
            "fv_data_from_memory: h 0; expected 1 to 16777216");
    REFUSED(fv_data_from_memory(ctx, pixels, labels, 4, 1, 2, INT_MAX, 2, &made),
            "fv_data_from_memory: w 2147483647; expected 1 to 16777216");
    REFUSED(fv_data_from_memory(ctx, pixels, labels, 4, 1, 2, 2, -2, &made),
            "fv_data_from_memory: n_classes -2; expected 1 to 65535");
    REFUSED(fv_data_from_memory(ctx, pixels, labels, 4, 1, 2, 2, FV_MAX_CLASSES + 1, &made),
            "fv_data_from_memory: n_classes 65536; expected 1 to 65535");

    const fv_data_field field = {.name = "x", .element = FV_U8, .rank = 1, .dims = {4}, .values = pixels};
    SILENT(fv_data_from_fields(NULL, &field, 1, 4, &made));
    REFUSED(fv_data_from_fields(ctx, NULL, 1, 4, &made), "fv_data_from_fields: fields is NULL");
    REFUSED(fv_data_from_fields(ctx, &field, 1, 4, NULL), "fv_data_from_fields: out is NULL");
    REFUSED(fv_data_from_fields(ctx, &field, 0, 4, &made),
            "fv_data_from_fields: n_fields 0; expected 1 to 16");
    REFUSED(fv_data_from_fields(ctx, &field, 1, 0, &made), "fv_data_from_fields: n 0; expected 1 or more");
    SILENT(fv_data_open_both(NULL, "digits", NULL, &made, &made));
    REFUSED(fv_data_open_both(ctx, NULL, NULL, &made, &made), "fv_data_open_both: spec is NULL");
    REFUSED(fv_data_open_both(ctx, "digits", NULL, NULL, &made), "fv_data_open_both: train is NULL");
    REFUSED(fv_data_open_both(ctx, "digits", NULL, &made, NULL), "fv_data_open_both: test is NULL");
    assert_false(fv_data_exists(NULL, "digits", NULL));
    assert_false(fv_data_exists(ctx, NULL, NULL));
    assert_null(fv_data_source_at(-1));
    assert_null(fv_data_word_at(1000));
    assert_null(fv_data_sample_at(NULL, 0).path);
    assert_null(fv_data_skipped(NULL, 0));
    fv_data_moments(NULL, 0, NULL, NULL);
    fv_data_moments(data, -1, NULL, NULL);
    SILENT(fv_model_open_image(NULL, "x.png", NULL, &made));
    REFUSED(fv_model_open_image(model, NULL, NULL, &made), "fv_model_open_image: path is NULL");
    REFUSED(fv_model_open_image(model, "x.png", NULL, NULL), "fv_model_open_image: out is NULL");
    SILENT(fv_data_open_image(NULL, "x.png", 1, 2, 2, &made));
    REFUSED(fv_data_open_image(ctx, NULL, 1, 2, 2, &made), "fv_data_open_image: path is NULL");
    REFUSED(fv_data_open_image(ctx, "x.png", 1, 2, 2, NULL), "fv_data_open_image: out is NULL");
    REFUSED(fv_data_open_image(ctx, "x.png", -1, 2, 2, &made),
            "fv_data_open_image: c -1; expected 1 to 16777216");
    SILENT(fv_data_set_class_names(NULL, (const char *const[]){"a", "b"}, 2));
    REFUSED(fv_data_set_class_names(data, NULL, 2), "fv_data_set_class_names: names is NULL");
    assert_null(made);
}

static void null_models(void **state)
{
    (void)state;
    fv_model *made = NULL;
    char *text = NULL;
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    float value = 0;
    SILENT(fv_model_from_text(NULL, TINY, "x", &made));
    REFUSED(fv_model_from_text(ctx, NULL, "x", &made), "fv_model_from_text: text is NULL");
    REFUSED(fv_model_from_text(ctx, TINY, "x", NULL), "fv_model_from_text: out is NULL");
    SILENT(fv_model_open(NULL, "lenet5", &made));
    REFUSED(fv_model_open(ctx, NULL, &made), "fv_model_open: spec is NULL");
    REFUSED(fv_model_open(ctx, "lenet5", NULL), "fv_model_open: out is NULL");
    SILENT(fv_model_initialise(NULL, 0));
    SILENT(fv_model_save(NULL, "x"));
    REFUSED(fv_model_save(model, NULL), "fv_model_save: path is NULL");
    SILENT(fv_model_load(NULL, "x"));
    REFUSED(fv_model_load(model, NULL), "fv_model_load: path is NULL");
    SILENT(fv_model_save_memory(NULL, &bytes, &n_bytes));
    REFUSED(fv_model_save_memory(model, NULL, &n_bytes), "fv_model_save_memory: bytes is NULL");
    REFUSED(fv_model_save_memory(model, &bytes, NULL), "fv_model_save_memory: n_bytes is NULL");
    SILENT(fv_model_load_memory(NULL, (const uint8_t *)"x", 1));
    REFUSED(fv_model_load_memory(model, NULL, 1), "fv_model_load_memory: bytes is NULL");
    SILENT(fv_model_from_memory(NULL, (const uint8_t *)"x", 1, &made));
    REFUSED(fv_model_from_memory(ctx, NULL, 1, &made), "fv_model_from_memory: bytes is NULL");
    REFUSED(fv_model_from_memory(ctx, (const uint8_t *)"x", 1, NULL), "fv_model_from_memory: out is NULL");
    SILENT(fv_model_set_class_names(NULL, (const char *const[]){"a", "b"}, 2));
    REFUSED(fv_model_set_class_names(model, NULL, 2), "fv_model_set_class_names: names is NULL");
    fv_bytes_destroy(NULL, NULL);
    fv_bytes_destroy(ctx, NULL);
    assert_null(bytes);
    SILENT(fv_model_set_parameter(NULL, "o.bias", &value, 1));
    REFUSED(fv_model_set_parameter(model, NULL, &value, 1), "fv_model_set_parameter: name is NULL");
    REFUSED(fv_model_set_parameter(model, "o.bias", NULL, 2), "fv_model_set_parameter: values is NULL");
    SILENT(fv_model_plan_text(NULL, 1, false, &text));
    REFUSED(fv_model_plan_text(model, 1, false, NULL), "fv_model_plan_text: text is NULL");
    REFUSED(fv_model_plan_text(model, -1, true, &text),
            "fv_model_plan_text: batch -1; expected 1 to 16777216");
    REFUSED(fv_model_plan_text(model, FV_MAX_BATCH + 1, true, &text),
            "fv_model_plan_text: batch 16777217; expected 1 to 16777216");
    assert_null(made);
    assert_null(text);
}

/* What finish says of a builder that was given one wrong call. */
static fv_status finish(void (*wrong)(fv_builder *b))
{
    fv_builder *b = NULL;
    fv_model *made = NULL;
    assert_well(ctx, fv_builder_create(ctx, 1, 4, 4, &b));
    wrong(b);
    fv_builder_layer(b, "nonsense");
    const fv_status status = fv_builder_finish(b, &made);
    assert_null(made);
    return status;
}

static const fv_window window = {.kernel_h = 2, .kernel_w = 2};
static void conv_null(fv_builder *b)
{
    fv_builder_conv(b, NULL, 1, window);
}
static void linear_null(fv_builder *b)
{
    fv_builder_linear(b, NULL, 1);
}
static void layer_null(fv_builder *b)
{
    fv_builder_layer(b, NULL);
}

static void null_builders(void **state)
{
    (void)state;
    fv_builder *b = NULL;
    fv_model *made = NULL;
    SILENT(fv_builder_create(NULL, 1, 4, 4, &b));
    REFUSED(fv_builder_create(ctx, 1, 4, 4, NULL), "fv_builder_create: out is NULL");
    assert_null(b);
    REFUSED(finish(conv_null), "builder:2: fv_builder_conv: name is NULL");
    REFUSED(finish(linear_null), "builder:2: fv_builder_linear: name is NULL");
    REFUSED(finish(layer_null), "builder:2: fv_builder_layer: words is NULL");
    SILENT(fv_builder_finish(NULL, &made));
    assert_well(ctx, fv_builder_create(ctx, 1, 4, 4, &b));
    REFUSED(fv_builder_finish(b, NULL), "fv_builder_finish: out is NULL");
    fv_builder_conv(NULL, "c", 1, window);
    fv_builder_linear(NULL, "l", 1);
    fv_builder_max_pool(NULL, window);
    fv_builder_avg_pool(NULL, window);
    fv_builder_layer(NULL, "relu");
    fv_builder_destroy(NULL);
    assert_null(made);
}

static bool bench_report(void *user, const fv_bench_result *result)
{
    (void)user;
    (void)result;
    return false;
}

static void null_training(void **state)
{
    (void)state;
    fv_train_options options = training_options(1, 2, 0.1), read = {0};
    fv_score *score = calloc(1, sizeof *score);
    fv_model *resumed = NULL;
    assert_non_null(score);
    SILENT(fv_train(NULL, data, NULL, &options, NULL, NULL));
    REFUSED(fv_train(model, NULL, NULL, &options, NULL, NULL), "fv_train: train is NULL");
    REFUSED(fv_train(model, data, NULL, NULL, NULL, NULL), "fv_train: options is NULL");
    SILENT(fv_train_options_check(NULL, &options));
    REFUSED(fv_train_options_check(ctx, NULL), "fv_train_options_check: options is NULL");
    options.optimizer = NULL;
    REFUSED(fv_train(model, data, NULL, &options, NULL, NULL),
            "optimizer: expected sgd, nesterov, adam or adamw, found ''");
    SILENT(fv_train_open_run(NULL, files->folder, false, &resumed, &read));
    REFUSED(fv_train_open_run(ctx, NULL, false, &resumed, &read), "fv_train_open_run: run_folder is NULL");
    REFUSED(fv_train_open_run(ctx, files->folder, false, NULL, &read), "fv_train_open_run: model is NULL");
    REFUSED(fv_train_open_run(ctx, files->folder, false, &resumed, NULL),
            "fv_train_open_run: options is NULL");
    SILENT(fv_evaluate(NULL, data, score));
    SILENT(fv_evaluate_classes(NULL, data, score, NULL, NULL));
    REFUSED(fv_evaluate(model, NULL, score), "fv_evaluate: data is NULL");
    REFUSED(fv_evaluate(model, data, NULL), "fv_evaluate: score is NULL");
    REFUSED(fv_evaluate_classes(model, NULL, score, NULL, NULL), "fv_evaluate_classes: data is NULL");
    SILENT(fv_model_check(NULL, NULL, NULL, NULL, NULL));
    fv_check_options check = fv_check_options_default();
    check.batch = -1;
    REFUSED(fv_model_check(model, &check, NULL, NULL, NULL), "fv_model_check: batch -1; expected 1 to 1024");
    check.batch = FV_MAX_CHECK_BATCH + 1;
    REFUSED(fv_model_check(model, &check, NULL, NULL, NULL),
            "fv_model_check: batch 1025; expected 1 to 1024");
    assert_well(ctx, fv_model_check(model, NULL, NULL, NULL, NULL));
    SILENT(fv_bench(NULL, NULL, 16, bench_report, NULL));
    REFUSED(fv_bench(ctx, NULL, 16, NULL, NULL), "fv_bench: report is NULL");
    REFUSED(fv_bench(ctx, NULL, -1, bench_report, NULL), "fv_bench: batch -1; expected 1 to 512");
    REFUSED(fv_bench(ctx, NULL, FV_MAX_BENCH_BATCH + 1, bench_report, NULL),
            "fv_bench: batch 513; expected 1 to 512");
    free(score);
}

static void null_prediction(void **state)
{
    (void)state;
    fv_predictor *made = NULL;
    float p[8];
    const float values[4] = {0};
    SILENT(fv_predictor_create(NULL, 1, &made));
    REFUSED(fv_predictor_create(model, 1, NULL), "fv_predictor_create: out is NULL");
    REFUSED(fv_predictor_create(model, 0, &made), "fv_predictor_create: n 0; expected 1 or more");
    assert_null(made);
    SILENT(fv_predictor_run(NULL, data, 0, 1, p));
    REFUSED(fv_predictor_run(predictor, NULL, 0, 1, p), "fv_predictor_run: data is NULL");
    REFUSED(fv_predictor_run(predictor, data, 0, 1, NULL), "fv_predictor_run: probabilities is NULL");
    SILENT(fv_predictor_run_pixels(NULL, pixels, 1, p));
    REFUSED(fv_predictor_run_pixels(predictor, NULL, 1, p), "fv_predictor_run_pixels: pixels is NULL");
    REFUSED(fv_predictor_run_pixels(predictor, pixels, 1, NULL),
            "fv_predictor_run_pixels: probabilities is NULL");
    REFUSED(fv_predictor_run_pixels(predictor, pixels, -1, p),
            "fv_predictor_run_pixels: n -1; expected 0 or more");
    SILENT(fv_predictor_run_values(NULL, values, 1, p));
    REFUSED(fv_predictor_run_values(predictor, NULL, 1, p), "fv_predictor_run_values: values is NULL");
    REFUSED(fv_predictor_run_values(predictor, values, 1, NULL),
            "fv_predictor_run_values: probabilities is NULL");
    REFUSED(fv_predictor_run_values(predictor, values, INT_MIN, p),
            "fv_predictor_run_values: n -2147483648; expected 0 or more");
    SILENT(fv_predictor_choose(NULL, 0));
    REFUSED(fv_predictor_choose(predictor, 1), "fv_predictor_choose: index 1; expected 0 to 0");
    REFUSED(fv_predictor_choose(predictor, -1), "fv_predictor_choose: index -1; expected 0 to 0");
    SILENT(fv_predict(NULL, data, 0, 1, p));
    REFUSED(fv_predict(model, NULL, 0, 1, p), "fv_predict: data is NULL");
    REFUSED(fv_predict(model, data, 0, 1, NULL), "fv_predict: probabilities is NULL");
    static const struct {
        int first, n;
        const char *message;
    } ranges[] = {
        {0, -1, "memory: expected images within 0..3, found -1 from 0 on"},
        {-1, 1, "memory: expected images within 0..3, found 1 from -1 on"},
        {4, 1, "memory: expected images within 0..3, found 1 from 4 on"},
        {2, INT_MIN, "memory: expected images within 0..3, found -2147483648 from 2 on"},
        {INT_MAX, INT_MAX, "memory: expected images within 0..3, found 2147483647 from 2147483647 on"}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        REFUSED(fv_predict(model, data, ranges[i].first, ranges[i].n, p), ranges[i].message);
        REFUSED(fv_predictor_run(predictor, data, ranges[i].first, ranges[i].n, p), ranges[i].message);
    }
    /* arrays of no elements may be NULL */
    assert_well(ctx, fv_predict(model, data, 4, 0, NULL));
    assert_well(ctx, fv_predictor_run(predictor, data, 0, 0, NULL));
    assert_well(ctx, fv_predictor_run_pixels(predictor, NULL, 0, NULL));
    assert_well(ctx, fv_predictor_run_values(predictor, NULL, 0, NULL));
}

/* ---- calls without a status ----------------------------------------------------------------------- */

static void null_is_harmless(void **state)
{
    (void)state;
    fv_context_destroy(NULL);
    fv_data_destroy(NULL);
    fv_model_destroy(NULL);
    fv_predictor_destroy(NULL);
    fv_predictor_refresh(NULL);
    fv_text_destroy(NULL, NULL);
    fv_text_destroy(ctx, NULL);
    assert_string_equal(fv_message(NULL), "");
    assert_string_equal(fv_context_isa(NULL), "");
    assert_string_equal(fv_context_machine(NULL), "");
    assert_int_equal(fv_context_threads(NULL), 0);
    assert_string_equal(fv_version(), FV_VERSION);
    assert_int_equal(fv_data_describe(NULL).n, 0);
    assert_null(fv_data_describe(NULL).name);
    assert_null(fv_data_pixels(NULL, 0));
    assert_null(fv_data_field_at(NULL, 0).name);
    assert_null(fv_data_field_at(data, 2).name);
    assert_string_equal(fv_data_field_at(data, 1).name, "label");
    assert_null(fv_data_pixels(data, -1));
    assert_null(fv_data_pixels(data, 4));
    assert_int_equal(fv_data_label(NULL, 0), -1);
    assert_int_equal(fv_data_label(data, 4), -1);
    assert_string_equal(fv_data_class_name(NULL, 0), "?");
    assert_string_equal(fv_data_class_name(data, 2), "?");
    assert_string_equal(fv_model_text(NULL), "");
    assert_int_equal(fv_model_hash(NULL), 0);
    assert_null(fv_model_class_name(NULL, 0));
    assert_null(fv_model_class_name(model, -1));
    assert_null(fv_model_class_name(model, INT_MAX));
    assert_null(fv_model_trained_on(NULL).name);
    assert_null(fv_zoo_name(-1));
    assert_null(fv_zoo_name(INT_MAX));
    assert_null(fv_zoo_text(NULL));
    assert_int_equal(fv_model_describe(NULL).n_layers, 0);
    assert_null(fv_model_layer(NULL, 0).name);
    assert_null(fv_model_layer(model, -1).name);
    assert_null(fv_model_layer(model, INT_MAX).name);
    assert_int_equal(fv_model_n_parameters(NULL), 0);
    assert_int_equal(fv_model_n_statistics(NULL), 0);
    assert_null(fv_model_result(NULL, 0).name);
    assert_null(fv_model_result(model, -1).name);
    assert_null(fv_model_result(model, 1).name);
    static const char *const names[] = {"relu", "conv"};
    assert_null(fv_nearest(NULL, names, 2));
    assert_null(fv_nearest("relu", NULL, 2));
    assert_null(fv_nearest("zzz", names, 2));
    assert_string_equal(fv_nearest("RLeu", names, 2), "relu");
    assert_null(fv_model_parameter(NULL, 0).values);
    assert_null(fv_model_statistic(NULL, 0).values);
    assert_null(fv_model_parameter(model, -1).values);
    assert_null(fv_model_parameter(model, fv_model_n_parameters(model)).values);
    assert_null(fv_model_statistic(model, -1).values);
    assert_null(fv_model_statistic(model, fv_model_n_statistics(model)).values);
    assert_int_equal(fv_train_options_default().resume, false);
    assert_null(fv_train_option_at(-1));
    assert_null(fv_train_option_at(1000));
}

/* Every function of fovea.h is called in this file. */
static void no_call_is_missing(void **state)
{
    (void)state;
    static uint8_t header[1 << 17], self[1 << 17];
    const char *const source = getenv("FOVEA_SOURCE");
    char path[512];
    if (!source)
        skip();
    snprintf(path, sizeof path, "%s/include/fovea.h", source);
    const size_t n_header = scratch_load(path, header, sizeof header - 1);
    snprintf(path, sizeof path, "%s/include/fovea_data.h", source);
    header[n_header + scratch_load(path, header + n_header, sizeof header - 1 - n_header)] = '\0';
    snprintf(path, sizeof path, "%s/tests/test_api_misuse.c", source);
    self[scratch_load(path, self, sizeof self - 1)] = '\0';
    int n = 0;
    for (const char *at = (const char *)header; (at = strstr(at, "\nFV_API ")); n++) {
        const char *const end = strchr(at, '('), *begin = end;
        char call[80];
        assert_non_null(end);
        while (begin > at && begin[-1] != ' ' && begin[-1] != '*')
            begin--;
        snprintf(call, sizeof call, "%.*s(", (int)(end - begin), begin);
        if (!strstr((const char *)self, call))
            fail_msg("%s: expected a call with NULL in this file, found none", call);
        at = end;
    }
    assert_in_range(n, 40, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_contexts_and_data), cmocka_unit_test(null_models),
        cmocka_unit_test(null_builders),          cmocka_unit_test(null_training),
        cmocka_unit_test(null_prediction),        cmocka_unit_test(null_is_harmless),
        cmocka_unit_test(no_call_is_missing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
