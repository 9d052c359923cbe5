/* pool_window.h - the window's words and shape rule, which max and average pooling share. */
#ifndef FV_OPS_POOL_WINDOW_H
#define FV_OPS_POOL_WINDOW_H

#include "kernels/args.h"
#include "ops/ops.h"

/* Rows of an attribute table for the fv_window_attrs at `offset` of an op's attributes. */
#define FV_POOL_WINDOW_SPECS(offset)                                                                         \
    {"kernel", FV_ATTR_SIZES, (offset) + offsetof(fv_window_attrs, kernel), 1, FV_MAX_DIM, 2},               \
        {"stride", FV_ATTR_SIZES, (offset) + offsetof(fv_window_attrs, stride), 0, FV_MAX_DIM, 0},           \
    {                                                                                                        \
        "pad", FV_ATTR_SIZES, (offset) + offsetof(fv_window_attrs, pad), 0, FV_MAX_DIM, 0                    \
    }
#define FV_N_POOL_WINDOW_SPECS 3
/* The output sizes of adaptive pooling, which its gradients also have, under the name `word`: there `initial`
 * is 0, which means no size, otherwise 1. */
#define FV_POOL_OUT_SPEC(word, offset, initial)                                                              \
    {                                                                                                        \
        word, FV_ATTR_SIZES, (offset) + offsetof(fv_window_attrs, out), initial, FV_MAX_DIM, initial         \
    }
/* The inputs that pooling accepts in the model text. */
#define FV_READS_POOLED (FV_READS_SEQUENCE | FV_READS_IMAGE | FV_READS_VIDEO)
/* Sets a single window that covers all of `in`. */
void fv__pool_whole(fv_shape in, void *attrs);

/* The shape of the pooled x: floor((in + 2 pad - kernel) / stride) + 1 in each direction. The message for a
 * window that does not fit begins with `what`. */
fv_status fv__pool_infer(fv_context *ctx, const fv_window_attrs *window, fv_shape x, const char *what,
                         fv_shape *out);
/* For shapes that were checked before. Leading dimensions that the window does not cover are channels. */
fv_pool_args fv__pool_args(const fv_window_attrs *window, fv_shape x);

/* Inputs and outputs of one channel, and pixels of a window (in adaptive pooling approximately). */
int64_t fv__pool_pixels_in(const fv_pool_args *pool);
int64_t fv__pool_pixels_out(const fv_pool_args *pool);
double fv__pool_taps(const fv_pool_args *pool);

/* Calls `visit` with every output's window in one channel, in order: first and end in each direction,
 * clipped to x. */
typedef struct fv_pool_range {
    int first[FV_AXES], end[FV_AXES];
} fv_pool_range;
fv_pool_range fv__pool_range(const fv_pool_args *pool, int64_t output);
/* The divisor of an output's window in average pooling. */
double fv__pool_count(const fv_pool_args *pool, int64_t output);
/* The index of a pixel in its channel. */
int64_t fv__pool_pixel(const fv_pool_args *pool, int depth, int row, int column);

/* The maximum of an output's window in the channel x; *at: its pixel. Of equal values it is the first; in a
 * window with a NaN it is that NaN, and *at is the last pixel. */
double fv__pool_maximum(const fv_pool_args *pool, const double *x, int64_t output, int64_t *at);
/* fv_op.side of an operation that takes maxima of its input i: the position of each window's maximum. */
uint64_t fv__pool_side(const fv_ref *r, int i);
/* A reference: adds each value of input 0 at the position of its window's maximum in input 1. */
void fv__pool_scatter(const fv_ref *r);

#endif
