/* safetensors.c - writes weights and checkpoints, and opens such files; safetensors_header.c parses the
 * header. Format: https://github.com/huggingface/safetensors, section "Format". */
#include "io/safetensors_header.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the tensors' bytes go to the file as they are");
_Static_assert(sizeof(float) == 4, "F32");

/* ---- writing -------------------------------------------------------------------------------------- */

static fv_status count_bytes(fv_context *ctx, const char *path, const fv_tensor_entry *tensor,
                             size_t *n_bytes)
{
    if (tensor->rank < 0 || tensor->rank > FV_TENSOR_MAX_RANK)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "%s: tensor %s: expected a rank of 0 to %d, found %d", path,
                        tensor->name, FV_TENSOR_MAX_RANK, tensor->rank);
    *n_bytes = sizeof(float);
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->dim[i] < 0 || !fv__mul(*n_bytes, (size_t)tensor->dim[i], n_bytes))
            return fv__fail(ctx, FV_ERR_ARGUMENT, "%s: tensor %s: dimension %d: %lld is impossible", path,
                            tensor->name, i, (long long)tensor->dim[i]);
    return FV_OK;
}

static fv_status describe_tensors(fv_text *header, const char *path, const fv_tensor_entry *tensors, int n,
                                  bool comma)
{
    size_t offset = 0, n_bytes;
    for (int i = 0; i < n; i++) {
        const fv_tensor_entry *t = &tensors[i];
        FV_TRY(count_bytes(header->ctx, path, t, &n_bytes));
        if (strcmp(t->name, "__metadata__") == 0)
            return fv__fail(header->ctx, FV_ERR_ARGUMENT, "%s: a tensor cannot be called __metadata__", path);
        for (int k = 0; k < i; k++)
            if (strcmp(t->name, tensors[k].name) == 0)
                return fv__fail(header->ctx, FV_ERR_ARGUMENT, "%s: two tensors are called %s", path, t->name);
        fv__text_add(header, comma || i > 0 ? "," : "");
        fv__json_quote(header, t->name);
        fv__text_add(header, ":{\"dtype\":\"F32\",\"shape\":[");
        for (int k = 0; k < t->rank; k++)
            fv__text_add(header, "%s%lld", k > 0 ? "," : "", (long long)t->dim[k]);
        size_t end;
        if (!fv__add(offset, n_bytes, &end))
            return fv__fail(header->ctx, FV_ERR_ARGUMENT, "%s: the tensors are too large", path);
        fv__text_add(header, "],\"data_offsets\":[%zu,%zu]}", offset, end);
        offset = end;
    }
    return FV_OK;
}

static fv_status describe(fv_text *header, const char *path, const fv_tensor_entry *tensors, int n_tensors,
                          const fv_meta_entry *metadata, int n_metadata)
{
    fv__text_add(header, "{");
    if (n_metadata > 0) {
        fv__text_add(header, "\"__metadata__\":{");
        for (int i = 0; i < n_metadata; i++) {
            fv__text_add(header, i > 0 ? "," : "");
            fv__json_quote(header, metadata[i].key);
            fv__text_add(header, ":");
            fv__json_quote(header, metadata[i].value);
        }
        fv__text_add(header, "}");
    }
    FV_TRY(describe_tensors(header, path, tensors, n_tensors, n_metadata > 0));
    fv__text_add(header, "}");
    while (!header->failed && header->n % 8 != 0)
        fv__text_add(header, " ");
    if (header->failed)
        return FV_ERR_MEMORY;
    if (header->n > FV_MAX_HEADER_BYTES)
        return fv__fail(header->ctx, FV_ERR_ARGUMENT, "%s: expected a header of at most %zu bytes, found %zu",
                        path, FV_MAX_HEADER_BYTES, header->n);
    return FV_OK;
}

/* The receiver of the bytes, piece by piece. */
typedef fv_status (*add_fn)(void *to, const void *bytes, size_t n);

