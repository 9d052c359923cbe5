/* unary.h - what the operations that treat every element alike share: identity and the activations, and
 * partly add and dropout. A forward operation takes (x), its gradient (dy, v) with v = y or x. */
#ifndef FV_OPS_UNARY_H
#define FV_OPS_UNARY_H

#include "plan/lower.h"
#include "ops/ops.h"

/* f(x), or f'(x) from y or x; attrs are the operation's. */
typedef double (*fv_unary_fn)(double v, const void *attrs);

/* The output has the shape of the first input; a second input must have it too. */
fv_status fv__unary_infer(fv_infer *q);
/* Appends `op` on (dy, y) where from_output, else on (dy, x), with the forward's attributes. */
fv_status fv__unary_grad(fv_grad *g, const fv_op *op, bool from_output);
void fv__unary_ref(const fv_ref *r, fv_unary_fn f);
void fv__unary_dx_ref(const fv_ref *r, fv_unary_fn slope);
/* The sign of every element: for a function with a kink at 0. */
uint64_t fv__unary_side(const fv_ref *r);
/* kernel_unary, or with two inputs kernel_unary_dx. slope and at_zero as in fv_unary_args. */
fv_status fv__unary_lower(fv_lower *l, fv_unary function, float slope, float at_zero);
/* One operation per value of the output; an activation through exp counts as one too. */
fv_cost fv__unary_cost(const void *attrs, const fv_shape *in, fv_shape out);

/* Cases: no attributes; one input, and two of one shape. */
enum { FV_N_UNARY_CASES = 6, FV_N_BINARY_CASES = 5 };
extern const fv_case fv__unary_cases[FV_N_UNARY_CASES];
extern const fv_case fv__binary_cases[FV_N_BINARY_CASES];

#endif
