/* image.h - one picture in a file, as 8-bit planes [c][h][w]: PNG, JPEG, PGM or PPM, told by the content. */
#ifndef FV_IO_IMAGE_H
#define FV_IO_IMAGE_H

#include "base/context.h"

#define FV_MAX_IMAGE_FILE_BYTES ((size_t)1 << 28)
#define FV_MAX_IMAGE_PIXELS     ((size_t)1 << 28)

typedef struct fv_image_size {
    int c, h, w; /* c: 1 gray, 3 red green blue */
} fv_image_size;

/* The size that the header states. FV_ERR_INPUT where the bytes are of no format known here, or where the
 * picture would have more pixels than FV_MAX_IMAGE_PIXELS, or than a file of n bytes can hold. */
fv_status fv__image_measure(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                            fv_image_size *out);
/* Into pixels of the size measured. Transparency is composited on black; 16 bits and other ranges are scaled
 * to 0..255. */
fv_status fv__image_decode(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                           const fv_image_size *size, uint8_t *pixels);
/* Whether a file of that name is taken for a picture: ".jpg", ".PNG". */
bool fv__image_named(const char *name);

/* Loads a picture of exactly c x h x w. A coloured picture is taken as gray if every pixel is gray. */
fv_status fv__image_read(fv_context *ctx, const char *path, int c, int h, int w, uint8_t *pixels);

/* A gray picture, atomically. PNG needs libpng: else FV_ERR_UNSUPPORTED. */
fv_status fv__image_write_pgm(fv_context *ctx, const char *path, const uint8_t *pixels, int h, int w);
fv_status fv__image_write_png(fv_context *ctx, const char *path, const uint8_t *pixels, int h, int w);

/* ---- the formats: each is a row of its own file ------------------------------------------------------ */

typedef struct fv_image_format {
    const char *name;
    const char *endings[5]; /* of file names, in lower case, NULL behind the last */
    bool (*is)(const uint8_t *bytes, size_t n);
    /* The size as the header has it: as large as it likes. *least: fewer bytes cannot hold that picture. */
    fv_status (*measure)(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, uint64_t chw[3],
                         uint64_t *least);
    fv_status (*decode)(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                        const fv_image_size *size, uint8_t *pixels);
} fv_image_format;
extern const fv_image_format fv__image_png, fv__image_jpeg, fv__image_pnm;

#endif
