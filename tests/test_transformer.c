/* test_transformer.c - the vision transformer as a whole: against PyTorch's numbers, what its words refuse,
 * and that it learns. Its operations one by one are in test_ops, its bits in test_determinism and
 * test_one_image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feeding.h"
#include "scratch.h"
#include "train/train.h"
#include "training.h"

#include <math.h>

/* ---- PyTorch ---------------------------------------------------------------------------------------- */

#define FIRST(k) "layernorm t.layers." k ".norm1\nattention t.layers." k ".self_attn 2"
#define SECOND(k)                                                                                            \
    "layernorm t.layers." k ".norm2\nlinear t.layers." k ".linear1 24\ngelu\nlinear t.layers." k             \
    ".linear2 6\nadd t.layers." k ".trunk name=t.layers." k "\n"
#define SMALL                                                                                                \
    "input image 3x8x8\nconv e 6 4x4 stride=4\ntokens\nclasstoken cls\nposition pos\n" FIRST(                \
        "0") "\nadd pos name=t.layers.0.trunk\n" SECOND("0")                                                 \
        FIRST("1") " queries=1\nslice 0 1 from=t.layers.0 name=before\nadd t.layers.1.self_attn "            \
                   "name=t.layers.1.trunk\n" SECOND("1") "layernorm n\nflatten\nlinear h 3\nsoftmax\n"
enum { SMALL_VALUES = 3 * 8 * 8, N = 18 };

/* Of a parameter's values v: how many, the sum of v[i] (5i % 7 - 3), the sum of v[i] (3i % 11 - 5). */
typedef struct expected {
    const char *name;
    int n;
    double first, second;
} expected;

static bool is_gain(const char *name)
{
    return strstr(name, "norm") ? strstr(name, "weight") != NULL : strcmp(name, "n.weight") == 0;
}

static const char *name_of(const fv_model *m, int p)
{
    return m->graph.tensors[m->params[p].tensor].name;
}

static void fill_parameters(fv_model *m)
{
    for (int p = 0; p < m->n_learned; p++)
        for (size_t i = 0; i < m->params[p].n; i++)
            fv__model_values(m, p)[i] =
                (float)(((int)i * 7 + p * 13) % 17 - 8) / 16.0f + (is_gain(name_of(m, p)) ? 1.0f : 0.0f);
}

static void fill_images(float (*images)[SMALL_VALUES], const float **pointers, int *labels, int n)
{
    for (int i = 0; i < n * SMALL_VALUES; i++)
        images[i / SMALL_VALUES][i % SMALL_VALUES] = (float)(((int64_t)i * i * 5 + i * 11) % 23 - 7) / 8.0f;
    for (int k = 0; k < n; k++) {
        pointers[k] = images[k];
        labels[k] = k % 3;
    }
}

static void expect(const fv_model *m, int p, const expected *e)
{
    double first = 0, second = 0;
    assert_string_equal(name_of(m, p), e->name);
    assert_int_equal(m->params[p].n, e->n);
    for (int i = 0; i < e->n; i++) {
        first += (double)fv__model_values(m, p)[i] * (i * 5 % 7 - 3);
        second += (double)fv__model_values(m, p)[i] * (i * 3 % 11 - 5);
    }
    if (!(fabs(first - e->first) <= 1e-5) || !(fabs(second - e->second) <= 1e-5))
        fail_msg("%s: expected sums %.9g and %.9g, found %.9g and %.9g", e->name, e->first, e->second, first,
                 second);
}

/* Two updates of 18 images, by torch 1.13 in double: a TransformerEncoder of 2 layers over all 5 tokens, of
 * which the head reads the first; here that one alone asks in the last layer and goes on, and the numbers are
 * the same. SGD with lr 0.1, momentum 0.75, weight decay 0.25 on weights alone. Tolerance 1e-5:
 * two steps of float, in sums of up to 288 values below 2 with factors up to 5. */
