/* files.h - pictures that are files: those that fit in memory are kept as bytes, others are decoded whenever
 * a batch needs them. */
#ifndef FV_DATA_FILES_H
#define FV_DATA_FILES_H

#include "base/locals.h"
#include "data/dataset.h"
#include "data/picture.h"

/* One of them. */
typedef struct fv_file {
    const char *path;
    int label;
    fv_stamp stamp;
    fv_image_size found; /* its own size */
    uint64_t digest;     /* of its pixels, as they are given */
} fv_file;

typedef fv_status (*fv_file_fn)(fv_context *ctx, const char *path, const fv_wanted *wanted, fv_stamp *stamp,
                                bool again, fv_image_size *found, uint8_t *pixels);

struct fv_files {
    fv_context *ctx;
    fv_arena arena; /* paths */
    fv_file *file;  /* [n] */
    int n;
    fv_wanted wanted;
    fv_file_fn read; /* fv__picture_read: who only holds data sets need not link the decoders */
    fv_locals *locals;
    uint64_t *sum, *square; /* [n][c]: of each channel's bytes */
    uint8_t *one;           /* the picture that fv__files_one decoded last */
    char **skipped;         /* [n_skipped]: messages about files left out; of the arena */
    int n_skipped;
};

/* Empty, for files that are added with their paths in the arena. */
fv_status fv__files_create(fv_context *ctx, const fv_wanted *wanted, fv_file_fn read, fv_files **out);
void fv__files_destroy(fv_files *files); /* NULL is fine */

/* Reads every file once, in parallel: checks it, notes its digest and sums, and keeps its pixels where they
 * fit `cache_bytes`. With `skip`, files that cannot be read are left out, else the first of them is the
 * failure. *pixels is a block with the first *n_held pictures. */
fv_status fv__files_load(fv_files *files, bool skip, size_t cache_bytes, uint8_t **pixels, int *n_held);

/* Pictures which[0..n-1] into to[0..n-1], in parallel; to[i] NULL: not wanted. */
fv_status fv__files_read(fv_files *files, const uint32_t *which, int n, uint8_t *const *to);
/* Tells the system that these are read soon. */
void fv__files_announce(const fv_files *files, const uint32_t *which, int n);
/* One picture, valid until the next call; NULL: it cannot be read any more, and the message says why. */
const uint8_t *fv__files_one(fv_files *files, int index);

#endif
