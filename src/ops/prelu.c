/* prelu.c - a rectifier whose slope for negative x is learned, one slope per channel (He et al. 2015).
 *
 *   y = x if x > 0, otherwise a[c] x
 *   dx = dy if x > 0, otherwise a[c] dy,   da[c] = sum over images and pixels of dy * min(x, 0) */
#include "ops/layer_shapes.h"
#include "ops/unary.h"

static fv_plane_args planes(fv_shape x)
{
    return (fv_plane_args){x.dim[0], fv__shape_count(x) / x.dim[0]};
}

static fv_status infer(fv_infer *q)
{
    FV_TRY(fv__expect_per_channel(q, 1));
    q->out = q->input[0]->shape;
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const int x = g->node->input[0], slopes = g->node->input[1];
    if (g->wanted[1])
        FV_TRY(fv__grad_node(g, &fv_op_prelu_dw, "dw", NULL, 2, (int[]){g->dy, x}, FV_ROLE_GRADIENT, slopes,
                             &g->dx[1]));
    if (!g->wanted[0])
        return FV_OK;
    return fv__grad_node(g, &fv_op_prelu_dx, "dx", NULL, 3, (int[]){g->dy, x, slopes}, FV_ROLE_VALUE, -1,
                         &g->dx[0]);
}

static void ref(const fv_ref *r)
{
    const fv_plane_args a = planes(r->out_shape);
    for (int64_t i = 0; i < r->n * a.channels * a.pixels; i++) {
        const double x = r->in[0][i];
        r->out[i] = x > 0 ? x : r->in[1][i / a.pixels % a.channels] * x;
    }
}

static void ref_dx(const fv_ref *r)
{
    const fv_plane_args a = planes(r->out_shape);
    for (int64_t i = 0; i < r->n * a.channels * a.pixels; i++)
        r->out[i] = r->in[0][i] * (r->in[1][i] > 0 ? 1 : r->in[2][i / a.pixels % a.channels]);
}

static void ref_dw(const fv_ref *r)
{
    const fv_plane_args a = planes(r->in_shape[0]);
    for (int c = 0; c < a.channels; c++)
        r->out[c] = 0;
    for (int64_t i = 0; i < r->n * a.channels * a.pixels; i++)
        r->out[i / a.pixels % a.channels] += r->in[1][i] > 0 ? 0 : r->in[0][i] * r->in[1][i];
}

static uint64_t side(const fv_ref *r)
{
    const int64_t n = r->n * fv__shape_count(r->in_shape[0]);
    uint64_t hash = FV_HASH_SIDES;
    for (int64_t i = 0; i < n; i++)
        hash = fv__hash_side(hash, (r->in[0][i] > 0) - (r->in[0][i] < 0));
    return hash;
}

static fv_status lower(fv_lower *l)
{
    const fv_plane_args args = planes(l->out_shape);
    return fv__lower_simple(l, l->n_inputs == 2 ? FV_KERNEL_prelu : FV_KERNEL_prelu_dx, &args, sizeof args);
}

static fv_status lower_dw(fv_lower *l)
{
    const fv_plane_args args = planes(l->in_shape[0]);
    const double n = (double)fv__shape_count(l->in_shape[0]);
    return fv__lower_sharded(l, FV_KERNEL_prelu_dw, &args, sizeof args, 0, 2 * n, 8 * n);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    const double n = (double)fv__shape_count(in[0]);
    (void)attrs, (void)out;
    return (fv_cost){n, 8 * n};
}

static const fv_parameter_spec parameters[] = {
    {.suffix = "weight",
     .role = FV_ROLE_PARAMETER,
     .shape = fv__shape_per_channel,
     .init = {FV_INIT_CONSTANT, .scale = 0.25}},
};

static const fv_layer_kind layers[] = {{
    .word = "prelu",
    .help = "x where it is positive, else x times a learned slope of its channel",
    .op = &fv_op_prelu,
    .slot = {{FV_SLOT_NAME, "NAME"}},
    FV_PARAMETERS(parameters),
}};

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}, {1, {3}}}, ""}, {16, {{3, {5, 4, 4}}, {1, {5}}}, ""},
    {15, {{2, {17, 3}}, {1, {17}}}, ""},  {1, {{3, {1, 1, 1}}, {1, {1}}}, ""},
    {17, {{1, {17}}, {1, {17}}}, ""},     {3, {{4, {2, 3, 1, 5}}, {1, {2}}}, ""},
};

const fv_op fv_op_prelu = {
    .name = "prelu",
    .n_inputs = 2,
    .in_place = 1,
    .cheap = true,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER},
    .side = side,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- prelu_dx: inputs dy, x, slopes ----------------------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    FV_TRY(fv__expect_per_channel(q, 2));
    q->out = q->input[0]->shape;
    return FV_OK;
}

static const fv_case cases_dx[] = {
    {17, {{3, {3, 5, 7}}, {3, {3, 5, 7}}, {1, {3}}}, ""},
    {16, {{3, {5, 4, 4}}, {3, {5, 4, 4}}, {1, {5}}}, ""},
    {15, {{2, {17, 3}}, {2, {17, 3}}, {1, {17}}}, ""},
    {1, {{1, {1}}, {1, {1}}, {1, {1}}}, ""},
};

const fv_op fv_op_prelu_dx = {
    .name = "prelu_dx",
    .family = "prelu",
    .part = FV_PART_DATA,
    .n_inputs = 3,
    .in_place = 3,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE, FV_ROLE_PARAMETER},
    .no_gradient = true,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower,
    .cost = cost,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};

/* ---- prelu_dw: inputs dy, x ------------------------------------------------------------------------- */

static fv_status infer_dw(fv_infer *q)
{
    q->out = FV_SHAPE(q->input[0]->shape.dim[0]);
    return FV_OK;
}

static const fv_case cases_dw[] = {
    {17, {{3, {3, 5, 7}}, {3, {3, 5, 7}}}, ""}, {16, {{2, {48, 65}}, {2, {48, 65}}}, ""},
    {15, {{2, {17, 3}}, {2, {17, 3}}}, ""},     {131, {{3, {6, 2, 3}}, {3, {6, 2, 3}}}, ""},
    {17, {{1, {17}}, {1, {17}}}, ""},           {17, {{2, {3, 597}}, {2, {3, 597}}}, ""},
};

const fv_op fv_op_prelu_dw = {
    .name = "prelu_dw",
    .family = "prelu",
    .part = FV_PART_WEIGHTS,
    .out = FV_ROLE_GRADIENT,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .no_gradient = true,
    .infer = infer_dw,
    .ref = ref_dw,
    .lower = lower_dw,
    .cost = cost,
    .cases = cases_dw,
    .n_cases = sizeof cases_dw / sizeof *cases_dw,
};
