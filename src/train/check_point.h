/* check_point.h - where gradients are checked: images, labels and parameters, the gradients there, and how
 * much of a difference between them rounding explains. */
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
    int *gradient_of;         /* [parameter]: tensor; -1: none flows */
    float *values;            /* as model->values, each moved a little */
    double *gradient, *other; /* the reference's, in the same layout */
    double *rms;              /* [parameter]: root mean square of the gradient, or what counts instead */
    double *terms;            /* [parameter]: the same of the terms that it sums up; at least rms */
    double *spread;           /* [parameter]: how far rounding moves a value, over the larger of it and rms */
    double loss, noise;       /* the reference's, and how far double's rounding moves it */
    float *given[FV_MAX_FEEDS]; /* [n][values of the feed] */
    uint32_t *samples;
} fv_check_point;

/* Of n images. Nothing of the model is changed. */
fv_status fv__check_point_create(const fv_model *model, uint64_t seed, int n, fv_check_point **out);
void fv__check_point_destroy(fv_check_point *point);
/* Draws points until one is well conditioned, and takes the best of those that were drawn before `deadline`,
 * of one at least. Then the kernels' gradients are in the trainer's run, the reference's in `gradient`, and
 * the reference's forward pass stands. FV_ERR_NONFINITE where loss or gradient are not. */
fv_status fv__check_point_choose(fv_check_point *point, double deadline);
/* The kernels' gradient; NULL: none flows into the parameter. */
float *fv__check_point_kernels(const fv_check_point *point, int p);
/* What is to be thought of it, and its largest error by the size of the terms. */
fv_check_verdict fv__check_point_judge(const fv_check_point *point, int p, double *error);

#endif
