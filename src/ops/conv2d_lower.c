/* conv2d_lower.c - conv2d and its gradients in terms of kernels: sizes, offsets, block sizes. */
#include "ops/conv2d.h"
#include "ops/conv_c16.h"

/* Columns of x that windows read: [begin, end), of which some may lie outside. */
typedef struct columns {
    int64_t begin, end;
} columns;

static columns columns_of(const fv_conv_args *g)
{
    const int64_t last = (g->ow - 1) * (int64_t)g->stride_w + (g->kw - 1) * (int64_t)g->dilation_w;
    return (columns){-(int64_t)g->pad_w, last + 1 - g->pad_w};
}

/* Staging and taps of n convolutions of the same x. */
static fv_status complete_parts(fv_lower *l, fv_conv_args *part, int n)
{
    columns all = columns_of(&part[0]);
    for (int p = 1; p < n; p++) {
        const columns c = columns_of(&part[p]);
        all.begin = c.begin < all.begin ? c.begin : all.begin;
        all.end = c.end > all.end ? c.end : all.end;
    }
    const bool staged = all.begin < 0 || all.end > part->w;
    for (fv_conv_args *g = part; g < part + n; g++) {
        const int64_t first = -g->pad_w - (staged ? all.begin : 0);
        g->staged = staged;
        g->in_w = staged ? fv__lower_int(l, all.end - all.begin, "columns of x") : g->w;
        g->pad_w = staged ? (int)-all.begin : 0;
        const int64_t rows = g->kh > 0 ? (int64_t)(g->kh - 1) * g->dilation_h + 1 : 0;
        fv__lower_int(l, rows * g->in_w * FV_LANES, "values of the rows that a window spans");
        FV_TRY(l->status);
        int32_t *const tap = fv__arena_alloc(l->arena, (size_t)g->kh * (size_t)g->kw, sizeof *tap);
        if (!tap)
            return FV_ERR_MEMORY;
        for (int ky = 0; ky < g->kh; ky++)
            for (int kx = 0; kx < g->kw; kx++)
                tap[ky * g->kw + kx] =
                    (int32_t)(((int64_t)ky * g->dilation_h * g->in_w + first + (int64_t)kx * g->dilation_w) *
                              FV_LANES);
        g->tap = tap;
    }
    return FV_OK;
}

/* The kernel's view of a convolution from x to y. */
static fv_status make_args(fv_lower *l, fv_conv_args g, const fv_conv_args **out)
{
    FV_TRY(complete_parts(l, &g, 1));
    *out = fv__lower_args(l, &g, sizeof g);
    return *out ? FV_OK : FV_ERR_MEMORY;
}

fv_conv_args fv__conv_forward_args(const fv_conv_attrs *a, fv_shape x, fv_shape w, fv_shape y)
{
    return (fv_conv_args){.groups = a->groups,
                          .i = x.dim[0] / a->groups,
                          .h = x.dim[1],
                          .w = x.dim[2],
                          .o = y.dim[0] / a->groups,
                          .oh = y.dim[1],
                          .ow = y.dim[2],
                          .kh = w.dim[2],
                          .kw = w.dim[3],
                          .stride_h = a->stride[0],
                          .stride_w = a->stride[1],
                          .dilation_h = a->dilation[0],
                          .dilation_w = a->dilation[1],
                          .pad_h = a->pad[0],
                          .pad_w = a->pad[1],
                          .out_h = y.dim[1],
                          .out_w = y.dim[2],
                          .step_h = 1,
                          .step_w = 1};
}

static size_t staging_floats(const fv_conv_args *g)
{
    return g->staged ? (size_t)g->i * (size_t)g->h * (size_t)g->in_w * FV_LANES : 0;
}

double fv__conv_products(const fv_conv_args *g)
{
    return (double)g->groups * g->o * g->oh * g->ow * g->i * g->kh * g->kw;
}

double fv__conv_bytes(fv_shape x, fv_shape y)
{
    return 4.0 * (double)(fv__shape_count(x) + fv__shape_count(y));
}

/* Winograd pays where there is enough to multiply, and where its 4x4 tiles cover little beyond the image. By
 * shape alone: the sums are not those of the plain form, so it must be the same on every machine. */
#define FV_WINOGRAD_CHANNELS 32

