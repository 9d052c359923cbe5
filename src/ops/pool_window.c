/* pool_window.c - the shape rule of a pooling window, with PyTorch's limit on padding: at most half the
 * kernel, so that every window contains at least one pixel of x; and the positions of the windows' maxima. */
#include "ops/pool_window.h"

#include "ops/window.h"

#include <math.h>
#include <string.h>

static fv_window_words words_of(const fv_window_attrs *window)
{
    return (fv_window_words){window->kernel, window->stride, window->pad, {.n = 1, .at = {1}}};
}

static bool is_adaptive(const fv_window_attrs *window)
{
    return window->out.n > 0 && window->out.at[0] > 0;
}

void fv__pool_whole(fv_shape in, void *attrs)
{
    *(fv_window_attrs *)attrs =
        (fv_window_attrs){.kernel = fv__sizes_of(in, 1), .stride = {.n = 1}, .pad = {.n = 1}};
}

static fv_status infer_adaptive(fv_context *ctx, const fv_window_attrs *window, fv_shape x, const char *what,
                                fv_shape *out)
{
    FV_TRY(fv__window_input(ctx, &window->out, x, what, out));
    for (int d = 1; d < out->rank; d++)
        if (out->dim[d] < 1)
            return fv__fail(ctx, FV_ERR_INPUT, "%s: size: expected 1 to %d, found %d", what, FV_MAX_DIM,
                            out->dim[d]);
    return FV_OK;
}

/* If the input is a multiple of the output, all windows have one size. */
static void adaptive_axes(const fv_window_attrs *window, fv_shape x, fv_axis at[FV_AXES])
{
    const int n = x.rank - 1;
    for (int a = 0; a < FV_AXES; a++) {
        const int d = a - (FV_AXES - n), in = d < 0 ? 1 : x.dim[1 + d];
        const int out = d < 0 ? 1 : window->out.at[window->out.n > 1 ? d : 0], even = in % out == 0;
        at[a] = (fv_axis){.in = in,
                          .out = out,
                          .window = even ? in / out : 0,
                          .stride = even ? in / out : 1,
                          .dilation = 1};
    }
}

fv_status fv__pool_infer(fv_context *ctx, const fv_window_attrs *window, fv_shape x, const char *what,
                         fv_shape *out)
{
    static const char *const names[FV_AXES] = {"depth", "height", "width"};
    const fv_window_words words = words_of(window);
    fv_axis at[FV_AXES];
    const int n = x.rank - 1;
    if (is_adaptive(window))
        return infer_adaptive(ctx, window, x, what, out);
    int kernel[FV_DIRECTIONS] = {0}, pad[FV_DIRECTIONS] = {0};
    if (n >= 1 && n <= FV_DIRECTIONS) {
        FV_TRY(fv__sizes_spread(ctx, &window->kernel, n, "kernel", what, kernel));
        FV_TRY(fv__sizes_spread(ctx, &window->pad, n, "pad", what, pad));
        for (int d = 0; d < n; d++)
            if (pad[d] > kernel[d] / 2)
                return fv__fail(ctx, FV_ERR_INPUT,
                                "%s: padding %d is more than half the window's %s: expected at most %d", what,
                                pad[d], names[FV_AXES - n + d], kernel[d] / 2);
    }
    FV_TRY(fv__window_check(ctx, &words, x, what, at));
    *out = fv__window_shape(x.dim[0], x, at);
    return FV_OK;
}

fv_pool_args fv__pool_args(const fv_window_attrs *window, fv_shape x)
{
    const fv_window_words words = words_of(window);
    fv_pool_args pool = {.channels = x.dim[0]};
    if (is_adaptive(window))
        adaptive_axes(window, x, pool.at);
    else
        fv__window_axes(&words, x, pool.at);
    fv_axis *const depth = &pool.at[FV_DEPTH];
    if (depth->window == 1 && depth->stride == 1 && depth->before == 0) {
        pool.channels *= depth->in;
        depth->in = depth->out = 1;
    }
    return pool;
}

int64_t fv__pool_pixels_in(const fv_pool_args *pool)
{
    return (int64_t)pool->at[FV_DEPTH].in * pool->at[FV_HEIGHT].in * pool->at[FV_WIDTH].in;
}

