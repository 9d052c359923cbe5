/* conv2d_pixels.c - conv2d and its data gradient as products of weights and staged pixels
 * (kernels/conv_pixels.inc): who takes that way, and block sizes. */
#include "ops/conv2d.h"

/* From so many channels on; a window of one pixel pays with any. */
#define FV_PIXELS_INPUTS  16
#define FV_PIXELS_OUTPUTS 32
/* Pixels for every worker, at least, where few blocks are cut by pixels; else they are cut by channels. */
#define FV_PIXELS_SHARE 16
/* Tasks for every worker where they are cut by channels. */
#define FV_PIXELS_TASKS 2

bool fv__conv_pixels_pays(const fv_conv_args *g)
{
    const bool pointwise = g->kh == 1 && g->kw == 1,
               many = g->i >= FV_PIXELS_INPUTS && g->o >= FV_PIXELS_OUTPUTS;
    return g->groups == 1 && g->kh > 0 && g->kw > 0 && (pointwise || many);
}

/* Channels and pixels that are staged at a time: block sizes, which no sum depends on. */
static fv_status make_args(fv_lower *l, const fv_conv_args *conv, bool zeros, fv_pixels_args *g)
{
    const int64_t taps = (int64_t)conv->kh * conv->kw, pixels = (int64_t)conv->oh * conv->ow;
    *g = (fv_pixels_args){.conv = *conv,
                          .cell_h = zeros ? conv->step_h : 1,
                          .cell_w = zeros ? conv->step_w : 1,
                          .scattered = conv->step_h != 1 || conv->step_w != 1 || conv->out_w != conv->ow};
    const int even = fv__ceil_div(conv->i, fv__ceil_div(conv->i * taps, FV_PIXELS_TERMS));
    const int sixteens = fv__ceil_div(even, FV_LANES) * FV_LANES;
    g->channels = sixteens < conv->i ? sixteens : conv->i;
    const int64_t terms = g->channels * taps,
                  fit = FV_PIXELS_BYTES / (terms * FV_LANES * (int64_t)sizeof(float));
    const int64_t most = fit < 4 ? 4 : fit < FV_PIXELS ? fit : FV_PIXELS;
    g->pixels = fv__ceil_div(pixels, fv__ceil_div(pixels, most));
    g->inner = (int)(taps > 1 ? taps : g->channels % FV_LANES == 0 ? FV_LANES : g->channels);
    g->by_pixels = pixels >= (int64_t)FV_PIXELS_SHARE * l->n_workers;
    fv__lower_int(l, terms * g->pixels * FV_LANES, "values that a window sees");
    FV_TRY(l->status);
    int32_t *const offset = fv__arena_alloc(l->arena, (size_t)terms, sizeof *offset);
    if (!offset)
        return FV_ERR_MEMORY;
    for (int k = 0; k < (int)terms; k++)
        offset[k] = k * g->pixels * FV_LANES;
    g->offset = offset;
    return FV_OK;
}

fv_status fv__conv_lower_pixels(fv_lower *l, const fv_conv_args *conv, bool zeros, int weights, int bias)
{
    fv_pixels_args g;
    FV_TRY(make_args(l, conv, zeros, &g));
    const int64_t staged = (int64_t)g.channels * conv->kh * conv->kw + (g.scattered ? conv->o : 0);
    fv_step_spec s = {.kernel = FV_KERNEL_conv_pixels,
                      .domain = FV_PER_BLOCK,
                      .args = fv__lower_args(l, &g, sizeof g),
                      .n_operands = bias >= 0 ? 4 : 3,
                      .operand = {l->out, l->in[0], weights, bias},
                      .access = {FV_WRITE, FV_READ, FV_READ, FV_READ},
                      .scratch_floats = (size_t)(staged * g.pixels * FV_LANES),
                      .flops = 2 * fv__conv_products(conv),
                      .bytes = fv__conv_bytes(l->in_shape[0], l->out_shape)};
    const int64_t tasks = FV_PIXELS_TASKS * (int64_t)(l->n_workers > 0 ? l->n_workers : 1);
    const int64_t units = g.by_pixels ? (int64_t)conv->oh * conv->ow : conv->o;
    fv__lower_split(l, s.flops, units, g.by_pixels ? g.pixels : fv__ceil_div(conv->o, tasks), &s);
    return s.args ? fv__lower_step(l, &s) : FV_ERR_MEMORY;
}
