/* words.c - the lexer of the model text (docs/model-text.md). It checks the characters of the text, so that
 * the parser gets valid words: each is printable UTF-8 without blanks and has a column. */
#include "model/words.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

fv_status fv__line_fail(const fv_line *line, int column, const char *format, ...)
{
    char what[FV_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return fv__fail(line->ctx, FV_ERR_INPUT, "%s:%d:%d: %s", line->source, line->number,
                    fv__line_column(line, column), what);
}

int fv__line_column(const fv_line *line, int column)
{
    return line->filled ? line->room->column_of[column - 1] : column;
}

const struct fv_text_scope *fv__line_scope(const fv_line *line, int column)
{
    return line->filled ? line->room->scope_of[column - 1] : line->scope;
}

fv_status fv__text_check(fv_context *ctx, const char *text, size_t n_bytes, const char *source)
{
    if (n_bytes > FV_TEXT_MAX_BYTES)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: %zu bytes are no model text; at most %d are read", source,
                        n_bytes, FV_TEXT_MAX_BYTES);
    fv_line line = {.ctx = ctx, .source = source, .number = 1};
    size_t begin = 0;
    for (size_t i = 0; i < n_bytes;) {
        const unsigned char *s = (const unsigned char *)text + i;
        const int column = (int)(i - begin) + 1;
        const size_t length = fv__utf8_length(s, n_bytes - i);
        const bool line_end = *s == '\n' || (*s == '\r' && i + 1 < n_bytes && text[i + 1] == '\n');
        if (*s == 0)
            return fv__line_fail(&line, column, "a NUL byte; model text is UTF-8");
        if (length == 0)
            return fv__line_fail(&line, column, "byte 0x%02x is not UTF-8; model text is UTF-8", *s);
        if ((*s < 0x20 && *s != '\t' && !line_end) || *s == 0x7f)
            return fv__line_fail(&line, column, "control character 0x%02x", *s);
        i += length;
        if (*s == '\n') {
            line.number++;
            begin = i;
        } else if (i - begin > FV_LINE_MAX_BYTES) {
            return fv__line_fail(&line, FV_LINE_MAX_BYTES + 1, "the line is longer than %d bytes",
                                 FV_LINE_MAX_BYTES);
        }
    }
    return FV_OK;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

size_t fv__parameter_length(const char *text)
{
    if (!is_letter(text[0]))
        return 0;
    size_t n = 1;
    while (is_letter(text[n]) || is_digit(text[n]))
        n++;
    return n;
}

/* ---- filling in parameters ------------------------------------------------------------------------ */

static fv_status unknown_parameter(const fv_line *line, int column, const char *name, int length)
{
    char copy[FV_LINE_MAX_BYTES + 1];
    const char *names[FV_LINE_MAX_WORDS];
    int n = 0;
    snprintf(copy, sizeof copy, "%.*s", length, name);
    for (const fv_binding *b = line->bindings; b && n < FV_LINE_MAX_WORDS; b = b->next)
        names[n++] = b->name;
    if (length == 0)
        return fv__line_fail(line, column, "'$' is followed by no name of a parameter");
    if (n == 0)
        return fv__line_fail(line, column, "'$%s' stands outside of definitions and counted repetitions",
                             copy);
    const char *nearest = fv__nearest(copy, names, n);
    return fv__line_fail(line, column, "unknown parameter '$%s'%s%s%s", copy,
                         nearest ? "; nearest is '$" : "", nearest ? nearest : "", nearest ? "'" : "");
}

/* Appends bytes that were written in `scope` at `column`; the line's own bytes keep their own columns. */
static fv_status append(fv_line *line, int *n, const char *bytes, size_t length, int column,
                        const struct fv_text_scope *scope, bool own)
{
    if (length > (size_t)(FV_LINE_MAX_BYTES - *n)) {
        line->filled = false;
        return fv__line_fail(line, column, "the line is longer than %d bytes with its parameters filled in",
                             FV_LINE_MAX_BYTES);
    }
    for (size_t i = 0; i < length; i++, ++*n) {
        line->room->bytes[*n] = bytes[i];
        line->room->column_of[*n] = (int16_t)(column + (own ? (int)i : 0));
        line->room->scope_of[*n] = scope;
    }
    return FV_OK;
}

/* Copies `raw` to the line's bytes and replaces parameters by their values. */
static fv_status fill(fv_line *line, const char *raw)
{
    int n = 0;
    line->filled = false;
    for (size_t i = 0; raw[i];) {
        const size_t plain = strcspn(raw + i, "$");
        FV_TRY(append(line, &n, raw + i, plain, (int)i + 1, line->scope, true));
        i += plain;
        if (!raw[i])
            break;
        const size_t length = fv__parameter_length(raw + i + 1);
        const fv_binding *b = line->bindings;
        while (b && (strlen(b->name) != length || memcmp(b->name, raw + i + 1, length) != 0))
            b = b->next;
        if (!b)
            return unknown_parameter(line, (int)i + 1, raw + i + 1, (int)length);
        FV_TRY(append(line, &n, b->text, strlen(b->text), (int)i + 1, b->scope, false));
        i += 1 + length;
    }
    line->room->bytes[n] = 0;
    line->room->column_of[n] = (int16_t)(strlen(raw) + 1);
    line->room->scope_of[n] = line->scope;
    line->filled = line->bindings != NULL;
    return FV_OK;
}

fv_status fv__line_split(fv_line *line, const char *text, size_t n_bytes, size_t *at)
{
    char raw[FV_LINE_MAX_BYTES + 1];
    const char *begin = text + *at;
    const char *newline = memchr(begin, '\n', n_bytes - *at);
    size_t length = newline ? (size_t)(newline - begin) : n_bytes - *at;
    *at += length + (newline != NULL);
    memcpy(raw, begin, length); /* fv__text_check has limited the length */
    raw[length] = 0;
    raw[strcspn(raw, "#")] = 0;
    line->number++;
    line->n_words = 0;
    line->end_column = 1;
    FV_TRY(fill(line, raw));
    for (char *s = line->room->bytes; *(s += strspn(s, " \t\r"));) {
        const size_t n = strcspn(s, " \t\r");
        const int column = (int)(s - line->room->bytes) + 1;
        if (line->n_words == FV_LINE_MAX_WORDS)
            return fv__line_fail(line, column, "more than %d words in a line", FV_LINE_MAX_WORDS);
        line->word[line->n_words++] = (fv_word){.text = s, .column = column};
        line->end_column = column + (int)n;
        if (s[n] == 0)
            break;
        s[n] = 0;
        s += n + 1;
    }
    return FV_OK;
}

bool fv__name_ok(const char *name)
{
    if (!is_letter(name[0]))
        return false;
    size_t n = 1;
    while (is_letter(name[n]) || is_digit(name[n]) || name[n] == '-' ||
           (name[n] == '.' && (is_letter(name[n + 1]) || is_digit(name[n + 1]))))
        n++;
    return name[n] == 0 && n <= FV_NAME_MAX_BYTES;
}

/* Parses digits at *text and moves it past them. */
static bool digits(const char **text, int64_t *out)
{
    if (!is_digit(**text))
        return false;
    int64_t value = 0;
    for (; is_digit(**text); ++*text)
        value = value > INT32_MAX ? INT64_MAX : value * 10 + (**text - '0');
    *out = value;
    return true;
}

bool fv__parse_count(const char *text, int64_t *out)
{
    return digits(&text, out) && *text == 0;
}

bool fv__parse_sizes(const char *text, int n, bool one_for_all, int64_t *out)
{
    int found = 0;
    while (found < n && digits(&text, &out[found])) {
        found++;
        if (*text == 0 || found == n || *text != 'x')
            break;
        text++;
    }
    if (*text != 0)
        return false;
    if (found == 1 && one_for_all && text[-1] != 'x')
        for (; found < n; found++)
            out[found] = out[0];
    return found == n;
}
