/* data_api.c - fovea.h's data sets: from memory, and looking into them. What reads files is in sources_api.c,
 * so that a program without it needs no libraries of picture formats. */
#include "base/digest.h"
#include "base/record.h"
#include "base/rng.h"
#include "data/files.h"

#include <limits.h>
#include <string.h>

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
                           .values = index > 0 || data->n_held == data->n ? own->values : NULL};
    for (int i = 0; i < own->shape.rank; i++)
        field.dims[i] = own->shape.dim[i];
    return field;
}

/* ---- looking -------------------------------------------------------------------------------------- */

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
    size_t bytes = 0;
    for (int f = 0; f < data->n_fields; f++)
        bytes += data->field[f].bytes * (size_t)(f == 0 ? data->n_held : data->n);
    return (fv_data_info){.name = data->name,
                          .n_fields = data->n_fields,
                          .n = data->n,
                          .c = data->c,
                          .h = data->h,
                          .w = data->w,
                          .n_classes = data->n_classes,
                          .bytes = bytes,
                          .n_held = data->n_held,
                          .note = data->note,
                          .warning = data->warning,
                          .n_skipped = data->files ? data->files->n_skipped : 0,
                          .record = data->record ? *data->record : (fv_data_record){0}};
}

const uint8_t *fv_data_pixels(const fv_data *data, int index)
{
    if (!has(data, index) || !data->pixels)
        return NULL;
    if (index >= data->n_held)
        return fv__files_one(data->files, index);
    return data->pixels + (size_t)index * data->field[0].bytes;
}

void fv_data_moments(const fv_data *data, int channel, double *mean, double *deviation)
{
    double m = 0, square = 0;
    if (data && channel >= 0 && channel < data->field[0].shape.dim[0])
        fv__data_moments(data, 0, data->n, channel, &m, &square);
    if (mean)
        *mean = m;
    if (deviation)
        *deviation = square > m * m ? fv__sqrt(square - m * m) : 0;
}

fv_data_sample fv_data_sample_at(const fv_data *data, int index)
{
    if (!has(data, index))
        return (fv_data_sample){0};
    if (data->files) {
        const fv_file *const file = &data->files->file[index];
        return (fv_data_sample){file->path, file->found.c, file->found.h, file->found.w, file->digest};
    }
    const fv_field *const field = &data->field[0];
    fv_digest digest;
    fv__digest_init(&digest);
    fv__digest_add(&digest, (const char *)field->values + (size_t)index * field->bytes, field->bytes);
    return (fv_data_sample){NULL, data->c, data->h, data->w, fv__digest_value(&digest)};
}

const char *fv_data_skipped(const fv_data *data, int index)
{
    const fv_files *const files = data ? data->files : NULL;
    return files && index >= 0 && index < files->n_skipped ? files->skipped[index] : NULL;
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
