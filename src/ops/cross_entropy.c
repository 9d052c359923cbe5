/* cross_entropy.c - minus the log of the true class's probability, with softmax fused in, and its gradient.
 * For an image [c][h][w] and a picture of labels [1][h][w] it is the mean over the pixels.
 *
 *   loss = weight * sum over j of q_j (-log softmax(z)_j)
 *   -log softmax(z)_j = log(sum over k of exp(z_k - m)) + (m - z_j),  m = max over k of z_k
 *   dz_j = weight * image_weight * (softmax(z)_j * sum over k of q_k - q_j)
 *   q_j  = w_j ((1 - smoothing) [j = t] + smoothing / n)
 *
 * t is the label, w_j the weight of class j (all 1 if none are given). The loss is not divided by the
 * weights of its labels. Because softmax is fused, the loss stays finite if a probability underflows. */

#include "ops/ops.h"
#include "plan/lower.h"

#include <math.h>

static const fv_attr_spec specs[] = {
    {.word = "weight",
     .type = FV_ATTR_FLOAT,
     .offset = offsetof(fv_cross_entropy_attrs, weight),
     .max = 1e6,
     .initial = 1},
    {.word = "smoothing",
     .type = FV_ATTR_FLOAT,
     .offset = offsetof(fv_cross_entropy_attrs, smoothing),
     .max = 1},
    {.word = "weights",
     .type = FV_ATTR_FLOATS,
     .offset = offsetof(fv_cross_entropy_attrs, n_weights),
     .max = 1e6,
     .count = FV_MAX_CLASS_WEIGHTS},
};

static fv_status infer(fv_infer *q)
{
    const fv_cross_entropy_attrs *const a = q->attrs;
    const fv_shape values = q->input[0]->shape, target = q->input[1]->shape;
    fv_shape label = values;
    char text[FV_SHAPE_TEXT], expected[FV_SHAPE_TEXT];
    label.dim[0] = 1;
    if (!fv__shape_equal(target, label))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected %s, found '%s' of %s", q->what,
                        values.rank == 1 ? "one label per image" : fv__shape_text(label, expected),
                        q->input[1]->name, fv__shape_text(target, text));
    if (a->n_weights > 0 && a->n_weights != values.dim[0])
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a weight for each of %d classes, found %d",
                        q->what, values.dim[0], a->n_weights);
    q->out = FV_SHAPE(1);
    return FV_OK;
}

static fv_status infer_dx(fv_infer *q)
{
    FV_TRY(infer(q));
    q->out = q->input[0]->shape;
    return FV_OK;
}

fv_status fv__loss_grad(fv_grad *g, const fv_op *op)
{
    return fv__grad_node(g, op, "dx", g->node->attrs, 2, g->node->input, FV_ROLE_VALUE, -1, &g->dx[0]);
}

static fv_status grad(fv_grad *g)
{
    return fv__loss_grad(g, &fv_op_cross_entropy_dx);
}

/* One position of one image: its values are `stride` apart. */
typedef struct position {
    const double *z;
    int64_t stride;
    int n, label;
    double largest, sum, shares; /* of exp(z - largest); of all q */
} position;

static double share(const fv_cross_entropy_attrs *a, const position *p, int j)
{
    const double weight = a->n_weights > 0 ? (double)a->class_weight[j] : 1, smoothing = (double)a->smoothing;
    return weight * ((1 - smoothing) * (j == p->label) + smoothing / p->n);
}

static position position_of(const fv_ref *r, int image, int64_t at)
{
    const int n = r->in_shape[0].dim[0];
    const int64_t count = fv__shape_count(r->in_shape[0]), stride = count / n;
    position p = {.z = r->in[0] + image * count + at,
                  .stride = stride,
                  .n = n,
                  .label = (int)r->in[1][image * stride + at]};
    p.largest = p.z[0];
    for (int j = 1; j < n; j++)
        p.largest = p.z[j * stride] > p.largest ? p.z[j * stride] : p.largest;
    for (int j = 0; j < n; j++) {
        p.sum += exp(p.z[j * stride] - p.largest);
        p.shares += share(r->attrs, &p, j);
    }
    return p;
}

