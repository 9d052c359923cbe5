/* batchnorm.c - batch normalisation in training (Ioffe and Szegedy 2015), and its gradients.
 *
 *   xhat = (x - mean) * inv_std       per channel, with the statistics of the batch (batchnorm_stats)
 *   y    = gamma * xhat + beta
 *
 *   dbeta  = sum of dy, dgamma = sum of dy * xhat       over images and pixels, N of them
 *   dx     = gamma * inv_std * (dy - (dbeta + xhat * dgamma) / N)
 *
 * dx is the complete derivative, including the dependence of the statistics on x. It needs the sums of its
 * own run only, while gradients may be added over several runs of one update. Therefore the sums are a tensor
 * of the batch, from which the gradients are computed.
 *
 * Inputs: x, stats [3][c], gamma [c], beta [c], running mean and variance [c] (BN_X ... in batchnorm.h).
 * The operation does not read the last two: batchnorm_track updates them, and in a graph for inference
 * batchnorm_inference replaces the node and reads them instead of stats. */
#include "ops/layer_shapes.h"
#include "ops/batchnorm.h"

static fv_status infer(fv_infer *q)
{
    const int c = q->input[0]->shape.dim[0];
    FV_TRY(fv__batchnorm_expect(q, BN_STATS, c, FV_BATCHNORM_ROWS));
    for (int i = BN_GAMMA; i < BN_INPUTS; i++)
        FV_TRY(fv__batchnorm_expect(q, i, c, 0));
    q->out = q->input[0]->shape;
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const fv_node *node = g->node;
    const int x = node->input[BN_X], stats = node->input[BN_STATS];
    const int gamma = node->input[BN_GAMMA], beta = node->input[BN_BETA];
    const fv_row_attrs of_gamma = {FV_BATCHNORM_DY_XHAT}, of_beta = {FV_BATCHNORM_DY};
    int sums;
    FV_TRY(fv__grad_node(g, &fv_op_batchnorm_sums, "sums", NULL, 3, (int[]){g->dy, x, stats}, FV_ROLE_BATCH,
                         -1, &sums));
    if (g->wanted[BN_GAMMA])
        FV_TRY(fv__grad_node(g, &fv_op_batchnorm_dw, "dw", &of_gamma, 1, &sums, FV_ROLE_GRADIENT, gamma,
                             &g->dx[BN_GAMMA]));
    if (g->wanted[BN_BETA])
        FV_TRY(fv__grad_node(g, &fv_op_batchnorm_dw, "db", &of_beta, 1, &sums, FV_ROLE_GRADIENT, beta,
                             &g->dx[BN_BETA]));
    if (!g->wanted[BN_X])
        return FV_OK;
    return fv__grad_node(g, &fv_op_batchnorm_dx, "dx", NULL, 5, (int[]){g->dy, x, stats, gamma, sums},
                         FV_ROLE_VALUE, -1, &g->dx[BN_X]);
}

/* Appends the update of one running statistic from its row of the batch's statistics, in the last run of an
 * update. */
static fv_status append_track(fv_graph *graph, const fv_node *node, int running, int row, const char *suffix)
{
    const fv_row_attrs attrs = {row};
    int output;
    const fv_node_spec spec = {.op = &fv_op_batchnorm_track,
                               .name = fv__arena_printf(&graph->arena, "%s.%s", node->name, suffix),
                               .layer = node->layer,
                               .line = node->line,
                               .n_inputs = 2,
                               .input = {node->input[running], node->input[BN_STATS]},
                               .attrs = &attrs,
                               .role = FV_ROLE_STATE,
                               .of = node->input[running]};
    return spec.name ? fv__graph_node(graph, &spec, &output) : FV_ERR_MEMORY;
}

static fv_status track(fv_graph *graph, const fv_node *node)
{
    FV_TRY(append_track(graph, node, BN_RUNNING_MEAN, FV_BATCHNORM_MEAN, "track_mean"));
    return append_track(graph, node, BN_RUNNING_VAR, FV_BATCHNORM_VAR, "track_var");
}

static void ref(const fv_ref *r)
{
    const int64_t c = r->out_shape.dim[0], pixels = fv__shape_count(r->out_shape) / c;
    const double *mean = r->in[1], *inv_std = r->in[1] + c;
    for (int64_t plane = 0; plane < r->n * c; plane++)
        for (int64_t i = plane * pixels, k = plane % c; i < (plane + 1) * pixels; i++)
            r->out[i] = r->in[2][k] * (r->in[0][i] - mean[k]) * inv_std[k] + r->in[3][k];
}

static fv_status lower(fv_lower *l)
{
    const fv_plane_args args = fv__batchnorm_planes(l->out_shape);
    l->n_inputs = BN_RUNNING_MEAN; /* the running statistics are for inference only */
    return fv__lower_simple(l, FV_KERNEL_batchnorm, &args, sizeof args);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in;
    const double n = (double)fv__shape_count(out);
    return (fv_cost){3 * n, 8 * n};
}

