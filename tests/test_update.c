/* test_update.c - the arithmetic of one update, against the textbook's: the gradient of a batch, however many
 * runs it takes, the change of the parameters, and the learning rate. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "feeding.h"
#include "scratch.h"
#include "train/train.h"
#include "training.h"

#include <math.h>

typedef struct hand {
    fv_trainer *trainer;
    const uint8_t **pixels;
    int *labels;
    fv_given feed[2];
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
    h.feed[0] = give_pixels(h.pixels);
    h.feed[1] = give_labels(h.labels);
    assert_well(ctx, fv__trainer_create(model, batch, "sgd", 0, &h.trainer));
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
        if (t->graph.tensors[i].role == FV_ROLE_GRADIENT &&
            t->graph.tensors[i].of == t->model->params[p].tensor)
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
    fv__bind_model(run, m);
    fv_batch batch = {.n = N, .feed = h.feed, .image_weight = 1.0f / N};
    assert_well(s->ctx, fv__run_step(run, &batch, false));
    double loss = 0, whole = 0;
    const float *losses = fv__run_buffer(run, h.trainer->graph.loss[0]);
    for (int i = 0; i < N; i++)
        whole += (double)losses[i];
    assert_well(s->ctx, fv__trainer_step(h.trainer, &batch, NULL, &loss)); /* lr 0: nothing moves */
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
    fv_samples samples;
    assert_well(s->ctx, fv__samples_of(m, data, true, &samples));
    fv__set_statistics(m, &samples, N);
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
    const fv_batch batch = {.n = N, .feed = h.feed};
    double found = 0;
    assert_well(s->ctx, fv__trainer_step(h.trainer, &batch, NULL, &found));
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
        memcpy(p0, fv__model_values(m, 0), m->n_values * sizeof *p0);
        memcpy(v0, h.trainer->states, m->n_values * sizeof *v0);
        const fv_batch batch = {.n = N, .feed = h.feed, .step = (uint32_t)step};
        const fv_rates rates = {
            .lr = (double)lr, .momentum = (double)momentum, .weight_decay = (double)decay};
        assert_well(s->ctx, fv__trainer_step(h.trainer, &batch, &rates, &loss));
        for (int p = 0; p < m->n_learned; p++) {
            const bool is_bias = strstr(fv_model_parameter(m, p).name, ".bias") != NULL;
            const float *g = fv__run_buffer(h.trainer->run, gradient_of(h.trainer, p));
            for (size_t i = 0; i < m->params[p].n; i++) {
                const size_t at = m->params[p].offset + i;
                const float total = is_bias ? g[i] : fmaf(decay, p0[at], g[i]);
                const float v = fmaf(momentum, v0[at], total);
                assert_true(h.trainer->states[at] == v);
                assert_true(fv__model_values(m, 0)[at] == fmaf(-lr, v, p0[at]));
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
    static const double by_epoch[] = {0.5,   0.5,     0.5,     0.125,   0.125,
                                      0.125, 0.03125, 0.03125, 0.03125, 0.0078125};
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(several_runs_share_an_update),
        TEST(the_gradient_is_the_textbooks),
        TEST(updates_by_hand),
        TEST(schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
