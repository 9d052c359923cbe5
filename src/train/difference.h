/* difference.h - slopes of the reference's loss by central differences. */
#ifndef FV_TRAIN_DIFFERENCE_H
#define FV_TRAIN_DIFFERENCE_H

#include "ops/reference.h"

/* d loss / d value[tensor][index], where loss is the mean over the images. The reference has been run with
 * the value as it is; nodes that read the tensor, and those after them up to the loss, are run anew and hold
 * the values of a neighbouring point afterwards: fv__difference_restore mends that. `scale` is the size of
 * slope that matters: two step widths that differ by more than a millionth of it have met a kink. */
fv_status fv__difference(fv_reference *reference, int tensor, int64_t index, double scale, double *slope);
fv_status fv__difference_restore(fv_reference *reference, int tensor);
/* The mean loss as the reference last computed it. */
double fv__reference_loss(const fv_reference *reference);

#endif
