/* class_shapes.h - the shape rules of softmax and the losses: one vector of values per image, and a label;
 * and how a loss is differentiated. */
#ifndef FV_OPS_CLASS_SHAPES_H
#define FV_OPS_CLASS_SHAPES_H

#include "plan/lower.h"
#include "ops/ops.h"

/* Input `index` must be a vector; `noun` is what messages call it: "softmax", "the loss". */
fv_status fv__classes_check(const fv_infer *q, int index, const char *noun);
/* Lowers to one kernel on vectors as long as input 0. */
fv_status fv__classes_lower(fv_lower *l, fv_kernel_id kernel);
/* Appends `op`, the gradient of a loss, on the loss's own two inputs. */
fv_status fv__loss_grad(fv_grad *g, const fv_op *op);

#endif
