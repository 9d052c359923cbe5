/* conv_dw.c - lowers the weight gradient of convolution to kernels: by Winograd, over rows of x, or block
 * by block if x has few channels. */
#include "ops/conv.h"

/* From this number of input channels on, a vector holds channels instead of images. */
#define FV_ROWS_CHANNELS 16
/* The most slices, the most slices times outputs, and the most floats of all their sums. */
#define FV_ROWS_SLICES 8
#define FV_ROWS_SLICED 1024
#define FV_ROWS_SUMS   (1024 * 1024)
/* Fewer channels than that, but so many outputs, and terms of the window that transposing dy pays for:
 * outputs lie side by side. Also with fewer terms where an image has many pixels: going block by block would
 * read dy from memory once for every line of the window. */
#define FV_WIDE_OUTPUTS 32
#define FV_WIDE_TERMS   64
#define FV_WIDE_PIXELS  4096
#define FV_WIDE_FEWER   27
/* Tasks for each worker, at least. */
#define FV_ROWS_TASKS 2

/* It depends on the shape alone, because sums depend on it. */
static int count_slices(const fv_lower *l, const fv_conv_args *c)
{
    const int64_t lines = fv__lower_blocks(l) * fv__conv_lines(c), floats = fv__shape_count(l->out_shape);
    int slices = 1;
    while (2 * slices <= FV_ROWS_SLICES && 2 * slices <= lines &&
           2 * (int64_t)slices * c->groups * c->o <= FV_ROWS_SLICED && 2 * slices * floats <= FV_ROWS_SUMS)
        slices *= 2;
    return slices;
}

/* Of a group. */
static int choose_outputs(const fv_lower *l, const fv_conv_dw_rows_args *g)
{
    const fv_conv_args *const c = &g->conv;
    const int64_t sums = (int64_t)sizeof(float) * fv__conv_taps(c) * g->padded;
    int parts = fv__ceil_div(c->o, l->blocks->rows_outputs);
    while (c->o / parts >= 2 * FV_LANES &&
           ((int64_t)g->slices * c->groups * parts < (int64_t)FV_ROWS_TASKS * l->n_workers ||
            c->o / parts * sums > l->blocks->rows_sums_bytes))
        parts *= 2;
    return fv__ceil_div(c->o, parts);
}

/* Vectors of a panel, for `vectors` in all: three or four, as the tiles have. */
static int choose_panel(int vectors)
{
    return vectors % 3 == 0 ? 3 : fv__ceil_div(vectors, fv__ceil_div(vectors, 4));
}

/* Floats of x as rows that n_lines x n_pixels of dy read, through one depth of the window. */
static int64_t chunk_floats(const fv_conv_dw_rows_args *g, int n_lines, int n_pixels)
{
    const fv_conv_args *const c = &g->conv;
    const int64_t lines = (int64_t)(n_lines - 1) * c->at[FV_HEIGHT].stride +
                          (int64_t)(c->at[FV_HEIGHT].window - 1) * c->at[FV_HEIGHT].dilation + 1;
    const int64_t columns = (int64_t)(n_pixels - 1) * c->at[FV_WIDTH].stride +
                            (int64_t)(c->at[FV_WIDTH].window - 1) * c->at[FV_WIDTH].dilation + 1;
    return lines * columns * FV_LANES * g->panel;
}

/* The dy of a block, which was just computed, may come from L3. */
static bool chunk_fits(const fv_blocks *blocks, const fv_conv_dw_rows_args *g, int n_lines, int n_pixels)
{
    const int64_t rows = chunk_floats(g, n_lines, n_pixels);
    const int64_t dy = g->slices > 0 ? (int64_t)n_lines * n_pixels * FV_LANES * g->outputs : 0;
    return (rows > dy ? rows : dy) * (int64_t)sizeof(float) <= blocks->rows_bytes;
}

/* Several lines, one line, or an even part of one. */
static void choose_chunk(const fv_blocks *blocks, fv_conv_dw_rows_args *g)
{
    const fv_conv_args *const c = &g->conv;
    int parts = 1, lines = 1;
    while (c->at[FV_WIDTH].out / (parts + 1) >= blocks->rows_pixels &&
           !chunk_fits(blocks, g, 1, fv__ceil_div(c->at[FV_WIDTH].out, parts)))
        parts++;
    while (parts == 1 && lines < c->at[FV_HEIGHT].out &&
           chunk_fits(blocks, g, lines + 1, c->at[FV_WIDTH].out))
        lines++;
    g->chunk_pixels = fv__ceil_div(c->at[FV_WIDTH].out, parts);
    g->chunk_lines = fv__ceil_div(c->at[FV_HEIGHT].out, fv__ceil_div(c->at[FV_HEIGHT].out, lines));
    g->conv.in_w = (int)((g->chunk_pixels - 1) * (int64_t)c->at[FV_WIDTH].stride +
                         (c->at[FV_WIDTH].window - 1) * (int64_t)c->at[FV_WIDTH].dilation + 1);
    g->depth_floats = chunk_floats(g, g->chunk_lines, g->chunk_pixels);
}

