/* concat.c - concatenates the channels of several layers.
 *
 *   y = [a | b | ...]; the gradient of each input is its part of dy
 *
 * The inputs are signals, sequences, images or videos of the same pixels, or vectors. */
#include "ops/layer_shapes.h"
#include "ops/ops.h"
#include "plan/lower.h"

#include <string.h>

static fv_status infer(fv_infer *q)
{
    const fv_shape first = q->input[0]->shape;
    char expected[FV_SHAPE_TEXT], found[FV_SHAPE_TEXT];
    int64_t channels = 0;
    if (q->n_inputs > FV_CONCAT_LAYERS)
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: expected at most %d layers, found %d; join some of them first", q->what,
                        FV_CONCAT_LAYERS, q->n_inputs);
    for (int i = 0; i < q->n_inputs; i++) {
        fv_shape as_first = q->input[i]->shape;
        channels += as_first.dim[0];
        as_first.dim[0] = first.dim[0];
        if (!fv__shape_equal(as_first, first))
            return fv__fail(q->ctx, FV_ERR_INPUT,
                            "%s: expected '%s' to differ from %s in its channels alone, found %s", q->what,
                            q->input[i]->name, fv__shape_text(first, expected),
                            fv__shape_text(q->input[i]->shape, found));
    }
    if (channels > FV_MAX_DIM)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected at most %d channels, found %lld", q->what,
                        FV_MAX_DIM, (long long)channels);
    q->out = first;
    q->out.dim[0] = (int)channels;
    return fv__shape_check(q->ctx, q->out, q->what);
}

static fv_status grad(fv_grad *g)
{
    static const char *const suffix[FV_CONCAT_LAYERS] = {"dx", "dx1", "dx2", "dx3", "dx4", "dx5", "dx6"};
    fv_slice_attrs part = {.first = 0};
    for (int i = 0; i < g->node->n_inputs; i++) {
        part.count = g->graph->tensors[g->node->input[i]].shape.dim[0];
        if (g->wanted[i])
            FV_TRY(fv__grad_node(g, &fv_op_slice, suffix[i], &part, 1, &g->dy, FV_ROLE_VALUE, -1, &g->dx[i]));
        part.first += part.count;
    }
    return FV_OK;
}

static void ref(const fv_ref *r)
{
    double *y = r->out;
    for (int n = 0; n < r->n; n++)
        for (int i = 0; i < r->n_inputs; i++) {
            const int64_t count = fv__shape_count(r->in_shape[i]);
            memcpy(y, r->in[i] + n * count, (size_t)count * sizeof *y);
            y += count;
        }
}

static fv_status lower(fv_lower *l)
{
    fv_concat_args args = {.n = l->n_inputs};
    for (int i = 0; i < l->n_inputs; i++)
        args.values[i] = fv__shape_count(l->in_shape[i]);
    return fv__lower_simple(l, FV_KERNEL_concat, &args, sizeof args);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in;
    return (fv_cost){0, 8 * (double)fv__shape_count(out)};
}

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}, {3, {2, 5, 7}}}, ""},
    {16, {{3, {1, 4, 4}}, {3, {17, 4, 4}}, {3, {2, 4, 4}}}, ""},
    {3, {{2, {3, 9}}, {2, {3, 9}}}, ""},
    {1, {{1, {1}}, {1, {5}}}, ""},
    {18, {{4, {2, 2, 3, 1}}, {4, {1, 2, 3, 1}}}, ""},
    {2, {{1, {1}}, {1, {2}}, {1, {3}}, {1, {4}}, {1, {5}}, {1, {6}}, {1, {7}}}, ""},
};

static const fv_layer_kind layers[] = {{
    .word = "concat",
    .help = "the channels of several layers, one behind the other",
    .op = &fv_op_concat,
    .slot = {{FV_SLOT_LAYERS, "LAYER"}},
}};

const fv_op fv_op_concat = {
    .name = "concat",
    .n_inputs = 2,
    .variadic = true,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
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
