/* cifar.c - the binary files of CIFAR-10 and CIFAR-100 (Krizhevsky, "Learning multiple layers of features
 * from tiny images", 2009): records of one label (CIFAR-100: two, of which the second, the fine one, counts)
 * and 3x32x32 bytes, planar. Names of classes are the lines of a text file. */
#include "data/sources.h"

#include "io/file.h"

#include <string.h>

enum { PIXELS = 3 * 32 * 32, MAX_FILES = 5 };

typedef struct layout {
    const char *train[MAX_FILES], *test, *names;
    int n_classes, n_labels;
} layout;

static const layout layouts[] = {
    {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
     "test_batch.bin",
     "batches.meta.txt",
     10,
     1},
    {{"train.bin"}, "test.bin", "fine_label_names.txt", 100, 2},
};

static const layout *layout_of(const char *path)
{
    for (int i = 0; i < FV_COUNT(layouts); i++)
        if (fv__file_is_folder(path) &&
            (fv__folder_has(path, layouts[i].train[0]) || fv__folder_has(path, layouts[i].test)))
            return &layouts[i];
    return NULL;
}

static bool recognises(fv_context *ctx, const char *path)
{
    (void)ctx;
    return layout_of(path) != NULL;
}

/* All records so far. */
typedef struct records {
    uint8_t *pixels;
    int *labels;
    size_t n;
} records;

/* Appends the records of a file's bytes. */
static fv_status append(fv_context *ctx, const layout *l, const char *path, const uint8_t *bytes,
                        size_t n_bytes, records *r)
{
    const size_t one = (size_t)l->n_labels + PIXELS, n = n_bytes / one;
    if (n == 0 || n_bytes % one != 0)
        return fv__fail(
            ctx, FV_ERR_INPUT,
            "%s: expected records of %zu bytes (labels and a picture of 3x32x32), found %zu bytes", path, one,
            n_bytes);
    records more = {.n = r->n + n};
    more.pixels = fv__alloc(ctx, more.n, PIXELS);
    more.labels = fv__alloc(ctx, more.n, sizeof *more.labels);
    if (!more.pixels || !more.labels) {
        fv__free(ctx, more.pixels);
        fv__free(ctx, more.labels);
        return fv__memory_for(ctx, FV_ERR_MEMORY, path);
    }
    if (r->n > 0) {
        memcpy(more.pixels, r->pixels, r->n * PIXELS);
        memcpy(more.labels, r->labels, r->n * sizeof *r->labels);
    }
    fv__free(ctx, r->pixels);
    fv__free(ctx, r->labels);
    const size_t first = r->n;
    *r = more;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *const record = bytes + i * one;
        const int label = record[l->n_labels - 1];
        if (label >= l->n_classes)
            return fv__fail(ctx, FV_ERR_INPUT,
                            "%s: byte %zu: label of record %zu: expected 0 to %d, found %d", path,
                            i * one + (size_t)l->n_labels - 1, i, l->n_classes - 1, label);
        r->labels[first + i] = label;
        memcpy(r->pixels + (first + i) * PIXELS, record + l->n_labels, PIXELS);
    }
    return FV_OK;
}

static fv_status read_file(const fv_opening *o, const layout *l, const char *name, records *r)
{
    uint8_t *bytes = NULL;
    size_t n;
    char *const path = fv__path_join(o->ctx, o->path, name);
    fv_status status = path ? fv__file_read(o->ctx, path, (size_t)1 << 32, &bytes, &n) : FV_ERR_MEMORY;
    if (status == FV_OK)
        status = append(o->ctx, l, path, bytes, n, r);
    fv__free(o->ctx, bytes);
    fv__free(o->ctx, path);
    return status;
}

/* The lines of the file of names; *names becomes NULL if there is no such file. *text is freed by the caller.
 */
static fv_status read_names(const fv_opening *o, const layout *l, const char **names, uint8_t **text,
                            bool *there)
{
    size_t size;
    int n = 0;
    char *const path = fv__path_join(o->ctx, o->path, l->names);
    *there = path && fv__file_exists(path);
    fv_status status = path ? FV_OK : FV_ERR_MEMORY;
    if (status == FV_OK && *there)
        status = fv__file_read(o->ctx, path, (size_t)1 << 20, text, &size);
    for (char *line = (char *)*text, *end = line; status == FV_OK && *there && end; line = end + 1) {
        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        line[strcspn(line, "\r")] = '\0';
        if (*line && n < l->n_classes)
            names[n] = line;
        n += *line != '\0';
    }
    if (status == FV_OK && *there && n != l->n_classes)
        status = fv__fail(o->ctx, FV_ERR_INPUT, "%s: expected %d names of classes, one a line, found %d",
                          path, l->n_classes, n);
    fv__free(o->ctx, path);
    return status;
}

static fv_status make_set(const fv_opening *o, const layout *l, records *r, fv_data **out)
{
    const char *names[100] = {NULL};
    uint8_t *text = NULL;
    bool named;
    fv_status status = read_names(o, l, names, &text, &named);
    if (status == FV_OK) {
        status = fv__data_of_pictures(o, r->pixels, r->labels, (int)r->n, 3, 32, 32, l->n_classes,
                                      named ? names : NULL, out);
        r->pixels = NULL;
    }
    fv__free(o->ctx, text);
    return status;
}

static fv_status open(const fv_opening *o, fv_data **out)
{
    const layout *const l = layout_of(o->path);
    records r = {0};
    fv_status status = fv__data_check_options(o->ctx, o->options, l->n_classes, o->name);
    if (o->split == FV_SPLIT_TEST && status == FV_OK)
        status = read_file(o, l, l->test, &r);
    for (int i = 0; i < MAX_FILES && l->train[i] && o->split == FV_SPLIT_TRAIN && status == FV_OK; i++)
        status = read_file(o, l, l->train[i], &r);
    if (status == FV_OK)
        status = make_set(o, l, &r, out);
    fv__free(o->ctx, r.pixels);
    fv__free(o->ctx, r.labels);
    return status;
}

const fv_source fv__source_cifar = {
    .shown = {"CIFAR's binary files", "a folder with data_batch_1.bin to 5 and test_batch.bin (CIFAR-10), or "
                                      "train.bin and test.bin (CIFAR-100, fine labels)"},
    .words = {"fit"},
    .recognises = recognises,
    .open = open,
};
