/* dropout.c - in training each element is dropped with probability `rate`, and the rest is scaled so that
 * the expectation stays (Srivastava et al. 2014, in its inverted form).
 *
 *   y = mask x,  dx = mask dy,  mask = 0 with probability rate, else 1 / (1 - rate)
 *
 * The mask is not stored: both ways draw it from Philox at (element / 4, sample, step, node), so the
 * gradient's attributes hold the number of the forward node. Outside of training dropout is the identity:
 * fv__graph_for_inference (ops/inference.h) takes it out of the graph before a plan is made. */
#include "base/rng.h"
#include "ops/layer_shapes.h"
#include "ops/unary.h"

typedef struct dropout_attrs {
    float rate;
} dropout_attrs;

typedef struct dropout_dx_attrs {
    float rate;
    int node; /* the forward node's number */
} dropout_dx_attrs;

static const fv_attr_spec specs[] = {{"rate", FV_ATTR_FLOAT, offsetof(dropout_attrs, rate), 0, 1, 0.5}};
static const fv_attr_spec specs_dx[] = {
    {"rate", FV_ATTR_FLOAT, offsetof(dropout_dx_attrs, rate), 0, 1, 0.5},
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
    return check_rate(q, a->rate);
}

static fv_status grad(fv_grad *g)
{
    const dropout_attrs *a = g->node->attrs;
    const dropout_dx_attrs attrs = {a->rate, g->node->counter};
    return fv__grad_node(g, &fv_op_dropout_dx, "dx", &attrs, 1, &g->dy, FV_ROLE_VALUE, -1, &g->dx[0]);
}

/* The sample's number is the image's place in the batch. */
static void drop(const fv_ref *r, float rate, uint32_t node)
{
    const int64_t count = fv__shape_count(r->out_shape);
    const uint32_t below = (uint32_t)((double)rate * 0x1p32);
    for (int n = 0; n < r->n; n++)
        for (int64_t e = 0; e < count; e++) {
            const fv_u32x4 draw =
                fv__philox(r->seed, (uint32_t)(e / 4), (uint32_t)n, r->step, node << 8 | FV_STREAM_DROPOUT);
            const double x = r->in[0][n * count + e];
            r->out[n * count + e] = draw.v[e % 4] < below ? 0 * x : x / (1 - (double)rate);
        }
}

static void ref(const fv_ref *r)
{
    const dropout_attrs *a = r->attrs;
    drop(r, a->rate, r->node);
}

static void ref_dx(const fv_ref *r)
{
    const dropout_dx_attrs *a = r->attrs;
    drop(r, a->rate, (uint32_t)a->node);
}

static fv_status lower_drop(fv_lower *l, float rate, int node)
{
    const fv_dropout_args args = {fv__shape_count(l->out_shape), rate, (uint32_t)node};
    return fv__lower_simple(l, FV_KERNEL_dropout, &args, sizeof args);
}

static fv_status lower(fv_lower *l)
{
    const dropout_attrs *a = l->attrs;
    return lower_drop(l, a->rate, l->counter);
}

static fv_status lower_dx(fv_lower *l)
{
    const dropout_dx_attrs *a = l->attrs;
    return lower_drop(l, a->rate, a->node);
}

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}}, ""},        {16, {{3, {5, 4, 4}}}, "rate=0.25"}, {15, {{3, {17, 1, 3}}}, "rate=0"},
    {1, {{3, {1, 1, 1}}}, "rate=0.9"}, {17, {{1, {17}}}, "rate=0.1"},
};

static const fv_layer_kind layers[] = {{
    .word = "dropout",
    .help = "in training, a share of the values is 0 and the others are scaled up",
    .op = &fv_op_dropout,
    .slot = {{FV_SLOT_ATTR, "rate"}},
}};

const fv_op fv_op_dropout = {
    .name = "dropout",
    .inference = {&fv_op_identity, 1, {0}},
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .in_place = 1,
    .attr_bytes = sizeof(dropout_attrs),
    .attrs = specs,
    .n_attrs = 1,
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
    {17, {{3, {3, 5, 7}}}, "node=3"},
    {16, {{3, {5, 4, 4}}}, "rate=0.25"},
    {15, {{1, {17}}}, "rate=0.1 node=1"},
    {1, {{3, {1, 1, 1}}}, ""},
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
