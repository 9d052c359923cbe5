/* test_resume.c - a run that was stopped, interrupted or killed goes on to the bits that it would have
 * reached anyway; a checkpoint that is damaged is refused and changes nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "io/safetensors.h"
#include "scratch.h"
#include "training.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define HINT "; to go on with what is there now, force it (--force)"

enum { N_IMAGES = 50, BATCH = 8, STEPS = 7, EPOCHS = 3 };

static fv_train_options options_in(const char *folder)
{
    fv_train_options o = training_options(EPOCHS, BATCH, 0.02);
    o.out = folder;
    o.schedule = FV_SCHEDULE_COSINE;
    o.shift = 1;
    o.weight_decay = 0.001;
    return o;
}

/* Stops after so many steps of this call; notes what was said of epochs. */
typedef struct stopper {
    int steps_left;
    bool kill;
    int n_epochs;
    int epoch[16];
    double loss[16], lr[16];
} stopper;

static bool stop(void *user, const fv_progress *p)
{
    stopper *s = user;
    if (p->event == FV_EVENT_EPOCH && s->n_epochs < 16) {
        s->epoch[s->n_epochs] = p->epoch;
        s->loss[s->n_epochs] = p->train_loss;
        s->lr[s->n_epochs++] = p->lr;
    }
    if (p->event != FV_EVENT_STEP || --s->steps_left != 0)
        return true;
    if (s->kill)
        raise(SIGKILL);
    return false;
}

/* One call of fv_train in a context of its own. */
static fv_status train(int n_threads, const fv_train_options *options, stopper *s, uint64_t *hash)
{
    fv_context *ctx = training_context(n_threads, NULL);
    fv_data *data = training_halves(ctx, N_IMAGES, 1, 6, 6, 0);
    fv_model *m = training_model(ctx, TRAINING_TINY);
    const fv_status status = fv_train(m, data, NULL, options, s ? stop : NULL, s);
    if (status != FV_OK && status != FV_STOPPED)
        print_error("%s\n", fv_message(ctx));
    if (hash)
        *hash = fv_model_hash(m);
    fv_model_destroy(m);
    fv_data_destroy(data);
    fv_context_destroy(ctx);
    return status;
}

static fv_status resume(int n_threads, const char *folder, stopper *s, uint64_t *hash)
{
    fv_train_options o = training_options(1, 3, 99); /* the recorded ones win */
    o.out = folder;
    o.resume = true;
    return train(n_threads, &o, s, hash);
}

static uint64_t uninterrupted(scratch *s, stopper *seen)
{
    char folder[256];
    snprintf(folder, sizeof folder, "%s", scratch_path(s, "whole"));
    const fv_train_options o = options_in(folder);
    uint64_t hash = 0;
    assert_int_equal(train(2, &o, seen, &hash), FV_OK);
    return hash;
}

/* The log has a header and each epoch once, in order; the first four columns as in the uninterrupted run. */
static void check_log(scratch *s, const char *folder, int n_epochs)
{
    char path[512], text[2][8192];
    const char *const folders[] = {folder, scratch_path(s, "whole")};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/log.csv", folders[i]);
        text[i][scratch_load(path, (uint8_t *)text[i], sizeof text[i] - 1)] = '\0';
    }
    const char *line[2] = {text[0], text[1]};
    for (int epoch = 0; epoch <= n_epochs; epoch++) {
        if (epoch > 0)
            assert_int_equal(atoi(line[0]), epoch);
        size_t n = 0;
        for (int commas = 0; commas < 5; n++) {
            assert_true(line[0][n] && line[0][n] == line[1][n]);
            commas += line[0][n] == ',';
        }
        for (int i = 0; i < 2; i++) {
            line[i] = strchr(line[i], '\n');
            assert_non_null(line[i]);
            line[i]++;
        }
    }
    assert_string_equal(line[0], "");
}

/* best.safetensors, too, is that of the uninterrupted run. */
static void check_best(scratch *s, const char *folder)
{
    static uint8_t bytes[2][16384];
    char path[512];
    size_t n[2];
    const char *const folders[] = {folder, scratch_path(s, "whole")};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/best.safetensors", folders[i]);
        n[i] = scratch_load(path, bytes[i], sizeof bytes[i]);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(bytes[0], bytes[1], n[0]);
}

/* ---- stopping -------------------------------------------------------------------------------------- */

