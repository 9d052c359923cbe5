/* bias.c - adds one number per channel.
 *
 *   y[c][h][w] = x[c][h][w] + b[c]
 *   db[c] = sum over images and pixels of dy[c][h][w] */
#include "plan/lower.h"
#include "ops/layer_shapes.h"
#include "ops/ops.h"

static fv_status infer(fv_infer *q)
{
    FV_TRY(fv__expect_per_channel(q, 1));
    q->out = q->input[0]->shape;
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    g->dx[0] = g->dy;
    if (!g->wanted[1])
        return FV_OK;
    return fv__grad_node(g, &fv_op_bias_db, "db", NULL, 1, &g->dy, FV_ROLE_GRADIENT, g->node->input[1],
                         &g->dx[1]);
}

static void ref(const fv_ref *r)
{
    const int64_t c = r->out_shape.dim[0], pixels = fv__shape_count(r->out_shape) / c;
    for (int64_t plane = 0; plane < r->n * c; plane++)
        for (int64_t i = 0; i < pixels; i++)
            r->out[plane * pixels + i] = r->in[0][plane * pixels + i] + r->in[1][plane % c];
}

static fv_plane_args planes(fv_shape x)
{
    return (fv_plane_args){x.dim[0], fv__shape_count(x) / x.dim[0]};
}

static fv_status lower(fv_lower *l)
{
    const fv_plane_args args = planes(l->out_shape);
    return fv__lower_simple(l, FV_KERNEL_bias, &args, sizeof args);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in;
    const double n = (double)fv__shape_count(out);
    return (fv_cost){n, 8 * n};
}

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}, {1, {3}}}, ""},   {16, {{3, {5, 4, 4}}, {1, {5}}}, ""},
    {15, {{3, {17, 1, 3}}, {1, {17}}}, ""}, {1, {{3, {1, 1, 1}}, {1, {1}}}, ""},
    {17, {{1, {17}}, {1, {17}}}, ""},
};

static const fv_parameter_spec parameters[] = {
    {.suffix = "bias", .role = FV_ROLE_PARAMETER, .shape = fv__shape_per_channel},
};

static const fv_layer_kind layers[] = {{
    .word = "bias",
    .help = "adds a learned number to each channel",
    .op = &fv_op_bias,
    .slot = {{FV_SLOT_NAME, "NAME"}},
    FV_PARAMETERS(parameters),
}};

const fv_op fv_op_bias = {
    .name = "bias",
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER},
    .in_place = 1,
    .cheap = true,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- bias_db: input dy ---------------------------------------------------------------------------- */

static fv_status infer_db(fv_infer *q)
{
    q->out = FV_SHAPE(q->input[0]->shape.dim[0]);
    return FV_OK;
}

static void ref_db(const fv_ref *r)
{
    const int64_t c = r->out_shape.dim[0], pixels = fv__shape_count(r->in_shape[0]) / c;
    for (int64_t i = 0; i < c; i++)
        r->out[i] = 0;
    for (int64_t plane = 0; plane < r->n * c; plane++)
        for (int64_t i = 0; i < pixels; i++)
            r->out[plane % c] += r->in[0][plane * pixels + i];
}

/* Vectors: one feature at a time over the whole batch. */
static fv_status lower_vector_db(fv_lower *l)
{
    const double n = (double)l->max_batch * l->out_shape.dim[0];
    const fv_plane_args args = planes(l->in_shape[0]);
    const fv_step_spec spec = {.kernel = FV_KERNEL_linear_db,
                               .units = args.channels,
                               .grain = 16,
                               .checked_floats = 1,
                               .flops = n,
                               .bytes = 4 * n};
    return fv__lower_gradient(l, &args, sizeof args, l->in[0], spec);
}

/* Images: the blocks of a shard are added one after the other, then the shards. */
static fv_status lower_db(fv_lower *l)
{
    const fv_plane_args args = planes(l->in_shape[0]);
    const double n = (double)fv__shape_count(l->in_shape[0]);
    if (l->in_shape[0].rank == 1)
        return lower_vector_db(l);
    return fv__lower_sharded(l, FV_KERNEL_channel_sum, &args, sizeof args, 0, n, 4 * n);
}

static fv_cost cost_db(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)out;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){n, 4 * n};
}

static const fv_case cases_db[] = {
    {17, {{3, {3, 5, 7}}}, ""}, {16, {{3, {5, 4, 4}}}, ""},  {15, {{3, {17, 1, 3}}}, ""},
    {1, {{3, {1, 1, 1}}}, ""},  {17, {{1, {17}}}, ""},       {131, {{3, {6, 2, 3}}}, ""},
    {17, {{2, {5, 65}}}, ""},   {3, {{3, {6, 20, 17}}}, ""},
};

const fv_op fv_op_bias_db = {
    .name = "bias_db",
    .family = "bias",
    .part = FV_PART_BIAS,
    .out = FV_ROLE_GRADIENT,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .no_gradient = true,
    .infer = infer_db,
    .ref = ref_db,
    .lower = lower_db,
    .cost = cost_db,
    .cases = cases_db,
    .n_cases = sizeof cases_db / sizeof *cases_db,
};
