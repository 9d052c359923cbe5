/* difference.h - slopes of the reference's loss by central differences. */
#ifndef FV_TRAIN_DIFFERENCE_H
#define FV_TRAIN_DIFFERENCE_H

#include "ops/reference.h"

/* Differences around the point at which a reference has been evaluated. */
typedef struct fv_differences {
    fv_reference *reference;
    int end;        /* end of the forward pass */
    double noise;   /* error of the loss by rounding; set by the caller, at least 2^-52 of the loss */
    int tensor;     /* the tensor whose values are moved */
    double *values; /* its values at the point */
    size_t n;
    bool *follows;  /* [node]: it depends on the tensor, and the loss depends on it */
    bool *moved;    /* [node]: may hold the values of a neighbouring point */
    bool *reached;  /* [tensor], scratch of fv__differences_of */
    uint64_t *side; /* [node]: the smooth piece of its inputs at the point */
} fv_differences;

/* The slope that the differences give, and its uncertainty. */
typedef struct fv_slope {
    double value;
    double uncertainty; /* infinity: every step that was tried met a kink */
} fv_slope;

/* The reference has been evaluated at the point; `largest` is the size of the largest tensor that follows. */
fv_status fv__differences_create(fv_reference *reference, size_t largest, fv_differences *out);
void fv__differences_destroy(fv_differences *d);
/* Selects the values of `tensor`, which no node computes. */
fv_status fv__differences_of(fv_differences *d, int tensor);
/* The operations of evaluating everything between `tensor` and the loss once. */
double fv__differences_cost(fv_differences *d, int tensor);
/* d loss / dt at t = 0, for the values + t * along, or for values[index] + t if `along` is NULL; the loss
 * is the mean over the images. Steps shrink until no function with kinks changes its piece and two steps
 * agree within a millionth of `scale`. */
fv_status fv__difference(fv_differences *d, const double *along, size_t index, double scale, fv_slope *slope);
/* The mean loss that the reference computed last. */
double fv__reference_loss(const fv_reference *reference);

#endif
