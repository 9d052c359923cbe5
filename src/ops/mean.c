/* mean.c - the mean over one dimension, which the output lacks; the mean of a vector is one value.
 *
 *   y[.][.] = 1/n sum over k of x[.][k][.],  dx[.][k][.] = dy[.][.] / n */
#include "ops/axis_map.h"
#include "ops/layer_shapes.h"

#include <string.h>

typedef struct mean_attrs {
    int axis, n; /* mean_dx: n indices of the axis */
} mean_attrs;

static const fv_attr_spec specs[] = {
    {"axis", FV_ATTR_INT, offsetof(mean_attrs, axis), 0, FV_MAX_RANK - 1, 0},
    {"n", FV_ATTR_INT, offsetof(mean_attrs, n), 1, FV_MAX_DIM, 1},
};

/* [outer][n][inner] */
static fv_mean_args mean_args(fv_shape x, int axis)
{
    fv_mean_args args = {.outer = 1, .inner = 1, .n = x.dim[axis]};
    for (int d = 0; d < axis; d++)
        args.outer *= x.dim[d];
    for (int d = axis + 1; d < x.rank; d++)
        args.inner *= x.dim[d];
    return args;
}

static fv_status infer(fv_infer *q)
{
    const int axis = ((const mean_attrs *)q->attrs)->axis;
    const fv_shape x = q->input[0]->shape;
    char found[FV_SHAPE_TEXT];
    if (axis >= x.rank)
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: expected an axis from 0 to %d, for the dimensions of %s, found %d", q->what,
                        x.rank - 1, fv__shape_text(x, found), axis);
    q->out = FV_SHAPE(1);
    if (x.rank == 1)
        return FV_OK;
    q->out = (fv_shape){.rank = x.rank - 1};
    for (int d = 0; d < q->out.rank; d++)
        q->out.dim[d] = x.dim[d < axis ? d : d + 1];
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    mean_attrs attrs = *(const mean_attrs *)g->node->attrs;
    const fv_shape x = g->graph->tensors[g->node->input[0]].shape;
    attrs.n = x.dim[attrs.axis];
    if (x.rank > 1)
        return fv__grad_node(g, &fv_op_mean_dx, "dx", &attrs, 1, &g->dy, FV_ROLE_VALUE, -1, &g->dx[0]);
    /* [n][1] of the single gradient [1], as a vector. */
    const int dy = g->dy;
    FV_TRY(fv__grad_node(g, &fv_op_mean_dx, "dmean", &attrs, 1, &dy, FV_ROLE_VALUE, -1, &g->dy));
    const fv_status status = fv__unflatten(g);
    g->dy = dy;
    return status;
}

static void ref(const fv_ref *r)
{
    const fv_mean_args a = mean_args(r->in_shape[0], ((const mean_attrs *)r->attrs)->axis);
    memset(r->out, 0, (size_t)(r->n * a.outer * a.inner) * sizeof *r->out);
    for (int64_t o = 0; o < r->n * a.outer; o++)
        for (int64_t k = 0; k < a.n; k++)
            for (int64_t i = 0; i < a.inner; i++)
                r->out[o * a.inner + i] += r->in[0][(o * a.n + k) * a.inner + i] / a.n;
}

static fv_status lower(fv_lower *l)
{
    const fv_mean_args args = mean_args(l->in_shape[0], ((const mean_attrs *)l->attrs)->axis);
    return fv__lower_simple(l, FV_KERNEL_mean, &args, sizeof args);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    const double n_in = (double)fv__shape_count(in[0]), n_out = (double)fv__shape_count(out);
    (void)attrs;
    return (fv_cost){n_in > n_out ? n_in : n_out, 4 * (n_in + n_out)};
}

static const fv_case cases[] = {
    {17, {{3, {5, 3, 4}}}, "axis=0"}, {16, {{3, {2, 5, 4}}}, "axis=1"}, {3, {{3, {3, 2, 7}}}, "axis=2"},
    {18, {{2, {3, 300}}}, "axis=1"},  {1, {{1, {5}}}, "axis=0"},        {2, {{4, {2, 3, 4, 5}}}, "axis=1"},
    {15, {{2, {1, 1}}}, "axis=0"},
};

static const fv_layer_kind layers[] = {{
    .word = "mean",
    .help = "the mean over one dimension",
    .op = &fv_op_mean,
    .slot = {{FV_SLOT_ATTR, "axis"}},
}};

const fv_op fv_op_mean = {
    .name = "mean",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .attr_bytes = sizeof(mean_attrs),
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

/* ---- the gradient: input dy --------------------------------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    const mean_attrs *const a = q->attrs;
    const fv_shape dy = q->input[0]->shape;
    char found[FV_SHAPE_TEXT];
    if (a->axis > dy.rank || dy.rank == FV_MAX_RANK)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: %s has no place for a dimension %d", q->what,
                        fv__shape_text(dy, found), a->axis);
    q->out = (fv_shape){.rank = dy.rank + 1};
    for (int d = 0; d < q->out.rank; d++)
        q->out.dim[d] = d == a->axis ? a->n : dy.dim[d < a->axis ? d : d - 1];
    return fv__shape_check(q->ctx, q->out, q->what);
}

static void ref_dx(const fv_ref *r)
{
    const fv_mean_args a = mean_args(r->out_shape, ((const mean_attrs *)r->attrs)->axis);
    for (int64_t o = 0; o < r->n * a.outer; o++)
        for (int64_t k = 0; k < a.n; k++)
            for (int64_t i = 0; i < a.inner; i++)
                r->out[(o * a.n + k) * a.inner + i] = r->in[0][o * a.inner + i] / a.n;
}

static fv_status lower_dx(fv_lower *l)
{
    const fv_mean_args args = mean_args(l->out_shape, ((const mean_attrs *)l->attrs)->axis);
    return fv__lower_simple(l, FV_KERNEL_mean_dx, &args, sizeof args);
}

static const fv_case cases_dx[] = {
    {17, {{2, {3, 4}}}, "axis=0 n=5"},
    {16, {{2, {2, 4}}}, "axis=1 n=5"},
    {3, {{1, {3}}}, "axis=1 n=7"},
    {2, {{3, {2, 4, 5}}}, "axis=1 n=3"},
};

const fv_op fv_op_mean_dx = {
    .name = "mean_dx",
    .family = "mean",
    .part = FV_PART_DATA,
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .no_gradient = true,
    .attr_bytes = sizeof(mean_attrs),
    .attrs = specs,
    .n_attrs = sizeof specs / sizeof *specs,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost,
    .cases = cases_dx,
    .n_cases = sizeof cases_dx / sizeof *cases_dx,
};
