/* digit_picture.c - images in the terminal. With colour a character cell shows two pixels, one above the
 * other: an upper half block on a background, in the 24 grays of the 256-colour palette. Without colour,
 * one character of a ramp shows their mean. In both cases a cell is one pixel wide and two high, which is
 * almost square on a terminal. Images that are too wide are shrunk by averaging boxes. */
#include <stdlib.h>
#include <string.h>

#include "layout.h"

#define MAX_PER_ROW   5
#define LEAST_COLUMNS 14 /* a digit of 28x28 can still be read, two by two pixels a point */
#define MOST_COLUMNS  28

struct cli_canvas {
    int h, w; /* after shrinking */
    bool colour;
    uint8_t gray[]; /* [h][w] */
};

static int gray_at(const cli_picture *p, int y, int x)
{
    const size_t plane = (size_t)p->h * (size_t)p->w, at = (size_t)y * (size_t)p->w + (size_t)x;
    if (p->c == 3) /* luma of BT.601, in 256ths */
        return (77 * p->pixels[at] + 150 * p->pixels[plane + at] + 29 * p->pixels[2 * plane + at]) >> 8;
    return p->pixels[at];
}

static int box_mean(const cli_picture *p, int top, int left, int size)
{
    int sum = 0, n = 0;
    for (int y = top; y < top + size && y < p->h; y++) {
        for (int x = left; x < left + size && x < p->w; x++) {
            sum += gray_at(p, y, x);
            n++;
        }
    }
    return n ? sum / n : 0;
}

cli_canvas *cli_canvas_create(const cli_picture *picture, int columns)
{
    int box = 1;
    while ((picture->w + box - 1) / box > columns)
        box++;
    const int w = (picture->w + box - 1) / box, h = (picture->h + box - 1) / box;
    cli_canvas *canvas = malloc(sizeof *canvas + (size_t)h * (size_t)w);
    if (!canvas)
        return NULL;
    canvas->h = h;
    canvas->w = w;
    canvas->colour = cli_has_colour(stdout);
    int brightest = 1;
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            const int mean = box_mean(picture, y * box, x * box, box);
            canvas->gray[y * w + x] = (uint8_t)mean;
            if (mean > brightest)
                brightest = mean;
        }
    }
    /* Averaging fades strokes, so the brightest pixel is scaled back to white. */
    for (int i = 0; box > 1 && i < h * w; i++)
        canvas->gray[i] = (uint8_t)(canvas->gray[i] * 255 / brightest);
    return canvas;
}

int cli_canvas_rows(const cli_canvas *canvas)
{
    return (canvas->h + 1) / 2;
}

int cli_canvas_columns(const cli_canvas *canvas)
{
    return canvas->w;
}

void cli_canvas_print(const cli_canvas *canvas, int row)
{
    static const char ramp[] = " .:-=+*#%@";
    int last_upper = -1, last_lower = -1;
    for (int x = 0; x < canvas->w; x++) {
        const int upper = canvas->gray[2 * row * canvas->w + x];
        const int lower = 2 * row + 1 < canvas->h ? canvas->gray[(2 * row + 1) * canvas->w + x] : 0;
        if (!canvas->colour) {
            putchar(ramp[(upper + lower) * 10 / 511]);
            continue;
        }
        const int fore = 232 + upper * 24 / 256, back = 232 + lower * 24 / 256;
        if (fore != last_upper || back != last_lower)
            printf("\033[38;5;%d;48;5;%dm", fore, back);
        last_upper = fore;
        last_lower = back;
        fputs("▀", stdout);
    }
    if (canvas->colour)
        fputs("\033[0m", stdout);
}

void cli_canvas_destroy(cli_canvas *canvas)
{
    free(canvas);
}

static void print_captions(const cli_picture *pictures, int n, int columns)
{
    for (int i = 0; i < n; i++) {
        char caption[64];
        cli_shorten(pictures[i].caption ? pictures[i].caption : "", columns, caption, sizeof caption);
        const int over = columns - cli_columns_of(caption), left = over / 2;
        printf("%s%*s", i ? "  " : "", left, "");
        cli_print_inked(stdout, pictures[i].marked ? CLI_INK_BAD : CLI_INK_PLAIN, "%s", caption);
        if (i + 1 < n)
            printf("%*s", over - left, "");
    }
    putchar('\n');
}

static void draw_row(const cli_picture *pictures, int n, int columns)
{
    int rows = 0, wide = 1;
    bool captions = false;
    cli_canvas *canvases[MAX_PER_ROW] = {NULL};
    for (int i = 0; i < n; i++) {
        canvases[i] = cli_canvas_create(&pictures[i], columns);
        captions |= pictures[i].caption != NULL;
        if (canvases[i] && cli_canvas_rows(canvases[i]) > rows)
            rows = cli_canvas_rows(canvases[i]);
        if (canvases[i] && cli_canvas_columns(canvases[i]) > wide)
            wide = cli_canvas_columns(canvases[i]);
    }
    for (int row = 0; row < rows; row++) {
        for (int i = 0; i < n; i++) {
            fputs(i ? "  " : "", stdout);
            if (canvases[i] && row < cli_canvas_rows(canvases[i]))
                cli_canvas_print(canvases[i], row);
        }
        putchar('\n');
    }
    if (captions)
        print_captions(pictures, n, wide);
    for (int i = 0; i < n; i++)
        cli_canvas_destroy(canvases[i]);
}

void cli_draw(const cli_picture *pictures, int n)
{
    const int width = cli_width(stdout);
    int columns = (width + 2) / MAX_PER_ROW - 2; /* two blanks between */
    columns = columns < LEAST_COLUMNS ? LEAST_COLUMNS : columns > MOST_COLUMNS ? MOST_COLUMNS : columns;
    int per_row = (width + 2) / (columns + 2);
    per_row = per_row < 1 ? 1 : per_row > MAX_PER_ROW ? MAX_PER_ROW : per_row;
    for (int first = 0; first < n; first += per_row) {
        if (first)
            putchar('\n');
        draw_row(pictures + first, n - first < per_row ? n - first : per_row, columns);
    }
}
