/* data_api.c - fovea.h's data sets: finds one by its name, and reads its contents. */
#include "base/record.h"
#include "data/dataset.h"
#include "data/digit_drawing.h"
#include "io/file.h"
#include "io/image.h"
#include "tensor/shape.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* ---- finding a data set --------------------------------------------------------------------------- */

enum { MAX_KNOWN = 64 };

/* The names that the user may have meant: "digits", and the folders under the roots. */
static int known_names(fv_arena *arena, const char *const *roots, const char *names[MAX_KNOWN])
{
    int n = 0;
    names[n++] = "digits";
    for (; roots && *roots; roots++) {
        DIR *folder = opendir(*roots);
        for (struct dirent *entry; folder && n < MAX_KNOWN && (entry = readdir(folder));) {
            if (entry->d_name[0] == '.')
                continue;
            const char *path = fv__arena_printf(arena, "%s/%s", *roots, entry->d_name);
            const char *name = path ? fv__arena_strdup(arena, entry->d_name) : NULL;
            if (name && fv__file_is_folder(path))
                names[n++] = name;
        }
        if (folder)
            closedir(folder);
    }
    return n;
}

static fv_status unknown(fv_context *ctx, const char *spec, const char *const *roots)
{
    int fd;
    size_t n_bytes;
    if (fv__file_exists(spec)) {
        FV_TRY(fv__file_open(ctx, spec, SIZE_MAX, &fd,
                             &n_bytes)); /* fails for a folder that may not be entered */
        close(fd);
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected \"digits\" or a folder of IDX files, found a file",
                        spec);
    }
    fv_arena arena;
    fv_text looked;
    const char *names[MAX_KNOWN];
    fv__arena_init(&arena, ctx);
    fv__text_init(&looked, ctx);
    const char *nearest = fv__nearest(spec, names, known_names(&arena, roots, names));
    fv__text_add(&looked, "data set %s: expected \"digits\" or a folder of IDX files, found no folder %s",
                 spec, spec);
    for (; roots && *roots; roots++)
        fv__text_add(&looked, ", nor %s/%s", *roots, spec);
    if (nearest)
        fv__text_add(&looked, "; did you mean \"%s\"?", nearest);
    const fv_status status = looked.failed ? FV_ERR_MEMORY : fv__fail(ctx, FV_ERR_INPUT, "%s", looked.data);
    fv__text_deinit(&looked);
    fv__arena_deinit(&arena);
    return status;
}

static fv_status find(fv_context *ctx, const char *spec, fv_split split, const fv_data_options *options,
                      fv_data **out)
{
    if (strcmp(spec, "digits") == 0)
        return fv__digits_open(ctx, split, options, out);
    if (fv__file_is_folder(spec))
        return fv__mnist_open(ctx, spec, spec, split, options, out);
    for (const char *const *root = options->roots; root && *root; root++) {
        char *folder = fv__path_join(ctx, *root, spec);
        if (!folder)
            return FV_ERR_MEMORY;
        const bool found = fv__file_is_folder(folder);
        const fv_status status = found ? fv__mnist_open(ctx, folder, spec, split, options, out) : FV_OK;
        fv__free(ctx, folder);
        if (found)
            return status;
    }
    return unknown(ctx, spec, options->roots);
}

fv_status fv_data_open(fv_context *ctx, const char *spec, fv_split split, const fv_data_options *options,
                       fv_data **out)
{
    const fv_data_options none = {0};
    fv_data *data = NULL;
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, spec);
    FV_NEED(ctx, out);
    if (!options)
        options = &none;
    if (spec[0] == '\0')
        return fv__fail(ctx, FV_ERR_ARGUMENT, "data set: expected a name or a folder, found nothing");
    if (split != FV_SPLIT_TRAIN && split != FV_SPLIT_TEST)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "data set %s: there is no split %d", spec, (int)split);
    FV_TRY(find(ctx, spec, split, options, &data));
    const fv_data_record record = {spec, options->classes, options->n_classes, options->limit};
    data->record = fv__record_copy(ctx, &record);
    if (!data->record) {
        fv__data_destroy(data);
        return FV_ERR_MEMORY;
    }
    *out = data;
    return FV_OK;
}

/* ---- data of the caller --------------------------------------------------------------------------- */

static fv_status check_image(fv_context *ctx, const char *call, int c, int h, int w)
{
    FV_TRY(fv__check_within(ctx, call, "c", c, 1, FV_MAX_DIM));
    FV_TRY(fv__check_within(ctx, call, "h", h, 1, FV_MAX_DIM));
    return fv__check_within(ctx, call, "w", w, 1, FV_MAX_DIM);
}

