/* window.h - the rules for every window that slides over a signal, an image or a video, in convolution and
 * pooling: the one place that checks its sizes and their products. */
#ifndef FV_OPS_WINDOW_H
#define FV_OPS_WINDOW_H

#include "graph/op.h"
#include "kernels/args.h"

/* The words of a layer, with a number for each direction or one for all. A stride of 0 means the kernel's
 * size. A padding without numbers (n = 0) is the word "same": out = ceil(in / stride), with the necessary
 * zeros on both sides, and an odd one at the end. */
typedef struct fv_window_words {
    fv_sizes kernel, stride, pad, dilation;
} fv_window_words;

/* Products that an output of a convolution sums: the channels that it reads times the window's pixels. A
 * linear layer has the same limit. */
#define FV_MAX_TERMS (1 << 24)
/* Pixels of the rows that a convolution's window spans, the width of the input and of the window together:
 * kernels count them 16 images at a time, in 32 bits. */
#define FV_MAX_SPAN (INT32_MAX / FV_LANES)

/* The axes of a window over x, which is [channels] and one to three directions: out = floor((in + 2 pad -
 * reach) / stride) + 1, with reach = (window - 1) dilation + 1. FV_ERR_INPUT, with a message that begins
 * with `what`, if there is no such size. */
fv_status fv__window_check(fv_context *ctx, const fv_window_words *words, fv_shape x, const char *what,
                           fv_axis at[FV_AXES]);
/* Whether kernels can sum over such a window of `channels` channels, and compute its gradients. */
fv_status fv__window_check_sum(fv_context *ctx, const fv_axis at[FV_AXES], int directions, int channels,
                               const char *what);
/* The same axes, for words and shapes that were checked before. */
void fv__window_axes(const fv_window_words *words, fv_shape x, fv_axis at[FV_AXES]);

/* [channels] and the output sizes of the axes. */
fv_shape fv__window_shape(int channels, fv_shape x, const fv_axis at[FV_AXES]);
/* The x of a gradient dy: dy's channels, and `size` in each direction. */
fv_status fv__window_input(fv_context *ctx, const fv_sizes *size, fv_shape dy, const char *what, fv_shape *x);
/* FV_ERR_INPUT, "WHAT: expected a gradient of ...", if y does not have that shape. */
fv_status fv__window_expect(fv_context *ctx, fv_shape expected, fv_shape found, const char *what);
/* "3x5": the numbers, or "same". */
#define FV_SIZES_TEXT 40
const char *fv__sizes_text(const fv_sizes *sizes, char text[FV_SIZES_TEXT]);

#endif
