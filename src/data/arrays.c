/* arrays.c - NumPy's arrays as a data set: x and y of a .npz file, or of a folder of .npy files. */
#include "data/rows.h"

#include "io/file.h"
#include "io/npy.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define MAX_BYTES ((size_t)1 << 36)

/* What the arrays may be called. Those without a test set can be split. */
static const struct {
    const char *x, *y, *test_x, *test_y;
} names[] = {
    {"x_train", "y_train", "x_test", "y_test"},
    {"X_train", "y_train", "X_test", "y_test"},
    {"train_images", "train_labels", "test_images", "test_labels"},
    {"x", "y", NULL, NULL},
    {"X", "y", NULL, NULL},
    {"images", "labels", NULL, NULL},
    {"data", "labels", NULL, NULL},
};

static bool is_npz(const char *path)
{
    const size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".npz") == 0;
}

/* Where arrays are found: an archive, or a folder. */
typedef struct store {
    fv_context *ctx;
    fv_arena arena;
    const char *path;
    uint8_t *bytes; /* of the archive; NULL: it is a folder */
    size_t n;
    fv_zip_entry *entry;
    int n_entries;
} store;

/* One array, with the block that holds it. */
typedef struct array {
    fv_npy npy;
    const char *path;
    uint8_t *block;
} array;

static const fv_zip_entry *find_entry(const store *s, const char *name)
{
    const size_t n = strlen(name);
    for (int i = 0; i < s->n_entries; i++)
        if (strncmp(s->entry[i].name, name, n) == 0 && strcmp(s->entry[i].name + n, ".npy") == 0)
            return &s->entry[i];
    return NULL;
}

static bool has_array(const store *s, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.npy", name);
    return s->bytes ? find_entry(s, name) != NULL : fv__folder_has(s->path, file);
}

/* array->block is freed by the caller, also after a failure. */
static fv_status read_array(store *s, const char *name, array *out)
{
    size_t n;
    out->path = fv__arena_printf(&s->arena, "%s/%s.npy", s->path, name);
    if (!out->path)
        return FV_ERR_MEMORY;
    if (!s->bytes) {
        FV_TRY(fv__file_read(s->ctx, out->path, MAX_BYTES, &out->block, &n));
    } else {
        const fv_zip_entry *const entry = find_entry(s, name);
        FV_TRY(fv__zip_read(s->ctx, out->path, s->bytes, s->n, entry, &out->block));
        n = entry->size;
    }
    return fv__npy_parse(s->ctx, out->path, out->block, n, &out->npy);
}

static fv_status open_store(fv_context *ctx, const char *path, store *s)
{
    *s = (store){.ctx = ctx, .path = path};
    fv__arena_init(&s->arena, ctx);
    if (!is_npz(path))
        return FV_OK;
    FV_TRY(fv__file_read(ctx, path, MAX_BYTES, &s->bytes, &s->n));
    return fv__zip_list(&s->arena, path, s->bytes, s->n, &s->entry, &s->n_entries);
}

static void close_store(store *s)
{
    fv__free(s->ctx, s->bytes);
    fv__arena_deinit(&s->arena);
}

/* ---- x ------------------------------------------------------------------------------------------------ */

/* How the values of a sample lie: `last` where the channels come last. */
typedef struct form {
    fv_shape shape;
    bool last;
} form;

static bool is_colour(int64_t n)
{
    return n == 1 || n == 3;
}

/* [n][h][w] is gray; of four dimensions the second holds the channels if it is 1 or 3, else the last if that
 * is, else the second. Others stay as they are. */
static fv_status form_of(fv_context *ctx, const array *x, form *out)
{
    const fv_npy *const a = &x->npy;
    char what[160];
    int dim[FV_MAX_RANK];
    if (a->rank < 2 || a->rank > FV_MAX_RANK || a->dim[0] < 1 || a->dim[0] > INT_MAX / 2)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: expected 1 to %d samples of 1 to %d dimensions, found %lld of %d", x->path,
                        INT_MAX / 2, FV_MAX_RANK - 1, (long long)(a->rank > 0 ? a->dim[0] : 0), a->rank - 1);
    *out = (form){.last = a->rank == 4 && !is_colour(a->dim[1]) && is_colour(a->dim[3])};
    for (int i = 1; i < a->rank; i++)
        dim[i - 1] = a->dim[i] > FV_MAX_DIM ? FV_MAX_DIM + 1 : (int)a->dim[i];
    if (a->rank == 3)
        out->shape = FV_SHAPE(1, dim[0], dim[1]);
    else
        out->shape = out->last ? FV_SHAPE(dim[2], dim[0], dim[1]) : fv__shape(a->rank - 1, dim);
    snprintf(what, sizeof what, "%.150s", x->path);
    return fv__shape_check(ctx, out->shape, what);
}

