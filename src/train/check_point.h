/* check_point.h - the point at which gradients are checked: images, labels, parameters, the gradients
 * there, and how much of a difference between them rounding explains. */
#ifndef FV_TRAIN_CHECK_POINT_H
#define FV_TRAIN_CHECK_POINT_H

#include "ops/rounding.h"
#include "train/train.h"

typedef struct fv_check_point {
    fv_context *ctx;
    const fv_model *model;
    uint64_t seed;
    int n; /* images */
    fv_trainer *trainer;
    fv_reference *reference; /* of the trainer's graph */
    fv_rounding rounding;
    int *gradient_of;         /* [parameter]: its gradient's tensor; -1: none */
    float *values;            /* as model->values, each moved a little */
    double *gradient, *other; /* the reference's gradients, in the layout of values */
    double *rms;              /* [parameter]: root mean square of the gradient, with a lower bound */
    double *terms;            /* [parameter]: the same of the terms of its sums; at least rms */
    double
        *spread; /* [parameter]: by how much rounding moves a value, relative to the larger of it and rms */
    double loss, noise;         /* the reference's loss, and by how much double's rounding moves it */
    float *given[FV_MAX_FEEDS]; /* [n][values of the feed] */
    uint32_t *samples;
} fv_check_point;

/* For n images. The model does not change. */
fv_status fv__check_point_create(const fv_model *model, uint64_t seed, int n, fv_check_point **out);
void fv__check_point_destroy(fv_check_point *point);
/* Draws points until one is well conditioned, and takes the best of those that were drawn before
 * `deadline`, of at least one. Afterwards the trainer's run holds the kernels' gradients, `gradient` the
 * reference's, and the reference the values of its forward pass. FV_ERR_NONFINITE if the loss or a gradient
 * is not finite. */
fv_status fv__check_point_choose(fv_check_point *point, double deadline);
/* The kernels' gradient; NULL if the parameter has none. */
float *fv__check_point_kernels(const fv_check_point *point, int p);
/* The verdict on a gradient, and its largest error by the size of the terms. */
fv_check_verdict fv__check_point_judge(const fv_check_point *point, int p, double *error);

#endif