/* Chunks, panels and groups of outputs are block sizes of the loops, which no sum depends on. */
static fv_status make_args(fv_lower *l, const fv_conv_args *conv, bool by_block, fv_conv_dw_rows_args *g)
{
    *g = (fv_conv_dw_rows_args){.conv = *conv,
                                .pick = {1, 1, 1},
                                .padded = fv__ceil_div(conv->i, FV_LANES) * FV_LANES,
                                .slices = by_block ? 0 : count_slices(l, conv)};
    fv_conv_args *const c = &g->conv;
    g->sees_all = fv__conv_taps(c) == 1 && !c->border;
    for (int a = 0; a < FV_AXES; a++) {
        g->whole[a] = fv__conv_x(c, a);
        g->sees_all = g->sees_all && c->at[a].before == 0;
    }
    for (int a = 0; a < FV_AXES && g->sees_all; a++) { /* of the pixels that it picks, and no others */
        g->pick[a] = c->at[a].stride;
        c->at[a].in = c->at[a].out;
        c->at[a].stride = 1;
    }
    g->is_dw = g->sees_all && g->slices == 1 && c->i == g->padded;
    g->panel = choose_panel(g->padded / FV_LANES) * FV_LANES;
    g->outputs = by_block ? c->o : choose_outputs(l, g);
    choose_chunk(l->blocks, g);
    fv__lower_int(l, g->depth_floats, "values of x that the windows of some outputs see");
    const int n = fv__lower_int(l, (int64_t)g->chunk_lines * g->chunk_pixels * FV_LANES, "terms of a sum");
    FV_TRY(l->status);
    int32_t *const offset = fv__arena_alloc(l->arena, (size_t)n, sizeof *offset);
    if (!offset)
        return FV_ERR_MEMORY;
    for (int k = 0; k < n; k++) {
        const int image = k % FV_LANES, p = k / FV_LANES % g->chunk_pixels,
                  line = k / FV_LANES / g->chunk_pixels;
        offset[k] =
            ((line * c->at[FV_HEIGHT].stride * c->in_w + p * c->at[FV_WIDTH].stride) * FV_LANES + image) *
            g->panel;
    }
    g->offset = offset;
    return FV_OK;
}

/* Adds the sums of the slices to dw; if they have dw's order, as any shards. */
static fv_status lower_sums(fv_lower *l, const fv_conv_dw_rows_args *g, int sums)
{
    const fv_conv_args *const c = &g->conv;
    if (g->sees_all && g->padded == c->i)
        return fv__lower_shard_sum(l, sums, g->slices);
    const int64_t outputs = (int64_t)c->groups * c->o, taps = fv__conv_taps(c);
    const fv_step_spec s = {.kernel = FV_KERNEL_conv_dw_sums,
                            .units = outputs,
                            .grain = 16,
                            .checked_floats = c->i * taps,
                            .bytes = 4.0 * (double)(outputs * taps * (g->slices * g->padded + c->i))};
    return fv__lower_gradient(l, g, sizeof *g, sums, s);
}

/* Many channels: one product over each slice of the batch, or block by block; then their sum. */
static fv_status lower_rows(fv_lower *l, const fv_conv_args *conv, bool by_block)
{
    fv_conv_dw_rows_args g;
    FV_TRY(make_args(l, conv, by_block, &g));
    const int64_t outputs = (int64_t)conv->groups * conv->o;
    const int64_t floats = outputs * fv__conv_taps(conv) * g.padded;
    const double flops = 2 * fv__conv_products(conv), bytes = fv__conv_bytes(l->in_shape[0], l->in_shape[1]);
    int sums = l->out;
    if (!g.is_dw)
        FV_TRY(fv__lower_buffer(l, by_block ? FV_SCOPE_SHARD : FV_SCOPE_BATCH,
                                by_block ? floats : g.slices * floats, &sums));
    fv_step_spec s = {.kernel = FV_KERNEL_conv_dw_rows,
                      .domain = FV_PER_BLOCK,
                      .args = fv__lower_args(l, &g, sizeof g),
                      .n_operands = 3,
                      .operand = {sums, l->in[0], l->in[1]},
                      .access = {FV_UPDATE, FV_READ, FV_READ},
                      .scratch_floats = (size_t)g.depth_floats,
                      .flops = flops,
                      .bytes = bytes};
    if (!by_block) {
        s.domain = FV_PER_RANGE;
        s.access[0] = g.is_dw ? FV_UPDATE : FV_WRITE;
        s.units = g.slices * outputs;
        s.grain = g.outputs;
        s.checked_floats = g.is_dw ? conv->i : 0;
        s.flops *= l->max_batch;
        s.bytes *= l->max_batch;
    }
    if (!s.args)
        return FV_ERR_MEMORY;
    FV_TRY(fv__lower_step(l, &s));
    return g.is_dw ? FV_OK : lower_sums(l, &g, sums);
}