/* The place in the file of value k of a sample, which has [c][h][w]. */
static size_t place(const form *f, size_t k)
{
    if (!f->last)
        return k;
    const size_t c = (size_t)f->shape.dim[0], plane = (size_t)f->shape.dim[1] * (size_t)f->shape.dim[2];
    return k % plane * c + k / plane;
}

static fv_status take_values(fv_context *ctx, const array *x, const form *f, const fv_rows *rows,
                             fv_field *out)
{
    const fv_npy *const a = &x->npy;
    const size_t one = (size_t)fv__shape_count(f->shape);
    const bool bytes = a->kind == 'u' && a->size == 1;
    *out = (fv_field){.element = bytes ? FV_U8 : FV_F32, .scale = FV_SCALE_PIXELS, .shape = f->shape};
    out->values = fv__alloc(ctx, (size_t)rows->n * one, bytes ? 1 : sizeof(float));
    if (!out->values)
        return fv__memory_for(ctx, FV_ERR_MEMORY, x->path);
    for (size_t i = 0; i < (size_t)rows->n; i++)
        for (size_t k = 0; k < one; k++) {
            const size_t at = rows->row[i] * one + place(f, k);
            if (bytes) {
                ((uint8_t *)out->values)[i * one + k] = a->bytes[at];
                continue;
            }
            const float value = (float)fv__npy_value(a, at);
            ((float *)out->values)[i * one + k] = value;
            if (!(value - value == 0.0f)) {
                fv__free(ctx, out->values);
                return fv__fail(
                    ctx, FV_ERR_INPUT,
                    "%s: sample %u: expected finite floats, found NaN, infinity or a larger number", x->path,
                    rows->row[i]);
            }
        }
    return FV_OK;
}

/* ---- y ------------------------------------------------------------------------------------------------ */

/* Whole numbers are classes, floats are values to predict. */
static bool is_classes(const fv_npy *y)
{
    return y->kind != 'f';
}

/* The numbers of classes; *n_classes is raised to one more than the largest. */
static fv_status read_labels(fv_context *ctx, const array *y, int **out, int *n_classes)
{
    int *const labels = fv__alloc(ctx, y->npy.n, sizeof *labels);
    if (!labels)
        return FV_ERR_MEMORY;
    for (size_t i = 0; i < y->npy.n; i++) {
        const double value = fv__npy_value(&y->npy, i);
        if (value < 0 || value >= FV_MAX_CLASSES) {
            fv__free(ctx, labels);
            return fv__fail(ctx, FV_ERR_INPUT, "%s: label %zu: expected 0 to %d, found %s", y->path, i,
                            FV_MAX_CLASSES - 1, fv__general(value, 17).text);
        }
        labels[i] = (int)value;
        *n_classes = labels[i] >= *n_classes ? labels[i] + 1 : *n_classes;
    }
    *out = labels;
    return FV_OK;
}

static fv_status check_y(fv_context *ctx, const array *x, const array *y)
{
    const fv_npy *const a = &y->npy;
    const size_t n = (size_t)x->npy.dim[0];
    const bool column = a->rank == 1 || (a->rank == 2 && (a->dim[1] == 1 || !is_classes(a)));
    if (column && a->n > 0 && (size_t)a->dim[0] == n)
        return FV_OK;
    return fv__fail(ctx, FV_ERR_INPUT,
                    "%s: expected one %s for each of the %zu samples of %s, found %lld rows of %d dimensions",
                    y->path, is_classes(a) ? "class number" : "row of floats", n, x->path,
                    (long long)(a->rank > 0 ? a->dim[0] : 0), a->rank - 1);
}

