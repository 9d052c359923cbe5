/* test_batchnorm.c - batch normalisation as a whole: against PyTorch's numbers, over several runs of an
 * update, in inference, from file, on every instruction set and any number of threads, and learning. The
 * operations one by one are in test_ops, whole gradients in test_check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feeding.h"
#include "op_harness.h"
#include "ops/inference.h"
#include "scratch.h"
#include "train/train.h"
#include "training.h"

#include <math.h>

/* ---- statistics ------------------------------------------------------------------------------------- */

/* A mean of 4096 and a variance of about 1/32: the mean of squares, taken in float, would be all noise. 40
 * images are three blocks, the last half empty. */
static void a_large_mean_costs_no_digits(void **state)
{
    (void)state;
    enum { N = 40, C = 3, PIXELS = 6 };
    op_call call = {.op = fv__op_find("batchnorm_stats"), .n = N, .what = "a large mean"};
    call.shape[0] = FV_SHAPE(C, 2, 3);
    call.value[0] = calloc((size_t)N * C * PIXELS, sizeof(double));
    assert_non_null(call.value[0]);
    double mean[C] = {0}, var[C] = {0};
    for (int i = 0; i < N * C * PIXELS; i++) {
        call.value[0][i] = 4096 + (i * 7 % 5) / 8.0; /* exact in float */
        mean[i / PIXELS % C] += call.value[0][i] / (N * PIXELS);
    }
    for (int i = 0; i < N * C * PIXELS; i++)
        var[i / PIXELS % C] += pow(call.value[0][i] - mean[i / PIXELS % C], 2) / (N * PIXELS);
    op_call_check(&call);
    fv_context *ctx = op_context("portable", 2);
    float *stats = op_by_plan(&call, ctx);
    for (int c = 0; c < C; c++) {
        assert_float_equal(stats[c], mean[c], 2.5e-4); /* half a unit in the last place of 4096 */
        assert_float_equal(stats[C + c], 1 / sqrt(var[c] + 1e-5), 2e-6);
        assert_float_equal(stats[2 * C + c], var[c] * N * PIXELS / (N * PIXELS - 1), 1e-8);
    }
    free(stats);
    fv_context_destroy(ctx);
    op_call_free(&call);
}

/* ---- PyTorch ---------------------------------------------------------------------------------------- */

#define SMALL                                                                                                \
    "input image 2x3x3\nconv c1 3 3x3 pad=1 bias=no\nbatchnorm bn\nrelu\nglobalavgpool\nflatten\n"           \
    "linear out 3\nsoftmax\n"
enum { SMALL_VALUES = 2 * 3 * 3 };

static float *values_of(fv_model *m, const char *name)
{
    const int tensor = fv__graph_find_tensor(&m->graph, name);
    assert_true(tensor >= 0 && fv__model_param_of(m, tensor) >= 0);
    return fv__model_values(m, fv__model_param_of(m, tensor));
}

static void fill_parameters(fv_model *m)
{
    for (int p = 0; p < m->n_learned; p++)
        for (size_t i = 0; i < m->params[p].n; i++)
            fv__model_values(m, p)[i] = (float)(((int)i * 7 + p * 13) % 17 - 8) / 16.0f;
    for (int c = 0; c < 3; c++)
        values_of(m, "bn.weight")[c] += 1.0f;
}

/* Image i of the data that both are given. */
static void fill_images(float (*images)[SMALL_VALUES], const float **pointers, int *labels, int n)
{
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < SMALL_VALUES; j++) {
            const int i = k * SMALL_VALUES + j;
            images[k][j] = (float)((i * i * 5 + i * 11) % 23 - 7) / 8.0f;
        }
        pointers[k] = images[k];
        labels[k] = k % 3;
    }
}

static void expect(fv_model *m, const char *name, const double *expected, int n)
{
    const float *const found = values_of(m, name);
    for (int i = 0; i < n; i++)
        if (!(fabs((double)found[i] - expected[i]) <= 1e-6))
            fail_msg("%s[%d]: expected %.9g, found %.9g", name, i, expected[i], (double)found[i]);
}

static void expect_probabilities(fv_context *ctx, const fv_model *m, const float *const *images,
                                 const double *expected)
{
    fv_graph graph;
    fv_plan *plan;
    fv_run *run;
    const fv_plan_options options = {.batch = 2, .n_workers = 1, .output = true};
    assert_well(ctx, fv__graph_for_inference(&m->graph, &graph));
    assert_well(ctx, fv__plan_create(ctx, &graph, &options, &plan));
    assert_well(ctx, fv__run_create(ctx, plan, &run));
    fv__bind_model(run, m);
    const fv_batch batch = {.n = 2, .feed = FEEDS(images, NULL), .image_weight = 1};
    assert_well(ctx, fv__run_step(run, &batch, false));
    const float *const output = fv__run_buffer(run, graph.result[0]);
    for (int i = 0; i < 6; i++)
        assert_float_equal(output[i % 3 * FV_LANES + i / 3], expected[i], 1e-6);
    fv__run_destroy(run);
    fv__plan_destroy(plan);
    fv__graph_deinit(&graph);
}

