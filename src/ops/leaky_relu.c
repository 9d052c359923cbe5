/* leaky_relu.c - a rectifier that lets a share of the negative side through.
 *
 *   y = x where x > 0, else slope x         0 <= slope <= 1
 *   dx = dy where x > 0, slope dy where x < 0; at 0 the one (at0=1) or the other (at0=0)
 *
 * With at0=0 the gradient reads y, whose sign is that of x; with at0=1 it reads x, since y = 0 may come from
 * a negative x too. */
#include "ops/layer_shapes.h"
#include "ops/unary.h"

typedef struct leaky_attrs {
    float slope;
    int at0;
} leaky_attrs;

static const fv_attr_spec specs[] = {
    {"slope", FV_ATTR_FLOAT, offsetof(leaky_attrs, slope), 0, 1, 0.01},
    {"at0", FV_ATTR_INT, offsetof(leaky_attrs, at0), 0, 1, 0},
};

static fv_status grad(fv_grad *g)
{
    const leaky_attrs *a = g->node->attrs;
    return fv__unary_grad(g, &fv_op_leaky_relu_dx, a->at0 == 0);
}

static double f(double x, const void *attrs)
{
    const leaky_attrs *a = attrs;
    return x > 0 ? x : a->slope * x;
}

static void ref(const fv_ref *r)
{
    fv__unary_ref(r, f);
}

static double slope(double v, const void *attrs)
{
    const leaky_attrs *a = attrs;
    return v > 0 || (v == 0 && a->at0) ? 1 : a->slope;
}

static void ref_dx(const fv_ref *r)
{
    fv__unary_dx_ref(r, slope);
}

static fv_status lower(fv_lower *l)
{
    const leaky_attrs *a = l->attrs;
    return fv__unary_lower(l, FV_UNARY_LEAKY_RELU, a->slope, a->at0 ? 1.0f : a->slope);
}

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}}, ""},       {16, {{3, {5, 4, 4}}}, "slope=0.25"}, {15, {{1, {17}}}, "slope=0"},
    {1, {{3, {1, 1, 1}}}, "slope=1"}, {17, {{1, {17}}}, "slope=0.2 at0=1"},
};

static const fv_layer_kind layers[] = {
    {.word = "leakyrelu", .help = "x where it is positive, else slope times x", .op = &fv_op_leaky_relu},
};

const fv_op fv_op_leaky_relu = {
    .name = "leaky_relu",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .in_place = 1,
    .cheap = true,
    .attr_bytes = sizeof(leaky_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .by_channel = true,
    .side = fv__unary_side,
    .infer = fv__unary_infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = fv__unary_cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

static const fv_case cases_dx[] = {
    {17, {{3, {3, 5, 7}}, {3, {3, 5, 7}}}, ""},
    {16, {{3, {5, 4, 4}}, {3, {5, 4, 4}}}, "slope=0.25 at0=1"},
    {15, {{1, {17}}, {1, {17}}}, "slope=0"},
    {1, {{3, {1, 1, 1}}, {3, {1, 1, 1}}}, "slope=1"},
};

/* Inputs: dy, and y (at0=0) or x (at0=1). */
const fv_op fv_op_leaky_relu_dx = {
    .name = "leaky_relu_dx",
    .family = "leaky_relu",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .in_place = 3,
    .attr_bytes = sizeof(leaky_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .no_gradient = true,
    .infer = fv__unary_infer,
    .ref = ref_dx,
    .lower = lower,
    .cost = fv__unary_cost,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
