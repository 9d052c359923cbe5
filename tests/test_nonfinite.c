/* test_nonfinite.c - a loss, a gradient or a parameter that is no number stops the run at that step: the
 * message says where, the parameters are those of the step before, the folder holds what was good. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "io/safetensors.h"
#include "scratch.h"
#include "training.h"

#include <math.h>

typedef struct survivor {
    fv_model *model;
    uint64_t hash, at_epoch;
    int n_steps;
} survivor;

static bool survive(void *user, const fv_progress *p)
{
    survivor *s = user;
    s->hash = fv_model_hash(s->model);
    if (p->event == FV_EVENT_EPOCH)
        s->at_epoch = s->hash;
    s->n_steps += p->event == FV_EVENT_STEP;
    return true;
}

static bool all_finite(const fv_model *m)
{
    for (int p = 0; p < fv_model_n_parameters(m); p++) {
        const fv_parameter_info info = fv_model_parameter(m, p);
        int64_t n = 1;
        for (int d = 0; d < info.rank; d++)
            n *= info.shape[d];
        for (int64_t i = 0; i < n; i++)
            if (!isfinite(info.values[i]))
                return false;
    }
    return true;
}

/* From the second epoch on the rate is a million times too large. The run stops, says where, and the folder
 * holds what was good. */
