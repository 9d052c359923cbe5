/* args.h - the sizes and constants that each kernel needs beside its buffers; the plan fixes them. */
#ifndef FV_KERNELS_ARGS_H
#define FV_KERNELS_ARGS_H

#include "kernels/settings.h"
#include "tensor/shape.h"

#include "kernels/conv_args.h"
#include "kernels/map_args.h"
#include "kernels/token_args.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Converts the given elements of c x h x w values to lanes. */
typedef struct fv_gather_args {
    int c, h, w;
    int feed; /* the feed's number in the graph */
} fv_gather_args;

/* `planes` planes of h x w pixels are moved by up to `range` pixels in each direction; `back` reverses
 * the move. */
typedef struct fv_shift_args {
    int64_t planes;
    int h, w, range;
    bool back;
} fv_shift_args;

/* ---- one image, whose channels are stored in bundles of 16 (conv_c16.inc) --------------------- */

/* Bundles of outputs whose weights are packed together in a panel: [panel][k][width], width = 16 *
 * FV_PANEL, or 16 * the bundles that are left. */
#define FV_PANEL 4

/* Weights [o][k], packed into panels. */
typedef struct fv_panel_args {
    int o;
    int64_t k;
} fv_panel_args;

/* The epilogue of a convolution: batch normalisation and ReLU. A residual is an operand. */
typedef struct fv_finish_args {
    int channels;
    int64_t pixels;
    bool bias, affine, relu;
} fv_finish_args;

typedef struct fv_c16_out_args {
    int64_t channels, pixels;
    int step;
} fv_c16_out_args;

/* How x is read: windows of one pixel in place; rows of few channels from a copy; larger windows by
 * im2col. */
typedef enum fv_c16_way { FV_C16_WINOGRAD, FV_C16_POINTS, FV_C16_LINES, FV_C16_WINDOWS } fv_c16_way;

typedef struct fv_c16_args {
    int terms, chunk; /* of fv_blocks: c16_terms, winograd_chunk */
    fv_conv_args conv;
    fv_finish_args finish;
    int in_bundles, out_bundles;
    fv_c16_way way;
    fv_winograd_grid grid;
    bool runs;                  /* a linear layer of a vector, which sums in runs of FV_LINEAR_RUN terms */
    int rows;                   /* lines of outputs, or rows of tiles */
    int row_units, panel_units; /* ranges into which the rows and the panels of weights are cut */
    int channels;               /* channels of a larger window that im2col copies at a time */
    int offsets;                /* 16, the terms of a run, or the taps of a window if these are more */
    const int32_t *offset;      /* [4][offsets]: k * 16 * (1 to 4, the bundles of a panel) */
} fv_c16_args;

/* Channels of `pixels` vectors each: bias, standardise, channel_sum. */
typedef struct fv_plane_args {
    int channels;
    int64_t pixels;
} fv_plane_args;

/* Batch normalisation: PyTorch's default values. */
#define FV_BATCHNORM_EPS      1e-5 /* added to the variance */
#define FV_BATCHNORM_MOMENTUM 0.1  /* the weight of the new batch in the running statistics */

/* Layer normalisation: PyTorch's default value. */
#define FV_LAYERNORM_EPS 1e-5

/* Channels in groups of equal size, each with channels / groups * pixels values. */
typedef struct fv_group_args {
    int channels, groups;
    int64_t pixels;
} fv_group_args;

/* Local response normalisation: s = k + factor * (sum of squares of `size` channels), y = x * s^-beta. */
typedef struct fv_lrn_args {
    int channels, size;
    int64_t pixels;
    float factor, beta, k;
} fv_lrn_args;

/* Row `row` of a matrix [..][n]. */
typedef struct fv_row_args {
    int row, n;
} fv_row_args;

/* A linear layer of a vector sums runs of this many terms, and adds the runs one after the other: a sum
 * of 12,288 terms then has a sixth of the rounding error of a sequential sum. The bits depend on this
 * number. The part of x that a run reads (in conv_c16.inc: of the weights) stays in L1 while every tile
 * uses it. */
