/* groupnorm.c - group normalisation (Wu and He 2018), and instance normalisation (Ulyanov et al. 2016), whose
 * groups are single channels.
 *
 *   xhat = (x - mean) * inv_std,   y = gamma * xhat + beta
 *   dgamma = sum over images and pixels of dy * xhat,   dbeta = sum of dy
 *   dx = inv_std * (g - (sum g + xhat * sum(g * xhat)) / n),    g = gamma * dy
 *
 * Mean, variance and the sums of dx are over the n values of one group: its channels at all pixels of one
 * image. x is [c] and any number of directions; gamma and beta [c]. Every image is normalised by itself, so
 * training and inference are the same. */
#include "ops/layer_shapes.h"
#include "ops/ops.h"
#include "plan/lower.h"

#include <math.h>

typedef struct groupnorm_attrs {
    int groups; /* 0: as many as channels */
} groupnorm_attrs;

static const fv_attr_spec specs[] = {
    {"groups", FV_ATTR_INT, offsetof(groupnorm_attrs, groups), 0, FV_MAX_DIM, 1},
};

static fv_group_args args_of(const void *attrs, fv_shape x)
{
    const int groups = ((const groupnorm_attrs *)attrs)->groups, channels = x.dim[0];
    return (fv_group_args){channels, groups > 0 ? groups : channels, fv__shape_count(x) / channels};
}

static fv_status check_groups(const fv_infer *q)
{
    const fv_group_args a = args_of(q->attrs, q->input[0]->shape);
    if (a.groups > a.channels || a.channels % a.groups != 0)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: groups=%d has to divide the %d channels", q->what,
                        a.groups, a.channels);
    return FV_OK;
}

static fv_status infer(fv_infer *q)
{
    FV_TRY(check_groups(q));
    FV_TRY(fv__expect_per_channel(q, 1));
    FV_TRY(fv__expect_per_channel(q, 2));
    q->out = q->input[0]->shape;
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const int x = g->node->input[0], gamma = g->node->input[1], beta = g->node->input[2];
    if (g->wanted[1])
        FV_TRY(fv__grad_node(g, &fv_op_groupnorm_dw, "dw", g->node->attrs, 2, (int[]){g->dy, x},
                             FV_ROLE_GRADIENT, gamma, &g->dx[1]));
    if (g->wanted[2])
        FV_TRY(fv__grad_node(g, &fv_op_bias_db, "db", NULL, 1, &g->dy, FV_ROLE_GRADIENT, beta, &g->dx[2]));
    if (!g->wanted[0])
        return FV_OK;
    return fv__grad_node(g, &fv_op_groupnorm_dx, "dx", g->node->attrs, 3, (int[]){g->dy, x, gamma},
                         FV_ROLE_VALUE, -1, &g->dx[0]);
}

/* ---- the reference ---------------------------------------------------------------------------------- */

typedef struct moments {
    double mean, inv_std;
} moments;

static moments moments_of(const fv_ref *r, const double *x, int64_t n)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    for (int64_t i = 0; i < n; i++)
        squares += (x[i] - sum / (double)n) * (x[i] - sum / (double)n);
    return (moments){fv__ref_rounded(r, sum / (double)n),
                     fv__ref_rounded(r, 1 / sqrt(squares / (double)n + FV_LAYERNORM_EPS))};
}

static void ref(const fv_ref *r)
{
    const fv_group_args a = args_of(r->attrs, r->out_shape);
    const int64_t n = a.channels / a.groups * a.pixels;
    for (int64_t group = 0; group < r->n * a.groups; group++) {
        const moments m = moments_of(r, r->in[0] + group * n, n);
        for (int64_t i = group * n; i < (group + 1) * n; i++) {
            const int64_t c = i / a.pixels % a.channels;
            r->out[i] = r->in[1][c] * (r->in[0][i] - m.mean) * m.inv_std + r->in[2][c];
        }
    }
}

