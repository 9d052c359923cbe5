/* local_db.c - the bias gradient of a locally connected layer, which has one bias per output: db[k] = sum
 * over images of dy[k]. */
#include "ops/ops.h"
#include "plan/lower.h"

#include <string.h>

static fv_status infer_db(fv_infer *q)
{
    q->out = q->input[0]->shape;
    return FV_OK;
}

static void ref_db(const fv_ref *r)
{
    const int64_t n = fv__shape_count(r->out_shape);
    memset(r->out, 0, (size_t)n * sizeof *r->out);
    for (int64_t k = 0; k < r->n * n; k++)
        r->out[k % n] += r->in[0][k];
}

static fv_status lower_db(fv_lower *l)
{
    const int64_t n = fv__shape_count(l->out_shape);
    const fv_plane_args args = {.channels = (int)n, .pixels = 1};
    const double values = (double)n * l->max_batch;
    const fv_step_spec spec = {.kernel = FV_KERNEL_linear_db,
                               .units = n,
                               .grain = 64,
                               .checked_floats = 1,
                               .flops = values,
                               .bytes = 4 * values};
    return fv__lower_gradient(l, &args, sizeof args, l->in[0], spec);
}

static fv_cost cost_db(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs;
    return (fv_cost){(double)fv__shape_count(in[0]), 4 * (double)fv__shape_count(out)};
}

static const fv_case db_cases[] = {
    {17, {{3, {3, 5, 7}}}, ""}, {1, {{2, {3, 4}}}, ""}, {131, {{2, {2, 9}}}, ""}};

const fv_op fv_op_local_db = {
    .name = "local_db",
    .family = "local",
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
    .cases = db_cases,
    .n_cases = (int)(sizeof db_cases / sizeof *db_cases),
};
