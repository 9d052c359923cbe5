/* test_training.c - training from end to end on pictures that need no files: it learns, and its options do
 * what they say. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

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
    assert_true(training_hash(s->ctx, TRAINING_TINY, data, &o) !=
                training_hash(s->ctx, TRAINING_TINY, moved, &o));
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
    fv_data *all = training_digits(s->ctx, FV_SPLIT_TRAIN, 300),
            *first = training_digits(s->ctx, FV_SPLIT_TRAIN, 230);
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
    REFUSED(epochs, 0, "epochs: expected 1 to 1000000, found 0");
    REFUSED(batch, -1, "batch: expected 0 to 16777216, found -1");
    REFUSED(lr, NAN, "lr: expected 0 to 1000000, found nan");
    REFUSED(lr, INFINITY, "lr: expected 0 to 1000000, found inf");
    REFUSED(momentum, -0.5, "momentum: expected 0 to 1, found -0.5");
    REFUSED(weight_decay, -1, "weight-decay: expected 0 to 1000000, found -1");
    REFUSED(schedule, (fv_schedule)3, "schedule: expected 0 to 2, found 3");
    REFUSED(shift, 101, "shift: expected 0 to 100, found 101");
    REFUSED(n_valid, 30, "valid: expected 0 to 29, found 30");
    REFUSED(optimizer, "adamm",
            "optimizer: expected sgd, nesterov, adam or adamw, found 'adamm'; nearest is 'adam'");
    REFUSED(optimizer, NULL, "optimizer: expected sgd, nesterov, adam or adamw, found ''");
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

typedef struct intruder {
    fv_context *ctx;
    fv_data *data;
    fv_train_options options;
    fv_status status;
} intruder;

/* In the middle of one run, another one of a context of its own into the same folder. */
static bool intrude(void *user, const fv_progress *progress)
{
    intruder *i = user;
    if (progress->event == FV_EVENT_STEP && progress->step == 2) {
        fv_model *m = training_model(i->ctx, "input image 1x6x6\nflatten\nlinear out 2\nsoftmax\n");
        i->status = fv_train(m, i->data, NULL, &i->options, NULL, NULL);
        fv_model_destroy(m);
    }
    return true;
}

/* Two runs would leave the text of one and the weights of the other. The second is refused, whether it begins
 * or resumes, and the first does not notice; afterwards the folder is free. */
static void one_run_a_folder(void **state)
{
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, 40, 1, 6, 6, 0);
    intruder i = {.ctx = training_context(1, NULL), .options = training_options(1, 8, 0.02)};
    i.data = training_halves(i.ctx, 40, 1, 6, 6, 0);
    fv_train_options o = training_options(2, 8, 0.02);
    const uint64_t alone = training_hash(s->ctx, TRAINING_TINY, data, &o);
    o.out = i.options.out = scratch_path(s, "run");
    for (int resume = 0; resume < 2; resume++) {
        fv_model *m = training_model(s->ctx, TRAINING_TINY);
        i.options.resume = resume == 1;
        o.replace = i.options.replace = false;
        if (resume == 0)
            i.options.replace = true;
        else
            o.replace = true; /* of what the first round left */
        i.status = FV_OK;
        assert_well(s->ctx, fv_train(m, data, NULL, &o, intrude, &i));
        assert_int_equal(i.status, FV_ERR_IO);
        assert_non_null(strstr(fv_message(i.ctx), "/run: another run is writing to this folder"));
        assert_true(fv_model_hash(m) == alone);
        fv_model_destroy(m);
        assert_well(s->ctx, fv_model_open(s->ctx, o.out, &m)); /* text and weights belong together */
        fv_model_destroy(m);
    }
    fv_data_destroy(i.data);
    fv_context_destroy(i.ctx);
    fv_data_destroy(data);
}

/* A checkpoint of another number of steps than there are in an epoch. */
static void a_step_too_far(void **state)
{
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, 40, 1, 6, 6, 0);
    fv_model *m = training_model(s->ctx, TRAINING_TINY);
    fv_train_options o = training_options(2, 8, 0.02);
    fv_trainer *trainer = NULL;
    o.out = scratch_path(s, "run");
    assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
    assert_well(s->ctx, fv__trainer_create(m, o.batch, o.optimizer, 0, &trainer));
    const fv_position far = {
        .images = 40, .epoch = 1, .step = INT64_MAX, .updates = 6, .data = fv__data_digest(data)};
    assert_well(s->ctx, fv__checkpoint_save(trainer, o.out, &o, &far));
    fv__trainer_destroy(trainer);
    assert_well(s->ctx, fv_model_initialise(m, 3));
    const uint64_t hash = fv_model_hash(m);
    o.resume = true;
    assert_failed(s, fv_train(m, data, NULL, &o, NULL, NULL), FV_ERR_INPUT,
                  "/run/last.safetensors: metadata 'step': expected at most 5, the steps of an epoch, found "
                  "9223372036854775807");
    assert_true(fv_model_hash(m) == hash);
    fv_model_destroy(m);
    fv_data_destroy(data);
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
        TEST(digits_are_learned),      TEST(batch_of_one_and_of_all),
        TEST(every_layer_trains),      TEST(shifts_are_what_they_say),
        TEST(dropout_is_for_training), TEST(held_out_images_are_held_out),
        TEST(wrong_options),           TEST(an_unwritable_folder),
        TEST(a_settled_model_goes_on), TEST(one_run_a_folder),
        TEST(a_step_too_far),          TEST(mnist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