static fv_status put(const fv_text *header, const char *path, const fv_tensor_entry *tensors, int n_tensors,
                     add_fn add, void *to)
{
    const uint64_t n = header->n;
    FV_TRY(add(to, &n, sizeof n));
    FV_TRY(add(to, header->data, header->n));
    for (int i = 0; i < n_tensors; i++) {
        size_t n_bytes = 0;
        FV_TRY(count_bytes(header->ctx, path, &tensors[i], &n_bytes)); /* it succeeded before */
        FV_TRY(add(to, tensors[i].values, n_bytes));
    }
    return FV_OK;
}

static fv_status add_to_file(void *to, const void *bytes, size_t n)
{
    return fv__writer_add(to, bytes, n);
}

fv_status fv__safetensors_stage(fv_context *ctx, const char *path, const fv_tensor_entry *tensors,
                                int n_tensors, const fv_meta_entry *metadata, int n_metadata,
                                fv_writer *writer)
{
    fv_text header;
    fv__text_init(&header, ctx);
    fv_status status = describe(&header, path, tensors, n_tensors, metadata, n_metadata);
    if (status == FV_OK)
        status = fv__writer_open(writer, ctx, path);
    if (status == FV_OK)
        status = put(&header, path, tensors, n_tensors, add_to_file, writer);
    if (status == FV_OK)
        status = fv__writer_stage(writer);
    fv__text_deinit(&header);
    return status;
}

fv_status fv__safetensors_write(fv_context *ctx, const char *path, const fv_tensor_entry *tensors,
                                int n_tensors, const fv_meta_entry *metadata, int n_metadata)
{
    fv_writer writer;
    FV_TRY(fv__safetensors_stage(ctx, path, tensors, n_tensors, metadata, n_metadata, &writer));
    return fv__writer_commit(&writer);
}

typedef struct memory {
    uint8_t *bytes; /* NULL: only counts */
    size_t n;
} memory;

static fv_status add_to_memory(void *to, const void *bytes, size_t n)
{
    memory *const m = to;
    if (m->bytes && n > 0)
        memcpy(m->bytes + m->n, bytes, n);
    m->n += n; /* blocks in memory, so no overflow */
    return FV_OK;
}

fv_status fv__safetensors_to_memory(fv_context *ctx, const fv_tensor_entry *tensors, int n_tensors,
                                    const fv_meta_entry *metadata, int n_metadata, uint8_t **bytes,
                                    size_t *n_bytes)
{
    memory count = {0}, copy = {0};
    fv_text header;
    fv__text_init(&header, ctx);
    fv_status status = describe(&header, "memory", tensors, n_tensors, metadata, n_metadata);
    if (status == FV_OK)
        status = put(&header, "memory", tensors, n_tensors, add_to_memory, &count);
    if (status == FV_OK) {
        copy.bytes = fv__alloc(ctx, count.n, 1);
        status =
            copy.bytes ? put(&header, "memory", tensors, n_tensors, add_to_memory, &copy) : FV_ERR_MEMORY;
    }
    fv__text_deinit(&header);
    if (status == FV_OK) {
        *bytes = copy.bytes;
        *n_bytes = copy.n;
    }
    return status;
}

/* ---- opening -------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const fv_tensor_entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int by_key(const void *a, const void *b)
{
    const fv_meta_entry *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static int by_offset(const void *a, const void *b)
{
    const fv_tensor_entry *x = a, *y = b;
    const char *p = x->values, *q = y->values;
    if (p != q)
        return p < q ? -1 : 1;
    return x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes; /* empty ones first */
}

