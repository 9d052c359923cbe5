/* window.h - what holds of every window that slides over a signal, an image or a video, of convolutions and
 * of pooling: the one place where its sizes, and their products, are checked. */
#ifndef FV_OPS_WINDOW_H
#define FV_OPS_WINDOW_H

#include "graph/op.h"
#include "kernels/args.h"

/* What the words of a layer say, a number for each direction or one for all. A stride of 0 is the kernel's
 * size; a padding without numbers (n = 0) is the word "same": out = ceil(in / stride), and the zeros that
 * this takes are shared out to both sides, an odd one behind. */
typedef struct fv_window_words {
    fv_sizes kernel, stride, pad, dilation;
} fv_window_words;

/* Products that an output of a convolution sums: channels that it sees times the window's pixels. As many as
 * a linear layer's. */
#define FV_MAX_TERMS (1 << 24)
/* Pixels of the rows that a convolution's window spans, the input's width and the window's taken together:
 * kernels count them 16 images at a time, in 32 bits. */
#define FV_MAX_SPAN (INT32_MAX / FV_LANES)

/* The axes of a window over x, [channels] and one to three directions:
 * out = floor((in + 2 pad - reach) / stride) + 1, with reach = (window - 1) dilation + 1. FV_ERR_INPUT, with
 * a message that begins with `what`, where there is no such size. */
fv_status fv__window_check(fv_context *ctx, const fv_window_words *words, fv_shape x, const char *what,
                           fv_axis at[FV_AXES]);
/* Whether kernels can sum over such a window, of so many channels, and of its gradients. */
fv_status fv__window_check_sum(fv_context *ctx, const fv_axis at[FV_AXES], int directions, int channels,
                               const char *what);
/* The same axes, for words and shapes that were checked before. */
void fv__window_axes(const fv_window_words *words, fv_shape x, fv_axis at[FV_AXES]);

/* [channels] and what windows over x make of its directions. */
fv_shape fv__window_shape(int channels, fv_shape x, const fv_axis at[FV_AXES]);
/* The x of a gradient dy: its channels, and the sizes of `size` in each direction. */
fv_status fv__window_input(fv_context *ctx, const fv_sizes *size, fv_shape dy, const char *what, fv_shape *x);
/* Whether y has that shape; else FV_ERR_INPUT, "WHAT: expected a gradient of ...". */
fv_status fv__window_expect(fv_context *ctx, fv_shape expected, fv_shape found, const char *what);
/* "3x5": the numbers, or "same". */
#define FV_SIZES_TEXT 40
const char *fv__sizes_text(const fv_sizes *sizes, char text[FV_SIZES_TEXT]);

#endif
