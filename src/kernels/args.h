/* args.h - what each kernel must know beside its buffers: sizes and constants, fixed by the plan. */
#ifndef FV_KERNELS_ARGS_H
#define FV_KERNELS_ARGS_H

#include "kernels/settings.h"
#include "tensor/shape.h"

#include "kernels/blocks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One direction in which a window slides: output k sees the inputs k * stride + tap * dilation - before of
 * its `window` taps, of which those outside of x are zeros. */
enum { FV_DEPTH, FV_HEIGHT, FV_WIDTH, FV_AXES };

typedef struct fv_axis {
    int in, out, window, stride, dilation; /* all 1 where x has no such direction */
    int before;                            /* padding in front of x; negative: x is cropped */
} fv_axis;

/* Pixels to lanes; c x h x w. */
typedef struct fv_gather_args {
    int c, h, w;
    int feed; /* its number in the graph */
} fv_gather_args;

/* So many planes of h x w are moved by up to `range` pixels each way; back: the other way. */
typedef struct fv_shift_args {
    int64_t planes;
    int h, w, range;
    bool back;
} fv_shift_args;

/* y[o][p] = sum over i and taps k of w[o][i][k] * x[i][p * stride + k * dilation - before] + b[o],
 * with p and k in three directions, group after group of channels o and i. y may be every step-th pixel of a
 * larger image, from pixel `first` on, and the weights may begin somewhere in their buffer: so one data
 * gradient of a strided convolution is made of several convolutions. */
typedef struct fv_conv_args {
    int groups; /* each has channels, weights and biases of its own, one after the other */
    int i, o;   /* channels of one group, in and out */
    fv_axis at[FV_AXES];
    int whole[FV_AXES]; /* the image that holds the outputs */
    int first[FV_AXES], step[FV_AXES];
    int64_t weights;    /* where they begin, in floats */
    int in_w;           /* width of a staged row: reaches every column that a tile reads */
    const int32_t *tap; /* [taps]: floats from the first column that a row reads to a window's pixels */
    bool staged;        /* rows are copied to scratch, padded; else they are read where they are */
} fv_conv_args;

/* Pixels of a window; 0: there is none, and outputs are their bias. */
static inline int64_t fv__conv_taps(const fv_conv_args *conv)
{
    return (int64_t)conv->at[FV_DEPTH].window * conv->at[FV_HEIGHT].window * conv->at[FV_WIDTH].window;
}

/* Pixels of a channel of x, and of y. */
static inline int64_t fv__conv_in(const fv_conv_args *conv)
{
    return (int64_t)conv->at[FV_DEPTH].in * conv->at[FV_HEIGHT].in * conv->at[FV_WIDTH].in;
}

static inline int64_t fv__conv_out(const fv_conv_args *conv)
{
    return (int64_t)conv->at[FV_DEPTH].out * conv->at[FV_HEIGHT].out * conv->at[FV_WIDTH].out;
}

/* Lines of outputs: every row of every depth. */
static inline int64_t fv__conv_lines(const fv_conv_args *conv)
{
    return (int64_t)conv->at[FV_DEPTH].out * conv->at[FV_HEIGHT].out;
}

/* Pixels of a channel of the image that holds the outputs. */
static inline int64_t fv__conv_whole(const fv_conv_args *conv)
{
    return (int64_t)conv->whole[FV_DEPTH] * conv->whole[FV_HEIGHT] * conv->whole[FV_WIDTH];
}

/* Convolutions of the same x that make one image together, such as the phases of a data gradient. They agree
 * on x as it is staged: `slab` depths at a time, of which the first outputs' begin at depth `slab_first`. */
typedef struct fv_conv_parts {
    int64_t stretch_bytes;    /* of fv_blocks */
    const fv_conv_args *part; /* [n] */
    int n;
    int depths, rows; /* of outputs: parts may have one less */
    int slab, slab_first;
    bool blanks;   /* some pixels belong to no part: they are the bias, or 0 */
    bool by_lines; /* a call's range is of lines, each a depth and a row; else of channels */
} fv_conv_parts;

/* A convolution of which every output channel reads one input channel alone (depthwise.inc). */
typedef struct fv_depthwise_span {
    int row, tap, n; /* the first row that is read, the tap of the window that reads it, how many there are */
} fv_depthwise_span;

/* Along one direction, for each of n rows of outputs the rows that it reads: neighbours are row_step rows and
 * tap_step taps apart. */
typedef struct fv_depthwise_spans {
    const fv_depthwise_span *span;
    int n, row_step, tap_step;
} fv_depthwise_spans;

