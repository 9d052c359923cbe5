/* conv.h - declarations that conv.c (the rules), conv_reference.c and conv_*.c (the kernels) share. */
#ifndef FV_OPS_CONV_H
#define FV_OPS_CONV_H

#include "ops/axis_map.h"
#include "ops/ops.h"
#include "ops/window.h"
#include "plan/lower.h"

/* The window of weights [o][i][k...], with the words of the attributes. */
fv_window_words fv__conv_words(const fv_conv_attrs *a, fv_shape w);
/* The kernel's description of a convolution from x to y, except for the offsets; padding is zeros. */
fv_conv_args fv__conv_forward_args(const fv_conv_attrs *a, fv_shape x, fv_shape w, fv_shape y);
double fv__conv_products(const fv_conv_args *conv); /* multiply-adds of one image */
double fv__conv_bytes(fv_shape x, fv_shape y);      /* of two tensors of one image */

/* The references. That of the data gradient takes a bias too. */
void fv__conv_ref(const fv_ref *r);
void fv__conv_ref_dx(const fv_ref *r);
void fv__conv_ref_dw(const fv_ref *r);

/* ---- ways -------------------------------------------------------------------------------------------- */

/* A convolution to be lowered, or several of the same x that compute the output together. */
typedef struct fv_conv_task {
    const fv_conv_args *part; /* [n]; of a weight gradient the forward convolution */
    int n;
    bool gaps;                   /* some outputs belong to no part; each is its bias, or 0 */
    const fv_conv_args *forward; /* of a data gradient: the forward convolution; else NULL */
    const fv_flip_args *flip;    /* likewise: how its weights are packed */
    int weights, bias;           /* buffers; -1: none */
    const fv_map *border;        /* from the node's input `x` to what the part reads; NULL: the same */
    int x;
    bool c16; /* of one image (conv_c16.c) */
} fv_conv_task;

/* conv_border.c: a border other than zeros. Changes a convolution of x to one of x with its border, and
 * returns the map between them; NULL if no window reads the border. */
const fv_map *fv__conv_border(const fv_conv_attrs *a, fv_shape x, fv_conv_args *conv, fv_map *map);
/* FV_ERR_INPUT if x has too few pixels for it. */
fv_status fv__conv_check_border(const fv_infer *q, int directions, const fv_axis at[FV_AXES]);

/* An algorithm for a convolution. The first of a list that `can` and `pays` is used: both depend only on
 * the shape, so that the sums are the same on every machine. The plan's option `way` selects one that
 * `can`. */
typedef struct fv_conv_way {
    const char *name;
    bool transforms; /* by Winograd: not the plain sums, so not where the plan is `direct` */
    bool (*can)(const fv_conv_task *task);
    bool (*pays)(const fv_conv_task *task); /* NULL: always */
    fv_status (*lower)(fv_lower *l, const fv_conv_task *task);
    /* Whether it reads x through fv_conv_args.border; NULL: never. Else it is given a copy. */
    bool (*border)(const fv_conv_task *task);
} fv_conv_way;

fv_status fv__conv_lower_by(fv_lower *l, const fv_conv_way *ways, int n_ways, const fv_conv_task *task);

/* A task with a border: x is read through the map, or first copied with its border to a buffer. */
fv_status fv__conv_lower_border(fv_lower *l, const fv_conv_way *way, const fv_conv_task *task);

/* Winograd's F(4x4, 3x3): whether it can, and whether there is enough to multiply. */
bool fv__conv_winograd_can(const fv_conv_task *task);
bool fv__conv_winograd_pays(const fv_conv_task *task);
bool fv__conv_winograd_border(const fv_conv_task *task);
/* F(4, 3) along one direction: the same of windows of three taps. `args` has the direction as columns. */
bool fv__conv_winograd_line_can(const fv_conv_task *task);
bool fv__conv_winograd_line_pays(const fv_conv_task *task);
void fv__conv_winograd_line(const fv_conv_args *conv, fv_winograd_args *args);
fv_status fv__conv_lower_winograd(fv_lower *l, const fv_conv_task *task);
fv_status fv__conv_lower_winograd_line(fv_lower *l, const fv_conv_task *task);
/* conv_pixels.c: im2col and a product. */
bool fv__conv_pixels_can(const fv_conv_task *task);
bool fv__conv_pixels_pays(const fv_conv_task *task);
fv_status fv__conv_lower_pixels(fv_lower *l, const fv_conv_task *task);
/* Channels and pixels that are staged at a time: block sizes, which no sum depends on. */
fv_status fv__conv_pixels_args(fv_lower *l, const fv_conv_args *conv, bool gaps, fv_pixels_args *g);
size_t fv__conv_pixels_scratch(const fv_pixels_args *g);
/* conv_depthwise.c: every output channel reads one input channel. */
bool fv__depthwise_can(const fv_conv_task *task);
fv_status fv__depthwise_lower(fv_lower *l, const fv_conv_task *task);
fv_status fv__depthwise_lower_dw(fv_lower *l, const fv_conv_task *task);
/* linear.c: the node's output y[m] = sum over k of w[k][m] x[k] + b[m]; `bias` is a buffer, or -1. */
fv_status fv__linear_lower_columns(fv_lower *l, int m, int k, int bias);
/* The buffer of the weights as the parts read them; a data gradient's are packed by a step. */
fv_status fv__conv_weights(fv_lower *l, const fv_conv_task *task, int *weights);
fv_status fv__conv_pack(fv_lower *l, const fv_flip_args *flip, int *packed);
/* conv_frame.c: the data gradient of a convolution with a border, from that of zeros around x. */
typedef struct fv_conv_frame fv_conv_frame;
/* What the frame adds; *frame is NULL where it has too many parts. of_border: of x with its border. */
fv_status fv__conv_make_frame(fv_lower *l, const fv_conv_args *forward, const fv_conv_args *of_border,
                              const fv_map *map, fv_conv_frame **frame);
/* Adds it to the node's output. */
fv_status fv__conv_lower_frame(fv_lower *l, fv_conv_frame *frame);

fv_status fv__conv_lower(fv_lower *l);
bool fv__conv_fits_c16(const void *attrs, const fv_shape *in, fv_shape out);
fv_status fv__conv_lower_c16(fv_lower *l);
/* l->in: dy, weights, and where it is a transposed convolution its bias. */
fv_status fv__conv_lower_dx(fv_lower *l);
fv_status fv__conv_lower_dw(fv_lower *l);
/* The same while a block of x and dy is warm: for sequences, whose layers follow each other. */
fv_status fv__conv_lower_dw_by_block(fv_lower *l);
fv_status fv__conv_lower_dw_blocks(fv_lower *l, const fv_conv_task *task);
fv_status fv__conv_lower_winograd_dw(fv_lower *l, const fv_conv_task *task);

#endif
