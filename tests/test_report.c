/* test_report.c - what training says while it runs, and what it leaves in its folder. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "scratch.h"
#include "train/train.h"
#include "training.h"

#include <math.h>

typedef struct watched {
    const fv_model *model;
    int epochs, n;
    int64_t steps, stop_at;
    int n_steps, n_epochs, n_done;
    double first_loss, valid[8], test[8], loss[8];
    uint64_t hash[8];
} watched;

static bool watch(void *user, const fv_progress *p)
{
    watched *w = user;
    assert_int_equal(p->epochs, w->epochs);
    assert_int_equal(p->steps, w->steps);
    assert_true(isfinite(p->train_loss) && p->train_loss > 0);
    assert_true(p->seconds > 0 && p->samples_per_s > 0);
    assert_true(p->n_parameters == fv_model_describe(w->model).n_parameters);
    switch (p->event) {
    case FV_EVENT_STEP:
        if (w->n_steps == 0)
            w->first_loss = p->train_loss;
        assert_int_equal(p->epoch, 1 + w->n_steps / w->steps);
        assert_int_equal(p->step, 1 + w->n_steps % w->steps);
        w->n_steps++;
        return w->n_steps != w->stop_at;
    case FV_EVENT_EPOCH:
        assert_int_equal(p->epoch, w->n_epochs + 1);
        assert_int_equal(p->step, w->steps);
        assert_int_equal(w->n_steps, p->epoch * w->steps);
        w->valid[w->n_epochs] = p->valid_error;
        w->test[w->n_epochs] = p->test_error;
        w->loss[w->n_epochs] = p->train_loss;
        w->hash[w->n_epochs++] = fv_model_hash(w->model);
        return true;
    case FV_EVENT_DONE:
        assert_int_equal(p->epoch, w->epochs);
        assert_true(p->hash == fv_model_hash(w->model));
        w->n_done++;
        return true;
    }
    return false;
}

static void progress_is_true(void **state)
{
    scratch *s = *state;
    fv_data *train = training_digits(s->ctx, FV_SPLIT_TRAIN, 250),
            *test = training_digits(s->ctx, FV_SPLIT_TEST, 120);
    fv_model *m = training_model(s->ctx, "linear");
    fv_train_options o = training_options(3, 64, 0.01);
    o.n_valid = 50;
    watched w = {.model = m, .epochs = 3, .steps = 4};
    assert_well(s->ctx, fv_train(m, train, test, &o, watch, &w));
    assert_int_equal(w.n_steps, 12);
    assert_int_equal(w.n_epochs, 3);
    assert_int_equal(w.n_done, 1);
    fv_score score;
    fv_class_score per_class[10];
    int confusion[10][10], n = 0, n_wrong = 0;
    assert_well(s->ctx, fv_evaluate_classes(m, test, &score, per_class, confusion[0]));
    assert_int_equal(score.n_classes, 10);
    assert_true(score.error == w.test[2]);
    assert_true(score.top5_error < score.error);
    for (int k = 0; k < score.n_classes; k++) {
        int taken = 0;
        for (int other = 0; other < 10; other++)
            taken += confusion[k][other];
        assert_int_equal(taken, per_class[k].n);
        assert_int_equal(taken - confusion[k][k], per_class[k].n_wrong);
        n += per_class[k].n;
        n_wrong += per_class[k].n_wrong;
    }
    assert_int_equal(n, 120);
    assert_int_equal(n_wrong, score.n_wrong);
    assert_true(w.valid[2] > 0 && w.valid[2] < 1);
    assert_true(w.loss[2] < w.loss[0]);
    fv_model_destroy(m);
    /* Without such sets their errors are NaN; the first step's loss is that of the model as drawn. */
    m = training_model(s->ctx, "linear");
    o = training_options(1, 0, 0.01);
    assert_well(s->ctx, fv_model_initialise(m, o.seed));
    fv_samples samples;
    assert_well(s->ctx, fv__samples_of(m, train, true, &samples));
    fv__set_statistics(m, &samples, 250);
    assert_well(s->ctx, fv_evaluate(m, train, &score));
    w = (watched){.model = m, .epochs = 1, .steps = 1};
    assert_well(s->ctx, fv_train(m, train, NULL, &o, watch, &w));
    assert_true(isnan(w.valid[0]) && isnan(w.test[0]));
    assert_true(fabs(w.first_loss - score.loss) < 1e-6 * score.loss);
    fv_model_destroy(m);
    fv_data_destroy(train);
    fv_data_destroy(test);
}

