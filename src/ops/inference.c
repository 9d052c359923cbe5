/* inference.c - takes dropout out of a graph, and puts running statistics where a batch's were. */
#include "ops/inference.h"

#include "ops/ops.h"

#include <string.h>

fv_status fv__graph_for_inference(const fv_graph *from, fv_graph *to)
{
    fv_graph copy;
    FV_TRY(fv__graph_copy(from, &copy));
    for (size_t i = 0; i < copy.n_nodes; i++) {
        fv_node *const node = &copy.nodes[i];
        if (node->op == &fv_op_dropout || node->op == &fv_op_dropout_dx) {
            node->op = &fv_op_identity;
            node->attrs = NULL;
        } else if (node->op == &fv_op_batchnorm) {
            const int trained[] = {node->input[0], node->input[4], node->input[5],
                                   node->input[2], node->input[3], -1};
            node->op = &fv_op_batchnorm_inference;
            node->n_inputs = 5;
            memcpy(node->input, trained, sizeof trained);
        }
    }
    const fv_status status = fv__graph_verify(&copy);
    if (status != FV_OK) {
        fv__graph_deinit(&copy);
        return status;
    }
    *to = copy;
    return FV_OK;
}
