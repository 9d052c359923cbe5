/* test_allocation_programs.c - whole programs, from creating a context to destroying it, whose k-th
 * allocation fails, for every k: they end with FV_ERR_MEMORY and a message, have given back all memory, and
 * leave files that are as good as before. test_allocation.c does so call by call. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/context.h"
#include "io/image.h"
#include "scratch.h"
#include "training.h"

#ifdef FV_HAVE_ZLIB
#include <zlib.h>
#endif

enum { N_IMAGES = 12, SIZE = 6 * 6, MOST_ALLOCATIONS = 20000 };

static scratch *files;
static uint8_t pixels[N_IMAGES * SIZE];
static int labels[N_IMAGES];
static uint64_t hash_of_two_epochs;

/* ---- an allocator ------------------------------------------------------------------------------------ */

static struct {
    int n_live, n_calls, fail_at;
} heap;

static void *heap_allocate(void *user, size_t bytes)
{
    (void)user;
    void *const block = heap.n_calls++ == heap.fail_at ? NULL : malloc(bytes);
    heap.n_live += block != NULL;
    return block;
}

static void heap_release(void *user, void *block)
{
    (void)user;
    heap.n_live -= block != NULL;
    free(block);
}

/* ---- programs: each stops at its first failure and destroys what it has -------------------------------- */

#define TEXT                                                                                                 \
    "input image 1x6x6\nconv c1 3 3x3 pad=1 bias=no\nbatchnorm b1\nrelu name=t\nconv c2 3 3x3 pad=1\nadd "   \
    "t\n"                                                                                                    \
    "flatten\ndropout 0.25\nlinear out 2\nsoftmax\n"

static fv_status image_data(fv_context *ctx, fv_data **data)
{
    return fv_data_from_memory(ctx, pixels, labels, N_IMAGES, 1, 6, 6, 2, data);
}

static const char *run_folder(void)
{
    return scratch_path(files, "run");
}

static fv_train_options two_epochs(void)
{
    fv_train_options o = training_options(2, 5, 0.01);
    o.n_valid = 2;
    o.shift = 1;
    return o;
}

static fv_status train_into(fv_context *ctx, const char *folder, int epochs, bool resume, uint64_t *hash)
{
    fv_model *model = NULL;
    fv_data *data = NULL;
    fv_train_options o = two_epochs();
    fv_status status = resume ? fv_train_open_run(ctx, folder, false, &model, &o)
                              : fv_model_from_text(ctx, TEXT, "text", &model);
    o.epochs = epochs;
    o.out = folder;
    if (status == FV_OK)
        status = image_data(ctx, &data);
    if (status == FV_OK)
        status = fv_train(model, data, NULL, &o, NULL, NULL);
    if (status == FV_OK)
        *hash = fv_model_hash(model);
    fv_data_destroy(data);
    fv_model_destroy(model);
    return status;
}

/* A new run; then, with all memory, it is there as a whole, goes on, or can begin again. */
static fv_status train(fv_context *ctx)
{
    uint64_t hash = 0;
    scratch_remove(run_folder());
    const fv_status status = train_into(ctx, run_folder(), 2, false, &hash);
    assert_true(status != FV_OK || hash == hash_of_two_epochs);
    return status;
}

static void goes_on(fv_context *ctx)
{
    uint64_t hash = 0;
    const bool begun = access(scratch_path(files, "run/last.safetensors"), F_OK) == 0;
    if (!begun)
        scratch_remove(run_folder());
    assert_well(ctx, train_into(ctx, run_folder(), 2, begun, &hash));
    assert_true(hash == hash_of_two_epochs);
}

/* The second epoch of a run that had one. */
static fv_status resume(fv_context *ctx)
{
    uint64_t hash = 0;
    const fv_status status = train_into(ctx, run_folder(), 2, true, &hash);
    assert_true(status != FV_OK || hash == hash_of_two_epochs);
    return status;
}

static void one_epoch(fv_context *ctx)
{
    uint64_t hash;
    scratch_remove(run_folder());
    assert_well(ctx, train_into(ctx, run_folder(), 1, false, &hash));
}