fv_status fv_data_from_memory(fv_context *ctx, const uint8_t *pixels, const int *labels, int n, int c, int h,
                              int w, int n_classes, fv_data **out)
{
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, pixels);
    FV_NEED(ctx, labels);
    FV_NEED(ctx, out);
    FV_WITHIN(ctx, n, 1, INT_MAX);
    FV_TRY(check_image(ctx, __func__, c, h, w));
    FV_WITHIN(ctx, n_classes, 1, FV_MAX_CLASSES);
    for (int i = 0; i < n; i++)
        if (labels[i] < 0 || labels[i] >= n_classes)
            return fv__fail(ctx, FV_ERR_ARGUMENT,
                            "data set memory: label of picture %d: expected 0 to %d, found %d", i,
                            n_classes - 1, labels[i]);
    fv_data *data;
    FV_TRY(fv__data_create(ctx, "memory", n, c, h, w, n_classes, &data));
    memcpy(data->pixels, pixels, (size_t)n * (size_t)c * (size_t)h * (size_t)w);
    memcpy(data->labels, labels, (size_t)n * sizeof *labels);
    *out = data;
    return FV_OK;
}

fv_status fv_data_from_fields(fv_context *ctx, const fv_data_field *fields, int n_fields, int n,
                              fv_data **out)
{
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, fields);
    FV_NEED(ctx, out);
    FV_WITHIN(ctx, n_fields, 1, FV_MAX_FIELDS);
    FV_WITHIN(ctx, n, 1, INT_MAX);
    return fv__data_from_fields(ctx, fields, n_fields, n, out);
}

fv_data_field fv_data_field_at(const fv_data *data, int index)
{
    if (!data || index < 0 || index >= data->n_fields)
        return (fv_data_field){0};
    const fv_field *const own = &data->field[index];
    fv_data_field field = {.name = own->name,
                           .element = own->element,
                           .scale = own->scale,
                           .rank = own->shape.rank,
                           .n_classes = own->n_classes,
                           .values = own->values};
    for (int i = 0; i < own->shape.rank; i++)
        field.dims[i] = own->shape.dim[i];
    return field;
}

fv_status fv_data_open_image(fv_context *ctx, const char *path, int c, int h, int w, fv_data **out)
{
    fv_data *data;
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, path);
    FV_NEED(ctx, out);
    FV_TRY(check_image(ctx, __func__, c, h, w));
    FV_TRY(fv__data_create(ctx, path, 1, c, h, w, 0, &data));
    const fv_status status = fv__image_read(ctx, path, c, h, w, data->pixels);
    if (status != FV_OK) {
        fv__data_destroy(data);
        return status;
    }
    *out = data;
    return FV_OK;
}

/* ---- reading contents ----------------------------------------------------------------------------- */

void fv_data_destroy(fv_data *data)
{
    fv__data_destroy(data);
}

/* Whether a picture of that number exists. */
static bool has(const fv_data *data, int index)
{
    return data && index >= 0 && index < data->n;
}

fv_data_info fv_data_describe(const fv_data *data)
{
    if (!data)
        return (fv_data_info){0};
    size_t one = 0;
    for (int f = 0; f < data->n_fields; f++)
        one += data->field[f].bytes;
    return (fv_data_info){.name = data->name,
                          .n_fields = data->n_fields,
                          .n = data->n,
                          .c = data->c,
                          .h = data->h,
                          .w = data->w,
                          .n_classes = data->n_classes,
                          .bytes = (size_t)data->n * one,
                          .record = data->record ? *data->record : (fv_data_record){0}};
}

const uint8_t *fv_data_pixels(const fv_data *data, int index)
{
    if (!has(data, index) || !data->pixels)
        return NULL;
    return data->pixels + (size_t)index * data->field[0].bytes;
}

int fv_data_label(const fv_data *data, int index)
{
    return has(data, index) && data->labels ? data->labels[index] : -1;
}

const char *fv_data_class_name(const fv_data *data, int label)
{
    return data && label >= 0 && label < data->n_classes ? data->class_names[label] : "?";
}

fv_status fv_data_set_class_names(fv_data *data, const char *const *names, int n)
{
    FV_NEED(NULL, data);
    FV_NEED(data->ctx, names);
    if (n != data->n_classes)
        return fv__fail(data->ctx, FV_ERR_ARGUMENT,
                        "%s: expected as many names as it has classes, %d, found %d", data->name,
                        data->n_classes, n);
    FV_TRY(fv__class_names_check(data->ctx, FV_ERR_ARGUMENT, data->name, names, n));
    return fv__data_name_classes(data, names);
}
