/* dataset.c - labelled pictures in memory: creates, filters, shortens and destroys a data set. */
#include "data/dataset.h"

#include "base/digest.h"
#include "base/record.h"
#include "data/files.h"
#include "tensor/shape.h"

#include <math.h>
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
fv_status fv__data_number_classes(fv_data *data)
{
    const size_t n = (size_t)data->n_classes;
    const char **const names = fv__alloc(data->ctx, n, sizeof *names);
    char(*const text)[16] = fv__alloc(data->ctx, n, sizeof *text);
    fv_status status = names && text ? FV_OK : FV_ERR_MEMORY;
    for (int i = 0; i < data->n_classes && status == FV_OK; i++) {
        snprintf(text[i], sizeof text[i], "%d", i);
        names[i] = text[i];
    }
    if (status == FV_OK)
        status = fv__data_name_classes(data, names);
    fv__free(data->ctx, text);
    fv__free(data->ctx, names);
    return status;
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

static size_t element_bytes(fv_element element)
{
    return element == FV_U8 ? 1 : 4;
}

int fv__data_field(const fv_data *data, const char *name)
{
    for (int f = 0; f < data->n_fields; f++)
        if (strcmp(data->field[f].name, name) == 0)
            return f;
    return -1;
}

/* Finds the members that are fields under another name, such as `pixels`. */
static void find_views(fv_data *data)
{
    const fv_field *const first = &data->field[0];
    const int label = fv__data_field(data, "label"), rank = first->shape.rank;
    const fv_field *const labels = label >= 0 ? &data->field[label] : NULL;
    const bool is_label = labels && labels->element == FV_I32 && labels->bytes == sizeof(int);
    data->c = rank <= 3 ? first->shape.dim[0] : 0;
    data->h = rank == 3 ? first->shape.dim[1] : rank < 3;
    data->w = rank == 3 ? first->shape.dim[2] : rank == 2 ? first->shape.dim[1] : rank == 1;
    data->pixels = first->element == FV_U8 ? first->values : NULL;
    data->labels = is_label ? labels->values : NULL;
}

fv_status fv__data_add_field(fv_data *data, const char *name, fv_field field)
{
    field.name = fv__strdup(data->ctx, name);
    field.bytes = (size_t)fv__shape_count(field.shape) * element_bytes(field.element);
    if (!field.name || !field.values) {
        fv__free(data->ctx, field.name);
        fv__free(data->ctx, field.values);
        return FV_ERR_MEMORY;
    }
    data->field[data->n_fields++] = field;
    find_views(data);
    return FV_OK;
}

/* Bytes of n pictures; on overflow SIZE_MAX, which fv__alloc refuses. */
static size_t pixel_bytes(int n, int c, int h, int w)
{
    const size_t one = (size_t)c * (size_t)h * (size_t)w; /* checked before: below 2^31 */
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
    *data = (fv_data){.ctx = fv__context_retain(ctx), .n = n, .n_held = n, .n_classes = n_classes};
    const fv_field image = {
        .element = FV_U8, .scale = FV_SCALE_PIXELS, .shape = FV_SHAPE(c, h, w), .values = pixels};
    status = fv__data_add_field(data, "image", image);
    if (status == FV_OK)
        status = fv__data_add_field(data, "label",
                                    (fv_field){.element = FV_I32,
                                               .shape = FV_SHAPE(1),
                                               .n_classes = n_classes,
                                               .values = fv__alloc(ctx, (size_t)n, sizeof(int))});
    data->name = fv__strdup(ctx, name);
    if (status == FV_OK)
        status = data->name ? fv__data_number_classes(data) : FV_ERR_MEMORY;
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
    fv__files_destroy(data->files);
    fv__free(ctx, data->note);
    fv__free(ctx, data->warning);
    fv__free(ctx, data->record);
    fv__free(ctx, data->class_names);
    for (int f = 0; f < data->n_fields; f++) {
        fv__free(ctx, data->field[f].name);
        fv__free(ctx, data->field[f].values);
    }
    fv__free(ctx, data->name);
    fv__free(ctx, data);
    fv__context_release(ctx);
}

void fv__data_replace_pixels(fv_data *data, uint8_t *pixels, int c, int h, int w)
{
    fv_field *const field = &data->field[0];
    fv__free(data->ctx, field->values);
    field->values = pixels;
    field->shape = FV_SHAPE(c, h, w);
    field->bytes = (size_t)fv__shape_count(field->shape);
    find_views(data);
}

fv_status fv__data_set_note(fv_data *data, const char *note)
{
    char *const copy = fv__strdup(data->ctx, note);
    if (!copy)
        return FV_ERR_MEMORY;
    fv__free(data->ctx, data->note);
    data->note = copy;
    return FV_OK;
}

fv_status fv__data_adopt_files(fv_context *ctx, const char *name, uint8_t *pixels, int n_held,
                               fv_files *files, int n_classes, fv_data **out)
{
    const fv_image_size *const size = &files->wanted.size;
    const fv_status status =
        fv__data_adopt(ctx, name, pixels, files->n, size->c, size->h, size->w, n_classes, out);
    if (status != FV_OK) {
        fv__files_destroy(files);
        return status;
    }
    (*out)->files = files;
    (*out)->n_held = n_held;
    for (int i = 0; i < files->n; i++)
        (*out)->labels[i] = files->file[i].label;
    return FV_OK;
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

int fv__data_renumber(const fv_data_options *options, int label)
{
    if (options->n_classes == 0)
        return label;
    for (int k = 0; k < options->n_classes; k++)
        if (options->classes[k] == label)
            return k;
    return -1;
}

/* Moves the kept samples to the front. */
static void compact(fv_data *data, const fv_data_options *options)
{
    int n = 0;
    for (int i = 0; i < data->n && (options->limit == 0 || n < options->limit); i++) {
        const int label = fv__data_renumber(options, data->labels[i]);
        if (label < 0 && options->n_classes > 0)
            continue;
        for (int f = 0; f < data->n_fields && n != i; f++) {
            const fv_field *const field = &data->field[f];
            memcpy((char *)field->values + (size_t)n * field->bytes,
                   (char *)field->values + (size_t)i * field->bytes, field->bytes);
        }
        data->labels[n++] = label;
    }
    data->n = data->n_held = n;
}

/* Frees the memory of samples that are not kept. */
static fv_status shrink(fv_data *data)
{
    for (int f = 0; f < data->n_fields; f++) {
        fv_field *const field = &data->field[f];
        void *const values = fv__alloc(data->ctx, (size_t)data->n, field->bytes);
        if (!values)
            return fv__memory_for(data->ctx, FV_ERR_MEMORY, data->name);
        memcpy(values, field->values, (size_t)data->n * field->bytes);
        fv__free(data->ctx, field->values);
        field->values = values;
    }
    find_views(data);
    return FV_OK;
}

static fv_status select_names(fv_data *data, const fv_data_options *options)
{
    const char **const names = fv__alloc(data->ctx, (size_t)options->n_classes, sizeof *names);
    if (!names)
        return FV_ERR_MEMORY;
    for (int i = 0; i < options->n_classes; i++)
        names[i] = data->class_names[options->classes[i]];
    data->n_classes = data->field[fv__data_field(data, "label")].n_classes = options->n_classes;
    const fv_status status = fv__data_name_classes(data, names);
    fv__free(data->ctx, names);
    return status;
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

/* A data set of two fields, a picture of bytes and a label, keeps the digest of earlier versions. */
static bool is_pictures(const fv_data *data)
{
    return data->n_fields == 2 && data->pixels && data->labels && data->field[0].shape.rank == 3 &&
           data->field[0].scale == FV_SCALE_PIXELS;
}

static uint64_t digest_fields(const fv_data *data)
{
    fv_digest digest;
    fv__digest_init(&digest);
    fv__digest_u64(&digest, (uint64_t)data->n);
    for (int f = 0; f < data->n_fields; f++) {
        const fv_field *const field = &data->field[f];
        fv__digest_add(&digest, field->name, strlen(field->name) + 1);
        fv__digest_u64(&digest, (uint64_t)field->element);
        fv__digest_add(&digest, &field->scale, sizeof field->scale);
        fv__digest_u64(&digest, (uint64_t)field->n_classes);
        fv__digest_u64(&digest, (uint64_t)field->shape.rank);
        for (int i = 0; i < field->shape.rank; i++)
            fv__digest_u64(&digest, (uint64_t)field->shape.dim[i]);
        fv__digest_add(&digest, field->values, (size_t)data->n * field->bytes);
    }
    return fv__digest_value(&digest);
}

/* By the digest of each picture: pictures that are not held need not be read again, and where they lie makes
 * no difference. */
static uint64_t digest_files(const fv_data *data)
{
    fv_digest digest;
    fv__digest_init(&digest);
    const int sizes[] = {data->n, data->c, data->h, data->w, data->n_classes};
    for (int i = 0; i < 5; i++)
        fv__digest_u64(&digest, (uint64_t)sizes[i]);
    for (int i = 0; i < data->n; i++)
        fv__digest_u64(&digest, data->files->file[i].digest);
    fv__digest_add(&digest, data->labels, (size_t)data->n * sizeof *data->labels);
    return fv__digest_value(&digest);
}

uint64_t fv__data_digest(const fv_data *data)
{
    if (data->files)
        return digest_files(data);
    if (!is_pictures(data))
        return digest_fields(data);
    const int sizes[] = {data->n, data->c, data->h, data->w, data->n_classes};
    fv_digest digest;
    fv__digest_init(&digest);
    for (int i = 0; i < 5; i++)
        fv__digest_u64(&digest, (uint64_t)sizes[i]);
    fv__digest_add(&digest, data->pixels, pixel_bytes(data->n, data->c, data->h, data->w));
    fv__digest_add(&digest, data->labels, (size_t)data->n * sizeof *data->labels);
    return fv__digest_value(&digest);
}

/* ---- fields ----------------------------------------------------------------------------------------- */

static fv_status check_values(fv_context *ctx, const char *what, const fv_data_field *field, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (field->element == FV_F32 && field->n_classes == 0) {
            const float value = ((const float *)field->values)[i];
            if (!(value - value == 0.0f))
                return fv__fail(ctx, FV_ERR_ARGUMENT,
                                "%s: value %zu: expected a finite number, found NaN or "
                                "infinity",
                                what, i);
        } else if (field->n_classes > 0) {
            const int label = field->element == FV_U8 ? ((const uint8_t *)field->values)[i]
                                                      : ((const int32_t *)field->values)[i];
            if (label < 0 || label >= field->n_classes)
                return fv__fail(ctx, FV_ERR_ARGUMENT, "%s: value %zu: expected a class of 0 to %d, found %d",
                                what, i, field->n_classes - 1, label);
        }
    }
    return FV_OK;
}

static fv_status take_field(fv_data *data, const fv_data_field *field)
{
    fv_context *const ctx = data->ctx;
    char what[128];
    snprintf(what, sizeof what, "data set memory: field %.60s", field->name ? field->name : "?");
    if (!field->name || !*field->name || fv__data_field(data, field->name) >= 0)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "%s: expected a name of its own", what);
    if ((unsigned)field->element > FV_F32 || !field->values)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "%s: expected values of bytes, whole numbers or floats", what);
    if (field->rank < 1 || field->rank > FV_MAX_RANK)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "%s: expected 1 to %d dimensions, found %d", what, FV_MAX_RANK,
                        field->rank);
    if (field->n_classes < 0 || field->n_classes > FV_MAX_CLASSES ||
        (field->n_classes > 0 && field->element == FV_F32))
        return fv__fail(ctx, FV_ERR_ARGUMENT, "%s: expected at most %d classes, as whole numbers, found %d",
                        what, FV_MAX_CLASSES, field->n_classes);
    if (field->element == FV_U8 && field->n_classes == 0 && (!isfinite(field->scale) || field->scale == 0))
        return fv__fail(ctx, FV_ERR_ARGUMENT,
                        "%s: expected a scale for its bytes, such as FV_SCALE_PIXELS, found %s", what,
                        fv__general((double)field->scale, 6).text);
    fv_field own = {.element = field->element, .scale = field->scale, .n_classes = field->n_classes};
    own.shape = fv__shape(field->rank, field->dims);
    FV_TRY(fv__shape_check(ctx, own.shape, what));
    if (own.n_classes > 0)
        own.scale = 1;
    const size_t count = (size_t)fv__shape_count(own.shape);
    FV_TRY(check_values(ctx, what, field, count * (size_t)data->n));
    own.values = fv__alloc(ctx, count * (size_t)data->n, element_bytes(own.element));
    if (own.values)
        memcpy(own.values, field->values, count * (size_t)data->n * element_bytes(own.element));
    if (own.n_classes > 0 && data->n_classes == 0)
        data->n_classes = own.n_classes;
    return fv__data_add_field(data, field->name, own);
}

fv_status fv__data_begin(fv_context *ctx, const char *name, int n, fv_data **out)
{
    fv_data *const data = fv__alloc(ctx, 1, sizeof *data);
    if (!data)
        return FV_ERR_MEMORY;
    *data = (fv_data){.ctx = fv__context_retain(ctx), .n = n, .n_held = n, .name = fv__strdup(ctx, name)};
    if (!data->name) {
        fv__data_destroy(data);
        return FV_ERR_MEMORY;
    }
    *out = data;
    return FV_OK;
}

fv_status fv__data_from_fields(fv_context *ctx, const fv_data_field *fields, int n_fields, int n,
                               fv_data **out)
{
    fv_data *data;
    FV_TRY(fv__data_begin(ctx, "memory", n, &data));
    fv_status status = FV_OK;
    for (int f = 0; f < n_fields && status == FV_OK; f++)
        status = take_field(data, &fields[f]);
    if (status == FV_OK)
        status = fv__data_number_classes(data);
    if (status != FV_OK) {
        fv__data_destroy(data);
        return status;
    }
    *out = data;
    return FV_OK;
}
