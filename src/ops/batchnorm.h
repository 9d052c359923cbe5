/* batchnorm.h - declarations that the operations of batch normalisation share. */
#ifndef FV_OPS_BATCHNORM_H
#define FV_OPS_BATCHNORM_H

#include "plan/lower.h"
#include "ops/ops.h"

/* The inputs of batchnorm. Inference reads the running statistics; training updates them from the batch. */
enum { BN_X, BN_STATS, BN_GAMMA, BN_BETA, BN_RUNNING_MEAN, BN_RUNNING_VAR, BN_INPUTS };

/* Rows of the batch's statistics [3][c] and of the backward sums [2][c]. */
enum { FV_BATCHNORM_MEAN, FV_BATCHNORM_INV_STD, FV_BATCHNORM_VAR, FV_BATCHNORM_ROWS };
enum { FV_BATCHNORM_DY, FV_BATCHNORM_DY_XHAT, FV_BATCHNORM_SUMS };

/* The attribute of operations that read one row of such a matrix. */
typedef struct fv_row_attrs {
    int row;
} fv_row_attrs;

/* Checks that input `index` has a number per channel, in `rows` rows (0: a vector). */
fv_status fv__batchnorm_expect(const fv_infer *q, int index, int channels, int rows);
fv_plane_args fv__batchnorm_planes(fv_shape x);
/* Appends `kernel`, which reads all inputs and writes `numbers` floats per channel to a slot per block, and
 * `total`, which adds the slots to the node's output. */
fv_status fv__batchnorm_reduce(fv_lower *l, fv_kernel_id kernel, int numbers, fv_kernel_id total,
                               double flops);

#endif
