/* fuzz_step.c - model text, trained for two updates and asked to predict with every instruction set that the
 * machine has, on other numbers of threads: the same status, and the same bits. Whatever the model is given
 * (images, vectors, labels, target values) and what the comment of the text says (fuzz_control) come from the
 * input. Models that would take long are left out. */
#include "fuzz.h"

#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_IMAGES = 40, MOST_GIVEN = 1 << 16, MOST_OUTPUTS = 1 << 12 };
#define MOST_FLOPS      ((int64_t)4 << 20) /* of all images, forward */
#define MOST_BYTES      ((int64_t)4 << 20)
#define MOST_PARAMETERS ((int64_t)1 << 16)

typedef struct outcome {
    fv_status trained, predicted, alone;
    uint64_t hash;
    float probabilities[MOST_IMAGES * MOST_OUTPUTS];
    float of_one[MOST_OUTPUTS];
} outcome;

typedef struct task {
    const char *text;
    int n, batch, seed, n_fields;
    fv_data_field field[FV_MAX_FEEDS];
    char name[FV_MAX_FEEDS][64];
} task;

static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};
enum { N_ISAS = sizeof isas / sizeof *isas };
static fv_context *contexts[N_ISAS];

/* Bytes of an image, class numbers, or floats of -1 to 1. */
static void draw_values(fv_data_field *field, int64_t n, uint64_t noise)
{
    uint8_t *const values = malloc((size_t)n * (field->element == FV_U8 ? 1 : 4));
    fuzz_expect(values != NULL, "no memory for %lld values", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        noise = noise * 6364136223846793005u + 1442695040888963407u;
        if (field->element == FV_U8)
            values[i] = (uint8_t)(noise >> 56);
        else if (field->element == FV_I32)
            ((int32_t *)(void *)values)[i] = (int32_t)((noise >> 33) % (unsigned)field->n_classes);
        else
            ((float *)(void *)values)[i] = (float)(int32_t)(noise >> 32) * 0x1p-31f;
    }
    field->values = values;
}

/* What the model's feed is given; whether that is little enough. */
static bool draw_field(task *t, const fv_graph *graph, int f)
{
    const fv_feed *const feed = &graph->feed[f];
    const fv_shape shape = graph->tensors[feed->tensor].shape;
    fv_data_field *const field = &t->field[f];
    const bool is_image = feed->kind == FV_FEED_INPUT && shape.rank == 3;
    if (fv__shape_count(shape) > MOST_GIVEN)
        return false;
    snprintf(t->name[f], sizeof t->name[f], "%s", feed->name);
    *field = (fv_data_field){.name = t->name[f],
                             .element = is_image                        ? FV_U8
                                        : feed->kind == FV_FEED_CLASSES ? FV_I32
                                                                        : FV_F32,
                             .scale = FV_SCALE_PIXELS,
                             .rank = shape.rank,
                             .n_classes = feed->kind == FV_FEED_CLASSES ? feed->n_classes : 0};
    memcpy(field->dims, shape.dim, sizeof field->dims);
    draw_values(field, fv__shape_count(shape) * t->n, (uint64_t)t->seed + (uint64_t)f);
    t->n_fields++;
    return true;
}

/* Of the input's numbers; whether the model is small enough for them. */
static bool prepare(task *t, const fv_model *model)
{
    const fv_model_info info = fv_model_describe(model);
    t->n = fuzz_control(t->text, "images", 1, MOST_IMAGES, 18);
    t->batch = fuzz_control(t->text, "batch", 1, MOST_IMAGES, 17);
    t->seed = fuzz_control(t->text, "seed", 0, 1 << 20, 1);
    if (info.n_outputs > MOST_OUTPUTS || info.n_parameters > MOST_PARAMETERS ||
        info.flops > MOST_FLOPS / t->n || info.bytes > MOST_BYTES / t->n)
        return false;
    for (int f = 0; f < model->graph.n_feeds; f++)
        if (!draw_field(t, &model->graph, f))
            return false;
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
    if (out->trained == FV_OK)
        out->trained = fv_data_from_fields(ctx, t->field, t->n_fields, t->n, &data);
    if (fuzz_well(ctx, "prepare", out->trained)) {
        fuzz_well(ctx, "train", out->trained = train(t, model, data));
        out->hash = fv_model_hash(model);
        fuzz_well(ctx, "predict", out->predicted = fv_predict(model, data, 0, t->n, out->probabilities));
        out->alone = fv_predictor_create(model, 1, &predictor);
        if (fuzz_well(ctx, "predictor", out->alone))
            out->alone = fv_predictor_run(predictor, data, t->n - 1, 1, out->of_one);
        fuzz_well(ctx, "predict one", out->alone);
        const size_t n_outputs = (size_t)fv_model_describe(model).n_outputs;
        if (out->predicted == FV_OK && out->alone == FV_OK)
            fuzz_expect(memcmp(out->of_one, out->probabilities + (size_t)(t->n - 1) * n_outputs,
                               n_outputs * sizeof(float)) == 0,
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
    for (int f = 0; f < FV_MAX_FEEDS; f++)
        free((void *)t.field[f].values);
    free((char *)t.text);
    return 0;
}
