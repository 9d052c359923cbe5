/* image.h - one picture in a PNG or PGM file, as 8-bit planes [c][h][w]. */
#ifndef FV_IO_IMAGE_H
#define FV_IO_IMAGE_H

#include "base/context.h"

/* Loads a picture of exactly c x h x w (c: 1 gray, 3 red green blue) into pixels. The kind is told by the
 * content. A coloured PNG is taken as gray if every pixel is gray; transparency is composited on black;
 * 16 bits and other ranges are scaled to 0..255. */
fv_status fv__image_read(fv_context *ctx, const char *path, int c, int h, int w, uint8_t *pixels);

/* A gray picture, atomically. PNG needs libpng: else FV_ERR_UNSUPPORTED. */
fv_status fv__image_write_pgm(fv_context *ctx, const char *path, const uint8_t *pixels, int h, int w);
fv_status fv__image_write_png(fv_context *ctx, const char *path, const uint8_t *pixels, int h, int w);

#endif
