/* picture.h - a picture of any size and colour, brought to the size that a model wants. */
#ifndef FV_DATA_PICTURE_H
#define FV_DATA_PICTURE_H

#include "data/data_words.h"
#include "io/image.h"

/* What is wanted of a picture. */
typedef struct fv_wanted {
    fv_image_size size; /* c, h and w 0: as the picture is */
    fv_fit fit;
    bool invert; /* 255 - value, at last */
    bool exact;  /* a picture of another size is an error */
} fv_wanted;

/* from[size] becomes to[wanted->size], which has no zeros. */
fv_status fv__picture_fit(fv_context *ctx, const uint8_t *from, const fv_image_size *size,
                          const fv_wanted *wanted, uint8_t *to);

/* A file as it was when it was first read. */
typedef struct fv_stamp {
    int64_t bytes, seconds, nanoseconds;
} fv_stamp;
/* Of an open file. */
fv_status fv__stamp_of(fv_context *ctx, int fd, const char *path, fv_stamp *out);
fv_status fv__stamp_check(fv_context *ctx, const char *path, const fv_stamp *then, const fv_stamp *now);

/* A file of `wanted`, which has no zeros, into pixels: *found is its own size. stamp: where `again` is false
 * it is set, else the file has to be what it was: FV_ERR_INPUT. */
fv_status fv__picture_read(fv_context *ctx, const char *path, const fv_wanted *wanted, fv_stamp *stamp,
                           bool again, fv_image_size *found, uint8_t *pixels);
/* The size of the picture in a file. */
fv_status fv__picture_measure(fv_context *ctx, const char *path, fv_image_size *out);

/* "RGB to gray, resized from 640x480 to 28x28 (crop)"; "" where nothing is done. */
#define FV_DONE_TEXT 160
const char *fv__picture_done(const fv_image_size *found, const fv_wanted *wanted, char text[FV_DONE_TEXT]);

#endif
