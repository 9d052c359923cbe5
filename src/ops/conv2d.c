/* conv2d.c - two-dimensional convolution (cross-correlation, as the lectures and PyTorch have it), and its
 * gradients.
 *
 *   y[o][oy][ox] = sum over i, ky, kx of w[o][i][ky][kx] * x[i][oy*s + ky*d - p][ox*s + kx*d - p] + b[o]
 *
 * x [i][h][w], w [o][i][kh][kw], b [o], y [o][oh][ow], oh = floor((h + 2p - (kh - 1) d - 1) / s) + 1; outside
 * of x are zeros. With g groups, outputs and inputs are cut into g equal parts, and each part of the outputs
 * sees its part of the inputs alone: w [o][i/g][kh][kw], as PyTorch has it. Gradients (lecture "Convolutional
 * network", slide "gradient of convolution layer"):
 *
 *   dx = dy convolved with w turned around, with zeros around dy
 *   dw[o][i][ky][kx] = sum over images, oy, ox of dy[o][oy][ox] * x[i][oy*s + ky*d - p][ox*s + kx*d - p] */
#include "ops/layer_shapes.h"
#include "ops/conv2d.h"
#include "ops/window.h"

#include <string.h>

/* The last is of the gradients alone: the harness sets it by words too. A model text cannot name them. */
static const fv_attr_spec specs[] = {
    {"stride", FV_ATTR_PAIR, offsetof(fv_conv_attrs, stride), 1, 1024, 1},
    {"pad", FV_ATTR_PAIR, offsetof(fv_conv_attrs, pad), 0, 1024, 0},
    {"dilation", FV_ATTR_PAIR, offsetof(fv_conv_attrs, dilation), 1, 1024, 1},
    {"groups", FV_ATTR_INT, offsetof(fv_conv_attrs, groups), 1, FV_MAX_DIM, 1},
    {"size", FV_ATTR_PAIR, offsetof(fv_conv_attrs, size), 1, FV_MAX_DIM, 1},
};

/* The sizes of y from those of x [c][h][w] and weights [o][i][kh][kw]. */
static fv_status window_check(const fv_infer *q, fv_shape x, fv_shape w, int out[2])
{
    const fv_conv_attrs *const a = q->attrs;
    const fv_window_words words = {.kernel = {2, {w.dim[2], w.dim[3]}},
                                   .stride = {2, {a->stride[0], a->stride[1]}},
                                   .pad = {2, {a->pad[0], a->pad[1]}},
                                   .dilation = {2, {a->dilation[0], a->dilation[1]}}};
    fv_axis at[FV_AXES];
    FV_TRY(fv__window_check(q->ctx, &words, x, q->what, at));
    out[0] = at[FV_HEIGHT].out;
    out[1] = at[FV_WIDTH].out;
    return fv__window_check_sum(q->ctx, at, 2, w.dim[1], q->what);
}

static fv_status infer(fv_infer *q)
{
    const fv_conv_attrs *const a = q->attrs;
    const fv_shape x = q->input[0]->shape, w = q->input[1]->shape;
    char text[FV_SHAPE_TEXT];
    if (x.rank != 3)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected an image (channels x height x width), found %s",
                        q->what, fv__shape_text(x, text));
    if (x.dim[0] % a->groups || w.dim[0] % a->groups)
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: groups=%d has to divide the channels, but %d come in and %d go out", q->what,
                        a->groups, x.dim[0], w.dim[0]);
    if (w.rank != 4 || w.dim[1] != x.dim[0] / a->groups)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected weights for %d input channels, found %s", q->what,
                        x.dim[0] / a->groups, fv__shape_text(w, text));
    if (q->n_inputs > 2 && (q->input[2]->shape.rank != 1 || q->input[2]->shape.dim[0] != w.dim[0]))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a bias of %d, found %s", q->what, w.dim[0],
                        fv__shape_text(q->input[2]->shape, text));
    int out[2];
    FV_TRY(window_check(q, x, w, out));
    q->out = FV_SHAPE(w.dim[0], out[0], out[1]);
    return FV_OK;
}

