/* conv_winograd_dw.c - the weight gradient by Winograd (kernels/winograd_dw.inc): x as rows, the gradients
 * of slices of the batch, and their sum. */
#include "ops/conv.h"

/* The most slices times outputs: enough pieces for the workers, and gradients that take little memory. */
#define FV_DW_SLICED 512
/* The fewest tasks for each worker. */
#define FV_DW_TASKS 2

/* It depends on the shape alone, because sums depend on it. */
static int count_slices(const fv_lower *l, const fv_conv_args *c)
{
    const int64_t tiles = (int64_t)fv__lower_blocks(l) * c->at[FV_DEPTH].out *
                          fv__winograd_tiles(&c->at[FV_HEIGHT]) * fv__winograd_tiles(&c->at[FV_WIDTH]);
    int slices = 1;
    while (2 * slices * c->o <= FV_DW_SLICED && 2 * slices <= tiles)
        slices *= 2;
    return slices;
}

/* Of a panel: lower ones where that gives every worker some. */
static int choose_outputs(const fv_lower *l, const fv_conv_args *c, int slices)
{
    int panels = fv__ceil_div(c->o, l->blocks->winograd_dw_outputs);
    while (slices * panels < FV_DW_TASKS * l->n_workers && c->o / panels >= 2 * FV_LANES)
        panels *= 2;
    return fv__ceil_div(c->o, panels);
}

static fv_status make_args(fv_lower *l, const fv_conv_args *conv, const fv_winograd_dw_args **out)
{
    fv_winograd_dw_args g = {.conv = *conv, .padded = fv__ceil_div(conv->i, FV_LANES) * FV_LANES};
    g.slices = count_slices(l, conv);
    g.outputs = choose_outputs(l, conv, g.slices);
    g.inputs =
        fv__ceil_div(g.padded / FV_LANES, fv__ceil_div(g.padded, l->blocks->winograd_dw_inputs)) * FV_LANES;
    /* Not a multiple of 4096 bytes: otherwise the 36 pixels of a tile would share a few lines of L1. */
    g.pixel = (int64_t)FV_LANES * (g.padded + 1);
    g.offset = fv__lower_offsets(l, FV_WINOGRAD_DW_TERMS, g.inputs);
    if (!g.offset)
        return FV_ERR_MEMORY;
    *out = fv__lower_args(l, &g, sizeof g);
    return *out ? FV_OK : FV_ERR_MEMORY;
}

/* x as rows of its own width, depth after depth, and a pixel of zeros for what lies outside, one of the
 * border's constant. */
static fv_status lower_rows(fv_lower *l, const fv_winograd_dw_args *g, int *rows)
{
    const fv_conv_args *const c = &g->conv;
    const fv_conv_rows_args args = {
        .i = c->i,
        .h = fv__lower_int(l, (int64_t)fv__conv_x(c, FV_DEPTH) * fv__conv_x(c, FV_HEIGHT), "lines of x"),
        .w = fv__conv_x(c, FV_WIDTH),
        .padded = g->padded,
        .pixel = g->pixel,
        .border = c->border != NULL,
        .value = c->border ? c->border->value : 0};
    FV_TRY(l->status);
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_ROWS, (fv__conv_plane(c) + 1 + args.border) * g->pixel / FV_LANES,
                            rows));
    fv_step_spec transpose = {.kernel = FV_KERNEL_conv_rows,
                              .domain = FV_PER_BLOCK,
                              .args = fv__lower_args(l, &args, sizeof args),
                              .n_operands = 2,
                              .operand = {*rows, l->in[1]},
                              .access = {FV_WRITE, FV_READ},
                              .bytes = 8.0 * (double)fv__shape_count(l->in_shape[1])};
    fv__lower_split(l, 2 * fv__conv_products(c), args.h, 1, &transpose);
    return transpose.args ? fv__lower_step(l, &transpose) : FV_ERR_MEMORY;
}

fv_status fv__conv_lower_winograd_dw(fv_lower *l, const fv_conv_task *task)
{
    const fv_conv_args *const conv = task->part;
    const fv_winograd_dw_args *g = NULL;
    FV_TRY(make_args(l, conv, &g));
    int rows, parts = l->out;
    FV_TRY(lower_rows(l, g, &rows));
    if (g->slices > 1)
        FV_TRY(fv__lower_buffer(l, FV_SCOPE_BATCH, g->slices * fv__shape_count(l->out_shape), &parts));
    const fv_step_spec s = {.kernel = FV_KERNEL_winograd_dw,
                            .domain = FV_PER_RANGE,
                            .args = g,
                            .n_operands = 3,
                            .operand = {parts, l->in[0], rows},
                            .access = {g->slices > 1 ? FV_WRITE : FV_UPDATE, FV_READ, FV_READ},
                            .units = (int64_t)g->slices * conv->o,
                            .grain = g->outputs,
                            .scratch_floats = fv__winograd_dw_scratch(g->outputs, g->inputs),
                            .checked_floats = g->slices > 1 ? 0 : conv->i * fv__conv_taps(conv),
                            .flops = 2 * fv__conv_products(conv) * l->max_batch,
                            .bytes = fv__conv_bytes(l->in_shape[0], l->in_shape[1]) * l->max_batch};
    FV_TRY(fv__lower_step(l, &s));
    return g->slices > 1 ? fv__lower_shard_sum(l, parts, g->slices) : FV_OK;
}
