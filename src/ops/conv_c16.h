/* conv_c16.h - sums over channels for one image in c16, shared by convolution and linear layers. */
#ifndef FV_OPS_CONV_C16_H
#define FV_OPS_CONV_C16_H

#include "ops/axis_map.h"
#include "plan/lower.h"

/* The number of bundles of 16 that contain `channels` channels. */
int fv__c16_bundles(int channels);

/* l->in[0] and l->out are bundles; l->in[1] holds weights [o][i][taps], l->in[2] the bias, if there is one.
 * The outputs get the epilogue l->fused. border: as in fv__conv_border. */
fv_status fv__c16_lower_conv(fv_lower *l, const fv_conv_args *conv, const fv_map *border);
/* The same for a linear layer of a vector, which sums in runs. */
fv_status fv__c16_lower_linear(fv_lower *l, const fv_conv_args *conv);
/* The epilogue of a convolution alone: l->in[0] to l->out. */
fv_status fv__c16_lower_finish(fv_lower *l, const fv_fused *fused, int channels, int64_t pixels);
/* Copies l->in[0], bundles of this shape, to lane 0 of images (step 16), or to a vector in c16 (step 1). */
fv_status fv__c16_lower_out(fv_lower *l, fv_shape shape, int step);

#endif
