/* convtranspose.c - transposed convolution in one, two and three directions: the data gradient of a
 * convolution, with a bias.
 *
 *   y[o][p*s + k*d - pad] = sum over i, p, k of w[i][o][k] * x[i][p] + b[o]
 *
 * x [i] and one to three directions, w [i][o/g][k] and b [o] as in PyTorch, and in each direction out = (in
 * - 1) s - 2 pad + (k - 1) d + outpad + 1. A convolution of this stride gives x for several sizes of y;
 * outpad, which is less than the stride, selects one of them. The matrix of this operation is the
 * transposed matrix of that convolution, so dx is the convolution of dy, and dw its weight gradient with x
 * and dy exchanged. */
#include "ops/conv.h"
#include "ops/layer_shapes.h"

typedef struct transpose_attrs {
    fv_conv_attrs conv; /* first: the lowering and the reference of the data gradient read it */
    fv_sizes outpad;
} transpose_attrs;

static const fv_attr_spec specs[] = {
    {"stride", FV_ATTR_SIZES, offsetof(transpose_attrs, conv.stride), 1, 1024, 1},
    {"pad", FV_ATTR_SIZES, offsetof(transpose_attrs, conv.pad), 0, 1024, 0},
    {"outpad", FV_ATTR_SIZES, offsetof(transpose_attrs, outpad), 0, 1023, 0},
    {"dilation", FV_ATTR_SIZES, offsetof(transpose_attrs, conv.dilation), 1, 1024, 1},
    {"groups", FV_ATTR_INT, offsetof(transpose_attrs, conv.groups), 1, FV_MAX_DIM, 1},
};

/* The sizes of y. */
static fv_status infer_sizes(fv_infer *q, fv_shape x, fv_shape w)
{
    const transpose_attrs *const a = q->attrs;
    const int n = x.rank - 1;
    int stride[FV_DIRECTIONS], pad[FV_DIRECTIONS], outpad[FV_DIRECTIONS], dilation[FV_DIRECTIONS];
    FV_TRY(fv__sizes_spread(q->ctx, &a->conv.stride, n, "stride", q->what, stride));
    FV_TRY(fv__sizes_spread(q->ctx, &a->conv.pad, n, "pad", q->what, pad));
    FV_TRY(fv__sizes_spread(q->ctx, &a->outpad, n, "outpad", q->what, outpad));
    FV_TRY(fv__sizes_spread(q->ctx, &a->conv.dilation, n, "dilation", q->what, dilation));
    for (int d = 0; d < n; d++) {
        const int64_t reach = (w.dim[2 + d] - 1) * (int64_t)dilation[d] + 1;
        const int64_t size =
            (x.dim[1 + d] - 1) * (int64_t)stride[d] - 2 * (int64_t)pad[d] + reach + outpad[d];
        if (outpad[d] >= stride[d])
            return fv__fail(q->ctx, FV_ERR_INPUT, "%s: outpad: expected less than the stride of %d, found %d",
                            q->what, stride[d], outpad[d]);
        if (size < 1 || size > FV_MAX_DIM)
            return fv__fail(q->ctx, FV_ERR_INPUT,
                            "%s: expected an output of 1 to %d in each direction, found %lld", q->what,
                            FV_MAX_DIM, (long long)size);
        q->out.dim[1 + d] = (int)size;
    }
    return FV_OK;
}

