/* csv.c - a table in a text file. The separator is the one of comma, semicolon and tab that the first line
 * has most of. */
#include "io/csv.h"

#include "io/file.h"

#include <string.h>

#define MAX_CSV_BYTES ((size_t)1 << 32)

typedef struct reader {
    fv_context *ctx;
    const char *path;
    char *at, *end;
    const char *line_begin;
    int line;
    char separator;
    fv_csv *csv;
    size_t n, capacity; /* cells */
} reader;

static char choose_separator(const char *text)
{
    static const char separators[] = ",;\t";
    size_t n[3] = {0};
    for (; *text && *text != '\n'; text++)
        for (int i = 0; i < 3; i++)
            n[i] += *text == separators[i];
    return n[1] > n[0] && n[1] >= n[2] ? ';' : n[2] > n[0] ? '\t' : ',';
}

static void next_line(reader *r)
{
    r->line++;
    r->line_begin = r->at;
}

/* A cell in quotes, in which two quotes stand for one; r->at is behind the first. The text moves to the
 * front. */
static fv_status read_quoted(reader *r, const fv_csv_cell *cell)
{
    char *to = r->at;
    for (; r->at < r->end; r->at++) {
        if (*r->at == '"' && r->at[1] != '"')
            break;
        if (*r->at == '"')
            r->at++;
        *to = *r->at;
        if (*to++ == '\n') {
            r->line++;
            r->line_begin = r->at + 1;
        }
    }
    if (r->at >= r->end)
        return fv__fail(r->ctx, FV_ERR_INPUT, "%s:%d:%d: expected a closing quote, found the end of the file",
                        r->path, cell->line, cell->column);
    *to = '\0';
    r->at++;
    if (r->at < r->end && *r->at != r->separator && *r->at != '\n' && *r->at != '\r')
        return fv__fail(r->ctx, FV_ERR_INPUT, "%s:%d:%d: expected the end of the cell behind its quote",
                        r->path, r->line, (int)(r->at - r->line_begin) + 1);
    return FV_OK;
}

/* Cuts the blanks at the end of a text that ends before `end`. */
static void close_cell(char *text, char *end)
{
    while (end > text && (end[-1] == ' ' || end[-1] == '\r'))
        end--;
    *end = '\0';
}

/* One cell, and what ends it; *last: the row ends with it. */
static fv_status read_cell(reader *r, bool *last)
{
    while (r->at < r->end && *r->at == ' ')
        r->at++;
    FV_TRY(fv__grow(r->ctx, (void **)&r->csv->cell, r->n, &r->capacity, sizeof *r->csv->cell));
    fv_csv_cell *const cell = &r->csv->cell[r->n++];
    *cell = (fv_csv_cell){.line = r->line, .column = (int)(r->at - r->line_begin) + 1};
    char *text = r->at;
    const bool quoted = r->at < r->end && *r->at == '"';
    if (quoted) {
        text = ++r->at;
        FV_TRY(read_quoted(r, cell));
    }
    while (r->at < r->end && *r->at != r->separator && *r->at != '\n')
        r->at++;
    *last = r->at >= r->end || *r->at == '\n';
    if (!quoted)
        close_cell(text, r->at);
    if (r->at < r->end)
        r->at++;
    cell->text = text;
    return FV_OK;
}

static fv_status read_row(reader *r)
{
    fv_csv *const csv = r->csv;
    const size_t first = r->n;
    const int line = r->line;
    bool last = false;
    while (!last)
        FV_TRY(read_cell(r, &last));
    next_line(r);
    const size_t found = r->n - first;
    if (found == 1 && csv->cell[first].text[0] == '\0') {
        r->n = first;
        return FV_OK;
    }
    if (csv->n_columns == 0)
        csv->n_columns = found;
    if (found != csv->n_columns)
        return fv__fail(r->ctx, FV_ERR_INPUT, "%s:%d: expected %zu cells, as in the first row, found %zu",
                        r->path, line, csv->n_columns, found);
    csv->n_rows++;
    return FV_OK;
}

fv_status fv__csv_read(fv_context *ctx, const char *path, fv_csv *out)
{
    uint8_t *bytes;
    size_t n;
    *out = (fv_csv){0};
    fv__arena_init(&out->arena, ctx);
    FV_TRY(fv__file_read(ctx, path, MAX_CSV_BYTES, &bytes, &n));
    char *const text = fv__arena_alloc(&out->arena, n + 2, 1);
    if (text)
        memcpy(text, bytes, n);
    fv__free(ctx, bytes);
    if (!text)
        return fv__memory_for(ctx, FV_ERR_MEMORY, path);
    if (memchr(text, '\0', n))
        return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %zu: expected text, found a NUL", path, strlen(text));
    reader r = {.ctx = ctx, .path = path, .at = text, .end = text + n, .line = 1, .csv = out};
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* the mark of UTF-8 that Windows writes */
        r.at += 3;
    r.line_begin = r.at;
    r.separator = choose_separator(r.at);
    while (r.at < r.end)
        FV_TRY(read_row(&r));
    if (out->n_rows == 0)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected a table, found no rows", path);
    return FV_OK;
}

void fv__csv_free(fv_csv *csv)
{
    fv__free(csv->arena.ctx, csv->cell);
    fv__arena_deinit(&csv->arena);
}