/* dy is what x and the weights would make. */
static fv_status check_gradient(const fv_infer *q, fv_shape dy, fv_shape x, fv_shape w)
{
    char found[FV_SHAPE_TEXT], expected[FV_SHAPE_TEXT];
    int out[2];
    FV_TRY(window_check(q, x, w, out));
    const fv_shape y = FV_SHAPE(w.dim[0], out[0], out[1]);
    if (!fv__shape_equal(dy, y))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a gradient of %s, found %s", q->what,
                        fv__shape_text(y, expected), fv__shape_text(dy, found));
    return FV_OK;
}

static fv_status infer_dx(fv_infer *q)
{
    const fv_conv_attrs *const a = q->attrs;
    const fv_shape dy = q->input[0]->shape, w = q->input[1]->shape;
    q->out = FV_SHAPE(w.dim[1] * a->groups, a->size[0], a->size[1]);
    return check_gradient(q, dy, q->out, w);
}

static fv_status infer_dw(fv_infer *q)
{
    const fv_conv_attrs *const a = q->attrs;
    const fv_shape dy = q->input[0]->shape, x = q->input[1]->shape;
    q->out = FV_SHAPE(dy.dim[0], x.dim[0] / a->groups, a->size[0], a->size[1]);
    return check_gradient(q, dy, x, q->out);
}

static fv_status grad(fv_grad *g)
{
    fv_conv_attrs a = *(const fv_conv_attrs *)g->node->attrs;
    const int x = g->node->input[0], w = g->node->input[1];
    if (g->wanted[0]) {
        memcpy(a.size, &g->graph->tensors[x].shape.dim[1], sizeof a.size);
        FV_TRY(
            fv__grad_node(g, &fv_op_conv2d_dx, "dx", &a, 2, (int[]){g->dy, w}, FV_ROLE_VALUE, -1, &g->dx[0]));
    }
    if (g->wanted[1]) {
        memcpy(a.size, &g->graph->tensors[w].shape.dim[2], sizeof a.size);
        FV_TRY(fv__grad_node(g, &fv_op_conv2d_dw, "dw", &a, 2, (int[]){g->dy, x}, FV_ROLE_GRADIENT, w,
                             &g->dx[1]));
    }
    if (g->node->n_inputs > 2 && g->wanted[2])
        FV_TRY(fv__grad_node(g, &fv_op_bias_db, "db", NULL, 1, (int[]){g->dy}, FV_ROLE_GRADIENT,
                             g->node->input[2], &g->dx[2]));
    return FV_OK;
}

/* What one weight does in one row of outputs: it multiplies x[k * stride] for y[k], k from 0 to n - 1. */
typedef struct row {
    double *w, *x, *y;
    int n, stride;
} row;

static void to_y(row r)
{
    if (r.stride == 1)
        for (int k = 0; k < r.n; k++)
            r.y[k] += *r.w * r.x[k];
    else
        for (int k = 0; k < r.n; k++)
            r.y[k] += *r.w * r.x[(int64_t)k * r.stride];
}

static void to_x(row r)
{
    for (int k = 0; k < r.n; k++)
        r.x[(int64_t)k * r.stride] += *r.w * r.y[k];
}

static void to_w(row r)
{
    double sum = 0;
    for (int k = 0; k < r.n; k++)
        sum += r.y[k] * r.x[(int64_t)k * r.stride];
    *r.w += sum;
}

/* The outputs o for which o * stride + offset lies in 0..n-1. */
typedef struct range {
    int begin, end;
} range;

static range inside(int n, int n_out, int stride, int offset)
{
    const int begin = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
    const int end = n - 1 - offset < 0 ? 0 : (n - 1 - offset) / stride + 1;
    return (range){begin, end < n_out ? end : n_out};
}

