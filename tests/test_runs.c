/* test_runs.c - the files of a run folder belong together, and what does not is said: damaged files, an
 * edited model text, other data, best weights of another run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/file.h"
#include "scratch.h"
#include "train/train.h"
#include "training.h"

#define HINT "; to go on with what is there now, force it (--force)"

enum { N_IMAGES = 40 };

static const char with_tanh[] = "input image 1x6x6\nconv c1 3 3x3 pad=1\ntanh\nmaxpool 2x2\nflatten\n"
                                "dropout 0.25\nlinear out 2\nsoftmax\n";

typedef struct run {
    scratch *s;
    fv_context *ctx;
    fv_data *data;
    char folder[256], path[320]; /* path: of file() */
} run;

static const char *file(run *r, const char *name)
{
    snprintf(r->path, sizeof r->path, "%s/%s", r->folder, name);
    return r->path;
}

static fv_train_options options_of(const run *r, int epochs)
{
    fv_train_options o = training_options(epochs, 8, 0.02);
    o.out = r->folder;
    return o;
}

/* A run of 2 epochs; its hash. */
static uint64_t begin(run *r, scratch *s, const char *name)
{
    *r = (run){.s = s, .ctx = s->ctx};
    snprintf(r->folder, sizeof r->folder, "%s", scratch_path(s, name));
    r->data = training_halves(s->ctx, N_IMAGES, 1, 6, 6, 0);
    const fv_train_options o = options_of(r, 2);
    fv_model *m = training_model(s->ctx, TRAINING_TINY);
    assert_well(s->ctx, fv_train(m, r->data, NULL, &o, NULL, NULL));
    const uint64_t hash = fv_model_hash(m);
    fv_model_destroy(m);
    return hash;
}

/* Opens the run as the command does, and goes on to `epochs`. */
static fv_status resume(const run *r, const fv_data *data, int epochs, bool force, uint64_t *hash)
{
    fv_model *m = NULL;
    fv_train_options o;
    FV_TRY(fv_train_open_run(r->ctx, r->folder, force, &m, &o));
    o.epochs = epochs;
    const fv_status status = fv_train(m, data, NULL, &o, NULL, NULL);
    if (hash)
        *hash = fv_model_hash(m);
    fv_model_destroy(m);
    return status;
}

static fv_status open_hash(const run *r, const char *path, uint64_t *hash)
{
    fv_model *m = NULL;
    FV_TRY(fv_model_open(r->ctx, path, &m));
    *hash = fv_model_hash(m);
    fv_model_destroy(m);
    return FV_OK;
}

static void damage(run *r, const char *name)
{
    uint8_t bytes[16384];
    const size_t n = scratch_load(file(r, name), bytes, sizeof bytes);
    bytes[n - 6] ^= 0x40;
    assert_well(r->ctx, fv__file_write(r->ctx, file(r, name), bytes, n));
}

static void write_text(run *r, const char *name, const char *text)
{
    assert_well(r->ctx, fv__file_write(r->ctx, file(r, name), text, strlen(text)));
}

static void expect(run *r, fv_status found, fv_status status, const char *in_message)
{
    if (found != status || !strstr(fv_message(r->ctx), in_message))
        fail_msg("expected status %d and '%s', found %d: %s", (int)status, in_message, (int)found,
                 fv_message(r->ctx));
}

/* ---- damage ---------------------------------------------------------------------------------------- */

static void damaged_best(void **state)
{
    run r;
    uint64_t hash = 0, whole;
    const uint64_t two = begin(&r, *state, "best");
    damage(&r, "best.safetensors");
    expect(&r, open_hash(&r, r.folder, &hash), FV_ERR_INPUT, "best.safetensors: the file is damaged");
    assert_non_null(strstr(fv_message(r.ctx), "/best/last.safetensors is there, and can be opened"));
    assert_well(r.ctx, open_hash(&r, file(&r, "last.safetensors"), &hash));
    assert_true(hash == two);
    write_text(&r, "best.safetensors", "junk");
    assert_int_equal(open_hash(&r, r.folder, &hash), FV_ERR_INPUT);
    assert_well(r.ctx, resume(&r, r.data, 2, false, &hash)); /* finished: nothing to do, nothing to read */
    assert_true(hash == two);
    assert_well(r.ctx, resume(&r, r.data, 4, false, &hash));
    const fv_train_options four = training_options(4, 8, 0.02);
    whole = training_hash(r.ctx, TRAINING_TINY, r.data, &four);
    assert_true(hash == whole);
    assert_well(r.ctx, open_hash(&r, r.folder, &hash)); /* a better epoch has replaced it */
    fv_data_destroy(r.data);
}

