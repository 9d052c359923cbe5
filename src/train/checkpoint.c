/* checkpoint.c - the run folder: what training must leave behind so that it can go on exactly where it was.
 *
 *   model.fovea         the model text
 *   last.safetensors    parameters, statistics, optimizer.NAME, and in the metadata the options and position
 *   best.safetensors    parameters and statistics of the best epoch
 *   args.json           the options, for people and scripts
 *   log.csv             a line an epoch
 *
 * Numbers in the metadata that must come back exactly are the 16 hexadecimal digits of their bits. A checksum
 * over the record and the tensors' bytes tells a damaged file from a good one. */
#include "train/train.h"

#include "io/file.h"
#include "io/json.h"
#include "io/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the record: one table serves writing and reading ----------------------------------------------- */

typedef enum field_type { FIELD_INT, FIELD_INT64, FIELD_U64, FIELD_DOUBLE } field_type;

typedef struct field {
    const char *key;
    field_type type;
    size_t offset;
} field;

#define OPTION(key, type, member) {key, type, offsetof(fv_train_options, member)}
static const field option_fields[] = {
    OPTION("epochs", FIELD_INT, epochs),
    OPTION("batch", FIELD_INT, batch),
    OPTION("lr", FIELD_DOUBLE, lr),
    OPTION("momentum", FIELD_DOUBLE, momentum),
    OPTION("weight_decay", FIELD_DOUBLE, weight_decay),
    OPTION("schedule", FIELD_INT, schedule),
    OPTION("step_epochs", FIELD_INT, step_epochs),
    OPTION("step_factor", FIELD_DOUBLE, step_factor),
    OPTION("shift", FIELD_INT, shift),
    OPTION("seed", FIELD_U64, seed),
    OPTION("valid", FIELD_INT, n_valid),
};

#define POSITION(key, type, member) {key, type, offsetof(fv_position, member)}
static const field position_fields[] = {
    POSITION("images", FIELD_INT, images),
    POSITION("epoch", FIELD_INT, epoch),
    POSITION("step", FIELD_INT64, step),
    POSITION("updates", FIELD_INT64, updates),
    POSITION("loss_sum", FIELD_DOUBLE, loss_sum),
    POSITION("best", FIELD_DOUBLE, best),
};

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define N_META (COUNT(option_fields) + COUNT(position_fields) + 4)
#define VALUE_BYTES 32

static void show(const field *f, const void *from, char value[VALUE_BYTES])
{
    const void *const at = (const char *)from + f->offset;
    uint64_t bits;
    switch (f->type) {
    case FIELD_INT:
        snprintf(value, VALUE_BYTES, "%d", *(const int *)at);
        break;
    case FIELD_INT64:
        snprintf(value, VALUE_BYTES, "%" PRId64, *(const int64_t *)at);
        break;
    case FIELD_U64:
        snprintf(value, VALUE_BYTES, "%" PRIu64, *(const uint64_t *)at);
        break;
    case FIELD_DOUBLE:
        memcpy(&bits, at, sizeof bits);
        snprintf(value, VALUE_BYTES, "%016" PRIx64, bits);
        break;
    }
}

/* Digits of `base` only; at most 20 of them. */
static bool whole(const char *text, unsigned base, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        const char *const d = strchr(digits, *text);
        if (!d || d - digits >= (ptrdiff_t)base || value > (UINT64_MAX - (uint64_t)(d - digits)) / base)
            return false;
        value = value * base + (uint64_t)(d - digits);
    }
    *out = value;
    return true;
}

static fv_status read_field(fv_context *ctx, const fv_safetensors *file, const char *path, const field *f,
                            void *to)
{
    const char *const value = fv__safetensors_meta(file, f->key);
    void *const at = (char *)to + f->offset;
    uint64_t bits = 0;
    if (!value || !whole(value, f->type == FIELD_DOUBLE ? 16 : 10, &bits) ||
        (f->type == FIELD_INT && bits > INT32_MAX) || (f->type == FIELD_INT64 && bits > INT64_MAX))
        return fv__fail(ctx, FV_ERR_INPUT, "%s: metadata '%s': expected %s, found %s", path, f->key,
                        f->type == FIELD_DOUBLE ? "16 hexadecimal digits" : "a whole number",
                        value ? value : "none");
    if (f->type == FIELD_INT)
        *(int *)at = (int)bits;
    else
        memcpy(at, &bits, sizeof bits);
    return FV_OK;
}

/* ---- the checksum: FNV-1a's step, once a byte of text and once a float ------------------------------- */

#define CHECKSUM_START 0xcbf29ce484222325u

static uint64_t checksum_word(uint64_t sum, uint32_t word)
{
    return (sum ^ word) * 0x100000001b3u;
}

static uint64_t checksum_text(uint64_t sum, const char *text)
{
    for (; *text; text++)
        sum = checksum_word(sum, (unsigned char)*text);
    return checksum_word(sum, 0);
}

