/* check.h - checks every gradient that training uses against differences of the reference's loss. */
#ifndef FV_TRAIN_CHECK_H
#define FV_TRAIN_CHECK_H

#include "train/check_point.h"

/* As fv_model_check, with valid options. */
fv_status fv__check_gradients(const fv_model *model, const fv_check_options *options, fv_check_fn report,
                              void *user, fv_check_summary *summary);
/* The same at a point that has not been chosen yet. */
fv_status fv__check_gradients_at(fv_check_point *point, const fv_check_options *options, fv_check_fn report,
                                 void *user, fv_check_summary *summary);

#endif
