/* fuzz_step.c - model text, trained for two updates and asked to predict with every instruction set that the
 * machine has, on other numbers of threads: the same status, and the same bits. Images, labels and what the
 * comment of the text says (fuzz_control) come from the input. Models that would take long are left out. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_IMAGES = 40, MOST_PIXELS = 1 << 16, MOST_CLASSES = 1 << 12 };
#define MOST_FLOPS      ((int64_t)4 << 20) /* of all images, forward */
#define MOST_BYTES      ((int64_t)4 << 20)
#define MOST_PARAMETERS ((int64_t)1 << 16)

typedef struct outcome {
    fv_status trained, predicted, alone;
    uint64_t hash;
    float probabilities[MOST_IMAGES * MOST_CLASSES];
    float of_one[MOST_CLASSES];
} outcome;

typedef struct task {
    const char *text;
    int n, batch, seed;
    uint8_t *pixels;
    int labels[MOST_IMAGES];
} task;

static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};
enum { N_ISAS = sizeof isas / sizeof *isas };
static fv_context *contexts[N_ISAS];

/* Of the input's numbers; whether the model is small enough for them. */
static bool prepare(task *t, const fv_model *model)
{
    const fv_model_info info = fv_model_describe(model);
    const size_t n_pixels = (size_t)info.c * (size_t)info.h * (size_t)info.w;
    t->n = fuzz_control(t->text, "images", 1, MOST_IMAGES, 18);
    t->batch = fuzz_control(t->text, "batch", 1, MOST_IMAGES, 17);
    t->seed = fuzz_control(t->text, "seed", 0, 1 << 20, 1);
    if (n_pixels > MOST_PIXELS || info.n_classes > MOST_CLASSES || info.n_classes < 2 ||
        info.n_parameters > MOST_PARAMETERS || info.flops > MOST_FLOPS / t->n ||
        info.bytes > MOST_BYTES / t->n)
        return false;
    uint64_t noise = (uint64_t)t->seed;
    t->pixels = malloc(n_pixels * (size_t)t->n);
    fuzz_expect(t->pixels != NULL, "no memory for %d images", t->n);
    for (size_t i = 0; i < n_pixels * (size_t)t->n; i++) {
        noise = noise * 6364136223846793005u + 1442695040888963407u;
        t->pixels[i] = (uint8_t)(noise >> 56);
    }
    for (int i = 0; i < t->n; i++)
        t->labels[i] =
            (int)((unsigned)(i * 7 + t->seed) % (unsigned)(info.n_classes < 256 ? info.n_classes : 256));
    return true;
}

/* Two updates: the second sees what the first did to the parameters. */
static fv_status train(const task *t, fv_model *model, const fv_data *data)
{
    fv_train_options options = fv_train_options_default();
    options.epochs = t->n > t->batch ? 1 : 2;
    options.batch = t->batch < t->n ? t->batch : t->n;
    options.lr = 0.05;
    options.weight_decay = 0.001;
    options.shift = t->seed % 2;
    options.seed = (uint64_t)t->seed;
    return fv_train(model, data, NULL, &options, NULL, NULL);
}

static void compute(fv_context *ctx, const task *t, outcome *out)
{
    fv_model *model = NULL;
    fv_data *data = NULL;
    fv_predictor *predictor = NULL;
    memset(out, 0, sizeof *out);
    out->trained = fv_model_from_text(ctx, t->text, "text", &model);
    if (out->trained == FV_OK) {
        const fv_model_info info = fv_model_describe(model);
        out->trained = fv_data_from_memory(ctx, t->pixels, t->labels, t->n, info.c, info.h, info.w,
                                           info.n_classes < 256 ? info.n_classes : 256, &data);
    }
    if (fuzz_well(ctx, "prepare", out->trained)) {
        fuzz_well(ctx, "train", out->trained = train(t, model, data));
        out->hash = fv_model_hash(model);
        fuzz_well(ctx, "predict", out->predicted = fv_predict(model, data, 0, t->n, out->probabilities));
        out->alone = fv_predictor_create(model, 1, &predictor);
        if (fuzz_well(ctx, "predictor", out->alone))
            out->alone = fv_predictor_run(predictor, data, t->n - 1, 1, out->of_one);
        fuzz_well(ctx, "predict one", out->alone);
        if (out->predicted == FV_OK && out->alone == FV_OK)
            fuzz_expect(memcmp(out->of_one,
                               out->probabilities + (t->n - 1) * fv_model_describe(model).n_classes,
                               (size_t)fv_model_describe(model).n_classes * sizeof(float)) == 0,
                        "%s: one image alone has other bits than among others", fv_context_isa(ctx));
    }
    fv_predictor_destroy(predictor);
    fv_data_destroy(data);
    fv_model_destroy(model);
}

static void compare(const outcome *a, const outcome *b, const char *isa)
{
    if (a->trained == FV_ERR_MEMORY || b->trained == FV_ERR_MEMORY || b->predicted == FV_ERR_MEMORY ||
        b->alone == FV_ERR_MEMORY)
        return; /* what an instruction set packs is of its own size */
    fuzz_expect(a->trained == b->trained && a->predicted == b->predicted && a->alone == b->alone,
                "%s: status %d %d %d; portable: %d %d %d", isa, (int)b->trained, (int)b->predicted,
                (int)b->alone, (int)a->trained, (int)a->predicted, (int)a->alone);
    fuzz_expect(a->hash == b->hash, "%s: hash %016llx; portable: %016llx", isa, (unsigned long long)b->hash,
                (unsigned long long)a->hash);
    if (a->predicted == FV_OK)
        fuzz_expect(memcmp(a->probabilities, b->probabilities, sizeof a->probabilities) == 0,
                    "%s: other probabilities than portable", isa);
}

static void run_all(task *t)
{
    static outcome first, other;
    compute(contexts[0], t, &first);
    for (int i = 1; i < N_ISAS; i++)
        if (contexts[i]) {
            compute(contexts[i], t, &other);
            compare(&first, &other, isas[i]);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    for (int i = 0; i < N_ISAS && !contexts[0]; i++) /* the first has to be there at the end */
        for (int k = N_ISAS - 1; k >= 0; k--)
            contexts[k] = fuzz_context(isas[k], 1 + k);
    task t = {.text = fuzz_text(bytes, n)};
    fv_model *model = NULL;
    fuzz_accepted = false;
    fuzz_heap.denied = false;
    if (fuzz_well(contexts[0], "read", fv_model_from_text(contexts[0], t.text, "text", &model)))
        fuzz_accepted = prepare(&t, model);
    fv_model_destroy(model);
    if (fuzz_accepted)
        run_all(&t);
    free(t.pixels);
    free((char *)t.text);
    return 0;
}
