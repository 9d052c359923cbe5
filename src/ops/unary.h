/* unary.h - the functions of elementwise operations: identity and the activations, and partly add and
 * dropout. A forward operation takes (x), its gradient (dy, v) with v = y or x. */
#ifndef FV_OPS_UNARY_H
#define FV_OPS_UNARY_H

#include "ops/ops.h"
#include "plan/lower.h"

/* The attributes of an activation; its row of kernels/unary.def has words for those that it uses. */
typedef struct fv_unary_attrs {
    float p, q;
    int at0;
} fv_unary_attrs;

/* An activation, for tests. */
typedef struct fv_unary_row {
    const fv_op *op, *dx; /* dx NULL: it has no gradient */
    const char *cases[3]; /* attributes to try */
    bool (*from_output)(const void *attrs);
    double value_ulps, slope_ulps, slope_error;
} fv_unary_row;
extern const fv_unary_row fv__unary_rows[FV_N_UNARY];
/* The kernels' arguments, with n vectors per block. */
fv_unary_args fv__unary_args(fv_unary function, const void *attrs, int64_t n);

/* The output has the shape of the first input; a second input must have it too. */
fv_status fv__unary_infer(fv_infer *q);
/* One flop per value of the output; an activation that computes an exp counts as one too. */
fv_cost fv__unary_cost(const void *attrs, const fv_shape *in, fv_shape out);

/* Cases: no attributes; one input, and two of one shape. */
enum { FV_N_UNARY_CASES = 6, FV_N_BINARY_CASES = 5 };
extern const fv_case fv__unary_cases[FV_N_UNARY_CASES];
extern const fv_case fv__binary_cases[FV_N_BINARY_CASES];

#endif
