/* window.c - the shape rule for windows that slide in one to three directions, computed in 64 bits. */
#include "ops/window.h"

#include <stdio.h>

static int size_at(const fv_sizes *sizes, int direction)
{
    return sizes->at[sizes->n > 1 ? direction : 0];
}

const char *fv__sizes_text(const fv_sizes *sizes, char text[FV_SIZES_TEXT])
{
    int n = snprintf(text, FV_SIZES_TEXT, "%s", sizes->n > 0 ? "" : "same");
    for (int d = 0; d < sizes->n; d++)
        n += snprintf(text + n, (size_t)(FV_SIZES_TEXT - n), "%s%d", d ? "x" : "", sizes->at[d]);
    return text;
}

/* A direction in 64 bits, because the words may contain any number up to FV_MAX_DIM. */
typedef struct direction {
    int64_t in, out, window, stride, dilation, before, reach, padded;
} direction;

static direction direction_of(const fv_window_words *w, fv_shape x, int d)
{
    direction at = {.in = x.dim[1 + d],
                    .window = size_at(&w->kernel, d),
                    .stride = size_at(&w->stride, d),
                    .dilation = size_at(&w->dilation, d)};
    at.stride = at.stride > 0 ? at.stride : at.window;
    at.reach = (at.window - 1) * at.dilation + 1;
    if (w->pad.n > 0) {
        at.before = size_at(&w->pad, d);
        at.padded = at.in + 2 * at.before;
    } else {
        const int64_t steps = (at.in + at.stride - 1) / at.stride - 1, read = steps * at.stride + at.reach;
        at.padded = read > at.in ? read : at.in;
        at.before = (at.padded - at.in) / 2;
    }
    at.out = at.padded < at.reach ? 0 : (at.padded - at.reach) / at.stride + 1;
    return at;
}

void fv__window_axes(const fv_window_words *w, fv_shape x, fv_axis at[FV_AXES])
{
    const int n = x.rank - 1;
    for (int a = 0; a < FV_AXES; a++)
        at[a] = (fv_axis){.in = 1, .out = 1, .window = 1, .stride = 1, .dilation = 1};
    for (int d = 0; d < n; d++) {
        const direction from = direction_of(w, x, d);
        at[FV_AXES - n + d] = (fv_axis){.in = (int)from.in,
                                        .out = (int)from.out,
                                        .window = (int)from.window,
                                        .stride = (int)from.stride,
                                        .dilation = (int)from.dilation,
                                        .before = (int)from.before};
    }
}

static fv_status check_words(fv_context *ctx, const fv_window_words *w, int n, const char *what)
{
    const struct {
        const char *name;
        const fv_sizes *size;
        int least;
    } rows[] = {{"kernel", &w->kernel, 1},
                {"stride", &w->stride, 0},
                {"pad", &w->pad, 0},
                {"dilation", &w->dilation, 1}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        int number[FV_DIRECTIONS] = {0};
        if (rows[r].size == &w->pad && w->pad.n == 0)
            continue;
        FV_TRY(fv__sizes_spread(ctx, rows[r].size, n, rows[r].name, what, number));
        for (int d = 0; d < n; d++)
            if (number[d] < rows[r].least || number[d] > FV_MAX_DIM)
                return fv__fail(ctx, FV_ERR_INPUT, "%s: %s: expected %d to %d, found %d", what, rows[r].name,
                                rows[r].least, FV_MAX_DIM, number[d]);
    }
    return FV_OK;
}

/* "8x10": one member of each direction. */
static const char *list(const direction *at, int n, size_t member, char text[3 * FV_SIZES_TEXT])
{
    int length = 0;
    for (int d = 0; d < n; d++)
        length += snprintf(text + length, (size_t)(3 * FV_SIZES_TEXT - length), "%s%lld", d ? "x" : "",
                           (long long)*(const int64_t *)((const char *)&at[d] + member));
    return text;
}

