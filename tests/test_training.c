/* test_training.c - training from end to end on pictures that need no files: it learns, its arithmetic is the
 * textbook's, its options do what they say, and what it reports and writes is true. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/pool.h"
#include "base/rng.h"
#include "scratch.h"
#include "train/train.h"
#include "training.h"

#include <math.h>

/* ---- it learns ------------------------------------------------------------------------------------ */

/* Trains on `n_train` digits; the error on 500 others. */
static double error_after(fv_context *ctx, const char *model, int n_train, const fv_train_options *options,
                          const fv_data_options *only)
{
    fv_data_options some = only ? *only : (fv_data_options){.seed = 5};
    fv_data *train = NULL, *test = NULL;
    some.limit = n_train;
    assert_well(ctx, fv_data_open(ctx, "digits", FV_SPLIT_TRAIN, &some, &train));
    some.limit = 500;
    assert_well(ctx, fv_data_open(ctx, "digits", FV_SPLIT_TEST, &some, &test));
    fv_model *m = training_model(ctx, model);
    fv_score score;
    assert_well(ctx, fv_train(m, train, NULL, options, NULL, NULL));
    assert_well(ctx, fv_evaluate(m, test, &score));
    assert_int_equal(score.n, 500);
    fv_model_destroy(m);
    fv_data_destroy(train);
    fv_data_destroy(test);
    return score.error;
}

/* Bands are about half and twice of what was measured when this was written. */
static void digits_are_learned(void **state)
{
    scratch *s = *state;
    static const int three_and_eight[] = {3, 8};
    static const fv_data_options two = {.classes = three_and_eight, .n_classes = 2, .seed = 5};
    const struct {
        const char *model;
        const fv_data_options *only;
        int n, epochs, batch;
        double lr, low, high;
    } cases[] = {
        {"linear", NULL, 2000, 4, 16, 0.005, 0.06, 0.24},
        {"logistic", &two, 1000, 4, 16, 0.005, 0.005, 0.12},
        {"mlp", NULL, 2000, 3, 16, 0.01, 0, 0.14},
        {"lenet5", NULL, 3000, 3, 16, 0.02, 0, 0.08},
        {"lenet5-relu", NULL, 3000, 3, 16, 0.01, 0, 0.08},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fv_train_options o = training_options(cases[i].epochs, cases[i].batch, cases[i].lr);
        o.seed = 1;
        const double error = error_after(s->ctx, cases[i].model, cases[i].n, &o, cases[i].only);
        print_message("%s: error %.3f\n", cases[i].model, error);
        if (!(error >= cases[i].low && error <= cases[i].high))
            fail_msg("%s: expected an error of %.3f to %.3f, found %.3f", cases[i].model, cases[i].low,
                     cases[i].high, error);
    }
}

/* Stochastic, and batch gradient descent: slower to learn, but they do. */
static void batch_of_one_and_of_all(void **state)
{
    scratch *s = *state;
    fv_train_options o = training_options(1, 1, 0.003);
    o.momentum = 0;
    assert_true(error_after(s->ctx, "linear", 1500, &o, NULL) < 0.3);
    o = training_options(25, 0, 0.1);
    assert_true(error_after(s->ctx, "linear", 1500, &o, NULL) < 0.3);
}

