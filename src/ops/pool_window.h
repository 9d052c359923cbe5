/* pool_window.h - what max and average pooling share: the window's words and its shape rule. */
#ifndef FV_OPS_POOL_WINDOW_H
#define FV_OPS_POOL_WINDOW_H

#include "kernels/args.h"
#include "ops/ops.h"

/* Rows of an attribute table for the fv_window_attrs that stands at `offset` of an op's attributes. */
#define FV_POOL_WINDOW_SPECS(offset)                                                                         \
    {"kernel", FV_ATTR_SIZES, (offset) + offsetof(fv_window_attrs, kernel), 1, FV_MAX_DIM, 2},               \
        {"stride", FV_ATTR_SIZES, (offset) + offsetof(fv_window_attrs, stride), 0, FV_MAX_DIM, 0},           \
    {                                                                                                        \
        "pad", FV_ATTR_SIZES, (offset) + offsetof(fv_window_attrs, pad), 0, FV_MAX_DIM, 0                    \
    }
#define FV_N_POOL_WINDOW_SPECS 3
/* Of adaptive pooling, which the gradients know too, as `word`: there `initial` is 0, no size, and else 1. */
#define FV_POOL_OUT_SPEC(word, offset, initial)                                                              \
    {                                                                                                        \
        word, FV_ATTR_SIZES, (offset) + offsetof(fv_window_attrs, out), initial, FV_MAX_DIM, initial         \
    }
/* What pooling reads, in the model text. */
#define FV_READS_POOLED (FV_READS_SEQUENCE | FV_READS_IMAGE | FV_READS_VIDEO)
/* One window: all of `in`. */
void fv__pool_whole(fv_shape in, void *attrs);

/* The shape that pooling makes of x: floor((in + 2 pad - kernel) / stride) + 1 in each direction. `what`
 * begins the message where the window does not fit. */
fv_status fv__pool_infer(fv_context *ctx, const fv_window_attrs *window, fv_shape x, const char *what,
                         fv_shape *out);
/* For shapes that were checked before. Planes that the window does not join are channels. */
fv_pool_args fv__pool_args(const fv_window_attrs *window, fv_shape x);

/* Inputs and outputs of one channel, and pixels of a window, of adaptive pooling about. */
int64_t fv__pool_pixels_in(const fv_pool_args *pool);
int64_t fv__pool_pixels_out(const fv_pool_args *pool);
double fv__pool_taps(const fv_pool_args *pool);

/* Calls `visit` with every output's window of one channel, in order: first and end in each direction, of what
 * lies inside of x. */
typedef struct fv_pool_range {
    int first[FV_AXES], end[FV_AXES];
} fv_pool_range;
fv_pool_range fv__pool_range(const fv_pool_args *pool, int64_t output);
/* What average pooling divides the sum of an output's window by. */
double fv__pool_count(const fv_pool_args *pool, int64_t output);
/* The number of a pixel of a channel. */
int64_t fv__pool_pixel(const fv_pool_args *pool, int depth, int row, int column);

/* The maximum of an output's window in the channel x; *at: the pixel where it stands. The first of equals;
 * of a window with a NaN that NaN and the last pixel. */
double fv__pool_maximum(const fv_pool_args *pool, const double *x, int64_t output, int64_t *at);
/* fv_op.side of an operation that looks for maxima in its input i: where each window's stands. */
uint64_t fv__pool_side(const fv_ref *r, int i);
/* A reference: each value of input 0 goes to the pixel where its window's maximum stands in input 1. */
void fv__pool_scatter(const fv_ref *r);

#endif
