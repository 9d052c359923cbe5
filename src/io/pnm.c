/* pnm.c - PGM and PPM pictures (Netpbm): P2 and P3 are text, P5 and P6 bytes; P3 and P6 are coloured. */
#include "io/image.h"

typedef struct pnm {
    fv_context *ctx;
    const char *path;
    const uint8_t *bytes;
    size_t n, at;
} pnm;

static bool is_pnm(const uint8_t *bytes, size_t n)
{
    return n >= 2 && bytes[0] == 'P' &&
           (bytes[1] == '2' || bytes[1] == '3' || bytes[1] == '5' || bytes[1] == '6');
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_space(pnm *f)
{
    while (f->at < f->n && (is_space(f->bytes[f->at]) || f->bytes[f->at] == '#')) {
        if (f->bytes[f->at] == '#')
            while (f->at < f->n && f->bytes[f->at] != '\n')
                f->at++;
        else
            f->at++;
    }
}

static fv_status read_number(pnm *f, const char *what, uint32_t max, uint32_t *out)
{
    skip_space(f);
    const size_t start = f->at;
    uint32_t value = 0;
    while (f->at < f->n && f->bytes[f->at] >= '0' && f->bytes[f->at] <= '9' && value <= max)
        value = value * 10 + (uint32_t)(f->bytes[f->at++] - '0');
    if (f->at == start)
        return fv__fail(f->ctx, FV_ERR_INPUT, "%s: byte %zu: expected %s, found %s", f->path, start, what,
                        start < f->n ? "something else" : "the end of the file");
    if (value > max)
        return fv__fail(f->ctx, FV_ERR_INPUT, "%s: byte %zu: expected %s of at most %u, found more", f->path,
                        start, what, max);
    *out = value;
    return FV_OK;
}

/* As far as the largest value. */
static fv_status read_header(pnm *f, uint32_t *width, uint32_t *height, uint32_t *max)
{
    FV_TRY(read_number(f, "the width", 1u << 24, width));
    FV_TRY(read_number(f, "the height", 1u << 24, height));
    FV_TRY(read_number(f, "the largest value", 65535, max));
    if (*max == 0)
        return fv__fail(f->ctx, FV_ERR_INPUT, "%s: expected a largest value of 1 to 65535, found 0", f->path);
    return FV_OK;
}

static bool is_coloured(const uint8_t *bytes)
{
    return bytes[1] == '3' || bytes[1] == '6';
}

static fv_status measure(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, uint64_t chw[3],
                         uint64_t *least)
{
    pnm f = {ctx, path, bytes, n, 2};
    uint32_t width, height, max;
    FV_TRY(read_header(&f, &width, &height, &max));
    chw[0] = is_coloured(bytes) ? 3 : 1;
    chw[1] = height;
    chw[2] = width;
    *least = 0; /* decode counts exactly */
    return FV_OK;
}

static uint8_t to_byte(uint32_t value, uint32_t max)
{
    return (uint8_t)((value * 255u + max / 2) / max);
}

static fv_status read_value(pnm *f, bool text, uint32_t max, uint32_t *value)
{
    if (text)
        return read_number(f, "a pixel", max, value);
    *value = f->bytes[f->at];
    if (max > 255)
        *value = *value << 8 | f->bytes[f->at + 1];
    if (*value > max)
        return fv__fail(f->ctx, FV_ERR_INPUT, "%s: byte %zu: expected a pixel of at most %u, found %u",
                        f->path, f->at, max, *value);
    f->at += max > 255 ? 2 : 1;
    return FV_OK;
}

static fv_status decode(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                        const fv_image_size *size, uint8_t *pixels)
{
    pnm f = {ctx, path, bytes, n, 2};
    uint32_t width, height, max, value;
    const bool text = bytes[1] == '2' || bytes[1] == '3';
    const size_t plane = (size_t)size->h * (size_t)size->w, c = (size_t)size->c;
    FV_TRY(read_header(&f, &width, &height, &max));
    /* One white space ends the header; a text value takes at least a digit and a space between. */
    if (f.at >= n || !is_space(bytes[f.at]))
        return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %zu: expected white space after the largest value", path,
                        f.at);
    f.at++;
    const size_t expected = plane * c * (max > 255 ? 2 : 1);
    if (!text && n - f.at != expected)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %zu: expected %zu bytes of pixels, found %zu", path,
                        f.at, expected, n - f.at);
    for (size_t i = 0; i < plane * c; i++) {
        FV_TRY(read_value(&f, text, max, &value));
        pixels[i % c * plane + i / c] = to_byte(value, max);
    }
    skip_space(&f);
    if (text && f.at < n)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %zu: expected the end of the file after %zu pixels",
                        path, f.at, plane * c);
    return FV_OK;
}

const fv_image_format fv__image_pnm = {"PGM or PPM", {".pgm", ".ppm", ".pnm", NULL}, is_pnm, measure, decode};
