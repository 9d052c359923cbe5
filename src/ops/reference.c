/* reference.c - evaluates a graph node by node with the operations' references, in double. Nothing is
 * shared, fused or vectorised: the kernels are compared with these results. */
#include "ops/reference.h"

#include <string.h>

bool fv__tensor_is_per_image(const fv_tensor *tensor)
{
    return tensor->role == FV_ROLE_INPUT || tensor->role == FV_ROLE_VALUE;
}

fv_status fv__reference_create(fv_context *ctx, const fv_graph *graph, int n, fv_reference **out)
{
    if (n < 1)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "reference: expected at least one image, found %d", n);
    fv_reference *reference = fv__alloc(ctx, 1, sizeof *reference);
    if (!reference)
        return FV_ERR_MEMORY;
    *reference = (fv_reference){.ctx = ctx, .graph = graph, .n = n};
    reference->value = fv__alloc(ctx, graph->n_tensors, sizeof *reference->value);
    bool well = reference->value != NULL;
    for (size_t t = 0; t < graph->n_tensors && well; t++) {
        const fv_tensor *tensor = &graph->tensors[t];
        const size_t count = (size_t)fv__shape_count(tensor->shape); /* at most FV_MAX_VALUES */
        const size_t images = fv__tensor_is_per_image(tensor) ? (size_t)n : 1;
        reference->value[t] = fv__alloc(ctx, count * images, sizeof **reference->value);
        well = reference->value[t] != NULL;
    }
    if (!well) {
        fv__reference_destroy(reference);
        return FV_ERR_MEMORY;
    }
    *out = reference;
    return FV_OK;
}

void fv__reference_destroy(fv_reference *reference)
{
    if (!reference)
        return;
    for (size_t t = 0; t < reference->graph->n_tensors && reference->value; t++)
        fv__free(reference->ctx, reference->value[t]);
    fv__free(reference->ctx, reference->value);
    fv__free(reference->ctx, reference);
}

static fv_ref arguments(const fv_reference *reference, int index)
{
    const fv_graph *graph = reference->graph;
    const fv_node *node = &graph->nodes[index];
    fv_ref r = {
        .op = node->op,
        .attrs = node->attrs,
        .n = reference->n,
        .n_inputs = node->n_inputs,
        .out = reference->value[node->output],
        .out_shape = graph->tensors[node->output].shape,
        .seed = reference->seed,
        .step = reference->step,
        .epoch = reference->epoch,
        .node = (uint32_t)node->counter,
        .rounding = reference->rounding,
        .draws = reference->draws,
        .pool = reference->ctx->pool,
    };
    for (int i = 0; i < node->n_inputs; i++) {
        r.in[i] = reference->value[node->input[i]];
        r.changed[i] = node->op->changes >> i & 1 ? reference->value[node->input[i]] : NULL;
        r.in_shape[i] = graph->tensors[node->input[i]].shape;
    }
    return r;
}

static fv_status run_node(fv_reference *reference, int index)
{
    const fv_node *node = &reference->graph->nodes[index];
    if (!node->op->ref)
        return fv__fail(reference->ctx, FV_ERR_INTERNAL, "reference: %s '%s' has no reference",
                        node->op->name, node->name);
    if (node->op->changes && !reference->updates)
        return FV_OK;
    if (reference->poll)
        FV_TRY(reference->poll(reference->poll_user));
    const fv_ref r = arguments(reference, index);
    node->op->ref(&r);
    return FV_OK;
}

fv_status fv__reference_run_nodes(fv_reference *reference, int first, int end)
{
    for (int i = first; i < end; i++)
        FV_TRY(run_node(reference, i));
    return FV_OK;
}

fv_status fv__reference_run(fv_reference *reference, int tensor)
{
    const fv_graph *graph = reference->graph;
    const int end = tensor < 0 ? (int)graph->n_nodes : graph->tensors[tensor].source + 1;
    return fv__reference_run_nodes(reference, 0, end);
}

uint64_t fv__reference_side(const fv_reference *reference, int node)
{
    const fv_op *const op = reference->graph->nodes[node].op;
    const fv_ref r = arguments(reference, node);
    return op->side ? op->side(&r) : 0;
}

double fv__reference_cost(const fv_reference *reference, int node)
{
    const fv_op *const op = reference->graph->nodes[node].op;
    const fv_ref r = arguments(reference, node);
    const double copied = reference->n * (double)fv__shape_count(r.out_shape);
    return copied + (op->cost ? reference->n * op->cost(r.attrs, r.in_shape, r.out_shape).flops : 0);
}

int fv__reference_forward_end(const fv_reference *reference)
{
    return fv__graph_forward_end(reference->graph);
}
