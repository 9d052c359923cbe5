/* csv_table.c - a table in a CSV file, or train.csv and test.csv in a folder: one column is what is to be
 * predicted, the others, all numbers, are the input vector.
 *
 * The first row is a header if none of its cells is a number. The target is the column of the word target=,
 * or the one called label, class or target, or the last. It holds classes if it has texts, or whole numbers
 * from 0 on of which there are at most 20 different ones, each twice on average; otherwise values to predict.
 */
#include "data/rows.h"

#include "io/csv.h"
#include "io/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEW_CLASSES = 20 };

typedef struct table {
    fv_csv csv;
    const char *path;
    size_t first; /* row of the first sample: 1 behind a header */
    size_t target;
    int n; /* samples */
} table;

static const fv_csv_cell *cell_at(const table *t, size_t row, size_t column)
{
    return &t->csv.cell[row * t->csv.n_columns + column];
}

/* A decimal number of any length, as programs print them: digits past the seventeenth change no float. */
static bool read_number(const char *text, double *out)
{
    const bool negative = *text == '-';
    int exponent = 0, n_digits = 0, n_dots = 0, e = 0;
    uint64_t mantissa = 0;
    text += *text == '-' || *text == '+';
    for (; (*text >= '0' && *text <= '9') || *text == '.'; text++) {
        if (*text == '.') {
            n_dots++;
            continue;
        }
        const bool kept = mantissa < 100000000000000000u;
        n_digits++;
        exponent += (kept ? 0 : 1) - n_dots;
        mantissa = kept ? mantissa * 10 + (uint64_t)(*text - '0') : mantissa;
    }
    if (n_digits == 0 || n_dots > 1)
        return false;
    if (*text == 'e' || *text == 'E') {
        const bool minus = *++text == '-';
        text += *text == '-' || *text == '+';
        if (*text < '0' || *text > '9')
            return false;
        for (; *text >= '0' && *text <= '9'; text++)
            e = e < 1000 ? e * 10 + (*text - '0') : e;
        exponent += minus ? -e : e;
    }
    double value = (double)mantissa;
    for (; exponent > 0 && value > 0 && value < 1e300; exponent--)
        value *= 10;
    for (; exponent < 0 && value > 1e-300; exponent++)
        value /= 10;
    *out = negative ? -value : value;
    return *text == '\0';
}

static bool has_header(const table *t)
{
    double number;
    for (size_t k = 0; k < t->csv.n_columns; k++)
        if (read_number(cell_at(t, 0, k)->text, &number))
            return false;
    return true;
}

static const char *column_name(const table *t, size_t column, char text[32])
{
    if (t->first == 1)
        return cell_at(t, 0, column)->text;
    snprintf(text, 32, "%zu", column + 1);
    return text;
}

static bool same_word(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a >= 'A' && *a <= 'Z' ? *a - 'A' + 'a' : *a) != (*b >= 'A' && *b <= 'Z' ? *b - 'A' + 'a' : *b))
            return false;
    return *a == *b;
}

static fv_status no_column(fv_context *ctx, const table *t, const char *wanted)
{
    const char **const names = fv__alloc(ctx, t->csv.n_columns, sizeof *names);
    if (!names)
        return FV_ERR_MEMORY;
    for (size_t k = 0; k < t->csv.n_columns; k++)
        names[k] = cell_at(t, 0, k)->text;
    const char *const near = t->first == 1 ? fv__nearest(wanted, names, (int)t->csv.n_columns) : NULL;
    fv__free(ctx, names);
    return fv__fail(ctx, FV_ERR_INPUT, "%s: target: expected the name of a column%s, found '%s'%s%s%s",
                    t->path, t->first == 1 ? "" : " (the file has none: 1 to the number of columns)", wanted,
                    near ? "; nearest is '" : "", near ? near : "", near ? "'" : "");
}

static fv_status choose_target(const fv_opening *o, table *t)
{
    static const char *const usual[] = {"label", "class", "target"};
    char text[32];
    t->target = t->csv.n_columns - 1;
    for (size_t k = 0; k < t->csv.n_columns; k++) {
        const char *const name = column_name(t, k, text);
        if (o->words.target && strcmp(name, o->words.target) == 0) {
            t->target = k;
            return FV_OK;
        }
        for (int i = 0; i < FV_COUNT(usual) && !o->words.target; i++)
            if (same_word(name, usual[i])) {
                t->target = k;
                return FV_OK;
            }
    }
    return o->words.target ? no_column(o->ctx, t, o->words.target) : FV_OK;
}

