/* conv_args.h - part of args.h: what the kernels of convolutions are given. */
#ifndef FV_KERNELS_CONV_ARGS_H
#define FV_KERNELS_CONV_ARGS_H

#include "kernels/blocks.h"
#include "kernels/settings.h"
#include "tensor/shape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One direction in which a window slides: output k reads the inputs k * stride + tap * dilation - before
 * for each of its `window` taps. Inputs outside of x are zeros. */
enum { FV_DEPTH, FV_HEIGHT, FV_WIDTH, FV_AXES };

typedef struct fv_axis {
    int in, out, window, stride, dilation; /* all 1 where x lacks this direction */
    int before;                            /* padding in front of x; negative: x is cropped */
} fv_axis;

/* A border other than zeros: the convolution's `in` pixels of an axis are those of x with its border, and
 * pixel k of them shows pixel seen[k] of x; -1: `value`. */
typedef struct fv_conv_border {
    int x[FV_AXES]; /* pixels of x */
    const int32_t *seen[FV_AXES];
    float value;
} fv_conv_border;

/* y[o][p] = sum over i and taps k of w[o][i][k] * x[i][p * stride + k * dilation - before] + b[o],
 * with p and k in three directions, and one group of channels o and i after the other. y may be every
 * step-th pixel of a larger image, beginning at pixel `first`, and the weights may begin at an offset in
 * their buffer. The data gradient of a strided convolution is therefore a set of such convolutions. */
typedef struct fv_conv_args {
    int groups; /* each has its own channels, weights and biases; groups are stored one after the other */
    int i, o;   /* channels of one group, in and out */
    fv_axis at[FV_AXES];
    int whole[FV_AXES]; /* size of the image that holds the outputs */
    int first[FV_AXES], step[FV_AXES];
    int64_t weights;    /* offset of the first weight, in floats */
    int in_w;           /* width of a staged row, which holds every column that a tile reads */
    const int32_t *tap; /* [taps]: offset of each tap from the first column that a row reads, in floats */
    bool staged;        /* rows are copied to scratch with their padding; otherwise they are read in place */
    const fv_conv_border *border; /* NULL: x lies in memory as `at` says. Of few ways: fv_conv_way */
} fv_conv_args;

/* Pixels of x in memory, along an axis. */
static inline int fv__conv_x(const fv_conv_args *conv, int axis)
{
    return conv->border ? conv->border->x[axis] : conv->at[axis].in;
}

/* Pixels of one channel of x in memory. */
static inline int64_t fv__conv_plane(const fv_conv_args *conv)
{
    return (int64_t)fv__conv_x(conv, FV_DEPTH) * fv__conv_x(conv, FV_HEIGHT) * fv__conv_x(conv, FV_WIDTH);
}

/* The number of the pixel of x that pixel (z, y, x) of x with its border shows; -1: the border's value. */
static inline int64_t fv__border_pixel(const fv_conv_border *b, int z, int y, int x)
{
    const int32_t depth = b->seen[FV_DEPTH][z], row = b->seen[FV_HEIGHT][y], column = b->seen[FV_WIDTH][x];
    return depth < 0 || row < 0 || column < 0
               ? -1
               : ((int64_t)depth * b->x[FV_HEIGHT] + row) * b->x[FV_WIDTH] + column;
}

/* Taps of the window. 0: the window is empty, and every output is its bias. */
static inline int64_t fv__conv_taps(const fv_conv_args *conv)
{
    return (int64_t)conv->at[FV_DEPTH].window * conv->at[FV_HEIGHT].window * conv->at[FV_WIDTH].window;
}

/* Pixels of one channel of x, and below of y. */
static inline int64_t fv__conv_in(const fv_conv_args *conv)
{
    return (int64_t)conv->at[FV_DEPTH].in * conv->at[FV_HEIGHT].in * conv->at[FV_WIDTH].in;
}

static inline int64_t fv__conv_out(const fv_conv_args *conv)
{
    return (int64_t)conv->at[FV_DEPTH].out * conv->at[FV_HEIGHT].out * conv->at[FV_WIDTH].out;
}

/* Lines of outputs: one for every row of every depth. */
static inline int64_t fv__conv_lines(const fv_conv_args *conv)
{
    return (int64_t)conv->at[FV_DEPTH].out * conv->at[FV_HEIGHT].out;
}

/* Pixels of one channel of the image that holds the outputs. */
static inline int64_t fv__conv_whole(const fv_conv_args *conv)
{
    return (int64_t)conv->whole[FV_DEPTH] * conv->whole[FV_HEIGHT] * conv->whole[FV_WIDTH];
}

