/* softmax.c - scores to probabilities, and its gradient: over the values of a vector, or at each pixel of an
 * image over its channels.
 *
 *   y_j  = exp(x_j - m) / sum over k of exp(x_k - m),  m = max over k of x_k
 *   dx_j = y_j * (dy_j - sum over k of dy_k y_k)
 *
 * Subtracting m changes nothing but keeps exp within range: softmax does not see an offset of all scores. */
#include "ops/layer_shapes.h"
#include "ops/ops.h"
#include "plan/lower.h"

#include <math.h>

static fv_status infer(fv_infer *q)
{
    q->out = q->input[0]->shape;
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const int inputs[] = {g->dy, g->node->output};
    return fv__grad_node(g, &fv_op_softmax_dx, "dx", NULL, 2, inputs, FV_ROLE_VALUE, -1, &g->dx[0]);
}

static void ref(const fv_ref *r)
{
    const int64_t count = fv__shape_count(r->out_shape), n = r->out_shape.dim[0], stride = count / n;
    for (int64_t at = 0; at < r->n * stride; at++) {
        const int64_t first = at / stride * count + at % stride;
        const double *const x = r->in[0] + first;
        double *const y = r->out + first;
        double largest = x[0], sum = 0;
        for (int64_t j = stride; j < count; j += stride)
            largest = x[j] > largest ? x[j] : largest;
        for (int64_t j = 0; j < count; j += stride)
            sum += y[j] = exp(x[j] - largest);
        for (int64_t j = 0; j < count; j += stride)
            y[j] /= sum;
    }
}

static fv_status lower_as(fv_lower *l, fv_kernel_id kernel)
{
    const int n = l->out_shape.dim[0];
    const fv_classes_args args = {n, fv__shape_count(l->out_shape) / n};
    return fv__lower_simple(l, kernel, &args, sizeof args);
}

static fv_status lower(fv_lower *l)
{
    return lower_as(l, FV_KERNEL_softmax);
}

/* An exp counts as one flop, here and in the losses. */
static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs;
    const double n_in = (double)fv__shape_count(in[0]), n_out = (double)fv__shape_count(out);
    return (fv_cost){5 * n_in, 4 * (n_in + n_out)};
}

static const fv_case cases[] = {
    {17, {{1, {10}}}, ""},        {1, {{1, {1}}}, ""},       {16, {{1, {2}}}, ""},
    {15, {{1, {3}}}, ""},         {3, {{1, {257}}}, ""},     {17, {{3, {3, 5, 7}}}, ""},
    {2, {{4, {2, 3, 1, 5}}}, ""}, {18, {{2, {130, 3}}}, ""},
};

static const fv_layer_kind layers[] = {
    {.word = "softmax",
     .help = "exp(x) divided by the sum of all exp(x): probabilities",
     .op = &fv_op_softmax},
};

const fv_op fv_op_softmax = {
    .name = "softmax",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .gives_probabilities = true,
    .in_place = 1,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
    FV_LAYERS(layers),
};

/* ---- the gradient: inputs dy, y ------------------------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    char found[FV_SHAPE_TEXT], expected[FV_SHAPE_TEXT];
    if (!fv__shape_equal(q->input[0]->shape, q->input[1]->shape))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a gradient of %s, found %s", q->what,
                        fv__shape_text(q->input[1]->shape, expected),
                        fv__shape_text(q->input[0]->shape, found));
    q->out = q->input[1]->shape;
    return FV_OK;
}

static void ref_dx(const fv_ref *r)
{
    const int64_t count = fv__shape_count(r->out_shape), n = r->out_shape.dim[0], stride = count / n;
    for (int64_t at = 0; at < r->n * stride; at++) {
        const int64_t first = at / stride * count + at % stride;
        const double *const dy = r->in[0] + first, *const y = r->in[1] + first;
        double *const dx = r->out + first;
        double sum = 0;
        for (int64_t j = 0; j < count; j += stride)
            sum += dy[j] * y[j];
        for (int64_t j = 0; j < count; j += stride)
            dx[j] = y[j] * (dy[j] - sum);
    }
}

static fv_status lower_dx(fv_lower *l)
{
    return lower_as(l, FV_KERNEL_softmax_dx);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in;
    const double n = (double)fv__shape_count(out);
    return (fv_cost){4 * n, 4 * 3 * n};
}

static const fv_case cases_dx[] = {
    {17, {{1, {10}}, {1, {10}}}, ""},
    {1, {{1, {1}}, {1, {1}}}, ""},
    {15, {{1, {3}}, {1, {3}}}, ""},
    {3, {{1, {257}}, {1, {257}}}, ""},
    {17, {{3, {3, 5, 7}}, {3, {3, 5, 7}}}, ""},
    {18, {{2, {130, 3}}, {2, {130, 3}}}, ""},
};

const fv_op fv_op_softmax_dx = {
    .name = "softmax_dx",
    .family = "softmax",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .in_place = 1,
    .no_gradient = true,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
