/* conv_c16.h - sums over channels for one image in c16: what conv2d and linear have in common there. */
#ifndef FV_OPS_CONV_C16_H
#define FV_OPS_CONV_C16_H

#include "plan/lower.h"

/* Bundles of 16 channels that hold so many. */
int fv__c16_bundles(int channels);

/* Whose sums: a convolution's, term by term or by Winograd, or a linear layer's of a vector, in runs. */
typedef enum fv_c16_sums { FV_C16_CONV, FV_C16_WINOGRAD, FV_C16_LINEAR } fv_c16_sums;

/* l->in[0] and l->out are bundles; l->in[1] are weights [o][i][kh][kw], l->in[2] the bias if there is one.
 * What l->fused asks for is done to the outputs. */
fv_status fv__c16_lower_conv(fv_lower *l, const fv_conv_args *conv, fv_c16_sums sums);
/* What is fused behind a convolution, alone: l->in[0] to l->out. */
fv_status fv__c16_lower_finish(fv_lower *l, const fv_fused *fused, int channels, int64_t pixels);
/* l->in[0], bundles of this shape, as lane 0 of images (step 16), or as a vector in c16 (step 1). */
fv_status fv__c16_lower_out(fv_lower *l, fv_shape shape, int step);

#endif