typedef struct fv_depthwise_args {
    int channels, multiplier; /* of outputs; those of them that read the same channel */
    fv_axis at[FV_AXES];      /* of the forward convolution; dense along the width */
    fv_depthwise_spans z, y;  /* along depth and height */
    bool back;                /* the data gradient: from dy to dx; multiplier 1 */
} fv_depthwise_args;

/* The same where there are many channels: what so many pixels see of so many channels is copied first. */
#define FV_PIXELS 128 /* at most */

typedef struct fv_pixels_args {
    fv_conv_args conv;
    int channels, pixels;
    int inner;             /* terms of which the tiles' inner loop has so many */
    bool scattered;        /* the outputs of neighbouring pixels do not lie side by side */
    bool blanks;           /* then: the pixels up to the next output are the bias, or 0 */
    bool by_pixels;        /* a call's range is of pixels; else of channels */
    const int32_t *offset; /* [channels * taps]: k * 16 * pixels */
} fv_pixels_args;

/* Weights for Winograd's sums from i channels to o. */
typedef struct fv_winograd_weights_args {
    int o, i;
    bool turned; /* they are [i][o][3][3], of the convolution whose data gradient this is */
} fv_winograd_weights_args;

/* Floats from one of the 36 parts of the transformed weights to the next: no power of two, else all would
 * meet in a few sets of the caches. */
static inline int64_t fv__winograd_part(int o, int i)
{
    return (int64_t)o * i + 16;
}

/* The pixels p, p + s, p + 2s ... of dx in one direction. With t = gcd(s, d), the taps of the kernel that
 * reach them are k0, k0 + s/t ..., n of them: those with k d = p + pad modulo s, none where t does not divide
 * p + pad. Tap k0 reads dy at `base` for pixel p, each next one `dilation` = d/t before it. */
typedef struct fv_flip_phase {
    int p, k0, n, step, base, dilation;
} fv_flip_phase;

/* Weights [o][i][taps] of each group for the data gradient of a convolution: phase after phase, of those that
 * a tap reaches, in the order of depths, rows and columns. */
typedef struct fv_flip_args {
    int groups, o, i;
    int window[FV_AXES];
    int n[FV_AXES];
    const fv_flip_phase *phase[FV_AXES];
} fv_flip_args;

static inline fv_flip_phase fv__flip_phase(int p, int kernel, int stride, int pad, int dilation)
{
    int t = stride, rest = dilation;
    while (rest) {
        const int next = t % rest;
        t = rest;
        rest = next;
    }
    const int step = stride / t;
    int k0 = 0;
    while (k0 < step && k0 < kernel && (p + pad - (int64_t)k0 * dilation) % stride != 0)
        k0++;
    const bool reached = k0 < step && k0 < kernel;
    return (fv_flip_phase){.p = p,
                           .k0 = k0,
                           .n = reached ? (kernel - k0 + step - 1) / step : 0,
                           .step = step,
                           .base = reached ? (int)((p + pad - (int64_t)k0 * dilation) / stride) : 0,
                           .dilation = dilation / t};
}

/* x as rows: [h][w][16][padded], zeros for channels beyond the i, and a pixel of zeros behind the image. */
typedef struct fv_conv_rows_args {
    int i, h, w;   /* of one depth */
    int padded;    /* channels, rounded up to 16 */
    int64_t pixel; /* floats from a pixel to the next: 16 * padded, or a little more */
} fv_conv_rows_args;

/* The weight gradient over rows: `conv` is the forward convolution. A chunk of dy is several whole lines, or
 * part of one; what it sees of a panel of x's channels is turned into rows [line][in_w][16][panel]. */
typedef struct fv_conv_dw_rows_args {
    fv_conv_args conv;                 /* as if x had been only what is picked of it: */
    int whole[FV_AXES], pick[FV_AXES]; /* every pick-th pixel of x, which is so large */
    int padded;                        /* input channels, rounded up to 16 */
    int panel;                         /* of them at a time, in sixteens */
    int outputs;                       /* output channels at a time */
    int slices;    /* of the batch's lines: each has sums of its own; 0: the shards of its blocks */
    bool sees_all; /* a window of one pixel, no padding: every chunk gives to every sum */
    bool is_dw;    /* the sums are dw itself */
    int chunk_lines, chunk_pixels;
    int64_t depth_floats;  /* of a chunk of x as rows, of one depth of the window */
    const int32_t *offset; /* [chunk_lines * chunk_pixels * 16]: floats from a chunk's first term of x */
} fv_conv_dw_rows_args;

