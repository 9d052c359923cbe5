/* graph_verify.c - checks all invariants of a graph, after every pass. */
#include "graph/graph_rules.h"

#include <string.h>

bool fv__role_fits(fv_role expected, fv_role found)
{
    return found == expected || (expected == FV_ROLE_VALUE && found == FV_ROLE_INPUT);
}

bool fv__role_owns(fv_role owner, fv_role role)
{
    return owner == FV_ROLE_PARAMETER || (role == FV_ROLE_STATE && owner == FV_ROLE_STATISTIC);
}

static bool id_fits(int id, size_t n)
{
    return id >= 0 && (size_t)id < n;
}

static bool belongs(fv_role role)
{
    return role == FV_ROLE_GRADIENT || role == FV_ROLE_STATE;
}

/* ---- names ---------------------------------------------------------------------------------------- */

/* Names are unique among tensors. A node has its output's name, so names of nodes are unique too. */
static fv_status verify_names(const fv_graph *graph)
{
    fv_names names;
    fv__names_init(&names, graph->ctx);
    fv_status status = FV_OK;
    for (size_t t = 0; t < graph->n_tensors && status == FV_OK; t++) {
        const char *name = graph->tensors[t].name;
        if (!name || !*name)
            status =
                fv__fail(graph->ctx, FV_ERR_INTERNAL, "%s: graph: tensor %zu has no name", graph->source, t);
        else if (fv__names_find(&names, name) >= 0)
            status = fv__fail(graph->ctx, FV_ERR_INTERNAL, "%s: graph: tensor %zu: another is named '%s' too",
                              graph->source, t, name);
        else
            status = fv__names_add(&names, name, (int)t);
    }
    fv__names_deinit(&names);
    return status;
}

/* ---- tensors -------------------------------------------------------------------------------------- */

static fv_status wrong_tensor(const fv_graph *graph, const fv_tensor *tensor, const char *reason)
{
    return fv__fail(graph->ctx, FV_ERR_INTERNAL, "%s: graph: tensor '%s', of role %s: %s", graph->source,
                    tensor->name, fv__role_name(tensor->role), reason);
}

static fv_status verify_tensor(const fv_graph *graph, int t)
{
    const fv_tensor *tensor = &graph->tensors[t];
    if ((unsigned)tensor->role > FV_ROLE_SETTING)
        return wrong_tensor(graph, tensor, "there is no such role");
    if (fv__shape_check(graph->ctx, tensor->shape, tensor->name) != FV_OK)
        return fv__fail(graph->ctx, FV_ERR_INTERNAL, "%s: graph: %s", graph->source, graph->ctx->message);
    if (tensor->source >= 0) {
        if (!id_fits(tensor->source, graph->n_nodes) || graph->nodes[tensor->source].output != t)
            return wrong_tensor(graph, tensor, "its source does not make it");
        if (tensor->role == FV_ROLE_INPUT || tensor->role == FV_ROLE_SETTING)
            return wrong_tensor(graph, tensor, "a node makes what comes from outside");
    } else if (tensor->role == FV_ROLE_VALUE || tensor->role == FV_ROLE_GRADIENT ||
               tensor->role == FV_ROLE_BATCH) {
        return wrong_tensor(graph, tensor, "no node makes it");
    }
    if (!belongs(tensor->role))
        return tensor->of == -1 ? FV_OK : wrong_tensor(graph, tensor, "it belongs to another tensor");
    if (!id_fits(tensor->of, graph->n_tensors) ||
        !fv__role_owns(graph->tensors[tensor->of].role, tensor->role))
        return wrong_tensor(graph, tensor, "it belongs to no parameter");
    if (!fv__shape_equal(tensor->shape, graph->tensors[tensor->of].shape))
        return wrong_tensor(graph, tensor, "its shape is not its parameter's");
    return FV_OK;
}

/* ---- nodes ---------------------------------------------------------------------------------------- */

static fv_status wrong_node(const fv_graph *graph, size_t i, const char *reason)
{
    const fv_node *node = &graph->nodes[i];
    return fv__fail(graph->ctx, FV_ERR_INTERNAL, "%s:%d: graph: node %zu '%s': %s", graph->source, node->line,
                    i, node->name ? node->name : "", reason);
}