static void the_callback_stops_it(void **state)
{
    scratch *s = *state;
    fv_data *train = training_digits(s->ctx, FV_SPLIT_TRAIN, 250);
    fv_model *m = training_model(s->ctx, "linear");
    const fv_train_options o = training_options(3, 64, 0.01);
    watched w = {.model = m, .epochs = 3, .steps = 4, .stop_at = 6};
    assert_failed(s, fv_train(m, train, NULL, &o, watch, &w), FV_STOPPED,
                  "stopped in epoch 2 of 3 after step 2 of 4");
    assert_int_equal(w.n_steps, 6);
    assert_int_equal(w.n_epochs, 1);
    assert_int_equal(w.n_done, 0);
    fv_model_destroy(m);
    fv_data_destroy(train);
}

static void read_text(const char *path, char *text, size_t bytes)
{
    const size_t n = scratch_load(path, (uint8_t *)text, bytes - 1);
    text[n] = '\0';
}

static void the_run_folder(void **state)
{
    scratch *s = *state;
    char folder[256], path[512], text[4096], expected[256];
    fv_data *train = training_digits(s->ctx, FV_SPLIT_TRAIN, 250),
            *test = training_digits(s->ctx, FV_SPLIT_TEST, 120);
    fv_model *m = training_model(s->ctx, "linear"), *best = NULL;
    fv_train_options o = training_options(3, 64, 0.0625);
    snprintf(folder, sizeof folder, "%s", scratch_path(s, "run/deep"));
    o.out = folder;
    o.n_valid = 50;
    watched w = {.model = m, .epochs = 3, .steps = 4};
    assert_well(s->ctx, fv_train(m, train, test, &o, watch, &w));
    assert_int_equal(scratch_count(folder), 5);

    snprintf(path, sizeof path, "%s/model.fovea", folder);
    read_text(path, text, sizeof text);
    assert_string_equal(text, fv_model_text(m));

    snprintf(path, sizeof path, "%s/args.json", folder);
    read_text(path, text, sizeof text);
    static const char *const pairs[] = {
        "\"model\": \"linear\"", "\"data\": \"digits\"",   "\"classes\": null",
        "\"limit\": 250",        "\"epochs\": 3",          "\"batch\": 64",
        "\"lr\": 0.0625",        "\"optimizer\": \"sgd\"", "\"schedule\": \"constant\"",
        "\"seed\": 11",          "\"valid\": 50",          "\"shift\": 0"};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (!strstr(text, pairs[i]))
            fail_msg("args.json: expected %s, found\n%s", pairs[i], text);

    snprintf(path, sizeof path, "%s/log.csv", folder);
    read_text(path, text, sizeof text);
    const char *line = text;
    const char header[] = "epoch,train_loss,valid_error,test_error,lr,samples_per_s,seconds\n";
    assert_int_equal(strncmp(line, header, strlen(header)), 0);
    for (int epoch = 0; epoch < 3; epoch++) {
        line = strchr(line, '\n') + 1;
        snprintf(expected, sizeof expected, "%d,%.6f,%.6f,%.6f,0.0625,", epoch + 1, w.loss[epoch],
                 w.valid[epoch], w.test[epoch]);
        assert_int_equal(strncmp(line, expected, strlen(expected)), 0);
    }
    assert_string_equal(strchr(line, '\n'), "\n");

    int lowest = 0;
    for (int epoch = 1; epoch < 3; epoch++)
        if (w.valid[epoch] < w.valid[lowest])
            lowest = epoch;
    assert_well(s->ctx, fv_model_open(s->ctx, folder, &best));
    assert_true(fv_model_hash(best) == w.hash[lowest]);
    snprintf(path, sizeof path, "%s/last.safetensors", folder);
    assert_well(s->ctx, fv_model_load(best, path));
    assert_true(fv_model_hash(best) == w.hash[2]);
    /* The standardisation came along. */
    fv_score a, b;
    assert_well(s->ctx, fv_evaluate(m, test, &a));
    assert_well(s->ctx, fv_evaluate(best, test, &b));
    assert_true(a.loss == b.loss);
    fv_model_destroy(best);
    fv_model_destroy(m);
    fv_data_destroy(train);
    fv_data_destroy(test);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(progress_is_true),
        TEST(the_callback_stops_it),
        TEST(the_run_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
