/* outline.c - the lines of a model text, and the 'end' of each 'define' and 'repeat'. */
#include "model/definitions.h"

#include <string.h>

/* The first word of the line that begins at `line`, if it is one of these three; otherwise 0. */
static char block_word(const char *line, size_t length)
{
    static const char *const words[] = {"define", "repeat", "end"};
    size_t at = 0;
    while (at < length && (line[at] == ' ' || line[at] == '\t'))
        at++;
    for (int i = 0; i < 3; i++) {
        const size_t n = strlen(words[i]);
        if (length - at < n || memcmp(line + at, words[i], n) != 0)
            continue;
        if (at + n == length || memchr(" \t\r#", line[at + n], 4))
            return words[i][0];
    }
    return 0;
}

typedef struct open_block {
    int index;
    char word;
} open_block;

/* Records line `index`; `open` holds the blocks that contain it. */
static fv_status take_line(fv_outline *outline, fv_line *line, char word, int index, open_block *open,
                           int *n_open)
{
    line->number = index + 1;
    if (word == 'e') {
        if (*n_open == 0)
            return fv__line_fail(line, 1, "'end' without a 'define' or a 'repeat' before it");
        outline->end[open[--*n_open].index] = index;
        return FV_OK;
    }
    if (word == 'd' && *n_open > 0)
        return fv__line_fail(line, 1,
                             "'define' inside the %s of line %d; definitions stand outside of others",
                             open[0].word == 'd' ? "definition" : "repetition", open[0].index + 1);
    if (*n_open == FV_MAX_DEPTH)
        return fv__line_fail(line, 1, "more than %d repetitions inside one another", FV_MAX_DEPTH);
    open[(*n_open)++] = (open_block){index, word};
    return FV_OK;
}

fv_status fv__outline_read(fv_outline *outline, fv_context *ctx, const char *text, size_t n_bytes,
                           const char *source)
{
    fv_line line = {.ctx = ctx, .source = source};
    open_block open[FV_MAX_DEPTH];
    int n_open = 0, n_lines = 1;
    for (const char *s = text; (s = memchr(s, '\n', n_bytes - (size_t)(s - text))); s++)
        n_lines++;
    outline->ctx = ctx;
    outline->offset = fv__alloc(ctx, (size_t)n_lines, sizeof *outline->offset);
    outline->end = fv__alloc(ctx, (size_t)n_lines, sizeof *outline->end);
    if (!outline->offset || !outline->end)
        return FV_ERR_MEMORY;
    /* Some editors begin a file with a byte order mark. */
    for (size_t at = n_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; at < n_bytes;) {
        const char *const newline = memchr(text + at, '\n', n_bytes - at);
        const size_t length = newline ? (size_t)(newline - text) - at : n_bytes - at;
        const char word = block_word(text + at, length);
        outline->offset[outline->n_lines] = (int)at;
        if (word)
            FV_TRY(take_line(outline, &line, word, outline->n_lines, open, &n_open));
        outline->n_lines++;
        at += length + 1;
    }
    if (n_open == 0)
        return FV_OK;
    line.number = open[n_open - 1].index + 1;
    return fv__line_fail(&line, 1, "the %s has no 'end'",
                         open[n_open - 1].word == 'd' ? "definition" : "repetition");
}

void fv__outline_deinit(fv_outline *outline)
{
    fv__free(outline->ctx, outline->offset);
    fv__free(outline->ctx, outline->end);
    *outline = (fv_outline){0};
}
