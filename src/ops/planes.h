/* planes.h - sums over channels for one image on planes: what conv2d and linear have in common there. */
#ifndef FV_OPS_PLANES_H
#define FV_OPS_PLANES_H

#include "kernels/lower.h"

/* Planes of 16 channels that hold so many. */
int fv__planes(int channels);

/* Whose sums: a convolution's, term by term or by Winograd, or a linear layer's of a vector, in runs. */
typedef enum fv_planes_sums { FV_PLANES_CONV, FV_PLANES_WINOGRAD, FV_PLANES_LINEAR } fv_planes_sums;

/* l->in[0] and l->out are planes; l->in[1] are weights [o][i][kh][kw], l->in[2] the bias if there is one.
 * What l->fused asks for is done to the outputs. */
fv_status fv__planes_lower_conv(fv_lower *l, const fv_conv_args *conv, fv_planes_sums sums);
/* What is fused behind a convolution, alone: l->in[0] to l->out. */
fv_status fv__planes_lower_finish(fv_lower *l, const fv_fused *fused, int channels, int64_t pixels);
/* l->in[0], planes of this shape, as lane 0 of images (step 16), or as a vector on planes (step 1). */
fv_status fv__planes_lower_out(fv_lower *l, fv_shape shape, int step);

#endif
