/* test_long_lists.c - long lists in the model text: weights of 1,000 classes, tables of 1,000 numbers, and
 * more than either. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "op_harness.h"
#include "ops/ops.h"
#include "scratch.h"
#include "training.h"

enum { N = 1000 };

/* Weight k is k / 8. */
static void add_weights(fv_text *text, int n)
{
    fv__text_add(text, "weights=");
    for (int k = 0; k < n; k++)
        fv__text_add(text, "%s%d.%03d", k > 0 ? "/" : "", k / 8, k % 8 * 125);
}

/* Kernels and the model text read the last of the weights, too. */
static void weights_of_a_thousand_classes(void **state)
{
    scratch *const s = *state;
    fv_text text;
    fv_model *model = NULL;
    fv__text_init(&text, s->ctx);
    fv__text_add(&text, "input vector 4\nlinear a %d\nsoftmax\nloss cross-entropy ", N);
    add_weights(&text, N);
    assert_well(s->ctx, fv_model_from_text(s->ctx, text.data, "m", &model));
    const fv_graph *const graph = &model->graph;
    const fv_cross_entropy_attrs *const a = graph->nodes[graph->tensors[graph->loss[0]].source].attrs;
    assert_int_equal(a->n_weights, N);
    for (int k = 0; k < N; k++)
        assert_true(a->class_weight[k] == (float)k / 8);
    fv_model_destroy(model);

    double *const z = calloc(17 * N, sizeof *z), labels[17];
    for (int i = 0; i < 17 * N; i++)
        z[i] = (double)((float)(i * 7919 % 4001) / 500);
    for (int i = 0; i < 17; i++)
        labels[i] = N - 1 - i * 50;
    op_call call = {.op = &fv_op_cross_entropy,
                    .words = strstr(text.data, "weights="),
                    .n = 17,
                    .shape = {{1, {N}}, {1, {1}}},
                    .value = {z, labels},
                    .what = "a thousand weights"};
    op_call_check(&call);
    double *const expected = op_by_reference(&call);
    float *const found = op_by_kernels(&call, s->ctx, 1, 0);
    for (int i = 0; i < 17; i++)
        if (!(fabs((double)found[i] - expected[i]) <= 1e-6 * expected[i])) /* float's rounding, 17 units */
            fail_msg("the loss of image %d is %.9g, not %.9g", i, (double)found[i], expected[i]);
    free(expected);
    free(found);
    free(z);
    fv__text_deinit(&text);
}

/* Of 40 inputs and 40 outputs, output o reads the inputs from o to o + 23: 960 numbers and 40 rows. */
static void table_of_a_thousand_numbers(void **state)
{
    scratch *const s = *state;
    fv_text text;
    fv_model *model = NULL;
    fv__text_init(&text, s->ctx);
    fv__text_add(&text, "input image 40x5x5\nconv c 40 3x3 table=");
    for (int k = 0; k < 960; k++)
        fv__text_add(&text, "%s%d", k == 0 ? "" : k % 24 ? "." : "/", (k / 24 + k % 24) % 40);
    fv__text_add(&text, "\nflatten\nlinear l 2\nsoftmax\n");
    assert_well(s->ctx, fv_model_from_text(s->ctx, text.data, "m", &model));
    const fv_parameter_info w = fv_model_parameter(model, 0);
    for (int k = 0; k < 40 * 40 * 9; k++) {
        const int o = k / 9 / 40, i = k / 9 % 40;
        assert_int_equal(w.values[k] != 0, (i - o + 40) % 40 < 24);
    }
    fv_model_destroy(model);
    fv__text_deinit(&text);
}

static void refused(scratch *s, const fv_text *text, const char *message)
{
    fv_model *model = NULL;
    assert_int_equal(fv_model_from_text(s->ctx, text->data, "m", &model), FV_ERR_INPUT);
    assert_null(model);
    assert_string_equal(fv_message(s->ctx), message);
}

static void too_long(void **state)
{
    scratch *const s = *state;
    fv_text text;
    fv__text_init(&text, s->ctx);
    fv__text_add(&text, "input vector 4\nlinear a 10\nsoftmax\nloss cross-entropy ");
    for (int k = 0; k <= N; k++)
        fv__text_add(&text, "%s", k == 0 ? "weights=1" : "/1");
    char expected[300];
    snprintf(expected, sizeof expected,
             "m:4:28: cross-entropy: weights: expected at most 1000 numbers, found '%.80s...'",
             strstr(text.data, "=") + 1);
    refused(s, &text, expected);
    fv__text_deinit(&text);

    fv__text_init(&text, s->ctx);
    fv__text_add(&text, "input vector 4\nlinear a 40\nsoftmax\nloss cross-entropy weights=1");
    for (int k = 1; k < 40; k++)
        fv__text_add(&text, "/%s", k == 30 ? "-25" : "0.5");
    refused(s, &text,
            "m:4:28: cross-entropy: weights: expected 0 to 1000000, found '-25', number 31 of "
            "'1/0.5/0.5/0.5/0.5/0....'");
    fv__text_deinit(&text);
}

/* More classes than a class number may say are refused where the text says so, not when data comes. */
static void classes(void **state)
{
    static const char *const texts[][2] = {
        {"input vector 4\nlinear a 65536\nsoftmax\n",
         "m:3:1: cross-entropy: expected at most 65535 classes, found 65536"},
        {"input vector 65536\nidentity\nloss squared-error\n",
         "m:3:1: squared-error: expected at most 65535 classes, found 65536"},
        {"input image 65536x1x1\nidentity\nloss pixel-cross-entropy target=label\n",
         "m:3:1: pixel-cross-entropy: expected at most 65535 classes, found 65536"},
        {"input vector 4\nlinear a 65535\nsoftmax\n", NULL},
        {"input vector 65536\nidentity\nloss squared-error target=input\n", NULL},
    };
    scratch *const s = *state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fv_model *model = NULL;
        const fv_status status = fv_model_from_text(s->ctx, texts[i][0], "m", &model);
        if (texts[i][1])
            assert_string_equal(fv_message(s->ctx), texts[i][1]);
        assert_int_equal(status, texts[i][1] ? FV_ERR_INPUT : FV_OK);
        fv_model_destroy(model);
    }
}

int main(void)
{
#define SCRATCH(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        SCRATCH(weights_of_a_thousand_classes),
        SCRATCH(table_of_a_thousand_numbers),
        SCRATCH(too_long),
        SCRATCH(classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
