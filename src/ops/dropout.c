/* dropout.c - in training each unit is dropped with probability `rate`, and the others are scaled so that the
 * expectation does not change (Srivastava et al. 2014, in its inverted form). A unit is a value (dropout), a
 * channel (spatialdropout; Tompson et al. 2015) or the whole image (droppath: stochastic depth, Huang et al.
 * 2016).
 *
 *   y = mask x,  dx = mask dy,  mask = 0 with probability rate, else 1 / (1 - rate)
 *
 * The mask is not stored: forward and backward pass draw it from Philox at (unit / 4, sample, step, node),
 * so the gradient's attributes contain the number of the forward node. Outside of training dropout is the
 * identity, which fv__graph_for_inference (ops/inference.h) removes from the graph before lowering. */
#include "base/rng.h"
#include "ops/layer_shapes.h"
#include "ops/unary.h"

enum { UNIT_VALUE, UNIT_CHANNEL, UNIT_IMAGE };

typedef struct dropout_attrs {
    float rate;
    int unit;
} dropout_attrs;

typedef struct dropout_dx_attrs {
    dropout_attrs forward;
    int node; /* the forward node's number */
} dropout_dx_attrs;

static const fv_attr_spec specs[] = {
    {"rate", FV_ATTR_FLOAT, offsetof(dropout_attrs, rate), 0, 1, 0.5},
    {"unit", FV_ATTR_INT, offsetof(dropout_attrs, unit), UNIT_VALUE, UNIT_IMAGE, UNIT_VALUE},
};
static const fv_attr_spec specs_dx[] = {
    {"rate", FV_ATTR_FLOAT, offsetof(dropout_dx_attrs, forward.rate), 0, 1, 0.5},
    {"unit", FV_ATTR_INT, offsetof(dropout_dx_attrs, forward.unit), UNIT_VALUE, UNIT_IMAGE, UNIT_VALUE},
    {"node", FV_ATTR_INT, offsetof(dropout_dx_attrs, node), 0, 1 << 24, 0},
};

static fv_status check_rate(fv_infer *q, float rate)
{
    if (!(rate >= 0.0f && rate < 1.0f))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: rate %s; expected 0 or more and less than 1", q->what,
                        fv__general((double)rate, 6).text);
    return fv__unary_infer(q);
}

static fv_status infer(fv_infer *q)
{
    const dropout_attrs *a = q->attrs;
    return check_rate(q, a->rate);
}

static fv_status infer_dx(fv_infer *q)
{
    const dropout_dx_attrs *a = q->attrs;
    return check_rate(q, a->forward.rate);
}

/* Number of values in a unit. */
static int64_t unit_values(int unit, fv_shape shape)
{
    const int64_t count = fv__shape_count(shape);
    return unit == UNIT_VALUE ? 1 : unit == UNIT_CHANNEL ? count / shape.dim[0] : count;
}

static fv_status grad(fv_grad *g)
{
    const dropout_attrs *a = g->node->attrs;
    const dropout_dx_attrs attrs = {*a, g->node->counter};
    return fv__grad_node(g, &fv_op_dropout_dx, "dx", &attrs, 1, &g->dy, FV_ROLE_VALUE, -1, &g->dx[0]);
}

/* The number of a sample is the image's index in the batch. */
static void drop(const fv_ref *r, const dropout_attrs *a, uint32_t node)
{
    const int64_t count = fv__shape_count(r->out_shape), each = unit_values(a->unit, r->out_shape);
    const double rate = (double)a->rate;
    const uint32_t below = (uint32_t)(rate * 0x1p32);
    for (int n = 0; n < r->n; n++)
        for (int64_t e = 0; e < count; e++) {
            const int64_t u = e / each;
            const fv_u32x4 draw =
                fv__philox(r->seed, (uint32_t)(u / 4), (uint32_t)n, r->step, node << 8 | FV_STREAM_DROPOUT);
            const double x = r->in[0][n * count + e];
            r->out[n * count + e] = draw.v[u % 4] < below ? 0 * x : x / (1 - rate);
        }
}

