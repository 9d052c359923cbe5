/* scale.c - y = factor w[c] x + b[c], with one learned weight and bias per channel, and its gradients.
 * Behind a mean over windows, with their number of pixels as the factor, it is the trainable subsampling of
 * LeNet-5 (LeCun et al. 1998): the sum of a window times a weight, plus a bias. */
#include "ops/layer_shapes.h"
#include "ops/ops.h"
#include "plan/lower.h"

typedef struct scale_attrs {
    int factor;
} scale_attrs;

static const fv_attr_spec specs[] = {
    {"factor", FV_ATTR_INT, offsetof(scale_attrs, factor), 1, FV_MAX_DIM, 1},
};

static fv_status infer(fv_infer *q)
{
    const fv_shape x = q->input[0]->shape;
    char text[FV_SHAPE_TEXT];
    for (int i = 1; i < q->n_inputs; i++)
        if (q->input[i]->shape.rank != 1 || q->input[i]->shape.dim[0] != x.dim[0])
            return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a number for each of %d channels, found %s",
                            q->what, x.dim[0], fv__shape_text(q->input[i]->shape, text));
    q->out = x;
    return FV_OK;
}

static fv_status infer_dw(fv_infer *q)
{
    q->out = FV_SHAPE(q->input[0]->shape.dim[0]);
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const void *const attrs = g->node->attrs;
    const int x = g->node->input[0], w = g->node->input[1];
    if (g->wanted[0])
        FV_TRY(fv__grad_node(g, &fv_op_scale_dx, "dx", attrs, 2, (int[]){g->dy, w}, FV_ROLE_VALUE, -1,
                             &g->dx[0]));
    if (g->wanted[1])
        FV_TRY(fv__grad_node(g, &fv_op_scale_dw, "dw", attrs, 2, (int[]){g->dy, x}, FV_ROLE_GRADIENT, w,
                             &g->dx[1]));
    if (g->node->n_inputs > 2 && g->wanted[2])
        FV_TRY(fv__grad_node(g, &fv_op_bias_db, "db", NULL, 1, (int[]){g->dy}, FV_ROLE_GRADIENT,
                             g->node->input[2], &g->dx[2]));
    return FV_OK;
}

static void ref(const fv_ref *r)
{
    const int64_t c = r->out_shape.dim[0], pixels = fv__shape_count(r->out_shape) / c;
    const double factor = ((const scale_attrs *)r->attrs)->factor;
    for (int64_t k = 0; k < r->n * c * pixels; k++) {
        const int64_t channel = k / pixels % c;
        r->out[k] = factor * r->in[1][channel] * r->in[0][k] + (r->n_inputs > 2 ? r->in[2][channel] : 0);
    }
}

static void ref_dw(const fv_ref *r)
{
    const int64_t c = r->out_shape.dim[0], pixels = fv__shape_count(r->in_shape[0]) / c;
    const double factor = ((const scale_attrs *)r->attrs)->factor;
    for (int64_t i = 0; i < c; i++)
        r->out[i] = 0;
    for (int64_t k = 0; k < r->n * c * pixels; k++)
        r->out[k / pixels % c] += factor * r->in[0][k] * r->in[1][k];
}

static fv_scale_args args_of(const fv_lower *l)
{
    const fv_shape x = l->in_shape[0];
    return (fv_scale_args){.channels = x.dim[0],
                           .pixels = fv__shape_count(x) / x.dim[0],
                           .factor = (float)((const scale_attrs *)l->attrs)->factor};
}

static fv_status lower(fv_lower *l)
{
    const fv_scale_args args = args_of(l);
    return fv__lower_simple(l, FV_KERNEL_scale, &args, sizeof args);
}

static fv_status lower_dw(fv_lower *l)
{
    const fv_scale_args args = args_of(l);
    const double n = (double)fv__shape_count(l->in_shape[0]);
    return fv__lower_sharded(l, FV_KERNEL_scale_dw, &args, sizeof args, 0, 2 * n, 8 * n);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)out;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){2 * n, 8 * n};
}

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}, {1, {3}}, {1, {3}}}, "factor=4"},   {16, {{3, {5, 1, 1}}, {1, {5}}}, ""},
    {3, {{2, {2, 70}}, {1, {2}}, {1, {2}}}, "factor=3"},      {1, {{1, {17}}, {1, {17}}, {1, {17}}}, ""},
    {5, {{4, {3, 2, 3, 5}}, {1, {3}}, {1, {3}}}, "factor=8"},
};

