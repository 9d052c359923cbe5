/* ops.h - the operations by symbol, for those that append nodes (gradients, losses, the update). */
#ifndef FV_OPS_OPS_H
#define FV_OPS_OPS_H

#include "graph/op.h"

#define FV_OP(name) extern const fv_op fv_op_##name;
#include "ops/ops.def"
#undef FV_OP

/* Attributes shared by the operations that slide a window: conv2d, its gradients, pooling. */
typedef struct fv_window_attrs {
    int kernel[2], stride[2], pad[2]; /* h, w; pooling: a stride of 0 means the kernel's size */
} fv_window_attrs;

#endif