static fv_status infer(fv_infer *q)
{
    const transpose_attrs *const a = q->attrs;
    const fv_shape x = q->input[0]->shape, w = q->input[1]->shape;
    const fv_window_words words = fv__conv_words(&a->conv, w);
    const int groups = a->conv.groups;
    char text[FV_SHAPE_TEXT];
    fv_axis at[FV_AXES];
    if (x.rank < 2 || x.rank > 1 + FV_DIRECTIONS)
        return fv__fail(
            q->ctx, FV_ERR_INPUT,
            "%s: expected a signal, an image or a video (channels, then one to three directions), "
            "found %s",
            q->what, fv__shape_text(x, text));
    if (w.rank != x.rank + 1 || w.dim[0] != x.dim[0])
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected weights for %d input channels, found %s", q->what,
                        x.dim[0], fv__shape_text(w, text));
    if (x.dim[0] % groups)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: groups=%d has to divide the channels, but %d come in",
                        q->what, groups, x.dim[0]);
    q->out = (fv_shape){.rank = x.rank, .dim = {w.dim[1] * groups}};
    if (q->n_inputs > 2 && (q->input[2]->shape.rank != 1 || q->input[2]->shape.dim[0] != q->out.dim[0]))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a bias of %d, found %s", q->what, q->out.dim[0],
                        fv__shape_text(q->input[2]->shape, text));
    FV_TRY(infer_sizes(q, x, w));
    FV_TRY(fv__window_check(q->ctx, &words, q->out, q->what, at));
    const int channels = w.dim[1] > x.dim[0] / groups ? w.dim[1] : x.dim[0] / groups;
    return fv__window_check_sum(q->ctx, at, x.rank - 1, channels, q->what);
}

static fv_status grad(fv_grad *g)
{
    fv_conv_attrs a = ((const transpose_attrs *)g->node->attrs)->conv;
    const int x = g->node->input[0], w = g->node->input[1];
    if (g->wanted[0])
        FV_TRY(fv__grad_node(g, &fv_op_conv, "dx", &a, 2, (int[]){g->dy, w}, FV_ROLE_VALUE, -1, &g->dx[0]));
    a.size = fv__sizes_of(g->graph->tensors[w].shape, 2);
    if (g->wanted[1])
        FV_TRY(
            fv__grad_node(g, &fv_op_conv_dw, "dw", &a, 2, (int[]){x, g->dy}, FV_ROLE_GRADIENT, w, &g->dx[1]));
    if (g->node->n_inputs > 2 && g->wanted[2])
        FV_TRY(fv__grad_node(g, &fv_op_bias_db, "db", NULL, 1, (int[]){g->dy}, FV_ROLE_GRADIENT,
                             g->node->input[2], &g->dx[2]));
    return FV_OK;
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_conv_args conv = fv__conv_forward_args(attrs, out, in[1], in[0]);
    return (fv_cost){.flops = 2 * fv__conv_products(&conv), .bytes = fv__conv_bytes(in[0], out)};
}

