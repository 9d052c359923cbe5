/* class_shapes.h - the shape rules of softmax and the losses: one vector of values per image, and a label. */
#ifndef FV_OPS_CLASS_SHAPES_H
#define FV_OPS_CLASS_SHAPES_H

#include "plan/lower.h"
#include "ops/ops.h"

/* Input `index` must be a vector; `noun` is what messages call it: "softmax", "the loss". */
fv_status fv__classes_check(const fv_infer *q, int index, const char *noun);
/* Lowers to one kernel on vectors as long as input 0. */
fv_status fv__classes_lower(fv_lower *l, fv_kernel_id kernel);

#endif