static void two_updates_as_pytorch(void **state)
{
    static const expected all[] = {
        {"e.weight", 288, 1.03144501, 3.18525328},
        {"e.bias", 6, -0.413311839, -2.93572569},
        {"cls", 6, -0.999337189, 0.969009006},
        {"pos", 30, 2.81625436, -1.10823395},
        {"t.layers.0.norm1.weight", 6, 2.95561113, -5.54076163},
        {"t.layers.0.norm1.bias", 6, -0.500116435, -3.27974293},
        {"t.layers.0.self_attn.in_proj_weight", 108, 0.447445358, -2.53575869},
        {"t.layers.0.self_attn.in_proj_bias", 18, 2.36243883, -2.98256369},
        {"t.layers.0.self_attn.out_proj.weight", 36, 1.17178497, -4.04680511},
        {"t.layers.0.self_attn.out_proj.bias", 6, -0.443755366, -3.93449993},
        {"t.layers.0.norm2.weight", 6, -1.6418653, -4.81874245},
        {"t.layers.0.norm2.bias", 6, -0.775358245, 1.81415566},
        {"t.layers.0.linear1.weight", 144, 1.90730889, -1.9072772},
        {"t.layers.0.linear1.bias", 24, -4.99513843, 1.76321285},
        {"t.layers.0.linear2.weight", 144, -4.4839325, 2.08544547},
        {"t.layers.0.linear2.bias", 6, -0.747552844, 1.25156702},
        {"t.layers.1.norm1.weight", 6, 3.1998204, -8.07788311},
        {"t.layers.1.norm1.bias", 6, 1.9400978, 1.7299565},
        {"t.layers.1.self_attn.in_proj_weight", 108, -0.432000496, -2.30912884},
        {"t.layers.1.self_attn.in_proj_bias", 18, -0.377496747, 0.422849682},
        {"t.layers.1.self_attn.out_proj.weight", 36, 3.69307409, -2.98919967},
        {"t.layers.1.self_attn.out_proj.bias", 6, 2.07377258, 1.10280159},
        {"t.layers.1.norm2.weight", 6, 0.627791709, -10.2185361},
        {"t.layers.1.norm2.bias", 6, -2.66209939, 2.59680446},
        {"t.layers.1.linear1.weight", 144, 4.42000608, 6.33815961},
        {"t.layers.1.linear1.bias", 24, 2.31287003, 0.466393622},
        {"t.layers.1.linear2.weight", 144, -2.08619648, -0.108983332},
        {"t.layers.1.linear2.bias", 6, -2.66956894, 2.06037877},
        {"n.weight", 6, 0.17879749, -5.16945797},
        {"n.bias", 6, 2.18614066, -0.749812587},
        {"h.weight", 18, -3.20246587, -0.174368711},
        {"h.bias", 3, -1.54833745, -0.446775564},
    };
    enum { N_PARAMETERS = sizeof all / sizeof *all };
    fv_context *ctx = ((scratch *)*state)->ctx;
    static float images[N][SMALL_VALUES];
    const float *pointers[N];
    int labels[N];
    fill_images(images, pointers, labels, N);
    fv_model *m = training_model(ctx, SMALL);
    fv_trainer *trainer;
    double first = 0, second = 0;
    assert_int_equal(m->n_learned, N_PARAMETERS);
    fill_parameters(m);
    assert_well(ctx, fv__trainer_create(m, N, "sgd", 0, &trainer));
    const fv_batch batch = {.n = N, .feed = FEEDS(pointers, labels)};
    const fv_rates rates = {.lr = 0.1, .momentum = 0.75, .weight_decay = 0.25};
    assert_well(ctx, fv__trainer_step(trainer, &batch, &rates, &first));
    assert_well(ctx, fv__trainer_step(trainer, &batch, &rates, &second));
    assert_float_equal(first / N, 1.287405910457, 1e-6);
    assert_float_equal(second / N, 1.161025301955, 1e-6);
    for (int p = 0; p < N_PARAMETERS; p++)
        expect(m, p, &all[p]);
    fv__trainer_destroy(trainer);
    fv_model_destroy(m);
}

/* The same 512 images twice are two runs of one update, whose gradients add up to those of 512. Tolerance:
 * one step of float, its sums in another order. */
static void several_runs_of_one_update(void **state)
{
    fv_context *ctx = ((scratch *)*state)->ctx;
    static float images[FV_MAX_RUN][SMALL_VALUES];
    static const float *pointers[2 * FV_MAX_RUN];
    static int labels[2 * FV_MAX_RUN];
    fv_model *models[2];
    fill_images(images, pointers, labels, FV_MAX_RUN);
    memcpy(pointers + FV_MAX_RUN, pointers, FV_MAX_RUN * sizeof *pointers);
    memcpy(labels + FV_MAX_RUN, labels, FV_MAX_RUN * sizeof *labels);
    for (int k = 0; k < 2; k++) {
        fv_trainer *trainer;
        double loss = 0;
        const int n = (k + 1) * FV_MAX_RUN;
        models[k] = training_model(ctx, SMALL);
        fill_parameters(models[k]);
        assert_well(ctx, fv__trainer_create(models[k], n, "sgd", 0, &trainer));
        const fv_batch batch = {.n = n, .feed = FEEDS(pointers, labels)};
        const fv_rates rates = {.lr = 1};
        assert_well(ctx, fv__trainer_step(trainer, &batch, &rates, &loss));
        fv__trainer_destroy(trainer);
    }
    for (int p = 0; p < models[0]->n_params; p++)
        for (size_t i = 0; i < models[0]->params[p].n; i++)
            assert_float_equal(fv__model_values(models[1], p)[i], fv__model_values(models[0], p)[i], 1e-6);
    fv_model_destroy(models[0]);
    fv_model_destroy(models[1]);
}