typedef struct operands {
    double *y, *w, *x; /* of one image */
    fv_shape y_shape, w_shape, x_shape;
} operands;

/* Calls `visit` for all rows of one weight's channels; the weight stands at (ky, kx) of its window. */
static void rows_of_weight(const fv_conv_attrs *a, const operands *v, int ky, int kx, row r,
                           void (*visit)(row r))
{
    const int dy = ky * a->dilation[0] - a->pad[0], dx = kx * a->dilation[1] - a->pad[1];
    const range rows = inside(v->x_shape.dim[1], v->y_shape.dim[1], a->stride[0], dy);
    const range columns = inside(v->x_shape.dim[2], v->y_shape.dim[2], a->stride[1], dx);
    double *const x = r.x, *const y = r.y;
    r.n = columns.end - columns.begin;
    r.stride = a->stride[1];
    for (int oy = rows.begin; oy < rows.end && r.n > 0; oy++) {
        const int64_t iy = (int64_t)oy * a->stride[0] + dy, ix = (int64_t)columns.begin * a->stride[1] + dx;
        r.x = x + iy * v->x_shape.dim[2] + ix;
        r.y = y + (int64_t)oy * v->y_shape.dim[2] + columns.begin;
        visit(r);
    }
}

/* All products of the sum, weight by weight (o, i, ky, kx) and row by row; the three references share it. i
 * counts within the group. */
static void each_row(const fv_conv_attrs *a, const operands *v, void (*visit)(row r))
{
    const int n = v->w_shape.dim[1], outputs = v->y_shape.dim[0] / a->groups;
    const int64_t x_pixels = (int64_t)v->x_shape.dim[1] * v->x_shape.dim[2];
    const int64_t y_pixels = (int64_t)v->y_shape.dim[1] * v->y_shape.dim[2];
    double *w = v->w;
    for (int o = 0; o < v->y_shape.dim[0]; o++)
        for (int i = 0; i < n; i++)
            for (int ky = 0; ky < v->w_shape.dim[2]; ky++)
                for (int kx = 0; kx < v->w_shape.dim[3]; kx++) {
                    const row r = {
                        .w = w++, .x = v->x + (o / outputs * n + i) * x_pixels, .y = v->y + o * y_pixels};
                    rows_of_weight(a, v, ky, kx, r, visit);
                }
}

static void ref(const fv_ref *r)
{
    const int64_t in = fv__shape_count(r->in_shape[0]), out = fv__shape_count(r->out_shape);
    const int64_t pixels = out / r->out_shape.dim[0];
    for (int n = 0; n < r->n; n++) {
        const operands v = {r->out + n * out, (double *)r->in[1], (double *)r->in[0] + n * in,
                            r->out_shape,     r->in_shape[1],     r->in_shape[0]};
        for (int64_t k = 0; k < out; k++)
            v.y[k] = r->n_inputs > 2 ? r->in[2][k / pixels] : 0.0;
        each_row(r->attrs, &v, to_y);
    }
}

static void ref_dx(const fv_ref *r)
{
    const int64_t in = fv__shape_count(r->in_shape[0]), out = fv__shape_count(r->out_shape);
    memset(r->out, 0, (size_t)(r->n * out) * sizeof *r->out);
    for (int n = 0; n < r->n; n++) {
        const operands v = {(double *)r->in[0] + n * in,
                            (double *)r->in[1],
                            r->out + n * out,
                            r->in_shape[0],
                            r->in_shape[1],
                            r->out_shape};
        each_row(r->attrs, &v, to_x);
    }
}

