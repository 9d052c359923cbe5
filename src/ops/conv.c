/* conv.c - convolution (cross-correlation, as in the lectures and PyTorch) in one, two and three directions,
 * and its gradients.
 *
 *   y[o][p] = sum over i and taps k of w[o][i][k] * x[i][p*s + k*d - pad] + b[o]
 *
 * with p and k in every direction: x [i][w], [i][h][w] or [i][depth][h][w], w [o][i] and a window of as many
 * directions, b [o], y [o] and in each direction out = floor((in + 2 pad - (k - 1) d - 1) / s) + 1. Outside
 * of x are zeros, or the values of `border` (border.c has the modes). With g groups, outputs and inputs are
 * cut into g equal parts, and each part of the outputs reads only its part of the inputs: w [o][i/g][k], as
 * in PyTorch. Gradients (lecture "Convolutional network", slide "gradient of convolution layer"):
 *
 *   dx = dy convolved with w flipped, with zeros around dy; a border folds it back (conv_border.c)
 *   dw[o][i][k] = sum over images and p of dy[o][p] * x[i][p*s + k*d - pad] */
#include "ops/conv.h"
#include "ops/layer_shapes.h"
#include "ops/window.h"

#include <string.h>

/* Only the gradients have the last attribute; the op harness also sets it by words. A model text cannot
 * name it. */
static const char *const same[] = {"same", NULL};
static const fv_attr_spec specs[] = {
    {"stride", FV_ATTR_SIZES, offsetof(fv_conv_attrs, stride), 1, 1024, 1},
    {"pad", FV_ATTR_SIZES, offsetof(fv_conv_attrs, pad), 0, 1024, 0, .choices = same},
    {"dilation", FV_ATTR_SIZES, offsetof(fv_conv_attrs, dilation), 1, 1024, 1},
    {"groups", FV_ATTR_INT, offsetof(fv_conv_attrs, groups), 1, FV_MAX_DIM, 1},
    {.word = "border",
     .type = FV_ATTR_CHOICE,
     .offset = offsetof(fv_conv_attrs, border),
     .min = -1e30,
     .max = 1e30,
     .choices = fv__border_modes},
    {"size", FV_ATTR_SIZES, offsetof(fv_conv_attrs, size), 1, FV_MAX_DIM, 1},
};

fv_window_words fv__conv_words(const fv_conv_attrs *a, fv_shape w)
{
    return (fv_window_words){fv__sizes_of(w, 2), a->stride, a->pad, a->dilation};
}

/* y, from x and weights [o][i][k]. */
static fv_status infer_y(const fv_infer *q, fv_shape x, fv_shape w, fv_shape *y)
{
    fv_axis at[FV_AXES];
    const fv_window_words words = fv__conv_words(q->attrs, w);
    FV_TRY(fv__window_check(q->ctx, &words, x, q->what, at));
    FV_TRY(fv__conv_check_border(q, x.rank - 1, at));
    *y = fv__window_shape(w.dim[0], x, at);
    return fv__window_check_sum(q->ctx, at, x.rank - 1, w.dim[1], q->what);
}

static fv_status infer(fv_infer *q)
{
    const fv_conv_attrs *const a = q->attrs;
    const fv_shape x = q->input[0]->shape, w = q->input[1]->shape;
    char text[FV_SHAPE_TEXT];
    if (x.rank >= 2 && (x.dim[0] % a->groups || w.dim[0] % a->groups))
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: groups=%d has to divide the channels, but %d come in and %d go out", q->what,
                        a->groups, x.dim[0], w.dim[0]);
    if (x.rank >= 2 && (w.rank != x.rank + 1 || w.dim[1] != x.dim[0] / a->groups))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected weights for %d input channels%s, found %s",
                        q->what, x.dim[0] / a->groups,
                        w.rank != x.rank + 1 ? " and a window of as many directions as the input" : "",
                        fv__shape_text(w, text));
    if (q->n_inputs > 2 && (q->input[2]->shape.rank != 1 || q->input[2]->shape.dim[0] != w.dim[0]))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a bias of %d, found %s", q->what, w.dim[0],
                        fv__shape_text(q->input[2]->shape, text));
    return infer_y(q, x, w, &q->out);
}

