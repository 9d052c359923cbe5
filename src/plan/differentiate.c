/* differentiate.c - reverse-mode differentiation: appends the nodes that compute every parameter's gradient.
 *
 * Walks the nodes backwards from the loss. The gradient of a tensor is the sum, over the nodes that read it,
 * of what each node's rule passes back (lecture "Backprop": delta of a layer from the layers above). */
#include "ops/optimizer.h"
#include "plan/plan.h"

/* Whether a tensor depends on a parameter. Only such a tensor needs a gradient. */
static void find_needed(const fv_graph *graph, bool *needed)
{
    for (size_t t = 0; t < graph->n_tensors; t++)
        needed[t] = graph->tensors[t].role == FV_ROLE_PARAMETER;
    for (size_t k = 0; k < graph->n_nodes; k++)
        for (int i = 0; i < graph->nodes[k].n_inputs; i++)
            if (needed[graph->nodes[k].input[i]])
                needed[graph->nodes[k].output] = true;
}

/* Adds the gradient `dx` of `tensor` to the terms that were found before. */
static fv_status accumulate(fv_grad *g, int tensor, int dx, int *gradient)
{
    if (gradient[tensor] < 0) {
        gradient[tensor] = dx;
        return FV_OK;
    }
    const bool parameter = g->graph->tensors[tensor].role == FV_ROLE_PARAMETER;
    return fv__grad_node(g, parameter ? &fv_op_gradient_sum : &fv_op_add, "sum", NULL, 2,
                         (int[]){gradient[tensor], dx}, parameter ? FV_ROLE_GRADIENT : FV_ROLE_VALUE,
                         parameter ? tensor : -1, &gradient[tensor]);
}

static fv_status differentiate_node(fv_graph *graph, size_t k, const bool *needed, int *gradient)
{
    const fv_node node = graph->nodes[k]; /* a copy: appending moves the array */
    const bool is_loss = fv__graph_is_loss(graph, node.output);
    if (!needed[node.output] || (!is_loss && gradient[node.output] < 0))
        return FV_OK;
    fv_grad g = {.graph = graph, .node = &node, .dy = is_loss ? -1 : gradient[node.output]};
    for (int i = 0; i < node.n_inputs; i++) {
        g.wanted[i] = needed[node.input[i]];
        g.dx[i] = -1;
    }
    if (node.op->no_gradient || !node.op->grad)
        return fv__fail(graph->ctx, FV_ERR_UNSUPPORTED,
                        "%s:%d: %s: no gradient flows through a %s, so what lies before it cannot be trained",
                        graph->source, node.line, node.name, node.op->name);
    FV_TRY(node.op->grad(&g));
    for (int i = 0; i < node.n_inputs; i++)
        if (g.wanted[i] && g.dx[i] >= 0)
            FV_TRY(accumulate(&g, node.input[i], g.dx[i], gradient));
    return FV_OK;
}

fv_status fv__differentiate(fv_graph *graph, const int **out)
{
    const size_t n_tensors = graph->n_tensors;
    bool *const needed = fv__arena_alloc(&graph->arena, n_tensors, sizeof *needed);
    int *const gradient = fv__arena_alloc(&graph->arena, n_tensors, sizeof *gradient);
    if (!needed || !gradient)
        return FV_ERR_MEMORY;
    if (graph->n_losses == 0)
        return fv__fail(graph->ctx, FV_ERR_ARGUMENT, "%s: the model has no loss to differentiate",
                        graph->source ? graph->source : "model");
    for (size_t t = 0; t < n_tensors; t++)
        gradient[t] = -1;
    find_needed(graph, needed);
    for (size_t k = (size_t)fv__graph_forward_end(graph); k-- > 0;)
        FV_TRY(differentiate_node(graph, k, needed, gradient));
    *out = gradient;
    return fv__graph_verify(graph);
}

/* Nodes that update the running statistics, once per update, in its last run. */
static fv_status append_tracks(fv_graph *graph)
{
    const size_t n_nodes = graph->n_nodes;
    for (size_t k = 0; k < n_nodes; k++) {
        const fv_node node = graph->nodes[k]; /* a copy: appending moves the array */
        if (node.op->track)
            FV_TRY(node.op->track(graph, &node));
    }
    return FV_OK;
}

/* For parameter t: one state tensor of each kind, and the node that updates the parameter and its states. */
static fv_status append_update(fv_graph *graph, int t, int gradient, int settings, const fv_optimizer *row)
{
    const fv_tensor p = graph->tensors[t]; /* a copy: appending moves the array */
    const fv_update_attrs attrs = {.decays = p.decays};
    int output;
    fv_node_spec spec = {.op = row->update,
                         .name = fv__arena_printf(&graph->arena, "%s.update", p.name),
                         .layer = p.name,
                         .n_inputs = 3 + row->n_states,
                         .input = {t, gradient, settings},
                         .attrs = &attrs,
                         .role = FV_ROLE_STATE,
                         .of = t};
    if (!spec.name)
        return FV_ERR_MEMORY;
    for (int s = 0; s < row->n_states; s++) {
        const char *const wish = fv__arena_printf(&graph->arena, "%s.%s", p.name, row->state[s]);
        /* a layer may have that name */
        const char *const name = wish ? fv__graph_free_name(graph, wish) : NULL;
        if (!name)
            return FV_ERR_MEMORY;
        FV_TRY(fv__graph_tensor(graph, name, p.shape, FV_ROLE_STATE, &spec.input[3 + s]));
        graph->tensors[spec.input[3 + s]].of = t;
    }
    return fv__graph_node(graph, &spec, &output);
}

fv_status fv__append_updates(fv_graph *graph, const int *gradient, const fv_optimizer *row)
{
    const int n_tensors = (int)graph->n_tensors;
    const char *const wish = fv__arena_printf(&graph->arena, "%s.settings", row->name);
    const char *const name = wish ? fv__graph_free_name(graph, wish) : NULL;
    int settings;
    if (!name)
        return FV_ERR_MEMORY;
    FV_TRY(fv__graph_tensor(graph, name, FV_SHAPE(row->n_settings), FV_ROLE_SETTING, &settings));
    for (int t = 0; t < n_tensors; t++)
        if (graph->tensors[t].role == FV_ROLE_PARAMETER && graph->tensors[t].source < 0 && gradient[t] >= 0)
            FV_TRY(append_update(graph, t, gradient[t], settings, row));
    FV_TRY(append_tracks(graph));
    return fv__graph_verify(graph);
}