/* `values` may be unaligned. */
static uint64_t checksum_values(uint64_t sum, const void *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t word;
        memcpy(&word, (const char *)values + i * sizeof word, sizeof word);
        sum = checksum_word(sum, word);
    }
    return sum;
}

/* Of an open file: the record's values, in the order in which they are written, and the tensors'. */
static fv_status check_sum(fv_context *ctx, const fv_safetensors *file, const char *path)
{
    static const char *const texts[] = {"format", "optimizer", "data"};
    const field *const tables[] = {option_fields, position_fields};
    const int counts[] = {COUNT(option_fields), COUNT(position_fields)};
    uint64_t sum = CHECKSUM_START;
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < counts[t]; i++) {
            const char *const value = fv__safetensors_meta(file, tables[t][i].key);
            sum = checksum_text(sum, value ? value : "");
        }
    for (int i = 0; i < COUNT(texts); i++) {
        const char *const value = fv__safetensors_meta(file, texts[i]);
        sum = checksum_text(sum, value ? value : "");
    }
    for (int i = 0; i < fv__safetensors_n_tensors(file); i++) {
        const fv_tensor_entry *const e = fv__safetensors_tensor(file, i);
        sum = checksum_values(sum, e->values, e->n_bytes / sizeof(float));
    }
    char expected[VALUE_BYTES];
    snprintf(expected, sizeof expected, "%016" PRIx64, sum);
    const char *const found = fv__safetensors_meta(file, "checksum");
    if (!found || strcmp(found, expected) != 0)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: the file is damaged: expected checksum %s, found %s", path,
                        expected, found ? found : "none");
    return FV_OK;
}

/* ---- last.safetensors -------------------------------------------------------------------------------- */

static fv_tensor_entry entry_of(const fv_model *model, int p, const char *name, const float *values)
{
    const fv_shape shape = model->graph.tensors[model->params[p].tensor].shape;
    fv_tensor_entry e = {.name = name, .rank = shape.rank, .values = values};
    for (int d = 0; d < shape.rank; d++)
        e.dim[d] = shape.dim[d];
    return e;
}

static const char *name_of(const fv_model *model, int p)
{
    return model->graph.tensors[model->params[p].tensor].name;
}

/* `meta` has n_meta entries and room for the checksum's. */
static fv_status write_all(const fv_trainer *t, const char *path, fv_meta_entry *meta, int n_meta)
{
    const fv_model *const m = t->model;
    fv_arena arena;
    fv__arena_init(&arena, t->ctx);
    fv_status status = FV_ERR_MEMORY;
    int n = 0;
    fv_tensor_entry *const tensors = fv__arena_alloc(&arena, 2 * (size_t)m->n_params, sizeof *tensors);
    if (!tensors)
        goto cleanup;
    for (int p = 0; p < m->n_params; p++)
        tensors[n++] = entry_of(m, p, name_of(m, p), fv__model_values(m, p));
    for (int p = 0; p < m->n_learned; p++) {
        const char *const name = fv__arena_printf(&arena, "optimizer.%s", name_of(m, p));
        if (!name)
            goto cleanup;
        tensors[n++] = entry_of(m, p, name, t->momentum + m->params[p].offset);
    }
    uint64_t sum = CHECKSUM_START;
    for (int i = 0; i < n_meta; i++)
        sum = checksum_text(sum, meta[i].value);
    for (int i = 0; i < n; i++)
        sum = checksum_values(sum, tensors[i].values, m->params[i < m->n_params ? i : i - m->n_params].n);
    char checksum[VALUE_BYTES];
    snprintf(checksum, sizeof checksum, "%016" PRIx64, sum);
    meta[n_meta] = (fv_meta_entry){"checksum", checksum};
    status = fv__safetensors_write(t->ctx, path, tensors, n, meta, n_meta + 1);
cleanup:
    fv__arena_deinit(&arena);
    return status;
}

fv_status fv__checkpoint_save(const fv_trainer *t, const char *folder, const fv_train_options *options,
                              const fv_position *position)
{
    char values[N_META][VALUE_BYTES];
    fv_meta_entry meta[N_META];
    int n = 0;
    for (int i = 0; i < COUNT(option_fields); i++, n++) {
        show(&option_fields[i], options, values[n]);
        meta[n] = (fv_meta_entry){option_fields[i].key, values[n]};
    }
    for (int i = 0; i < COUNT(position_fields); i++, n++) {
        show(&position_fields[i], position, values[n]);
        meta[n] = (fv_meta_entry){position_fields[i].key, values[n]};
    }
    meta[n++] = (fv_meta_entry){"format", "fovea checkpoint 1"};
    meta[n++] = (fv_meta_entry){"optimizer", options->optimizer};
    meta[n++] = (fv_meta_entry){"data", options->data_name ? options->data_name : ""};
    char *const path = fv__path_join(t->ctx, folder, "last.safetensors");
    if (!path)
        return FV_ERR_MEMORY;
    const fv_status status = write_all(t, path, meta, n);
    fv__free(t->ctx, path);
    return status;
}

