/* builder.c - models built in C. Each call writes a line of model text, and fv_builder_finish parses the
 * text: every model has a text, and one parser checks it. Messages count the calls as lines: the input is
 * line 1 of "builder". */
#include "model/model.h"
#include "model/words.h"

#include <string.h>

struct fv_builder {
    fv_context *ctx;
    fv_text text;
    int n_calls;
    fv_status status;               /* the first mistake that a text cannot contain ... */
    char message[FV_MESSAGE_BYTES]; /* ... and its message */
};

fv_status fv_builder_create(fv_context *ctx, int c, int h, int w, fv_builder **out)
{
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, out);
    fv_builder *b = fv__alloc(ctx, 1, sizeof *b);
    if (!b)
        return FV_ERR_MEMORY;
    b->ctx = fv__context_retain(ctx);
    b->n_calls = 1;
    fv__text_init(&b->text, ctx);
    fv__text_add(&b->text, "input image %dx%dx%d\n", c, h, w);
    *out = b;
    return FV_OK;
}

void fv_builder_destroy(fv_builder *b)
{
    if (!b)
        return;
    fv_context *const ctx = b->ctx;
    fv__text_deinit(&b->text);
    fv__free(ctx, b);
    fv__context_release(ctx);
}

/* Whether the call's line is written. `words`, the caller's argument named `argument`, must be valid words
 * if they are not NULL; `well` says so. */
static bool begin(fv_builder *b, const char *call, const char *argument, const char *words, bool well,
                  const char *expected)
{
    if (!b)
        return false;
    b->n_calls++;
    if (well || b->status != FV_OK)
        return b->status == FV_OK;
    if (!words)
        b->status =
            fv__fail(b->ctx, FV_ERR_ARGUMENT, "builder:%d: %s: %s is NULL", b->n_calls, call, argument);
    else
        b->status = fv__fail(b->ctx, FV_ERR_ARGUMENT, "builder:%d: %s: '%s' is no %s", b->n_calls, call,
                             words, expected);
    memcpy(b->message, b->ctx->message, sizeof b->message);
    return false;
}

void fv_builder_conv(fv_builder *b, const char *name, int channels, fv_window window)
{
    if (begin(b, "fv_builder_conv", "name", name, name && fv__name_ok(name), "name of a layer"))
        fv__text_add(&b->text, "conv %s %d %dx%d stride=%d pad=%d\n", name, channels, window.kernel_h,
                     window.kernel_w, window.stride == 0 ? 1 : window.stride, window.padding);
}

void fv_builder_linear(fv_builder *b, const char *name, int features)
{
    if (begin(b, "fv_builder_linear", "name", name, name && fv__name_ok(name), "name of a layer"))
        fv__text_add(&b->text, "linear %s %d\n", name, features);
}

static void pool(fv_builder *b, const char *word, fv_window window)
{
    if (!begin(b, word, "", "", true, ""))
        return;
    fv__text_add(&b->text, "%s %dx%d", word, window.kernel_h, window.kernel_w);
    if (window.stride != 0)
        fv__text_add(&b->text, " stride=%d", window.stride);
    fv__text_add(&b->text, " pad=%d\n", window.padding);
}

void fv_builder_max_pool(fv_builder *b, fv_window window)
{
    pool(b, "maxpool", window);
}

void fv_builder_avg_pool(fv_builder *b, fv_window window)
{
    pool(b, "avgpool", window);
}

void fv_builder_layer(fv_builder *b, const char *words)
{
    if (begin(b, "fv_builder_layer", "words", words, words && !strpbrk(words, "\r\n"), "single line"))
        fv__text_add(&b->text, "%s\n", words);
}

fv_status fv_builder_finish(fv_builder *b, fv_model **out)
{
    FV_NEED(NULL, b);
    fv_status status = b->status;
    if (!out)
        status = fv__fail(b->ctx, FV_ERR_ARGUMENT, "fv_builder_finish: out is NULL");
    else if (status != FV_OK)
        fv__fail(b->ctx, status, "%s", b->message);
    else if (b->text.failed)
        status = fv__fail(b->ctx, FV_ERR_MEMORY, "out of memory while building a model");
    else
        status = fv__model_create(b->ctx, b->text.data, b->text.n, "builder", out);
    fv_builder_destroy(b);
    return status;
}
