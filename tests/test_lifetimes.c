/* test_lifetimes.c - objects of fovea.h may be destroyed in any order: what is left still works, gives the
 * same bits, and the last one gives back all memory. Meant for the build with AddressSanitizer above all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "training.h"

#define TINY "input image 1x2x2\nflatten\nlinear o 2\nsoftmax\n"

static const uint8_t pixels[16] = {0, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240};
static const int labels[4] = {0, 1, 0, 1};

enum { CONTEXT, DATA, MODEL, BUILDER, PREDICTOR, TEXT, N_OBJECTS };

typedef struct family {
    int n_live; /* blocks */
    bool there[N_OBJECTS];
    fv_context *ctx;
    fv_data *data;
    fv_model *model;
    fv_builder *builder;
    fv_predictor *predictor;
    char *text;
} family;

static void *family_allocate(void *user, size_t bytes)
{
    ((family *)user)->n_live++;
    return malloc(bytes);
}

static void family_release(void *user, void *block)
{
    ((family *)user)->n_live--;
    free(block);
}

static void family_create(family *f)
{
    const fv_context_options options = {.n_threads = 2, .allocator = {family_allocate, family_release, f}};
    *f = (family){.n_live = 0};
    assert_int_equal(fv_context_create(&options, &f->ctx, NULL, 0), FV_OK);
    assert_well(f->ctx, fv_data_from_memory(f->ctx, pixels, labels, 4, 1, 2, 2, 2, &f->data));
    assert_well(f->ctx, fv_model_from_text(f->ctx, TINY, NULL, &f->model));
    assert_well(f->ctx, fv_builder_create(f->ctx, 1, 4, 4, &f->builder));
    assert_well(f->ctx, fv_predictor_create(f->model, 4, &f->predictor));
    assert_well(f->ctx, fv_model_plan_text(f->model, 1, false, &f->text));
    for (int i = 0; i < N_OBJECTS; i++)
        f->there[i] = true;
}

static void family_destroy(family *f, int object)
{
    f->there[object] = false;
    switch (object) {
    case CONTEXT:
        fv_context_destroy(f->ctx);
        break;
    case DATA:
        fv_data_destroy(f->data);
        break;
    case MODEL:
        fv_model_destroy(f->model);
        break;
    case BUILDER:
        fv_builder_destroy(f->builder);
        break;
    case PREDICTOR:
        fv_predictor_destroy(f->predictor);
        break;
    case TEXT:
        fv_text_destroy(f->ctx, f->text);
        break;
    }
}

/* What is still there works, whatever has gone. */
static void family_use(const family *f, const float *expected)
{
    float p[8];
    if (f->there[PREDICTOR]) {
        assert_well(f->ctx, fv_predictor_run_pixels(f->predictor, pixels, 4, p));
        assert_memory_equal(p, expected, sizeof p);
    }
    if (f->there[MODEL] && f->there[DATA]) {
        assert_well(f->ctx, fv_predict(f->model, f->data, 0, 4, p));
        assert_memory_equal(p, expected, sizeof p);
    }
    if (f->there[DATA])
        assert_int_equal(fv_data_label(f->data, 3), 1);
    if (f->there[BUILDER])
        fv_builder_layer(f->builder, "relu");
    if (f->there[TEXT])
        assert_non_null(strstr(f->text, "phase 1"));
}

/* All 720 orders. */
static void every_order_of_destruction(void **state)
{
    (void)state;
    float expected[8];
    family first;
    family_create(&first);
    assert_well(first.ctx, fv_predict(first.model, first.data, 0, 4, expected));
    for (int i = 0; i < N_OBJECTS; i++)
        family_destroy(&first, i);
    for (int order = 0; order < 720; order++) {
        family f;
        int left[N_OBJECTS], code = order;
        family_create(&f);
        for (int i = 0; i < N_OBJECTS; i++)
            left[i] = i;
        for (int n = N_OBJECTS; n > 0; n--) {
            const int k = code % n;
            code /= n;
            assert_in_range(f.n_live, 1, 10000);
            family_destroy(&f, left[k]);
            left[k] = left[n - 1];
            family_use(&f, expected);
        }
        if (f.n_live != 0)
            fail_msg("order %d: %d blocks are left", order, f.n_live);
    }
}

/* A builder that fails or ends well may be all that holds the context. */
static void builders_without_a_context(void **state)
{
    (void)state;
    for (int well = 0; well < 2; well++) {
        family f;
        fv_model *made = NULL;
        family_create(&f);
        for (int i = 0; i < N_OBJECTS; i++)
            if (i != BUILDER)
                family_destroy(&f, i);
        fv_builder_layer(f.builder, "flatten");
        fv_builder_linear(f.builder, "o", 2);
        fv_builder_layer(f.builder, well ? "softmax" : "nonsense");
        assert_int_equal(fv_builder_finish(f.builder, &made), well ? FV_OK : FV_ERR_INPUT);
        assert_int_equal(made != NULL, well);
        fv_model_destroy(made);
        assert_int_equal(f.n_live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_of_destruction),
        cmocka_unit_test(builders_without_a_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
