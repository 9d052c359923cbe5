/* test_model_file.c - models and weights in files: what goes out comes back, and what does not fit is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/file.h"
#include "io/safetensors.h"
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT "input image 1x4x4\nconv c1 2 3x3\nflatten\nlinear out 3\nsoftmax\n"

static fv_context *ctx;
static char folder[64], path[128]; /* path: the weights of a test */

static int setup(void **state)
{
    (void)state;
    const fv_context_options options = {.n_threads = 1};
    strcpy(folder, "model_file_XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/weights.safetensors", folder);
    return fv_context_create(&options, &ctx, NULL, 0) == FV_OK ? 0 : -1;
}

static void remove_file(const char *name)
{
    char file[128];
    snprintf(file, sizeof file, "%s/%s", folder, name);
    unlink(file);
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {"weights.safetensors", "best.safetensors", "last.safetensors",
                                        "model.fovea"};
    for (int i = 0; i < 4; i++)
        remove_file(names[i]);
    fv_context_destroy(ctx);
    return rmdir(folder);
}

static fv_model *small(uint64_t seed)
{
    fv_model *model = NULL;
    assert_int_equal(fv_model_from_text(ctx, TEXT, "m", &model), FV_OK);
    assert_int_equal(fv_model_initialise(model, seed), FV_OK);
    return model;
}

static void round_trip(void **state)
{
    (void)state;
    fv_model *a = small(1), *b = small(2);
    *fv__model_values(a, a->n_params - 2) = 0.125f; /* input.mean */
    assert_int_equal(fv_model_save(a, path), FV_OK);
    assert_true(fv_model_hash(a) != fv_model_hash(b));
    assert_int_equal(fv_model_load(b, path), FV_OK);
    assert_true(fv_model_hash(a) == fv_model_hash(b));
    assert_true(*fv__model_values(b, b->n_params - 2) == 0.125f);
    fv_model_destroy(a);
    fv_model_destroy(b);
}

/* ---- files that do not fit ------------------------------------------------------------------------ */

static const float zeros[64];
static const fv_tensor_entry fitting[] = {
    {"c1.weight", 4, {2, 1, 3, 3}, zeros}, {"c1.bias", 1, {2}, zeros},    {"out.weight", 2, {3, 8}, zeros},
    {"out.bias", 1, {3}, zeros},           {"input.mean", 1, {1}, zeros}, {"input.inv_std", 1, {1}, zeros},
};
enum { N_FITTING = sizeof fitting / sizeof fitting[0] };

static void expect_refusal(const fv_tensor_entry *entries, int n, const char *message)
{
    fv_model *model = small(1);
    const uint64_t before = fv_model_hash(model);
    char expected[300];
    snprintf(expected, sizeof expected, "%s: %s", path, message);
    assert_int_equal(fv__safetensors_write(ctx, path, entries, n, NULL, 0), FV_OK);
    assert_int_equal(fv_model_load(model, path), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx), expected);
    assert_true(fv_model_hash(model) == before); /* nothing half-loaded */
    fv_model_destroy(model);
}

static void misfits(void **state)
{
    (void)state;
    fv_tensor_entry entries[N_FITTING + 1];
    memcpy(entries, fitting, sizeof fitting);
    expect_refusal(entries, N_FITTING - 1, "tensor 'input.inv_std' (1) of the model is missing");
    expect_refusal(entries + 1, N_FITTING - 1, "tensor 'c1.weight' (2x1x3x3) of the model is missing");
    entries[N_FITTING] = (fv_tensor_entry){"c2.weight", 1, {2}, zeros};
    expect_refusal(entries, N_FITTING + 1, "tensor 'c2.weight' is none of the model's");
    entries[N_FITTING] = (fv_tensor_entry){"input", 1, {2}, zeros}; /* a tensor, but not a stored one */
    expect_refusal(entries, N_FITTING + 1, "tensor 'input' is none of the model's");
    entries[2].dim[1] = 9;
    expect_refusal(entries, N_FITTING, "tensor 'out.weight' is 3x9; the model expects 3x8");
    entries[2].dim[1] = 8;
    entries[3].rank = 0;
    expect_refusal(entries, N_FITTING, "tensor 'out.bias' is a scalar; the model expects 3");
    entries[3].rank = 1;
    /* the optimiser's are passed over */
    entries[N_FITTING] = (fv_tensor_entry){"optimizer.c1.weight", 1, {5}, zeros};
    fv_model *model = small(1);
    assert_int_equal(fv__safetensors_write(ctx, path, entries, N_FITTING + 1, NULL, 0), FV_OK);
    assert_int_equal(fv_model_load(model, path), FV_OK);
    assert_true(fv__model_values(model, 0)[0] == 0);
    fv_model_destroy(model);
}

/* Cut anywhere, or with any byte changed, a weight file loads whole or changes nothing. */
static void damaged_weights(void **state)
{
    (void)state;
    fv_model *model = small(1);
    uint8_t *bytes = NULL;
    size_t n = 0;
    assert_int_equal(fv_model_save(model, path), FV_OK);
    assert_int_equal(fv__file_read(ctx, path, 1 << 20, &bytes, &n), FV_OK);
    const uint64_t before = fv_model_hash(model);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(fv__file_write(ctx, path, bytes, i), FV_OK);
        assert_int_equal(fv_model_load(model, path), FV_ERR_INPUT);
        assert_true(fv_model_hash(model) == before);
        bytes[i] ^= 0x10;
        assert_int_equal(fv__file_write(ctx, path, bytes, n), FV_OK);
        const fv_status status = fv_model_load(model, path);
        assert_true(status == FV_OK || (status == FV_ERR_INPUT && fv_model_hash(model) == before));
        bytes[i] ^= 0x10;
        assert_int_equal(fv_model_initialise(model, 1), FV_OK);
    }
    fv__free(ctx, bytes);
    fv_model_destroy(model);
}

