/* idx.h - the IDX files of MNIST: unsigned bytes, raw or gzipped (by content, not by name). */
#ifndef FV_IO_IDX_H
#define FV_IO_IDX_H

#include "base/context.h"

/* Reads `rank` dimensions (1: labels, 3: images) and their bytes, in a block released with fv__free. */
fv_status fv__idx_read(fv_context *ctx, const char *path, int rank, int *dim, uint8_t **out);

#endif
