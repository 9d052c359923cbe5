/* difference.h - slopes of the reference's loss by central differences. */
#ifndef FV_TRAIN_DIFFERENCE_H
#define FV_TRAIN_DIFFERENCE_H

#include "ops/reference.h"

/* Differences around the point that a reference has been evaluated at. */
typedef struct fv_differences {
    fv_reference *reference;
    int end;        /* of the forward pass */
    double noise;   /* how far rounding may put the loss off; set by the caller, at least 2^-52 of it */
    int tensor;     /* whose values are moved */
    double *values; /* them, where the point is */
    size_t n;
    bool *follows;  /* [node]: depends on the tensor, and the loss on it */
    bool *moved;    /* [node]: may hold the values of a neighbouring point */
    bool *reached;  /* [tensor], scratch of fv__differences_of */
    uint64_t *side; /* [node]: the piece that its inputs are on, where the point is */
} fv_differences;

/* The slope that the differences say, and how far off they may be. */
typedef struct fv_slope {
    double value;
    double uncertainty; /* infinity: each step that was tried met a kink */
} fv_slope;

/* The reference has been evaluated at the point; `largest` is the size of the largest tensor to come. */
fv_status fv__differences_create(fv_reference *reference, size_t largest, fv_differences *out);
void fv__differences_destroy(fv_differences *d);
/* From here on the values of `tensor`, which has no source. */
fv_status fv__differences_of(fv_differences *d, int tensor);
/* Operations of one evaluation of what follows `tensor`. */
double fv__differences_cost(fv_differences *d, int tensor);
/* d loss / dt at t = 0, loss being the mean over the images: of values + t * along, or where `along` is NULL
 * of values[index] + t. Steps shrink until none of the functions with kinks changes its piece and two of them
 * agree within a millionth of `scale`. */
fv_status fv__difference(fv_differences *d, const double *along, size_t index, double scale, fv_slope *slope);
/* The mean loss as the reference last computed it. */
double fv__reference_loss(const fv_reference *reference);

#endif
