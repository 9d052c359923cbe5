/* distances.c - the losses that compare n values with n targets one by one and sum the results, and their
 * gradients. The operations are generated from the rows of kernels/distances.def:
 *   loss = weight * sum over j of f(p_j, t_j),   dp_j = weight * image_weight * f'(p_j, t_j)
 *
 * The target has the shape of the values, or it is a class number; then t_j is 1 at that index and 0
 * elsewhere. */
#include "ops/ops.h"
#include "plan/lower.h"

#include <math.h>

static const fv_attr_spec specs[] = {
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

static const fv_case cases[] = {
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

static fv_status infer(fv_infer *q)
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

static fv_status infer_dx(fv_infer *q)
{
    FV_TRY(infer(q));
    q->out = q->input[0]->shape;
    return FV_OK;
}

typedef double (*distance_fn)(double p, double t, double delta);

/* t_j of one image. */
static double target_of(const fv_ref *r, int64_t image, int64_t j)
{
    const int64_t n = fv__shape_count(r->in_shape[0]);
    if (is_one_hot(r->in_shape[0], r->in_shape[1]))
        return j == (int64_t)r->in[1][image] ? 1 : 0;
    return r->in[1][image * n + j];
}

static void add_up(const fv_ref *r, distance_fn value)
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

static void find_slopes(const fv_ref *r, distance_fn slope)
{
    const fv_distance_attrs *const a = r->attrs;
    const int64_t n = fv__shape_count(r->in_shape[0]);
    for (int64_t image = 0; image < r->n; image++)
        for (int64_t j = 0; j < n; j++)
            r->out[image * n + j] = (double)a->weight / r->n *
                                    slope(r->in[0][image * n + j], target_of(r, image, j), (double)a->delta);
}

static uint64_t find_sides(const fv_ref *r, distance_fn kink)
{
    const fv_distance_attrs *const a = r->attrs;
    const int64_t n = fv__shape_count(r->in_shape[0]);
    uint64_t hash = FV_HASH_SIDES;
    for (int64_t image = 0; image < r->n; image++)
        for (int64_t j = 0; j < n; j++) {
            const double at = kink(r->in[0][image * n + j], target_of(r, image, j), (double)a->delta);
            hash = fv__hash_side(hash, (at > 0) - (at < 0));
        }
    return hash;
}

static fv_status lower_by(fv_lower *l, fv_kernel_id kernel, fv_distance distance)
{
    const fv_distance_attrs *const a = l->attrs;
    const fv_distance_args args = {.distance = distance,
                                   .n = fv__shape_count(l->in_shape[0]),
                                   .one_hot = is_one_hot(l->in_shape[0], l->in_shape[1]),
                                   .delta = a->delta,
                                   .weight = a->weight};
    return fv__lower_simple(l, kernel, &args, sizeof args);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){3 * n, 4 * (2 * n + (double)fv__shape_count(out))};
}

/* A function of a row, with the names that distances.def uses. */
#define FV_FUNCTION(fn, formula)                                                                             \
    static double fn(double p, double t, double delta)                                                       \
    {                                                                                                        \
        const double d = p - t, y = 2 * t - 1;                                                               \
        (void)d, (void)y, (void)delta;                                                                       \
        return formula;                                                                                      \
    }
/* The members that an operation and its gradient share. */
#define FV_COMPARES(target_of, n_words)                                                                      \
    .n_inputs = 2, .role = {FV_ROLE_VALUE, FV_ROLE_VALUE}, .target = target_of,                              \
    .attr_bytes = sizeof(fv_distance_attrs), .attrs = specs, .n_attrs = n_words, .cost = cost,               \
    .cases = cases, .n_cases = FV_COUNT(cases)

#define FV_DISTANCE(fn, target_of, n_words, value_of, slope_of, kinks, kink_of)                              \
    FV_FUNCTION(fn##_value, value_of)                                                                        \
    FV_FUNCTION(fn##_slope, slope_of)                                                                        \
    FV_FUNCTION(fn##_kink, kink_of)                                                                          \
    static fv_status fn##_grad(fv_grad *g)                                                                   \
    {                                                                                                        \
        return fv__loss_grad(g, &fv_op_##fn##_dx);                                                           \
    }                                                                                                        \
    static void fn##_ref(const fv_ref *r)                                                                    \
    {                                                                                                        \
        add_up(r, fn##_value);                                                                               \
    }                                                                                                        \
    static void fn##_ref_dx(const fv_ref *r)                                                                 \
    {                                                                                                        \
        find_slopes(r, fn##_slope);                                                                          \
    }                                                                                                        \
    static uint64_t fn##_side(const fv_ref *r)                                                               \
    {                                                                                                        \
        return find_sides(r, fn##_kink);                                                                     \
    }                                                                                                        \
    static fv_status fn##_lower(fv_lower *l)                                                                 \
    {                                                                                                        \
        return lower_by(l, FV_KERNEL_distance, FV_DISTANCE_##fn);                                            \
    }                                                                                                        \
    static fv_status fn##_lower_dx(fv_lower *l)                                                              \
    {                                                                                                        \
        return lower_by(l, FV_KERNEL_distance_dx, FV_DISTANCE_##fn);                                         \
    }                                                                                                        \
    const fv_op fv_op_##fn = {                                                                               \
        .name = #fn,                                                                                         \
        .part = FV_PART_LOSS,                                                                                \
        FV_COMPARES(target_of, n_words),                                                                     \
        .infer = infer,                                                                                      \
        .grad = fn##_grad,                                                                                   \
        .ref = fn##_ref,                                                                                     \
        .side = (kinks) ? fn##_side : NULL,                                                                  \
        .lower = fn##_lower,                                                                                 \
    };                                                                                                       \
    const fv_op fv_op_##fn##_dx = {                                                                          \
        .name = #fn "_dx",                                                                                   \
        .family = #fn,                                                                                       \
        .part = FV_PART_DATA,                                                                                \
        FV_COMPARES(target_of, n_words),                                                                     \
        .in_place = 1,                                                                                       \
        .no_gradient = true,                                                                                 \
        .infer = infer_dx,                                                                                   \
        .ref = fn##_ref_dx,                                                                                  \
        .lower = fn##_lower_dx,                                                                              \
    };
#include "kernels/distances.def"
#undef FV_DISTANCE
