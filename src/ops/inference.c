/* inference.c - replaces every node by its inference counterpart, fv_op.inference. */
#include "ops/inference.h"

#include <string.h>

/* The new node reads some of the old node's inputs, and has no attributes. */
static void replace(fv_node *node, const fv_inference *by)
{
    int input[FV_CASE_INPUTS];
    for (int i = 0; i < by->n_inputs; i++)
        input[i] = node->input[by->input[i]];
    memcpy(node->input, input, (size_t)by->n_inputs * sizeof *input);
    node->n_inputs = by->n_inputs;
    node->op = by->op;
    node->attrs = NULL;
}

fv_status fv__graph_for_inference(const fv_graph *from, fv_graph *to)
{
    fv_graph copy;
    FV_TRY(fv__graph_copy(from, &copy));
    for (size_t i = 0; i < copy.n_nodes; i++)
        if (copy.nodes[i].op->inference.op)
            replace(&copy.nodes[i], &copy.nodes[i].op->inference);
    const fv_status status = fv__graph_verify(&copy);
    if (status != FV_OK) {
        fv__graph_deinit(&copy);
        return status;
    }
    *to = copy;
    return FV_OK;
}
