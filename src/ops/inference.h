/* inference.h - the graph as it is used where nobody trains. */
#ifndef FV_OPS_INFERENCE_H
#define FV_OPS_INFERENCE_H

#include "graph/op.h"

/* A copy in which dropout (and its gradient, where there is one) is the identity, a view: plans made from it
 * spend nothing on it, and in which batch normalisation reads the running statistics; what computed those of
 * the batch is left with no reader. Tensors and nodes keep their numbers. `to` is untouched on failure. */
fv_status fv__graph_for_inference(const fv_graph *from, fv_graph *to);

#endif