/* Checks that dy has the shape of the output of x and the weights. */
static fv_status check_gradient(const fv_infer *q, fv_shape dy, fv_shape x, fv_shape w)
{
    fv_shape y;
    FV_TRY(infer_y(q, x, w, &y));
    return fv__window_expect(q->ctx, y, dy, q->what);
}

static fv_status infer_dx(fv_infer *q)
{
    const fv_conv_attrs *const a = q->attrs;
    const fv_shape dy = q->input[0]->shape, w = q->input[1]->shape;
    FV_TRY(fv__window_input(q->ctx, &a->size, dy, q->what, &q->out));
    q->out.dim[0] = w.dim[1] * a->groups;
    return check_gradient(q, dy, q->out, w);
}

static fv_status infer_dw(fv_infer *q)
{
    const fv_conv_attrs *const a = q->attrs;
    const fv_shape dy = q->input[0]->shape, x = q->input[1]->shape;
    fv_shape window;
    FV_TRY(fv__window_input(q->ctx, &a->size, x, q->what, &window));
    q->out = (fv_shape){.rank = x.rank + 1, .dim = {dy.dim[0], x.dim[0] / a->groups}};
    memcpy(&q->out.dim[2], &window.dim[1], (size_t)(x.rank - 1) * sizeof *window.dim);
    return check_gradient(q, dy, x, q->out);
}

static fv_status grad(fv_grad *g)
{
    fv_conv_attrs a = *(const fv_conv_attrs *)g->node->attrs;
    const int x = g->node->input[0], w = g->node->input[1];
    if (g->wanted[0]) {
        a.size = fv__sizes_of(g->graph->tensors[x].shape, 1);
        FV_TRY(
            fv__grad_node(g, &fv_op_conv_dx, "dx", &a, 2, (int[]){g->dy, w}, FV_ROLE_VALUE, -1, &g->dx[0]));
    }
    if (g->wanted[1]) {
        a.size = fv__sizes_of(g->graph->tensors[w].shape, 2);
        FV_TRY(
            fv__grad_node(g, &fv_op_conv_dw, "dw", &a, 2, (int[]){g->dy, x}, FV_ROLE_GRADIENT, w, &g->dx[1]));
    }
    if (g->node->n_inputs > 2 && g->wanted[2])
        FV_TRY(fv__grad_node(g, &fv_op_bias_db, "db", NULL, 1, (int[]){g->dy}, FV_ROLE_GRADIENT,
                             g->node->input[2], &g->dx[2]));
    return FV_OK;
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_conv_args conv = fv__conv_forward_args(attrs, in[0], in[1], out);
    return (fv_cost){.flops = 2 * fv__conv_products(&conv), .bytes = fv__conv_bytes(in[0], out)};
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_conv_args conv = fv__conv_forward_args(attrs, out, in[1], in[0]);
    return (fv_cost){.flops = 2 * fv__conv_products(&conv), .bytes = fv__conv_bytes(in[0], out)};
}

