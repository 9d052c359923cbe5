/* layernorm.c - layer normalisation (Ba, Kiros, Hinton 2016) over the channels of each token or pixel.
 *
 *   xhat = (x - mean) * inv_std,   y = gamma * xhat + beta      mean and variance over the c channels
 *
 *   dgamma = sum over images and tokens of dy * xhat,   dbeta = the same of dy
 *   dx = inv_std * (g - (sum g + xhat * sum(g * xhat)) / c),    g = gamma * dy
 *
 * x [c], [c][tokens] or [c][h][w]; gamma and beta [c]. */
#include "plan/lower.h"
#include "ops/layer_shapes.h"
#include "ops/ops.h"

#include <math.h>

static fv_status infer(fv_infer *q)
{
    FV_TRY(fv__expect_per_channel(q, 1));
    FV_TRY(fv__expect_per_channel(q, 2));
    q->out = q->input[0]->shape;
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const int x = g->node->input[0], gamma = g->node->input[1], beta = g->node->input[2];
    if (g->wanted[1])
        FV_TRY(fv__grad_node(g, &fv_op_layernorm_dw, "dw", NULL, 2, (int[]){g->dy, x}, FV_ROLE_GRADIENT,
                             gamma, &g->dx[1]));
    if (g->wanted[2])
        FV_TRY(fv__grad_node(g, &fv_op_bias_db, "db", NULL, 1, &g->dy, FV_ROLE_GRADIENT, beta, &g->dx[2]));
    if (!g->wanted[0])
        return FV_OK;
    return fv__grad_node(g, &fv_op_layernorm_dx, "dx", NULL, 3, (int[]){g->dy, x, gamma}, FV_ROLE_VALUE, -1,
                         &g->dx[0]);
}

static fv_plane_args planes(fv_shape x)
{
    return (fv_plane_args){x.dim[0], fv__shape_count(x) / x.dim[0]};
}

typedef struct moments {
    double mean, inv_std;
} moments;

/* Moments of the c values x[0], x[step] ... */
static moments moments_of(const fv_ref *r, const double *x, int64_t c, int64_t step)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < c; i++)
        sum += x[i * step];
    for (int64_t i = 0; i < c; i++)
        squares += (x[i * step] - sum / (double)c) * (x[i * step] - sum / (double)c);
    return (moments){fv__ref_rounded(r, sum / (double)c),
                     fv__ref_rounded(r, 1 / sqrt(squares / (double)c + FV_LAYERNORM_EPS))};
}

static void ref(const fv_ref *r)
{
    const fv_plane_args a = planes(r->out_shape);
    for (int64_t n = 0; n < r->n; n++)
        for (int64_t t = 0; t < a.pixels; t++) {
            const int64_t first = n * a.channels * a.pixels + t;
            const moments m = moments_of(r, r->in[0] + first, a.channels, a.pixels);
            for (int64_t c = 0, at = first; c < a.channels; c++, at += a.pixels)
                r->out[at] = r->in[1][c] * (r->in[0][at] - m.mean) * m.inv_std + r->in[2][c];
        }
}

static fv_status lower(fv_lower *l)
{
    const fv_plane_args args = planes(l->out_shape);
    return fv__lower_simple(l, FV_KERNEL_layernorm, &args, sizeof args);
}

/* Mean, variance and output take one pass each. */
static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)out;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){7 * n, 8 * n};
}

#define FV_CASE_OF(n, c, ...)                                                                                \
    {                                                                                                        \
        n, {__VA_ARGS__, {1, {c}}, {1, {c}}}, ""                                                             \
    }
static const fv_case cases[] = {
    FV_CASE_OF(17, 3, {2, {3, 5}}),    FV_CASE_OF(16, 48, {2, {48, 65}}), FV_CASE_OF(15, 17, {2, {17, 1}}),
    FV_CASE_OF(2, 1, {2, {1, 4}}),     FV_CASE_OF(17, 17, {1, {17}}),     FV_CASE_OF(131, 6, {3, {6, 2, 3}}),
    FV_CASE_OF(3, 331, {2, {331, 5}}),
};

static const fv_parameter_spec parameters[] = {FV_SCALE_AND_SHIFT};

static const fv_layer_kind layers[] = {{
    .word = "layernorm",
    .help = "each token or pixel less the mean of its channels, divided by their deviation, then scaled and "
            "shifted",
    .op = &fv_op_layernorm,
    .slot = {{FV_SLOT_NAME, "NAME"}},
    FV_PARAMETERS(parameters),
}};

