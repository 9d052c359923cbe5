/* window.c - the rule for windows that slide over an image, all of it in 64 bits. */
#include "ops/window.h"

#include <stdio.h>

static int64_t reach(const fv_window_sizes *w, int direction)
{
    return ((int64_t)w->kernel[direction] - 1) * w->dilation[direction] + 1;
}

static int64_t padded(const fv_window_sizes *w, fv_shape image, int direction)
{
    return image.dim[1 + direction] + 2 * (int64_t)w->pad[direction];
}

static fv_status check_ranges(fv_context *ctx, const fv_window_sizes *w, const char *what)
{
    const struct {
        const char *name;
        const int *size;
        int least;
    } rows[] = {
        {"kernel", w->kernel, 1}, {"stride", w->stride, 1}, {"pad", w->pad, 0}, {"dilation", w->dilation, 1}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (int d = 0; d < 2; d++)
            if (rows[r].size[d] < rows[r].least || rows[r].size[d] > FV_MAX_DIM)
                return fv__fail(ctx, FV_ERR_INPUT, "%s: %s: expected %d to %d, found %d", what, rows[r].name,
                                rows[r].least, FV_MAX_DIM, rows[r].size[d]);
    return FV_OK;
}

fv_status fv__window_check(fv_context *ctx, const fv_window_sizes *w, fv_shape image, const char *what,
                           int out[2])
{
    char dilated[112] = "";
    FV_TRY(check_ranges(ctx, w, what));
    const bool fits = reach(w, 0) <= padded(w, image, 0) && reach(w, 1) <= padded(w, image, 1);
    if (!fits && (w->dilation[0] > 1 || w->dilation[1] > 1))
        snprintf(dilated, sizeof dilated, ", which dilation=%dx%d makes %lldx%lld", w->dilation[0],
                 w->dilation[1], (long long)reach(w, 0), (long long)reach(w, 1));
    if (!fits)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected a window of at most %lldx%lld, found %dx%d%s", what,
                        (long long)padded(w, image, 0), (long long)padded(w, image, 1), w->kernel[0],
                        w->kernel[1], dilated);
    for (int d = 0; d < 2; d++)
        out[d] = (int)((padded(w, image, d) - reach(w, d)) / w->stride[d]) + 1;
    return FV_OK;
}

fv_status fv__window_check_sum(fv_context *ctx, const fv_window_sizes *w, fv_shape image, int channels,
                               const char *what)
{
    const int64_t pixels = (int64_t)w->kernel[0] * w->kernel[1]; /* each up to 2^24 */
    const int64_t span = reach(w, 0) * (padded(w, image, 1) + reach(w, 1));
    if (channels < 1 || pixels > FV_MAX_TERMS / channels)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: expected an output to sum at most %d products, found %dx%d of %d channel%s",
                        what, FV_MAX_TERMS, w->kernel[0], w->kernel[1], channels, channels == 1 ? "" : "s");
    if (span > FV_MAX_SPAN)
        return fv__fail(
            ctx, FV_ERR_INPUT,
            "%s: expected the rows that a window spans to have at most %d pixels, found %lld rows "
            "of %lld",
            what, FV_MAX_SPAN, (long long)reach(w, 0), (long long)(padded(w, image, 1) + reach(w, 1)));
    return FV_OK;
}