#define FV_LINEAR_RUN 128

/* y[m] = sum over k of w[m * row_stride + k * column_stride] * x[k] + b[m] */
typedef struct fv_matmul_args {
    int m, k;
    int64_t row_stride, column_stride;
    const int32_t *offset; /* [k]: k * 16 */
} fv_matmul_args;

/* dw[o][i] = sum over images n of dy[n][o] * x[n][i]; x is stored as rows of `padded` floats per image. */
typedef struct fv_linear_dw_args {
    int o, i;
    int padded;
    const int32_t *offset; /* [16]: n * padded */
} fv_linear_dw_args;

/* The sum of shards of `floats` floats each, by a fixed tree. */
typedef struct fv_shard_sum_args {
    int64_t floats;
    int slices; /* slices to add; 0: the shards of the batch's blocks */
} fv_shard_sum_args;

/* The elementwise activations. */
typedef enum fv_unary {
#define FV_UNARY(name, ...) FV_UNARY_##name,
#define FV_FLAT(name, ...)  FV_UNARY_##name,
#include "kernels/unary.def"
#undef FV_UNARY
#undef FV_FLAT
    FV_N_UNARY
} fv_unary;

/* n vectors of 16 per block; p, q and at0 are the attributes of the function. */
typedef struct fv_unary_args {
    fv_unary function;
    int64_t n;
    float p, q, at0;
} fv_unary_args;

typedef struct fv_dropout_args {
    int64_t units, each; /* one draw for each unit of `each` values */
    float rate;          /* probability of dropping; kept values are scaled by 1 / (1 - rate) */
    uint32_t node;
} fv_dropout_args;

typedef struct fv_pool_args {
    int channels;
    fv_axis at[FV_AXES]; /* a window of 0 means adaptive pooling: output k reads the inputs from k * in / out,
                          * rounded down, to (k + 1) * in / out, rounded up */
} fv_pool_args;

/* Softmax over n values, at each of `positions`. */
typedef struct fv_classes_args {
    int n;
    int64_t positions;
} fv_classes_args;

/* Cross-entropy of n classes at each of `positions`; the loss of an image is the mean over the
 * positions. */
#define FV_MAX_CLASS_WEIGHTS 1000
typedef struct fv_cross_entropy_args {
    int n;
    int64_t positions;
    float weight;           /* of the loss */
    bool plain;             /* without smoothing and without class weights */
    float smoothing;        /* the share of the target that is spread evenly over all classes */
    float class_weight_sum; /* of all n; n without class weights */
    int n_class_weights;    /* n, or 0: all 1 */
    float class_weight[FV_MAX_CLASS_WEIGHTS];
} fv_cross_entropy_args;

/* The losses that compare values one by one. */
typedef enum fv_distance {
#define FV_DISTANCE(name, ...) FV_DISTANCE_##name,
#include "kernels/distances.def"
#undef FV_DISTANCE
} fv_distance;

/* n values per image. one_hot: the target is a class number and stands for 1 at that index and 0
 * elsewhere. */
typedef struct fv_distance_args {
    fv_distance distance;
    int64_t n;
    bool one_hot;
    float delta, weight;
} fv_distance_args;

/* Locally connected layers. offset: of a window's taps in x; for local_dx: of the outputs in copied dy; for
 * local_dw: of the images in dy as rows. The other sizes are of the gradients: how much they take at a time.
 */
typedef struct fv_local_args {
    fv_axis at[FV_AXES];
    int i, o;
    const int32_t *offset;
    int positions, blocks, inputs;
    int outputs; /* a multiple of 16 */
    int64_t row; /* floats from an output's copied weights, or an input's sums, to the next */
} fv_local_args;

/* y = factor * w * x + b, with one w and one b per channel. */
typedef struct fv_scale_args {
    int channels;
    int64_t pixels;
    float factor;
} fv_scale_args;

/* there[pair]: whether this pair of an output and an input, which has `taps` weights, is connected. */
typedef struct fv_table_args {
    const uint8_t *there;
    int64_t taps;
} fv_table_args;

#endif