/* A predictor for n, asked in all three ways. */
static fv_status predict_with(fv_model *model, const fv_data *data, int n)
{
    static float values[N_IMAGES * SIZE];
    float probabilities[2 * N_IMAGES];
    fv_predictor *p = NULL;
    FV_TRY(fv_predictor_create(model, n, &p));
    fv_status status = fv_predictor_run(p, data, 1, N_IMAGES - 1, probabilities);
    if (status == FV_OK)
        status = fv_predictor_run_pixels(p, pixels, n, probabilities);
    fv_predictor_refresh(p);
    if (status == FV_OK)
        status = fv_predictor_run_values(p, values, N_IMAGES, probabilities);
    fv_predictor_destroy(p);
    return status;
}

static fv_status use_run(fv_context *ctx)
{
    fv_model *model = NULL;
    fv_data *data = NULL;
    fv_score score;
    fv_status status = fv_model_open(ctx, run_folder(), &model);
    if (status == FV_OK)
        status = image_data(ctx, &data);
    if (status == FV_OK)
        status = predict_with(model, data, 1);
    if (status == FV_OK)
        status = predict_with(model, data, 7);
    if (status == FV_OK)
        status = fv_evaluate(model, data, &score);
    fv_data_destroy(data);
    fv_model_destroy(model);
    return status;
}

static fv_status look(fv_context *ctx)
{
    fv_model *model = NULL;
    char *text = NULL;
    const fv_check_options options = {.seed = 1, .batch = 2};
    fv_status status = fv_model_from_text(ctx, TRAINING_TRANSFORMER, "text", &model);
    for (int way = 0; way < 3 && status == FV_OK; way++) {
        status = fv_model_plan_text(model, way == 0 ? 1 : 20, way == 2, &text);
        if (status == FV_OK)
            fv_text_destroy(ctx, text);
    }
    fv_model_destroy(model);
    model = NULL;
    if (status == FV_OK)
        status = fv_model_from_text(ctx, "input image 1x2x2\nflatten\nlinear o 2\nsoftmax\n", "text", &model);
    if (status == FV_OK)
        status = fv_model_check(model, &options, NULL, NULL, NULL);
    fv_model_destroy(model);
    return status;
}

static fv_status weights(fv_context *ctx)
{
    fv_model *model = NULL;
    FV_TRY(fv_model_from_text(ctx, TEXT, "text", &model));
    fv_status status = fv_model_initialise(model, 3);
    if (status == FV_OK)
        status = fv_model_save(model, scratch_path(files, "weights"));
    if (status == FV_OK)
        status = fv_model_load(model, scratch_path(files, "weights"));
    fv_model_destroy(model);
    return status;
}

static fv_status open_files(fv_context *ctx)
{
    static const int classes[] = {1, 0};
    const fv_data_options options = {.classes = classes, .n_classes = 2, .limit = 5};
    fv_data *data = NULL;
    fv_status status = fv_data_open(ctx, scratch_path(files, "data"), FV_SPLIT_TRAIN, &options, &data);
    fv_data_destroy(data);
    data = NULL;
    if (status == FV_OK)
        status = fv_data_open_image(ctx, scratch_path(files, "picture"), 1, 6, 6, &data);
    fv_data_destroy(data);
    return status;
}

/* ---- every allocation of them -------------------------------------------------------------------------- */

typedef struct program {
    fv_status (*run)(fv_context *ctx);
    void (*before)(fv_context *ctx), (*after)(fv_context *ctx); /* with all memory; may be NULL */
} program;

