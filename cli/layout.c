/* layout.c - fits prose and words to the width of the terminal. */
#include "layout.h"

#include <stdarg.h>
#include <string.h>

#define LONGEST_LINE 100
#define LEAST_ROOM   22 /* columns; with less, an entry's text has no room beside its name */

int cli_columns_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* Bytes of the first `columns` characters. */
static size_t bytes_of(const char *text, int columns)
{
    const char *p = text;
    while (*p && columns > 0) {
        do
            p++;
        while (((unsigned char)*p & 0xC0) == 0x80);
        columns--;
    }
    return (size_t)(p - text);
}

void cli_shorten(const char *text, int columns, char *out, size_t out_bytes)
{
    const int has = cli_columns_of(text);
    if (has <= columns || columns < 5) {
        snprintf(out, out_bytes, "%.*s", (int)bytes_of(text, columns), text);
        return;
    }
    const int tail = (columns - 3) / 2, head = columns - 3 - tail;
    snprintf(out, out_bytes, "%.*s...%s", (int)bytes_of(text, head), text, text + bytes_of(text, has - tail));
}

int cli_prose_width(FILE *stream)
{
    const int width = cli_width(stream);
    return width < LONGEST_LINE ? width : LONGEST_LINE;
}

/* A line that is being filled. */
typedef struct flow {
    FILE *stream;
    int at, indent, room;
    const char *joint;
    bool fresh; /* nothing is on this line yet, so no blank is needed before the next word */
} flow;

static void put(flow *f, const char *word, size_t bytes)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%.*s", (int)bytes, word);
    const int columns = cli_columns_of(copy);
    if (!f->fresh && f->at + 1 + columns > f->room) {
        fprintf(f->stream, "%s\n%*s", f->joint, f->indent, "");
        f->at = f->indent;
        f->fresh = true;
    }
    fprintf(f->stream, "%s%s", f->fresh ? "" : " ", copy);
    f->at += columns + !f->fresh;
    f->fresh = false;
}

void cli_print_wrapped(FILE *stream, const char *text, int at, int indent)
{
    flow f = {stream, at, indent, cli_prose_width(stream), "", true};
    while (*(text += strspn(text, " "))) {
        const size_t bytes = strcspn(text, " ");
        put(&f, text, bytes);
        text += bytes;
    }
}

void cli_print_prose(FILE *stream, const char *text)
{
    cli_print_wrapped(stream, text, 0, 0);
    fputc('\n', stream);
}

void cli_print_line(const char *format, ...)
{
    char line[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (cli_has_width(stdout) && cli_columns_of(line) > cli_prose_width(stdout))
        cli_print_prose(stdout, line);
    else
        puts(line);
}

void cli_print_heading(const char *name, const char *format, ...)
{
    char rest[512];
    va_list args;
    va_start(args, format);
    vsnprintf(rest, sizeof rest, format, args);
    va_end(args);
    const bool fits =
        !cli_has_width(stdout) || cli_columns_of(name) + cli_columns_of(rest) <= cli_width(stdout);
    const size_t blank = fits ? strlen(rest) : strcspn(rest, " ");
    cli_print_inked(stdout, CLI_INK_BOLD, "%s", name);
    printf("%.*s%s%s\n", (int)blank, rest, fits ? "" : "\n ", rest + blank);
}

int cli_print_part(int at, cli_ink ink, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const int columns = cli_columns_of(text);
    const bool full = at && cli_has_width(stdout) && at + 2 + columns > cli_width(stdout);
    fputs(full ? "\n" : at ? "  " : "", stdout);
    cli_print_inked(stdout, ink, "%s", text);
    return (full ? 0 : at ? at + 2 : 0) + columns;
}

void cli_print_typed(FILE *stream, const char *line, int indent)
{
    const bool whole = indent + cli_columns_of(line) <= cli_prose_width(stream);
    flow f = {stream, indent, indent + 4, whole ? 10000 : cli_prose_width(stream) - 2, " \\", true};
    fprintf(stream, "%*s", indent, "");
    while (*(line += strspn(line, " "))) {
        size_t bytes = strcspn(line, " ");
        const char *next = line + bytes + strspn(line + bytes, " ");
        if (strncmp(line, "--", 2) == 0 && *next && strncmp(next, "--", 2) != 0) /* with its value */
            bytes = (size_t)(next - line) + strcspn(next, " ");
        put(&f, line, bytes);
        line += bytes;
    }
    fputc('\n', stream);
}

void cli_print_entry(FILE *stream, const char *left, int column, const char *text)
{
    const int length = cli_columns_of(left);
    fprintf(stream, "  %s", left);
    if (cli_prose_width(stream) < column + LEAST_ROOM)
        column = 6;
    if (2 + length + 1 > column)
        fprintf(stream, "\n%*s", column, "");
    else
        fprintf(stream, "%*s", column - 2 - length, "");
    cli_print_wrapped(stream, text, column, column);
    fputc('\n', stream);
}
