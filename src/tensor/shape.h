/* shape.h - the sizes of a tensor, outermost first; a per-image tensor's batch is not part of its shape.
 * Signals are [c][w], images [c][h][w], videos [c][t][h][w]; weights of a convolution [o][i] and a window of
 * as many directions, of a linear layer [o][i]. */
#ifndef FV_TENSOR_SHAPE_H
#define FV_TENSOR_SHAPE_H

#include "base/context.h"

#define FV_MAX_RANK   6
#define FV_MAX_DIM    (1 << 24)    /* of one dimension  */
#define FV_MAX_VALUES 2147483647ll /* of a whole tensor: products of its dimensions fit an int */
#define FV_LANES      16 /* images in a block; the same on every machine, because results depend on it */

typedef struct fv_shape {
    int rank;
    int dim[FV_MAX_RANK]; /* 0 past rank */
} fv_shape;

fv_shape fv__shape(int rank, const int *dim);
/* FV_SHAPE(c, h, w): it counts its own arguments. */
#define FV_SHAPE(...) fv__shape((int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]){__VA_ARGS__})
int64_t fv__shape_count(fv_shape shape); /* product of the dimensions; 1 for rank 0 */
bool fv__shape_equal(fv_shape a, fv_shape b);
/* Checks that every dimension is 1..FV_MAX_DIM and the product at most FV_MAX_VALUES; messages begin with
 * `what`. */
fv_status fv__shape_check(fv_context *ctx, fv_shape shape, const char *what);
/* Writes "6x28x28" into the caller's buffer and returns the buffer. */
#define FV_SHAPE_TEXT 80
char *fv__shape_text(fv_shape shape, char buffer[FV_SHAPE_TEXT]);

/* A shape seen as an image: [c][h][w], with h = w = 1 for rank 1. */
typedef struct fv_chw {
    int c, h, w;
} fv_chw;
fv_chw fv__shape_chw(fv_shape shape);

#endif
