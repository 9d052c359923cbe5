/* npy.h - NumPy's arrays in files: .npy, and .npz, which is a zip of them. */
#ifndef FV_IO_NPY_H
#define FV_IO_NPY_H

#include "base/context.h"

#define FV_NPY_MAX_RANK 8

typedef struct fv_npy {
    char kind; /* 'u', 'i', 'b' (bool) or 'f' */
    int size;  /* bytes of a value: 1, 2, 4 or 8 */
    bool big;  /* big-endian */
    int rank;
    int64_t dim[FV_NPY_MAX_RANK];
    size_t n;             /* values */
    const uint8_t *bytes; /* of the values, maybe unaligned; borrowed */
} fv_npy;

/* The array in bytes[n], which stay the caller's. FV_ERR_INPUT for what is not an array of numbers in C
 * order, or not as long as its shape says. */
fv_status fv__npy_parse(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, fv_npy *out);
double fv__npy_value(const fv_npy *array, size_t index);

/* ---- zip: the files of an archive, stored or deflated (which needs zlib) ------------------------------- */

typedef struct fv_zip_entry {
    const char *name; /* in the arena */
    int method;
    uint64_t at, packed, size; /* of the local header; bytes in the archive, and unpacked */
    uint32_t crc;
} fv_zip_entry;

/* The entries of the archive in bytes[n]. */
fv_status fv__zip_list(fv_arena *arena, const char *path, const uint8_t *bytes, size_t n, fv_zip_entry **out,
                       int *n_entries);
/* An entry's bytes, in a block for fv__free. */
fv_status fv__zip_read(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                       const fv_zip_entry *entry, uint8_t **out);

#endif
