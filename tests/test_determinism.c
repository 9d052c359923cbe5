/* test_determinism.c - the same seed gives the same bits: for any number of threads, on every instruction
 * set, with blocks and batches that are full or not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "scratch.h"
#include "training.h"

#define DROPPING                                                                                             \
    "input image 1x28x28\n"                                                                                  \
    "conv c1 5 3x3 stride=2\n"                                                                               \
    "leakyrelu\n"                                                                                            \
    "dropout 0.3\n"                                                                                          \
    "conv c2 7 3x3 pad=1\n"                                                                                  \
    "softplus\n"                                                                                             \
    "maxpool 3x3 stride=2\n"                                                                                 \
    "flatten\n"                                                                                              \
    "dropout 0.5\n"                                                                                          \
    "linear out 10\n"                                                                                        \
    "softmax\n"

static const int threads[] = {1, 2, 3, 8};
enum { N_THREADS = sizeof threads / sizeof *threads, MOST = 450 };
static const char *const fast[] = {"avx512", "avx2", "neon"};

static uint8_t pixels[MOST][28 * 28];
static int labels[MOST];

static int draw(void **state)
{
    (void)state;
    fv_context *ctx = training_context(1, NULL);
    fv_data *data = training_digits(ctx, FV_SPLIT_TRAIN, MOST);
    for (int i = 0; i < MOST; i++) {
        memcpy(pixels[i], fv_data_pixels(data, i), sizeof pixels[i]);
        labels[i] = fv_data_label(data, i);
    }
    fv_data_destroy(data);
    fv_context_destroy(ctx);
    return 0;
}

typedef struct result {
    uint64_t parameters, probabilities;
} result;

/* Two epochs, or a step or two with large batches, over n images; then the probabilities of them all. */
static result train(fv_context *ctx, const char *model, int n, const fv_train_options *options)
{
    static float probabilities[MOST][10];
    fv_data *data = NULL;
    assert_well(ctx, fv_data_from_memory(ctx, &pixels[0][0], labels, n, 1, 28, 28, 10, &data));
    fv_model *m = training_model(ctx, model);
    assert_well(ctx, fv_train(m, data, NULL, options, NULL, NULL));
    assert_well(ctx, fv_predict(m, data, 0, n, &probabilities[0][0]));
    result r = {.parameters = fv_model_hash(m), .probabilities = 0xcbf29ce484222325u};
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 10; k++) {
            uint32_t bits;
            memcpy(&bits, &probabilities[i][k], sizeof bits);
            r.probabilities = (r.probabilities ^ bits) * 0x100000001b3u;
        }
    fv_model_destroy(m);
    fv_data_destroy(data);
    return r;
}

static void compare(const char *isa, int n_threads, const char *model, int batch, result expected,
                    result found)
{
    if (found.parameters != expected.parameters || found.probabilities != expected.probabilities)
        fail_msg("%s, %d threads, batch %d: expected hash %016llx (probabilities %016llx), found %016llx "
                 "(%016llx): %s",
                 isa, n_threads, batch, (unsigned long long)expected.parameters,
                 (unsigned long long)expected.probabilities, (unsigned long long)found.parameters,
                 (unsigned long long)found.probabilities, model);
}

static fv_train_options options_of(const char *model, int batch)
{
    fv_train_options o = training_options(1, batch, 0.01);
    o.weight_decay = 0.001;
    o.schedule = FV_SCHEDULE_COSINE;
    o.shift = strstr(model, "dropout") ? 2 : 0;
    return o;
}

/* Two full batches and a part of one. */
static int images_of(int batch)
{
    const int n = batch < 10 ? 5 : 2 * batch + batch / 2;
    return n < MOST ? n : MOST;
}

static const char *const models[] = {"lenet5-relu", "lenet5", DROPPING, "mlp", TRAINING_TRANSFORMER};
static const int batches[] = {1, 15, 16, 17, 128, 300};
enum { N_MODELS = sizeof models / sizeof *models, N_BATCHES = sizeof batches / sizeof *batches };

