/* map_args.h - part of args.h: what the kernels of map.inc are given. */
#ifndef FV_KERNELS_MAP_ARGS_H
#define FV_KERNELS_MAP_ARGS_H

#include "kernels/settings.h"
#include "tensor/shape.h"

#include <stdbool.h>
#include <stdint.h>

/* Adjacent values of y, and their positions in x. A position of -1 means the constant value (copies), or
 * a list of positions (sums). */
typedef struct fv_map_run {
    int to, from, n;
    int step; /* copies: distance in x from one value to the next, in values */
} fv_map_run;

#define FV_CONCAT_LAYERS 7 /* the most operands of a kernel, less its output */

/* n inputs, and the number of values of each. */
typedef struct fv_concat_args {
    int n;
    int64_t values[FV_CONCAT_LAYERS];
} fv_concat_args;

/* The mean over n of [outer][n][inner]. */
typedef struct fv_mean_args {
    int64_t outer, inner;
    int n;
} fv_mean_args;

/* For each index of an axis of y, the index in x; -1: the constant value. */
typedef struct fv_map_axis {
    int n;
    const int *from; /* [n] */
} fv_map_axis;

/* Lines of y, each made of the same runs of x, which begin where the outer axes say. */
typedef struct fv_map_args {
    int n_axes;
    fv_map_axis axis[FV_MAX_RANK];
    int64_t lines, line; /* the number of lines, and the values of one line */
    int n_runs;
    const fv_map_run *run;
    float value; /* of the constant */
} fv_map_args;

/* y[i] = sum over k from first[i] to first[i + 1] - 1 of x[index[k]] * weight[k]; y has n indices, x has
 * m. */
typedef struct fv_sum_axis {
    int n, m;
    const int *first, *index;
    const float *weight;
} fv_sum_axis;

/* Sums along three axes of [outer][][][]. A run covers indices of the innermost axis that sum one value
 * each. */
typedef struct fv_sum_args {
    int64_t outer;
    fv_sum_axis at[3];
    int n_runs;
    const fv_map_run *run;
} fv_sum_args;

#endif
