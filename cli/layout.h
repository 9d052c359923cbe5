/* layout.h - text that keeps to the width of the terminal: wrapped prose, words shortened in the middle,
 * tables. Where standard output is no terminal, prose is wrapped at COLUMNS or 80, and tables are whole. */
#ifndef CLI_LAYOUT_H
#define CLI_LAYOUT_H

#include "terminal.h"

/* Columns that a text takes: characters of UTF-8, each of which is taken to be one column wide. */
int cli_columns_of(const char *text);
/* A copy of at most `columns` columns: "transfor...weight". An ellipsis takes three of them. */
void cli_shorten(const char *text, int columns, char *out, size_t out_bytes);
/* Where prose ends its lines: the terminal's width, 100 at most, as longer ones are hard to read. */
int cli_prose_width(FILE *stream);
/* Prints the words of `text`. The line stands in column `at` (from 0) already; lines that follow begin in
 * column `indent`. The last line is left open. */
void cli_print_wrapped(FILE *stream, const char *text, int at, int indent);
void cli_print_prose(FILE *stream, const char *text); /* wrapped, with the end of its line */
/* A line of results: wrapped on a terminal; elsewhere it stays one line, whatever reads it. */
void cli_print_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The name in bold, the rest behind it, and the end of the line. Where that is too long for the terminal, the
 * line is broken at the first blank of the rest. */
void cli_print_heading(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next of several short texts, two blanks between, on a line of its own where this one is full. The line
 * is filled up to column `at`; returns the column after it. */
int cli_print_part(int at, cli_ink ink, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A command that can be typed: where it is longer than a line, a backslash joins its lines. */
void cli_print_typed(FILE *stream, const char *line, int indent);
/* "  LEFT    text of any length": the text begins in column `column`, below `left` where that is too long or
 * the terminal is narrow. */
void cli_print_entry(FILE *stream, const char *left, int column, const char *text);

typedef struct cli_column {
    const char *title;
    int width; /* columns it takes where there is room */
    int least; /* what it may be shortened to; 0: width */
    int rank;  /* the higher, the earlier it is left out; 0: never */
    bool left; /* a text, to the left; otherwise a number, which is never shortened */
} cli_column;

#define CLI_TABLE_COLUMNS 10
/* Rows of cells, two blanks before each. begin, then a row: its cells from left to right, end. */
typedef struct cli_table {
    int n, width[CLI_TABLE_COLUMNS]; /* 0: left out */
    cli_column column[CLI_TABLE_COLUMNS];
    bool fitted; /* to a terminal: texts are shortened */
    int at;      /* the cell that comes next */
    int owed;    /* blanks before it */
} cli_table;
void cli_table_begin(cli_table *table, const cli_column *columns, int n);
void cli_table_titles(cli_table *table);
void cli_table_cell(cli_table *table, cli_ink ink, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cli_table_bar(cli_table *table, double share);
void cli_table_end(cli_table *table);

#endif