static fv_cost cost_dw(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_conv_args conv = fv__conv_forward_args(attrs, in[1], out, in[0]);
    return (fv_cost){.flops = 2 * fv__conv_products(&conv), .bytes = fv__conv_bytes(in[0], in[1])};
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
    {17, {{3, {3, 9, 8}}, {4, {5, 3, 4, 3}}, {1, {5}}}, "stride=2x3 pad=same"},
    {3, {{3, {33, 6, 7}}, {4, {34, 33, 3, 3}}, {1, {34}}}, "pad=same"},
    {2, {{3, {2, 3, 2}}, {4, {3, 2, 9, 9}}}, "pad=same"},
    /* signals */
    {17, {{2, {3, 23}}, {3, {5, 3, 7}}, {1, {5}}}, "stride=3 pad=2"},
    {16, {{2, {1, 40}}, {3, {8, 1, 9}}, {1, {8}}}, "pad=4"},
    {3, {{2, {20, 17}}, {3, {40, 20, 3}}, {1, {40}}}, "dilation=4 pad=same"},
    {5, {{2, {12, 19}}, {3, {12, 1, 5}}, {1, {12}}}, "groups=12 stride=2 pad=1"},
    {2, {{2, {6, 11}}, {3, {4, 3, 1}}}, "groups=2"},
    /* videos */
    {17, {{4, {3, 5, 6, 7}}, {5, {4, 3, 3, 3, 3}}, {1, {4}}}, "pad=1"},
    {3, {{4, {2, 6, 9, 8}}, {5, {3, 2, 3, 2, 4}}, {1, {3}}}, "stride=2x3x1 pad=1x0x2 dilation=2x1x1"},
    {2, {{4, {17, 4, 5, 6}}, {5, {33, 17, 2, 3, 3}}, {1, {33}}}, "pad=1"},
    {16, {{4, {4, 3, 4, 4}}, {5, {4, 1, 3, 3, 3}}, {1, {4}}}, "groups=4 pad=1"},
    {2, {{4, {2, 2, 3, 3}}, {5, {3, 2, 5, 5, 5}}}, "pad=2"},
    {4, {{4, {20, 3, 5, 5}}, {5, {40, 20, 1, 1, 1}}, {1, {40}}}, "stride=2"},
    {3, {{4, {32, 1, 8, 8}}, {5, {32, 32, 1, 3, 3}}, {1, {32}}}, "pad=0x1x1"},
    {3, {{4, {33, 3, 4, 7}}, {5, {35, 33, 3, 3, 3}}, {1, {35}}}, "pad=1"},
    {1, {{4, {32, 3, 4, 6}}, {5, {32, 32, 2, 3, 3}}}, "stride=2x1x1 dilation=2x1x1 pad=4x1x0"},
    {2, {{3, {32, 11, 14}}, {4, {33, 32, 3, 3}}, {1, {33}}}, "dilation=2x3 pad=3x2"},
    {17, {{2, {33, 18}}, {3, {35, 33, 3}}, {1, {35}}}, "pad=1"},
    {2, {{3, {32, 7, 5}}, {4, {32, 32, 3, 1}}, {1, {32}}}, "pad=2x0"},
    {3, {{4, {32, 7, 3, 2}}, {5, {34, 32, 3, 1, 1}}}, "pad=2x0x0 dilation=2x1x1"},
    {2, {{4, {33, 2, 3, 11}}, {5, {32, 33, 1, 1, 3}}, {1, {32}}}, "dilation=1x1x2"},
    /* borders */
    {17, {{3, {3, 5, 7}}, {4, {5, 3, 3, 3}}, {1, {5}}}, "pad=1 border=mirror"},
    {2, {{3, {34, 9, 6}}, {4, {33, 34, 3, 3}}, {1, {33}}}, "pad=1 border=reflect"},
    {16, {{3, {32, 8, 11}}, {4, {32, 32, 3, 3}}}, "pad=1 border=constant:-1.5"},
    {3, {{3, {33, 6, 7}}, {4, {34, 33, 3, 3}}, {1, {34}}}, "pad=2 border=modulo"},
    {3, {{3, {20, 9, 8}}, {4, {33, 20, 5, 4}}, {1, {33}}}, "stride=2x3 pad=same border=edge"},
    {2, {{3, {17, 4, 3}}, {4, {40, 17, 5, 3}}}, "pad=4x3 dilation=2x1 border=constant:2"},
    {5, {{3, {6, 6, 5}}, {4, {6, 1, 3, 3}}, {1, {6}}}, "groups=6 pad=1 border=modulo"},
    {3, {{3, {4, 7, 5}}, {4, {6, 2, 3, 3}}}, "groups=2 stride=2 pad=1x3 border=edge"},
    {2, {{2, {18, 9}}, {3, {33, 18, 5}}, {1, {33}}}, "pad=4 dilation=2 border=reflect"},
    {2, {{4, {17, 3, 4, 5}}, {5, {33, 17, 3, 3, 3}}, {1, {33}}}, "pad=1 border=mirror"},
    {3, {{4, {2, 2, 3, 3}}, {5, {3, 2, 2, 3, 3}}}, "pad=1x2x0 stride=1x2x1 border=constant:1"},
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
    {17, {{3, {5, 5, 3}}, {4, {5, 3, 4, 3}}}, "stride=2x3 pad=same size=9x8"},
    {17, {{2, {5, 7}}, {3, {5, 3, 7}}}, "stride=3 pad=2 size=23"},
    {3, {{2, {40, 17}}, {3, {40, 20, 3}}}, "dilation=4 pad=same size=17"},
    {5, {{2, {12, 9}}, {3, {12, 1, 5}}}, "groups=12 stride=2 pad=1 size=19"},
    {2, {{2, {3, 4}}, {3, {3, 2, 2}}}, "stride=5 size=20"},
    {17, {{4, {4, 5, 6, 7}}, {5, {4, 3, 3, 3, 3}}}, "pad=1 size=5x6x7"},
    {3, {{4, {3, 2, 3, 9}}, {5, {3, 2, 3, 2, 4}}}, "stride=2x3x1 pad=1x0x2 dilation=2x1x1 size=6x9x8"},
    {2, {{4, {33, 5, 5, 6}}, {5, {33, 34, 2, 3, 3}}}, "pad=1 size=4x5x6"},
    {2, {{4, {2, 2, 2, 2}}, {5, {2, 3, 2, 2, 2}}}, "stride=3 size=6x5x7"},
    {16, {{4, {4, 3, 4, 4}}, {5, {4, 1, 3, 3, 3}}}, "groups=4 pad=1 size=3x4x4"},
    {4, {{4, {40, 2, 3, 3}}, {5, {40, 20, 1, 1, 1}}}, "stride=2 size=3x5x5"},
    {3, {{4, {35, 3, 4, 7}}, {5, {35, 33, 3, 3, 3}}}, "pad=1 size=3x4x7"},
    {2, {{4, {32, 7, 4, 4}}, {5, {32, 33, 2, 3, 3}}}, "dilation=3x1x1 pad=3x1x1 size=4x4x4"},
    {2, {{3, {33, 13, 12}}, {4, {33, 32, 3, 3}}}, "dilation=2x3 pad=3x2 size=11x14"},
    {17, {{2, {35, 18}}, {3, {35, 33, 3}}}, "pad=1 size=18"},
    {3, {{4, {34, 7, 3, 2}}, {5, {34, 32, 3, 1, 1}}}, "pad=2x0x0 dilation=2x1x1 size=7x3x2"},
    /* borders */
    {17, {{3, {5, 5, 7}}, {4, {5, 3, 3, 3}}}, "pad=1 border=mirror size=5x7"},
    {2, {{3, {33, 9, 6}}, {4, {33, 34, 3, 3}}}, "pad=1 border=reflect size=9x6"},
    {16, {{3, {32, 8, 11}}, {4, {32, 32, 3, 3}}}, "pad=1 border=constant:-1.5 size=8x11"},
    {3, {{3, {34, 8, 9}}, {4, {34, 33, 3, 3}}}, "pad=2 border=modulo size=6x7"},
    {3, {{3, {33, 5, 3}}, {4, {33, 20, 5, 4}}}, "stride=2x3 pad=same border=edge size=9x8"},
    {2, {{3, {33, 4, 7}}, {4, {33, 17, 5, 3}}}, "pad=4x3 dilation=2x1 border=mirror size=4x3"},
    {5, {{3, {6, 6, 5}}, {4, {6, 1, 3, 3}}}, "groups=6 pad=1 border=modulo size=6x5"},
    {3, {{3, {6, 4, 5}}, {4, {6, 2, 3, 3}}}, "groups=2 stride=2 pad=1x3 border=edge size=7x5"},
    {2, {{2, {33, 9}}, {3, {33, 18, 5}}}, "pad=4 dilation=2 border=reflect size=9"},
    {2, {{4, {33, 3, 4, 5}}, {5, {33, 17, 3, 3, 3}}}, "pad=1 border=mirror size=3x4x5"},
    {3, {{4, {3, 3, 3, 1}}, {5, {3, 2, 2, 3, 3}}}, "pad=1x2x0 stride=1x2x1 border=edge size=2x3x3"},
    {17, {{3, {140, 1, 1}}, {4, {140, 5, 3, 4}}}, "size=3x4"}, /* dy is one pixel */
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
    {17, {{3, {5, 5, 3}}, {3, {3, 9, 8}}}, "stride=2x3 pad=same size=4x3"},
    {17, {{2, {5, 7}}, {2, {3, 23}}}, "stride=3 pad=2 size=7"},
    {40, {{2, {40, 17}}, {2, {20, 17}}}, "dilation=4 pad=same size=3"},
    {19, {{2, {12, 9}}, {2, {12, 19}}}, "groups=12 stride=2 pad=1 size=5"},
    {33, {{2, {33, 20}}, {2, {5, 32}}}, "size=13"},
    {17, {{4, {4, 5, 6, 7}}, {4, {3, 5, 6, 7}}}, "pad=1 size=3"},
    {3, {{4, {3, 2, 3, 9}}, {4, {2, 6, 9, 8}}}, "stride=2x3x1 pad=1x0x2 dilation=2x1x1 size=3x2x4"},
    {33, {{4, {9, 5, 5, 6}}, {4, {20, 4, 5, 6}}}, "pad=1 size=2x3x3"},
    {17, {{4, {40, 3, 4, 5}}, {4, {3, 3, 4, 5}}}, "pad=1 size=3"},
    {16, {{4, {4, 3, 4, 4}}, {4, {4, 3, 4, 4}}}, "groups=4 pad=1 size=3"},
    {20, {{4, {40, 2, 3, 3}}, {4, {20, 3, 5, 5}}}, "stride=2 size=1"},
    {17, {{4, {35, 3, 4, 7}}, {4, {33, 3, 4, 7}}}, "pad=1 size=3"},
    {20, {{4, {32, 5, 4, 4}}, {4, {32, 5, 4, 6}}}, "stride=2x1x1 dilation=2x1x1 pad=3x1x0 size=2x3x3"},
    {18, {{3, {33, 13, 12}}, {3, {32, 11, 14}}}, "dilation=2x3 pad=3x2 size=3"},
    /* borders */
    {17, {{3, {5, 5, 7}}, {3, {3, 5, 7}}}, "pad=1 border=mirror size=3"},
    {18, {{3, {33, 9, 6}}, {3, {34, 9, 6}}}, "pad=1 border=reflect size=3"},
    {16, {{3, {32, 8, 11}}, {3, {32, 8, 11}}}, "pad=1 border=constant:-1.5 size=3"},
    {3, {{3, {34, 8, 9}}, {3, {33, 6, 7}}}, "pad=2 border=modulo size=3"},
    {3, {{3, {33, 5, 3}}, {3, {20, 9, 8}}}, "stride=2x3 pad=same border=edge size=5x4"},
    {2, {{3, {40, 4, 7}}, {3, {17, 4, 3}}}, "pad=4x3 dilation=2x1 border=constant:2 size=5x3"},
    {5, {{3, {6, 6, 5}}, {3, {6, 6, 5}}}, "groups=6 pad=1 border=modulo size=3"},
    {3, {{3, {34, 4, 5}}, {3, {34, 7, 5}}}, "groups=2 stride=2 pad=1x3 border=edge size=3"},
    {2, {{2, {33, 9}}, {2, {18, 9}}}, "pad=4 dilation=2 border=reflect size=5"},
    {2, {{4, {33, 3, 4, 5}}, {4, {17, 3, 4, 5}}}, "pad=1 border=mirror size=3"},
    {3, {{4, {3, 3, 3, 1}}, {4, {20, 2, 3, 3}}}, "pad=1x2x0 stride=1x2x1 border=constant:1 size=2x3x3"},
};

