/* fuse.c - decides which nodes are computed by the steps of an earlier node.
 *
 *   conv or linear [+ relu]                                   16 images in a vector
 *   batchnorm [+ add] [+ relu]                                  likewise
 *   conv or linear [+ batchnorm_inference] [+ add] [+ relu]   one image, in c16
 *
 * The first operation says in its row what its epilogue can do (`epilogue`, `epilogue_c16`), those behind it
 * The row of the first operation says what its epilogue can do (`epilogue`, `epilogue_c16`), and the rows of
 * the operations behind it which part of an epilogue they are (`finish`). A node is fused if it alone reads
 * the value in between, which is then never stored. The kernel performs the same operations in the same
 * order, so the bits stay.
 *
 * The steps of the first node stand where the last node's would, because a residual has been computed by
 * then. */
#include "graph/op.h"
#include "plan/passes.h"

/* The operands that read a tensor. */
typedef struct readers {
    int n;    /* their number */
    int node; /* one of the nodes that they belong to */
} readers;

static readers *find_readers(const fv_plan *plan)
{
    const fv_graph *const graph = plan->graph;
    readers *const of = fv__alloc(plan->ctx, graph->n_tensors, sizeof *of);
    for (int k = 0; of && k < (int)graph->n_nodes; k++)
        for (int i = 0; i < graph->nodes[k].n_inputs && plan->nodes[k].wanted; i++) {
            of[graph->nodes[k].input[i]].n++;
            of[graph->nodes[k].input[i]].node = k;
        }
    return of;
}

/* The only node that reads `tensor`; -1 if none or several do, or if the caller reads it after the run. */
static int only_reader(const fv_plan *plan, const readers *of, int tensor)
{
    return of[tensor].n == 1 && !fv__plan_keeps(plan, tensor) ? of[tensor].node : -1;
}

/* Whether node `next` fits the epilogue of node `first`, behind the parts that it already has. */
static bool can_fuse(const fv_plan *plan, int first, int next, fv_finish before)
{
    const fv_op *const op = plan->graph->nodes[first].op;
    const fv_finish finish = plan->graph->nodes[next].op->finish;
    const bool c16 = plan->nodes[first].c16;
    return finish > before && c16 == plan->nodes[next].c16 &&
           ((c16 ? op->epilogue_c16 : op->epilogue) & FV_EPILOGUE(finish)) != 0;
}

static void add_finish(fv_fused *fused, const fv_node *node, int tensor)
{
    switch (node->op->finish) {
    case FV_FINISH_AFFINE:
        fused->affine = true;
        for (int i = 0; i < 4; i++)
            fused->norm[i] = node->input[1 + i];
        break;
    case FV_FINISH_RESIDUAL:
        fused->residual = node->input[0] == tensor ? node->input[1] : node->input[0];
        break;
    case FV_FINISH_RELU:
        fused->relu = true;
        break;
    case FV_FINISH_NONE:
        break;
    }
}

fv_status fv__plan_fuse(fv_plan *plan)
{
    const fv_graph *const graph = plan->graph;
    if (plan->options.unfused)
        return FV_OK;
    readers *const of = find_readers(plan);
    if (!of)
        return FV_ERR_MEMORY;
    for (int k = 0; k < (int)graph->n_nodes; k++) {
        fv_node_plan *const first = &plan->nodes[k];
        fv_finish before = FV_FINISH_NONE;
        if (!first->wanted || first->first != k)
            continue;
        for (int tensor = graph->nodes[k].output, next; (next = only_reader(plan, of, tensor)) >= 0;
             tensor = graph->nodes[next].output) {
            if (plan->nodes[next].first != next || !can_fuse(plan, k, next, before))
                break;
            add_finish(&first->fused, &graph->nodes[next], tensor);
            before = graph->nodes[next].op->finish;
            plan->nodes[next].first = k;
            first->last = next;
        }
    }
    fv__free(plan->ctx, of);
    return FV_OK;
}
