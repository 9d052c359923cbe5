/* pool_window.h - what max and average pooling share: the window's words and its shape rule. */
#ifndef FV_OPS_POOL_WINDOW_H
#define FV_OPS_POOL_WINDOW_H

#include "kernels/args.h"
#include "ops/ops.h"

/* Rows of an attribute table for the fv_window_attrs that stands at `offset` of an op's attributes. */
#define FV_POOL_WINDOW_SPECS(offset)                                                                         \
    {"kernel", FV_ATTR_PAIR, (offset) + offsetof(fv_window_attrs, kernel), 1, FV_MAX_DIM, 2},                \
        {"stride", FV_ATTR_PAIR, (offset) + offsetof(fv_window_attrs, stride), 0, FV_MAX_DIM, 0},            \
    {                                                                                                        \
        "pad", FV_ATTR_PAIR, (offset) + offsetof(fv_window_attrs, pad), 0, FV_MAX_DIM, 0                     \
    }
#define FV_N_POOL_WINDOW_SPECS 3

/* Output floor((size + 2 pad - kernel) / stride) + 1 in each direction, of an image [c][h][w]. `what` begins
 * the message where the window does not fit. Resolves a stride of 0. */
fv_status fv__pool_sizes(fv_context *ctx, const fv_window_attrs *window, fv_shape in, const char *what,
                         fv_pool_args *out);
/* The same for shapes that were checked before. */
fv_pool_args fv__pool_args(const fv_window_attrs *window, fv_shape in, fv_shape out);

/* Of the window of one output: the pixels inside the image, [begin, end). */
typedef struct fv_pool_range {
    int begin, end;
} fv_pool_range;
fv_pool_range fv__pool_range(int out_index, int kernel, int stride, int pad, int size);

#endif