/* Convolutions of the same x that together write one image, such as the phases of a data gradient. They
 * share the staged x: `slab` depths at a time, which begin at depth `slab_first` for the first outputs. */
typedef struct fv_conv_parts {
    int64_t stretch_bytes;    /* of fv_blocks */
    const fv_conv_args *part; /* [n] */
    int n;
    int depths, rows; /* of outputs: a part may have one less */
    int slab, slab_first;
    bool gaps;     /* some outputs belong to no part; each is its bias, or 0 */
    bool by_lines; /* a call's range counts lines, each a depth and a row; otherwise it counts channels */
} fv_conv_parts;

/* Depthwise convolution: every output channel reads one input channel (depthwise.inc). */
typedef struct fv_depthwise_span {
    int row, tap, n; /* the first row that is read, the tap that reads it, and the number of rows */
} fv_depthwise_span;

/* For each of n rows of outputs along one direction, the rows that it reads. Neighbouring rows are
 * row_step rows and tap_step taps apart. */
typedef struct fv_depthwise_spans {
    const fv_depthwise_span *span;
    int n, row_step, tap_step;
} fv_depthwise_spans;

typedef struct fv_depthwise_args {
    int channels, multiplier; /* output channels; the number of them that read the same input channel */
    fv_axis at[FV_AXES];      /* of the forward convolution, whose taps are adjacent along the width */
    fv_depthwise_spans z, y;  /* along depth and height */
    bool back;                /* the data gradient, from dy to dx; its multiplier is 1 */
} fv_depthwise_args;

/* Convolution of many channels as a GEMM: the pixels of the windows are copied first (im2col). */
#define FV_PIXELS 128 /* output pixels of one panel, at most */

typedef struct fv_pixels_args {
    fv_conv_args conv;
    int channels, pixels;
    int inner;             /* length of the tile's inner loop, in terms */
    bool scattered;        /* neighbouring outputs are not adjacent in y */
    bool gaps;             /* if scattered: the pixels between two outputs are set to the bias, or to 0 */
    bool by_pixels;        /* a call's range counts pixels; otherwise it counts channels */
    const int32_t *offset; /* [channels * taps]: k * 16 * pixels */
    /* Of a border's frame: the pixel of y that each output is added to; else NULL, and they are stored. */
    const int32_t *target;
} fv_pixels_args;

/* What the frame of a border adds to the data gradient: parts, each a convolution of dy. */
typedef struct fv_conv_frame_args {
    int n;
    const fv_pixels_args *part;
} fv_conv_frame_args;

/* Winograd's transform of the weights from i to o channels, of windows depth x 3 x 3. */
typedef struct fv_winograd_weights_args {
    int o, i, depth;
    bool line;    /* windows of 3 taps */
    bool flipped; /* w is [i][o][depth][3][3] and is transposed and flipped, for a data gradient */
} fv_winograd_weights_args;

/* Floats from one of the 36 parts of the transformed weights to the next. It is no power of two, because
 * all parts would then compete for a few sets of the caches. */
static inline int64_t fv__winograd_part(int o, int i, int depth)
{
    return (int64_t)o * i * depth + 16;
}

/* Where Winograd's tiles of 4x4 outputs, or of 1x4 for windows along one line, lie on x and y. Rows and
 * columns are the last two axes of `conv.at`; from one to the next are so many pixels. */
typedef struct fv_winograd_grid {
    bool line; /* tiles of 1x4 */
    int64_t x_row, x_column, y_row, y_column;
} fv_winograd_grid;

static inline fv_winograd_grid fv__winograd_grid(const fv_conv_args *conv)
{
    return (fv_winograd_grid){
        .x_row = conv->at[FV_WIDTH].in, .x_column = 1, .y_row = conv->at[FV_WIDTH].out, .y_column = 1};
}

static inline int fv__winograd_parts(bool line)
{
    return line ? 6 : 36;
}

/* Tiles along an axis, and the first output of one. The outputs of a tile are `dilation` apart, so that
 * their windows overlap; the tiles of the last outputs may be empty. */
static inline int fv__winograd_tiles(const fv_axis *at)
{
    const int outputs = (at->out + at->dilation - 1) / at->dilation;
    return at->dilation * ((outputs + 3) / 4);
}

static inline int fv__winograd_first(const fv_axis *at, int tile)
{
    return tile / at->dilation * 4 * at->dilation + tile % at->dilation;
}

