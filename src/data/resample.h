/* resample.h - planes of bytes at another size, and colours to gray and back. */
#ifndef FV_DATA_RESAMPLE_H
#define FV_DATA_RESAMPLE_H

#include "io/image.h"

/* A part of a picture, in pixels: from (y, x), h high and w wide. */
typedef struct fv_box {
    double y, x, h, w;
} fv_box;

/* `box` of each plane of from[size.c][size.h][size.w] becomes the window of h x w values at `to` in planes of
 * to_size. Separable, by a triangle as wide as two pixels of the coarser side: bilinear where it grows,
 * averaging where it shrinks. The result is PIL's (Image.resize, BILINEAR, box=). */
fv_status fv__resample(fv_context *ctx, const uint8_t *from, const fv_image_size *size, const fv_box *box,
                       uint8_t *to, const fv_image_size *to_size, int h, int w);

/* [3][n] to [n] by the weights of ITU-R 601 (0.299, 0.587, 0.114), as PIL's convert("L"). In place is fine.
 */
void fv__gray_of_rgb(const uint8_t *rgb, size_t n, uint8_t *gray);

#endif
