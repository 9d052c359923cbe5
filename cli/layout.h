/* layout.h - text within the width of the terminal: wrapped prose, words shortened in the middle, tables.
 * If standard output is no terminal, prose is wrapped at COLUMNS or 80, and tables are complete. */
#ifndef CLI_LAYOUT_H
#define CLI_LAYOUT_H

#include "terminal.h"

/* Columns of a text: its UTF-8 characters, each of which counts as one column. */
int cli_columns_of(const char *text);
/* A copy of at most `columns` columns: "transfor...weight". An ellipsis takes three of them. */
void cli_shorten(const char *text, int columns, char *out, size_t out_bytes);
/* The width of prose: the terminal's, but at most 100, because longer lines are hard to read. */
int cli_prose_width(FILE *stream);
/* Prints the words of `text`. The cursor is in column `at` (from 0); further lines begin in column
 * `indent`. The last line is not ended. */
void cli_print_wrapped(FILE *stream, const char *text, int at, int indent);
void cli_print_prose(FILE *stream, const char *text); /* wrapped, with the end of its line */
/* A line of results, wrapped on a terminal and otherwise kept as one line. */
void cli_print_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The name in bold, the rest behind it, and the end of the line. If it is too long for the terminal, the
 * line is broken at the first blank of the rest. */
void cli_print_heading(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints the next of several short texts, separated by two blanks, on a new line if this one is full. The
 * line is filled up to column `at`; returns the column after the text. */
int cli_print_part(int at, cli_ink ink, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A command to be typed: if it is longer than a line, backslashes join its lines. */
void cli_print_typed(FILE *stream, const char *line, int indent);
/* "  LEFT    text of any length": the text begins in column `column`, or below `left` if that is too long
 * or the terminal is narrow. */
void cli_print_entry(FILE *stream, const char *left, int column, const char *text);

typedef struct cli_column {
    const char *title;
    int width; /* its width if there is enough room */
    int least; /* the least width; 0: width */
    int rank;  /* columns of higher rank are left out first; 0: never */
    bool left; /* a text, aligned left; otherwise a number, which is never shortened */
} cli_column;

#define CLI_TABLE_COLUMNS 10
/* Rows of cells, two blanks before each. begin, then a row: its cells from left to right, end. */
typedef struct cli_table {
    int n, width[CLI_TABLE_COLUMNS]; /* 0: left out */
    cli_column column[CLI_TABLE_COLUMNS];
    bool fitted; /* to a terminal: texts are shortened */
    int at;      /* the next cell */
    int owed;    /* blanks before the next cell */
} cli_table;
void cli_table_begin(cli_table *table, const cli_column *columns, int n);
void cli_table_titles(cli_table *table);
void cli_table_cell(cli_table *table, cli_ink ink, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cli_table_bar(cli_table *table, double share);
void cli_table_end(cli_table *table);

#endif