bool fv__conv_winograd_pays(const fv_lower *l, const fv_conv_args *g)
{
    const int64_t covered = (int64_t)((g->oh + 3) / 4) * ((g->ow + 3) / 4) * 16;
    const bool plain = g->kh == 3 && g->kw == 3 && g->stride_h == 1 && g->stride_w == 1 && g->step_h == 1 &&
                       g->step_w == 1 && g->dilation_h == 1 && g->dilation_w == 1 && g->groups == 1;
    return !l->direct && plain && g->i >= FV_WINOGRAD_CHANNELS && g->o >= FV_WINOGRAD_CHANNELS &&
           covered <= 2 * (int64_t)g->oh * g->ow;
}

/* The node's output from its first input; bias -1: none. `turned`: a data gradient. */
static fv_status lower_winograd(fv_lower *l, fv_conv_args g, int bias, bool turned)
{
    int32_t *const offset = fv__arena_alloc(l->arena, (size_t)4 * FV_LANES, sizeof *offset);
    if (!offset)
        return FV_ERR_MEMORY;
    for (int n = 1; n <= 4; n++)
        for (int k = 0; k < FV_LANES; k++)
            offset[(n - 1) * FV_LANES + k] = k * n * FV_LANES;
    g.tap = offset;
    const fv_conv_args *const args = fv__lower_args(l, &g, sizeof g);
    const fv_winograd_weights_args w = {.o = g.o, .i = g.i, .turned = turned};
    int u;
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_BATCH, 36 * fv__winograd_part(g.o, g.i), &u));
    fv_step_spec transform = {.kernel = FV_KERNEL_winograd_weights,
                              .domain = FV_PER_RANGE,
                              .args = fv__lower_args(l, &w, sizeof w),
                              .n_operands = 2,
                              .operand = {u, l->in[1]},
                              .access = {FV_WRITE, FV_READ},
                              .units = g.o,
                              .grain = 16,
                              .bytes = 4.0 * 45 * g.o * g.i};
    if (!args || !transform.args)
        return FV_ERR_MEMORY;
    FV_TRY(fv__lower_step(l, &transform));
    fv_step_spec s = {.kernel = FV_KERNEL_winograd,
                      .domain = FV_PER_BLOCK,
                      .args = args,
                      .n_operands = bias >= 0 ? 4 : 3,
                      .operand = {l->out, l->in[0], u, bias},
                      .access = {FV_WRITE, FV_READ, FV_READ, FV_READ},
                      .scratch_floats = 36 * FV_LANES * (4 * ((size_t)g.i + (size_t)g.o) + 2),
                      .flops = 2 * fv__conv_products(&g),
                      .bytes = 4.0 * ((double)g.i * g.h * g.w + (double)g.o * g.oh * g.ow)};
    const int64_t tiles = (int64_t)((g.oh + 3) / 4) * ((g.ow + 3) / 4);
    const int64_t all = tiles * fv__lower_blocks(l), share = l->n_workers > 1 ? all / l->n_workers : all;
    fv__lower_split(l, s.flops, all, share > 16 ? 16 : share > 1 ? share : 1, &s);
    return fv__lower_step(l, &s);
}

/* Rows of outputs for each worker, at least, where a block is cut by them: every worker then reads its own
 * part of x. Smaller images are cut by channels. */
#define FV_SPLIT_ROWS 8

/* Rows of outputs of the part that has most. */
static int rows_of(const fv_conv_args *g)
{
    return (g->out_h + g->step_h - 1) / g->step_h;
}

