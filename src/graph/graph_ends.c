/* graph_ends.c - the ends of a graph: its feeds, results and losses. */
#include "graph/graph_rules.h"

#include <string.h>

static fv_status add_end(fv_graph *graph, const char *what, int *ends, int *n, int tensor)
{
    if (*n == FV_MAX_ENDS)
        return fv__fail(graph->ctx, FV_ERR_INPUT, "%s: expected at most %d %s", graph->source, FV_MAX_ENDS,
                        what);
    ends[(*n)++] = tensor;
    return FV_OK;
}

fv_status fv__graph_add_feed(fv_graph *graph, int tensor, fv_feed_kind kind, int n_classes)
{
    if (graph->n_feeds == FV_MAX_FEEDS)
        return fv__fail(graph->ctx, FV_ERR_INPUT, "%s: expected at most %d inputs and targets", graph->source,
                        FV_MAX_FEEDS);
    graph->feed[graph->n_feeds++] = (fv_feed){tensor, graph->tensors[tensor].name, kind, n_classes};
    return FV_OK;
}

fv_status fv__graph_add_result(fv_graph *graph, int tensor)
{
    return add_end(graph, "results", graph->result, &graph->n_results, tensor);
}

fv_status fv__graph_add_loss(fv_graph *graph, int tensor)
{
    return add_end(graph, "losses", graph->loss, &graph->n_losses, tensor);
}

int fv__graph_feed_of(const fv_graph *graph, int tensor)
{
    for (int f = 0; f < graph->n_feeds; f++)
        if (graph->feed[f].tensor == tensor)
            return f;
    return -1;
}

static bool is_among(const int *ends, int n, int tensor)
{
    for (int i = 0; i < n; i++)
        if (ends[i] == tensor)
            return true;
    return false;
}

bool fv__graph_is_result(const fv_graph *graph, int tensor)
{
    return is_among(graph->result, graph->n_results, tensor);
}

bool fv__graph_is_loss(const fv_graph *graph, int tensor)
{
    return is_among(graph->loss, graph->n_losses, tensor);
}

int fv__graph_forward_end(const fv_graph *graph)
{
    int end = 0;
    for (int i = 0; i < graph->n_losses; i++) {
        const int source = graph->tensors[graph->loss[i]].source;
        end = source + 1 > end ? source + 1 : end;
    }
    return end;
}

/* The node is appended, which checks everything about it, and then moved to the front. The other nodes keep
 * the counters of their draws. */
fv_status fv__graph_insert_behind(fv_graph *graph, int tensor, const fv_op *op, const void *attrs)
{
    int made;
    const char *const name = fv__arena_printf(&graph->arena, "%s.%s", graph->tensors[tensor].name, op->name);
    if (!name)
        return FV_ERR_MEMORY;
    const fv_node_spec spec = {.op = op,
                               .name = name,
                               .layer = graph->tensors[tensor].name,
                               .n_inputs = 1,
                               .input = {tensor},
                               .attrs = attrs,
                               .role = FV_ROLE_VALUE,
                               .of = -1};
    FV_TRY(fv__graph_node(graph, &spec, &made));
    const fv_node node = graph->nodes[graph->n_nodes - 1];
    memmove(graph->nodes + 1, graph->nodes, (graph->n_nodes - 1) * sizeof *graph->nodes);
    graph->nodes[0] = node;
    for (size_t k = 1; k < graph->n_nodes; k++)
        for (int i = 0; i < graph->nodes[k].n_inputs; i++)
            if (graph->nodes[k].input[i] == tensor)
                graph->nodes[k].input[i] = made;
    for (size_t t = 0; t < graph->n_tensors; t++)
        graph->tensors[t].source += graph->tensors[t].source >= 0;
    graph->tensors[made].source = 0;
    return FV_OK;
}
