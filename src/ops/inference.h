/* inference.h - the graph for inference. */
#ifndef FV_OPS_INFERENCE_H
#define FV_OPS_INFERENCE_H

#include "graph/op.h"

/* A copy in which every operation with an `inference` is replaced by it. Dropout (and its gradient, if
 * there is one) becomes the identity, a view, which needs no steps. Batch normalisation reads the running
 * statistics, and nothing reads those of the batch any more. Tensors and nodes keep their numbers. `to`
 * does not change on failure. */
fv_status fv__graph_for_inference(const fv_graph *from, fv_graph *to);

#endif