#define FV_CASE_OF(n, c, ...)                                                                                \
    {                                                                                                        \
        n, {__VA_ARGS__, {2, {3, c}}, {1, {c}}, {1, {c}}, {1, {c}}, {1, {c}}}, ""                            \
    }
static const fv_case cases[] = {
    FV_CASE_OF(17, 3, {3, {3, 5, 7}}), FV_CASE_OF(16, 5, {3, {5, 4, 4}}), FV_CASE_OF(15, 17, {3, {17, 1, 3}}),
    FV_CASE_OF(1, 2, {3, {2, 1, 2}}),  FV_CASE_OF(17, 17, {1, {17}}),     FV_CASE_OF(131, 6, {3, {6, 2, 3}}),
};

static fv_shape stats_shape(fv_layer_shapes *q)
{
    return FV_SHAPE(FV_BATCHNORM_ROWS, q->in.dim[0]);
}

static const fv_parameter_spec parameters[] = {
    {.suffix = "stats", .role = FV_ROLE_BATCH, .shape = stats_shape, .of_batch = &fv_op_batchnorm_stats},
    FV_SCALE_AND_SHIFT,
    {.suffix = "running_mean", .role = FV_ROLE_STATISTIC, .shape = fv__shape_per_channel},
    {.suffix = "running_var",
     .role = FV_ROLE_STATISTIC,
     .shape = fv__shape_per_channel,
     .init = {FV_INIT_CONSTANT, .scale = 1}},
};

static const fv_layer_kind layers[] = {{
    .word = "batchnorm",
    .help = "each channel less its mean over the batch, divided by its deviation, then scaled and shifted",
    .op = &fv_op_batchnorm,
    .slot = {{FV_SLOT_NAME, "NAME"}},
    FV_PARAMETERS(parameters),
}};

const fv_op fv_op_batchnorm = {
    .name = "batchnorm",
    .inference = {&fv_op_batchnorm_inference, 5, {BN_X, BN_RUNNING_MEAN, BN_RUNNING_VAR, BN_GAMMA, BN_BETA}},
    .track = track,
    .n_inputs = BN_INPUTS,
    .epilogue = FV_EPILOGUE(FV_FINISH_RESIDUAL) | FV_EPILOGUE(FV_FINISH_RELU),
    .in_place = 1,
    .cheap = true,
    .role = {FV_ROLE_VALUE, FV_ROLE_BATCH, FV_ROLE_PARAMETER, FV_ROLE_PARAMETER, FV_ROLE_STATISTIC,
             FV_ROLE_STATISTIC},
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- batchnorm_sums: inputs dy, x, stats; [2][c]: sums of dy and of dy * xhat ---------------------- */

static fv_status infer_sums(fv_infer *q)
{
    const int c = q->input[0]->shape.dim[0];
    FV_TRY(fv__batchnorm_expect(q, 2, c, FV_BATCHNORM_ROWS));
    q->out = FV_SHAPE(FV_BATCHNORM_SUMS, c);
    return FV_OK;
}

static void ref_sums(const fv_ref *r)
{
    const int64_t c = r->in_shape[0].dim[0], pixels = fv__shape_count(r->in_shape[0]) / c;
    const double *mean = r->in[2], *inv_std = r->in[2] + c;
    for (int64_t i = 0; i < 2 * c; i++)
        r->out[i] = 0;
    for (int64_t plane = 0; plane < r->n * c; plane++)
        for (int64_t i = plane * pixels, k = plane % c; i < (plane + 1) * pixels; i++) {
            r->out[k] += r->in[0][i];
            r->out[c + k] += r->in[0][i] * (r->in[1][i] - mean[k]) * inv_std[k];
        }
}

static fv_status lower_sums(fv_lower *l)
{
    return fv__batchnorm_reduce(l, FV_KERNEL_batchnorm_products, 2, FV_KERNEL_batchnorm_sums,
                                4 * (double)fv__shape_count(l->in_shape[0]));
}

static fv_cost cost_sums(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)out;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){4 * n, 8 * n};
}

static const fv_case cases_sums[] = {
    {17, {{3, {3, 5, 7}}, {3, {3, 5, 7}}, {2, {3, 3}}}, ""},
    {131, {{3, {6, 2, 3}}, {3, {6, 2, 3}}, {2, {3, 6}}}, ""},
    {1, {{3, {1, 1, 1}}, {3, {1, 1, 1}}, {2, {3, 1}}}, ""},
    {17, {{1, {17}}, {1, {17}}, {2, {3, 17}}}, ""},
    {17, {{3, {2, 31, 19}}, {3, {2, 31, 19}}, {2, {3, 2}}}, ""},
};

const fv_op fv_op_batchnorm_sums = {
    .name = "batchnorm_sums",
    .family = "batchnorm",
    .part = FV_PART_SUMS,
    .out = FV_ROLE_BATCH,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 3,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE, FV_ROLE_BATCH},
    .no_gradient = true,
    .infer = infer_sums,
    .ref = ref_sums,
    .lower = lower_sums,
    .cost = cost_sums,
    .cases = cases_sums,
    .n_cases = sizeof cases_sums / sizeof *cases_sums,
};

