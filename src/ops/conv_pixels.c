/* conv_pixels.c - convolution and its data gradient as a GEMM of weights and im2col pixels
 * (kernels/conv_pixels.inc): the shapes it is used for, and block sizes. */
#include "ops/conv.h"

/* The fewest channels for which it pays; a window of one pixel pays with any number. */
#define FV_PIXELS_INPUTS  16
#define FV_PIXELS_OUTPUTS 32
/* If few blocks are cut by pixels, every worker gets at least this many; otherwise they are cut by
 * channels. */
#define FV_PIXELS_SHARE 16
/* Tasks for every worker if blocks are cut by channels. */
#define FV_PIXELS_TASKS 2

bool fv__conv_pixels_can(const fv_conv_task *task)
{
    const fv_conv_args *const conv = task->part;
    const int *const first = conv->first;
    return task->n == 1 && conv->groups == 1 && fv__conv_taps(conv) > 0 && first[FV_DEPTH] == 0 &&
           first[FV_HEIGHT] == 0 && first[FV_WIDTH] == 0;
}

bool fv__conv_pixels_pays(const fv_conv_task *task)
{
    const fv_conv_args *const conv = task->part;
    return fv__conv_taps(conv) == 1 || (conv->i >= FV_PIXELS_INPUTS && conv->o >= FV_PIXELS_OUTPUTS);
}

/* Channels and pixels that im2col copies at a time: block sizes, which no sum depends on. */
fv_status fv__conv_pixels_args(fv_lower *l, const fv_conv_args *conv, bool gaps, fv_pixels_args *g)
{
    const int64_t taps = fv__conv_taps(conv), pixels = fv__conv_out(conv);
    *g = (fv_pixels_args){.conv = *conv, .gaps = gaps, .scattered = fv__conv_whole(conv) != pixels};
    const int even = fv__ceil_div(conv->i, fv__ceil_div(conv->i * taps, l->blocks->pixels_terms));
    const int sixteens = fv__ceil_div(even, FV_LANES) * FV_LANES;
    g->channels = sixteens < conv->i ? sixteens : conv->i;
    const int64_t terms = g->channels * taps,
                  fit = l->blocks->pixels_bytes / (terms * FV_LANES * (int64_t)sizeof(float));
    const int64_t most = fit < 4 ? 4 : fit < FV_PIXELS ? fit : FV_PIXELS;
    g->pixels = fv__ceil_div(pixels, fv__ceil_div(pixels, most));
    g->inner = (int)(taps > 1 ? taps : g->channels % FV_LANES == 0 ? FV_LANES : g->channels);
    g->by_pixels = pixels >= (int64_t)FV_PIXELS_SHARE * l->n_workers;
    fv__lower_int(l, terms * g->pixels * FV_LANES, "values that a window sees");
    FV_TRY(l->status);
    g->offset = fv__lower_offsets(l, terms, g->pixels * FV_LANES);
    if (!g->offset)
        return FV_ERR_MEMORY;
    return FV_OK;
}

size_t fv__conv_pixels_scratch(const fv_pixels_args *g)
{
    const int64_t terms = g->channels * fv__conv_taps(&g->conv);
    return (size_t)((terms + (g->scattered ? g->conv.o : 0)) * g->pixels * FV_LANES);
}

fv_status fv__conv_lower_pixels(fv_lower *l, const fv_conv_task *task)
{
    const fv_conv_args *const conv = task->part;
    int weights;
    fv_pixels_args g;
    FV_TRY(fv__conv_pixels_args(l, conv, task->gaps, &g));
    FV_TRY(fv__conv_weights(l, task, &weights));
    fv_step_spec s = {.kernel = FV_KERNEL_conv_pixels,
                      .domain = FV_PER_BLOCK,
                      .args = fv__lower_args(l, &g, sizeof g),
                      .n_operands = task->bias >= 0 ? 4 : 3,
                      .operand = {l->out, l->in[0], weights, task->bias},
                      .access = {FV_WRITE, FV_READ, FV_READ, FV_READ},
                      .scratch_floats = fv__conv_pixels_scratch(&g),
                      .flops = 2 * fv__conv_products(conv),
                      .bytes = fv__conv_bytes(l->in_shape[0], l->out_shape)};
    const int64_t tasks = FV_PIXELS_TASKS * (int64_t)(l->n_workers > 0 ? l->n_workers : 1);
    const int64_t units = g.by_pixels ? fv__conv_out(conv) : conv->o;
    fv__lower_split(l, s.flops, units, g.by_pixels ? g.pixels : fv__ceil_div(conv->o, tasks), &s);
    return s.args ? fv__lower_step(l, &s) : FV_ERR_MEMORY;
}