static fv_status read_table(const fv_opening *o, const char *path, table *t)
{
    *t = (table){.path = path};
    FV_TRY(fv__csv_read(o->ctx, path, &t->csv));
    t->first = has_header(t) ? 1 : 0;
    if (t->csv.n_columns < 2)
        return fv__fail(o->ctx, FV_ERR_INPUT, "%s: expected two columns or more, found %zu", path,
                        t->csv.n_columns);
    if (t->csv.n_rows <= t->first || t->csv.n_rows > INT_MAX / 2)
        return fv__fail(o->ctx, FV_ERR_INPUT, "%s: expected 1 to %d rows, found %zu", path, INT_MAX / 2,
                        t->csv.n_rows - t->first);
    t->n = (int)(t->csv.n_rows - t->first);
    return choose_target(o, t);
}

/* ---- numbers ------------------------------------------------------------------------------------------ */

static fv_status number_at(fv_context *ctx, const table *t, size_t row, size_t column, float *out)
{
    const fv_csv_cell *const cell = cell_at(t, t->first + row, column);
    char text[32];
    double value;
    if (!read_number(cell->text, &value) || !((float)value - (float)value == 0.0f))
        return fv__fail(ctx, FV_ERR_INPUT, "%s:%d:%d: column '%s': expected a number, found '%.80s'", t->path,
                        cell->line, cell->column, column_name(t, column, text), cell->text);
    *out = (float)value;
    return FV_OK;
}

/* All columns but the target's, of the rows chosen. */
static fv_status take_inputs(fv_context *ctx, const table *t, const fv_rows *rows, fv_field *out)
{
    const size_t c = t->csv.n_columns - 1;
    fv_status status = fv__shape_check(ctx, FV_SHAPE(c > FV_MAX_DIM ? FV_MAX_DIM + 1 : (int)c), t->path);
    *out = (fv_field){.element = FV_F32, .shape = FV_SHAPE((int)c)};
    float *const values = status == FV_OK ? fv__alloc(ctx, (size_t)rows->n * c, sizeof *values) : NULL;
    if (status == FV_OK && !values)
        status = fv__memory_for(ctx, FV_ERR_MEMORY, t->path);
    for (size_t i = 0; i < (size_t)rows->n; i++)
        for (size_t k = 0; k < c && status == FV_OK; k++)
            status = number_at(ctx, t, rows->row[i], k + (k >= t->target), &values[i * c + k]);
    if (status == FV_OK)
        out->values = values;
    else
        fv__free(ctx, values);
    return status;
}

static fv_status add_target(fv_context *ctx, const table *t, const fv_rows *rows, fv_data *data)
{
    float *const values = fv__alloc(ctx, (size_t)rows->n, sizeof *values);
    fv_status status = values ? FV_OK : FV_ERR_MEMORY;
    for (size_t i = 0; i < (size_t)rows->n && status == FV_OK; i++)
        status = number_at(ctx, t, rows->row[i], t->target, &values[i]);
    if (status != FV_OK) {
        fv__free(ctx, values);
        return status;
    }
    return fv__data_add_field(data, "target",
                              (fv_field){.element = FV_F32, .shape = FV_SHAPE(1), .values = values});
}

/* ---- classes ------------------------------------------------------------------------------------------ */

/* By value where both are numbers, else by bytes. */
static int by_name(const void *a, const void *b)
{
    const char *const x = *(const char *const *)a, *const y = *(const char *const *)b;
    double p, q;
    if (read_number(x, &p) && read_number(y, &q) && p != q)
        return p < q ? -1 : 1;
    return strcmp(x, y);
}

/* The distinct texts of the target, sorted; *n_classes is 0 where they are values to predict. *names is freed
 * by the caller. */
static fv_status find_classes(fv_context *ctx, const table *t, const char ***names, int *n_classes)
{
    const size_t n = (size_t)t->n;
    bool whole = true, texts = false;
    size_t distinct = 0;
    *names = fv__alloc(ctx, n, sizeof **names);
    if (!*names)
        return FV_ERR_MEMORY;
    for (size_t i = 0; i < n; i++) {
        double value = 0;
        (*names)[i] = cell_at(t, t->first + i, t->target)->text;
        const bool number = read_number((*names)[i], &value);
        texts = texts || !number;
        whole = whole && number && value >= 0 && value < FV_MAX_CLASSES && value == (double)(int)value;
    }
    qsort(*names, n, sizeof **names, by_name);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp((*names)[i], (*names)[distinct - 1]) != 0)
            (*names)[distinct++] = (*names)[i];
    *n_classes = texts || (whole && distinct <= FEW_CLASSES && 2 * distinct <= n) ? (int)distinct : 0;
    if (distinct > FV_MAX_CLASSES && texts)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected at most %d classes, found %zu", t->path,
                        FV_MAX_CLASSES, distinct);
    return FV_OK;
}

