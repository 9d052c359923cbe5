/* batchnorm_stats.c - the statistics of a batch, per channel, and the update of the running statistics.
 *
 *   mean[c] = 1/N sum over images and pixels of x[c][h][w]               N = images * h * w
 *   var[c]  = 1/N sum over images and pixels of (x[c][h][w] - mean[c])^2
 *   out     = [3][c]: mean, 1 / sqrt(var + eps), var * N / (N - 1)
 *
 * A batch is one run of the plan: if an update consists of several runs (more than FV_MAX_RUN images), each
 * run is normalised by its own statistics. This operation has no gradient, because the gradient of
 * batchnorm with respect to x includes the path through the statistics. */
#include "ops/batchnorm.h"

#include <math.h>

fv_status fv__batchnorm_expect(const fv_infer *q, int index, int channels, int rows)
{
    const fv_shape s = q->input[index]->shape;
    const fv_shape wanted = rows ? FV_SHAPE(rows, channels) : FV_SHAPE(channels);
    char found[FV_SHAPE_TEXT], expected[FV_SHAPE_TEXT];
    if (fv__shape_equal(s, wanted))
        return FV_OK;
    return fv__fail(q->ctx, FV_ERR_INPUT, "%s: '%s' has shape %s; expected %s, by the channels of its input",
                    q->what, q->input[index]->name, fv__shape_text(s, found),
                    fv__shape_text(wanted, expected));
}

fv_plane_args fv__batchnorm_planes(fv_shape x)
{
    return (fv_plane_args){x.dim[0], fv__shape_count(x) / x.dim[0]};
}

fv_status fv__batchnorm_reduce(fv_lower *l, fv_kernel_id kernel, int numbers, fv_kernel_id total,
                               double flops)
{
    int slots;
    const fv_plane_args args = fv__batchnorm_planes(l->in_shape[0]);
    const double n = (double)fv__shape_count(l->in_shape[0]);
    const int blocks = (l->max_batch + FV_LANES - 1) / FV_LANES;
    /* In rows of FV_LANES images: a block has one row per image, which together make its slot. */
    const int64_t row = ((int64_t)numbers * args.channels + FV_LANES - 1) / FV_LANES;
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_ROWS, row, &slots));
    fv_step_spec block = {.kernel = kernel,
                          .domain = FV_PER_BLOCK,
                          .args = fv__lower_args(l, &args, sizeof args),
                          .n_operands = 1 + l->n_inputs,
                          .operand = {slots},
                          .access = {FV_WRITE},
                          .flops = flops,
                          .bytes = 4 * n};
    for (int i = 0; i < l->n_inputs; i++) {
        block.operand[1 + i] = l->in[i];
        block.access[1 + i] = FV_READ;
    }
    fv_step_spec sum = {.kernel = total,
                        .domain = FV_PER_RANGE,
                        .args = block.args,
                        .n_operands = 2,
                        .operand = {l->out, slots},
                        .access = {FV_WRITE, FV_READ},
                        .units = args.channels,
                        .grain = 64,
                        .bytes = 4.0 * numbers * blocks * args.channels};
    if (!block.args)
        return FV_ERR_MEMORY;
    FV_TRY(fv__lower_step(l, &block));
    return fv__lower_step(l, &sum);
}

static fv_status infer(fv_infer *q)
{
    q->out = FV_SHAPE(FV_BATCHNORM_ROWS, q->input[0]->shape.dim[0]);
    return FV_OK;
}

static void ref(const fv_ref *r)
{
    const int64_t c = r->in_shape[0].dim[0], pixels = fv__shape_count(r->in_shape[0]) / c;
    const double n = (double)(r->n * pixels);
    for (int64_t k = 0; k < c; k++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < r->n * pixels; i++)
            sum += r->in[0][(i / pixels * c + k) * pixels + i % pixels];
        for (int64_t i = 0; i < r->n * pixels; i++) {
            const double d = r->in[0][(i / pixels * c + k) * pixels + i % pixels] - sum / n;
            squares += d * d;
        }
        r->out[FV_BATCHNORM_MEAN * c + k] = sum / n;
        r->out[FV_BATCHNORM_INV_STD * c + k] = 1 / sqrt(squares / n + FV_BATCHNORM_EPS);
        r->out[FV_BATCHNORM_VAR * c + k] = squares / (n > 1 ? n - 1 : 1);
    }
}

