/* training.h - what the tests of whole training runs share. Include after scratch.h. */
#ifndef FV_TESTS_TRAINING_H
#define FV_TESTS_TRAINING_H

#include "fovea.h"

#include <stdio.h>

/* Sanitizers cost a factor of ten: then a fraction of the work has to do. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TRAINING_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TRAINING_SLOW 1
#endif
#endif
#ifndef TRAINING_SLOW
#define TRAINING_SLOW 0
#endif

/* The call must succeed, or its message is shown. */
#define assert_well(ctx, call)                                                                               \
    do {                                                                                                     \
        const fv_status well_ = (call);                                                                      \
        if (well_ != FV_OK)                                                                                  \
            fail_msg("%s: status %d: %s", #call, (int)well_, fv_message(ctx));                               \
    } while (0)

/* NULL, with a message, where the machine lacks the instruction set. */
static inline fv_context *training_context(int n_threads, const char *isa)
{
    fv_context *ctx = NULL;
    char why[256] = "";
    const fv_context_options options = {.n_threads = n_threads, .isa = isa};
    const fv_status status = fv_context_create(&options, &ctx, why, sizeof why);
    if (status == FV_ERR_UNSUPPORTED)
        print_message("skipped: %s\n", why);
    else if (status != FV_OK)
        fail_msg("no context: %s", why);
    return ctx;
}

static inline fv_data *training_digits(fv_context *ctx, fv_split split, int limit)
{
    fv_data *data = NULL;
    const fv_data_options options = {.limit = limit, .seed = 5};
    assert_well(ctx, fv_data_open(ctx, "digits", split, &options, &data));
    return data;
}

/* A built-in model's name, or a text. */
static inline fv_model *training_model(fv_context *ctx, const char *model)
{
    fv_model *out = NULL;
    if (strchr(model, '\n'))
        assert_well(ctx, fv_model_from_text(ctx, model, "text", &out));
    else
        assert_well(ctx, fv_model_open(ctx, model, &out));
    return out;
}

static inline fv_train_options training_options(int epochs, int batch, double lr)
{
    fv_train_options o = fv_train_options_default();
    o.epochs = epochs;
    o.batch = batch;
    o.lr = lr;
    o.schedule = FV_SCHEDULE_CONSTANT;
    o.seed = 11;
    return o;
}

/* Trains a fresh model; its hash. */
static inline uint64_t training_hash(fv_context *ctx, const char *model, const fv_data *data,
                                     const fv_train_options *options)
{
    fv_model *m = training_model(ctx, model);
    assert_well(ctx, fv_train(m, data, NULL, options, NULL, NULL));
    const uint64_t hash = fv_model_hash(m);
    fv_model_destroy(m);
    return hash;
}

/* Pictures of c x h x w in two classes, bright above or below, in the same noise on every machine: data that
 * a tiny model learns in a few steps. `margin` pixels at the edges stay black. */
static inline fv_data *training_halves(fv_context *ctx, int n, int c, int h, int w, int margin)
{
    uint8_t *pixels = calloc((size_t)(n * c), (size_t)(h * w));
    int *labels = calloc((size_t)n, sizeof *labels);
    fv_data *data = NULL;
    assert_non_null(pixels);
    assert_non_null(labels);
    uint32_t noise = 12345;
    for (int i = 0; i < n; i++) {
        noise = noise * 1664525u + 1013904223u;
        labels[i] = (int)(noise >> 31);
        for (int k = 0; k < c; k++)
            for (int y = margin; y < h - margin; y++)
                for (int x = margin; x < w - margin; x++) {
                    noise = noise * 1664525u + 1013904223u;
                    pixels[((i * c + k) * h + y) * w + x] =
                        (uint8_t)((noise >> 25) + ((y < h / 2) == labels[i] ? 100u : 0u));
                }
    }
    assert_well(ctx, fv_data_from_memory(ctx, pixels, labels, n, c, h, w, 2, &data));
    free(pixels);
    free(labels);
    return data;
}

/* A model for the halves: every kind of step, a few hundred parameters. */
#define TRAINING_TINY                                                                                        \
    "input image 1x6x6\n"                                                                                    \
    "conv c1 3 3x3 pad=1\n"                                                                                  \
    "relu\n"                                                                                                 \
    "maxpool 2x2\n"                                                                                          \
    "flatten\n"                                                                                              \
    "dropout 0.25\n"                                                                                         \
    "linear out 2\n"                                                                                         \
    "softmax\n"

/* A vision transformer for the digits: 16 patches and a class token, one layer of 3 heads. */
#define TRAINING_TRANSFORMER                                                                                 \
    "input image 1x28x28\n"                                                                                  \
    "conv e 24 7x7 stride=7\n"                                                                               \
    "tokens\n"                                                                                               \
    "classtoken cls\n"                                                                                       \
    "position pos\n"                                                                                         \
    "layernorm norm1\n"                                                                                      \
    "attention self_attn 3\n"                                                                                \
    "add pos name=trunk\n"                                                                                   \
    "layernorm norm2\n"                                                                                      \
    "linear linear1 48\n"                                                                                    \
    "gelu\n"                                                                                                 \
    "linear linear2 24\n"                                                                                    \
    "add trunk\n"                                                                                            \
    "slice 0 1\n"                                                                                            \
    "layernorm n\n"                                                                                          \
    "flatten\n"                                                                                              \
    "linear h 10\n"                                                                                          \
    "softmax\n"

#endif
