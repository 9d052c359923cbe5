/* test_nonfinite.c - a loss, a gradient or a parameter that is no number stops the run at that step: the
 * message says where, the parameters are those of the step before, the folder holds what was good. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "io/safetensors.h"
#include "model/model.h"
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
    o.replace = true;
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

/* Two of the four convolutions are normalised: whatever the rate, gradients stay finite, since batch
 * normalisation divides what grows by its own size. Its running statistics overflow. */
#define NORMALISED                                                                                           \
    "input image 1x28x28\nconv c1 8 3x3 stride=2 bias=no\nbatchnorm b1\nrelu\nconv c2 8 3x3 stride=2\n"      \
    "relu\nconv c3 8 3x3\nrelu\nconv c4 8 3x3 bias=no\nbatchnorm b4\nrelu\nflatten\nlinear out "             \
    "10\nsoftmax\n"

/* What the folder holds can be evaluated and gone on from; its hash. */
static uint64_t good_folder(scratch *s, const char *folder, const fv_data *data, double lr)
{
    char path[512];
    fv_model *kept = NULL;
    fv_score score;
    snprintf(path, sizeof path, "%s/last.safetensors", folder);
    assert_well(s->ctx, fv_model_open(s->ctx, folder, &kept));
    assert_well(s->ctx, fv_model_load(kept, path));
    const uint64_t hash = fv_model_hash(kept);
    assert_well(s->ctx, fv_evaluate(kept, data, &score));
    fv_train_options o = training_options(1, 64, lr);
    o.out = folder;
    o.resume = true;
    const fv_status status = fv_train(kept, data, NULL, &o, NULL, NULL);
    assert_true(status == FV_OK || status == FV_ERR_NONFINITE); /* it began, at least */
    fv_model_destroy(kept);
    return hash;
}

/* Of runs whose rate may be far too large, each ends well and can be used, or ends with an error and leaves
 * the checkpoint of before. Every other rate is a good one. */
static void no_success_with_infinite_statistics(void **state)
{
    scratch *s = *state;
    fv_data *data = training_digits(s->ctx, FV_SPLIT_TRAIN, 1000);
    int n_failed = 0;
    for (int i = 0; i < 8; i++) {
        char folder[256], name[16];
        snprintf(name, sizeof name, "run%d", i);
        snprintf(folder, sizeof folder, "%s", scratch_path(s, name));
        fv_model *m = training_model(s->ctx, NORMALISED);
        fv_train_options o = training_options(1, 64, i % 2 ? 0.01 : 40);
        o.momentum = 0;
        o.out = folder;
        o.seed = (uint64_t)i;
        const fv_status status = fv_train(m, data, data, &o, NULL, NULL);
        assert_true(status == FV_OK || status == FV_ERR_NONFINITE);
        n_failed += status != FV_OK;
        good_folder(s, folder, data, 40);
        fv_model_destroy(m);
    }
    print_message("%d of 8 runs diverged\n", n_failed);
    assert_true(n_failed > 0 && n_failed <= 4);
    fv_data_destroy(data);
}

typedef struct poison {
    fv_model *model;
    const char *statistic;
    int64_t at, stop_at;
} poison;

/* Puts infinity into a statistic after step `at`, and stops after step `stop_at`. */
static bool spoil(void *user, const fv_progress *p)
{
    const poison *const x = user;
    for (int k = 0; k < x->model->n_params; k++)
        if (p->step == x->at &&
            strcmp(x->model->graph.tensors[x->model->params[k].tensor].name, x->statistic) == 0)
            fv__model_values(x->model, k)[0] = INFINITY;
    return p->step != x->stop_at;
}

