/* graph_print.c - a graph as text, with one tensor or node per line:
 *
 *     lenet5.fovea: 9 tensors, 4 nodes
 *       input      image       1x28x28
 *       parameter  c1.weight   6x1x5x5
 *       c1 = conv(image, c1.weight, c1.bias)  6x28x28  value, line 3
 */
#include "graph/graph_rules.h"

const char *fv__role_name(fv_role role)
{
    static const char *const names[] = {
        [FV_ROLE_INPUT] = "input",         [FV_ROLE_VALUE] = "value",       [FV_ROLE_PARAMETER] = "parameter",
        [FV_ROLE_STATISTIC] = "statistic", [FV_ROLE_GRADIENT] = "gradient", [FV_ROLE_STATE] = "state",
        [FV_ROLE_BATCH] = "batch",         [FV_ROLE_SETTING] = "setting"};
    return (unsigned)role <= FV_ROLE_SETTING ? names[role] : "unknown";
}

static void print_node(const fv_graph *graph, const fv_node *node, fv_text *text)
{
    const fv_tensor *output = &graph->tensors[node->output];
    char shape[FV_SHAPE_TEXT];
    fv__text_add(text, "  %s = %s(", node->name, node->op->name);
    for (int i = 0; i < node->n_inputs; i++)
        fv__text_add(text, "%s%s", i ? ", " : "", graph->tensors[node->input[i]].name);
    fv__text_add(text, ")  %s  %s", fv__shape_text(output->shape, shape), fv__role_name(output->role));
    if (output->of >= 0)
        fv__text_add(text, " of %s", graph->tensors[output->of].name);
    if (node->line > 0)
        fv__text_add(text, ", line %d", node->line);
    fv__text_add(text, "\n");
}

fv_status fv__graph_print(const fv_graph *graph, fv_text *text)
{
    char shape[FV_SHAPE_TEXT];
    fv__text_add(text, "%s: %zu tensors, %zu nodes\n", graph->source ? graph->source : "model",
                 graph->n_tensors, graph->n_nodes);
    for (size_t t = 0; t < graph->n_tensors; t++) {
        const fv_tensor *tensor = &graph->tensors[t];
        if (tensor->source >= 0)
            continue;
        fv__text_add(text, "  %-9s  %-20s  %s", fv__role_name(tensor->role), tensor->name,
                     fv__shape_text(tensor->shape, shape));
        if (tensor->of >= 0)
            fv__text_add(text, "  of %s", graph->tensors[tensor->of].name);
        fv__text_add(text, "\n");
    }
    for (size_t i = 0; i < graph->n_nodes; i++)
        print_node(graph, &graph->nodes[i], text);
    return text->failed ? FV_ERR_MEMORY : FV_OK;
}