static fv_shape weights_shape(fv_layer_shapes *q)
{
    const fv_conv_attrs *const a = q->attrs;
    const int channels = q->in.dim[0], seen = channels < a->groups ? 1 : channels / a->groups;
    const int dim[FV_MAX_RANK] = {q->count, seen, q->window[0], q->window[1], q->window[2]};
    return fv__shape(q->in.rank + 1, dim); /* the node checks the groups */
}

static const fv_parameter_spec parameters[] = {
    {.suffix = "weight", .role = FV_ROLE_PARAMETER, .shape = weights_shape, .weights = true, .table = true},
    FV_BIAS(fv__shape_per_output)};

static const fv_layer_kind layers[] = {{
    .word = "conv",
    .help = "convolution with a bias",
    .op = &fv_op_conv,
    .slot = {{FV_SLOT_NAME, "NAME"}, {FV_SLOT_COUNT, "CHANNELS"}, {FV_SLOT_WINDOW, "KERNEL"}},
    .reads = FV_READS_SEQUENCE | FV_READS_IMAGE | FV_READS_VIDEO,
    FV_PARAMETERS(parameters),
}};

const fv_op fv_op_conv = {
    .name = "conv",
    .has_window = true,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 3,
    .n_optional = 1,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER, FV_ROLE_PARAMETER},
    .attr_bytes = sizeof(fv_conv_attrs),
    .attrs = specs,
    .n_attrs = FV_COUNT(specs) - 1,
    .infer = infer,
    .grad = grad,
    .ref = fv__conv_ref,
    .lower = fv__conv_lower,
    .fits_c16 = fv__conv_fits_c16,
    .lower_c16 = fv__conv_lower_c16,
    .epilogue = FV_EPILOGUE(FV_FINISH_RELU),
    .epilogue_c16 =
        FV_EPILOGUE(FV_FINISH_AFFINE) | FV_EPILOGUE(FV_FINISH_RESIDUAL) | FV_EPILOGUE(FV_FINISH_RELU),
    .cost = cost,
    .cases = cases,
    .n_cases = FV_COUNT(cases),
    FV_LAYERS(layers),
};

const fv_op fv_op_conv_dx = {
    .name = "conv_dx",
    .family = "conv",
    .part = FV_PART_DATA,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER},
    .attr_bytes = sizeof(fv_conv_attrs),
    .attrs = specs,
    .n_attrs = FV_COUNT(specs),
    .no_gradient = true,
    .infer = infer_dx,
    .ref = fv__conv_ref_dx,
    .lower = fv__conv_lower_dx,
    .cost = cost_dx,
    .cases = dx_cases,
    .n_cases = FV_COUNT(dx_cases),
};

const fv_op fv_op_conv_dw = {
    .name = "conv_dw",
    .family = "conv",
    .part = FV_PART_WEIGHTS,
    .out = FV_ROLE_GRADIENT,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .attr_bytes = sizeof(fv_conv_attrs),
    .attrs = specs,
    .n_attrs = FV_COUNT(specs),
    .no_gradient = true,
    .infer = infer_dw,
    .ref = fv__conv_ref_dw,
    .lower = fv__conv_lower_dw,
    .cost = cost_dw,
    .cases = dw_cases,
    .n_cases = FV_COUNT(dw_cases),
};