static void ref_dw(const fv_ref *r)
{
    const int64_t dy = fv__shape_count(r->in_shape[0]), x = fv__shape_count(r->in_shape[1]);
    memset(r->out, 0, (size_t)fv__shape_count(r->out_shape) * sizeof *r->out);
    for (int n = 0; n < r->n; n++) {
        const operands v = {(double *)r->in[0] + n * dy,
                            r->out,
                            (double *)r->in[1] + n * x,
                            r->in_shape[0],
                            r->out_shape,
                            r->in_shape[1]};
        each_row(r->attrs, &v, to_w);
    }
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_conv_args g = fv__conv_forward_args(attrs, in[0], in[1], out);
    return (fv_cost){.flops = 2 * fv__conv_products(&g), .bytes = fv__conv_bytes(in[0], out)};
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_conv_args g = fv__conv_forward_args(attrs, out, in[1], in[0]);
    return (fv_cost){.flops = 2 * fv__conv_products(&g), .bytes = fv__conv_bytes(in[0], out)};
}

static fv_cost cost_dw(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_conv_args g = fv__conv_forward_args(attrs, in[1], out, in[0]);
    return (fv_cost){.flops = 2 * fv__conv_products(&g), .bytes = fv__conv_bytes(in[0], in[1])};
}

/* batch, x, w, (bias): odd channels, odd sizes, images smaller than the window, wide strides, LeNet-5's own
 */
static const fv_case cases[] = {
    {1, {{3, {1, 1, 1}}, {4, {1, 1, 1, 1}}}, ""},
    {16, {{3, {1, 5, 5}}, {4, {1, 1, 3, 3}}, {1, {1}}}, ""},
    {17, {{3, {3, 7, 6}}, {4, {5, 3, 3, 2}}, {1, {5}}}, "stride=2 pad=1"},
    {15, {{3, {5, 4, 9}}, {4, {17, 5, 1, 1}}, {1, {17}}}, ""},
    {16, {{3, {17, 3, 3}}, {4, {3, 17, 5, 5}}, {1, {3}}}, "pad=2"},
    {2, {{3, {2, 2, 3}}, {4, {2, 2, 4, 4}}, {1, {2}}}, "pad=1x2"},
    {33, {{3, {3, 8, 8}}, {4, {4, 3, 1, 1}}, {1, {4}}}, "stride=2"},
    {5, {{3, {1, 9, 11}}, {4, {6, 1, 3, 5}}, {1, {6}}}, "stride=3x2 pad=2x1"},
    {16, {{3, {2, 6, 6}}, {4, {8, 2, 1, 3}}, {1, {8}}}, "pad=0x1"},
    {16, {{3, {2, 6, 6}}, {4, {7, 2, 3, 1}}, {1, {7}}}, "pad=1x0"},
    {3, {{3, {1, 6, 6}}, {4, {2, 1, 3, 3}}, {1, {2}}}, "pad=4"},
    {16, {{3, {1, 28, 28}}, {4, {6, 1, 5, 5}}, {1, {6}}}, "pad=2"},
    {20, {{3, {6, 14, 14}}, {4, {16, 6, 5, 5}}, {1, {16}}}, ""},
    {17, {{3, {3, 9, 8}}, {4, {5, 3, 3, 2}}, {1, {5}}}, "dilation=2x3 pad=1"},
    {5, {{3, {2, 6, 9}}, {4, {3, 2, 3, 3}}, {1, {3}}}, "stride=3x2 dilation=2x4 pad=2x5"},
    {16, {{3, {6, 5, 5}}, {4, {4, 3, 3, 3}}, {1, {4}}}, "groups=2 pad=1"},
    {19, {{3, {5, 6, 11}}, {4, {5, 1, 3, 3}}, {1, {5}}}, "groups=5 pad=1"},
    {16, {{3, {3, 7, 7}}, {4, {6, 1, 3, 5}}, {1, {6}}}, "groups=3 stride=2 pad=1x2 dilation=1x2"},
    {3, {{3, {34, 3, 4}}, {4, {17, 2, 2, 1}}, {1, {17}}}, "groups=17"},
    {17, {{3, {20, 9, 8}}, {4, {33, 20, 3, 2}}, {1, {33}}}, "stride=2 pad=1"},
    {2, {{3, {70, 9, 11}}, {4, {34, 70, 3, 3}}}, "stride=2 pad=2"},
    {3, {{3, {600, 5, 5}}, {4, {40, 600, 1, 1}}, {1, {40}}}, "stride=2 pad=1"},
};

