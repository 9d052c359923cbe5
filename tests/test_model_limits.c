/* test_model_limits.c - texts whose networks are larger than what kernels, plans or memory count, and large
 * ones that are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model_mistakes.h"

#include <limits.h>
#include <stdlib.h>

/* Products of sizes that each are right: of a window's pixels and the channels it sees, of the rows it spans
 * and the columns around it, of both with dilation and padding. Nothing is computed in 32 bits before. */
static void large_windows(void **state)
{
    (void)state;
    static const mistake mistakes[] = {
        {"input image 1x8x8\nconv c 16777216 16777216x16777216\n",
         "m:2: c.weight: shape 16777216x1x16777216x16777216 has too many values; expected at most "
         "2147483647"},
        {"input image 1x30720x30720\nconv c 1 32768x32768 pad=1024\n",
         "m:2: conv c: expected an output to sum at most 16777216 products, found 32768x32768 of 1 "
         "channel"},
        {"input image 1x2x16777216\nconv a 2 1x1\nconv c 1 2x4194305\n",
         "m:3: conv c: expected an output to sum at most 16777216 products, found 2x4194305 of 2 channels"},
        {"input image 1x8x131072\nconv c 1 2x1 dilation=1024x1 pad=1024x0\n",
         "m:2: conv c: expected the rows that a window spans to have at most 134217727 pixels, found "
         "1025 rows of 131073"},
        {"input image 1x16384x16384\nconv c 1 17x17 dilation=1024\n",
         "m:2: conv c: expected a window of at most 16384x16384, found 17x17, which dilation=1024x1024 "
         "makes 16385x16385"},
        {"input image 1x16384x16384\nconv c 1 16x16 dilation=1024\n",
         "m:2: conv c: expected the rows that a window spans to have at most 134217727 pixels, found "
         "15361 rows of 31745"},
        {"input image 1x8x8\nmaxpool 16777216 pad=8388600\n",
         "m:2: maxpool: expected a window of at most 16777208x16777208, found 16777216x16777216"},
    };
    EXPECT(mistakes);
    /* the largest that are right are planned, too, for one image and for training */
    static const char *const largest[] = {
        "input image 1x4096x4096\nconv c 1 4096x4096\nflatten\nlinear out 2\nsoftmax\n",
        "input image 1x8192x8191\nconv c 1 8192x2 stride=1024\nglobalavgpool\nflatten\nlinear out 2\n"
        "softmax\n",
        "input image 1x46340x46340\nmaxpool 46340\nflatten\nlinear out 2\nsoftmax\n",
        "input image 1x65535x32768\nglobalavgpool\nflatten\nlinear out 2\nsoftmax\n",
    };
    for (size_t i = 0; i < sizeof largest / sizeof *largest; i++)
        for (int k = 0; k < 6; k++) {
            static const int batches[] = {1, 4096, 1 << 24};
            fv_model *model = NULL;
            char *text = NULL;
            assert_int_equal(fv_model_from_text(ctx, largest[i], "m", &model), FV_OK);
            if (fv_model_plan_text(model, batches[k / 2], k % 2, &text) != FV_OK)
                fail_msg("text %zu, batch %d: %s", i, batches[k / 2], fv_message(ctx));
            fv_text_destroy(ctx, text);
            fv_model_destroy(model);
        }
}

/* What only the plan knows: block sizes and batch. */
static void too_large_to_plan(void **state)
{
    (void)state;
    fv_model *model = NULL;
    char *text = NULL;
    assert_int_equal(fv_model_from_text(ctx,
                                        "input image 1x3000x3000\nconv a 64 1x1\n"
                                        "conv c 64 5x5 dilation=512 pad=1024\n"
                                        "globalavgpool\nflatten\nlinear out 2\nsoftmax\n",
                                        "m", &model),
                     FV_OK);
    assert_int_equal(fv_model_plan_text(model, 16, true, &text), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx), "m:3: c: expected values of x that the windows of some outputs see "
                                         "of at most 2147483647, found 4332733440");
    assert_int_equal(fv_model_plan_text(model, INT_MAX, true, &text), FV_ERR_ARGUMENT);
    assert_non_null(strstr(fv_message(ctx), "batch 2147483647; expected 1 to 16777216"));
    assert_int_equal(fv_model_plan_text(model, 16, false, &text), FV_OK);
    fv_text_destroy(ctx, text);
    fv_model_destroy(model);
}

static void many_layers(void **state)
{
    (void)state;
    fv_text text;
    fv_model *model = NULL;
    fv__text_init(&text, ctx);
    fv__text_add(&text, "%s", IN);
    for (int i = 0; i < 19997; i++)
        fv__text_add(&text, "relu\n");
    fv__text_add(&text, "%s", END);
    assert_int_equal(fv_model_from_text(ctx, text.data, "m", &model), FV_OK);
    assert_int_equal(fv_model_describe(model).n_layers, 20001);
    assert_string_equal(fv_model_layer(model, 19997).name, "relu19997");
    /* every pass goes over them once: where one looked at pairs, this would take minutes */
    for (int training = 0; training <= 1; training++) {
        char *plan = NULL;
        assert_int_equal(fv_model_plan_text(model, 16, training, &plan), FV_OK);
        assert_non_null(strstr(plan, "  relu19997 "));
        fv_text_destroy(ctx, plan);
    }
    fv_model_destroy(model);
    model = NULL;
    fv__text_add(&text, "softmax\n");
    assert_int_equal(fv_model_from_text(ctx, text.data, "m", &model), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx), "m:20002:1: more than 20000 layers");
    fv__text_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_windows),
        cmocka_unit_test(too_large_to_plan),
        cmocka_unit_test(many_layers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
