/* dataset.c - labelled pictures in memory: made, filtered by class, cut short, destroyed. */
#include "data/dataset.h"

#include "base/digest.h"
#include "base/record.h"
#include "tensor/shape.h"

#include <stdio.h>
#include <string.h>

fv_status fv__data_name_classes(fv_data *data, const char *const *names)
{
    char **const copy = fv__class_names_copy(data->ctx, names, data->n_classes);
    if (!copy)
        return FV_ERR_MEMORY;
    fv__free(data->ctx, data->class_names);
    data->class_names = copy;
    return FV_OK;
}

/* "0", "1", ... */
static fv_status number_classes(fv_data *data)
{
    char text[FV_MAX_CLASSES][16];
    const char *names[FV_MAX_CLASSES];
    for (int i = 0; i < data->n_classes; i++) {
        snprintf(text[i], sizeof text[i], "%d", i);
        names[i] = text[i];
    }
    return fv__data_name_classes(data, names);
}

fv_status fv__data_check_sizes(fv_context *ctx, const char *name, int n, int c, int h, int w, int n_classes)
{
    char what[128];
    snprintf(what, sizeof what, "data set %.100s", name);
    if (n <= 0)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "%s: expected at least one picture, found %d", what, n);
    if (n_classes < 0 || n_classes > FV_MAX_CLASSES)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "%s: expected at most %d classes, found %d", what,
                        FV_MAX_CLASSES, n_classes);
    return fv__shape_check(ctx, FV_SHAPE(c, h, w), what);
}

/* Bytes of n pictures; SIZE_MAX, which no allocator gives, where that overflows. */
static size_t pixel_bytes(int n, int c, int h, int w)
{
    const size_t one = (size_t)c * (size_t)h * (size_t)w; /* checked: below 2^31 */
    size_t all;
    return fv__mul((size_t)n, one, &all) ? all : SIZE_MAX;
}

fv_status fv__data_adopt(fv_context *ctx, const char *name, uint8_t *pixels, int n, int c, int h, int w,
                         int n_classes, fv_data **out)
{
    fv_status status = fv__data_check_sizes(ctx, name, n, c, h, w, n_classes);
    fv_data *data = status == FV_OK ? fv__alloc(ctx, 1, sizeof *data) : NULL;
    if (!data) {
        fv__free(ctx, pixels);
        return fv__memory_for(ctx, status == FV_OK ? FV_ERR_MEMORY : status, name);
    }
    *data = (fv_data){.ctx = fv__context_retain(ctx),
                      .n = n,
                      .c = c,
                      .h = h,
                      .w = w,
                      .n_classes = n_classes,
                      .pixels = pixels};
    data->name = fv__strdup(ctx, name);
    data->labels = data->name ? fv__alloc(ctx, (size_t)n, sizeof *data->labels) : NULL;
    status = data->labels ? number_classes(data) : FV_ERR_MEMORY;
    if (status != FV_OK) {
        fv__data_destroy(data);
        return fv__memory_for(ctx, status, name);
    }
    for (int i = 0; i < n; i++)
        data->labels[i] = -1;
    *out = data;
    return FV_OK;
}

fv_status fv__data_create(fv_context *ctx, const char *name, int n, int c, int h, int w, int n_classes,
                          fv_data **out)
{
    FV_TRY(fv__data_check_sizes(ctx, name, n, c, h, w, n_classes));
    uint8_t *pixels = fv__alloc(ctx, pixel_bytes(n, c, h, w), 1);
    if (!pixels)
        return fv__memory_for(ctx, FV_ERR_MEMORY, name);
    return fv__data_adopt(ctx, name, pixels, n, c, h, w, n_classes, out);
}

void fv__data_destroy(fv_data *data)
{
    if (!data)
        return;
    fv_context *const ctx = data->ctx;
    fv__free(ctx, data->record);
    fv__free(ctx, data->class_names);
    fv__free(ctx, data->labels);
    fv__free(ctx, data->pixels);
    fv__free(ctx, data->name);
    fv__free(ctx, data);
    fv__context_release(ctx);
}

/* ---- selecting ------------------------------------------------------------------------------------ */