/* k epochs, and later more of them: with a constant rate that is the same as all at once. */
static void more_epochs(void **state)
{
    scratch *s = *state;
    char folder[256];
    snprintf(folder, sizeof folder, "%s", scratch_path(s, "part"));
    fv_train_options o = options_in(scratch_path(s, "whole"));
    o.schedule = FV_SCHEDULE_STEP;
    o.step_epochs = 1;
    o.step_factor = 0.5;
    uint64_t whole, part;
    assert_int_equal(train(1, &o, NULL, &whole), FV_OK);
    for (int k = 1; k < EPOCHS; k++) {
        o.out = folder;
        o.epochs = k;
        o.resume = false;
        o.replace = true;
        assert_int_equal(train(2, &o, NULL, &part), FV_OK);
        assert_true(part != whole);
        o.epochs = EPOCHS;
        o.resume = true;
        o.replace = false;
        assert_int_equal(train(3, &o, NULL, &part), FV_OK);
        assert_true(part == whole);
        check_log(s, folder, EPOCHS);
    }
    assert_int_equal(train(3, &o, NULL, &part), FV_OK); /* a finished run: nothing is left to do */
    assert_true(part == whole);
}

/* Stopped after every possible number of steps of an epoch, the last of which ends it. */
static void stopped_anywhere(void **state)
{
    scratch *s = *state;
    char folder[256];
    stopper all = {0};
    const uint64_t whole = uninterrupted(s, &all);
    assert_int_equal(all.n_epochs, EPOCHS);
    for (int k = 1; k <= STEPS + 1; k++) {
        snprintf(folder, sizeof folder, "%s", scratch_path(s, "part"));
        const fv_train_options o = options_in(folder);
        stopper first = {.steps_left = k}, second = {.steps_left = STEPS + 1}, third = {0};
        uint64_t hash;
        assert_int_equal(train(1 + k % 3, &o, &first, NULL), FV_STOPPED);
        assert_int_equal(resume(1 + (k + 1) % 3, folder, &second, NULL), FV_STOPPED);
        assert_int_equal(resume(1 + (k + 2) % 3, folder, &third, &hash), FV_OK);
        if (hash != whole)
            fail_msg("stopped after step %d: another hash", k);
        int n = 0;
        const stopper *const parts[] = {&first, &second, &third};
        for (int part = 0; part < 3; part++)
            for (int e = 0; e < parts[part]->n_epochs; e++, n++) {
                assert_int_equal(parts[part]->epoch[e], all.epoch[n]);
                assert_true(parts[part]->loss[e] == all.loss[n]);
                assert_true(parts[part]->lr[e] == all.lr[n]);
            }
        assert_int_equal(n, EPOCHS);
        check_log(s, folder, EPOCHS);
        check_best(s, folder);
        scratch_remove(folder);
    }
}

/* ---- killed ---------------------------------------------------------------------------------------- */

static void nap(long microseconds)
{
    const struct timespec moment = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&moment, NULL);
}

/* Trains, or resumes where there is a checkpoint, in a child, which is killed: by itself after `steps`, or
 * from here after a time. True: it had finished before. */
static bool killed(const char *folder, int n_threads, int steps, long microseconds)
{
    char path[512];
    snprintf(path, sizeof path, "%s/last.safetensors", folder);
    const bool go_on = access(path, F_OK) == 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        stopper s = {.steps_left = steps, .kill = true};
        const fv_train_options o = options_in(folder);
        const fv_status status = go_on ? resume(n_threads, folder, &s, NULL) : train(n_threads, &o, &s, NULL);
        _exit(status == FV_OK ? 0 : 1);
    }
    if (microseconds > 0) {
        for (int i = 0; i < 10000 && access(path, F_OK) != 0; i++)
            nap(100);
        nap(microseconds);
        kill(child, SIGKILL);
    }
    int status;
    assert_true(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    else
        assert_int_equal(WTERMSIG(status), SIGKILL);
    return WIFEXITED(status);
}

/* Each round kills one run several times, in the middle of epochs, with other numbers of threads. */
static void killed_anywhere(void **state)
{
    scratch *s = *state;
    stopper all = {0};
    const uint64_t whole = uninterrupted(s, &all);
    uint32_t noise = (uint32_t)time(NULL);
    print_message("seed %u\n", noise);
    int n_kills = 0;
    for (int round = 0; round < (TRAINING_SLOW ? 4 : 8); round++) {
        char folder[256], name[32];
        snprintf(name, sizeof name, "killed%d", round);
        snprintf(folder, sizeof folder, "%s", scratch_path(s, name));
        bool finished = false;
        for (int i = 0; i < 3 && !finished; i++, n_kills++) {
            noise = noise * 1664525u + 1013904223u;
            const uint32_t r = noise >> 16;
            finished = round % 2 ? killed(folder, 1 + i, 1 + (int)(r % (2 * STEPS)), 0)
                                 : killed(folder, 1 + i, 0, 1 + (long)(r % 8000));
        }
        uint64_t hash;
        assert_int_equal(resume(1 + round % 3, folder, NULL, &hash), FV_OK);
        if (hash != whole)
            fail_msg("round %d: another hash after kill -9", round);
        check_log(s, folder, EPOCHS);
        check_best(s, folder);
    }
    print_message("%d kills\n", n_kills);
}

