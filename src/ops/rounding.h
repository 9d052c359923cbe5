/* rounding.h - the effect of float's rounding on the results of a graph: the reference, with every stored
 * value changed at random by as much as a float kernel may err. */
#ifndef FV_OPS_ROUNDING_H
#define FV_OPS_ROUNDING_H

#include "ops/reference.h"

/* A value has the rounding error of its own last bit, and of the sums that compute it and that it is a term
 * of: a sum of n terms in float errs by about sqrt(n) of a term's last bit. Therefore size[t] is sqrt(n) of
 * the longest sum that computes or reads tensor t. */
typedef struct fv_rounding {
    fv_context *ctx;
    double *size; /* [tensor] */
} fv_rounding;

fv_status fv__rounding_create(const fv_reference *reference, fv_rounding *out);
void fv__rounding_destroy(fv_rounding *rounding);
/* Evaluates nodes [0, end) without updates of parameters and statistics. The elements of every tensor,
 * including those that the caller filled in, are multiplied by 1 + unit * size[t] * r, with r of mean 0 and
 * deviation 1 drawn by (seed, draw). With -unit every factor is on the other side of 1. */
fv_status fv__rounding_run(const fv_rounding *rounding, fv_reference *reference, double unit, uint64_t seed,
                           uint32_t draw, int end);
/* The size of the terms that the gradient `tensor` sums, regardless of cancellation: the root mean square
 * over its elements of sqrt(sum of the terms' squares). All nodes must have been evaluated. */
fv_status fv__rounding_terms(fv_reference *reference, int tensor, uint64_t seed, double *terms);

#endif
