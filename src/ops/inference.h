/* inference.h - the graph as it is used where nobody trains. */
#ifndef FV_OPS_INFERENCE_H
#define FV_OPS_INFERENCE_H

#include "graph/op.h"

/* A copy in which every operation with an `inference` is replaced by that. Dropout (and its gradient, where
 * there is one) becomes the identity, a view, on which a plan spends nothing. Batch normalisation reads the
 * running statistics, and nothing reads those of the batch any more. Tensors and nodes keep their numbers.
 * `to` is untouched on failure. */
fv_status fv__graph_for_inference(const fv_graph *from, fv_graph *to);

#endif