/* One step of n parts, from operand x with weights and bias (-1: none). */
static fv_status lower_parts(fv_lower *l, fv_conv_args *part, int n, bool zeros, int weights, int bias)
{
    fv_conv_parts parts = {.part = part, .n = n, .zeros = zeros};
    double products = 0;
    for (int p = 0; p < n; p++)
        products += fv__conv_products(&part[p]);
    const bool splits = fv__lower_splits(l, 2 * products);
    const bool padded = part->kh > 1 || part->kw > 1; /* what a worker stages should be its own too */
    parts.by_rows = splits && (rows_of(part) >= FV_SPLIT_ROWS * l->n_workers || padded || part->groups > 1);
    parts.rows = rows_of(part);
    FV_TRY(complete_parts(l, part, n));
    fv_step_spec s = {.kernel = FV_KERNEL_conv,
                      .domain = FV_PER_BLOCK,
                      .args = fv__lower_args(l, &parts, sizeof parts),
                      .n_operands = bias >= 0 ? 4 : 3,
                      .operand = {l->out, l->in[0], weights, bias},
                      .access = {FV_WRITE, FV_READ, FV_READ, FV_READ},
                      .scratch_floats = staging_floats(part),
                      .flops = 2 * products,
                      .bytes = fv__conv_bytes(l->in_shape[0], l->out_shape)};
    fv__lower_split(l, s.flops, parts.by_rows ? parts.rows : part->o, parts.by_rows ? 1 : 48, &s);
    return s.args ? fv__lower_step(l, &s) : FV_ERR_MEMORY;
}

fv_status fv__conv_lower(fv_lower *l)
{
    const fv_conv_args g = fv__conv_forward_args(l->attrs, l->in_shape[0], l->in_shape[1], l->out_shape);
    const int bias = l->n_inputs > 2 ? l->in[2] : -1;
    if (fv__conv_winograd_pays(l, &g))
        return lower_winograd(l, g, bias, false);
    if (fv__conv_pixels_pays(&g))
        return fv__conv_lower_pixels(l, &g, false, l->in[1], bias);
    fv_conv_args *const part = fv__lower_args(l, &g, sizeof g);
    return part ? lower_parts(l, part, 1, false, l->in[1], bias) : FV_ERR_MEMORY;
}

/* In groups a vector of 16 outputs would see several groups of inputs. */
bool fv__conv_fits_c16(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)in, (void)out;
    return ((const fv_conv_attrs *)attrs)->groups == 1;
}

fv_status fv__conv_lower_c16(fv_lower *l)
{
    const fv_conv_args g = fv__conv_forward_args(l->attrs, l->in_shape[0], l->in_shape[1], l->out_shape);
    return fv__c16_lower_conv(l, &g, fv__conv_winograd_pays(l, &g) ? FV_C16_WINOGRAD : FV_C16_CONV);
}

/* The phases of dx in one direction that a tap reaches. A stride may be longer than the kernel, and leave
 * most without. */
static fv_status find_phases(fv_lower *l, int d, const fv_flip_phase **out, int *n)
{
    const fv_conv_attrs *const a = l->attrs;
    const int kernel = l->in_shape[1].dim[2 + d], most = kernel < a->stride[d] ? kernel : a->stride[d];
    fv_flip_phase *const phases = fv__arena_alloc(l->arena, (size_t)most, sizeof *phases);
    if (!phases)
        return FV_ERR_MEMORY;
    *n = 0;
    for (int p = 0; p < a->stride[d] && *n < most; p++) {
        const fv_flip_phase phase = fv__flip_phase(p, kernel, a->stride[d], a->pad[d], a->dilation[d]);
        if (phase.n > 0)
            phases[(*n)++] = phase;
    }
    *out = phases;
    return FV_OK;
}

/* One phase of dx: pixels (v.p + m * stride, h.p + n * stride), as a convolution of dy. */
static fv_conv_args part_of(const fv_lower *l, fv_flip_phase v, fv_flip_phase h, int64_t weights)
{
    const fv_conv_attrs *const a = l->attrs;
    const fv_shape dy = l->in_shape[0], dx = l->out_shape;
    return (fv_conv_args){.groups = a->groups,
                          .i = dy.dim[0] / a->groups,
                          .h = dy.dim[1],
                          .w = dy.dim[2],
                          .o = dx.dim[0] / a->groups,
                          .oh = (dx.dim[1] - v.p + a->stride[0] - 1) / a->stride[0],
                          .ow = (dx.dim[2] - h.p + a->stride[1] - 1) / a->stride[1],
                          .kh = v.n,
                          .kw = h.n,
                          .stride_h = 1,
                          .stride_w = 1,
                          .dilation_h = v.dilation,
                          .dilation_w = h.dilation,
                          .pad_h = (v.n - 1) * v.dilation - v.base,
                          .pad_w = (h.n - 1) * h.dilation - h.base,
                          .out_h = dx.dim[1],
                          .out_w = dx.dim[2],
                          .first_h = v.p,
                          .first_w = h.p,
                          .step_h = a->stride[0],
                          .step_w = a->stride[1],
                          .weights = weights};
}

