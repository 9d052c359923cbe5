/* args.h - what each kernel must know beside its buffers: sizes and constants, fixed by the plan. */
#ifndef FV_KERNELS_ARGS_H
#define FV_KERNELS_ARGS_H

#include <stdbool.h>
#include <stdint.h>

/* Pixels to lanes; c x h x w. */
typedef struct fv_gather_args {
    int c, h, w;
} fv_gather_args;

/* y[o][oy][ox] = b[o] + sum over i, ky, kx of
 *                w[o][i][ky][kx] * x[i][oy*stride + ky - pad][ox*stride + kx - pad].
 * Reading x is as if zeros stood `spread - 1` deep between its pixels and `pad` deep around it (pad may be
 * negative: then x is cropped). spread > 1 only for the data gradient of a strided convolution. */
typedef struct fv_conv_args {
    int i, h, w;        /* input, as stored */
    int o, oh, ow;      /* output */
    int kh, kw;
    int stride_h, stride_w;
    int pad_h, pad_w;
    int spread_h, spread_w;
    int in_w;           /* width of a staged row: reaches every column that a tile reads */
    const int32_t *tap; /* [kh * kw]: floats from a window's first pixel to each of its pixels, staged */
    bool staged;        /* rows are copied to scratch, padded; else they are read where they are */
} fv_conv_args;

/* A channel's plane of `pixels` vectors: bias, standardise, channel_sum. */
typedef struct fv_plane_args {
    int channels;
    int64_t pixels;
} fv_plane_args;

/* y[m] = b[m] + sum over k of w[m * row_stride + k * column_stride] * x[k] */
typedef struct fv_matmul_args {
    int m, k;
    int64_t row_stride, column_stride;
    const int32_t *offset; /* [k]: k * 16 */
} fv_matmul_args;

/* dw[o][i] = sum over images n of dy[n][o] * x[n][i]; x as rows of `padded` floats per image. */
typedef struct fv_linear_dw_args {
    int o, i;
    int padded;
    const int32_t *offset; /* [16]: n * padded */
} fv_linear_dw_args;

/* Sum of shards, each of so many floats, by a fixed tree. */
typedef struct fv_shard_sum_args {
    int64_t floats;
} fv_shard_sum_args;

typedef enum fv_unary {
    FV_UNARY_IDENTITY, FV_UNARY_SIGMOID, FV_UNARY_TANH, FV_UNARY_RELU, FV_UNARY_LEAKY_RELU, FV_UNARY_SOFTPLUS
} fv_unary;

/* n vectors of 16 per block. The backward kernel reads y where `from_output`, else x. */
typedef struct fv_unary_args {
    fv_unary function;
    int64_t n;
    float slope;   /* leaky ReLU */
    float at_zero; /* the subgradient at 0 of ReLU and leaky ReLU */
} fv_unary_args;

typedef struct fv_dropout_args {
    int64_t n;
    float rate;    /* probability of dropping; the rest is scaled by 1 / (1 - rate) */
    uint32_t node;
} fv_dropout_args;

typedef struct fv_pool_args {
    int c, h, w;   /* input */
    int oh, ow;    /* output */
    int kh, kw, stride_h, stride_w, pad_h, pad_w;
} fv_pool_args;

/* Softmax and the losses: n values (classes) per image. */
typedef struct fv_classes_args {
    int n;
} fv_classes_args;

typedef struct fv_sgd_args {
    bool decays;
} fv_sgd_args;

#endif
