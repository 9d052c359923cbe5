/* test_allocation.c - every allocation fails once, and all of them from there on: the call says FV_ERR_MEMORY
 * and why, gives back all that it had taken, and its objects can be used again or destroyed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/context.h"
#include "ops/inference.h"
#include "ops/optimizer.h"
#include "run/run.h"
#include "scratch.h"
#include "train/train.h"
#include "training.h"

/* ---- a counting allocator --------------------------------------------------------------------------- */

typedef struct counter {
    int n_live, n_calls;
    int fail_at;  /* this call fails; negative: none */
    bool forever; /* and all after it */
} counter;

static void *count_allocate(void *user, size_t bytes)
{
    counter *c = user;
    const int k = c->n_calls++;
    const bool fails = c->fail_at >= 0 && (c->forever ? k >= c->fail_at : k == c->fail_at);
    void *block = fails ? NULL : malloc(bytes);
    c->n_live += block != NULL;
    return block;
}

static void count_release(void *user, void *block)
{
    counter *c = user;
    c->n_live -= block != NULL;
    free(block);
}

typedef struct fixture {
    fv_context *ctx;
    counter counter;
    fv_data *data;
    fv_model *model, *zoo, *transformer;
    char weights[256], folder[256], checkpoint[256];
} fixture;

static scratch *files;
static fixture f;

static int setup(void **state)
{
    (void)state;
    if (scratch_setup((void **)&files) != 0)
        return -1;
    f.counter.fail_at = -1;
    const fv_context_options options = {.n_threads = 2,
                                        .allocator = {count_allocate, count_release, &f.counter}};
    if (fv_context_create(&options, &f.ctx, NULL, 0) != FV_OK)
        return -1;
    f.data = training_halves(f.ctx, 12, 1, 6, 6, 0);
    f.model = training_model(f.ctx, TRAINING_TINY);
    f.zoo = training_model(f.ctx, "lenet5-relu");
    f.transformer = training_model(f.ctx, TRAINING_TRANSFORMER);
    assert_well(f.ctx, fv__model_ensure(f.transformer)); /* so that no call leaves the model larger */
    snprintf(f.weights, sizeof f.weights, "%s", scratch_path(files, "tiny.safetensors"));
    snprintf(f.folder, sizeof f.folder, "%s", scratch_path(files, "run"));
    snprintf(f.checkpoint, sizeof f.checkpoint, "%s", scratch_path(files, "checkpoint"));
    assert_well(f.ctx, fv_model_save(f.model, f.weights));
    /* from now on it knows its classes and its data */
    assert_well(f.ctx, fv_model_set_class_names(f.model, (const char *const[]){"dark", "bright"}, 2));
    assert_well(f.ctx, fv_model_load(f.model, f.weights));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fv_model_destroy(f.model);
    fv_model_destroy(f.zoo);
    fv_model_destroy(f.transformer);
    fv_data_destroy(f.data);
    fv_context_destroy(f.ctx);
    if (f.counter.n_live != 0)
        print_error("%d blocks are left\n", f.counter.n_live);
    return scratch_teardown((void **)&files) || f.counter.n_live != 0;
}

/* Runs `call` with its k-th allocation failing, for k from 0 on until it gets through. */
static void fail_each(const char *what, bool forever, fv_status (*call)(void))
{
    fv_status status = FV_ERR_MEMORY;
    int k = 0;
    f.counter.forever = forever;
    for (; status != FV_OK; k++) {
        const int n_before = f.counter.n_live;
        fv__fail(f.ctx, FV_OK, "nothing yet");
        f.counter.n_calls = 0;
        f.counter.fail_at = k;
        status = call();
        const bool reached = f.counter.n_calls > k;
        f.counter.fail_at = -1;
        if (status != (reached ? FV_ERR_MEMORY : FV_OK))
            fail_msg("%s, allocation %d: status %d: %s", what, k, (int)status, fv_message(f.ctx));
        if (status != FV_OK && !strstr(fv_message(f.ctx), "memory"))
            fail_msg("%s, allocation %d: the message is '%s'", what, k, fv_message(f.ctx));
        if (f.counter.n_live != n_before)
            fail_msg("%s, allocation %d: %d blocks leaked", what, k, f.counter.n_live - n_before);
        assert_in_range(k, 0, 20000);
    }
    if (!forever)
        print_message("%s: %d allocations\n", what, k - 1);
}

/* ---- what is tried ----------------------------------------------------------------------------------- */

static fv_status create_context(void)
{
    fv_context *ctx = NULL;
    char why[256] = "";
    const fv_context_options options = {.n_threads = 3, .allocator = f.ctx->allocator};
    const fv_status status = fv_context_create(&options, &ctx, why, sizeof why);
    if (status != FV_OK)
        fv__fail(f.ctx, status, "%s", why);
    fv_context_destroy(ctx);
    return status;
}

static fv_status build_text(void)
{
    fv_model *m = NULL;
    const fv_status status = fv_model_from_text(f.ctx, TRAINING_TINY, "text", &m);
    assert_true(status == FV_OK || !m);
    fv_model_destroy(m);
    return status;
}