static fv_status check_fits(fv_context *ctx, const direction *at, int n, const char *what)
{
    bool fits = true, dilated = false;
    char padded[3 * FV_SIZES_TEXT], window[3 * FV_SIZES_TEXT], dilation[3 * FV_SIZES_TEXT],
        reach[3 * FV_SIZES_TEXT];
    for (int d = 0; d < n; d++) {
        fits = fits && at[d].out > 0;
        dilated = dilated || at[d].dilation > 1;
    }
    if (fits)
        return FV_OK;
    list(at, n, offsetof(direction, padded), padded);
    list(at, n, offsetof(direction, window), window);
    if (!dilated)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected a window of at most %s, found %s", what, padded,
                        window);
    return fv__fail(ctx, FV_ERR_INPUT,
                    "%s: expected a window of at most %s, found %s, which dilation=%s makes %s", what, padded,
                    window, list(at, n, offsetof(direction, dilation), dilation),
                    list(at, n, offsetof(direction, reach), reach));
}

fv_status fv__window_check(fv_context *ctx, const fv_window_words *w, fv_shape x, const char *what,
                           fv_axis axes[FV_AXES])
{
    direction at[FV_DIRECTIONS];
    char text[FV_SHAPE_TEXT];
    const int n = x.rank - 1;
    if (n < 1 || n > FV_DIRECTIONS)
        return fv__fail(
            ctx, FV_ERR_INPUT,
            "%s: expected a signal, an image or a video (channels, then one to three directions), "
            "found %s",
            what, fv__shape_text(x, text));
    FV_TRY(check_words(ctx, w, n, what));
    for (int d = 0; d < n; d++)
        at[d] = direction_of(w, x, d);
    FV_TRY(check_fits(ctx, at, n, what));
    fv__window_axes(w, x, axes);
    return FV_OK;
}

/* a * b, or more than any limit of this file. */
static int64_t product(int64_t a, int64_t b)
{
    int64_t ab;
    return __builtin_mul_overflow(a, b, &ab) ? INT64_MAX / 4 : ab;
}

static int64_t reach_of(const fv_axis *a)
{
    return (a->window - 1) * (int64_t)a->dilation + 1;
}

fv_status fv__window_check_sum(fv_context *ctx, const fv_axis at[FV_AXES], int directions, int channels,
                               const char *what)
{
    const int64_t taps = product(product(at[0].window, at[1].window), at[2].window);
    const int64_t width = at[FV_WIDTH].in + 2 * (int64_t)at[FV_WIDTH].before + reach_of(&at[FV_WIDTH]);
    const int64_t height = at[FV_HEIGHT].in + 2 * (int64_t)at[FV_HEIGHT].before;
    const int64_t rows = product(reach_of(&at[FV_DEPTH]) - 1, height) + reach_of(&at[FV_HEIGHT]);
    if (channels < 1 || taps > FV_MAX_TERMS / channels) {
        fv_sizes window = {.n = directions};
        char text[FV_SIZES_TEXT];
        for (int d = 0; d < directions; d++)
            window.at[d] = at[FV_AXES - directions + d].window;
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: expected an output to sum at most %d products, found %s of %d channel%s", what,
                        FV_MAX_TERMS, fv__sizes_text(&window, text), channels, channels == 1 ? "" : "s");
    }
    if (product(rows, width) > FV_MAX_SPAN)
        return fv__fail(
            ctx, FV_ERR_INPUT,
            "%s: expected the rows that a window spans to have at most %d pixels, found %lld rows "
            "of %lld",
            what, FV_MAX_SPAN, (long long)rows, (long long)width);
    return FV_OK;
}

fv_shape fv__window_shape(int channels, fv_shape x, const fv_axis at[FV_AXES])
{
    x.dim[0] = channels;
    for (int d = 1; d < x.rank; d++)
        x.dim[d] = at[FV_AXES - x.rank + d].out;
    return x;
}

fv_status fv__window_expect(fv_context *ctx, fv_shape expected, fv_shape found, const char *what)
{
    char expected_text[FV_SHAPE_TEXT], found_text[FV_SHAPE_TEXT];
    if (fv__shape_equal(expected, found))
        return FV_OK;
    return fv__fail(ctx, FV_ERR_INPUT, "%s: expected a gradient of %s, found %s", what,
                    fv__shape_text(expected, expected_text), fv__shape_text(found, found_text));
}

fv_status fv__window_input(fv_context *ctx, const fv_sizes *size, fv_shape dy, const char *what, fv_shape *x)
{
    char text[FV_SHAPE_TEXT];
    const int n = dy.rank - 1;
    if (n < 1 || n > FV_DIRECTIONS)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected a gradient in one to three directions, found %s",
                        what, fv__shape_text(dy, text));
    *x = dy;
    return fv__sizes_spread(ctx, size, n, "size", what, &x->dim[1]);
}