int64_t fv__pool_pixels_out(const fv_pool_args *pool)
{
    return (int64_t)pool->at[FV_DEPTH].out * pool->at[FV_HEIGHT].out * pool->at[FV_WIDTH].out;
}

double fv__pool_taps(const fv_pool_args *pool)
{
    double taps = 1;
    for (const fv_axis *at = pool->at; at < pool->at + FV_AXES; at++)
        taps *= at->window > 0 ? at->window : at->in / (double)at->out + 1;
    return taps;
}

fv_pool_range fv__pool_range(const fv_pool_args *pool, int64_t output)
{
    fv_pool_range range;
    for (int a = FV_AXES - 1; a >= 0; a--) {
        const fv_axis *const at = &pool->at[a];
        const int k = (int)(output % at->out), first = k * at->stride - at->before, end = first + at->window;
        range.first[a] = first > 0 ? first : 0;
        range.end[a] = end < at->in ? end : at->in;
        if (at->window == 0) {
            range.first[a] = (int)((int64_t)k * at->in / at->out);
            range.end[a] = (int)(((k + 1) * (int64_t)at->in + at->out - 1) / at->out);
        }
        output /= at->out;
    }
    return range;
}

int64_t fv__pool_pixel(const fv_pool_args *pool, int depth, int row, int column)
{
    return ((int64_t)depth * pool->at[FV_HEIGHT].in + row) * pool->at[FV_WIDTH].in + column;
}

double fv__pool_count(const fv_pool_args *pool, int64_t output)
{
    const fv_pool_range r = fv__pool_range(pool, output);
    double count = 1;
    for (int a = 0; a < FV_AXES; a++)
        count *= pool->at[a].window > 0 ? pool->at[a].window : r.end[a] - r.first[a];
    return count;
}

double fv__pool_maximum(const fv_pool_args *pool, const double *x, int64_t output, int64_t *at)
{
    const fv_pool_range r = fv__pool_range(pool, output);
    *at = fv__pool_pixel(pool, r.first[FV_DEPTH], r.first[FV_HEIGHT], r.first[FV_WIDTH]);
    for (int d = r.first[FV_DEPTH]; d < r.end[FV_DEPTH]; d++)
        for (int row = r.first[FV_HEIGHT]; row < r.end[FV_HEIGHT]; row++)
            for (int column = r.first[FV_WIDTH]; column < r.end[FV_WIDTH]; column++) {
                const int64_t here = fv__pool_pixel(pool, d, row, column);
                if (isnan(x[here])) {
                    *at =
                        fv__pool_pixel(pool, r.end[FV_DEPTH] - 1, r.end[FV_HEIGHT] - 1, r.end[FV_WIDTH] - 1);
                    return x[here];
                }
                if (x[here] > x[*at])
                    *at = here;
            }
    return x[*at];
}

uint64_t fv__pool_side(const fv_ref *r, int i)
{
    const fv_pool_args a = fv__pool_args(r->attrs, r->in_shape[i]);
    const int64_t pixels = fv__pool_pixels_in(&a), outputs = fv__pool_pixels_out(&a);
    uint64_t hash = FV_HASH_SIDES;
    int64_t at;
    for (int64_t c = 0; c < (int64_t)r->n * a.channels; c++)
        for (int64_t k = 0; k < outputs; k++) {
            fv__pool_maximum(&a, r->in[i] + c * pixels, k, &at);
            hash = fv__hash_side(hash, at);
        }
    return hash;
}

void fv__pool_scatter(const fv_ref *r)
{
    const fv_pool_args a = fv__pool_args(r->attrs, r->in_shape[1]);
    const int64_t pixels = fv__pool_pixels_in(&a), outputs = fv__pool_pixels_out(&a);
    const double *from = r->in[0];
    int64_t at;
    memset(r->out, 0, (size_t)(r->n * a.channels * pixels) * sizeof *r->out);
    for (int64_t c = 0; c < (int64_t)r->n * a.channels; c++)
        for (int64_t k = 0; k < outputs; k++) {
            fv__pool_maximum(&a, r->in[1] + c * pixels, k, &at);
            r->out[c * pixels + at] += *from++;
        }
}
