/* fuzz_run.c - a run folder, its files from the input as fuzz_unpack takes them: opened with its weights,
 * evaluated, asked for its options, and resumed for a step. */
#include "fuzz.h"

#include <stdio.h>

static fv_context *ctx;

static const char *const names[] = {"model.fovea", "last.safetensors", "best.safetensors",
                                    "args.json",   "log.csv",          NULL};

enum { N_IMAGES = 6 };
#define MOST_FLOPS ((int64_t)1 << 22)
#define MOST_BYTES ((int64_t)1 << 22)

/* Small enough to be run again and again. */
static bool is_small(const fv_model *model)
{
    const fv_model_info info = fv_model_describe(model);
    return info.flops <= MOST_FLOPS && info.bytes <= MOST_BYTES;
}

/* Data that fits the model; the same for the same model. */
static fv_data *data_for(const fv_model *model)
{
    static uint8_t pixels[N_IMAGES * (1 << 18)];
    int labels[N_IMAGES];
    const fv_model_info info = fv_model_describe(model);
    const size_t n_pixels = (size_t)info.c * (size_t)info.h * (size_t)info.w;
    const int n_classes = info.n_classes < 256 ? info.n_classes : 256;
    fv_data *data = NULL;
    if (n_pixels > sizeof pixels / N_IMAGES)
        return NULL;
    for (size_t i = 0; i < N_IMAGES * n_pixels; i++)
        pixels[i] = (uint8_t)(i * 37 + i / 11);
    for (int i = 0; i < N_IMAGES; i++)
        labels[i] = i % n_classes;
    const fv_status status =
        fv_data_from_memory(ctx, pixels, labels, N_IMAGES, info.c, info.h, info.w, n_classes, &data);
    return fuzz_well(ctx, "data", status) ? data : NULL;
}

static bool stop(void *user, const fv_progress *progress)
{
    (void)user, (void)progress;
    return false;
}

static void evaluate(fv_model *model)
{
    fv_score score;
    fv_data *const data = is_small(model) ? data_for(model) : NULL;
    if (data)
        fuzz_well(ctx, "evaluate", fv_evaluate(model, data, &score));
    fv_data_destroy(data);
}

/* A step, of whatever data: the target's own is hardly ever that of the run. */
static void resume(void)
{
    fv_model *model = NULL;
    fv_data *data = NULL;
    fv_train_options options = fv_train_options_default();
    if (fuzz_well(ctx, "open run", fv_train_open_run(ctx, fuzz_folder(), true, &model, &options))) {
        fuzz_expect(options.batch >= 0 && options.epochs >= 0 && options.resume, "batch %d, epochs %d",
                    options.batch, options.epochs);
        data = is_small(model) ? data_for(model) : NULL;
        const fv_status status = data ? fv_train(model, data, NULL, &options, stop, NULL) : FV_ERR_INPUT;
        if (status != FV_STOPPED && data)
            fuzz_well(ctx, "resume", status);
        fuzz_accepted = status == FV_OK || status == FV_STOPPED;
    }
    fv_data_destroy(data);
    fv_model_destroy(model);
}

static void read_run(const uint8_t *bytes, size_t n)
{
    fv_model *model = NULL;
    if (fuzz_unpack(names, bytes, n) == 0)
        return;
    if (fuzz_well(ctx, "open", fv_model_open(ctx, fuzz_folder(), &model)))
        evaluate(model);
    fv_model_destroy(model);
    resume();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!ctx)
        ctx = fuzz_context("auto", 1);
    fuzz_twice(read_run, bytes, n);
    return 0;
}
