/* distances.c - shape rule, reference and lowering of the losses that compare value by value. */
#include "ops/distances.h"

const fv_attr_spec fv__distance_specs[2] = {
    {.word = "weight",
     .type = FV_ATTR_FLOAT,
     .offset = offsetof(fv_distance_attrs, weight),
     .max = 1e6,
     .initial = 1},
    {.word = "delta",
     .type = FV_ATTR_FLOAT,
     .offset = offsetof(fv_distance_attrs, delta),
     .min = 1e-6,
     .max = 1e6,
     .initial = 1},
};

const fv_case fv__distance_cases[6] = {
    {17, {{1, {10}}, {1, {1}}}, ""},
    {1, {{1, {1}}, {1, {1}}}, ""},
    {16, {{1, {2}}, {1, {2}}}, "weight=0.5"},
    {3, {{1, {257}}, {1, {257}}}, ""},
    {18, {{3, {2, 3, 5}}, {3, {2, 3, 5}}}, ""},
    {33, {{2, {3, 7}}, {2, {3, 7}}}, "weight=3"},
};

static bool is_one_hot(fv_shape values, fv_shape target)
{
    return fv__shape_count(target) == 1 && fv__shape_count(values) > 1;
}

fv_target fv__op_target(const fv_op *op, fv_shape values, fv_shape target)
{
    const bool bits_or_values = op->target == FV_TARGET_BITS || op->target == FV_TARGET_VALUES;
    return bits_or_values && is_one_hot(values, target) ? FV_TARGET_CLASS : op->target;
}

fv_status fv__distance_infer(fv_infer *q)
{
    const fv_shape values = q->input[0]->shape, target = q->input[1]->shape;
    char expected[FV_SHAPE_TEXT], found[FV_SHAPE_TEXT];
    if (!fv__shape_equal(values, target) && !(is_one_hot(values, target) && values.rank == 1))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: the target '%s' is %s; expected %s, like the values%s",
                        q->what, q->input[1]->name, fv__shape_text(target, found),
                        fv__shape_text(values, expected), values.rank == 1 ? ", or one class number" : "");
    q->out = FV_SHAPE(1);
    return FV_OK;
}

fv_status fv__distance_infer_dx(fv_infer *q)
{
    FV_TRY(fv__distance_infer(q));
    q->out = q->input[0]->shape;
    return FV_OK;
}

fv_status fv__loss_grad(fv_grad *g, const fv_op *op)
{
    return fv__grad_node(g, op, "dx", g->node->attrs, 2, g->node->input, FV_ROLE_VALUE, -1, &g->dx[0]);
}

/* t_j of one image. */
static double target_of(const fv_ref *r, int64_t image, int64_t j)
{
    const int64_t n = fv__shape_count(r->in_shape[0]);
    if (is_one_hot(r->in_shape[0], r->in_shape[1]))
        return j == (int64_t)r->in[1][image] ? 1 : 0;
    return r->in[1][image * n + j];
}

void fv__distance_ref(const fv_ref *r, fv_distance_fn value)
{
    const fv_distance_attrs *const a = r->attrs;
    const int64_t n = fv__shape_count(r->in_shape[0]);
    for (int64_t image = 0; image < r->n; image++) {
        double sum = 0;
        for (int64_t j = 0; j < n; j++)
            sum += value(r->in[0][image * n + j], target_of(r, image, j), (double)a->delta);
        r->out[image] = (double)a->weight * sum;
    }
}

void fv__distance_ref_dx(const fv_ref *r, fv_distance_fn slope)
{
    const fv_distance_attrs *const a = r->attrs;
    const int64_t n = fv__shape_count(r->in_shape[0]);
    for (int64_t image = 0; image < r->n; image++)
        for (int64_t j = 0; j < n; j++)
            r->out[image * n + j] = (double)a->weight / r->n *
                                    slope(r->in[0][image * n + j], target_of(r, image, j), (double)a->delta);
}

uint64_t fv__distance_side(const fv_ref *r, fv_distance_fn kinked)
{
    const fv_distance_attrs *const a = r->attrs;
    const int64_t n = fv__shape_count(r->in_shape[0]);
    uint64_t hash = FV_HASH_SIDES;
    for (int64_t image = 0; image < r->n; image++)
        for (int64_t j = 0; j < n; j++) {
            const double at = kinked(r->in[0][image * n + j], target_of(r, image, j), (double)a->delta);
            hash = fv__hash_side(hash, (at > 0) - (at < 0));
        }
    return hash;
}

static fv_status lower(fv_lower *l, fv_kernel_id kernel, fv_distance distance)
{
    const fv_distance_attrs *const a = l->attrs;
    const fv_distance_args args = {.distance = distance,
                                   .n = fv__shape_count(l->in_shape[0]),
                                   .one_hot = is_one_hot(l->in_shape[0], l->in_shape[1]),
                                   .delta = a->delta,
                                   .weight = a->weight};
    return fv__lower_simple(l, kernel, &args, sizeof args);
}

fv_status fv__distance_lower(fv_lower *l, fv_distance distance)
{
    return lower(l, FV_KERNEL_distance, distance);
}

fv_status fv__distance_lower_dx(fv_lower *l, fv_distance distance)
{
    return lower(l, FV_KERNEL_distance_dx, distance);
}

fv_cost fv__distance_cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){3 * n, 4 * (2 * n + (double)fv__shape_count(out))};
}