/* Into the trainer's momentum, and `values`, which is as the model's. */
static fv_status read_all(fv_trainer *t, const fv_safetensors *file, const char *path, fv_position *position,
                          float *values)
{
    const fv_model *const m = t->model;
    for (int i = 0; i < COUNT(position_fields); i++)
        FV_TRY(read_field(t->ctx, file, path, &position_fields[i], position));
    for (int p = 0; p < m->n_params; p++) {
        const fv_shape shape = m->graph.tensors[m->params[p].tensor].shape;
        FV_TRY(
            fv__safetensors_copy(file, name_of(m, p), shape.rank, shape.dim, values + m->params[p].offset));
    }
    for (int p = 0; p < m->n_learned; p++) {
        const fv_shape shape = m->graph.tensors[m->params[p].tensor].shape;
        char *const name = fv__arena_printf(&t->graph.arena, "optimizer.%s", name_of(m, p));
        if (!name)
            return FV_ERR_MEMORY;
        FV_TRY(fv__safetensors_copy(file, name, shape.rank, shape.dim, t->momentum + m->params[p].offset));
    }
    return FV_OK;
}

/* Opens folder/last.safetensors and checks that it is a checkpoint. */
static fv_status open_last(fv_context *ctx, const char *folder, char **path, fv_safetensors **file)
{
    *path = fv__path_join(ctx, folder, "last.safetensors");
    if (!*path)
        return FV_ERR_MEMORY;
    FV_TRY(fv__safetensors_open(ctx, *path, file));
    const char *const format = fv__safetensors_meta(*file, "format");
    if (!format || strcmp(format, "fovea checkpoint 1") != 0)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: expected format 'fovea checkpoint 1' in its metadata, found %s", *path,
                        format ? format : "none");
    return check_sum(ctx, *file, *path);
}

fv_status fv__checkpoint_load(fv_trainer *t, const char *folder, fv_position *position)
{
    const fv_model *const m = t->model;
    char *path = NULL;
    fv_safetensors *file = NULL;
    fv_position read = *position;
    float *const values = fv__alloc(t->ctx, m->n_values, sizeof *values);
    fv_status status = values ? open_last(t->ctx, folder, &path, &file) : FV_ERR_MEMORY;
    if (status == FV_OK)
        status = read_all(t, file, path, &read, values);
    if (status == FV_OK && read.images != position->images)
        status = fv__fail(t->ctx, FV_ERR_INPUT,
                          "%s: expected the %d training images that the run began with, found %d", path,
                          read.images, position->images);
    if (status == FV_OK && read.step > position->step)
        status = fv__fail(t->ctx, FV_ERR_INPUT,
                          "%s: metadata 'step': expected at most %lld, the steps of an epoch, found %lld",
                          path, (long long)position->step, (long long)read.step);
    if (status == FV_OK) {
        memcpy(m->values, values, m->n_values * sizeof *values);
        *position = read;
    }
    fv__safetensors_close(file);
    fv__free(t->ctx, path);
    fv__free(t->ctx, values);
    return status;
}

static fv_status read_options(fv_context *ctx, const fv_safetensors *file, const char *path,
                              fv_train_options *options, char *strings, size_t bytes)
{
    for (int i = 0; i < COUNT(option_fields); i++)
        FV_TRY(read_field(ctx, file, path, &option_fields[i], options));
    const char *const optimizer = fv__safetensors_meta(file, "optimizer");
    const char *const data = fv__safetensors_meta(file, "data");
    if (options->schedule > FV_SCHEDULE_COSINE || !optimizer || strcmp(optimizer, "sgd") != 0)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: the metadata names a schedule or an optimizer that is not known here", path);
    if (!data || strlen(data) >= bytes)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: metadata 'data': expected at most %zu bytes, found %s", path,
                        bytes, data ? "more" : "none");
    memcpy(strings, data, strlen(data) + 1);
    options->optimizer = "sgd";
    options->data_name = strings;
    options->out = NULL;
    options->resume = true;
    return FV_OK;
}

fv_status fv__checkpoint_options(fv_context *ctx, const char *folder, fv_train_options *options,
                                 char *strings, size_t strings_bytes)
{
    char *path = NULL;
    fv_safetensors *file = NULL;
    fv_train_options read = *options;
    fv_status status = open_last(ctx, folder, &path, &file);
    if (status == FV_OK)
        status = read_options(ctx, file, path, &read, strings, strings_bytes);
    if (status == FV_OK)
        *options = read;
    fv__safetensors_close(file);
    fv__free(ctx, path);
    return status;
}

fv_status fv__weights_save(const fv_model *m, const char *path)
{
    fv_tensor_entry *const tensors = fv__alloc(m->ctx, (size_t)m->n_params, sizeof *tensors);
    if (!tensors)
        return FV_ERR_MEMORY;
    for (int p = 0; p < m->n_params; p++)
        tensors[p] = entry_of(m, p, name_of(m, p), fv__model_values(m, p));
    const fv_status status = fv__safetensors_write(m->ctx, path, tensors, m->n_params, NULL, 0);
    fv__free(m->ctx, tensors);
    return status;
}
