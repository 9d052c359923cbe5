/* conv_lower.c - lowers convolution and its gradients to kernels: sizes, offsets, block sizes. */
#include "ops/conv.h"

#include "ops/conv_c16.h"

#include <string.h>

fv_status fv__conv_lower_by(fv_lower *l, const fv_conv_way *ways, int n_ways, const fv_conv_task *task)
{
    for (const fv_conv_way *way = ways; way < ways + n_ways; way++) {
        const bool asked = l->way ? strcmp(l->way, way->name) == 0
                                  : !(l->direct && way->transforms) && (!way->pays || way->pays(task));
        if (!asked || !way->can(task))
            continue;
        l->chosen = way->name;
        return task->border ? fv__conv_lower_border(l, way, task) : way->lower(l, task);
    }
    return fv__fail(l->ctx, FV_ERR_INPUT,
                    "no way to compute this convolution is called '%s' and can do its shape",
                    l->way ? l->way : "");
}

/* The inputs that windows read in one direction: [begin, end), some of which may be outside of x. */
typedef struct reach {
    int64_t begin, end;
} reach;

static reach reach_of(const fv_axis *at)
{
    const int64_t taps = at->window > 0 ? at->window : 1;
    const int64_t last = (at->out - 1) * (int64_t)at->stride + (taps - 1) * (int64_t)at->dilation;
    return (reach){-(int64_t)at->before, last + 1 - at->before};
}

/* The offsets of a window's taps, for rows that are staged from column `begin` on. */
static fv_status make_taps(fv_lower *l, fv_conv_args *conv, int64_t begin)
{
    const fv_axis *const at = conv->at;
    const int64_t first = -at[FV_WIDTH].before - begin, taps = fv__conv_taps(conv);
    const int64_t depths =
        at[FV_DEPTH].window > 0 ? (int64_t)(at[FV_DEPTH].window - 1) * at[FV_DEPTH].dilation : 0;
    const int64_t rows =
        at[FV_HEIGHT].window > 0 ? (int64_t)(at[FV_HEIGHT].window - 1) * at[FV_HEIGHT].dilation + 1 : 0;
    const int64_t spanned = fv__lower_int(l, depths * at[FV_HEIGHT].in + rows, "rows that a window spans");
    fv__lower_int(l, spanned * conv->in_w * FV_LANES, "values of the rows that a window spans");
    FV_TRY(l->status);
    int32_t *const tap = fv__arena_alloc(l->arena, (size_t)taps, sizeof *tap);
    if (!tap)
        return FV_ERR_MEMORY;
    for (int64_t k = 0; k < taps; k++) {
        const int64_t line = k / at[FV_WIDTH].window, kx = k % at[FV_WIDTH].window;
        const int64_t row = line / at[FV_HEIGHT].window * at[FV_DEPTH].dilation * at[FV_HEIGHT].in +
                            line % at[FV_HEIGHT].window * at[FV_HEIGHT].dilation;
        tap[k] = (int32_t)((row * conv->in_w + first + kx * at[FV_WIDTH].dilation) * FV_LANES);
    }
    conv->tap = tap;
    return FV_OK;
}

/* Staging and taps of n convolutions of the same x. */
static fv_status complete_parts(fv_lower *l, fv_conv_args *part, int n)
{
    reach all = reach_of(&part[0].at[FV_WIDTH]);
    for (int p = 1; p < n; p++) {
        const reach c = reach_of(&part[p].at[FV_WIDTH]);
        all.begin = c.begin < all.begin ? c.begin : all.begin;
        all.end = c.end > all.end ? c.end : all.end;
    }
    const bool staged = all.begin < 0 || all.end > part->at[FV_WIDTH].in;
    for (fv_conv_args *conv = part; conv < part + n; conv++) {
        conv->staged = staged;
        conv->in_w = staged ? fv__lower_int(l, all.end - all.begin, "columns of x") : conv->at[FV_WIDTH].in;
        FV_TRY(make_taps(l, conv, staged ? all.begin : 0));
        conv->at[FV_WIDTH].before = staged ? (int)-all.begin : 0;
    }
    return FV_OK;
}

