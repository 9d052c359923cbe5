/* relu.c - the rectifier.
 *
 *   y = max(x, 0)
 *   dx = dy where x > 0, at0 dy where x = 0, else 0
 *
 * ReLU has no derivative at 0; its subgradients are 0 to 1, and `at0` chooses one of the two ends. With 0
 * the sign of y tells all, so x need not be kept, nor a mask; with 1 the gradient reads x. */
#include "ops/layer_shapes.h"
#include "ops/unary.h"

typedef struct relu_attrs {
    int at0;
} relu_attrs;

static const fv_attr_spec specs[] = {{"at0", FV_ATTR_INT, offsetof(relu_attrs, at0), 0, 1, 0}};

static fv_status grad(fv_grad *g)
{
    const relu_attrs *a = g->node->attrs;
    return fv__unary_grad(g, &fv_op_relu_dx, a->at0 == 0);
}

/* x > 0 false, as for NaN, must not make a 0 of it. */
static double f(double x, const void *attrs)
{
    (void)attrs;
    return x <= 0 ? 0 : x;
}

static void ref(const fv_ref *r)
{
    fv__unary_ref(r, f);
}

static double slope(double v, const void *attrs)
{
    const relu_attrs *a = attrs;
    return v > 0 ? 1 : v == 0 ? a->at0 : 0;
}

static void ref_dx(const fv_ref *r)
{
    fv__unary_dx_ref(r, slope);
}

static fv_status lower(fv_lower *l)
{
    const relu_attrs *a = l->attrs;
    return fv__unary_lower(l, FV_UNARY_RELU, 0.0f, (float)a->at0);
}

static const fv_layer_kind layers[] = {
    {.word = "relu", .help = "max(x, 0)", .op = &fv_op_relu},
};

const fv_op fv_op_relu = {
    .name = "relu",
    .finish = FV_FINISH_RELU,
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .in_place = 1,
    .cheap = true,
    .attr_bytes = sizeof(relu_attrs),
    .attrs = specs,
    .n_attrs = 1,
    .by_channel = true,
    .side = fv__unary_side,
    .infer = fv__unary_infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = fv__unary_cost,
    .cases = fv__unary_cases,
    .n_cases = FV_N_UNARY_CASES,
    FV_LAYERS(layers),
};

static const fv_case cases_dx[] = {
    {17, {{3, {3, 5, 7}}, {3, {3, 5, 7}}}, ""},
    {16, {{3, {5, 4, 4}}, {3, {5, 4, 4}}}, "at0=1"},
    {15, {{1, {17}}, {1, {17}}}, "at0=1"},
    {1, {{3, {1, 1, 1}}, {3, {1, 1, 1}}}, "at0=0"},
};

/* Inputs: dy, and y (at0=0) or x (at0=1). */
const fv_op fv_op_relu_dx = {
    .name = "relu_dx",
    .family = "relu",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .in_place = 3,
    .attr_bytes = sizeof(relu_attrs),
    .attrs = specs,
    .n_attrs = 1,
    .no_gradient = true,
    .infer = fv__unary_infer,
    .ref = ref_dx,
    .lower = lower,
    .cost = fv__unary_cost,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