/* dy, w */
static const fv_case dx_cases[] = {
    {16, {{3, {1, 3, 3}}, {4, {1, 1, 3, 3}}}, "size=5x5"},
    {17, {{3, {5, 4, 4}}, {4, {5, 3, 3, 2}}}, "stride=2 pad=1 size=7x6"},
    {3, {{3, {2, 12, 12}}, {4, {2, 1, 3, 3}}}, "pad=4 size=6x6"},
    {16, {{3, {5, 4, 4}}, {4, {5, 3, 1, 1}}}, "stride=2 size=8x7"},
    {20, {{3, {4, 3, 4}}, {4, {4, 7, 3, 5}}}, "stride=3x2 pad=2x1 size=6x9"},
    {5, {{3, {2, 2, 2}}, {4, {2, 3, 2, 2}}}, "stride=4 size=7x6"},
    {3, {{3, {2, 3, 1}}, {4, {2, 2, 3, 3}}}, "stride=2x5 pad=2 size=4x2"},
    {16, {{3, {16, 10, 10}}, {4, {16, 6, 5, 5}}}, "size=14x14"},
    {17, {{3, {5, 7, 7}}, {4, {5, 3, 3, 2}}}, "dilation=2x3 pad=1 size=9x8"},
    {5, {{3, {2, 3, 4}}, {4, {2, 3, 3, 3}}}, "stride=2x4 dilation=2x2 pad=1x2 size=7x14"},
    {3, {{3, {2, 2, 3}}, {4, {2, 2, 2, 3}}}, "stride=6x4 dilation=4x6 pad=3x5 size=7x12"},
    {16, {{3, {6, 5, 5}}, {4, {6, 2, 3, 3}}}, "groups=2 pad=1 size=5x5"},
    {19, {{3, {10, 3, 6}}, {4, {10, 1, 3, 3}}}, "groups=5 stride=2 pad=1 size=6x11"},
    {16, {{3, {7, 6, 9}}, {4, {7, 1, 3, 3}}}, "groups=7 pad=1 size=6x9"},
    {17, {{3, {600, 3, 4}}, {4, {600, 35, 1, 1}}}, "stride=2x3 size=6x11"},
    {16, {{3, {40, 4, 5}}, {4, {40, 33, 3, 2}}}, "size=6x6"},
};