/* ---- opening -------------------------------------------------------------------------------------- */

static void run_folder(void **state)
{
    (void)state;
    char file[128], expected[300];
    fv_model *model = NULL, *a = small(1), *b = small(2);
    assert_int_equal(fv_model_open(ctx, folder, &model), FV_ERR_INPUT);
    snprintf(expected, sizeof expected, "%s: not a run folder; it holds no model.fovea and no weights",
             folder);
    assert_string_equal(fv_message(ctx), expected);
    snprintf(file, sizeof file, "%s/model.fovea", folder);
    assert_int_equal(symlink("model.fovea", file), 0); /* as in a folder without permission */
    assert_int_equal(fv_model_open(ctx, folder, &model), FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(ctx), "/model.fovea: cannot open: Too many levels of symbolic links"));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(fv__file_write(ctx, file, TEXT, strlen(TEXT)), FV_OK);
    assert_int_equal(fv_model_open(ctx, folder, &model), FV_ERR_INPUT);
    snprintf(expected, sizeof expected, "%s: no weights; expected best.safetensors or last.safetensors",
             folder);
    assert_string_equal(fv_message(ctx), expected);
    assert_null(model);
    snprintf(file, sizeof file, "%s/last.safetensors", folder);
    assert_int_equal(fv_model_save(a, file), FV_OK);
    assert_int_equal(fv_model_open(ctx, folder, &model), FV_OK);
    assert_true(fv_model_hash(model) == fv_model_hash(a));
    fv_model_destroy(model);
    snprintf(file, sizeof file, "%s/best.safetensors", folder);
    assert_int_equal(fv_model_save(b, file), FV_OK);
    assert_int_equal(fv_model_open(ctx, folder, &model), FV_OK);
    assert_true(fv_model_hash(model) == fv_model_hash(b));
    fv_model_destroy(model);
    /* the text file alone is a model with the parameters of seed 0 */
    fv_model *fresh = small(0);
    snprintf(file, sizeof file, "%s/model.fovea", folder);
    assert_int_equal(fv_model_open(ctx, file, &model), FV_OK);
    assert_string_equal(fv_model_text(model), TEXT);
    assert_true(fv_model_hash(model) == fv_model_hash(fresh));
    fv_model_destroy(model);
    fv_model_destroy(fresh);
    assert_int_equal(fv__file_write(ctx, file, "input image 1x4x4\nrelu\0", 23), FV_OK);
    model = NULL;
    assert_int_equal(fv_model_open(ctx, file, &model), FV_ERR_INPUT);
    snprintf(expected, sizeof expected, "%s:2:5: a NUL byte; model text is UTF-8", file);
    assert_string_equal(fv_message(ctx), expected);
    assert_null(model);
    fv_model_destroy(a);
    fv_model_destroy(b);
}

static void bad_paths(void **state)
{
    (void)state;
    fv_model *model = small(0), *none = NULL;
    assert_int_equal(fv_model_load(model, "no/such/file"), FV_ERR_INPUT);
    assert_int_equal(fv_model_load(model, folder), FV_ERR_INPUT);
    assert_int_equal(fv_model_save(model, "no/such/folder/w.safetensors"), FV_ERR_IO);
    assert_int_equal(fv_model_open(ctx, NULL, &none), FV_ERR_ARGUMENT);
    assert_null(none);
    fv_model_destroy(model);
}

/* ---- memory --------------------------------------------------------------------------------------- */

typedef struct meter {
    long n_live, n_calls, fail_at;
} meter;

static void *meter_allocate(void *user, size_t bytes)
{
    meter *m = user;
    if (++m->n_calls == m->fail_at)
        return NULL;
    m->n_live++;
    return malloc(bytes);
}

static void meter_release(void *user, void *block)
{
    meter *m = user;
    m->n_live--;
    free(block);
}

/* Opening a run folder and saving it again, with every single allocation failing once. */
static void allocation_failures(void **state)
{
    (void)state;
    char file[128];
    meter m = {0};
    const fv_context_options options = {.n_threads = 1, .allocator = {meter_allocate, meter_release, &m}};
    fv_context *own = NULL;
    fv_model *a = small(1);
    snprintf(file, sizeof file, "%s/model.fovea", folder);
    assert_int_equal(fv__file_write(ctx, file, TEXT, strlen(TEXT)), FV_OK);
    snprintf(file, sizeof file, "%s/best.safetensors", folder);
    assert_int_equal(fv_model_save(a, file), FV_OK);
    assert_int_equal(fv_context_create(&options, &own, NULL, 0), FV_OK);
    const long before = m.n_live;
    fv_status status = FV_ERR_MEMORY;
    long k = 0;
    while (status != FV_OK) {
        fv_model *model = NULL;
        m.n_calls = 0;
        m.fail_at = ++k;
        status = fv_model_open(own, folder, &model);
        assert_true((status == FV_OK) == (model != NULL));
        if (status == FV_OK)
            status = fv_model_save(model, path);
        m.fail_at = 0;
        fv_model_destroy(model);
        assert_int_equal(m.n_live, before);
        assert_true(status == FV_OK || status == FV_ERR_MEMORY);
    }
    assert_true(k > 15);
    fv_context_destroy(own);
    assert_int_equal(m.n_live, 0);
    fv_model_destroy(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip), cmocka_unit_test(misfits),   cmocka_unit_test(damaged_weights),
        cmocka_unit_test(run_folder), cmocka_unit_test(bad_paths), cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