static void damaged_or_missing_last(void **state)
{
    run r;
    uint64_t hash = 0, best = 0;
    begin(&r, *state, "last");
    assert_well(r.ctx, open_hash(&r, file(&r, "best.safetensors"), &best));
    damage(&r, "last.safetensors");
    expect(&r, open_hash(&r, r.folder, &hash), FV_ERR_INPUT, "last.safetensors: the file is damaged");
    assert_non_null(strstr(fv_message(r.ctx), "/last/best.safetensors is there"));
    expect(&r, resume(&r, r.data, 4, false, NULL), FV_ERR_INPUT, "last.safetensors: the file is damaged");
    assert_int_equal(unlink(file(&r, "last.safetensors")), 0);
    expect(&r, resume(&r, r.data, 4, false, NULL), FV_ERR_INPUT, "last.safetensors: there is no such file");
    assert_well(r.ctx, open_hash(&r, r.folder, &hash));
    assert_true(hash == best);
    assert_int_equal(unlink(file(&r, "model.fovea")), 0); /* weights are enough */
    assert_well(r.ctx, open_hash(&r, r.folder, &hash));
    assert_true(hash == best);
    fv_data_destroy(r.data);
}

/* best.safetensors of another run, as an interrupted replacement leaves it, does not count. */
static void best_of_another_run(void **state)
{
    run r, other;
    uint64_t hash = 0;
    uint8_t bytes[16384];
    const uint64_t two = begin(&r, *state, "mine");
    other = r;
    snprintf(other.folder, sizeof other.folder, "%s", scratch_path(r.s, "other"));
    fv_train_options o = options_of(&other, 2);
    o.seed = 12;
    fv_model *m = training_model(r.ctx, TRAINING_TINY);
    assert_well(r.ctx, fv_train(m, r.data, NULL, &o, NULL, NULL));
    fv_model_destroy(m);
    const size_t n = scratch_load(file(&other, "best.safetensors"), bytes, sizeof bytes);
    assert_well(r.ctx, fv__file_write(r.ctx, file(&r, "best.safetensors"), bytes, n));
    assert_well(r.ctx, open_hash(&r, r.folder, &hash));
    assert_true(hash == two);
    fv_data_destroy(r.data);
}

/* ---- another text, other data ---------------------------------------------------------------------- */

static void edited_text(void **state)
{
    run r;
    uint64_t hash = 0;
    begin(&r, *state, "edited");
    write_text(&r, "model.fovea", with_tanh);
    static const char message[] =
        "/edited/model.fovea: the model text is not the one that the weights belong to: "
        "line 3: expected 'relu', found 'tanh'" HINT;
    expect(&r, open_hash(&r, r.folder, &hash), FV_ERR_INPUT, message);
    expect(&r, resume(&r, r.data, 4, false, NULL), FV_ERR_INPUT, message);
    /* A model that has the right text is no way round it. */
    fv_model *m = training_model(r.ctx, TRAINING_TINY);
    fv_train_options o = options_of(&r, 4);
    o.resume = true;
    expect(&r, fv_train(m, r.data, NULL, &o, NULL, NULL), FV_ERR_INPUT, message);
    fv_model_destroy(m);
    /* Forced, it is another run: with that text, and without the best weights so far. */
    assert_well(r.ctx, resume(&r, r.data, 2, true, &hash));
    assert_int_equal(access(file(&r, "best.safetensors"), F_OK), -1);
    m = NULL;
    assert_well(r.ctx, fv_model_open(r.ctx, r.folder, &m));
    assert_string_equal(fv_model_text(m), with_tanh);
    assert_true(fv_model_hash(m) == hash);
    fv_model_destroy(m);
    assert_well(r.ctx, resume(&r, r.data, 4, false, &hash)); /* from now on unforced */
    fv_data_destroy(r.data);
}