/* dy, x */
static const fv_case dw_cases[] = {
    {16, {{3, {1, 3, 3}}, {3, {1, 5, 5}}}, "size=3x3"},
    {150, {{3, {5, 4, 4}}, {3, {3, 7, 6}}}, "stride=2 pad=1 size=3x2"},
    {257, {{3, {3, 4, 4}}, {3, {7, 4, 4}}}, "size=1x1"},
    {40, {{3, {6, 28, 28}}, {3, {1, 28, 28}}}, "pad=2 size=5x5"},
    {17, {{3, {5, 4, 4}}, {3, {17, 7, 6}}}, "stride=2 pad=1 size=3x2"},
    {40, {{3, {7, 9, 9}}, {3, {33, 9, 9}}}, "pad=1 size=3x3"},
    {20, {{3, {50, 3, 3}}, {3, {16, 3, 3}}}, "size=1x1"},
    {3, {{3, {2, 6, 40}}, {3, {200, 6, 40}}}, "size=1x1"},
    {17, {{3, {5, 7, 7}}, {3, {3, 9, 8}}}, "dilation=2x3 pad=1 size=3x2"},
    {20, {{3, {7, 3, 4}}, {3, {20, 9, 9}}}, "dilation=3x2 stride=2 pad=1 size=3x3"},
    {40, {{3, {10, 5, 5}}, {3, {6, 5, 5}}}, "groups=2 pad=1 size=3x3"},
    {19, {{3, {66, 3, 3}}, {3, {34, 3, 3}}}, "groups=2 pad=1 size=3x3"},
    {19, {{3, {33, 5, 6}}, {3, {3, 9, 12}}}, "stride=2 pad=2 size=5x5"},
    {40, {{3, {50, 3, 40}}, {3, {8, 5, 44}}}, "dilation=1x2 size=3x3"},
    {33, {{3, {40, 40, 5}}, {3, {20, 79, 9}}}, "stride=2 size=1x1"},
    {150, {{3, {10, 3, 6}}, {3, {5, 6, 11}}}, "groups=5 stride=2 pad=1 size=3x3"},
    {17, {{3, {7, 4, 8}}, {3, {7, 6, 14}}}, "groups=7 size=2x4 dilation=2"},
};

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static fv_shape weights_shape(fv_layer_shapes *q)
{
    const fv_conv_attrs *const a = q->attrs;
    const int channels = q->in.dim[0], seen = channels < a->groups ? 1 : channels / a->groups;
    return FV_SHAPE(q->count, seen, q->window[0], q->window[1]); /* the node checks the groups */
}

static const fv_parameter_spec parameters[] = {FV_WEIGHTS(weights_shape), FV_BIAS(fv__shape_per_output)};

static const fv_layer_kind layers[] = {{
    .word = "conv",
    .help = "convolution with a bias",
    .op = &fv_op_conv2d,
    .slot = {{FV_SLOT_NAME, "NAME"}, {FV_SLOT_COUNT, "CHANNELS"}, {FV_SLOT_WINDOW, "KERNEL"}},
    .reads = FV_READS_IMAGE,
    FV_PARAMETERS(parameters),
}};

const fv_op fv_op_conv2d = {
    .name = "conv2d",
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 3,
    .n_optional = 1,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER, FV_ROLE_PARAMETER},
    .attr_bytes = sizeof(fv_conv_attrs),
    .attrs = specs,
    .n_attrs = COUNT(specs) - 1,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = fv__conv_lower,
    .lower_c16 = fv__conv_lower_c16,
    .fits_c16 = fv__conv_fits_c16,
    .epilogue = FV_EPILOGUE(FV_FINISH_RELU),
    .epilogue_c16 =
        FV_EPILOGUE(FV_FINISH_AFFINE) | FV_EPILOGUE(FV_FINISH_RESIDUAL) | FV_EPILOGUE(FV_FINISH_RELU),
    .cost = cost,
    .cases = cases,
    .n_cases = COUNT(cases),
    FV_LAYERS(layers),
};

const fv_op fv_op_conv2d_dx = {
    .name = "conv2d_dx",
    .family = "conv2d",
    .part = FV_PART_DATA,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER},
    .attr_bytes = sizeof(fv_conv_attrs),
    .attrs = specs,
    .n_attrs = COUNT(specs),
    .no_gradient = true,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = fv__conv_lower_dx,
    .cost = cost_dx,
    .cases = dx_cases,
    .n_cases = COUNT(dx_cases),
};

const fv_op fv_op_conv2d_dw = {
    .name = "conv2d_dw",
    .family = "conv2d",
    .part = FV_PART_WEIGHTS,
    .out = FV_ROLE_GRADIENT,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .attr_bytes = sizeof(fv_conv_attrs),
    .attrs = specs,
    .n_attrs = COUNT(specs),
    .no_gradient = true,
    .infer = infer_dw,
    .ref = ref_dw,
    .lower = fv__conv_lower_dw,
    .cost = cost_dw,
    .cases = dw_cases,
    .n_cases = COUNT(dw_cases),
};