/* Few channels, many outputs: slices of the batch, then their sum. */
static fv_status lower_outputs(fv_lower *l, const fv_conv_task *task)
{
    const fv_conv_args *const conv = task->part;
    fv_conv_dw_outputs_args g = {
        .conv = *conv, .padded = fv__ceil_div(conv->o, FV_LANES) * FV_LANES, .slices = count_slices(l, conv)};
    const int64_t taps = conv->i * fv__conv_taps(conv), pixel = (int64_t)FV_LANES * g.padded;
    const int64_t fit = l->blocks->wide_bytes / (pixel * (int64_t)sizeof(float));
    g.pixels = fv__ceil_div(conv->at[FV_WIDTH].out, fv__ceil_div(conv->at[FV_WIDTH].out, fit > 4 ? fit : 4));
    const int64_t columns = (int64_t)(g.pixels - 1) * conv->at[FV_WIDTH].stride +
                            (int64_t)(conv->at[FV_WIDTH].window - 1) * conv->at[FV_WIDTH].dilation + 1;
    g.offset = fv__lower_offsets(l, FV_LANES, g.padded);
    if (!g.offset)
        return FV_ERR_MEMORY;
    int sums;
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_BATCH, g.slices * taps * g.padded, &sums));
    const fv_step_spec s = {.kernel = FV_KERNEL_conv_dw_outputs,
                            .domain = FV_PER_RANGE,
                            .args = fv__lower_args(l, &g, sizeof g),
                            .n_operands = 3,
                            .operand = {sums, l->in[0], l->in[1]},
                            .access = {FV_WRITE, FV_READ, FV_READ},
                            .units = g.slices,
                            .grain = 1,
                            .scratch_floats = (size_t)(g.pixels * pixel + columns * FV_LANES),
                            .flops = 2 * fv__conv_products(conv) * l->max_batch,
                            .bytes = fv__conv_bytes(l->in_shape[0], l->in_shape[1]) * l->max_batch};
    if (!s.args)
        return FV_ERR_MEMORY;
    FV_TRY(fv__lower_step(l, &s));
    const fv_step_spec sum = {.kernel = FV_KERNEL_conv_dw_outputs_sums,
                              .units = conv->o,
                              .grain = 16,
                              .checked_floats = taps,
                              .bytes = 4.0 * (double)(taps * (g.slices * g.padded + conv->o))};
    return fv__lower_gradient(l, &g, sizeof g, sums, sum);
}

static fv_status lower_rows_of_batch(fv_lower *l, const fv_conv_task *task)
{
    return lower_rows(l, task->part, false);
}

static bool always(const fv_conv_task *task)
{
    (void)task;
    return true;
}

static bool rows_pay(const fv_conv_task *task)
{
    return task->part->i >= FV_ROWS_CHANNELS;
}

static bool outputs_can(const fv_conv_task *task)
{
    return task->part->groups == 1;
}

static bool outputs_pay(const fv_conv_task *task)
{
    const int64_t terms = task->part->i * fv__conv_taps(task->part);
    return task->part->o >= FV_WIDE_OUTPUTS &&
           terms >= (fv__conv_out(task->part) >= FV_WIDE_PIXELS ? FV_WIDE_FEWER : FV_WIDE_TERMS);
}

static const fv_conv_way ways[] = {
    {"winograd", true, fv__conv_winograd_can, fv__conv_winograd_pays, fv__conv_lower_winograd_dw,
     fv__conv_winograd_border},
    {"rows", false, always, rows_pay, lower_rows_of_batch, always},
    {"outputs", false, outputs_can, outputs_pay, lower_outputs, NULL},
    {"depthwise", false, fv__depthwise_can, NULL, fv__depthwise_lower_dw, NULL},
    {"blocks", false, always, NULL, fv__conv_lower_dw_blocks, NULL},
};

fv_status fv__conv_lower_dw(fv_lower *l)
{
    fv_conv_args conv = fv__conv_forward_args(l->attrs, l->in_shape[1], l->out_shape, l->in_shape[0]);
    fv_map map;
    const fv_conv_task task = {.part = &conv,
                               .n = 1,
                               .weights = -1,
                               .bias = -1,
                               .border = fv__conv_border(l->attrs, l->in_shape[1], &conv, &map),
                               .x = 1};
    return fv__conv_lower_by(l, ways, (int)(sizeof ways / sizeof *ways), &task);
}

fv_status fv__conv_lower_dw_by_block(fv_lower *l)
{
    const fv_conv_args conv = fv__conv_forward_args(l->attrs, l->in_shape[1], l->out_shape, l->in_shape[0]);
    return lower_rows(l, &conv, true);
}
