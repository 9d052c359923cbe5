/* conv_c16.c - the convolution of one image, whose channels lie side by side (kernels/conv_c16.inc), as
 * steps: weights and constants are packed before any image comes, then come the sums, cut into units for the
 * workers. */
#include "ops/conv_c16.h"

#include "ops/conv.h"

/* Units for each worker, at least: so that they end together. */
#define FV_C16_UNITS 2

int fv__c16_bundles(int channels)
{
    return (channels + FV_LANES - 1) / FV_LANES;
}

/* Floats between a window's weights, for panels of 1 to 4 bundles. */
static fv_status make_offsets(fv_lower *l, fv_c16_args *g)
{
    const int taps = fv__lower_int(l, fv__conv_taps(&g->conv), "pixels of a window");
    const int least = g->runs ? FV_LINEAR_RUN : FV_LANES;
    g->offsets = taps > least ? taps : least;
    fv__lower_int(l, (int64_t)g->offsets * FV_PANEL * FV_LANES, "weights of a window");
    FV_TRY(l->status);
    int32_t *const offset = fv__arena_alloc(l->arena, FV_PANEL * (size_t)g->offsets, sizeof *offset);
    if (!offset)
        return FV_ERR_MEMORY;
    for (int bundles = 1; bundles <= FV_PANEL; bundles++)
        for (int k = 0; k < g->offsets; k++)
            offset[(bundles - 1) * g->offsets + k] = k * bundles * FV_LANES;
    g->offset = offset;
    return FV_OK;
}

/* Ranges of rows, so that what a unit reads stays in L2; ranges of panels, so that every worker has some. */
static void cut_units(const fv_lower *l, fv_c16_args *g, int64_t row_bytes)
{
    const int wanted = FV_C16_UNITS * (l->n_workers > 0 ? l->n_workers : 1);
    const int panels = fv__ceil_div(g->out_bundles, FV_PANEL);
    g->row_units = fv__ceil_div(g->rows * row_bytes, l->blocks->c16_bytes);
    g->row_units = g->row_units < g->rows ? g->row_units : g->rows;
    g->panel_units = fv__ceil_div(wanted, g->row_units);
    if (g->panel_units > panels) {
        g->panel_units = panels;
        const int more = fv__ceil_div(wanted, panels);
        g->row_units = more > g->row_units ? more : g->row_units;
        g->row_units = g->row_units < g->rows ? g->row_units : g->rows;
    }
}

static fv_status pack(fv_lower *l, const fv_conv_args *c, int *packed)
{
    const fv_panel_args args = {c->o, c->i * fv__conv_taps(c)};
    const int bundles = fv__c16_bundles(c->o);
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_BATCH, args.k * bundles * FV_LANES, packed));
    const fv_step_spec s = {.kernel = FV_KERNEL_pack_panels,
                            .domain = FV_PER_RANGE,
                            .args = fv__lower_args(l, &args, sizeof args),
                            .n_operands = 2,
                            .operand = {*packed, l->in[1]},
                            .access = {FV_WRITE, FV_READ},
                            .units = fv__ceil_div(bundles, FV_PANEL),
                            .grain = 1,
                            .bytes = 8.0 * (double)args.k * c->o};
    return fv__lower_step(l, &s);
}

static fv_status pack_finish(fv_lower *l, const fv_finish_args *finish, const fv_fused *fused, int bias,
                             int *constants)
{
    const int bundles = fv__c16_bundles(finish->channels);
    fv_step_spec s = {.kernel = FV_KERNEL_pack_finish,
                      .domain = FV_PER_RANGE,
                      .args = fv__lower_args(l, finish, sizeof *finish),
                      .n_operands = 1,
                      .access = {FV_WRITE},
                      .units = 1,
                      .grain = 1};
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_BATCH, (int64_t)bundles * 4 * FV_LANES, constants));
    s.operand[0] = *constants;
    if (finish->bias)
        s.operand[s.n_operands++] = bias;
    for (int i = 0; i < 4 && finish->affine; i++)
        s.operand[s.n_operands++] = fused->norm[i];
    return fv__lower_step(l, &s);
}

/* Floats of scratch: for each row of a unit, and beside them. */
typedef struct unit_floats {
    int64_t row, beside;
} unit_floats;