static fv_status build_zoo(void)
{
    fv_model *m = NULL;
    const fv_status status = fv_model_open(f.ctx, "lenet5", &m);
    fv_model_destroy(m);
    return status;
}

static fv_status build_in_c(void)
{
    fv_builder *b = NULL;
    fv_model *m = NULL;
    FV_TRY(fv_builder_create(f.ctx, 1, 6, 6, &b));
    fv_builder_conv(b, "c1", 3, (fv_window){3, 3, 0, 1});
    fv_builder_layer(b, "relu");
    fv_builder_max_pool(b, (fv_window){2, 2, 0, 0});
    fv_builder_layer(b, "flatten");
    fv_builder_linear(b, "out", 2);
    fv_builder_layer(b, "softmax");
    const fv_status status = fv_builder_finish(b, &m);
    fv_model_destroy(m);
    return status;
}

static fv_status plan(bool training, bool keep_all)
{
    fv_graph graph = {.ctx = f.ctx};
    const int *gradient;
    fv_plan *made = NULL;
    fv_run *run = NULL;
    FV_TRY(training ? fv__graph_copy(&f.zoo->graph, &graph) : fv__graph_for_inference(&f.zoo->graph, &graph));
    fv_status status = training ? fv__differentiate(&graph, &gradient) : FV_OK;
    if (status == FV_OK && training)
        status = fv__append_updates(&graph, gradient, &fv_optimizer_sgd);
    const fv_plan_options options = {.batch = 100,
                                     .n_workers = 2,
                                     .output = true,
                                     .loss = true,
                                     .updates = training,
                                     .keep_all = keep_all};
    if (status == FV_OK)
        status = fv__plan_create(f.ctx, &graph, &options, &made);
    if (status == FV_OK)
        status = fv__run_create(f.ctx, made, &run);
    if (status == FV_OK)
        status = fv__run_profile(run, true);
    fv__run_destroy(run);
    fv__plan_destroy(made);
    fv__graph_deinit(&graph);
    return status;
}

static fv_status plan_training(void)
{
    return plan(true, false);
}

static fv_status plan_inference(void)
{
    return plan(false, false);
}

static fv_status plan_keeping_all(void)
{
    return plan(true, true);
}

static fv_status plan_text(void)
{
    char *text = NULL;
    const fv_status status = fv_model_plan_text(f.zoo, 32, true, &text);
    assert_true(status == FV_OK || !text);
    fv_text_destroy(f.ctx, text);
    return status;
}

static fv_status load_weights(void)
{
    const uint64_t hash = fv_model_hash(f.model);
    const fv_status status = fv_model_load(f.model, f.weights);
    assert_true(fv_model_hash(f.model) == hash);
    return status;
}

static fv_status save_weights(void)
{
    return fv_model_save(f.model, f.weights);
}

static fv_status open_digits(void)
{
    static const int classes[] = {3, 8};
    fv_data *data = NULL;
    const fv_data_options options = {.limit = 20, .classes = classes, .n_classes = 2};
    const fv_status status = fv_data_open(f.ctx, "digits", FV_SPLIT_TEST, &options, &data);
    fv_data_destroy(data);
    return status;
}

/* After a failure the model is as good as before: it predicts, and (see below) trains. */
static fv_status train_in(const char *folder, bool resume)
{
    float probabilities[24];
    fv_train_options o = training_options(1, 5, 0.01);
    o.out = folder;
    o.resume = resume;
    o.replace = !resume;
    o.n_valid = 2;
    o.shift = 1;
    const fv_status status = fv_train(f.model, f.data, f.data, &o, NULL, NULL);
    if (status != FV_OK) {
        f.counter.fail_at = -1;
        char message[FV_MESSAGE_BYTES];
        memcpy(message, f.ctx->message, sizeof message);
        assert_well(f.ctx, fv_predict(f.model, f.data, 0, 12, probabilities));
        fv__fail(f.ctx, status, "%s", message);
    }
    return status;
}

static fv_status train_epoch(void)
{
    return train_in(f.folder, false);
}

static fv_status resume_finished(void)
{
    return train_in(f.folder, true);
}

static bool stop_at_once(void *user, const fv_progress *p)
{
    (void)user, (void)p;
    return false;
}

/* A stop in the middle is a save; then an epoch's rest. */
static fv_status stop_and_resume(void)
{
    fv_train_options o = training_options(1, 5, 0.01);
    o.out = f.checkpoint;
    o.replace = true;
    const fv_status status = fv_train(f.model, f.data, NULL, &o, stop_at_once, NULL);
    if (status != FV_STOPPED)
        return status;
    o.resume = true;
    o.replace = false;
    return fv_train(f.model, f.data, NULL, &o, NULL, NULL);
}

static fv_status evaluate(void)
{
    fv_score score;
    return fv_evaluate(f.model, f.data, &score);
}