static void a_rate_too_large(void **state)
{
    scratch *s = *state;
    char folder[256], path[512], where[64];
    snprintf(folder, sizeof folder, "%s", scratch_path(s, "burst"));
    fv_data *data = training_digits(s->ctx, FV_SPLIT_TRAIN, 200);
    fv_model *m = training_model(s->ctx, "lenet5-relu"), *kept = NULL;
    fv_train_options o = training_options(5, 32, 0.01);
    o.schedule = FV_SCHEDULE_STEP;
    o.step_epochs = 1;
    o.step_factor = 1e6;
    o.out = folder;
    survivor w = {.model = m};
    assert_int_equal(fv_train(m, data, NULL, &o, survive, &w), FV_ERR_NONFINITE);
    print_message("%s\n", fv_message(s->ctx));
    snprintf(where, sizeof where, "epoch %d, step %d: layer ", 1 + w.n_steps / 7, 1 + w.n_steps % 7);
    assert_int_equal(strncmp(fv_message(s->ctx), where, strlen(where)), 0);
    assert_true(w.n_steps >= 7 && w.n_steps < 14);
    assert_true(fv_model_hash(m) == w.hash); /* the bad step changed nothing */
    assert_true(all_finite(m));
    assert_well(s->ctx, fv_model_open(s->ctx, folder, &kept));
    snprintf(path, sizeof path, "%s/last.safetensors", folder);
    assert_well(s->ctx, fv_model_load(kept, path));
    assert_true(fv_model_hash(kept) == w.at_epoch);
    fv_model_destroy(kept);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

/* Parameters that overflow in the very last update have had no step to show it. */
static void the_last_update_overflows(void **state)
{
    scratch *s = *state;
    char folder[256];
    snprintf(folder, sizeof folder, "%s", scratch_path(s, "overflow"));
    fv_data *data = training_halves(s->ctx, 20, 1, 6, 6, 0);
    fv_model *m =
        training_model(s->ctx, "init normal 1000\ninput image 1x6x6\nflatten\nlinear out 2\nsoftmax\n");
    fv_model *kept = NULL;
    fv_train_options o = training_options(1, 0, 1e6);
    o.weight_decay = 1e6;
    o.out = folder;
    for (int i = 0; i < 20; i++) /* some updates are still finite */
        if (fv_train(m, data, NULL, &o, NULL, NULL) != FV_OK)
            break;
    assert_false(all_finite(m));
    assert_failed(
        s, FV_ERR_NONFINITE, FV_ERR_NONFINITE,
        "epoch 1, step 1: expected finite parameters, found NaN or infinity in out.weight; a smaller "
        "learning rate may help");
    assert_well(s->ctx, fv_model_open(s->ctx, folder, &kept));
    assert_true(all_finite(kept));
    assert_int_equal(scratch_count(folder), 4); /* no best.safetensors */
    fv_model_destroy(kept);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

/* A finite loss with an infinite gradient: out = w2 w1 x is about 1 with w1 of 1e-38 and w2 of 3e38, but the
 * gradient into the first layer adds two terms of 3e38. */
static void an_infinite_gradient(void **state)
{
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, 16, 1, 6, 6, 0);
    fv_model *m = training_model(s->ctx, "input image 1x6x6\nflatten\nlinear h 1\nlinear out 2\nsoftmax\n");
    const fv_tensor_entry entries[] = {
        {.name = "h.weight", .rank = 2, .dim = {1, 36}, .values = (float[36]){1e-38f, 2e-38f}},
        {.name = "h.bias", .rank = 1, .dim = {1}, .values = (float[1]){0}},
        {.name = "out.weight", .rank = 2, .dim = {2, 1}, .values = (float[2]){3e38f, -3e38f}},
        {.name = "out.bias", .rank = 1, .dim = {2}, .values = (float[2]){20, -20}},
        {.name = "input.mean", .rank = 1, .dim = {1}, .values = (float[1]){0}},
        {.name = "input.inv_std", .rank = 1, .dim = {1}, .values = (float[1]){1}},
    };
    const char *path = scratch_path(s, "steep.safetensors");
    assert_well(s->ctx, fv__safetensors_write(s->ctx, path, entries, 6, NULL, 0));
    assert_well(s->ctx, fv_model_load(m, path));
    fv_score score;
    assert_well(s->ctx, fv_evaluate(m, data, &score));
    assert_true(isfinite(score.loss));
    const uint64_t hash = fv_model_hash(m);
    const fv_train_options o = training_options(1, 1, 0.01);
    survivor w = {.model = m, .hash = hash};
    assert_int_equal(fv_train(m, data, NULL, &o, survive, &w), FV_ERR_NONFINITE);
    print_message("%s\n", fv_message(s->ctx));
    assert_non_null(strstr(fv_message(s->ctx), "layer h: expected a finite gradient"));
    assert_true(fv_model_hash(m) == w.hash && all_finite(m));
    fv_model_destroy(m);
    fv_data_destroy(data);
}

/* Weights that are no numbers are refused when they are loaded; weights whose product is none, when they
 * predict: no class is made up. */
static void no_made_up_classes(void **state)
{
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, 4, 1, 6, 6, 0);
    fv_model *m = training_model(s->ctx, "input image 1x6x6\nflatten\nlinear h 1\nlinear out 2\nsoftmax\n");
    float h[36], out[2] = {3e38f, -3e38f}, inv_std = 1, p[2] = {-1, -1};
    for (int i = 0; i < 36; i++)
        h[i] = 3e38f;
    const fv_tensor_entry entries[] = {
        {.name = "h.weight", .rank = 2, .dim = {1, 36}, .values = h},
        {.name = "h.bias", .rank = 1, .dim = {1}, .values = (float[1]){0}},
        {.name = "out.weight", .rank = 2, .dim = {2, 1}, .values = out},
        {.name = "out.bias", .rank = 1, .dim = {2}, .values = (float[2]){0, 0}},
        {.name = "input.mean", .rank = 1, .dim = {1}, .values = (float[1]){0}},
        {.name = "input.inv_std", .rank = 1, .dim = {1}, .values = &inv_std},
    };
    const char *path = scratch_path(s, "weights");
    assert_well(s->ctx, fv__safetensors_write(s->ctx, path, entries, 6, NULL, 0));
    assert_well(s->ctx, fv_model_load(m, path));
    assert_failed(s, fv_predict(m, data, 1, 3, p), FV_ERR_NONFINITE,
                  "memory: image 1: expected finite probabilities, found NaN or infinity");
    const uint64_t hash = fv_model_hash(m);
    h[7] = NAN;
    assert_well(s->ctx, fv__safetensors_write(s->ctx, path, entries, 6, NULL, 0));
    assert_failed(s, fv_model_load(m, path), FV_ERR_INPUT,
                  "/weights: tensor 'h.weight': expected finite values, found NaN at place 7");
    h[7] = 0;
    inv_std = INFINITY;
    assert_well(s->ctx, fv__safetensors_write(s->ctx, path, entries, 6, NULL, 0));
    assert_failed(s, fv_model_load(m, path), FV_ERR_INPUT,
                  "/weights: tensor 'input.inv_std': expected finite values, found infinity at place 0");
    assert_true(fv_model_hash(m) == hash);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_rate_too_large),
        TEST(the_last_update_overflows),
        TEST(an_infinite_gradient),
        TEST(no_made_up_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