/* Statistics count as parameters: at an epoch's end, and where a run is stopped in the middle of one. */
static void statistics_overflow(void **state)
{
    scratch *s = *state;
    fv_data *data = training_digits(s->ctx, FV_SPLIT_TRAIN, 1000);
    static const struct {
        const char *statistic;
        int64_t stop_at;
        const char *message;
    } cases[] = {
        {"b1.running_var", -1,
         "epoch 1, step 16: expected finite parameters, found NaN or infinity in b1.running_var; a smaller "
         "learning rate may help"},
        {"b4.running_mean", 9,
         "epoch 1, step 9: expected finite parameters, found NaN or infinity in b4.running_mean; a smaller "
         "learning rate may help"},
    };
    for (int i = 0; i < 2; i++) {
        char folder[256];
        snprintf(folder, sizeof folder, "%s", scratch_path(s, i == 0 ? "whole" : "stopped"));
        fv_model *m = training_model(s->ctx, NORMALISED);
        fv_train_options o = training_options(1, 64, 0.01);
        o.out = folder;
        poison p = {.model = m, .statistic = "", .stop_at = 3};
        assert_int_equal(fv_train(m, data, NULL, &o, spoil, &p), FV_STOPPED);
        const uint64_t hash = fv_model_hash(m);
        o.resume = true;
        p = (poison){.model = m, .statistic = cases[i].statistic, .at = 7, .stop_at = cases[i].stop_at};
        assert_failed(s, fv_train(m, data, data, &o, spoil, &p), FV_ERR_NONFINITE, cases[i].message);
        assert_true(all_finite(m));                 /* what is learned is finite */
        assert_int_equal(scratch_count(folder), 4); /* no best.safetensors */
        assert_true(good_folder(s, folder, data, 0.01) == hash);
        fv_model_destroy(m);
    }
    fv_data_destroy(data);
}

/* Weights that are no numbers are told before anything is written. */
static void a_model_that_is_no_number(void **state)
{
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, 20, 1, 6, 6, 0);
    fv_model *m = training_model(s->ctx, "input image 1x6x6\nflatten\nlinear out 2\nsoftmax\n");
    fv_train_options o = training_options(1, 0, 0.01);
    assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
    ((float *)fv_model_parameter(m, 1).values)[1] = INFINITY;
    o.out = scratch_path(s, "never");
    assert_failed(s, fv_train(m, data, NULL, &o, NULL, NULL), FV_ERR_NONFINITE,
                  "before the first step: expected finite parameters, found NaN or infinity in out.bias");
    struct stat about;
    assert_int_not_equal(stat(o.out, &about), 0);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

/* The loss of the training images is finite (they are black, and so are what they teach), that of bright test
 * images is not: 1e20 squared. The epoch is not kept. */
