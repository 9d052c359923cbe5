/* conv_winograd.c - convolution and its data gradient by Winograd (kernels/winograd.inc): which shapes it can
 * do and pays for, and its steps. */
#include "ops/conv.h"

/* Winograd pays if there are enough multiplications, and if its 4x4 tiles cover little beyond the image.
 * The choice depends on the shape alone: its sums differ from the plain ones, so it must be the same on
 * every machine. */
#define FV_WINOGRAD_CHANNELS 32

static bool has_three_taps(const fv_axis *at)
{
    return at->window == 3 && at->stride == 1;
}

static bool is_one_map(const fv_conv_task *task)
{
    const fv_conv_args *const conv = task->part;
    return task->n == 1 && !task->gaps && conv->groups == 1 && fv__conv_whole(conv) == fv__conv_out(conv);
}

bool fv__conv_winograd_can(const fv_conv_task *task)
{
    const fv_conv_args *const conv = task->part;
    return is_one_map(task) && conv->at[FV_DEPTH].window > 0 && has_three_taps(&conv->at[FV_HEIGHT]) &&
           has_three_taps(&conv->at[FV_WIDTH]);
}

bool fv__conv_winograd_pays(const fv_conv_task *task)
{
    const fv_conv_args *const conv = task->part;
    const fv_axis *const height = &conv->at[FV_HEIGHT], *const width = &conv->at[FV_WIDTH];
    return conv->i >= FV_WINOGRAD_CHANNELS && conv->o >= FV_WINOGRAD_CHANNELS &&
           (int64_t)fv__winograd_tiles(height) * fv__winograd_tiles(width) * 16 <=
               2 * (int64_t)height->out * width->out;
}

/* Of images: depths of a border would be whole tiles. */
bool fv__conv_winograd_border(const fv_conv_task *task)
{
    return task->part->at[FV_DEPTH].in == 1;
}

/* The direction of a window of three taps in one direction; -1: it is another window. */
static int line_of(const fv_conv_args *conv)
{
    int line = -1;
    for (int a = 0; a < FV_AXES; a++) {
        const fv_axis *const at = &conv->at[a];
        if (line < 0 && has_three_taps(at))
            line = a;
        else if (at->window != 1 || at->stride != 1 || at->before != 0 || at->in != at->out)
            return -1;
    }
    return line;
}

bool fv__conv_winograd_line_can(const fv_conv_task *task)
{
    return is_one_map(task) && line_of(task->part) >= 0;
}

/* Half of the multiplications, so few tiles may reach beyond the outputs. */
bool fv__conv_winograd_line_pays(const fv_conv_task *task)
{
    const fv_conv_args *const conv = task->part;
    const int line = line_of(conv);
    return line >= 0 && conv->i >= FV_WINOGRAD_CHANNELS && conv->o >= FV_WINOGRAD_CHANNELS &&
           12 * (int64_t)fv__winograd_tiles(&conv->at[line]) <= 4 * (int64_t)conv->at[line].out;
}

void fv__conv_winograd_line(const fv_conv_args *conv, fv_winograd_args *args)
{
    const int line = line_of(conv);
    fv_axis *const at = args->conv.at;
    *args = (fv_winograd_args){.conv = *conv, .grid = fv__winograd_grid(conv)};
    args->grid.line = true;
    if (line == FV_WIDTH)
        return;
    int beside = 1; /* pixels from one to the next along the line */
    for (int a = line + 1; a < FV_AXES; a++)
        beside *= conv->at[a].in;
    at[FV_WIDTH] = conv->at[line];
    at[FV_HEIGHT] = conv->at[FV_WIDTH];
    at[FV_HEIGHT].in = at[FV_HEIGHT].out = beside;
    if (line == FV_DEPTH)
        at[FV_DEPTH] = (fv_axis){1, 1, 1, 1, 1, 0};
    args->grid.x_row = args->grid.y_row = 1;
    args->grid.x_column = args->grid.y_column = beside;
}

/* The node's output from its first input. A data gradient takes the weights as they are, and flips them as it
 * transforms them. */
static fv_status lower_args(fv_lower *l, const fv_conv_task *task, fv_winograd_args g)
{
    const bool line = g.grid.line;
    const int parts = fv__winograd_parts(line);
    fv_conv_args *const conv = &g.conv;
    int32_t *const offset = fv__arena_alloc(l->arena, (size_t)4 * FV_LANES, sizeof *offset);
    if (!offset)
        return FV_ERR_MEMORY;
    for (int n = 1; n <= 4; n++)
        for (int k = 0; k < FV_LANES; k++)
            offset[(n - 1) * FV_LANES + k] = k * n * FV_LANES;
    conv->tap = offset;
    const int depth = conv->at[FV_DEPTH].window, fit = l->blocks->winograd_terms / conv->i;
    g.depths = fit < 1 ? 1 : fit < depth ? fit : depth;
    const fv_winograd_weights_args w = {
        .o = conv->o, .i = conv->i, .depth = depth, .line = line, .flipped = task->flip != NULL};
    int u;
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_BATCH, parts * fv__winograd_part(conv->o, conv->i, depth), &u));
    fv_step_spec transform = {.kernel = FV_KERNEL_winograd_weights,
                              .domain = FV_PER_RANGE,
                              .args = fv__lower_args(l, &w, sizeof w),
                              .n_operands = 2,
                              .operand = {u, task->weights},
                              .access = {FV_WRITE, FV_READ},
                              .units = conv->o,
                              .grain = 16,
                              .bytes = 4.0 * (parts + (line ? 3 : 9)) * conv->o * conv->i * depth};
    FV_TRY(fv__lower_step(l, &transform));
    const size_t terms = (size_t)conv->i * (size_t)g.depths;
    fv_step_spec s = {.kernel = FV_KERNEL_winograd,
                      .domain = FV_PER_BLOCK,
                      .args = fv__lower_args(l, &g, sizeof g),
                      .n_operands = task->bias >= 0 ? 4 : 3,
                      .operand = {l->out, l->in[0], u, task->bias},
                      .access = {FV_WRITE, FV_READ, FV_READ, FV_READ},
                      .scratch_floats = (size_t)parts * FV_LANES * (4 * (terms + (size_t)conv->o) + 2),
                      .flops = 2 * fv__conv_products(conv),
                      .bytes = 4.0 * ((double)conv->i * (double)fv__conv_in(conv) +
                                      (double)conv->o * (double)fv__conv_out(conv))};
    const int64_t tiles = (int64_t)conv->at[FV_DEPTH].out * fv__winograd_rows(conv, line) *
                          fv__winograd_tiles(&conv->at[FV_WIDTH]);
    const int64_t all = tiles * fv__lower_blocks(l), share = l->n_workers > 1 ? all / l->n_workers : all;
    fv__lower_split(l, s.flops, all, share > 16 ? 16 : share > 1 ? share : 1, &s);
    return fv__lower_step(l, &s);
}

fv_status fv__conv_lower_winograd(fv_lower *l, const fv_conv_task *task)
{
    const fv_winograd_args g = {.conv = *task->part, .grid = fv__winograd_grid(task->part)};
    return lower_args(l, task, g);
}

fv_status fv__conv_lower_winograd_line(fv_lower *l, const fv_conv_task *task)
{
    fv_winograd_args g;
    fv__conv_winograd_line(task->part, &g);
    return lower_args(l, task, g);
}