/* One text a layer or loss that the zoo does not have; each must learn the halves. */
static void every_layer_trains(void **state)
{
    scratch *s = *state;
#define CONV "input image 1x6x6\nconv c1 4 3x3 pad=1\n"
#define REST "flatten\nlinear out 2\nsoftmax\n"
    static const char *const texts[] = {
        TRAINING_TINY,
        CONV "softplus\navgpool 2x2\n" REST,
        CONV "tanh\nmaxpool 2x2\n" REST,
        CONV "sigmoid\navgpool 2x2\n" REST,
        CONV "leakyrelu slope=0.1\nmaxpool 2x2\n" REST,
        CONV "relu at0=1\nidentity\n" REST,
        CONV "relu name=trunk\nconv c2 4 3x3 pad=1\nrelu\nadd trunk\n" REST,
        CONV "relu\n" REST "loss squared-error\n",
        CONV "bias more\nrelu\nconv c2 2 3x3 stride=2 bias=no\n" REST,
        "input image 1x6x6\nflatten\nlinear h 8 init=xavier\ntanh\nlinear out 1\nsigmoid\n",
    };
    fv_data *data = training_halves(s->ctx, 400, 1, 6, 6, 0);
    const fv_train_options o = training_options(12, 16, 0.02);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fv_model *m = training_model(s->ctx, texts[i]);
        fv_score before, after;
        assert_well(s->ctx, fv_evaluate(m, data, &before));
        assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
        assert_well(s->ctx, fv_evaluate(m, data, &after));
        if (!(after.error < 0.1 && after.loss < 0.6 * before.loss))
            fail_msg("error %.3f, loss %.3f from %.3f:\n%s", after.error, after.loss, before.loss, texts[i]);
        fv_model_destroy(m);
    }
    fv_data_destroy(data);
}

/* ---- its arithmetic -------------------------------------------------------------------------------- */

typedef struct hand {
    fv_trainer *trainer;
    const uint8_t **pixels;
    int *labels;
    int n;
} hand;

static hand hand_begin(fv_context *ctx, fv_model *model, const fv_data *data, int batch)
{
    hand h = {.n = data->n};
    h.pixels = malloc((size_t)h.n * sizeof *h.pixels);
    h.labels = malloc((size_t)h.n * sizeof *h.labels);
    assert_non_null(h.pixels);
    assert_non_null(h.labels);
    for (int i = 0; i < h.n; i++) {
        h.pixels[i] = fv_data_pixels(data, i);
        h.labels[i] = fv_data_label(data, i);
    }
    assert_well(ctx, fv__trainer_create(model, batch, "sgd", &h.trainer));
    return h;
}

static void hand_end(hand *h)
{
    fv__trainer_destroy(h->trainer);
    free(h->pixels);
    free(h->labels);
}

/* The gradient's tensor of parameter number p. */
static int gradient_of(const fv_trainer *t, int p)
{
    for (size_t i = 0; i < t->graph.n_tensors; i++)
        if (t->graph.tensors[i].role == FV_ROLE_GRADIENT && t->graph.tensors[i].of == t->model->params[p].tensor)
            return (int)i;
    fail_msg("no gradient for parameter %d", p);
    return -1;
}

/* 1100 images are three runs of one update. A plan that holds them all must find the same gradient; the sums
 * are grouped otherwise, so they differ by rounding: 1100 terms, each off by 6e-8 of the largest. */
