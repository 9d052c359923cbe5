/* ops.h - the operations by symbol, for code that appends nodes (gradients, losses, the update). */
#ifndef FV_OPS_OPS_H
#define FV_OPS_OPS_H

#include "graph/op.h"
#include "kernels/args.h"

#define FV_OP(name) extern const fv_op fv_op_##name;
#include "ops/ops.def"
#undef FV_OP

/* Attributes shared by the operations that slide a window: pooling; convolution and its gradients. */
typedef struct fv_window_attrs {
    fv_sizes kernel, stride, pad; /* a stride of 0 means the kernel's size */
    fv_sizes out;                 /* of adaptive pooling: the sizes of its output; otherwise 0, or none */
} fv_window_attrs;

typedef struct fv_conv_attrs {
    fv_sizes stride, pad, dilation; /* a padding without numbers is "same" */
    int groups;
    fv_choice border; /* of fv__border_modes: the values of the padding */
    fv_sizes size;    /* conv_dx: of x; conv_dw: of the kernel. Unused by conv */
} fv_conv_attrs;

/* Attributes of the losses that compare values one by one, and of their gradients. */
typedef struct fv_distance_attrs {
    float weight, delta;
} fv_distance_attrs;

/* Attributes of cross_entropy and its gradient. */
typedef struct fv_cross_entropy_attrs {
    float weight, smoothing;
    int n_weights; /* number of class weights; 0: all weights are 1 */
    float class_weight[FV_MAX_CLASS_WEIGHTS];
} fv_cross_entropy_attrs;

/* Attributes of border and its gradient. */
typedef struct fv_border_attrs {
    fv_sizes size, end; /* pixels at the beginning and at the end of each direction; end -1: as size */
    fv_choice mode;     /* of fv__border_modes */
} fv_border_attrs;
extern const char *const fv__border_modes[7]; /* zero first, NULL last; axis_map.c */

/* Attributes of slice. */
typedef struct fv_slice_attrs {
    int first, count; /* count 0: all that follow        */
    int axis;         /* -1: the tokens of a sequence    */
} fv_slice_attrs;

/* Attributes of shift and shift_dx. */
typedef struct fv_shift_attrs {
    int range; /* pixels in each direction */
} fv_shift_attrs;

/* Appends `op`, the gradient of a loss, on the loss's own two inputs. */
fv_status fv__loss_grad(fv_grad *g, const fv_op *op);

/* The gradient of a view: dy under the shape of the view's input. */
fv_status fv__unflatten(fv_grad *g);

#endif