static unit_floats floats_of(const fv_c16_args *g)
{
    const fv_conv_args *const c = &g->conv;
    const fv_axis *const height = &c->at[FV_HEIGHT], *const width = &c->at[FV_WIDTH];
    const int64_t in = (int64_t)g->in_bundles * FV_LANES;
    const int64_t line = (int64_t)c->i * c->at[FV_DEPTH].window * c->in_w;
    switch (g->way) {
    case FV_C16_WINOGRAD:
        return (unit_floats){(int64_t)fv__winograd_parts(g->grid.line) * fv__winograd_tiles(width) *
                                 (in * c->at[FV_DEPTH].window + FV_PANEL * FV_LANES),
                             fv__winograd_parts(g->grid.line) * (g->chunk * FV_PANEL + 1) * FV_LANES};
    case FV_C16_POINTS:
        return (unit_floats){width->out * in, 0};
    case FV_C16_LINES: /* lines of x, as the kernel stages them */
        return (unit_floats){line * height->stride, line * (height->window - 1) * height->dilation};
    default:
        return (unit_floats){width->out * g->channels * fv__conv_taps(c), 0};
    }
}

/* `runs`: a linear layer of a vector. */
static fv_status lower_sums(fv_lower *l, const fv_conv_args *conv, fv_c16_way way, bool runs,
                            fv_winograd_grid grid)
{
    const bool winograd = way == FV_C16_WINOGRAD;
    const fv_axis *const width = &conv->at[FV_WIDTH];
    const fv_fused none = {.residual = -1}, *const fused = l->fused ? l->fused : &none;
    const int64_t lines = fv__conv_lines(conv), taps = fv__conv_taps(conv);
    const int64_t tile_rows = (int64_t)conv->at[FV_DEPTH].out * fv__winograd_rows(conv, grid.line);
    fv_c16_args g = {.conv = *conv,
                     .way = way,
                     .grid = grid,
                     .finish = {.channels = conv->o,
                                .pixels = fv__conv_out(conv),
                                .bias = l->n_inputs > 2,
                                .affine = fused->affine,
                                .relu = fused->relu},
                     .in_bundles = fv__c16_bundles(conv->i),
                     .out_bundles = fv__c16_bundles(conv->o),
                     .runs = runs,
                     .terms = l->blocks->c16_terms,
                     .chunk = l->blocks->winograd_chunk,
                     .rows = fv__lower_int(l, winograd ? tile_rows : lines, "lines of outputs")};
    const int64_t some = taps < l->blocks->unfold_terms ? l->blocks->unfold_terms / taps : 1;
    int packed, constants;
    g.channels = (int)(some > FV_LANES ? some / FV_LANES * FV_LANES : some);
    g.conv.in_w = fv__lower_int(
        l, (width->out - 1) * (int64_t)width->stride + (width->window - 1) * (int64_t)width->dilation + 1,
        "columns of x");
    const unit_floats need = floats_of(&g);
    cut_units(l, &g, (int64_t)sizeof(float) * need.row / (winograd ? 2 : 1));
    const size_t scratch = (size_t)(need.row * fv__ceil_div(g.rows, g.row_units) + need.beside);
    FV_TRY(make_offsets(l, &g));
    FV_TRY(pack(l, conv, &packed));
    FV_TRY(pack_finish(l, &g.finish, fused, l->in[2], &constants));
    const fv_step_spec s = {.kernel = winograd ? FV_KERNEL_winograd_c16 : FV_KERNEL_conv_c16,
                            .domain = FV_PER_RANGE,
                            .args = fv__lower_args(l, &g, sizeof g),
                            .n_operands = fused->residual >= 0 ? 5 : 4,
                            .operand = {l->out, l->in[0], packed, constants, fused->residual},
                            .access = {FV_WRITE, FV_READ, FV_READ, FV_READ, FV_READ},
                            .units = (int64_t)g.row_units * g.panel_units,
                            .grain = 1,
                            .of_images = true,
                            .scratch_floats = scratch,
                            .flops = 2 * fv__conv_products(conv),
                            .bytes = 4.0 * ((double)conv->i * (double)fv__conv_in(conv) +
                                            (double)conv->o * conv->i * (double)taps +
                                            (double)conv->o * (double)fv__conv_out(conv))};
    return fv__lower_step(l, &s);
}