static fv_status predict(void)
{
    float probabilities[24];
    return fv_predict(f.model, f.data, 0, 12, probabilities);
}

/* For two images a plan in c16 is made first, and given up: most of a transformer does not go there. */
static fv_status prepare_two(void)
{
    fv_predictor *p = NULL;
    const fv_status status = fv_predictor_create(f.transformer, 2, &p);
    assert_true(status == FV_OK || !p);
    fv_predictor_destroy(p);
    return status;
}

static fv_status inference_text(void)
{
    char *text = NULL;
    const fv_status status = fv_model_plan_text(f.transformer, 2, false, &text);
    assert_true(status == FV_OK || !text);
    fv_text_destroy(f.ctx, text);
    return status;
}

static fv_status check_gradients(void)
{
    const fv_check_options options = {.seed = 1, .batch = 2};
    return fv_model_check(f.model, &options, NULL, NULL, NULL);
}

static fv_status open_run(void)
{
    fv_model *m = NULL;
    const fv_status status = fv_model_open(f.ctx, f.folder, &m);
    fv_model_destroy(m);
    return status;
}

static fv_status open_to_resume(void)
{
    fv_model *m = NULL;
    fv_train_options o;
    const fv_status status = fv_train_open_run(f.ctx, f.folder, false, &m, &o);
    assert_true(status == FV_OK || !m);
    fv_model_destroy(m);
    return status;
}

static fv_status through_memory(void)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    fv_model *m = NULL;
    FV_TRY(fv_model_save_memory(f.model, &bytes, &n));
    fv_status status = fv_model_from_memory(f.ctx, bytes, n, &m);
    if (status == FV_OK)
        status = fv_model_load_memory(f.model, bytes, n);
    fv_model_destroy(m);
    fv_bytes_destroy(f.ctx, bytes);
    return status;
}

static fv_status name_classes(void)
{
    static const char *const names[] = {"dark", "bright"};
    FV_TRY(fv_data_set_class_names(f.data, names, 2));
    return fv_model_set_class_names(f.model, names, 2);
}

/* In this order: training leaves the folder that the last ones read. */
/* clang-format off */
#define EACH(X) \
    X(create_context) X(build_text) X(build_zoo) X(build_in_c) X(plan_training) X(plan_inference) \
    X(plan_keeping_all) X(plan_text) X(save_weights) X(load_weights) X(open_digits) X(evaluate) \
    X(predict) X(prepare_two) X(inference_text) X(train_epoch) X(resume_finished) X(stop_and_resume) \
    X(open_run) X(open_to_resume) X(name_classes) X(through_memory) X(check_gradients)
/* clang-format on */

#define TEST(name)                                                                                           \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        fail_each(#name, false, name);                                                                       \
        fail_each(#name, true, name);                                                                        \
    }
EACH(TEST)

/* ---- a model larger than the memory ------------------------------------------------------------------ */

static void *small_allocate(void *user, size_t bytes)
{
    return bytes > 8 << 20 ? NULL : count_allocate(user, bytes);
}

/* A model of 4 GB is described, and planned, in blocks of 8 MiB at most. What needs its parameters says so,
 * and fails. */
static void test_no_parameters(void **state)
{
    (void)state;
    counter c = {.fail_at = -1};
    fv_context *ctx = NULL;
    fv_model *m = NULL;
    fv_predictor *p = NULL;
    char *text = NULL;
    const fv_context_options options = {.n_threads = 1, .allocator = {small_allocate, count_release, &c}};
    assert_int_equal(fv_context_create(&options, &ctx, NULL, 0), FV_OK);
    assert_well(ctx, fv_model_from_text(ctx,
                                        "input image 1x8x8\nflatten\nlinear a 1048576\nlinear b 1024\n"
                                        "linear out 10\nsoftmax\n",
                                        "m", &m));
    assert_int_equal(fv_model_describe(m).n_parameters, 65 * 1048576ll + 1024 * 1048577ll + 10250);
    assert_int_equal(fv_model_layer(m, 2).shape[0], 1048576);
    assert_string_equal(fv_model_parameter(m, 0).name, "a.weight");
    assert_null(fv_model_parameter(m, 0).values);
    assert_string_equal(fv_message(ctx), "m: out of memory: 4567642304 bytes were asked for its parameters");
    assert_well(ctx, fv_model_plan_text(m, 128, true, &text));
    fv_text_destroy(ctx, text);
    assert_int_equal(fv_model_hash(m), 0);
    assert_int_equal(fv_model_initialise(m, 1), FV_ERR_MEMORY);
    assert_int_equal(fv_model_save(m, scratch_path(files, "none.safetensors")), FV_ERR_MEMORY);
    assert_int_equal(fv_predictor_create(m, 1, &p), FV_ERR_MEMORY);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
    assert_int_equal(c.n_live, 0);
}

int main(void)
{
#define ROW(name) {#name, test_##name, NULL, NULL, NULL},
    const struct CMUnitTest tests[] = {EACH(ROW) cmocka_unit_test(test_no_parameters)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