static fv_status lower(fv_lower *l)
{
    return fv__batchnorm_reduce(l, FV_KERNEL_batchnorm_moments, 3, FV_KERNEL_batchnorm_stats,
                                5 * (double)fv__shape_count(l->in_shape[0]));
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)out;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){5 * n, 4 * n};
}

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}}, ""},   {16, {{3, {5, 4, 4}}}, ""}, {15, {{3, {17, 1, 3}}}, ""},
    {1, {{3, {1, 1, 1}}}, ""},    {17, {{1, {17}}}, ""},      {131, {{3, {6, 2, 3}}}, ""},
    {17, {{3, {2, 31, 19}}}, ""},
};

const fv_op fv_op_batchnorm_stats = {
    .name = "batchnorm_stats",
    .family = "batchnorm",
    .part = FV_PART_STATISTICS,
    .out = FV_ROLE_BATCH,
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .no_gradient = true,
    .infer = infer,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};

/* ---- batchnorm_track: running = (1 - momentum) running + momentum * row of the batch's -------------
 *
 * Inputs: a running statistic, changed in place, and the statistics of the batch. As in an update, the
 * output is empty and only gives the node its place. */

static const fv_attr_spec specs_row[] = {
    {"row", FV_ATTR_INT, offsetof(fv_row_attrs, row), 0, FV_BATCHNORM_ROWS - 1, 0},
};

static fv_status infer_track(fv_infer *q)
{
    const fv_shape running = q->input[0]->shape;
    FV_TRY(fv__batchnorm_expect(q, 1, running.dim[0], FV_BATCHNORM_ROWS));
    q->out = running;
    return FV_OK;
}

static void ref_track(const fv_ref *r)
{
    const int64_t c = r->out_shape.dim[0];
    const double *row = r->in[1] + ((const fv_row_attrs *)r->attrs)->row * c;
    for (int64_t i = 0; i < c; i++)
        r->changed[0][i] = (1 - FV_BATCHNORM_MOMENTUM) * r->in[0][i] + FV_BATCHNORM_MOMENTUM * row[i];
}

static fv_status lower_track(fv_lower *l)
{
    const double n = (double)l->out_shape.dim[0];
    const fv_row_args args = {((const fv_row_attrs *)l->attrs)->row, l->out_shape.dim[0]};
    fv_step_spec spec = {.kernel = FV_KERNEL_batchnorm_track,
                         .domain = FV_PER_RANGE,
                         .args = fv__lower_args(l, &args, sizeof args),
                         .n_operands = 2,
                         .operand = {l->in[0], l->in[1]},
                         .access = {FV_UPDATE, FV_READ},
                         .units = args.n,
                         .grain = 4096,
                         .flops = 3 * n,
                         .bytes = 12 * n};
    return fv__lower_step(l, &spec);
}

/* Runs once per batch, whatever the batch size. */
static fv_cost cost_track(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in, (void)out;
    return (fv_cost){0};
}

static const fv_case cases_track[] = {
    {1, {{1, {17}}, {2, {3, 17}}}, ""},
    {1, {{1, {1}}, {2, {3, 1}}}, "row=2"},
};

const fv_op fv_op_batchnorm_track = {
    .name = "batchnorm_track",
    .family = "batchnorm",
    .part = FV_PART_TRACK,
    .out = FV_ROLE_STATE,
    .n_inputs = 2,
    .role = {FV_ROLE_STATISTIC, FV_ROLE_BATCH},
    .changes = 1u << 0,
    .attr_bytes = sizeof(fv_row_attrs),
    .attrs = specs_row,
    .n_attrs = 1,
    .no_gradient = true,
    .infer = infer_track,
    .ref = ref_track,
    .lower = lower_track,
    .cost = cost_track,
    .cases = cases_track,
    .n_cases = sizeof cases_track / sizeof *cases_track,
};