/* ---- damage ---------------------------------------------------------------------------------------- */

typedef struct damage {
    fv_context *ctx;
    fv_data *data;
    fv_model *model;
    char folder[256], path[512];
    uint64_t hash;
    uint8_t whole[16384];
    size_t n;
} damage;

static void damage_begin(scratch *s, damage *d)
{
    *d = (damage){.ctx = s->ctx};
    snprintf(d->folder, sizeof d->folder, "%s", scratch_path(s, "damaged"));
    snprintf(d->path, sizeof d->path, "%s/last.safetensors", d->folder);
    const fv_train_options o = options_in(d->folder);
    stopper mid = {.steps_left = STEPS + 5};
    assert_int_equal(train(2, &o, &mid, NULL), FV_STOPPED);
    d->data = training_halves(s->ctx, N_IMAGES, 1, 6, 6, 0);
    d->model = training_model(s->ctx, TRAINING_TINY);
    d->hash = fv_model_hash(d->model);
    d->n = scratch_load(d->path, d->whole, sizeof d->whole);
    assert_in_range(d->n, 1, sizeof d->whole - 1);
}

static void damage_end(damage *d)
{
    fv_model_destroy(d->model);
    fv_data_destroy(d->data);
}

/* Resuming from these bytes must be refused as bad input, leave the model and the folder alone, and say so of
 * the file. */
