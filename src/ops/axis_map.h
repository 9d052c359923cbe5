/* axis_map.h - operations that copy values along the axes of a tensor. Along each axis, an index of y reads
 * one index of x, or two of them with weights (interpolation), or a constant:
 *
 *   y[i0][i1]... = sum over the taps (j0, w0) of i0, (j1, w1) of i1, ... of w0 w1 ... x[j0][j1]...
 *
 * Borders, cropping, upsampling and permutations are maps of this kind. The gradient is the transposed map.
 */
#ifndef FV_OPS_AXIS_MAP_H
#define FV_OPS_AXIS_MAP_H

#include "ops/ops.h"
#include "plan/lower.h"

/* The value of an index outside of x. */
typedef enum fv_map_outside {
    FV_OUTSIDE_CONSTANT, /* a number                                    */
    FV_OUTSIDE_MIRROR,   /* 1 0 | 0 1 2 | 2 1: the edge is repeated     */
    FV_OUTSIDE_REFLECT,  /* 2 1 | 0 1 2 | 1 0: the edge is not repeated */
    FV_OUTSIDE_EDGE,     /* 0 0 | 0 1 2 | 2 2                           */
    FV_OUTSIDE_MODULO    /* 1 2 | 0 1 2 | 0 1                           */
} fv_map_outside;

typedef struct fv_map {
    fv_shape x, y;
    int axis[FV_MAX_RANK];   /* the axis of x that y's axis reads */
    int before[FV_MAX_RANK]; /* y[i] reads x[i / factor - before]; negative: x is cropped */
    int factor[FV_MAX_RANK];
    fv_map_outside outside;
    float value;      /* the constant */
    bool interpolate; /* with factor > 1: linear interpolation between pixel centres, clamped at the edges */
} fv_map;

/* The value outside of x that mode `index` of fv__border_modes gives. */
fv_map_outside fv__map_outside(int index);
/* The index of an axis of n that index i reads; -1: the constant. */
int fv__map_seen(fv_map_outside outside, int n, int64_t i);
/* FV_ERR_INPUT if n pixels are too few for a border of these sizes. */
fv_status fv__map_expect_border(const fv_infer *q, fv_choice mode, int n, int begin, int end);

/* What an operation says whose rows are made by FV_MAP and FV_MAP_DX: it is its map and its shapes. Of its
 * gradient the attributes are the same, and x's shape follows from them and from y's. */
typedef struct fv_map_rule {
    const fv_op *dx;                                             /* NULL: the row has a gradient of its own */
    fv_map (*map_of)(const void *attrs, fv_shape x, fv_shape y); /* of shapes that fit */
    fv_status (*y_of)(const fv_infer *q, fv_shape x, fv_shape *y);
    fv_status (*x_of)(const fv_infer *q, fv_shape y, fv_shape *x); /* NULL where dx is; y_of checks it */
} fv_map_rule;

#define FV_MAP(rule)                                                                                         \
    .n_inputs = 1, .role = {FV_ROLE_VALUE}, .cheap = true, .map = &(rule), .infer = fv__map_op_infer,        \
    .ref = fv__map_op_ref, .lower = fv__map_op_lower, .cost = fv__map_cost
#define FV_MAP_DX(rule, of_family)                                                                           \
    .family = (of_family), .part = FV_PART_DATA, .n_inputs = 1, .role = {FV_ROLE_VALUE},                     \
    .no_gradient = true, .map = &(rule), .infer = fv__map_op_infer, .ref = fv__map_op_ref,                   \
    .lower = fv__map_op_lower, .cost = fv__map_cost

/* Of the rows that FV_MAP and FV_MAP_DX make: the part that the row is of its family says which way. */
fv_status fv__map_op_infer(fv_infer *q);
void fv__map_op_ref(const fv_ref *r);
fv_status fv__map_op_lower(fv_lower *l);
/* Appends rule->dx, with the attributes of the node. */
fv_status fv__map_op_grad(fv_grad *g);

/* The map that copies x; callers change what they need. */
fv_map fv__map_identity(fv_shape x);
/* The steps that make y of x; and dx of dy. */
fv_status fv__map_lower(fv_lower *l, const fv_map *map);
fv_status fv__map_dx_lower(fv_lower *l, const fv_map *map);
/* FV_ERR_INPUT if `shape` is not [c] and one to three directions. */
fv_status fv__map_expect_pixels(const fv_infer *q, fv_shape shape);
/* Bytes for reading x and writing y; no flops. */
fv_cost fv__map_cost(const void *attrs, const fv_shape *in, fv_shape out);

#endif