/* The weight gradient of few channels of x, outputs side by side; sums are [i][taps][padded]. */
typedef struct fv_conv_dw_outputs_args {
    fv_conv_args conv;
    int padded;            /* outputs, rounded up to 16 */
    int slices;            /* of the batch's lines: each has sums of its own */
    int pixels;            /* of a line, at a time */
    const int32_t *offset; /* [16]: n * padded */
} fv_conv_dw_outputs_args;

/* The same by Winograd: x as rows of the image's own width, and a pixel of zeros. So many terms of the
 * products at a time. */
#define FV_WINOGRAD_DW_TERMS (FV_WINOGRAD_DW_TILES * 16)

typedef struct fv_winograd_dw_args {
    fv_conv_args conv;
    int padded;            /* input channels, rounded up to 16 */
    int64_t pixel;         /* floats from a pixel to the next */
    int outputs, inputs;   /* of a panel, at most; inputs in sixteens */
    int slices;            /* of the batch's tiles: each has a gradient of its own */
    const int32_t *offset; /* [FV_WINOGRAD_DW_TERMS]: k * inputs */
} fv_winograd_dw_args;

static inline size_t fv__winograd_dw_scratch(int outputs, int inputs)
{
    const size_t o = (size_t)outputs, i = (size_t)inputs;
    return 12 * (FV_WINOGRAD_DW_TERMS * (o + i) + o * i + 3 * 16) + 9 * o * i;
}

/* ---- one image, 16 of its channels side by side (conv_c16.inc) ------------------------------ */

/* Bundles of outputs whose weights lie together, in a panel: [panel][k][width], width = 16 * (4, or what is
 * left over). */
#define FV_PANEL 4

/* Weights [o][k], packed into panels. */
typedef struct fv_panel_args {
    int o;
    int64_t k;
} fv_panel_args;

/* What follows a convolution: a batch normalisation, ReLU. A residual is an operand. */
typedef struct fv_finish_args {
    int channels;
    int64_t pixels;
    bool bias, affine, relu;
} fv_finish_args;

typedef struct fv_c16_out_args {
    int64_t channels, pixels;
    int step;
} fv_c16_out_args;

/* How x is read: windows of one pixel where they lie; rows of few channels, copied; windows, unfolded. */
typedef enum fv_c16_way { FV_C16_WINOGRAD, FV_C16_POINTS, FV_C16_LINES, FV_C16_WINDOWS } fv_c16_way;

typedef struct fv_c16_args {
    int terms, chunk; /* of fv_blocks: c16_terms, winograd_chunk */
    fv_conv_args conv;
    fv_finish_args finish;
    int in_bundles, out_bundles;
    fv_c16_way way;
    bool runs;                  /* a linear layer of a vector: its sums are made of FV_LINEAR_RUN terms */
    int rows;                   /* lines of outputs, or rows of tiles */
    int row_units, panel_units; /* into so many ranges are the rows and the panels of weights cut */
    int channels;               /* of a larger window: so many are unfolded at a time */
    int offsets;                /* 16, or a run's terms, or a window's pixels if they are more */
    const int32_t *offset;      /* [4][offsets]: k * 16 * (1 to 4 bundles of a panel) */
} fv_c16_args;

/* A channel's plane of `pixels` vectors: bias, standardise, channel_sum. */
typedef struct fv_plane_args {
    int channels;
    int64_t pixels;
} fv_plane_args;

/* Batch normalisation: as PyTorch has them by default. */
#define FV_BATCHNORM_EPS      1e-5 /* added to the variance */
#define FV_BATCHNORM_MOMENTUM 0.1  /* the share of the new batch in the running statistics */

/* Layer normalisation: as PyTorch has it by default. */
#define FV_LAYERNORM_EPS 1e-5

/* Channels in equal groups, each of channels / groups * pixels values. */
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

/* ---- sequences: [channels][tokens] ---------------------------------------------------------------- */

/* n tokens from `from` of one sequence go to `to` of another; its other tokens are 0. */
typedef struct fv_tokens_args {
    int channels, from_tokens, to_tokens;
    int from, to, n;
} fv_tokens_args;

/* The first n tokens of a sequence. */
typedef struct fv_tokens_sum_args {
    int channels, tokens, n;
} fv_tokens_sum_args;

/* Queries, keys and values of all heads stacked: qkv [3 * channels][tokens]; a head has size channels. The
 * first so many tokens ask. */
typedef struct fv_attention_args {
    int heads, size, tokens, queries;
    float scale;   /* of the scores: 1 / sqrt(size) */
    int at_a_time; /* queries whose scores the forward kernel keeps; of fv_blocks */
} fv_attention_args;

/* Row `row` of a matrix [..][n]. */
typedef struct fv_row_args {
    int row, n;
} fv_row_args;