/* dy, w */
static const fv_case dx_cases[] = {
    {17, {{3, {3, 5, 7}}, {1, {3}}}, "factor=4"},
    {3, {{2, {2, 70}}, {1, {2}}}, ""},
    {1, {{1, {17}}, {1, {17}}}, "factor=2"},
};

/* dy, x */
static const fv_case dw_cases[] = {
    {17, {{3, {3, 5, 7}}, {3, {3, 5, 7}}}, "factor=4"},
    {131, {{2, {2, 70}}, {2, {2, 70}}}, ""},
    {1, {{1, {17}}, {1, {17}}}, "factor=2"},
    {33, {{4, {3, 5, 6, 7}}, {4, {3, 5, 6, 7}}}, ""},
};

/* ---- subsample NAME KERNEL -------------------------------------------------------------------------- */

static int window_pixels(const fv_sizes *kernel, int directions)
{
    int64_t n = 1;
    for (int d = 0; d < directions && n <= FV_MAX_DIM; d++)
        n *= kernel->at[kernel->n > 1 ? d : 0];
    return n <= FV_MAX_DIM ? (int)n : FV_MAX_DIM; /* no input is that large: the pooling refuses it */
}

static void set_factor(fv_shape in, const void *pooling, void *attrs)
{
    ((scale_attrs *)attrs)->factor = window_pixels(&((const fv_window_attrs *)pooling)->kernel, in.rank - 1);
}

static fv_shape weights_shape(fv_layer_shapes *q)
{
    q->fan_in = q->fan_out = window_pixels(&((const fv_window_attrs *)q->attrs)->kernel, q->in.rank - 1);
    return FV_SHAPE(q->in.dim[0]);
}

static const fv_parameter_spec parameters[] = {FV_WEIGHTS(weights_shape), FV_BIAS(fv__shape_per_channel)};

static const fv_layer_part parts[] = {
    {.op = &fv_op_avgpool, .suffix = "mean"},
    {.op = &fv_op_scale, FV_PARAMETERS(parameters), .set = set_factor},
};

static const fv_layer_kind layers[] = {{
    .word = "subsample",
    .help = "the sum of each window times a learned weight a channel, plus a bias",
    .op = &fv_op_avgpool,
    .slot = {{FV_SLOT_NAME, "NAME"}, {FV_SLOT_ATTR, "kernel"}},
    .parts = parts,
    .n_parts = FV_COUNT(parts),
}};

const fv_op fv_op_scale = {
    .name = "scale",
    .n_inputs = 3,
    .n_optional = 1,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER, FV_ROLE_PARAMETER},
    .attr_bytes = sizeof(scale_attrs),
    .attrs = specs,
    .n_attrs = FV_COUNT(specs),
    .in_place = 1,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = FV_COUNT(cases),
    FV_LAYERS(layers),
};

const fv_op fv_op_scale_dx = {
    .name = "scale_dx",
    .family = "scale",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER},
    .attr_bytes = sizeof(scale_attrs),
    .attrs = specs,
    .n_attrs = FV_COUNT(specs),
    .in_place = 1,
    .no_gradient = true,
    .infer = infer,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = dx_cases,
    .n_cases = FV_COUNT(dx_cases),
};

const fv_op fv_op_scale_dw = {
    .name = "scale_dw",
    .family = "scale",
    .part = FV_PART_WEIGHTS,
    .out = FV_ROLE_GRADIENT,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .attr_bytes = sizeof(scale_attrs),
    .attrs = specs,
    .n_attrs = FV_COUNT(specs),
    .no_gradient = true,
    .infer = infer_dw,
    .ref = ref_dw,
    .lower = lower_dw,
    .cost = cost,
    .cases = dw_cases,
    .n_cases = FV_COUNT(dw_cases),
};
