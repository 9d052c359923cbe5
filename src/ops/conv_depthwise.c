/* conv_depthwise.c - convolutions of which every output channel reads one input channel: whether the kernels
 * of depthwise.inc do a shape, and their steps. By shape alone. */
#include "ops/conv.h"

#include <string.h>

/* Whether the last output's window begins within x, which tiles rely on; of a data gradient (from dy to dx)
 * the last pixel's. */
static bool ends_inside(const fv_axis *row, bool back)
{
    const int last = back ? (row->in - 1 + row->before) / row->stride - (row->window - 1) / row->stride
                          : (row->out - 1) * row->stride - row->before;
    return last < (back ? row->out : row->in);
}

/* Dense rows of 3, 5 or 7 taps, the last without a stride. */
bool fv__depthwise_can(const fv_conv_task *task)
{
    const fv_conv_args *const conv = task->forward ? task->forward : task->part;
    const fv_axis *const row = &conv->at[FV_WIDTH];
    return conv->groups > 1 && conv->i == 1 && (!task->forward || conv->o == 1) &&
           (row->window == 3 || row->window == 5 || (row->window == 7 && row->stride == 1)) &&
           row->stride <= 2 && row->dilation == 1 && row->before >= 0 && row->before < row->window &&
           ends_inside(row, task->forward != NULL);
}

static fv_depthwise_args args_of(const fv_conv_args *conv, bool back)
{
    fv_depthwise_args g = {.channels = conv->groups * conv->o, .multiplier = conv->o, .back = back};
    memcpy(g.at, conv->at, sizeof g.at);
    return g;
}

/* Output k reads rows k * stride + tap * dilation - before, in the order of the taps. */
static void span_forward(const fv_axis *a, int k, fv_depthwise_span *s)
{
    const int64_t top = (int64_t)k * a->stride - a->before;
    for (int tap = 0; tap < a->window; tap++) {
        const int64_t row = top + (int64_t)tap * a->dilation;
        if (row < 0 || row >= a->in)
            continue;
        if (s->n++ == 0)
            s->row = (int)row, s->tap = tap;
    }
}

/* Row k of x was read by the rows of outputs (k + before - tap * dilation) / stride: in their order, so from
 * the last tap to the first. */
static void span_back(const fv_axis *a, int k, fv_depthwise_span *s)
{
    for (int tap = a->window - 1; tap >= 0; tap--) {
        const int64_t from = (int64_t)k + a->before - (int64_t)tap * a->dilation;
        if (from < 0 || from % a->stride != 0 || from / a->stride >= a->out)
            continue;
        if (s->n++ == 0)
            s->row = (int)(from / a->stride), s->tap = tap;
    }
}

static fv_status make_spans(fv_lower *l, const fv_axis *a, bool back, fv_depthwise_spans *out)
{
    int common = a->stride, rest = a->dilation; /* the greatest divisor of both */
    while (rest > 0) {
        const int next = common % rest;
        common = rest;
        rest = next;
    }
    *out = (fv_depthwise_spans){.n = back ? a->in : a->out, .row_step = a->dilation, .tap_step = 1};
    if (back)
        out->row_step = a->dilation / common, out->tap_step = -a->stride / common;
    fv_depthwise_span *const span = fv__arena_alloc(l->arena, (size_t)out->n, sizeof *span);
    if (!span)
        return FV_ERR_MEMORY;
    for (int k = 0; k < out->n; k++) {
        span[k] = (fv_depthwise_span){0};
        if (back)
            span_back(a, k, &span[k]);
        else
            span_forward(a, k, &span[k]);
    }
    out->span = span;
    return FV_OK;
}

fv_status fv__depthwise_lower(fv_lower *l, const fv_conv_task *task)
{
    const bool back = task->forward != NULL;
    const fv_conv_args *const conv = back ? task->forward : task->part;
    fv_depthwise_args g = args_of(conv, back);
    FV_TRY(make_spans(l, &g.at[FV_DEPTH], back, &g.z));
    FV_TRY(make_spans(l, &g.at[FV_HEIGHT], back, &g.y));
    fv_step_spec s = {.kernel = FV_KERNEL_depthwise,
                      .domain = FV_PER_BLOCK,
                      .args = fv__lower_args(l, &g, sizeof g),
                      .n_operands = task->bias >= 0 ? 4 : 3,
                      .operand = {l->out, l->in[0], task->weights, task->bias},
                      .access = {FV_WRITE, FV_READ, FV_READ, FV_READ},
                      .flops = 2 * fv__conv_products(conv),
                      .bytes = fv__conv_bytes(l->in_shape[0], l->out_shape)};
    fv__lower_split(l, s.flops, g.channels, 1, &s);
    return fv__lower_step(l, &s);
}

fv_status fv__depthwise_lower_dw(fv_lower *l, const fv_conv_task *task)
{
    const fv_depthwise_args g = args_of(task->part, false);
    return fv__lower_sharded(l, FV_KERNEL_depthwise_dw, &g, sizeof g, (size_t)g.at[FV_WIDTH].in * FV_LANES,
                             2 * fv__conv_products(task->part),
                             fv__conv_bytes(l->in_shape[0], l->in_shape[1]));
}
