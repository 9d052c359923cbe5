/* unary.c - shape rule, gradient, reference and lowering of element-by-element operations. */
#include "ops/unary.h"

fv_status fv__unary_infer(fv_infer *q)
{
    char first[FV_SHAPE_TEXT], second[FV_SHAPE_TEXT];
    q->out = q->input[0]->shape;
    if (q->n_inputs > 1 && !fv__shape_equal(q->out, q->input[1]->shape))
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: expected two inputs of one shape; found %s ('%s') and %s ('%s')", q->what,
                        fv__shape_text(q->out, first), q->input[0]->name,
                        fv__shape_text(q->input[1]->shape, second), q->input[1]->name);
    return FV_OK;
}

fv_status fv__unary_grad(fv_grad *g, const fv_op *op, bool from_output)
{
    const int inputs[] = {g->dy, from_output ? g->node->output : g->node->input[0]};
    return fv__grad_node(g, op, "dx", g->node->attrs, 2, inputs, FV_ROLE_VALUE, -1, &g->dx[0]);
}

void fv__unary_ref(const fv_ref *r, fv_unary_fn f)
{
    const int64_t n = r->n * fv__shape_count(r->out_shape);
    for (int64_t i = 0; i < n; i++)
        r->out[i] = f(r->in[0][i], r->attrs);
}

void fv__unary_dx_ref(const fv_ref *r, fv_unary_fn slope)
{
    const int64_t n = r->n * fv__shape_count(r->out_shape);
    for (int64_t i = 0; i < n; i++)
        r->out[i] = r->in[0][i] * slope(r->in[1][i], r->attrs);
}

uint64_t fv__unary_side(const fv_ref *r)
{
    const int64_t n = r->n * fv__shape_count(r->in_shape[0]);
    uint64_t hash = FV_HASH_SIDES;
    for (int64_t i = 0; i < n; i++)
        hash = fv__hash_side(hash, (r->in[0][i] > 0) - (r->in[0][i] < 0));
    return hash;
}

fv_status fv__unary_lower(fv_lower *l, fv_unary function, float slope, float at_zero)
{
    const fv_unary_args args = {
        .function = function, .n = fv__shape_count(l->out_shape), .slope = slope, .at_zero = at_zero};
    return fv__lower_simple(l, l->n_inputs == 1 ? FV_KERNEL_unary : FV_KERNEL_unary_dx, &args, sizeof args);
}

fv_cost fv__unary_cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs;
    const double n = (double)fv__shape_count(out);
    const bool binary = in[1].rank > 0;
    return (fv_cost){n, 4 * n * (binary ? 3 : 2)};
}

const fv_case fv__unary_cases[FV_N_UNARY_CASES] = {
    {17, {{3, {3, 5, 7}}}, ""}, {16, {{3, {5, 4, 4}}}, ""}, {15, {{3, {17, 1, 3}}}, ""},
    {1, {{3, {1, 1, 1}}}, ""},  {17, {{1, {17}}}, ""},      {1, {{1, {129}}}, ""},
};

const fv_case fv__binary_cases[FV_N_BINARY_CASES] = {
    {17, {{3, {3, 5, 7}}, {3, {3, 5, 7}}}, ""},
    {16, {{3, {5, 4, 4}}, {3, {5, 4, 4}}}, ""},
    {15, {{3, {17, 1, 3}}, {3, {17, 1, 3}}}, ""},
    {1, {{3, {1, 1, 1}}, {3, {1, 1, 1}}}, ""},
    {17, {{1, {17}}, {1, {17}}}, ""},
};