static void ref(const fv_ref *r)
{
    const dropout_attrs *a = r->attrs;
    drop(r, a, r->node);
}

static void ref_dx(const fv_ref *r)
{
    const dropout_dx_attrs *a = r->attrs;
    drop(r, &a->forward, (uint32_t)a->node);
}

static fv_status lower_drop(fv_lower *l, const dropout_attrs *a, int node)
{
    const int64_t each = unit_values(a->unit, l->out_shape);
    const fv_dropout_args args = {fv__shape_count(l->out_shape) / each, each, a->rate, (uint32_t)node};
    return fv__lower_simple(l, FV_KERNEL_dropout, &args, sizeof args);
}

static fv_status lower(fv_lower *l)
{
    const dropout_attrs *a = l->attrs;
    return lower_drop(l, a, l->counter);
}

static fv_status lower_dx(fv_lower *l)
{
    const dropout_dx_attrs *a = l->attrs;
    return lower_drop(l, &a->forward, a->node);
}

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}}, ""},
    {16, {{3, {5, 4, 4}}}, "rate=0.25"},
    {15, {{3, {17, 1, 3}}}, "rate=0"},
    {1, {{3, {1, 1, 1}}}, "rate=0.9"},
    {17, {{1, {17}}}, "rate=0.1"},
    {17, {{3, {7, 5, 3}}}, "unit=1"},
    {16, {{2, {5, 4}}}, "rate=0.25 unit=2"},
    {15, {{1, {17}}}, "unit=1"},
};

static void of_values(fv_shape in, void *attrs)
{
    (void)in;
    ((dropout_attrs *)attrs)->unit = UNIT_VALUE;
}

static void of_channels(fv_shape in, void *attrs)
{
    (void)in;
    ((dropout_attrs *)attrs)->unit = UNIT_CHANNEL;
}

static void of_images(fv_shape in, void *attrs)
{
    (void)in;
    ((dropout_attrs *)attrs)->unit = UNIT_IMAGE;
}

static const fv_layer_kind layers[] = {
    {
        .word = "dropout",
        .help = "in training, a share of the values is 0 and the others are scaled up",
        .op = &fv_op_dropout,
        .slot = {{FV_SLOT_ATTR, "rate"}},
        .set = of_values,
    },
    {
        .word = "spatialdropout",
        .help = "in training, a share of the channels is 0 and the others are scaled up",
        .op = &fv_op_dropout,
        .slot = {{FV_SLOT_ATTR, "rate"}},
        .set = of_channels,
    },
    {
        .word = "droppath",
        .help = "in training, everything is 0 for a share of the images and scaled up for the others",
        .op = &fv_op_dropout,
        .slot = {{FV_SLOT_ATTR, "rate"}},
        .set = of_images,
    },
};

const fv_op fv_op_dropout = {
    .name = "dropout",
    .inference = {&fv_op_identity, 1, {0}},
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .in_place = 1,
    .attr_bytes = sizeof(dropout_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = fv__unary_cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

static const fv_case cases_dx[] = {
    {17, {{3, {3, 5, 7}}}, "node=3"},        {16, {{3, {5, 4, 4}}}, "rate=0.25"},
    {15, {{1, {17}}}, "rate=0.1 node=1"},    {1, {{3, {1, 1, 1}}}, ""},
    {17, {{3, {7, 5, 3}}}, "unit=1 node=2"}, {16, {{2, {5, 4}}}, "unit=2"},
};

/* Input: dy. */
const fv_op fv_op_dropout_dx = {
    .name = "dropout_dx",
    .family = "dropout",
    .part = FV_PART_DATA,
    .inference = {&fv_op_identity, 1, {0}},
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .in_place = 1,
    .no_gradient = true,
    .attr_bytes = sizeof(dropout_dx_attrs),
    .attrs = specs_dx,
    .n_attrs = sizeof specs_dx / sizeof *specs_dx,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = fv__unary_cost,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