/* The tensors must fill the data exactly, without gaps, and every name must be unique. */
static fv_status check_layout(fv_safetensors *file, size_t data_start)
{
    const uint8_t *expected = file->bytes + data_start;
    if (file->n_tensors > 1)
        qsort(file->tensors, file->n_tensors, sizeof *file->tensors, by_offset);
    for (size_t i = 0; i < file->n_tensors; i++) {
        const fv_tensor_entry *t = &file->tensors[i];
        if ((const uint8_t *)t->values != expected)
            return fv__fail(file->ctx, FV_ERR_INPUT,
                            "%s: byte %zu: expected the next tensor, found %s starting at byte %zu: %s",
                            file->path, (size_t)(expected - file->bytes), t->name,
                            (size_t)((const uint8_t *)t->values - file->bytes),
                            (const uint8_t *)t->values < expected ? "tensors overlap" : "there is a gap");
        expected += t->n_bytes;
    }
    const size_t end = (size_t)(expected - file->bytes);
    if (end != file->n_bytes)
        return fv__fail(
            file->ctx, FV_ERR_INPUT,
            "%s: byte %zu: expected the end of the file after the last tensor, found %zu bytes more",
            file->path, end, file->n_bytes - end);
    file->sorted = fv__alloc(file->ctx, file->n_tensors, sizeof *file->sorted);
    if (!file->sorted)
        return FV_ERR_MEMORY;
    for (size_t i = 0; i < file->n_tensors; i++)
        file->sorted[i] = &file->tensors[i];
    if (file->n_tensors > 1)
        qsort(file->sorted, file->n_tensors, sizeof *file->sorted, by_name);
    for (size_t i = 1; i < file->n_tensors; i++)
        if (strcmp(file->sorted[i - 1]->name, file->sorted[i]->name) == 0)
            return fv__fail(file->ctx, FV_ERR_INPUT, "%s: byte 8: two tensors are called %s", file->path,
                            file->sorted[i]->name);
    if (file->n_meta > 1)
        qsort(file->meta, file->n_meta, sizeof *file->meta, by_key);
    for (size_t i = 1; i < file->n_meta; i++)
        if (strcmp(file->meta[i - 1].key, file->meta[i].key) == 0)
            return fv__fail(file->ctx, FV_ERR_INPUT, "%s: byte 8: __metadata__ has the key %s twice",
                            file->path, file->meta[i].key);
    return FV_OK;
}

static fv_status load(fv_safetensors *file)
{
    fv_context *const ctx = file->ctx;
    const char *const path = file->path;
    uint64_t n_header;
    if (file->n_bytes < sizeof n_header)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: byte 0: expected the 8 bytes of the header's length, found %zu", path,
                        file->n_bytes);
    memcpy(&n_header, file->bytes, sizeof n_header);
    const size_t room = file->n_bytes - sizeof n_header;
    const size_t most = room < FV_MAX_HEADER_BYTES ? room : FV_MAX_HEADER_BYTES;
    if (n_header > most)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: byte 0: expected a header of at most %zu bytes, found %llu",
                        path, most, (unsigned long long)n_header);
    const size_t data_start = sizeof n_header + (size_t)n_header;
    FV_TRY(fv__safetensors_parse(file, (size_t)n_header));
    return check_layout(file, data_start);
}

/* `own`, if not NULL, is `bytes`, of which the file takes ownership, also on failure. */
static fv_status open_bytes(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n_bytes,
                            uint8_t *own, fv_safetensors **out)
{
    fv_safetensors *const file = fv__alloc(ctx, 1, sizeof *file);
    if (!file) {
        fv__free(ctx, own);
        return FV_ERR_MEMORY;
    }
    *file = (fv_safetensors){.ctx = ctx, .bytes = bytes, .own = own, .n_bytes = n_bytes};
    fv__arena_init(&file->arena, ctx);
    file->path = fv__arena_strdup(&file->arena, path);
    const fv_status status = file->path ? load(file) : FV_ERR_MEMORY;
    if (status != FV_OK) {
        fv__safetensors_close(file);
        return status;
    }
    *out = file;
    return FV_OK;
}

fv_status fv__safetensors_open(fv_context *ctx, const char *path, fv_safetensors **out)
{
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    FV_TRY(fv__file_read(ctx, path, (size_t)1 << 40, &bytes, &n_bytes));
    return open_bytes(ctx, path, bytes, n_bytes, bytes, out);
}

fv_status fv__safetensors_open_memory(fv_context *ctx, const char *name, const uint8_t *bytes, size_t n_bytes,
                                      fv_safetensors **out)
{
    return open_bytes(ctx, name, bytes, n_bytes, NULL, out);
}