static inline int fv__winograd_rows(const fv_conv_args *conv, bool line)
{
    return line ? conv->at[FV_HEIGHT].out : fv__winograd_tiles(&conv->at[FV_HEIGHT]);
}

/* A convolution by Winograd; conv.tap is [4][16]: k * 16 * (1 to 4 tiles). */
typedef struct fv_winograd_args {
    fv_conv_args conv;
    fv_winograd_grid grid;
    int depths; /* of the window, whose products are summed at a time */
} fv_winograd_args;

/* The pixels p, p + s, p + 2s ... of dx in one direction. With t = gcd(s, d), the n taps k0, k0 + s/t
 * ... reach them: those for which k d = p + pad modulo s. No tap reaches them if t does not divide p +
 * pad. For pixel p, tap k0 reads dy at `base`, and each further tap reads it `dilation` = d/t earlier. */
typedef struct fv_flip_phase {
    int p, k0, n, step, base, dilation;
} fv_flip_phase;

/* The phases of one part of a data gradient, along each axis. */
typedef struct fv_flip_part {
    fv_flip_phase phase[FV_AXES];
} fv_flip_part;

/* Weights [o][i][taps] of each group packed for the data gradient of a convolution: part after part. */
typedef struct fv_flip_args {
    int groups, o, i;
    int window[FV_AXES];
    int n;
    const fv_flip_part *part;
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

/* x as rows: [h][w][16][padded], with zeros for the channels from i on, and behind the image one pixel of
 * zeros, and one of the border's constant. */
typedef struct fv_conv_rows_args {
    int i, h, w;   /* h: the rows of all depths */
    int padded;    /* channels, rounded up to 16 */
    int64_t pixel; /* floats from one pixel to the next: 16 * padded, or a little more */
    bool border;   /* with a constant */
    float value;
} fv_conv_rows_args;

/* Weight gradient over rows; `conv` is the forward convolution. A chunk of dy is several whole lines or
 * part of one. The inputs that it reads of a panel of x's channels are transposed to rows
 * [line][in_w][16][panel]. */
typedef struct fv_conv_dw_rows_args {
    fv_conv_args conv;                 /* as if x held the picked pixels only: */
    int whole[FV_AXES], pick[FV_AXES]; /* every pick-th pixel of an x of size `whole` */
    int padded;                        /* input channels, rounded up to 16 */
    int panel;                         /* input channels at a time, a multiple of 16 */
    int outputs;                       /* output channels at a time */
    int slices;    /* ranges of the batch's lines, each with its own sums; 0: the shards of the blocks */
    bool sees_all; /* one tap, no padding: every chunk contributes to every sum */
    bool is_dw;    /* the sums are stored in dw directly */
    int chunk_lines, chunk_pixels;
    int64_t depth_floats;  /* floats of a transposed chunk of x, for one depth of the window */
    const int32_t *offset; /* [chunk_lines * chunk_pixels * 16]: floats from the chunk's first term of x */
} fv_conv_dw_rows_args;

/* Weight gradient for few channels of x, with outputs in the vector; the sums are [i][taps][padded]. */
typedef struct fv_conv_dw_outputs_args {
    fv_conv_args conv;
    int padded;            /* outputs, rounded up to 16 */
    int slices;            /* ranges of the batch's lines, each with its own sums */
    int pixels;            /* pixels of a line that are processed at a time */
    const int32_t *offset; /* [16]: n * padded */
} fv_conv_dw_outputs_args;

/* Weight gradient by Winograd, from x as rows of the image's own width and a pixel of zeros.
 * FV_WINOGRAD_DW_TERMS terms of the products are accumulated at a time. */
#define FV_WINOGRAD_DW_TERMS (FV_WINOGRAD_DW_TILES * 16)

typedef struct fv_winograd_dw_args {
    fv_conv_args conv;
    int padded;            /* input channels, rounded up to 16 */
    int64_t pixel;         /* floats from one pixel to the next */
    int outputs, inputs;   /* of a panel, at most; inputs are a multiple of 16 */
    int slices;            /* ranges of the batch's tiles, each with its own gradient */
    const int32_t *offset; /* [FV_WINOGRAD_DW_TERMS]: k * inputs */
} fv_winograd_dw_args;

static inline size_t fv__winograd_dw_scratch(int outputs, int inputs)
{
    const size_t o = (size_t)outputs, i = (size_t)inputs;
    return 12 * (FV_WINOGRAD_DW_TERMS * (o + i) + o * i + 3 * 16) + 9 * o * i;
}

#endif