/* batch, x, w, (bias) */
static const fv_case cases[] = {
    {1, {{3, {1, 1, 1}}, {4, {1, 1, 1, 1}}}, ""},
    {16, {{3, {1, 3, 3}}, {4, {1, 1, 3, 3}}, {1, {1}}}, ""},
    {17, {{3, {3, 4, 4}}, {4, {3, 5, 3, 2}}, {1, {5}}}, "stride=2 pad=1"},
    {17, {{3, {3, 4, 5}}, {4, {3, 5, 2, 2}}, {1, {5}}}, "stride=2"},
    {15, {{3, {5, 4, 4}}, {4, {5, 3, 1, 1}}, {1, {3}}}, "stride=3x2 outpad=2x1"},
    {20, {{3, {4, 3, 4}}, {4, {4, 7, 3, 5}}}, "stride=3x2 pad=2x1 outpad=0x1"},
    {5, {{3, {2, 2, 2}}, {4, {2, 3, 2, 2}}, {1, {3}}}, "stride=4 outpad=1x3"},
    {3, {{3, {2, 5, 4}}, {4, {2, 2, 3, 3}}, {1, {2}}}, "stride=2 dilation=3x2 pad=2"},
    {16, {{3, {6, 5, 5}}, {4, {6, 2, 3, 3}}, {1, {4}}}, "groups=2 pad=1"},
    {19, {{3, {5, 3, 6}}, {4, {5, 1, 3, 3}}, {1, {5}}}, "groups=5 stride=2 pad=1 outpad=1"},
    {3, {{3, {33, 6, 7}}, {4, {33, 34, 3, 3}}, {1, {34}}}, "pad=1"},
    {16, {{3, {40, 4, 5}}, {4, {40, 33, 3, 2}}, {1, {33}}}, ""},
    {17, {{3, {600, 3, 4}}, {4, {600, 35, 1, 1}}, {1, {35}}}, "stride=2x3 outpad=0x2"},
    {3, {{3, {2, 4, 4}}, {4, {2, 1, 3, 3}}, {1, {1}}}, "pad=2"},
    /* x is one pixel */
    {65, {{3, {130, 1, 1}}, {4, {130, 5, 4, 3}}, {1, {5}}}, "stride=2x1"},
    {3, {{3, {7, 1, 1}}, {4, {7, 33, 2, 2}}}, ""},
    {16, {{2, {9, 1}}, {3, {9, 17, 5}}, {1, {17}}}, ""},
    {2, {{4, {3, 1, 1, 1}}, {5, {3, 2, 2, 3, 4}}, {1, {2}}}, ""},
    /* signals and videos */
    {17, {{2, {3, 9}}, {3, {3, 5, 4}}, {1, {5}}}, "stride=2 pad=1"},
    {5, {{2, {12, 9}}, {3, {12, 1, 5}}, {1, {12}}}, "groups=12 stride=3 outpad=2"},
    {2, {{2, {40, 7}}, {3, {40, 20, 1}}, {1, {20}}}, "stride=5 outpad=4"},
    {17, {{4, {3, 2, 3, 4}}, {5, {3, 2, 3, 3, 3}}, {1, {2}}}, "stride=2 pad=1 outpad=1"},
    {3, {{4, {2, 3, 2, 3}}, {5, {2, 3, 2, 3, 1}}, {1, {3}}}, "stride=1x2x3 outpad=0x1x2 dilation=2x1x1"},
    {2, {{4, {33, 2, 3, 3}}, {5, {33, 34, 2, 2, 2}}, {1, {34}}}, ""},
    {2, {{4, {20, 2, 3, 3}}, {5, {20, 33, 1, 1, 1}}, {1, {33}}}, "stride=2 outpad=1"},
};

static fv_shape weights_shape(fv_layer_shapes *q)
{
    const fv_conv_attrs *const a = q->attrs;
    const int made = q->count < a->groups ? 1 : q->count / a->groups;
    const int dim[FV_MAX_RANK] = {q->in.dim[0], made, q->window[0], q->window[1], q->window[2]};
    int64_t taps = 1;
    for (int d = 0; d < q->n_window; d++)
        taps *= q->window[d];
    q->fan_in = (q->in.dim[0] < a->groups ? 1 : q->in.dim[0] / a->groups) * taps;
    q->fan_out = made * taps;
    return fv__shape(q->in.rank + 1, dim); /* the node checks the groups */
}

static const fv_parameter_spec parameters[] = {FV_WEIGHTS(weights_shape), FV_BIAS(fv__shape_per_output)};

static const fv_layer_kind layers[] = {{
    .word = "convtranspose",
    .help = "transposed convolution with a bias",
    .op = &fv_op_convtranspose,
    .slot = {{FV_SLOT_NAME, "NAME"}, {FV_SLOT_COUNT, "CHANNELS"}, {FV_SLOT_WINDOW, "KERNEL"}},
    .reads = FV_READS_SEQUENCE | FV_READS_IMAGE | FV_READS_VIDEO,
    FV_PARAMETERS(parameters),
}};

const fv_op fv_op_convtranspose = {
    .name = "convtranspose",
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 3,
    .n_optional = 1,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER, FV_ROLE_PARAMETER},
    .attr_bytes = sizeof(transpose_attrs),
    .attrs = specs,
    .n_attrs = FV_COUNT(specs),
    .infer = infer,
    .grad = grad,
    .ref = fv__conv_ref_dx,
    .lower = fv__conv_lower_dx,
    .epilogue = FV_EPILOGUE(FV_FINISH_RELU),
    .cost = cost,
    .cases = cases,
    .n_cases = FV_COUNT(cases),
    FV_LAYERS(layers),
};
