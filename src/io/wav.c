/* wav.c - sound in a WAV file ("Multimedia Programming Interface and Data Specifications 1.0", IBM and
 * Microsoft, 1991): "RIFF", a length, "WAVE", then chunks of a name, a length and bytes: "fmt " says what
 * "data" holds. */
#include "io/wav.h"

#include <string.h>

enum { PCM = 1, IEEE_FLOAT = 3, EXTENSIBLE = 0xfffe };

static uint32_t little(const uint8_t *p, int n)
{
    uint32_t value = 0;
    for (int i = 0; i < n; i++)
        value |= (uint32_t)p[i] << 8 * i;
    return value;
}

static fv_status fail(fv_context *ctx, const char *path, size_t at, const char *what)
{
    return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %zu: expected %s", path, at, what);
}

static fv_status read_format(fv_context *ctx, const char *path, const uint8_t *bytes, size_t at, size_t n,
                             fv_wav *out)
{
    const uint8_t *const p = bytes + at;
    if (n < 16)
        return fail(ctx, path, at, "a format of 16 bytes or more");
    uint32_t kind = little(p, 2);
    if (kind == EXTENSIBLE && n >= 26)
        kind = little(p + 24, 2);
    out->channels = (int)little(p + 2, 2);
    out->rate = (int)(little(p + 4, 4) & INT32_MAX);
    out->bits = (int)little(p + 14, 2);
    out->is_float = kind == IEEE_FLOAT;
    const int bits = out->bits;
    const bool whole = kind == PCM && (bits == 8 || bits == 16 || bits == 24 || bits == 32);
    const bool real = kind == IEEE_FLOAT && (bits == 32 || bits == 64);
    if (!whole && !real)
        return fv__fail(
            ctx, FV_ERR_INPUT,
            "%s: expected PCM of 8, 16, 24 or 32 bits or floats of 32 or 64 bits, found format %u of %d "
            "bits",
            path, kind, bits);
    if (out->channels < 1 || little(p + 12, 2) != (uint32_t)(out->channels * bits / 8))
        return fail(ctx, path, at, "one channel or more, and samples without gaps");
    return FV_OK;
}

fv_status fv__wav_parse(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, fv_wav *out)
{
    *out = (fv_wav){0};
    if (n < 12 || memcmp(bytes, "RIFF", 4) != 0 || memcmp(bytes + 8, "WAVE", 4) != 0)
        return fail(ctx, path, 0, "a WAV file (\"RIFF\" and \"WAVE\"), found something else");
    for (size_t at = 12; at + 8 <= n;) {
        const size_t length = little(bytes + at + 4, 4), room = n - at - 8;
        if (length > room)
            return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %zu: cut short: expected %zu bytes, found %zu", path,
                            at + 8, length, room);
        if (memcmp(bytes + at, "fmt ", 4) == 0)
            FV_TRY(read_format(ctx, path, bytes, at + 8, length, out));
        if (memcmp(bytes + at, "data", 4) == 0) {
            const size_t one = (size_t)out->channels * (size_t)out->bits / 8;
            if (one == 0)
                return fail(ctx, path, at, "a format before the samples");
            out->bytes = bytes + at + 8;
            out->n = length / one;
            return length % one == 0 && out->n > 0 ? FV_OK : fail(ctx, path, at + 4, "whole samples");
        }
        at += 8 + length + (length & 1);
    }
    return fail(ctx, path, n, "samples (\"data\"), found the end of the file");
}

static double value_at(const fv_wav *wav, const uint8_t *p)
{
    if (wav->is_float && wav->bits == 32) {
        const uint32_t bits = little(p, 4);
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    }
    if (wav->is_float) {
        const uint64_t bits = (uint64_t)little(p, 4) | (uint64_t)little(p + 4, 4) << 32;
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    if (wav->bits == 8) /* without a sign */
        return ((double)p[0] - 128) / 128;
    const int bytes = wav->bits / 8;
    const uint32_t high = little(p, bytes) << (32 - wav->bits);
    return (double)(int32_t)high / 2147483648.0;
}

float fv__wav_value(const fv_wav *wav, size_t index)
{
    const size_t bytes = (size_t)wav->bits / 8;
    double sum = 0;
    for (int k = 0; k < wav->channels; k++)
        sum += value_at(wav, wav->bytes + (index * (size_t)wav->channels + (size_t)k) * bytes);
    return (float)(sum / wav->channels);
}