/* The file goes on behind a NUL where the text ends. */
static void text_behind_a_nul(void **state)
{
    run r;
    uint64_t hash = 0;
    begin(&r, *state, "nul");
    static const char more[] = TRAINING_TINY "\0relu\n";
    char message[128];
    snprintf(message, sizeof message, "/nul/model.fovea: byte %zu: expected text, found a NUL" HINT,
             strlen(more));
    assert_well(r.ctx, fv__file_write(r.ctx, file(&r, "model.fovea"), more, sizeof more - 1));
    expect(&r, open_hash(&r, r.folder, &hash), FV_ERR_INPUT, message);
    fv_data_destroy(r.data);
}

static void other_data(void **state)
{
    run r;
    uint64_t hash = 0;
    uint8_t pixels[N_IMAGES * 36];
    int labels[N_IMAGES];
    begin(&r, *state, "data");
    memcpy(pixels, fv_data_pixels(r.data, 0), sizeof pixels);
    for (int i = 0; i < N_IMAGES; i++)
        labels[i] = fv_data_label(r.data, i);
    for (int what = 0; what < 3; what++) { /* the same; another pixel; another label */
        fv_data *data = NULL;
        pixels[500] ^= what == 1;
        labels[N_IMAGES - 1] ^= what == 2;
        assert_well(r.ctx, fv_data_from_memory(r.ctx, pixels, labels, N_IMAGES, 1, 6, 6, 2, &data));
        pixels[500] ^= what == 1;
        labels[N_IMAGES - 1] ^= what == 2;
        if (what == 0)
            assert_well(r.ctx, resume(&r, data, 3, false, &hash));
        else
            expect(&r, resume(&r, data, 4, false, NULL), FV_ERR_INPUT,
                   "last.safetensors: expected the training data that the run began with, of digest ");
        if (what == 2) {
            assert_well(r.ctx, resume(&r, data, 4, true, &hash));
            assert_well(r.ctx, resume(&r, data, 5, false, &hash));
        }
        fv_data_destroy(data);
    }
    /* Another number of images, forced: the epoch that was begun is begun again. */
    fv_data *fewer = training_halves(r.ctx, N_IMAGES - 8, 1, 6, 6, 0);
    expect(&r, resume(&r, fewer, 6, false, NULL), FV_ERR_INPUT,
           "expected the 40 training images that the run began with, found 32" HINT);
    assert_well(r.ctx, resume(&r, fewer, 6, true, &hash));
    fv_data_destroy(fewer);
    fv_data_destroy(r.data);
}

/* ---- an interrupted replacement -------------------------------------------------------------------- */

/* The new last.safetensors among the old files: the text inside counts, and --resume writes the rest again.
 */
static void interrupted_replacement(void **state)
{
    static const char *const names[] = {"model.fovea", "args.json", "log.csv", "best.safetensors"};
    for (int n_new = 0; n_new < 4; n_new++) { /* so many of the others are new, too */
        run r;
        uint8_t old[4][16384];
        size_t n[4];
        uint64_t hash = 0, resumed = 0;
        char name[16];
        fv_model *m = NULL;
        snprintf(name, sizeof name, "half%d", n_new);
        begin(&r, *state, name);
        for (int i = 0; i < 4; i++)
            n[i] = scratch_load(file(&r, names[i]), old[i], sizeof old[i]);
        fv_train_options o = options_of(&r, 2);
        o.replace = true;
        m = training_model(r.ctx, with_tanh);
        assert_well(r.ctx, fv_train(m, r.data, NULL, &o, NULL, NULL));
        hash = fv_model_hash(m);
        fv_model_destroy(m);
        m = NULL;
        for (int i = n_new; i < 4; i++)
            assert_well(r.ctx, fv__file_write(r.ctx, file(&r, names[i]), old[i], n[i]));
        assert_well(r.ctx, fv_model_open(r.ctx, r.folder, &m));
        assert_string_equal(fv_model_text(m), with_tanh);
        assert_true(fv_model_hash(m) == hash); /* not the best of the old run */
        fv_model_destroy(m);
        assert_well(r.ctx, resume(&r, r.data, 2, false, &resumed));
        assert_true(resumed == hash);
        uint8_t text[1024];
        assert_int_equal(scratch_load(file(&r, "model.fovea"), text, sizeof text), strlen(with_tanh));
        assert_memory_equal(text, with_tanh, strlen(with_tanh));
        assert_well(r.ctx, resume(&r, r.data, 3, false, &resumed));
        fv_data_destroy(r.data);
    }
}