static fv_status add_target(fv_context *ctx, fv_data *data, const array *y, const fv_rows *rows)
{
    fv_field field;
    const form f = {.shape = FV_SHAPE((int)(y->npy.n / (size_t)y->npy.dim[0]))};
    FV_TRY(take_values(ctx, y, &f, rows, &field));
    return fv__data_add_field(data, "target", field);
}

/* ---- both --------------------------------------------------------------------------------------------- */

static fv_status make_set(const fv_opening *o, const array *x, const array *y, const int *labels,
                          int n_classes, bool ordered, fv_data **out)
{
    fv_rows rows;
    form f;
    fv_field field;
    bool there;
    FV_TRY(form_of(o->ctx, x, &f));
    FV_TRY(check_y(o->ctx, x, y));
    fv_status status = fv__rows_choose(o, labels, (int)x->npy.dim[0], n_classes, ordered, &rows, &there);
    if (status == FV_OK && there) {
        status = take_values(o->ctx, x, &f, &rows, &field);
        if (status == FV_OK)
            status = fv__rows_set(o, &rows, f.shape.rank == 3 ? "image" : "x", field, n_classes, NULL, out);
        if (status == FV_OK && !labels)
            status = add_target(o->ctx, *out, y, &rows);
        if (status == FV_OK && f.last)
            status = fv__data_set_note(*out, "the last dimension of x holds its channels");
    }
    fv__rows_free(o->ctx, &rows);
    return status;
}

/* The classes of both sets count, so that the test set does not look like one of fewer. */
static fv_status open_pair(const fv_opening *o, store *s, int at, fv_data **out)
{
    const bool own_test =
        names[at].test_x && has_array(s, names[at].test_x) && has_array(s, names[at].test_y);
    const bool test = o->split == FV_SPLIT_TEST && own_test;
    array x = {0}, y = {0}, other = {0};
    int *labels = NULL, *other_labels = NULL, n_classes = 0;
    fv_status status = read_array(s, test ? names[at].test_x : names[at].x, &x);
    if (status == FV_OK)
        status = read_array(s, test ? names[at].test_y : names[at].y, &y);
    if (status == FV_OK && is_classes(&y.npy))
        status = read_labels(o->ctx, &y, &labels, &n_classes);
    if (status == FV_OK && own_test && is_classes(&y.npy)) {
        status = read_array(s, test ? names[at].y : names[at].test_y, &other);
        if (status == FV_OK)
            status = read_labels(o->ctx, &other, &other_labels, &n_classes);
    }
    if (status == FV_OK)
        status = make_set(o, &x, &y, labels, n_classes, own_test, out);
    fv__free(o->ctx, labels);
    fv__free(o->ctx, other_labels);
    fv__free(o->ctx, x.block);
    fv__free(o->ctx, y.block);
    fv__free(o->ctx, other.block);
    return status;
}

static fv_status open(const fv_opening *o, fv_data **out)
{
    store s;
    int at = 0;
    fv_status status = open_store(o->ctx, o->path, &s);
    while (status == FV_OK && at < FV_COUNT(names) &&
           !(has_array(&s, names[at].x) && has_array(&s, names[at].y)))
        at++;
    if (status == FV_OK && at == FV_COUNT(names))
        status =
            fv__fail(o->ctx, FV_ERR_INPUT,
                     "%s: expected arrays x_train and y_train, train_images and train_labels, x and y, or "
                     "images and labels, found no such pair",
                     o->path);
    if (status == FV_OK)
        status = open_pair(o, &s, at, out);
    close_store(&s);
    if (status != FV_OK && *out) {
        fv__data_destroy(*out);
        *out = NULL;
    }
    return status;
}

static bool recognises(fv_context *ctx, const char *path)
{
    bool found = is_npz(path) && !fv__file_is_folder(path);
    (void)ctx;
    for (int i = 0; i < FV_COUNT(names) && !found && fv__file_is_folder(path); i++) {
        char file[64];
        snprintf(file, sizeof file, "%s.npy", names[i].x);
        found = fv__folder_has(path, file);
    }
    return found;
}

const fv_source fv__source_arrays = {
    .shown = {"NumPy arrays",
              "a .npz file, or a folder of .npy files, with x_train and y_train (and x_test, "
              "y_test), x and y, or images and labels; whole numbers in y are classes, floats "
              "are values to predict"},
    .words = {"fit", "split", "split-seed"},
    .recognises = recognises,
    .open = open,
};