void fv__safetensors_close(fv_safetensors *file)
{
    if (!file)
        return;
    fv__free(file->ctx, file->own);
    fv__free(file->ctx, file->tensors);
    fv__free(file->ctx, file->sorted);
    fv__free(file->ctx, file->meta);
    fv__arena_deinit(&file->arena);
    fv__free(file->ctx, file);
}

/* ---- looking inside ------------------------------------------------------------------------------- */

const char *fv__safetensors_path(const fv_safetensors *file)
{
    return file->path;
}

const fv_tensor_entry *fv__safetensors_by_name(const fv_safetensors *file, int index)
{
    return file->sorted[index];
}

int fv__safetensors_n_tensors(const fv_safetensors *file)
{
    return (int)file->n_tensors;
}

const fv_tensor_entry *fv__safetensors_tensor(const fv_safetensors *file, int index)
{
    return &file->tensors[index];
}

const fv_tensor_entry *fv__safetensors_find(const fv_safetensors *file, const char *name)
{
    const fv_tensor_entry key = {.name = name}, *pointer = &key;
    fv_tensor_entry *const *found = file->n_tensors == 0 ? NULL
                                                         : bsearch(&pointer, file->sorted, file->n_tensors,
                                                                   sizeof *file->sorted, by_name);
    return found ? *found : NULL;
}

int fv__safetensors_n_meta(const fv_safetensors *file)
{
    return (int)file->n_meta;
}

fv_meta_entry fv__safetensors_meta_at(const fv_safetensors *file, int index)
{
    return file->meta[index];
}

const char *fv__safetensors_meta(const fv_safetensors *file, const char *key)
{
    const fv_meta_entry wanted = {.key = key};
    const fv_meta_entry *found =
        file->n_meta == 0 ? NULL : bsearch(&wanted, file->meta, file->n_meta, sizeof *file->meta, by_key);
    return found ? found->value : NULL;
}

static void add_shape(fv_text *text, int rank, const int64_t *dim)
{
    fv__text_add(text, rank == 0 ? "a scalar" : "");
    for (int i = 0; i < rank; i++)
        fv__text_add(text, "%s%lld", i > 0 ? "x" : "", (long long)dim[i]);
}

static fv_status wrong_shape(const fv_safetensors *file, const fv_tensor_entry *t, int rank, const int *dim)
{
    int64_t wanted[FV_TENSOR_MAX_RANK];
    for (int i = 0; i < rank; i++)
        wanted[i] = dim[i];
    fv_text text;
    fv__text_init(&text, file->ctx);
    fv__text_add(&text, "%s: byte %zu: tensor %s: expected ", file->path,
                 (size_t)((const uint8_t *)t->values - file->bytes), t->name);
    add_shape(&text, rank, wanted);
    fv__text_add(&text, ", found ");
    add_shape(&text, t->rank, t->dim);
    const fv_status status = text.failed ? FV_ERR_MEMORY : fv__fail(file->ctx, FV_ERR_INPUT, "%s", text.data);
    fv__text_deinit(&text);
    return status;
}

fv_status fv__safetensors_copy(const fv_safetensors *file, const char *name, int rank, const int *dim,
                               float *values)
{
    const fv_tensor_entry *t = fv__safetensors_find(file, name);
    if (!t)
        return fv__fail(file->ctx, FV_ERR_INPUT, "%s: expected a tensor called %s, found none among its %zu",
                        file->path, name, file->n_tensors);
    if (strcmp(t->dtype, "F32") != 0)
        return fv__fail(file->ctx, FV_ERR_INPUT, "%s: tensor %s: expected F32, found %s", file->path, name,
                        t->dtype);
    bool same = t->rank == rank;
    for (int i = 0; same && i < rank; i++)
        same = t->dim[i] == dim[i];
    if (!same)
        return wrong_shape(file, t, rank, dim);
    memcpy(values, t->values, t->n_bytes);
    return FV_OK;
}
