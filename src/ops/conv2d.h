/* conv2d.h - what conv2d.c (the rules) and conv2d_*.c (the kernels) share. */
#ifndef FV_OPS_CONV2D_H
#define FV_OPS_CONV2D_H

#include "plan/lower.h"
#include "ops/ops.h"

/* The kernel's view of a convolution from x to y, but for the offsets. */
fv_conv_args fv__conv_forward_args(const fv_conv_attrs *a, fv_shape x, fv_shape w, fv_shape y);
double fv__conv_products(const fv_conv_args *g); /* multiply-adds of one image */
double fv__conv_bytes(fv_shape x, fv_shape y);   /* of two tensors of one image */

/* Whether Winograd's F(4x4, 3x3) does it: by shape alone. */
bool fv__conv_winograd_pays(const fv_lower *l, const fv_conv_args *g);

/* Whether a product of weights and staged pixels is sooner there than sums over x where it lies: the same
 * sums. */
bool fv__conv_pixels_pays(const fv_conv_args *g);
/* `zeros`: the pixels of the output that are not the convolution's are 0. bias -1: none. */
fv_status fv__conv_lower_pixels(fv_lower *l, const fv_conv_args *conv, bool zeros, int weights, int bias);

fv_status fv__conv_lower(fv_lower *l);
fv_status fv__conv_lower_c16(fv_lower *l);
bool fv__conv_fits_c16(const void *attrs, const fv_shape *in, fv_shape out);
fv_status fv__conv_lower_dx(fv_lower *l);
fv_status fv__conv_lower_dw(fv_lower *l);
/* The same while a block of x and dy is warm: for sequences, whose layers follow each other. */
fv_status fv__conv_lower_dw_by_block(fv_lower *l);
fv_status fv__conv_lower_dw_blocks(fv_lower *l, fv_conv_args conv);
fv_status fv__conv_lower_winograd_dw(fv_lower *l, const fv_conv_args *conv);

#endif