/* Two updates of 18 images (two of them alone in the second block), by torch 1.13 in double: SGD with lr 0.5,
 * momentum 0.75, weight decay 0.25 on the weights of conv and linear alone. Tolerance 1e-6: two steps of
 * float on numbers below 1.5. */
static void two_updates_as_pytorch(void **state)
{
    static const double conv[] = {-0.331634661, -0.0658819455, 0.251755319, -0.154178549, 0.118659982,
                                  -0.299242828, 0.0188108092,  0.294844934, -0.124216578};
    static const double gamma[] = {1.28089814, 0.676398212, 1.07701999};
    static const double beta[] = {0.0159618093, 0.535983329, -0.174215977};
    static const double out[] = {-0.0461057171, 0.256244885, -0.149263474, 0.0642714167, 0.285242889,
                                 -0.0922666991, 0.107810863, -0.247542461, -0.0104229518};
    static const double mean[] = {-0.0100012952, -0.024768972, 0.0229090568};
    static const double var[] = {0.979961342, 0.977680157, 0.969604246};
    static const double probabilities[] = {0.264857476, 0.344939234, 0.39020329,
                                           0.278715396, 0.354444062, 0.366840542};
    enum { N = 18 };
    fv_context *ctx = ((scratch *)*state)->ctx;
    float images[N][SMALL_VALUES];
    const float *pointers[N];
    int labels[N];
    fv_model *m = training_model(ctx, SMALL);
    fv_trainer *trainer;
    fill_parameters(m);
    fill_images(images, pointers, labels, N);
    assert_well(ctx, fv__trainer_create(m, N, "sgd", 0, &trainer));
    const fv_batch batch = {.n = N, .feed = FEEDS(pointers, labels)};
    const fv_rates rates = {.lr = 0.5, .momentum = 0.75, .weight_decay = 0.25};
    double first = 0, second = 0;
    assert_well(ctx, fv__trainer_step(trainer, &batch, &rates, &first));
    assert_well(ctx, fv__trainer_step(trainer, &batch, &rates, &second));
    assert_float_equal(first / N, 1.2198551915879088, 1e-6);
    assert_float_equal(second / N, 1.1703265637515803, 1e-6);
    expect(m, "c1.weight", conv, 9);
    expect(m, "bn.weight", gamma, 3);
    expect(m, "bn.bias", beta, 3);
    expect(m, "out.weight", out, 9);
    expect(m, "bn.running_mean", mean, 3);
    expect(m, "bn.running_var", var, 3);
    expect_probabilities(ctx, m, pointers, probabilities);
    fv__trainer_destroy(trainer);
    fv_model_destroy(m);
}

/* ---- an update of several runs ---------------------------------------------------------------------- */

/* The same 512 images twice are two runs with equal statistics: gradients, and so the update, are those of
 * the 512. Would dx read the sums over both runs, it would be off by as much as it is long. */
static void runs_of_one_update_have_their_own_sums(void **state)
{
    enum { N = FV_MAX_RUN };
    fv_context *ctx = ((scratch *)*state)->ctx;
    static float images[N][SMALL_VALUES];
    static const float *pointers[2 * N];
    static int labels[2 * N];
    fill_images(images, pointers, labels, N);
    memcpy(pointers + N, pointers, N * sizeof *pointers);
    memcpy(labels + N, labels, N * sizeof *labels);
    fv_model *models[2];
    for (int k = 0; k < 2; k++) {
        fv_trainer *trainer;
        models[k] = training_model(ctx, SMALL);
        fill_parameters(models[k]);
        assert_well(ctx, fv__trainer_create(models[k], (k + 1) * N, "sgd", 0, &trainer));
        const fv_batch batch = {.n = (k + 1) * N, .feed = FEEDS(pointers, labels)};
        const fv_rates rates = {.lr = 1};
        double loss = 0;
        assert_well(ctx, fv__trainer_step(trainer, &batch, &rates, &loss));
        fv__trainer_destroy(trainer);
    }
    for (int p = 0; p < models[0]->n_params; p++)
        for (size_t i = 0; i < models[0]->params[p].n; i++)
            assert_float_equal(fv__model_values(models[1], p)[i], fv__model_values(models[0], p)[i], 1e-6);
    fv_model_destroy(models[0]);
    fv_model_destroy(models[1]);
}

/* ---- training --------------------------------------------------------------------------------------- */