/* ---- batchnorm_dw: input sums; the gradient of beta (row 0) or gamma (row 1) ------------------------ */

static const fv_attr_spec specs_dw[] = {
    {"row", FV_ATTR_INT, offsetof(fv_row_attrs, row), 0, FV_BATCHNORM_SUMS - 1, 0},
};

static fv_status infer_dw(fv_infer *q)
{
    const fv_shape sums = q->input[0]->shape;
    FV_TRY(fv__batchnorm_expect(q, 0, sums.dim[1], FV_BATCHNORM_SUMS));
    q->out = FV_SHAPE(sums.dim[1]);
    return FV_OK;
}

static void ref_dw(const fv_ref *r)
{
    const int64_t c = r->out_shape.dim[0];
    for (int64_t i = 0; i < c; i++)
        r->out[i] = r->in[0][((const fv_row_attrs *)r->attrs)->row * c + i];
}

static fv_status lower_dw(fv_lower *l)
{
    const fv_row_args args = {((const fv_row_attrs *)l->attrs)->row, l->out_shape.dim[0]};
    const fv_step_spec spec = {.kernel = FV_KERNEL_batchnorm_dw,
                               .units = args.n,
                               .grain = 4096,
                               .checked_floats = 1,
                               .bytes = 8.0 * args.n};
    return fv__lower_gradient(l, &args, sizeof args, l->in[0], spec);
}

static fv_cost cost_dw(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in, (void)out;
    return (fv_cost){0};
}

static const fv_case cases_dw[] = {
    {1, {{2, {2, 17}}}, ""},
    {17, {{2, {2, 17}}}, "row=1"},
    {1, {{2, {2, 1}}}, "row=1"},
};

const fv_op fv_op_batchnorm_dw = {
    .name = "batchnorm_dw",
    .family = "batchnorm",
    .part = FV_PART_WEIGHTS,
    .out = FV_ROLE_GRADIENT,
    .n_inputs = 1,
    .role = {FV_ROLE_BATCH},
    .attr_bytes = sizeof(fv_row_attrs),
    .attrs = specs_dw,
    .n_attrs = 1,
    .no_gradient = true,
    .infer = infer_dw,
    .ref = ref_dw,
    .lower = lower_dw,
    .cost = cost_dw,
    .cases = cases_dw,
    .n_cases = sizeof cases_dw / sizeof *cases_dw,
};

/* ---- batchnorm_dx: inputs dy, x, stats, gamma, sums ------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    const int c = q->input[0]->shape.dim[0];
    FV_TRY(fv__batchnorm_expect(q, 2, c, FV_BATCHNORM_ROWS));
    FV_TRY(fv__batchnorm_expect(q, 3, c, 0));
    FV_TRY(fv__batchnorm_expect(q, 4, c, FV_BATCHNORM_SUMS));
    q->out = q->input[0]->shape;
    return FV_OK;
}

static void ref_dx(const fv_ref *r)
{
    const int64_t c = r->out_shape.dim[0], pixels = fv__shape_count(r->out_shape) / c;
    const double *mean = r->in[2], *inv_std = r->in[2] + c, *gamma = r->in[3], *sums = r->in[4];
    const double n = (double)(r->n * pixels);
    for (int64_t plane = 0; plane < r->n * c; plane++)
        for (int64_t i = plane * pixels, k = plane % c; i < (plane + 1) * pixels; i++) {
            const double xhat = (r->in[1][i] - mean[k]) * inv_std[k];
            r->out[i] = gamma[k] * inv_std[k] * (r->in[0][i] - (sums[k] + xhat * sums[c + k]) / n);
        }
}

static fv_status lower_dx(fv_lower *l)
{
    const fv_plane_args args = fv__batchnorm_planes(l->out_shape);
    return fv__lower_simple(l, FV_KERNEL_batchnorm_dx, &args, sizeof args);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in;
    const double n = (double)fv__shape_count(out);
    return (fv_cost){5 * n, 12 * n};
}

#define FV_CASE_DX(n, c, ...)                                                                                \
    {                                                                                                        \
        n, {__VA_ARGS__, __VA_ARGS__, {2, {3, c}}, {1, {c}}, {2, {2, c}}}, ""                                \
    }
static const fv_case cases_dx[] = {
    FV_CASE_DX(17, 3, {3, {3, 5, 7}}),
    FV_CASE_DX(131, 6, {3, {6, 2, 3}}),
    FV_CASE_DX(1, 1, {3, {1, 1, 1}}),
    FV_CASE_DX(17, 17, {1, {17}}),
};

const fv_op fv_op_batchnorm_dx = {
    .name = "batchnorm_dx",
    .family = "batchnorm",
    .part = FV_PART_DATA,
    .n_inputs = 5,
    .in_place = 3,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE, FV_ROLE_BATCH, FV_ROLE_PARAMETER, FV_ROLE_BATCH},
    .no_gradient = true,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