fv_conv_args fv__conv_forward_args(const fv_conv_attrs *a, fv_shape x, fv_shape w, fv_shape y)
{
    fv_conv_args conv = {
        .groups = a->groups, .i = x.dim[0] / a->groups, .o = y.dim[0] / a->groups, .step = {1, 1, 1}};
    const fv_window_words words = fv__conv_words(a, w);
    fv__window_axes(&words, x, conv.at);
    for (int k = 0; k < FV_AXES; k++)
        conv.whole[k] = conv.at[k].out;
    return conv;
}

static size_t staging_floats(const fv_conv_args *conv, int slab)
{
    return conv->staged ? (size_t)conv->i * (size_t)slab * (size_t)conv->at[FV_HEIGHT].in *
                              (size_t)conv->in_w * FV_LANES
                        : 0;
}

double fv__conv_products(const fv_conv_args *conv)
{
    return (double)conv->groups * conv->o * (double)fv__conv_out(conv) * conv->i *
           (double)fv__conv_taps(conv);
}

double fv__conv_bytes(fv_shape x, fv_shape y)
{
    return 4.0 * (double)(fv__shape_count(x) + fv__shape_count(y));
}

/* ---- the ways of sums ---------------------------------------------------------------------------------- */

/* The fewest lines of outputs for each worker if a block is cut by lines: every worker then reads its own
 * part of x. Smaller images are cut by channels. */
#define FV_SPLIT_ROWS 8

/* Outputs in one direction, of the part with the most. */
static int most_of(const fv_conv_args *conv, int axis)
{
    return fv__ceil_div(conv->whole[axis], conv->step[axis]);
}

static bool always(const fv_conv_task *task)
{
    (void)task;
    return true;
}

/* One step for all parts, line by line, reading x in place. */
static fv_status lower_lines(fv_lower *l, const fv_conv_task *task)
{
    fv_conv_args *const part = fv__arena_alloc(l->arena, (size_t)task->n, sizeof *part);
    fv_conv_parts parts = {
        .stretch_bytes = l->blocks->stretch_bytes, .part = part, .n = task->n, .gaps = task->gaps};
    double products = 0;
    int weights;
    if (!part)
        return FV_ERR_MEMORY;
    memcpy(part, task->part, (size_t)task->n * sizeof *part);
    reach depths = reach_of(&part->at[FV_DEPTH]);
    for (int p = 0; p < task->n; p++) {
        const fv_axis *const at = &part[p].at[FV_DEPTH];
        const int64_t taps = at->window > 0 ? at->window : 1,
                      end = (taps - 1) * at->dilation + 1 - at->before;
        depths.begin = -at->before < depths.begin ? -at->before : depths.begin;
        depths.end = p == 0 || end > depths.end ? end : depths.end;
        products += fv__conv_products(&part[p]);
    }
    parts.slab_first = (int)depths.begin;
    parts.slab = (int)(depths.end - depths.begin);
    parts.depths = most_of(part, FV_DEPTH);
    parts.rows = most_of(part, FV_HEIGHT);
    const int lines = fv__lower_int(l, (int64_t)parts.depths * parts.rows, "lines of outputs");
    const bool splits = fv__lower_splits(l, 2 * products);
    const bool windows = fv__conv_taps(part) != 1; /* what a worker stages should be its own too */
    parts.by_lines = splits && (lines >= FV_SPLIT_ROWS * l->n_workers || windows || part->groups > 1);
    FV_TRY(complete_parts(l, part, task->n));
    FV_TRY(fv__conv_weights(l, task, &weights));
    fv_step_spec s = {.kernel = FV_KERNEL_conv,
                      .domain = FV_PER_BLOCK,
                      .args = fv__lower_args(l, &parts, sizeof parts),
                      .n_operands = task->bias >= 0 ? 4 : 3,
                      .operand = {l->out, l->in[0], weights, task->bias},
                      .access = {FV_WRITE, FV_READ, FV_READ, FV_READ},
                      .scratch_floats = staging_floats(part, parts.slab),
                      .flops = 2 * products,
                      .bytes = fv__conv_bytes(l->in_shape[0], l->out_shape)};
    fv__lower_split(l, s.flops, parts.by_lines ? lines : part->o, parts.by_lines ? 1 : 48, &s);
    return fv__lower_step(l, &s);
}