/* ---- what is refused -------------------------------------------------------------------------------- */

#define IN  "input image 2x4x4\n"
#define END "flatten\nlinear out 3\nsoftmax\n"

static void mistakes(void **state)
{
    static const struct {
        const char *text, *message;
    } wrong[] = {
        {IN "classtoken cls\n" END, "m:2:1: classtoken cls reads a sequence of tokens, but its input is an "
                                    "image of 2x4x4; a 'tokens' line makes one of an image"},
        {IN "flatten\nposition pos\n" END, "m:3:1: position pos reads a sequence of tokens, but its input is "
                                           "a vector of 32 values; a 'tokens' line makes one of an image"},
        {IN "attention a 2\n" END, "m:2:1: attention a reads a sequence of tokens, but its input is an image "
                                   "of 2x4x4; a 'tokens' line makes one of an image"},
        {IN "tokens\nattention a 3\n" END, "m:3: attention a.heads: expected heads that divide the 2 "
                                           "channels, found 3"},
        {IN "tokens\nattention a 2 queries=17\n" END, "m:3: attention a.heads: expected at most 16 queries, "
                                                      "found 17"},
        {IN "tokens\nattention a 0\n" END, "m:3:13: attention: heads: expected 1 to 16777216, found '0'"},
        {IN "tokens\ntokens\n" END, "m:3: tokens tokens2: expected an image, found 2x16"},
        {IN "tokens\nslice 16 1\n" END, "m:3: slice: expected tokens among 0 to 15, found 16 to 16"},
        {IN "tokens\nslice 3 14\n" END, "m:3: slice: expected tokens among 0 to 15, found 3 to 16"},
        {IN "slice 0 1\n" END, "m:2: slice: expected a sequence of tokens, found 2x4x4; a tokens line "
                               "makes one of an image, and axis= slices anything"},
        {IN "tokens\nclasstoken a.weight\nlayernorm a\n" END,
         "m:4:1: layernorm a: the name of its 'a.weight' is taken by the classtoken a.weight of line 3"},
        {IN "tokens\nlinear out 3\nsoftmax\n",
         "m:4:1: the model ends in a sequence of 3x16, the loss reads a vector; put a 'flatten' line before "
         "the last layer"},
    };
    fv_context *ctx = ((scratch *)*state)->ctx;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fv_model *m = NULL;
        assert_int_equal(fv_model_from_text(ctx, wrong[i].text, "m", &m), FV_ERR_INPUT);
        assert_string_equal(fv_message(ctx), wrong[i].message);
    }
}

/* ---- training --------------------------------------------------------------------------------------- */

static void learns(void **state)
{
    enum { N_TRAIN = TRAINING_SLOW ? 300 : 3000, N_TEST = 300 };
    fv_context *ctx = ((scratch *)*state)->ctx;
    fv_data *train = training_digits(ctx, FV_SPLIT_TRAIN, N_TRAIN);
    fv_data *test = training_digits(ctx, FV_SPLIT_TEST, N_TEST);
    fv_model *m = training_model(ctx, TRAINING_TRANSFORMER);
    fv_train_options options = training_options(60, 16, 0.02);
    fv_score score;
    options.schedule = FV_SCHEDULE_COSINE;
    assert_well(ctx, fv_train(m, train, NULL, &options, NULL, NULL));
    assert_well(ctx, fv_evaluate(m, test, &score));
    print_message("error %g after training\n", score.error);
    if (!TRAINING_SLOW && score.error > 0.2) /* 0.9 to begin with, 0.09 when this was written */
        fail_msg("error %g after training", score.error);
    fv_model_destroy(m);
    fv_data_destroy(train);
    fv_data_destroy(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_updates_as_pytorch),
        cmocka_unit_test(several_runs_of_one_update),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(learns),
    };
    return cmocka_run_group_tests_name("transformer", tests, scratch_setup, scratch_teardown);
}