static bool points_can(const fv_conv_task *task)
{
    const fv_axis *const at = task->part->at;
    return fv__conv_taps(task->part) == 1 && at[0].before == 0 && at[1].before == 0 && at[2].before == 0;
}

static bool lines_can(const fv_conv_task *task)
{
    return task->part->i < FV_LANES;
}

static bool always(const fv_conv_task *task)
{
    (void)task;
    return true;
}

static fv_status lower_winograd(fv_lower *l, const fv_conv_task *task)
{
    return lower_sums(l, task->part, FV_C16_WINOGRAD, false, fv__winograd_grid(task->part));
}

static fv_status lower_winograd_line(fv_lower *l, const fv_conv_task *task)
{
    fv_winograd_args g;
    fv__conv_winograd_line(task->part, &g);
    return lower_sums(l, &g.conv, FV_C16_WINOGRAD, false, g.grid);
}

static fv_status lower_points(fv_lower *l, const fv_conv_task *task)
{
    return lower_sums(l, task->part, FV_C16_POINTS, false, (fv_winograd_grid){0});
}

static fv_status lower_lines(fv_lower *l, const fv_conv_task *task)
{
    return lower_sums(l, task->part, FV_C16_LINES, false, (fv_winograd_grid){0});
}

static fv_status lower_windows(fv_lower *l, const fv_conv_task *task)
{
    return lower_sums(l, task->part, FV_C16_WINDOWS, false, (fv_winograd_grid){0});
}

static const fv_conv_way ways[] = {
    {"winograd", true, fv__conv_winograd_can, fv__conv_winograd_pays, lower_winograd, NULL},
    {"winograd-1d", true, fv__conv_winograd_line_can, fv__conv_winograd_line_pays, lower_winograd_line, NULL},
    {"points", false, points_can, NULL, lower_points, NULL},
    {"lines", false, lines_can, NULL, lower_lines, NULL},
    {"windows", false, always, NULL, lower_windows, NULL},
};

fv_status fv__c16_lower_conv(fv_lower *l, const fv_conv_args *conv, const fv_map *border)
{
    const fv_conv_task task = {
        .part = conv, .n = 1, .weights = l->in[1], .bias = -1, .border = border, .c16 = true};
    return fv__conv_lower_by(l, ways, (int)(sizeof ways / sizeof *ways), &task);
}

fv_status fv__c16_lower_linear(fv_lower *l, const fv_conv_args *conv)
{
    return lower_sums(l, conv, FV_C16_POINTS, true, (fv_winograd_grid){0});
}

fv_status fv__c16_lower_finish(fv_lower *l, const fv_fused *fused, int channels, int64_t pixels)
{
    const fv_finish_args finish = {.channels = channels, .pixels = pixels, .affine = fused->affine};
    int constants;
    FV_TRY(pack_finish(l, &finish, fused, -1, &constants));
    const fv_step_spec s = {.kernel = FV_KERNEL_finish_c16,
                            .domain = FV_PER_RANGE,
                            .args = fv__lower_args(l, &finish, sizeof finish),
                            .n_operands = 3,
                            .operand = {l->out, l->in[0], constants},
                            .access = {FV_WRITE, FV_READ, FV_READ},
                            .units = fv__c16_bundles(channels),
                            .grain = 1,
                            .of_images = true,
                            .flops = 3.0 * channels * (double)pixels,
                            .bytes = 8.0 * channels * (double)pixels};
    return fv__lower_step(l, &s);
}

fv_status fv__c16_lower_out(fv_lower *l, fv_shape shape, int step)
{
    const fv_chw image = fv__shape_chw(shape);
    const fv_c16_out_args args = {image.c, (int64_t)image.h * image.w, step};
    const fv_step_spec s = {.kernel = FV_KERNEL_c16_out,
                            .domain = FV_PER_RANGE,
                            .args = fv__lower_args(l, &args, sizeof args),
                            .n_operands = 2,
                            .operand = {l->out, l->in[0]},
                            .access = {FV_WRITE, FV_READ},
                            .units = image.c,
                            .grain = 64,
                            .of_images = true,
                            .bytes = 4.0 * (1 + step) * (double)fv__shape_count(shape)};
    return fv__lower_step(l, &s);
}