static void refused(damage *d, const uint8_t *bytes, size_t n, const char *what, size_t where)
{
    FILE *file = fopen(d->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    fv_train_options o = options_in(d->folder);
    o.resume = true;
    const fv_status status = fv_train(d->model, d->data, NULL, &o, NULL, NULL);
    if (status != FV_ERR_INPUT || !strstr(fv_message(d->ctx), "last.safetensors"))
        fail_msg("%s %zu: expected bad input, found status %d: %s", what, where, (int)status,
                 fv_message(d->ctx));
    assert_true(fv_model_hash(d->model) == d->hash);
}

static void damaged_checkpoints(void **state)
{
    scratch *s = *state;
    static damage d;
    static uint8_t bytes[16384];
    damage_begin(s, &d);
    for (size_t cut = 0; cut < d.n; cut++)
        refused(&d, d.whole, cut, "cut at byte", cut);
    memcpy(bytes, d.whole, d.n);
    bytes[d.n] = ' ';
    refused(&d, bytes, d.n + 1, "a byte more than", d.n);
    for (size_t bit = 0; bit < 8 * d.n; bit += TRAINING_SLOW ? 23 : 5) {
        memcpy(bytes, d.whole, d.n);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refused(&d, bytes, d.n, "turned bit", bit);
    }
    assert_int_equal(scratch_count(d.folder), 5);
    /* The whole file is good, still. */
    scratch_file(s, "damaged/last.safetensors", d.whole, d.n);
    fv_train_options o = options_in(d.folder);
    o.resume = true;
    assert_well(s->ctx, fv_train(d.model, d.data, NULL, &o, NULL, NULL));
    stopper all = {0};
    assert_true(fv_model_hash(d.model) == uninterrupted(s, &all));
    damage_end(&d);
}

/* Each entry of the metadata and each tensor left out once. */
static void missing_parts(void **state)
{
    scratch *s = *state;
    static damage d;
    static uint8_t bytes[16384];
    fv_safetensors *file = NULL;
    damage_begin(s, &d);
    const char *copy = scratch_file(s, "copy.safetensors", d.whole, d.n);
    assert_well(s->ctx, fv__safetensors_open(s->ctx, copy, &file));
    const int n_meta = fv__safetensors_n_meta(file), n_tensors = fv__safetensors_n_tensors(file);
    assert_true(n_meta >= 15);
    assert_int_equal(n_tensors, 4 + 2 + 4);
    for (int gone = 0; gone < n_meta + n_tensors + 1; gone++) {
        fv_meta_entry meta[32];
        fv_tensor_entry tensors[16];
        int m = 0, t = 0;
        for (int i = 0; i < n_meta; i++)
            if (i != gone && gone < n_meta + n_tensors)
                meta[m++] = fv__safetensors_meta_at(file, i);
        for (int i = 0; i < n_tensors; i++)
            if (i != gone - n_meta)
                tensors[t++] = *fv__safetensors_tensor(file, i);
        const char *part = scratch_path(s, "part.safetensors");
        assert_well(s->ctx, fv__safetensors_write(s->ctx, part, tensors, t, meta, m));
        const size_t n = scratch_load(part, bytes, sizeof bytes);
        refused(&d, bytes, n, "without part", (size_t)gone);
    }
    fv__safetensors_close(file);
    assert_int_equal(unlink(d.path), 0);
    fv_train_options o = options_in(d.folder);
    o.resume = true;
    assert_int_equal(fv_train(d.model, d.data, NULL, &o, NULL, NULL), FV_ERR_INPUT);
    assert_true(fv_model_hash(d.model) == d.hash);
    damage_end(&d);
}

/* A run goes on with the model and the images that it began with. */
static void another_model_or_data(void **state)
{
    scratch *s = *state;
    static damage d;
    damage_begin(s, &d);
    fv_train_options o = options_in(d.folder);
    o.resume = true;
    fv_data *fewer = training_halves(s->ctx, N_IMAGES - 1, 1, 6, 6, 0);
    assert_failed(s, fv_train(d.model, fewer, NULL, &o, NULL, NULL), FV_ERR_INPUT,
                  "last.safetensors: expected the 50 training images that the run began with, found 49" HINT);
    assert_true(fv_model_hash(d.model) == d.hash);
    fv_data_destroy(fewer);
    fv_model *other =
        training_model(s->ctx, "input image 1x6x6\nconv c1 3 3x3 pad=1\nflatten\nlinear out 2\nsoftmax\n");
    const uint64_t hash = fv_model_hash(other);
    assert_failed(s, fv_train(other, d.data, NULL, &o, NULL, NULL), FV_ERR_INPUT,
                  "last.safetensors: the model text is not the one that the weights belong to: line 3: "
                  "expected 'relu', found 'flatten'" HINT);
    o.force = true; /* which cannot make tensors fit */
    assert_failed(s, fv_train(other, d.data, NULL, &o, NULL, NULL), FV_ERR_INPUT,
                  "tensor out.weight: expected 2x108, found 2x27");
    assert_true(fv_model_hash(other) == hash);
    fv_model_destroy(other);
    damage_end(&d);
}

static void recorded_options(void **state)
{
    scratch *s = *state;
    char folder[256];
    snprintf(folder, sizeof folder, "%s", scratch_path(s, "recorded"));
    fv_train_options o = options_in(folder), read = {0};
    fv_model *model = NULL;
    o.seed = UINT64_MAX;
    o.lr = 0.1 / 3;
    o.n_valid = 7;
    stopper mid = {.steps_left = 2};
    uint64_t hash;
    assert_int_equal(train(1, &o, &mid, &hash), FV_STOPPED);
    assert_well(s->ctx, fv_train_open_run(s->ctx, folder, false, &model, &read));
    assert_true(read.seed == o.seed && read.lr == o.lr && read.n_valid == 7 && read.epochs == EPOCHS);
    assert_true(read.batch == BATCH && read.shift == 1 && read.schedule == FV_SCHEDULE_COSINE);
    assert_true(read.weight_decay == o.weight_decay && read.momentum == o.momentum);
    assert_true(read.resume && !read.force && !read.replace && read.out == folder);
    assert_string_equal(read.optimizer, "sgd");
    assert_string_equal(fv_model_text(model), TRAINING_TINY);
    assert_true(fv_model_hash(model) == hash);
    assert_null(fv_model_trained_on(model).name); /* data from memory cannot be opened again */
    fv_model_destroy(model);
    model = NULL;
    read.epochs = 77; /* a failure leaves what was there */
    assert_int_equal(fv_train_open_run(s->ctx, "nowhere", false, &model, &read), FV_ERR_INPUT);
    assert_int_equal(fv_train_open_run(s->ctx, NULL, false, &model, &read), FV_ERR_ARGUMENT);
    assert_true(read.epochs == 77 && read.lr == o.lr && !model);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        /* first, while this process has one thread */
        cmocka_unit_test_setup_teardown(killed_anywhere, scratch_setup, scratch_teardown),
        TEST(more_epochs),
        TEST(stopped_anywhere),
        TEST(damaged_checkpoints),
        TEST(missing_parts),
        TEST(another_model_or_data),
        TEST(recorded_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
