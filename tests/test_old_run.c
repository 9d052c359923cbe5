/* test_old_run.c - a run that an older version began and was stopped in (tests/old_run) goes on to the bits
 * that the older version reached itself. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "scratch.h"
#include "training.h"

/* Of all six epochs, without a stop, by the version that wrote the files. */
#define WHOLE_HASH   UINT64_C(0x79226c42044951f1)
#define STOPPED_HASH UINT64_C(0x16528d678866f406)

/* A copy, because resuming writes; its path in `folder`. */
static void copy_run(scratch *s, char folder[256])
{
    static const char *const names[] = {"args.json", "best.safetensors", "last.safetensors", "log.csv",
                                        "model.fovea"};
    static uint8_t bytes[16384];
    snprintf(folder, 256, "%s", scratch_path(s, "run"));
    assert_int_equal(mkdir(folder, 0777), 0);
    const char *const source = getenv("FOVEA_SOURCE");
    assert_non_null(source);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char from[1024], to[64];
        snprintf(from, sizeof from, "%s/tests/old_run/%s", source, names[i]);
        snprintf(to, sizeof to, "run/%s", names[i]);
        scratch_file(s, to, bytes, scratch_load(from, bytes, sizeof bytes));
    }
}

static fv_data *digits_as_recorded(scratch *s, const fv_model *model, fv_split split)
{
    const fv_data_record record = fv_model_trained_on(model);
    fv_data *data;
    assert_non_null(record.name);
    assert_string_equal(record.name, "digits");
    assert_int_equal(record.limit, 60);
    const fv_data_options options = {.limit = record.limit};
    assert_well(s->ctx, fv_data_open(s->ctx, record.name, split, &options, &data));
    return data;
}

static void goes_on_to_the_same_bits(void **state)
{
    scratch *s = *state;
    char folder[256], log[4096];
    fv_model *model;
    fv_train_options options;
    copy_run(s, folder);
    assert_well(s->ctx, fv_train_open_run(s->ctx, folder, false, &model, &options));
    assert_true(fv_model_hash(model) == STOPPED_HASH);
    assert_true(options.epochs == 6 && options.batch == 16 && options.n_valid == 10 && options.shift == 1);
    assert_true(options.weight_decay == 0.001 && options.schedule == FV_SCHEDULE_COSINE && options.seed == 7);
    assert_string_equal(options.optimizer, "sgd");
    fv_data *const train = digits_as_recorded(s, model, FV_SPLIT_TRAIN), *const test = digits_as_recorded(
                                                                             s, model, FV_SPLIT_TEST);
    assert_well(s->ctx, fv_train(model, train, test, &options, NULL, NULL));
    if (fv_model_hash(model) != WHOLE_HASH)
        fail_msg("expected the hash %016llx, found %016llx", (unsigned long long)WHOLE_HASH,
                 (unsigned long long)fv_model_hash(model));
    fv_data_destroy(train);
    fv_data_destroy(test);
    fv_model_destroy(model);
    /* The log goes on behind the older version's lines. */
    char path[512];
    snprintf(path, sizeof path, "%s/log.csv", folder);
    log[scratch_load(path, (uint8_t *)log, sizeof log - 1)] = '\0';
    assert_non_null(strstr(log, "\n2,2.602141,1.000000,0.966667,0.0080438071,"));
    assert_non_null(strstr(log, "\n6,"));
}

/* Its best weights are a model of their own. */
static void best_weights_are_read(void **state)
{
    scratch *s = *state;
    char folder[256];
    fv_model *model;
    copy_run(s, folder);
    assert_well(s->ctx, fv_model_open(s->ctx, folder, &model));
    assert_string_equal(fv_model_class_name(model, 9), "9");
    assert_int_equal(fv_model_describe(model).n_parameters, 210);
    fv_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(goes_on_to_the_same_bits, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(best_weights_are_read, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
