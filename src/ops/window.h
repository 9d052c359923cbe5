/* window.h - what holds of every window that slides over an image, of convolutions and of pooling: the one
 * place where its sizes, and their products, are checked. */
#ifndef FV_OPS_WINDOW_H
#define FV_OPS_WINDOW_H

#include "tensor/shape.h"

/* h, w. */
typedef struct fv_window_sizes {
    int kernel[2], stride[2], pad[2], dilation[2];
} fv_window_sizes;

/* Products that an output of a convolution sums: channels that it sees times the window's pixels. As many as
 * a linear layer's. */
#define FV_MAX_TERMS (1 << 24)
/* Pixels of the rows that a convolution's window spans, the image's width and the window's taken together:
 * kernels count them 16 images at a time, in 32 bits. */
#define FV_MAX_SPAN (INT32_MAX / FV_LANES)

/* out: floor((size + 2 pad - reach) / stride) + 1, with reach = (kernel - 1) dilation + 1, in each direction
 * of an image [c][h][w]. FV_ERR_INPUT, with a message that begins with `what`, where there is no such size.
 */
fv_status fv__window_check(fv_context *ctx, const fv_window_sizes *window, fv_shape image, const char *what,
                           int out[2]);
/* Whether kernels can sum over such a window, of so many channels, and of its gradients. */
fv_status fv__window_check_sum(fv_context *ctx, const fv_window_sizes *window, fv_shape image, int channels,
                               const char *what);

#endif