/* The first pixels' phase, whether a tap reaches it or not. */
static fv_conv_args first_part(const fv_lower *l)
{
    const fv_conv_attrs *const a = l->attrs;
    const fv_shape w = l->in_shape[1];
    return part_of(l, fv__flip_phase(0, w.dim[2], a->stride[0], a->pad[0], a->dilation[0]),
                   fv__flip_phase(0, w.dim[3], a->stride[1], a->pad[1], a->dilation[1]), 0);
}

/* dx of the packed weights. A stride may be longer than the image: then phases lie outside of it. */
static fv_status lower_phases(fv_lower *l, const fv_flip_args *flip, int packed)
{
    const fv_conv_attrs *const a = l->attrs;
    const fv_chw dx = fv__shape_chw(l->out_shape);
    const int64_t n_h = a->stride[0] < dx.h ? a->stride[0] : dx.h,
                  n_w = a->stride[1] < dx.w ? a->stride[1] : dx.w;
    fv_conv_args *const part =
        fv__arena_alloc(l->arena, (size_t)flip->n_rows * (size_t)flip->n_columns + 1, sizeof *part);
    int64_t weights = 0;
    int n = 0;
    if (!part)
        return FV_ERR_MEMORY;
    for (const fv_flip_phase *v = flip->rows; v < flip->rows + flip->n_rows; v++)
        for (const fv_flip_phase *h = flip->columns; h < flip->columns + flip->n_columns; h++) {
            if (v->p < n_h && h->p < n_w)
                part[n++] = part_of(l, *v, *h, weights);
            weights += (int64_t)flip->groups * flip->o * flip->i * v->n * h->n;
        }
    const bool zeros = n < n_h * n_w;
    if (n == 0) { /* windows see nothing of the image but its padding */
        *part = first_part(l);
        part->kh = part->kw = part->pad_h = part->pad_w = 0;
        n = 1;
    }
    if (n == 1 && part->first_h == 0 && part->first_w == 0 && fv__conv_pixels_pays(part))
        return fv__conv_lower_pixels(l, part, zeros, packed, -1);
    return lower_parts(l, part, n, zeros, packed, -1);
}

fv_status fv__conv_lower_dx(fv_lower *l)
{
    const fv_shape w = l->in_shape[1];
    const int groups = ((const fv_conv_attrs *)l->attrs)->groups;
    const fv_conv_args first = first_part(l);
    if (first.kh > 0 && first.kw > 0 && fv__conv_winograd_pays(l, &first))
        return lower_winograd(l, first, -1, true);
    fv_flip_args flip = {
        .groups = groups, .o = w.dim[0] / groups, .i = w.dim[1], .kh = w.dim[2], .kw = w.dim[3]};
    FV_TRY(find_phases(l, 0, &flip.rows, &flip.n_rows));
    FV_TRY(find_phases(l, 1, &flip.columns, &flip.n_columns));
    const fv_flip_args *const args = fv__lower_args(l, &flip, sizeof flip);
    int packed;
    if (!args)
        return FV_ERR_MEMORY;
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_BATCH, fv__shape_count(w), &packed));
    fv_step_spec pack = {.kernel = FV_KERNEL_pack_flip,
                         .domain = FV_PER_RANGE,
                         .args = args,
                         .n_operands = 2,
                         .operand = {packed, l->in[1]},
                         .access = {FV_WRITE, FV_READ},
                         .units = l->out_shape.dim[0],
                         .grain = 8,
                         .bytes = 8.0 * (double)fv__shape_count(w)};
    FV_TRY(fv__lower_step(l, &pack));
    return lower_phases(l, &flip, packed);
}

/* Few channels: block by block, images side by side. */
fv_status fv__conv_lower_dw_blocks(fv_lower *l, fv_conv_args conv)
{
    const fv_conv_args *g;
    FV_TRY(make_args(l, conv, &g));
    return fv__lower_sharded(l, FV_KERNEL_conv_dw, g, sizeof *g, staging_floats(g), 2 * fv__conv_products(g),
                             fv__conv_bytes(l->in_shape[0], l->in_shape[1]));
}