static void ref_dx(const fv_ref *r)
{
    const fv_group_args a = args_of(r->attrs, r->out_shape);
    const int64_t n = a.channels / a.groups * a.pixels;
    const double *const dy = r->in[0], *const x = r->in[1], *const gamma = r->in[2];
    for (int64_t group = 0; group < r->n * a.groups; group++) {
        const moments m = moments_of(r, x + group * n, n);
        double sum = 0, product = 0;
        for (int64_t i = group * n; i < (group + 1) * n; i++) {
            const double g = gamma[i / a.pixels % a.channels] * dy[i];
            sum += g / (double)n;
            product += g * (x[i] - m.mean) * m.inv_std / (double)n;
        }
        for (int64_t i = group * n; i < (group + 1) * n; i++) {
            const double xhat = (x[i] - m.mean) * m.inv_std;
            r->out[i] = m.inv_std * (gamma[i / a.pixels % a.channels] * dy[i] - sum - xhat * product);
        }
    }
}

static void ref_dw(const fv_ref *r)
{
    const fv_group_args a = args_of(r->attrs, r->in_shape[0]);
    const int64_t n = a.channels / a.groups * a.pixels;
    for (int64_t c = 0; c < a.channels; c++)
        r->out[c] = 0;
    for (int64_t group = 0; group < r->n * a.groups; group++) {
        const moments m = moments_of(r, r->in[1] + group * n, n);
        for (int64_t i = group * n; i < (group + 1) * n; i++)
            r->out[i / a.pixels % a.channels] += r->in[0][i] * (r->in[1][i] - m.mean) * m.inv_std;
    }
}

/* ---- lowering --------------------------------------------------------------------------------------- */

static fv_status lower(fv_lower *l)
{
    const fv_group_args args = args_of(l->attrs, l->out_shape);
    return fv__lower_simple(l, FV_KERNEL_groupnorm, &args, sizeof args);
}

static fv_status lower_dx(fv_lower *l)
{
    const fv_group_args args = args_of(l->attrs, l->out_shape);
    return fv__lower_simple(l, FV_KERNEL_groupnorm_dx, &args, sizeof args);
}

static fv_status lower_dw(fv_lower *l)
{
    const fv_group_args args = args_of(l->attrs, l->in_shape[0]);
    const double n = (double)fv__shape_count(l->in_shape[0]);
    return fv__lower_sharded(l, FV_KERNEL_groupnorm_dw, &args, sizeof args,
                             (size_t)(args.channels / args.groups) * FV_LANES, 7 * n, 8 * n);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)out;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){7 * n, 8 * n};
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)out;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){14 * n, 12 * n};
}

/* ---- the rows --------------------------------------------------------------------------------------- */

static void single_channels(fv_shape in, void *attrs)
{
    (void)in;
    ((groupnorm_attrs *)attrs)->groups = 0;
}

static const fv_parameter_spec parameters[] = {FV_SCALE_AND_SHIFT};

static const fv_layer_kind layers[] = {
    {
        .word = "groupnorm",
        .help =
            "each image's values less the mean of their group of channels, divided by its deviation, then "
            "scaled and shifted",
        .op = &fv_op_groupnorm,
        .slot = {{FV_SLOT_NAME, "NAME"}, {FV_SLOT_ATTR, "groups"}},
        FV_PARAMETERS(parameters),
    },
    {
        .word = "instancenorm",
        .help = "groupnorm with a group for each channel",
        .op = &fv_op_groupnorm,
        .slot = {{FV_SLOT_NAME, "NAME"}},
        FV_PARAMETERS(parameters),
        .set = single_channels,
    },
};

#define FV_CASE_OF(n, words, c, ...)                                                                         \
    {                                                                                                        \
        n, {__VA_ARGS__, {1, {c}}, {1, {c}}}, words                                                          \
    }