static fv_status label_rows(fv_context *ctx, const table *t, const char *const *names, int n_classes,
                            int **out)
{
    int *const labels = fv__alloc(ctx, (size_t)t->n, sizeof *labels);
    if (!labels)
        return FV_ERR_MEMORY;
    *out = labels;
    for (int i = 0; i < t->n; i++) {
        const fv_csv_cell *const cell = cell_at(t, t->first + (size_t)i, t->target);
        const char **const found = bsearch(&cell->text, names, (size_t)n_classes, sizeof *names, by_name);
        if (!found)
            return fv__fail(ctx, FV_ERR_INPUT,
                            "%s:%d:%d: expected a class of the training set, found '%.80s'", t->path,
                            cell->line, cell->column, cell->text);
        if ((*found)[0] == '\0')
            return fv__fail(ctx, FV_ERR_INPUT, "%s:%d:%d: expected the name of a class, found nothing",
                            t->path, cell->line, cell->column);
        labels[i] = (int)(found - (const char **)(uintptr_t)names);
    }
    return FV_OK;
}

/* ---- the set ------------------------------------------------------------------------------------------ */

static fv_status make_set(const fv_opening *o, const table *t, const int *labels, const char *const *names,
                          int n_classes, bool ordered, fv_data **out)
{
    fv_rows rows;
    fv_field field;
    bool there;
    fv_status status = fv__rows_choose(o, labels, t->n, n_classes, ordered, &rows, &there);
    if (status == FV_OK && there) {
        status = take_inputs(o->ctx, t, &rows, &field);
        if (status == FV_OK)
            status = fv__rows_set(o, &rows, "table", field, n_classes, names, out);
        if (status == FV_OK && !labels)
            status = add_target(o->ctx, t, &rows, *out);
    }
    fv__rows_free(o->ctx, &rows);
    return status;
}

/* `train` decides on the classes of both. */
static fv_status open_tables(const fv_opening *o, const char *train_path, const char *path, bool ordered,
                             fv_data **out)
{
    table train = {0}, test = {0};
    const char **names = NULL;
    int n_classes = 0, *labels = NULL;
    const bool two = strcmp(train_path, path) != 0;
    fv_status status = read_table(o, train_path, &train);
    if (status == FV_OK && two)
        status = read_table(o, path, &test);
    const table *const t = two ? &test : &train;
    if (status == FV_OK && t->csv.n_columns != train.csv.n_columns)
        status = fv__fail(o->ctx, FV_ERR_INPUT, "%s: expected %zu columns, as %s has, found %zu", path,
                          train.csv.n_columns, train_path, t->csv.n_columns);
    if (status == FV_OK)
        status = find_classes(o->ctx, &train, &names, &n_classes);
    if (status == FV_OK && n_classes > 0)
        status = label_rows(o->ctx, t, names, n_classes, &labels);
    if (status == FV_OK)
        status = make_set(o, t, labels, n_classes > 0 ? names : NULL, n_classes, ordered, out);
    fv__free(o->ctx, labels);
    fv__free(o->ctx, names);
    fv__csv_free(&train.csv);
    if (two)
        fv__csv_free(&test.csv);
    return status;
}

static fv_status open(const fv_opening *o, fv_data **out)
{
    fv_arena arena;
    fv__arena_init(&arena, o->ctx);
    const char *train = o->path, *test = NULL;
    bool failed = false;
    if (fv__file_is_folder(o->path)) {
        train = fv__arena_printf(&arena, "%s/train.csv", o->path);
        test = fv__arena_printf(&arena, "%s/test.csv", o->path);
        failed = !train || !test;
        test = test && fv__file_exists(test) ? test : NULL;
    }
    fv_status status =
        failed ? FV_ERR_MEMORY
               : open_tables(o, train, o->split == FV_SPLIT_TEST && test ? test : train, test != NULL, out);
    fv__arena_deinit(&arena);
    if (status != FV_OK && *out) {
        fv__data_destroy(*out);
        *out = NULL;
    }
    return status;
}

static bool recognises(fv_context *ctx, const char *path)
{
    const size_t n = strlen(path);
    (void)ctx;
    if (!fv__file_is_folder(path))
        return n > 4 && (strcmp(path + n - 4, ".csv") == 0 || strcmp(path + n - 4, ".tsv") == 0);
    return fv__folder_has(path, "train.csv");
}

const fv_source fv__source_table = {
    .shown = {"a CSV file",
              "or a folder of train.csv and test.csv; a column called label, class or target, or the "
              "last, is predicted: classes if it has texts or few whole numbers, else values; all "
              "others are numbers"},
    .words = {"target", "split", "split-seed"},
    .recognises = recognises,
    .open = open,
};