static void the_test_loss_overflows(void **state)
{
    scratch *s = *state;
    static uint8_t black[16 * 36], bright[16 * 36];
    int labels[16];
    fv_data *train = NULL, *test = NULL;
    fv_model *m =
        training_model(s->ctx, "init normal 1e3\ninput image 1x6x6\nflatten\nlinear h 4 init=normal:1000\n"
                               "linear g 4 init=normal:1000\nlinear f 4 init=normal:1000\n"
                               "linear e 4 init=normal:1000\nlinear d 4 init=normal:1000\n"
                               "linear c 4 init=normal:1000\nlinear out 2\nloss squared-error\n");
    for (int i = 0; i < 16; i++)
        labels[i] = i % 2;
    memset(bright, 255, sizeof bright);
    assert_well(s->ctx, fv_data_from_memory(s->ctx, black, labels, 16, 1, 6, 6, 2, &train));
    assert_well(s->ctx, fv_data_from_memory(s->ctx, bright, labels, 16, 1, 6, 6, 2, &test));
    char folder[256];
    snprintf(folder, sizeof folder, "%s", scratch_path(s, "bright"));
    fv_train_options o = training_options(1, 0, 0);
    o.out = folder;
    assert_failed(
        s, fv_train(m, train, test, &o, NULL, NULL), FV_ERR_NONFINITE,
        "epoch 1, test images: layer loss: expected a finite loss, found NaN or infinity; a smaller "
        "learning rate may help");
    assert_int_equal(scratch_count(folder), 4); /* no best.safetensors */
    o.resume = true;
    assert_well(s->ctx, fv_train(m, train, NULL, &o, NULL, NULL));
    fv_model_destroy(m);
    fv_data_destroy(train);
    fv_data_destroy(test);
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

/* The same in a locally connected layer whose outputs are 0: of the gradient of its weights, in which a
 * step's units are no contiguous memory, the value of the last position of the last output alone is infinite.
 */
static void one_infinite_position(void **state)
{
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, 16, 1, 6, 6, 0);
    fv_model *m =
        training_model(s->ctx, "input image 1x6x6\nlocal h 2 1x1\nflatten\nlinear out 2\nsoftmax\n");
    float zero[72] = {0}, out[2][72] = {{0}};
    out[0][71] = 3e38f, out[1][71] = -3e38f;
    const fv_tensor_entry entries[] = {
        {.name = "h.weight", .rank = 6, .dim = {2, 1, 6, 6, 1, 1}, .values = zero},
        {.name = "h.bias", .rank = 3, .dim = {2, 6, 6}, .values = zero},
        {.name = "out.weight", .rank = 2, .dim = {2, 72}, .values = out[0]},
        {.name = "out.bias", .rank = 1, .dim = {2}, .values = (float[2]){20, -20}},
        {.name = "input.mean", .rank = 1, .dim = {1}, .values = (float[1]){0}},
        {.name = "input.inv_std", .rank = 1, .dim = {1}, .values = (float[1]){1}},
    };
    const char *path = scratch_path(s, "position.safetensors");
    assert_well(s->ctx, fv__safetensors_write(s->ctx, path, entries, 6, NULL, 0));
    assert_well(s->ctx, fv_model_load(m, path));
    const uint64_t hash = fv_model_hash(m);
    const fv_train_options o = training_options(1, 1, 0.01);
    survivor w = {.model = m, .hash = hash};
    assert_int_equal(fv_train(m, data, NULL, &o, survive, &w), FV_ERR_NONFINITE);
    print_message("%s\n", fv_message(s->ctx));
    assert_non_null(strstr(fv_message(s->ctx), "found NaN or infinity in h.dw"));
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

static float *values_of(fv_model *m, const char *name)
{
    const int tensor = fv__graph_find_tensor(&m->graph, name);
    assert_true(tensor >= 0 && fv__model_param_of(m, tensor) >= 0);
    return fv__model_values(m, fv__model_param_of(m, tensor));
}

#define ONE_LAYER_NORMALISED "input image 1x6x6\nflatten\nlinear h 4\n%s n\nlinear out 2\nsoftmax\n"

/* Finite values of 1e25, whose squares are not: their mean is, and a normalisation that divided by the
 * infinite deviation would give its bias, whatever the image. Training stops in that layer and leaves all as
 * it was, running statistics too; predicting fails. */
static void a_variance_that_overflows(void **state)
{
    static const char *const layers[] = {"layernorm", "batchnorm"};
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, 40, 1, 6, 6, 0);
    for (int k = 0; k < 2; k++) {
        char text[128];
        float p[40 * 2];
        snprintf(text, sizeof text, ONE_LAYER_NORMALISED, layers[k]);
        fv_model *m = training_model(s->ctx, text);
        assert_well(s->ctx, fv_model_initialise(m, 1)); /* from here on training goes on with what is there */
        for (int i = 0; i < 4 * 36; i++)
            values_of(m, "h.weight")[i] = (float)(i / 36 + 1) * 1e25f;
        const fv_train_options o = training_options(1, 0, 0.01);
        if (k == 0) /* batch normalisation predicts with statistics that the batch does not change */
            assert_failed(s, fv_predict(m, data, 0, 40, p), FV_ERR_NONFINITE,
                          "memory: image 0: expected finite probabilities, found NaN or infinity");
        assert_int_equal(fv_train(m, data, NULL, &o, NULL, NULL), FV_ERR_NONFINITE);
        assert_non_null(strstr(fv_message(s->ctx), "layer n: expected finite values, found NaN or infinity"));
        assert_true(all_finite(m));
        assert_true(k == 0 || values_of(m, "n.running_var")[0] == 1);
        for (int i = 0; i < 4 * 36; i++)
            assert_true(values_of(m, "h.weight")[i] == (float)(i / 36 + 1) * 1e25f);
        fv_model_destroy(m);
    }
    fv_data_destroy(data);
}

/* Running statistics that overflowed are no division by infinity either, for one image in c16 and for many
 * in lanes. */
static void an_infinite_running_variance(void **state)
{
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, 40, 1, 6, 6, 0);
    char text[128];
    float p[40 * 2];
    snprintf(text, sizeof text, ONE_LAYER_NORMALISED, "batchnorm");
    fv_model *m = training_model(s->ctx, text);
    assert_well(s->ctx, fv_predict(m, data, 0, 40, p));
    values_of(m, "n.running_var")[2] = INFINITY;
    for (int n = 1; n <= 40; n += 39)
        assert_failed(s, fv_predict(m, data, 0, n, p), FV_ERR_NONFINITE,
                      "memory: image 0: expected finite probabilities, found NaN or infinity");
    fv_model_destroy(m);
    fv_data_destroy(data);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_rate_too_large),
        TEST(the_last_update_overflows),
        TEST(no_success_with_infinite_statistics),
        TEST(statistics_overflow),
        TEST(a_model_that_is_no_number),
        TEST(the_test_loss_overflows),
        TEST(an_infinite_gradient),
        TEST(one_infinite_position),
        TEST(no_made_up_classes),
        TEST(a_variance_that_overflows),
        TEST(an_infinite_running_variance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