/* A data gradient whose dy is one pixel is a product of the weights, as they are, and a vector: its window
 * covers all of dx. */
static bool linear_can(const fv_conv_task *task)
{
    const fv_conv_args *const forward = task->forward;
    bool can = forward && forward->groups == 1;
    for (int a = 0; a < FV_AXES && can; a++)
        can = forward->at[a].out == 1 && forward->at[a].before == 0 &&
              forward->at[a].window == forward->at[a].in;
    return can;
}

/* The bias of a channel is the bias of all its pixels. */
static fv_status lower_linear(fv_lower *l, const fv_conv_task *task)
{
    const fv_conv_args *const forward = task->forward;
    const fv_plane_args plane = {.channels = forward->i, .pixels = fv__conv_taps(forward)};
    const int m = fv__lower_int(l, plane.channels * plane.pixels, "values of the output");
    int bias = task->bias;
    if (bias >= 0 && plane.pixels > 1) {
        FV_TRY(fv__lower_buffer(l, FV_SCOPE_BATCH, m, &bias));
        const fv_step_spec repeat = {.kernel = FV_KERNEL_repeat,
                                     .domain = FV_PER_RANGE,
                                     .args = fv__lower_args(l, &plane, sizeof plane),
                                     .n_operands = 2,
                                     .operand = {bias, task->bias},
                                     .access = {FV_WRITE, FV_READ},
                                     .units = plane.channels,
                                     .grain = 256,
                                     .bytes = 4.0 * m};
        FV_TRY(fv__lower_step(l, &repeat));
    }
    return fv__linear_lower_columns(l, m, forward->o, bias);
}

/* For the forward pass, the data gradient, and transposed convolution. */
static const fv_conv_way sums[] = {
    {"linear", false, linear_can, NULL, lower_linear, NULL},
    {"winograd", true, fv__conv_winograd_can, fv__conv_winograd_pays, fv__conv_lower_winograd,
     fv__conv_winograd_border},
    {"winograd-1d", true, fv__conv_winograd_line_can, fv__conv_winograd_line_pays,
     fv__conv_lower_winograd_line, NULL},
    {"pixels", false, fv__conv_pixels_can, fv__conv_pixels_pays, fv__conv_lower_pixels, always},
    {"depthwise", false, fv__depthwise_can, NULL, fv__depthwise_lower, NULL},
    {"lines", false, always, NULL, lower_lines, NULL},
};

fv_status fv__conv_lower(fv_lower *l)
{
    fv_conv_args conv = fv__conv_forward_args(l->attrs, l->in_shape[0], l->in_shape[1], l->out_shape);
    fv_map map;
    const fv_conv_task task = {.part = &conv,
                               .n = 1,
                               .weights = l->in[1],
                               .bias = l->n_inputs > 2 ? l->in[2] : -1,
                               .border = fv__conv_border(l->attrs, l->in_shape[0], &conv, &map)};
    return fv__conv_lower_by(l, sums, FV_COUNT(sums), &task);
}

/* With groups, a vector of 16 outputs would read several groups of inputs. */
bool fv__conv_fits_c16(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)in, (void)out;
    return ((const fv_conv_attrs *)attrs)->groups == 1;
}

fv_status fv__conv_lower_c16(fv_lower *l)
{
    fv_conv_args conv = fv__conv_forward_args(l->attrs, l->in_shape[0], l->in_shape[1], l->out_shape);
    fv_map map;
    const fv_map *const border = fv__conv_border(l->attrs, l->in_shape[0], &conv, &map);
    return fv__c16_lower_conv(l, &conv, border);
}