static void fail_each(const program *p)
{
    fv_status status = FV_ERR_MEMORY;
    int k = 0;
    for (; status != FV_OK; k++) {
        fv_context *ctx = NULL;
        char why[FV_MESSAGE_BYTES] = "";
        if (p->before)
            p->before(files->ctx);
        heap.n_calls = 0;
        heap.fail_at = k;
        const fv_context_options options = {.n_threads = 2, .allocator = {heap_allocate, heap_release, NULL}};
        status = fv_context_create(&options, &ctx, why, sizeof why);
        if (status == FV_OK) {
            status = p->run(ctx);
            memcpy(why, fv_message(ctx), strlen(fv_message(ctx)) + 1);
        }
        fv_context_destroy(ctx);
        const bool reached = heap.n_calls > k;
        if (status != (reached ? FV_ERR_MEMORY : FV_OK))
            fail_msg("allocation %d: status %d: %s", k, (int)status, why);
        if (reached && !strstr(why, "memory"))
            fail_msg("allocation %d: the message is '%s'", k, why);
        if (heap.n_live != 0)
            fail_msg("allocation %d: %d blocks leaked", k, heap.n_live);
        if (p->after)
            p->after(files->ctx);
        assert_in_range(k, 0, MOST_ALLOCATIONS);
    }
    print_message("%d allocations\n", k - 1);
}

static void test_train(void **state)
{
    (void)state;
    fail_each(&(program){.run = train, .after = goes_on});
}

static void test_resume(void **state)
{
    (void)state;
    fail_each(&(program){.run = resume, .before = one_epoch, .after = goes_on});
}

static void test_use_run(void **state)
{
    (void)state;
    fail_each(&(program){.run = use_run});
}

static void test_look(void **state)
{
    (void)state;
    fail_each(&(program){.run = look});
}

static void test_weights(void **state)
{
    (void)state;
    fail_each(&(program){.run = weights});
}

static void test_open_files(void **state)
{
    (void)state;
    fail_each(&(program){.run = open_files});
}

/* ---- what they read ------------------------------------------------------------------------------------ */

static void write_idx(const char *name, const uint8_t *header, size_t n_header, const uint8_t *bytes,
                      size_t n)
{
    uint8_t whole[16 + sizeof pixels];
    memcpy(whole, header, n_header);
    memcpy(whole + n_header, bytes, n);
#ifdef FV_HAVE_ZLIB
    gzFile file = gzopen(scratch_path(files, name), "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, whole, (unsigned)(n_header + n)), n_header + n);
    assert_int_equal(gzclose(file), Z_OK);
#else
    scratch_file(files, name, whole, n_header + n);
#endif
}

static int setup(void **state)
{
    (void)state;
    /* In memory, where there is a place: every run is synced to the disk many times. */
    if ((access("/dev/shm", W_OK) == 0 && chdir("/dev/shm") != 0) || scratch_setup((void **)&files) != 0)
        return -1;
    uint8_t label_bytes[N_IMAGES];
    for (int i = 0; i < N_IMAGES * SIZE; i++)
        pixels[i] = (uint8_t)(i * 37 + i / 11);
    for (int i = 0; i < N_IMAGES; i++)
        label_bytes[i] = (uint8_t)(labels[i] = i % 2);
    static const uint8_t image_header[16] = {0, 0, 8, 3, 0, 0, 0, N_IMAGES, 0, 0, 0, 6, 0, 0, 0, 6},
                         label_header[8] = {0, 0, 8, 1, 0, 0, 0, N_IMAGES};
    assert_int_equal(mkdir(scratch_path(files, "data"), 0700), 0);
    write_idx("data/train-images-idx3-ubyte", image_header, 16, pixels, sizeof pixels);
    write_idx("data/train-labels-idx1-ubyte", label_header, 8, label_bytes, N_IMAGES);
#ifdef FV_HAVE_PNG
    assert_well(files->ctx, fv__image_write_png(files->ctx, scratch_path(files, "picture"), pixels, 6, 6));
#else
    assert_well(files->ctx, fv__image_write_pgm(files->ctx, scratch_path(files, "picture"), pixels, 6, 6));
#endif
    assert_well(files->ctx, train_into(files->ctx, run_folder(), 2, false, &hash_of_two_epochs));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return scratch_teardown((void **)&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_use_run),    cmocka_unit_test(test_look),  cmocka_unit_test(test_weights),
        cmocka_unit_test(test_open_files), cmocka_unit_test(test_train), cmocka_unit_test(test_resume),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