/* A path that is no UTF-8 names the model: the checkpoint is sound all the same, and args.json is JSON. */
static void source_of_any_bytes(void **state)
{
    run r;
    fv_model *m = NULL;
    uint8_t args[2048] = {0};
    begin(&r, *state, "bytes");
    fv_train_options o = options_of(&r, 1);
    o.replace = true;
    assert_well(r.ctx, fv_model_from_text(r.ctx, with_tanh, "caf\xe9.fovea", &m));
    assert_well(r.ctx, fv_train(m, r.data, NULL, &o, NULL, NULL));
    fv_model_destroy(m);
    scratch_load(file(&r, "args.json"), args, sizeof args - 1);
    assert_non_null(strstr((char *)args, "\"model\": \"caf\\ufffd.fovea\""));
    assert_well(r.ctx, resume(&r, r.data, 2, false, NULL));
    fv_data_destroy(r.data);
}

/* ---- replacing ------------------------------------------------------------------------------------- */

static void only_when_asked(void **state)
{
    run r;
    uint64_t hash = 0, best = 0;
    const uint64_t two = begin(&r, *state, "asked");
    assert_well(r.ctx, open_hash(&r, r.folder, &best));
    write_text(&r, "notes.txt", "mine");
    fv_model *m = training_model(r.ctx, with_tanh);
    fv_train_options o = options_of(&r, 1);
    expect(&r, fv_train(m, r.data, NULL, &o, NULL, NULL), FV_ERR_ARGUMENT,
           "/asked: expected a folder without a trained run, found last.safetensors; `resume` continues it, "
           "`replace` starts a new run in its place");
    assert_well(r.ctx, open_hash(&r, r.folder, &hash));
    assert_true(hash == best);
    assert_well(r.ctx, resume(&r, r.data, 2, false, &hash));
    assert_true(hash == two);
    o.replace = o.resume = true;
    assert_int_equal(fv_train(m, r.data, NULL, &o, NULL, NULL), FV_ERR_ARGUMENT);
    o.resume = false;
    assert_well(r.ctx, fv_train(m, r.data, NULL, &o, NULL, NULL));
    assert_well(r.ctx, open_hash(&r, r.folder, &hash));
    assert_true(hash == fv_model_hash(m));
    assert_int_equal(scratch_count(r.folder), 6); /* five, and what is the user's */
    fv_model_destroy(m);
    fv_data_destroy(r.data);
}

/* What stands in the way of looking is said; it is not "no run folder". */
static void unreadable(void **state)
{
    run r;
    uint64_t hash;
    begin(&r, *state, "loop");
    assert_int_equal(unlink(file(&r, "best.safetensors")), 0);
    assert_int_equal(symlink("best.safetensors", file(&r, "best.safetensors")), 0);
    expect(&r, open_hash(&r, r.folder, &hash), FV_ERR_INPUT,
           "/loop/best.safetensors: cannot open: Too many levels of symbolic links");
    assert_int_equal(unlink(file(&r, "model.fovea")), 0);
    assert_int_equal(symlink("model.fovea", file(&r, "model.fovea")), 0);
    expect(&r, open_hash(&r, r.folder, &hash), FV_ERR_INPUT,
           "/loop/model.fovea: cannot open: Too many levels");
    fv_data_destroy(r.data);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(damaged_best),        TEST(damaged_or_missing_last),
        TEST(best_of_another_run), TEST(edited_text),
        TEST(other_data),          TEST(interrupted_replacement),
        TEST(only_when_asked),     TEST(unreadable),
        TEST(source_of_any_bytes), TEST(text_behind_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