/* ---- the data gradient --------------------------------------------------------------------------------- */

/* The phases of dx in one direction that are inside of it and that a tap reaches. A stride may be longer
 * than the kernel, and leave most phases without a tap. */
static fv_status find_phases(fv_lower *l, const fv_axis *at, const fv_flip_phase **out, int *n)
{
    const int most = at->window < at->stride ? at->window : at->stride;
    fv_flip_phase *const phases = fv__arena_alloc(l->arena, (size_t)most, sizeof *phases);
    if (!phases)
        return FV_ERR_MEMORY;
    *n = 0;
    for (int p = 0; p < at->stride && p < at->in && *n < most; p++) {
        const fv_flip_phase phase = fv__flip_phase(p, at->window, at->stride, at->before, at->dilation);
        if (phase.n > 0)
            phases[(*n)++] = phase;
    }
    *out = phases;
    return FV_OK;
}

/* One phase of dx: pixels phase.p + m * stride in each direction, as a convolution of dy. */
static fv_conv_args part_of(const fv_conv_args *forward, const fv_flip_phase phase[FV_AXES], int64_t weights)
{
    fv_conv_args part = {.groups = forward->groups, .i = forward->o, .o = forward->i, .weights = weights};
    for (int a = 0; a < FV_AXES; a++) {
        const fv_axis *const at = &forward->at[a];
        part.at[a] = (fv_axis){.in = at->out,
                               .out = (at->in - phase[a].p + at->stride - 1) / at->stride,
                               .window = phase[a].n,
                               .stride = 1,
                               .dilation = phase[a].dilation,
                               .before = (phase[a].n - 1) * phase[a].dilation - phase[a].base};
        part.whole[a] = at->in;
        part.first[a] = phase[a].p;
        part.step[a] = at->stride;
    }
    return part;
}

/* The phases that have taps, of all axes. */
typedef struct axis_phases {
    const fv_flip_phase *of[FV_AXES];
    int n[FV_AXES];
} axis_phases;

/* The parts of dx, and how their weights are packed. */
static fv_status make_parts(fv_lower *l, const fv_conv_args *forward, const axis_phases *phases,
                            fv_flip_args *flip, fv_conv_task *task)
{
    const fv_axis *const at = forward->at;
    int64_t within = 1, weights = 0;
    for (int a = 0; a < FV_AXES; a++)
        within *= at[a].stride < at[a].in ? at[a].stride : at[a].in;
    const size_t most = (size_t)phases->n[0] * (size_t)phases->n[1] * (size_t)phases->n[2] + 1;
    fv_conv_args *const part = fv__arena_alloc(l->arena, most, sizeof *part);
    fv_flip_part *const of = fv__arena_alloc(l->arena, most, sizeof *of);
    if (!part || !of)
        return FV_ERR_MEMORY;
    for (int z = 0; z < phases->n[FV_DEPTH]; z++)
        for (int y = 0; y < phases->n[FV_HEIGHT]; y++)
            for (int x = 0; x < phases->n[FV_WIDTH]; x++) {
                of[task->n] = (fv_flip_part){
                    {phases->of[FV_DEPTH][z], phases->of[FV_HEIGHT][y], phases->of[FV_WIDTH][x]}};
                part[task->n] = part_of(forward, of[task->n].phase, weights);
                weights += fv__conv_taps(&part[task->n++]) * flip->groups * flip->o * flip->i;
            }
    flip->n = task->n;
    flip->part = of;
    task->gaps = task->n < within;
    task->part = part;
    if (task->n > 0)
        return FV_OK;
    static const fv_flip_phase none[FV_AXES] = {{.dilation = 1}, {.dilation = 1}, {.dilation = 1}};
    *part = part_of(forward, none, 0); /* windows see nothing of x but its padding */
    for (int a = 0; a < FV_AXES; a++)
        part->at[a].before = 0;
    task->n = 1;
    return FV_OK;
}