#define RESIDUAL                                                                                             \
    "input image 1x28x28\nconv stem 8 3x3 stride=2 pad=1 bias=no\nbatchnorm bn1\nrelu name=block0\n"         \
    "conv block1.conv1 16 3x3 stride=2 pad=1 bias=no\nbatchnorm block1.bn1\nrelu\n"                          \
    "conv block1.conv2 16 3x3 pad=1 bias=no\nbatchnorm block1.bn2\n"                                         \
    "conv block1.downsample.0 16 1x1 stride=2 bias=no from=block0\nbatchnorm block1.downsample.1\n"          \
    "add block1.bn2\nrelu name=block1\nconv block2.conv1 16 3x3 pad=1 bias=no\nbatchnorm block2.bn1\n"       \
    "add block1\nrelu name=block2\nglobalavgpool\nflatten\nlinear fc 10\nsoftmax\n"

/* Learned values, statistics and predictions after an epoch over 75 images in batches of 45: a batch is 3
 * blocks, the last partly filled, and the second batch smaller. */
static uint64_t bits_of_training(fv_context *ctx)
{
    enum { N = 75 };
    float probabilities[N][10];
    fv_data *data = training_digits(ctx, FV_SPLIT_TRAIN, N);
    fv_model *m = training_model(ctx, RESIDUAL);
    const fv_train_options options = training_options(1, 45, 0.05);
    assert_well(ctx, fv_train(m, data, NULL, &options, NULL, NULL));
    assert_well(ctx, fv_predict(m, data, 0, N, &probabilities[0][0]));
    uint64_t hash = fv_model_hash(m);
    for (int p = m->n_learned; p < m->n_params; p++)
        for (size_t i = 0; i < m->params[p].n; i++) {
            uint32_t bits;
            memcpy(&bits, &fv__model_values(m, p)[i], sizeof bits);
            hash = (hash ^ bits) * 0x100000001b3u;
        }
    for (int i = 0; i < N * 10; i++) {
        uint32_t bits;
        memcpy(&bits, &probabilities[i / 10][i % 10], sizeof bits);
        hash = (hash ^ bits) * 0x100000001b3u;
    }
    fv_model_destroy(m);
    fv_data_destroy(data);
    return hash;
}

static void same_bits_everywhere(void **state)
{
    (void)state;
    static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};
    fv_context *plain = training_context(1, "portable");
    const uint64_t expected = bits_of_training(plain);
    fv_context_destroy(plain);
    for (int isa = 0; isa < 4; isa++)
        for (int n_threads = 1; n_threads <= 3; n_threads++) {
            fv_context *ctx = training_context(n_threads, isas[isa]);
            if (!ctx)
                break;
            if (bits_of_training(ctx) != expected)
                fail_msg("%s, %d threads: other bits", isas[isa], n_threads);
            fv_context_destroy(ctx);
        }
}

/* A shortcut, three batch normalisations on the way and the pool over the whole image; from file it predicts
 * the same, bit by bit, for the running statistics are saved. */
static void learns_and_is_saved(void **state)
{
    scratch *s = *state;
    enum { N = TRAINING_SLOW ? 300 : 2000, N_TEST = 200 };
    static float before[N_TEST * 10], after[N_TEST * 10];
    fv_data *train = training_digits(s->ctx, FV_SPLIT_TRAIN, N);
    fv_data *test = training_digits(s->ctx, FV_SPLIT_TEST, N_TEST);
    fv_model *m = training_model(s->ctx, RESIDUAL), *again = training_model(s->ctx, RESIDUAL);
    fv_train_options options = training_options(6, 32, 0.05);
    fv_score score;
    options.schedule = FV_SCHEDULE_COSINE;
    assert_well(s->ctx, fv_train(m, train, NULL, &options, NULL, NULL));
    assert_well(s->ctx, fv_evaluate(m, test, &score));
    if (!TRAINING_SLOW && score.error > 0.12) /* 0.9 to begin with, 0.05 when this was written */
        fail_msg("error %g after training", score.error);
    assert_true(values_of(m, "bn1.running_var")[0] != 1.0f);
    const char *path = scratch_path(s, "bn.safetensors");
    assert_well(s->ctx, fv_model_save(m, path));
    assert_well(s->ctx, fv_model_load(again, path));
    assert_well(s->ctx, fv_predict(m, test, 0, N_TEST, before));
    assert_well(s->ctx, fv_predict(again, test, 0, N_TEST, after));
    assert_memory_equal(before, after, sizeof before);
    fv_model_destroy(m);
    fv_model_destroy(again);
    fv_data_destroy(train);
    fv_data_destroy(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_mean_costs_no_digits),
        cmocka_unit_test(two_updates_as_pytorch),
        cmocka_unit_test(runs_of_one_update_have_their_own_sums),
        cmocka_unit_test(same_bits_everywhere),
        cmocka_unit_test(learns_and_is_saved),
    };
    return cmocka_run_group_tests_name("batchnorm", tests, scratch_setup, scratch_teardown);
}
