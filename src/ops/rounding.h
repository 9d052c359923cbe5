/* rounding.h - what float's rounding may do to what a graph computes: the reference with every value that is
 * stored changed at random by as much as a float kernel may be off. */
#ifndef FV_OPS_ROUNDING_H
#define FV_OPS_ROUNDING_H

#include "ops/reference.h"

/* A value is off by its last bit, and by the sums behind it (it is one) and before it (it is a term of one):
 * a sum of n terms in float errs by about sqrt(n) of a term's last bit. So size[t] is sqrt(n) of the longest
 * sum that makes or reads tensor t. */
typedef struct fv_rounding {
    fv_context *ctx;
    double *size; /* [tensor] */
} fv_rounding;

fv_status fv__rounding_create(const fv_reference *reference, fv_rounding *out);
void fv__rounding_destroy(fv_rounding *rounding);
/* Evaluates nodes [0, end) without updates of parameters and statistics. Tensor t is changed by factors of
 * 1 + unit * size[t] * r, r of mean 0 and deviation 1 drawn by (seed, draw): what the caller filled in, too.
 * With -unit every factor lies on the other side of 1. */
fv_status fv__rounding_run(const fv_rounding *rounding, fv_reference *reference, double unit, uint64_t seed,
                           uint32_t draw, int end);
/* The size of the terms that a gradient sums up, those of `tensor`, whatever cancels out among them: the root
 * mean square over its elements of sqrt(sum of the terms' squares). All nodes have been run. */
fv_status fv__rounding_terms(fv_reference *reference, int tensor, uint64_t seed, double *terms);

#endif
