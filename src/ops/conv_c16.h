/* conv_c16.h - sums over channels for one image in c16: what convolution and linear have in common there. */
#ifndef FV_OPS_CONV_C16_H
#define FV_OPS_CONV_C16_H

#include "ops/axis_map.h"
#include "plan/lower.h"

/* Bundles of 16 channels that hold so many. */
int fv__c16_bundles(int channels);

/* l->in[0] and l->out are bundles; l->in[1] are weights [o][i][taps], l->in[2] the bias if there is one.
 * What l->fused asks for is done to the outputs. border: as fv__conv_border says. */
fv_status fv__c16_lower_conv(fv_lower *l, const fv_conv_args *conv, const fv_map *border);
/* The same for a linear layer of a vector, whose sums are made of runs. */
fv_status fv__c16_lower_linear(fv_lower *l, const fv_conv_args *conv);
/* What is fused behind a convolution, alone: l->in[0] to l->out. */
fv_status fv__c16_lower_finish(fv_lower *l, const fv_fused *fused, int channels, int64_t pixels);
/* l->in[0], bundles of this shape, as lane 0 of images (step 16), or as a vector in c16 (step 1). */
fv_status fv__c16_lower_out(fv_lower *l, fv_shape shape, int step);

#endif