static fv_status verify_inputs(const fv_graph *graph, size_t i)
{
    const fv_node *node = &graph->nodes[i];
    const fv_op *op = node->op;
    if (!fv__op_takes(op, node->n_inputs))
        return wrong_node(graph, i, "its operation takes another number of inputs");
    for (int k = 0; k < node->n_inputs; k++) {
        if (!id_fits(node->input[k], graph->n_tensors))
            return wrong_node(graph, i, "an input is no tensor");
        const fv_tensor *tensor = &graph->tensors[node->input[k]];
        if (tensor->source >= 0 && (size_t)tensor->source >= i)
            return wrong_node(graph, i, "it reads what is made later");
        if (!fv__role_fits(fv__op_role(op, k), tensor->role))
            return wrong_node(graph, i, "an input has another role than its operation asks for");
    }
    return FV_OK;
}

static fv_status verify_node(const fv_graph *graph, size_t i)
{
    const fv_node *node = &graph->nodes[i];
    if (!node->op || !node->op->infer)
        return wrong_node(graph, i, "it has no operation");
    if (!node->name || !node->layer)
        return wrong_node(graph, i, "it has no name or no layer");
    if (node->op->attr_bytes > 0 && !node->attrs)
        return wrong_node(graph, i, "its attributes are missing");
    FV_TRY(verify_inputs(graph, i));
    if (!id_fits(node->output, graph->n_tensors) || graph->tensors[node->output].source != (int)i)
        return wrong_node(graph, i, "its output does not name it as its source");
    const fv_tensor *output = &graph->tensors[node->output];
    if (strcmp(output->name, node->name) != 0)
        return wrong_node(graph, i, "its output has another name");
    fv_shape shape;
    const fv_status status = fv__node_shape(graph, node, &shape);
    if (status == FV_ERR_MEMORY)
        return status;
    if (status != FV_OK)
        return fv__fail(graph->ctx, FV_ERR_INTERNAL, "graph: %s", graph->ctx->message);
    if (!fv__shape_equal(shape, output->shape))
        return wrong_node(graph, i, "its output's shape is not the inferred one");
    return FV_OK;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static fv_status verify_end(const fv_graph *graph, int id, const char *what, bool of_role, fv_role role)
{
    if (!id_fits(id, graph->n_tensors))
        return fv__fail(graph->ctx, FV_ERR_INTERNAL, "%s: graph: its %s is tensor %d; there are %zu",
                        graph->source, what, id, graph->n_tensors);
    if (of_role && graph->tensors[id].role != role)
        return fv__fail(graph->ctx, FV_ERR_INTERNAL, "%s: graph: its %s is of role %s", graph->source, what,
                        fv__role_name(graph->tensors[id].role));
    return FV_OK;
}

static fv_status verify_ends(const fv_graph *graph)
{
    for (int f = 0; f < graph->n_feeds; f++)
        FV_TRY(verify_end(graph, graph->feed[f].tensor, "feed", true, FV_ROLE_INPUT));
    for (int i = 0; i < graph->n_results; i++)
        FV_TRY(verify_end(graph, graph->result[i], "result", false, FV_ROLE_VALUE));
    for (int i = 0; i < graph->n_losses; i++) {
        FV_TRY(verify_end(graph, graph->loss[i], "loss", true, FV_ROLE_VALUE));
        if (fv__shape_count(graph->tensors[graph->loss[i]].shape) != 1)
            return wrong_tensor(graph, &graph->tensors[graph->loss[i]],
                                "the loss is more than one number an image");
    }
    return FV_OK;
}

fv_status fv__graph_verify(const fv_graph *graph)
{
    if (!graph->source)
        return FV_ERR_MEMORY;
    FV_TRY(verify_names(graph));
    for (size_t t = 0; t < graph->n_tensors; t++)
        FV_TRY(verify_tensor(graph, (int)t));
    for (size_t i = 0; i < graph->n_nodes; i++)
        FV_TRY(verify_node(graph, i));
    return verify_ends(graph);
}