const fv_op fv_op_layernorm = {
    .name = "layernorm",
    .n_inputs = 3,
    .in_place = 1,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER, FV_ROLE_PARAMETER},
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- layernorm_dx: inputs dy, x, gamma ------------------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    FV_TRY(fv__expect_per_channel(q, 2));
    q->out = q->input[0]->shape;
    return FV_OK;
}

static void ref_dx(const fv_ref *r)
{
    const fv_plane_args a = planes(r->out_shape);
    for (int64_t n = 0; n < r->n; n++)
        for (int64_t t = 0; t < a.pixels; t++) {
            const int64_t first = n * a.channels * a.pixels + t;
            const moments m = moments_of(r, r->in[1] + first, a.channels, a.pixels);
            double sum = 0, product = 0;
            for (int64_t c = 0, at = first; c < a.channels; c++, at += a.pixels) {
                const double g = r->in[2][c] * r->in[0][at];
                sum += g / a.channels;
                product += g * (r->in[1][at] - m.mean) * m.inv_std / a.channels;
            }
            for (int64_t c = 0, at = first; c < a.channels; c++, at += a.pixels) {
                const double xhat = (r->in[1][at] - m.mean) * m.inv_std;
                r->out[at] = m.inv_std * (r->in[2][c] * r->in[0][at] - sum - xhat * product);
            }
        }
}

static fv_status lower_dx(fv_lower *l)
{
    const fv_plane_args args = planes(l->out_shape);
    return fv__lower_simple(l, FV_KERNEL_layernorm_dx, &args, sizeof args);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)out;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){14 * n, 12 * n};
}

#define FV_CASE_DX(n, c, ...)                                                                                \
    {                                                                                                        \
        n, {__VA_ARGS__, __VA_ARGS__, {1, {c}}}, ""                                                          \
    }
static const fv_case cases_dx[] = {
    FV_CASE_DX(17, 3, {2, {3, 5}}), FV_CASE_DX(16, 48, {2, {48, 65}}),  FV_CASE_DX(15, 17, {2, {17, 1}}),
    FV_CASE_DX(17, 17, {1, {17}}),  FV_CASE_DX(131, 6, {3, {6, 2, 3}}), FV_CASE_DX(3, 331, {2, {331, 5}}),
};

const fv_op fv_op_layernorm_dx = {
    .name = "layernorm_dx",
    .family = "layernorm",
    .part = FV_PART_DATA,
    .n_inputs = 3,
    .in_place = 1,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE, FV_ROLE_PARAMETER},
    .no_gradient = true,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};

/* ---- layernorm_dw: inputs dy, x --------------------------------------------------------------------- */

static fv_status infer_dw(fv_infer *q)
{
    q->out = FV_SHAPE(q->input[0]->shape.dim[0]);
    return FV_OK;
}

static void ref_dw(const fv_ref *r)
{
    const fv_plane_args a = planes(r->in_shape[0]);
    for (int64_t c = 0; c < a.channels; c++)
        r->out[c] = 0;
    for (int64_t n = 0; n < r->n; n++)
        for (int64_t t = 0; t < a.pixels; t++) {
            const int64_t first = n * a.channels * a.pixels + t;
            const moments m = moments_of(r, r->in[1] + first, a.channels, a.pixels);
            for (int64_t c = 0, at = first; c < a.channels; c++, at += a.pixels)
                r->out[c] += r->in[0][at] * (r->in[1][at] - m.mean) * m.inv_std;
        }
}

static fv_status lower_dw(fv_lower *l)
{
    const fv_plane_args args = planes(l->in_shape[0]);
    const double n = (double)fv__shape_count(l->in_shape[0]);
    return fv__lower_sharded(l, FV_KERNEL_layernorm_dw, &args, sizeof args,
                             2 * (size_t)args.pixels * FV_LANES, 7 * n, 8 * n);
}

static const fv_case cases_dw[] = {
    {17, {{2, {3, 5}}, {2, {3, 5}}}, ""},   {16, {{2, {48, 65}}, {2, {48, 65}}}, ""},
    {15, {{2, {17, 1}}, {2, {17, 1}}}, ""}, {131, {{3, {6, 2, 3}}, {3, {6, 2, 3}}}, ""},
    {17, {{1, {17}}, {1, {17}}}, ""},       {17, {{2, {3, 597}}, {2, {3, 597}}}, ""},
};

const fv_op fv_op_layernorm_dw = {
    .name = "layernorm_dw",
    .family = "layernorm",
    .part = FV_PART_WEIGHTS,
    .out = FV_ROLE_GRADIENT,
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
