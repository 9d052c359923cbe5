/* distances.h - what the losses share that compare n values with n targets, value by value, and add up:
 *
 *   loss = weight * sum over j of f(p_j, t_j),   dp_j = weight * image_weight * f'(p_j, t_j)
 *
 * The target has the shape of the values; or it is a class number, then t_j is 1 at its place and 0
 * elsewhere. Each loss is a file of its own with f and f' in double. */
#ifndef FV_OPS_DISTANCES_H
#define FV_OPS_DISTANCES_H

#include "ops/ops.h"
#include "plan/lower.h"

typedef double (*fv_distance_fn)(double p, double t, double delta);

fv_status fv__distance_infer(fv_infer *q);
fv_status fv__distance_infer_dx(fv_infer *q);
void fv__distance_ref(const fv_ref *r, fv_distance_fn value);
void fv__distance_ref_dx(const fv_ref *r, fv_distance_fn slope);
/* `kinked` is 0 on a kink of f in p, and of different signs beside it. */
uint64_t fv__distance_side(const fv_ref *r, fv_distance_fn kinked);
fv_status fv__distance_lower(fv_lower *l, fv_distance distance);
fv_status fv__distance_lower_dx(fv_lower *l, fv_distance distance);
fv_cost fv__distance_cost(const void *attrs, const fv_shape *in, fv_shape out);

/* Appends `op`, the gradient, on the loss's own two inputs. */
fv_status fv__loss_grad(fv_grad *g, const fv_op *op);

/* weight; and with it, where `n` is 2, delta. */
extern const fv_attr_spec fv__distance_specs[2];
extern const fv_case fv__distance_cases[6];

#endif