fv_status fv__conv_pack(fv_lower *l, const fv_flip_args *flip, int *packed)
{
    int64_t count = 0;
    for (const fv_flip_part *part = flip->part; part < flip->part + flip->n; part++)
        count += (int64_t)part->phase[FV_DEPTH].n * part->phase[FV_HEIGHT].n * part->phase[FV_WIDTH].n *
                 flip->groups * flip->o * flip->i;
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_BATCH, count > 0 ? count : 1, packed));
    const fv_step_spec pack = {.kernel = FV_KERNEL_pack_flip,
                               .domain = FV_PER_RANGE,
                               .args = fv__lower_args(l, flip, sizeof *flip),
                               .n_operands = 2,
                               .operand = {*packed, l->in[1]},
                               .access = {FV_WRITE, FV_READ},
                               .units = l->out_shape.dim[0],
                               .grain = 8,
                               .bytes = 8.0 * (double)count};
    return fv__lower_step(l, &pack);
}

fv_status fv__conv_weights(fv_lower *l, const fv_conv_task *task, int *weights)
{
    *weights = task->weights;
    return task->flip ? fv__conv_pack(l, task->flip, weights) : FV_OK;
}

/* The data gradient of `forward`: of x, or of x with its border. */
static fv_status lower_dx_of(fv_lower *l, const fv_conv_args *forward)
{
    fv_flip_args flip = {.groups = forward->groups, .o = forward->o, .i = forward->i};
    axis_phases phases;
    for (int a = 0; a < FV_AXES; a++) {
        flip.window[a] = forward->at[a].window;
        FV_TRY(find_phases(l, &forward->at[a], &phases.of[a], &phases.n[a]));
    }
    fv_conv_task task = {
        .forward = forward, .flip = &flip, .weights = l->in[1], .bias = l->n_inputs > 2 ? l->in[2] : -1};
    FV_TRY(make_parts(l, forward, &phases, &flip, &task));
    return fv__conv_lower_by(l, sums, FV_COUNT(sums), &task);
}

/* The data gradient of x with its border, folded back. */
static fv_status lower_folded(fv_lower *l, const fv_conv_args *of_border, const fv_map *border)
{
    fv_lower whole = *l, fold = *l;
    whole.out_shape = border->y;
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_IMAGE, fv__shape_count(border->y), &whole.out));
    FV_TRY(lower_dx_of(&whole, of_border));
    fold.n_inputs = 1;
    fold.in[0] = whole.out;
    fold.in_shape[0] = border->y;
    return fv__map_dx_lower(&fold, border);
}

fv_status fv__conv_lower_dx(fv_lower *l)
{
    const fv_conv_args forward =
        fv__conv_forward_args(l->attrs, l->out_shape, l->in_shape[1], l->in_shape[0]);
    fv_conv_args of_border = forward;
    fv_map map;
    fv_conv_frame *frame;
    const fv_map *const border = fv__conv_border(l->attrs, l->out_shape, &of_border, &map);
    if (!border || border->outside == FV_OUTSIDE_CONSTANT)
        return lower_dx_of(l, &forward);
    FV_TRY(fv__conv_make_frame(l, &forward, &of_border, border, &frame));
    if (!frame)
        return lower_folded(l, &of_border, border);
    FV_TRY(lower_dx_of(l, &forward));
    return fv__conv_lower_frame(l, frame);
}

/* ---- the weight gradient of few channels ------------------------------------------------------------- */

/* Block by block, with images in the vector. */
fv_status fv__conv_lower_dw_blocks(fv_lower *l, const fv_conv_task *task)
{
    fv_conv_args conv = *task->part;
    FV_TRY(complete_parts(l, &conv, 1));
    const int slab = (conv.at[FV_DEPTH].window - 1) * conv.at[FV_DEPTH].dilation + 1;
    return fv__lower_sharded(l, FV_KERNEL_conv_dw, &conv, sizeof conv, staging_floats(&conv, slab),
                             2 * fv__conv_products(&conv), fv__conv_bytes(l->in_shape[0], l->in_shape[1]));
}