static void several_runs_share_an_update(void **state)
{
    enum { N = 1100 };
    scratch *s = *state;
    fv_data *data = training_digits(s->ctx, FV_SPLIT_TRAIN, N);
    fv_model *m = training_model(s->ctx, "lenet5-relu");
    hand h = hand_begin(s->ctx, m, data, N);
    const fv_plan_options options = {.batch = N, .n_workers = 2, .loss = true, .updates = true};
    fv_plan *plan = NULL;
    fv_run *run = NULL;
    assert_well(s->ctx, fv__plan_create(s->ctx, &h.trainer->graph, &options, &plan));
    assert_well(s->ctx, fv__run_create(s->ctx, plan, &run));
    for (int p = 0; p < m->n_params; p++)
        fv__run_bind(run, m->params[p].tensor, fv__model_values(m, p));
    fv_batch batch = {.n = N, .pixels = h.pixels, .labels = h.labels, .inv_total = 1.0f / N};
    assert_well(s->ctx, fv__run_step(run, &batch, false));
    double loss = 0, whole = 0;
    const float *losses = fv__run_buffer(run, h.trainer->graph.loss);
    for (int i = 0; i < N; i++)
        whole += (double)losses[i];
    assert_well(s->ctx, fv__trainer_step(h.trainer, &batch, &loss)); /* lr 0: nothing moves */
    assert_true(fabs(loss - whole) <= 1e-9 * whole); /* per image the same, added in the same order */
    for (int p = 0; p < m->n_learned; p++) {
        const int g = gradient_of(h.trainer, p);
        const float *a = fv__run_buffer(h.trainer->run, g), *b = fv__run_buffer(run, g);
        double largest = 0, apart = 0;
        for (size_t i = 0; i < m->params[p].n; i++) {
            largest = fmax(largest, fabs((double)b[i]));
            apart = fmax(apart, fabs((double)a[i] - (double)b[i]));
        }
        assert_true(largest > 0);
        if (!(apart <= 2e-5 * largest))
            fail_msg("parameter %d: gradients differ by %g of %g", p, apart, largest);
    }
    fv__run_destroy(run);
    fv__plan_destroy(plan);
    hand_end(&h);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

/* Softmax regression, its gradient in double: dw[o][i] = 1/n sum over images of (p[o] - [o = t]) x[i].
 * The kernels sum 37 products of about 1 in float: 1e-6. */
static void the_gradient_is_the_textbooks(void **state)
{
    enum { N = 37, I = 36, O = 2 };
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, N, 1, 6, 6, 0);
    fv_model *m = training_model(s->ctx, "input image 1x6x6\nflatten\nlinear out 2\nsoftmax\n");
    fv__set_statistics(m, data, N);
    const float *w = fv_model_parameter(m, 0).values, *b = fv_model_parameter(m, 1).values;
    const double mean = (double)fv__model_values(m, 2)[0], inv_std = (double)fv__model_values(m, 3)[0];
    double dw[O][I] = {{0}}, db[O] = {0}, loss = 0;
    for (int n = 0; n < N; n++) {
        double x[I], z[O], sum = 0;
        for (int i = 0; i < I; i++)
            x[i] = (fv_data_pixels(data, n)[i] / 255.0 - mean) * inv_std;
        for (int o = 0; o < O; o++) {
            z[o] = (double)b[o];
            for (int i = 0; i < I; i++)
                z[o] += (double)w[o * I + i] * x[i];
            sum += exp(z[o]);
        }
        loss += log(sum) - z[fv_data_label(data, n)];
        for (int o = 0; o < O; o++) {
            const double delta = exp(z[o]) / sum - (o == fv_data_label(data, n));
            db[o] += delta / N;
            for (int i = 0; i < I; i++)
                dw[o][i] += delta * x[i] / N;
        }
    }
    hand h = hand_begin(s->ctx, m, data, N);
    const fv_batch batch = {.n = N, .pixels = h.pixels, .labels = h.labels};
    double found = 0;
    assert_well(s->ctx, fv__trainer_step(h.trainer, &batch, &found));
    assert_true(fabs(found - loss) < 1e-5 * loss);
    const float *gw = fv__run_buffer(h.trainer->run, gradient_of(h.trainer, 0));
    const float *gb = fv__run_buffer(h.trainer->run, gradient_of(h.trainer, 1));
    for (int o = 0; o < O; o++) {
        assert_true(fabs((double)gb[o] - db[o]) < 2e-6);
        for (int i = 0; i < I; i++)
            assert_true(fabs((double)gw[o * I + i] - dw[o][i]) < 2e-6);
    }
    hand_end(&h);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

/* v = momentum v + (g + decay p), p -= lr v, to the bit; decay on weights, never on biases. */
static void updates_by_hand(void **state)
{
    enum { N = 20 };
    scratch *s = *state;
    const float lr = 0.05f, momentum = 0.9f, decay = 0.25f;
    fv_data *data = training_halves(s->ctx, N, 1, 6, 6, 0);
    fv_model *m = training_model(s->ctx, TRAINING_TINY);
    hand h = hand_begin(s->ctx, m, data, N);
    float *p0 = calloc(m->n_values, sizeof *p0), *v0 = calloc(m->n_values, sizeof *v0);
    assert_non_null(p0);
    assert_non_null(v0);
    for (int step = 0; step < 3; step++) {
        double loss = 0;
        memcpy(p0, m->values, m->n_values * sizeof *p0);
        memcpy(v0, h.trainer->momentum, m->n_values * sizeof *v0);
        const fv_batch batch = {.n = N, .pixels = h.pixels, .labels = h.labels, .step = (uint32_t)step,
                                .lr = lr, .momentum = momentum, .weight_decay = decay};
        assert_well(s->ctx, fv__trainer_step(h.trainer, &batch, &loss));
        for (int p = 0; p < m->n_learned; p++) {
            const bool is_bias = strstr(fv_model_parameter(m, p).name, ".bias") != NULL;
            const float *g = fv__run_buffer(h.trainer->run, gradient_of(h.trainer, p));
            for (size_t i = 0; i < m->params[p].n; i++) {
                const size_t at = m->params[p].offset + i;
                const float total = is_bias ? g[i] : fmaf(decay, p0[at], g[i]);
                const float v = fmaf(momentum, v0[at], total);
                assert_true(h.trainer->momentum[at] == v);
                assert_true(m->values[at] == fmaf(-lr, v, p0[at]));
            }
        }
    }
    free(p0);
    free(v0);
    hand_end(&h);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

static void schedules(void **state)
{
    (void)state;
    fv_train_options o = training_options(10, 1, 0.5);
    assert_true(fv__learning_rate(&o, 7, 70, 100) == 0.5);
    o.schedule = FV_SCHEDULE_STEP;
    o.step_epochs = 3;
    o.step_factor = 0.25;
    static const double by_epoch[] = {0.5, 0.5, 0.5, 0.125, 0.125, 0.125, 0.03125, 0.03125, 0.03125, 0.0078125};
    for (int epoch = 0; epoch < 10; epoch++)
        assert_true(fv__learning_rate(&o, epoch, 10 * epoch, 100) == by_epoch[epoch]);
    o.schedule = FV_SCHEDULE_COSINE;
    assert_true(fv__learning_rate(&o, 0, 0, 100) == 0.5);
    assert_true(fabs(fv__learning_rate(&o, 0, 50, 100) - 0.25) < 1e-15);
    for (int64_t u = 0; u <= 100; u++) {
        const double expected = 0.25 * (1 + cos(3.14159265358979323846 * (double)u / 100));
        assert_true(fabs(fv__learning_rate(&o, 0, u, 100) - expected) < 1e-14);
    }
}

/* ---- what the options do --------------------------------------------------------------------------- */

/* Pictures with a black margin of 2, moved by hand as the trainer draws it, are those that it sees. */
static void shifts_are_what_they_say(void **state)
{
    enum { N = 40, SIDE = 6, SHIFT = 2 };
    scratch *s = *state;
    static uint8_t pixels[N][SIDE][SIDE];
    int labels[N];
    fv_data *data = training_halves(s->ctx, N, 1, SIDE, SIDE, SHIFT), *moved = NULL;
    fv_train_options o = training_options(1, 7, 0.05);
    for (int i = 0; i < N; i++) {
        fv_rng rng = fv__rng(o.seed, FV_STREAM_AUGMENT, (uint32_t)i, 0);
        const int dy = (int)fv__rng_below(&rng, 2 * SHIFT + 1) - SHIFT;
        const int dx = (int)fv__rng_below(&rng, 2 * SHIFT + 1) - SHIFT;
        for (int y = SHIFT; y < SIDE - SHIFT; y++)
            for (int x = SHIFT; x < SIDE - SHIFT; x++)
                pixels[i][y + dy][x + dx] = fv_data_pixels(data, i)[y * SIDE + x];
        labels[i] = fv_data_label(data, i);
    }
    assert_well(s->ctx, fv_data_from_memory(s->ctx, &pixels[0][0][0], labels, N, 1, SIDE, SIDE, 2, &moved));
    const uint64_t still = training_hash(s->ctx, TRAINING_TINY, data, &o);
    const uint64_t by_hand = training_hash(s->ctx, TRAINING_TINY, moved, &o);
    o.shift = SHIFT;
    const uint64_t shifted = training_hash(s->ctx, TRAINING_TINY, data, &o);
    assert_true(shifted == by_hand);
    assert_true(shifted != still);
    o.epochs = 8; /* every epoch draws anew; larger than the image is fine, too */
    assert_true(training_hash(s->ctx, TRAINING_TINY, data, &o) != training_hash(s->ctx, TRAINING_TINY, moved, &o));
    o.shift = 50;
    training_hash(s->ctx, TRAINING_TINY, data, &o);
    fv_data_destroy(data);
    fv_data_destroy(moved);
}

/* The same weights with and without a dropout line predict the same bits, but do not train alike. */
static void dropout_is_for_training(void **state)
{
    scratch *s = *state;
    static const char without[] = "input image 1x6x6\nconv c1 3 3x3 pad=1\nrelu\nmaxpool 2x2\nflatten\n"
                                  "linear out 2\nsoftmax\n";
    fv_data *data = training_halves(s->ctx, 100, 1, 6, 6, 0);
    const fv_train_options o = training_options(2, 16, 0.02);
    fv_model *with = training_model(s->ctx, TRAINING_TINY), *plain = training_model(s->ctx, without);
    assert_well(s->ctx, fv_train(with, data, NULL, &o, NULL, NULL));
    assert_true(fv_model_hash(with) != training_hash(s->ctx, without, data, &o));
    const char *path = scratch_path(s, "weights.safetensors");
    assert_well(s->ctx, fv_model_save(with, path));
    assert_well(s->ctx, fv_model_load(plain, path));
    static float a[100][2], b[100][2], again[100][2];
    assert_well(s->ctx, fv_predict(with, data, 0, 100, &a[0][0]));
    assert_well(s->ctx, fv_predict(with, data, 0, 100, &again[0][0]));
    assert_well(s->ctx, fv_predict(plain, data, 0, 100, &b[0][0]));
    assert_memory_equal(a, again, sizeof a);
    assert_memory_equal(a, b, sizeof a);
    fv_model_destroy(with);
    fv_model_destroy(plain);
    fv_data_destroy(data);
}

static void held_out_images_are_held_out(void **state)
{
    scratch *s = *state;
    fv_data *all = training_digits(s->ctx, FV_SPLIT_TRAIN, 300), *first = training_digits(s->ctx, FV_SPLIT_TRAIN, 230);
    fv_train_options o = training_options(2, 32, 0.01);
    const uint64_t alone = training_hash(s->ctx, "linear", first, &o);
    o.n_valid = 70;
    assert_true(training_hash(s->ctx, "linear", all, &o) == alone);
    fv_data_destroy(all);
    fv_data_destroy(first);
}

static void wrong_options(void **state)
{
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, 30, 1, 6, 6, 0), *large = training_halves(s->ctx, 5, 1, 8, 8, 0);
    fv_model *m = training_model(s->ctx, TRAINING_TINY);
    const uint64_t hash = fv_model_hash(m);
    const fv_train_options good = training_options(1, 8, 0.1);
#define REFUSED(member, value, message)                                                                      \
    do {                                                                                                     \
        fv_train_options o_ = good;                                                                          \
        o_.out = scratch_path(s, "refused");                                                                 \
        o_.member = value;                                                                                   \
        assert_failed(s, fv_train(m, data, NULL, &o_, NULL, NULL), FV_ERR_ARGUMENT, message);                \
    } while (0)
    REFUSED(epochs, 0, "epochs: expected 1 to 1e+06, found 0");
    REFUSED(batch, -1, "batch: expected 0 to 1.67772e+07, found -1");
    REFUSED(lr, NAN, "lr: expected 0 to 1e+06, found nan");
    REFUSED(lr, INFINITY, "lr: expected 0 to 1e+06, found inf");
    REFUSED(momentum, -0.5, "momentum: expected 0 to 1, found -0.5");
    REFUSED(weight_decay, -1, "weight-decay: expected 0 to 1e+06, found -1");
    REFUSED(shift, 101, "shift: expected 0 to 100, found 101");
    REFUSED(n_valid, 30, "valid: expected 0 to 29, found 30");
    REFUSED(optimizer, "adamm", "optimizer: expected sgd, found 'adamm'");
    REFUSED(optimizer, NULL, "optimizer: expected sgd, found ''");
    assert_failed(s, fv_train(m, large, NULL, &good, NULL, NULL), FV_ERR_INPUT,
                  "expected images of 1x6x6 for text, found 1x8x8");
    assert_failed(s, fv_train(m, data, large, &good, NULL, NULL), FV_ERR_INPUT,
                  "expected images of 1x6x6 for text, found 1x8x8");
    fv_train_options nowhere = good;
    nowhere.resume = true;
    assert_failed(s, fv_train(m, data, NULL, &nowhere, NULL, NULL), FV_ERR_ARGUMENT,
                  "resume: expected a run folder in `out`, found none");
    assert_int_equal(access(scratch_path(s, "refused"), F_OK), -1);
    assert_true(fv_model_hash(m) == hash);
    fv_model_destroy(m);
    fv_data_destroy(data);
    fv_data_destroy(large);
}

/* A folder that cannot be written changes nothing in the model. */
static void an_unwritable_folder(void **state)
{
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, 30, 1, 6, 6, 0);
    fv_model *m = training_model(s->ctx, TRAINING_TINY);
    const uint64_t hash = fv_model_hash(m);
    fv_train_options o = training_options(1, 8, 0.1);
    scratch_file(s, "file", "x", 1);
    o.out = scratch_path(s, "file/run");
    assert_int_equal(fv_train(m, data, NULL, &o, NULL, NULL), FV_ERR_IO);
    assert_non_null(strstr(fv_message(s->ctx), "file"));
    assert_true(fv_model_hash(m) == hash);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

/* ---- what it reports and writes -------------------------------------------------------------------- */

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
    fv_data *train = training_digits(s->ctx, FV_SPLIT_TRAIN, 250), *test = training_digits(s->ctx, FV_SPLIT_TEST, 120);
    fv_model *m = training_model(s->ctx, "linear");
    fv_train_options o = training_options(3, 64, 0.01);
    o.n_valid = 50;
    watched w = {.model = m, .epochs = 3, .steps = 4};
    assert_well(s->ctx, fv_train(m, train, test, &o, watch, &w));
    assert_int_equal(w.n_steps, 12);
    assert_int_equal(w.n_epochs, 3);
    assert_int_equal(w.n_done, 1);
    fv_score score;
    assert_well(s->ctx, fv_evaluate(m, test, &score));
    assert_true(score.error == w.test[2]);
    int n = 0, n_wrong = 0;
    for (int k = 0; k < score.n_classes; k++) {
        n += score.per_class[k].n;
        n_wrong += score.per_class[k].n_wrong;
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
    fv__set_statistics(m, train, 250);
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
    fv_data *train = training_digits(s->ctx, FV_SPLIT_TRAIN, 250), *test = training_digits(s->ctx, FV_SPLIT_TEST, 120);
    fv_model *m = training_model(s->ctx, "linear"), *best = NULL;
    fv_train_options o = training_options(3, 64, 0.0625);
    snprintf(folder, sizeof folder, "%s", scratch_path(s, "run/deep"));
    o.out = folder;
    o.n_valid = 50;
    o.data_name = "dig\"its";
    watched w = {.model = m, .epochs = 3, .steps = 4};
    assert_well(s->ctx, fv_train(m, train, test, &o, watch, &w));
    assert_int_equal(scratch_count(folder), 5);

    snprintf(path, sizeof path, "%s/model.fovea", folder);
    read_text(path, text, sizeof text);
    assert_string_equal(text, fv_model_text(m));

    snprintf(path, sizeof path, "%s/args.json", folder);
    read_text(path, text, sizeof text);
    static const char *const pairs[] = {
        "\"model\": \"linear\"", "\"data\": \"dig\\\"its\"", "\"epochs\": 3", "\"batch\": 64", "\"lr\": 0.0625",
        "\"optimizer\": \"sgd\"", "\"schedule\": \"constant\"", "\"seed\": 11", "\"valid\": 50", "\"shift\": 0"};
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
        snprintf(expected, sizeof expected, "%d,%.6f,%.6f,%.6f,0.0625,", epoch + 1, w.loss[epoch], w.valid[epoch],
                 w.test[epoch]);
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

/* A loaded or trained model goes on from where it is; a new one begins with the seed's parameters. */
static void a_settled_model_goes_on(void **state)
{
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, 40, 1, 6, 6, 0);
    fv_model *a = training_model(s->ctx, TRAINING_TINY), *b = training_model(s->ctx, TRAINING_TINY);
    fv_train_options o = training_options(2, 8, 0.02);
    assert_well(s->ctx, fv_train(a, data, NULL, &o, NULL, NULL));
    const uint64_t trained = fv_model_hash(a);
    const char *path = scratch_path(s, "a.safetensors");
    assert_well(s->ctx, fv_model_save(a, path));
    assert_well(s->ctx, fv_model_load(b, path));
    o.lr = 0;
    assert_well(s->ctx, fv_train(b, data, NULL, &o, NULL, NULL));
    assert_true(fv_model_hash(b) == trained);
    assert_well(s->ctx, fv_model_initialise(a, o.seed));
    assert_true(fv_model_hash(a) == training_hash(s->ctx, TRAINING_TINY, data, &o));
    fv_model_destroy(a);
    fv_model_destroy(b);
    fv_data_destroy(data);
}

/* ---- real pictures, where they are ----------------------------------------------------------------- */

static void mnist(void **state)
{
    scratch *s = *state;
    const char *root = getenv("FOVEA_DATA");
    const char *const roots[] = {root, NULL};
    const fv_data_options options = {.roots = roots};
    fv_data *train = NULL, *test = NULL;
    if (!root || TRAINING_SLOW || fv_data_open(s->ctx, "mnist", FV_SPLIT_TRAIN, &options, &train) != FV_OK) {
        print_message("skipped: FOVEA_DATA does not name a folder with mnist in it\n");
        skip();
    }
    assert_well(s->ctx, fv_data_open(s->ctx, "mnist", FV_SPLIT_TEST, &options, &test));
    fv_model *m = training_model(s->ctx, "lenet5-relu");
    const fv_train_options o = training_options(1, 64, 0.01);
    fv_score score;
    assert_well(s->ctx, fv_train(m, train, NULL, &o, NULL, NULL));
    assert_well(s->ctx, fv_evaluate(m, test, &score));
    print_message("error %.4f\n", score.error);
    assert_true(score.error < 0.03);
    fv_model_destroy(m);
    fv_data_destroy(train);
    fv_data_destroy(test);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(digits_are_learned),       TEST(batch_of_one_and_of_all),   TEST(every_layer_trains),
        TEST(several_runs_share_an_update), TEST(the_gradient_is_the_textbooks), TEST(updates_by_hand),
        TEST(schedules),                TEST(shifts_are_what_they_say),  TEST(dropout_is_for_training),
        TEST(held_out_images_are_held_out), TEST(wrong_options),         TEST(an_unwritable_folder),
        TEST(progress_is_true),         TEST(the_callback_stops_it),     TEST(the_run_folder),
        TEST(a_settled_model_goes_on),  TEST(mnist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