/* A linear layer of a vector adds its terms up in runs of so many, and the runs one after the other: a sum of
 * 12,288 terms loses a sixth of what it would lose term after term. The bits depend on this. What a run reads
 * of x (in conv_c16.inc of the weights) stays in L1 while every tile uses it. */
#define FV_LINEAR_RUN 128

/* y[m] = sum over k of w[m * row_stride + k * column_stride] * x[k] + b[m] */
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
    int slices; /* so many, one after the other; 0: the shards of the batch's blocks */
} fv_shard_sum_args;

/* ---- maps along axes (map.inc) ---------------------------------------------------------------------- */

/* Values of y that lie side by side, and their places in x; -1: a constant (copies), or a list of them
 * (sums). */
typedef struct fv_map_run {
    int to, from, n;
    int step; /* copies: from one value's place to the next */
} fv_map_run;

#define FV_CONCAT_LAYERS 7 /* with the output, the operands of a kernel */

/* n inputs and the number of values of each. */
typedef struct fv_concat_args {
    int n;
    int64_t values[FV_CONCAT_LAYERS];
} fv_concat_args;

/* The mean over n of [outer][n][inner]. */
typedef struct fv_mean_args {
    int64_t outer, inner;
    int n;
} fv_mean_args;

/* Where each index of an axis of y lies in x; -1: a constant. */
typedef struct fv_map_axis {
    int n;
    const int *from; /* [n] */
} fv_map_axis;

/* Lines of y, each of the same runs of x, which begin where the outer axes say. */
typedef struct fv_map_args {
    int n_axes;
    fv_map_axis axis[FV_MAX_RANK];
    int64_t lines, line; /* their number, and the values of one */
    int n_runs;
    const fv_map_run *run;
    float value; /* of the constant */
} fv_map_args;

/* y[i] sums x[index[k]] * weight[k], k from first[i] to first[i + 1] - 1; n indices of y, m of x. */
typedef struct fv_sum_axis {
    int n, m;
    const int *first, *index;
    const float *weight;
} fv_sum_axis;

/* Sums along three axes of [outer][][][]. A run is of indices of the innermost axis that sum one value each.
 */
typedef struct fv_sum_args {
    int64_t outer;
    fv_sum_axis at[3];
    int n_runs;
    const fv_map_run *run;
} fv_sum_args;

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
    int64_t units, each; /* a draw for each unit, of so many values */
    float rate;          /* probability of dropping; the rest is scaled by 1 / (1 - rate) */
    uint32_t node;
} fv_dropout_args;

typedef struct fv_pool_args {
    int channels;
    fv_axis at[FV_AXES]; /* a window of 0: output k sees the inputs from k * in / out on, up to (k + 1) * in /
                          * out rounded up (adaptive pooling) */
} fv_pool_args;

/* Softmax: n values per image. */
typedef struct fv_classes_args {
    int n;
} fv_classes_args;

/* Cross-entropy of n classes at each of `positions`; an image's loss is the mean over these. */
#define FV_MAX_CLASS_WEIGHTS 100
typedef struct fv_cross_entropy_args {
    int n;
    int64_t positions;
    float weight;           /* of the loss */
    bool plain;             /* neither smoothing nor weights of classes */
    float smoothing;        /* the share of the target that goes to all classes alike */
    float class_weight_sum; /* of all n; n where there are no weights */
    int n_class_weights;    /* n, or 0: all 1 */
    float class_weight[FV_MAX_CLASS_WEIGHTS];
} fv_cross_entropy_args;

/* The losses that compare value by value. */
typedef enum fv_distance {
#define FV_DISTANCE(name, ...) FV_DISTANCE_##name,
#include "kernels/distances.def"
#undef FV_DISTANCE
} fv_distance;

/* n values per image. one_hot: the target is a class number, which is 1 at its place and 0 elsewhere. */
typedef struct fv_distance_args {
    fv_distance distance;
    int64_t n;
    bool one_hot;
    float delta, weight;
} fv_distance_args;

/* Locally connected layers. offset: of the taps of a window in x; local_dx: of the outputs in dy. */
typedef struct fv_local_args {
    fv_axis at[FV_AXES];
    int i, o;
    const int32_t *offset;
} fv_local_args;

/* y = factor w x + b, w and b a channel. */
typedef struct fv_scale_args {
    int channels;
    int64_t pixels;
    float factor;
} fv_scale_args;

/* there[pair]: whether the pair of an output and an input, of `taps` weights, is connected. */
typedef struct fv_table_args {
    const uint8_t *there;
    int64_t taps;
} fv_table_args;

#endif
