/* terminal.h - the abilities of the terminal, and pictures and bars made of characters. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#include "fovea.h"

bool cli_is_terminal(FILE *stream);
/* Colours and block characters: on a terminal that is not "dumb", unless NO_COLOR is set. */
bool cli_has_colour(FILE *stream);
/* A terminal of any kind, where a line that is longer than cli_width breaks. */
bool cli_has_width(FILE *stream);
/* Columns: the terminal's present width; otherwise COLUMNS; otherwise 80. */
int cli_width(FILE *stream);

/* One image beside others: 8-bit gray, one channel. */
typedef struct cli_picture {
    const uint8_t *pixels; /* [c][h][w] */
    int c, h, w;
    const char *caption; /* below it; NULL: none */
    bool marked;         /* the caption stands out: a wrong answer */
} cli_picture;
/* Draws the pictures on standard output, as many side by side as there is room for, five at most. */
void cli_draw(const cli_picture *pictures, int n);
/* The row'th line of one picture, without an end of line. */
typedef struct cli_canvas cli_canvas;
cli_canvas *cli_canvas_create(const cli_picture *picture, int columns); /* NULL: out of memory */
int cli_canvas_rows(const cli_canvas *canvas);
int cli_canvas_columns(const cli_canvas *canvas);
void cli_canvas_print(const cli_canvas *canvas, int row);
void cli_canvas_destroy(cli_canvas *canvas);

/* A bar of `columns` characters, filled to `share` in 0..1. */
void cli_bar(FILE *stream, double share, int columns);
/* The bar of a run: like cli_bar, with the way that is left visible. */
void cli_track(FILE *stream, double share, int columns);
/* Text in a colour of the terminal, plain where there is none. */
typedef enum cli_ink { CLI_INK_PLAIN, CLI_INK_BOLD, CLI_INK_FAINT, CLI_INK_GOOD, CLI_INK_BAD } cli_ink;
void cli_print_inked(FILE *stream, cli_ink ink, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