fv_status fv__data_check_options(fv_context *ctx, const fv_data_options *options, int n_classes,
                                 const char *name)
{
    if (options->limit < 0)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "data set %s: expected a limit of 0 or more pictures, found %d",
                        name, options->limit);
    if (options->n_classes < 0 || options->n_classes > n_classes)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "data set %s: has %d classes; %d of them were asked for", name,
                        n_classes, options->n_classes);
    if (options->n_classes > 0 && !options->classes)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "data set %s: %d classes were asked for, but not which", name,
                        options->n_classes);
    for (int i = 0; i < options->n_classes; i++) {
        const int class = options->classes[i];
        if (class < 0 || class >= n_classes)
            return fv__fail(ctx, FV_ERR_ARGUMENT, "data set %s: expected classes of 0 to %d, found %d", name,
                            n_classes - 1, class);
        for (int k = 0; k < i; k++)
            if (options->classes[k] == class)
                return fv__fail(ctx, FV_ERR_ARGUMENT, "data set %s: class %d was asked for twice", name,
                                class);
    }
    return FV_OK;
}

/* Label `label`'s number among the classes kept, or -1. */
static int renumber(const fv_data_options *options, int label)
{
    if (options->n_classes == 0)
        return label;
    for (int k = 0; k < options->n_classes; k++)
        if (options->classes[k] == label)
            return k;
    return -1;
}

/* Moves what is kept to the front. */
static void compact(fv_data *data, const fv_data_options *options)
{
    const size_t one = (size_t)data->c * (size_t)data->h * (size_t)data->w;
    int n = 0;
    for (int i = 0; i < data->n && (options->limit == 0 || n < options->limit); i++) {
        const int label = renumber(options, data->labels[i]);
        if (label < 0 && options->n_classes > 0)
            continue;
        if (n != i)
            memcpy(data->pixels + (size_t)n * one, data->pixels + (size_t)i * one, one);
        data->labels[n++] = label;
    }
    data->n = n;
}

/* Gives back the memory of pictures not kept. */
static fv_status shrink(fv_data *data)
{
    const size_t bytes = pixel_bytes(data->n, data->c, data->h, data->w);
    uint8_t *pixels = fv__alloc(data->ctx, bytes, 1);
    int *labels = pixels ? fv__alloc(data->ctx, (size_t)data->n, sizeof *labels) : NULL;
    if (!labels) {
        fv__free(data->ctx, pixels);
        return fv__memory_for(data->ctx, FV_ERR_MEMORY, data->name);
    }
    memcpy(pixels, data->pixels, bytes);
    memcpy(labels, data->labels, (size_t)data->n * sizeof *labels);
    fv__free(data->ctx, data->pixels);
    fv__free(data->ctx, data->labels);
    data->pixels = pixels;
    data->labels = labels;
    return FV_OK;
}

static fv_status select_names(fv_data *data, const fv_data_options *options)
{
    const char *names[FV_MAX_CLASSES];
    for (int i = 0; i < options->n_classes; i++)
        names[i] = data->class_names[options->classes[i]];
    data->n_classes = options->n_classes;
    return fv__data_name_classes(data, names);
}

fv_status fv__data_select(fv_data *data, const fv_data_options *options)
{
    FV_TRY(fv__data_check_options(data->ctx, options, data->n_classes, data->name));
    const int n = data->n;
    compact(data, options);
    if (data->n == 0)
        return fv__fail(data->ctx, FV_ERR_INPUT,
                        "data set %s: none of its %d pictures is of a class asked for", data->name, n);
    if (options->n_classes > 0)
        FV_TRY(select_names(data, options));
    return data->n < n ? shrink(data) : FV_OK;
}

uint64_t fv__data_digest(const fv_data *data)
{
    const int sizes[] = {data->n, data->c, data->h, data->w, data->n_classes};
    fv_digest digest;
    fv__digest_init(&digest);
    for (int i = 0; i < 5; i++)
        fv__digest_u64(&digest, (uint64_t)sizes[i]);
    fv__digest_add(&digest, data->pixels, pixel_bytes(data->n, data->c, data->h, data->w));
    fv__digest_add(&digest, data->labels, (size_t)data->n * sizeof *data->labels);
    return fv__digest_value(&digest);
}