static const fv_case cases[] = {
    FV_CASE_OF(17, "groups=1", 3, {3, {3, 5, 7}}),   FV_CASE_OF(16, "groups=4", 48, {2, {48, 65}}),
    FV_CASE_OF(15, "groups=0", 17, {2, {17, 9}}),    FV_CASE_OF(2, "groups=1", 1, {2, {1, 4}}),
    FV_CASE_OF(17, "groups=2", 18, {1, {18}}),       FV_CASE_OF(131, "groups=3", 6, {3, {6, 2, 3}}),
    FV_CASE_OF(3, "groups=2", 4, {4, {4, 3, 5, 2}}), FV_CASE_OF(3, "groups=0", 2, {3, {2, 19, 31}}),
};

const fv_op fv_op_groupnorm = {
    .name = "groupnorm",
    .n_inputs = 3,
    .in_place = 1,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER, FV_ROLE_PARAMETER},
    .attr_bytes = sizeof(groupnorm_attrs),
    .attrs = specs,
    .n_attrs = 1,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- groupnorm_dx: inputs dy, x, gamma -------------------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    FV_TRY(check_groups(q));
    FV_TRY(fv__expect_per_channel(q, 2));
    q->out = q->input[0]->shape;
    return FV_OK;
}

#define FV_CASE_DX(n, words, c, ...)                                                                         \
    {                                                                                                        \
        n, {__VA_ARGS__, __VA_ARGS__, {1, {c}}}, words                                                       \
    }
static const fv_case cases_dx[] = {
    FV_CASE_DX(17, "groups=1", 3, {3, {3, 5, 7}}),  FV_CASE_DX(16, "groups=4", 48, {2, {48, 65}}),
    FV_CASE_DX(15, "groups=0", 17, {2, {17, 9}}),   FV_CASE_DX(17, "groups=2", 18, {1, {18}}),
    FV_CASE_DX(131, "groups=3", 6, {3, {6, 2, 3}}), FV_CASE_DX(3, "groups=2", 4, {4, {4, 3, 5, 2}}),
    FV_CASE_DX(3, "groups=1", 331, {2, {331, 5}}),
};

const fv_op fv_op_groupnorm_dx = {
    .name = "groupnorm_dx",
    .family = "groupnorm",
    .part = FV_PART_DATA,
    .n_inputs = 3,
    .in_place = 1,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE, FV_ROLE_PARAMETER},
    .attr_bytes = sizeof(groupnorm_attrs),
    .attrs = specs,
    .n_attrs = 1,
    .no_gradient = true,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};

/* ---- groupnorm_dw: inputs dy, x --------------------------------------------------------------------- */

static fv_status infer_dw(fv_infer *q)
{
    FV_TRY(check_groups(q));
    q->out = FV_SHAPE(q->input[0]->shape.dim[0]);
    return FV_OK;
}

static const fv_case cases_dw[] = {
    {17, {{3, {3, 5, 7}}, {3, {3, 5, 7}}}, "groups=1"},  {16, {{2, {48, 65}}, {2, {48, 65}}}, "groups=4"},
    {15, {{2, {17, 9}}, {2, {17, 9}}}, "groups=0"},      {17, {{1, {18}}, {1, {18}}}, "groups=2"},
    {131, {{3, {6, 2, 3}}, {3, {6, 2, 3}}}, "groups=3"}, {17, {{2, {3, 597}}, {2, {3, 597}}}, "groups=3"},
};

const fv_op fv_op_groupnorm_dw = {
    .name = "groupnorm_dw",
    .family = "groupnorm",
    .part = FV_PART_WEIGHTS,
    .out = FV_ROLE_GRADIENT,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .attr_bytes = sizeof(groupnorm_attrs),
    .attrs = specs,
    .n_attrs = 1,
    .no_gradient = true,
    .infer = infer_dw,
    .ref = ref_dw,
    .lower = lower_dw,
    .cost = cost,
    .cases = cases_dw,
    .n_cases = sizeof cases_dw / sizeof *cases_dw,
};