static void ref(const fv_ref *r)
{
    const fv_cross_entropy_attrs *const a = r->attrs;
    const int64_t positions = fv__shape_count(r->in_shape[1]);
    for (int image = 0; image < r->n; image++) {
        double sum = 0;
        for (int64_t at = 0; at < positions; at++) {
            const position p = position_of(r, image, at);
            sum += p.shares * log(p.sum);
            for (int j = 0; j < p.n; j++)
                sum += share(a, &p, j) * (p.largest - p.z[j * p.stride]);
        }
        r->out[image] = (double)a->weight * sum / (double)positions;
    }
}

static void ref_dx(const fv_ref *r)
{
    const fv_cross_entropy_attrs *const a = r->attrs;
    const int64_t positions = fv__shape_count(r->in_shape[1]), count = fv__shape_count(r->in_shape[0]);
    const double factor = (double)a->weight / (double)positions / r->n;
    for (int image = 0; image < r->n; image++)
        for (int64_t at = 0; at < positions; at++) {
            const position p = position_of(r, image, at);
            double *const dz = r->out + image * count + at;
            for (int j = 0; j < p.n; j++) {
                const double probability = fv__ref_rounded(r, exp(p.z[j * p.stride] - p.largest) / p.sum);
                dz[j * p.stride] = factor * (probability * p.shares - share(a, &p, j));
            }
        }
}

static fv_status lower_as(fv_lower *l, fv_kernel_id kernel)
{
    const fv_cross_entropy_attrs *const a = l->attrs;
    const int n = l->in_shape[0].dim[0];
    fv_cross_entropy_args args = {.n = n,
                                  .positions = fv__shape_count(l->in_shape[1]),
                                  .weight = a->weight,
                                  .plain = a->n_weights == 0 && a->smoothing == 0,
                                  .smoothing = a->smoothing,
                                  .n_class_weights = a->n_weights};
    double sum = a->n_weights > 0 ? 0 : n;
    for (int j = 0; j < a->n_weights; j++)
        sum += (double)(args.class_weight[j] = a->class_weight[j]);
    args.class_weight_sum = (float)sum;
    return fv__lower_simple(l, kernel, &args, sizeof args);
}

static fv_status lower(fv_lower *l)
{
    return lower_as(l, FV_KERNEL_cross_entropy);
}

static fv_status lower_dx(fv_lower *l)
{
    return lower_as(l, FV_KERNEL_cross_entropy_dx);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs;
    const double n = (double)fv__shape_count(in[0]);
    return (fv_cost){5 * n, 4 * (n + (double)fv__shape_count(out) + (double)fv__shape_count(in[1]))};
}

static const fv_case cases[] = {
    {17, {{1, {10}}, {1, {1}}}, ""},
    {1, {{1, {1}}, {1, {1}}}, ""},
    {16, {{1, {2}}, {1, {1}}}, ""},
    {15, {{1, {3}}, {1, {1}}}, ""},
    {3, {{1, {257}}, {1, {1}}}, ""},
    {17, {{1, {10}}, {1, {1}}}, "smoothing=0.125"},
    {5, {{1, {257}}, {1, {1}}}, "smoothing=1 weight=2"},
    {18, {{1, {3}}, {1, {1}}}, "weights=1/0.25/3"},
    {16, {{1, {4}}, {1, {1}}}, "weights=1/0/3/0.5 smoothing=0.5"},
    {17, {{3, {3, 5, 7}}, {3, {1, 5, 7}}}, ""},
    {3, {{3, {2, 9, 17}}, {3, {1, 9, 17}}}, "weights=1/4 weight=0.5"},
    {18, {{2, {4, 6}}, {2, {1, 6}}}, "smoothing=0.25"},
};

const fv_op fv_op_cross_entropy = {
    .name = "cross_entropy",
    .part = FV_PART_LOSS,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .target = FV_TARGET_CLASS,
    .attr_bytes = sizeof(fv_cross_entropy_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};

const fv_op fv_op_cross_entropy_dx = {
    .name = "cross_entropy_dx",
    .family = "cross_entropy",
    .part = FV_PART_DATA,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .target = FV_TARGET_CLASS,
    .attr_bytes = sizeof(fv_cross_entropy_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .in_place = 1,
    .no_gradient = true,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};
