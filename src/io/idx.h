/* idx.h - the IDX files of MNIST: unsigned bytes, raw or gzipped (by content, not by name). */
#ifndef FV_IO_IDX_H
#define FV_IO_IDX_H

#include "base/context.h"

/* Reads `rank` dimensions (1: labels, 3: images, 4: colour images) and their bytes, in a block released with
 * fv__free. */
fv_status fv__idx_read(fv_context *ctx, const char *path, int rank, int *dim, uint8_t **out);

/* The same in parts, so that a caller reads only what it needs:
 *     open             reads the header; `path` is borrowed until close
 *     take, skip ...   the values, in order
 *     finish           after all values: checks that the file ends here, and gzip's checksum. Only finish
 *                      detects damage behind the last value that was taken.
 *     close            at any time; NULL does nothing
 * The memory used depends on the contents of the file, never on the claims of its header. */
typedef struct fv_idx fv_idx;
typedef struct fv_idx_values {
    uint8_t *bytes; /* released with fv__free, also after a failure; NULL before the first take */
    size_t n, capacity;
    size_t most; /* the most values that are accepted in all; more memory is never allocated */
} fv_idx_values;
fv_status fv__idx_open(fv_context *ctx, const char *path, int rank, int *dim, fv_idx **out);
fv_status fv__idx_take(fv_idx *idx, size_t n, fv_idx_values *values);
fv_status fv__idx_skip(fv_idx *idx, size_t n);
fv_status fv__idx_finish(fv_idx *idx);
void fv__idx_close(fv_idx *idx);

#endif