/* The parameters of mlp take long to draw and little to train: fewer cases of it say as much. */
static bool is_run(int model, int batch)
{
    if (TRAINING_SLOW && (batch == 16 || batch == 300))
        return false;
    return model != 3 || batch == 17 || batch == 128;
}

/* The first to run a case says what is expected; all others have to agree. */
static void same_bits(void **state)
{
    (void)state;
    static result expected[N_MODELS][N_BATCHES];
    static bool known[N_MODELS][N_BATCHES];
    for (size_t i = 0; i < sizeof fast / sizeof *fast; i++)
        for (int t = 0; t < N_THREADS; t++) {
            fv_context *ctx = training_context(threads[t], fast[i]);
            if (!ctx)
                break;
            for (int m = 0; m < N_MODELS; m++)
                for (int b = 0; b < N_BATCHES; b++) {
                    if (!is_run(m, batches[b]))
                        continue;
                    const fv_train_options o = options_of(models[m], batches[b]);
                    const result r = train(ctx, models[m], images_of(batches[b]), &o);
                    if (!known[m][b])
                        expected[m][b] = r;
                    known[m][b] = true;
                    compare(fast[i], threads[t], models[m], batches[b], expected[m][b], r);
                }
            fv_context_destroy(ctx);
        }
}

/* Plain C is fifty times slower: a few images, against the best that the machine has. */
static void portable_too(void **state)
{
    (void)state;
    fv_context *best = training_context(2, NULL), *portable = training_context(3, "portable");
    assert_non_null(best);
    assert_non_null(portable);
    print_message("%s against portable\n", fv_context_isa(best));
    for (int m = 0; m < N_MODELS; m++) {
        const int batch = 17, n = m == 3 ? 2 : TRAINING_SLOW ? 3 : 20;
        const fv_train_options o = options_of(models[m], batch);
        compare("portable", 3, models[m], batch, train(best, models[m], n, &o),
                train(portable, models[m], n, &o));
    }
    fv_context_destroy(best);
    fv_context_destroy(portable);
}

/* Each thing that the seed decides follows it: initialisation, the order of the images, dropout, shifts. */
static void another_seed_is_another_run(void **state)
{
    (void)state;
    fv_context *ctx = training_context(2, NULL);
    uint64_t found[4][2];
    for (int seed = 0; seed < 2; seed++) {
        static const char *const kinds[] = {"lenet5-relu", "order", DROPPING, "shift"};
        for (int k = 0; k < 4; k++) {
            const char *model = strchr(kinds[k], '\n') || k == 0 ? kinds[k] : "linear";
            fv_train_options o = training_options(1, k == 1 ? 7 : 0, 0.01);
            o.seed = 7 + (uint64_t)seed;
            o.shift = k == 3 ? 2 : 0;
            fv_data *data = NULL;
            assert_well(ctx, fv_data_from_memory(ctx, &pixels[0][0], labels, 40, 1, 28, 28, 10, &data));
            fv_model *m = training_model(ctx, model);
            if (k > 0) /* the same beginning for both */
                assert_well(ctx, fv_model_initialise(m, 3));
            assert_well(ctx, fv_train(m, data, NULL, &o, NULL, NULL));
            found[k][seed] = fv_model_hash(m);
            fv_model_destroy(m);
            fv_data_destroy(data);
        }
    }
    for (int k = 0; k < 4; k++)
        assert_true(found[k][0] != found[k][1]);
    fv_context_destroy(ctx);
}

/* A second training in the same process, after others, is the first again: nothing is left behind. */
static void nothing_is_left_behind(void **state)
{
    (void)state;
    fv_context *ctx = training_context(2, NULL);
    const fv_train_options small = options_of(DROPPING, 15), large = options_of(DROPPING, 128);
    const result first = train(ctx, DROPPING, 40, &small);
    train(ctx, DROPPING, 300, &large);
    train(ctx, "lenet5", 70, &large);
    compare(fv_context_isa(ctx), 2, DROPPING, 15, first, train(ctx, DROPPING, 40, &small));
    fv_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits),
        cmocka_unit_test(portable_too),
        cmocka_unit_test(another_seed_is_another_run),
        cmocka_unit_test(nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, draw, NULL);
}
