/* idx.h - the IDX files of MNIST: unsigned bytes, raw or gzipped (by content, not by name). */
#ifndef FV_IO_IDX_H
#define FV_IO_IDX_H

#include "base/context.h"

/* Reads `rank` dimensions (1: labels, 3: images) and their bytes, in a block released with fv__free. */
fv_status fv__idx_read(fv_context *ctx, const char *path, int rank, int *dim, uint8_t **out);

/* The same, part by part, so that nothing need be read that is not wanted:
 *     open             reads the header; `path` is borrowed until close
 *     take, skip ...   the values, in their order
 *     finish           where all of them were taken or skipped: nothing follows, and gzip's checksum is
 * right. Damage behind the last value that is taken is noticed by this alone. close            at any time;
 * NULL is fine Memory follows what the file turns out to hold, never what its header claims. */
typedef struct fv_idx fv_idx;
typedef struct fv_idx_values {
    uint8_t *bytes; /* a block for fv__free, also after a failure; NULL before the first take */
    size_t n, capacity;
    size_t most; /* the most that is accepted in all: more memory is never allocated */
} fv_idx_values;
fv_status fv__idx_open(fv_context *ctx, const char *path, int rank, int *dim, fv_idx **out);
fv_status fv__idx_take(fv_idx *idx, size_t n, fv_idx_values *values);
fv_status fv__idx_skip(fv_idx *idx, size_t n);
fv_status fv__idx_finish(fv_idx *idx);
void fv__idx_close(fv_idx *idx);

#endif
