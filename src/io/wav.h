/* wav.h - sound in a WAV file, as floats in -1..1. */
#ifndef FV_IO_WAV_H
#define FV_IO_WAV_H

#include "base/context.h"

typedef struct fv_wav {
    int rate; /* samples a second */
    int channels, bits;
    bool is_float;        /* else whole numbers */
    size_t n;             /* samples of each channel */
    const uint8_t *bytes; /* of the samples; borrowed */
} fv_wav;

/* The header of a file's bytes. FV_ERR_INPUT for what is not PCM of 8, 16, 24 or 32 bits or floats of 32
 * or 64. */
fv_status fv__wav_parse(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, fv_wav *out);
/* The mean of the channels of sample `index`. */
float fv__wav_value(const fv_wav *wav, size_t index);

#endif
