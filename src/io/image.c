/* image.c - one picture in a PNG (libpng) or PGM file (Netpbm: P2 is text, P5 bytes).
 *
 * The caller states the size of the picture; a picture of another size is refused before memory for its
 * pixels is allocated. */
#include "io/image.h"

#include "io/file.h"

#include <stdio.h>
#include <string.h>
#ifdef FV_HAVE_PNG
#include <png.h>
#endif

#define MAX_IMAGE_FILE_BYTES ((size_t)1 << 28)

static fv_status check_size(fv_context *ctx, const char *path, int c, int h, int w, uint64_t found_c,
                            uint64_t found_h, uint64_t found_w)
{
    if (found_c == (uint64_t)c && found_h == (uint64_t)h && found_w == (uint64_t)w)
        return FV_OK;
    return fv__fail(ctx, FV_ERR_INPUT,
                    "%s: expected a picture of %dx%dx%d (channels, height, width), found %llux%llux%llu",
                    path, c, h, w, (unsigned long long)found_c, (unsigned long long)found_h,
                    (unsigned long long)found_w);
}

/* ---- PGM ------------------------------------------------------------------------------------------ */

typedef struct pgm {
    fv_context *ctx;
    const char *path;
    const uint8_t *bytes;
    size_t n, at;
} pgm;

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_space(pgm *f)
{
    while (f->at < f->n && (is_space(f->bytes[f->at]) || f->bytes[f->at] == '#')) {
        if (f->bytes[f->at] == '#')
            while (f->at < f->n && f->bytes[f->at] != '\n')
                f->at++;
        else
            f->at++;
    }
}

static fv_status read_number(pgm *f, const char *what, uint32_t max, uint32_t *out)
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

static uint8_t to_byte(uint32_t value, uint32_t max)
{
    return (uint8_t)((value * 255u + max / 2) / max);
}

static fv_status read_pgm_values(pgm *f, bool text, uint32_t max, size_t n_values, uint8_t *pixels)
{
    const size_t width = max > 255 ? 2 : 1;
    /* One white space ends the header; each text value takes at least a digit and a space. */
    if (f->at >= f->n || !is_space(f->bytes[f->at]))
        return fv__fail(f->ctx, FV_ERR_INPUT, "%s: byte %zu: expected white space after the largest value",
                        f->path, f->at);
    f->at++;
    if (!text && f->n - f->at != n_values * width)
        return fv__fail(f->ctx, FV_ERR_INPUT, "%s: byte %zu: expected %zu bytes of pixels, found %zu",
                        f->path, f->at, n_values * width, f->n - f->at);
    for (size_t i = 0; i < n_values; i++) {
        uint32_t value;
        if (text) {
            FV_TRY(read_number(f, "a pixel", max, &value));
        } else {
            value = f->bytes[f->at];
            if (width == 2)
                value = value << 8 | f->bytes[f->at + 1];
            if (value > max)
                return fv__fail(f->ctx, FV_ERR_INPUT,
                                "%s: byte %zu: expected a pixel of at most %u, found %u", f->path, f->at, max,
                                value);
            f->at += width;
        }
        pixels[i] = to_byte(value, max);
    }
    skip_space(f);
    if (text && f->at < f->n)
        return fv__fail(f->ctx, FV_ERR_INPUT, "%s: byte %zu: expected the end of the file after %zu pixels",
                        f->path, f->at, n_values);
    return FV_OK;
}

static fv_status read_pgm(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, int c, int h,
                          int w, uint8_t *pixels)
{
    pgm f = {ctx, path, bytes, n, 2};
    uint32_t width, height, max;
    FV_TRY(read_number(&f, "the width", 1u << 24, &width));
    FV_TRY(read_number(&f, "the height", 1u << 24, &height));
    FV_TRY(read_number(&f, "the largest value", 65535, &max));
    if (max == 0)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected a largest value of 1 to 65535, found 0", path);
    FV_TRY(check_size(ctx, path, c, h, w, 1, height, width));
    return read_pgm_values(&f, bytes[1] == '2', max, (size_t)h * (size_t)w, pixels);
}

/* ---- PNG ------------------------------------------------------------------------------------------ */

#ifdef FV_HAVE_PNG

/* Converts [h][w][4] (red, green, blue, alpha) to [c][h][w], on black. */
static fv_status take_planes(fv_context *ctx, const char *path, const uint8_t *rgba, int c, int h, int w,
                             uint8_t *pixels)
{
    const size_t n = (size_t)h * (size_t)w;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = rgba + 4 * i;
        if (c == 1 && (p[0] != p[1] || p[0] != p[2]))
            return fv__fail(ctx, FV_ERR_INPUT,
                            "%s: row %zu, column %zu: expected a gray picture, found the colour %d %d %d",
                            path, i / (size_t)w, i % (size_t)w, p[0], p[1], p[2]);
        for (int k = 0; k < c; k++)
            pixels[(size_t)k * n + i] = (uint8_t)((p[k] * p[3] + 127) / 255);
    }
    return FV_OK;
}

static fv_status decode_png(fv_context *ctx, const char *path, png_image *image, int c, int h, int w,
                            uint8_t *pixels)
{
    /* Whether a colour file contains a gray picture is decided by its pixels, after its size has been
     * checked. */
    const bool fits = image->height == (uint32_t)h && image->width == (uint32_t)w;
    const bool coloured = (image->format & PNG_FORMAT_FLAG_COLOR) != 0 && !(c == 1 && fits);
    FV_TRY(check_size(ctx, path, c, h, w, coloured ? 3 : 1, image->height, image->width));
    size_t n;
    if (!fv__mul((size_t)h, (size_t)w, &n) || n > (1u << 28))
        return fv__fail(ctx, FV_ERR_INPUT, "%s: the picture is too large", path);
    uint8_t *rgba = fv__alloc(ctx, n, 4);
    if (!rgba)
        return fv__memory_for(ctx, FV_ERR_MEMORY, path);
    image->format = PNG_FORMAT_RGBA;
    image->flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* 16 bits mean what 8 bits mean, with more precision */
    fv_status status;
    if (!png_image_finish_read(image, NULL, rgba, 0, NULL))
        status = fv__fail(ctx, FV_ERR_INPUT, "%s: the PNG is damaged: %s", path, image->message);
    else
        status = take_planes(ctx, path, rgba, c, h, w, pixels);
    fv__free(ctx, rgba);
    return status;
}

static fv_status read_png(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, int c, int h,
                          int w, uint8_t *pixels)
{
    /* libpng stops at the last pixel; this checks the end of a complete file. */
    static const uint8_t end[12] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
    if (n < sizeof end || memcmp(bytes + n - sizeof end, end, sizeof end) != 0)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %zu: expected the PNG to end with an IEND chunk", path,
                        n);
    png_image image = {.version = PNG_IMAGE_VERSION};
    fv_status status;
    if (!png_image_begin_read_from_memory(&image, bytes, n))
        status = fv__fail(ctx, FV_ERR_INPUT, "%s: the PNG is damaged: %s", path, image.message);
    else
        status = decode_png(ctx, path, &image, c, h, w, pixels);
    png_image_free(&image);
    return status;
}

fv_status fv__image_write_png(fv_context *ctx, const char *path, const uint8_t *pixels, int h, int w)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = (uint32_t)w, .height = (uint32_t)h, .format = PNG_FORMAT_GRAY};
    png_alloc_size_t n = PNG_IMAGE_PNG_SIZE_MAX(image);
    uint8_t *bytes = fv__alloc(ctx, n, 1);
    if (!bytes)
        return fv__memory_for(ctx, FV_ERR_MEMORY, path);
    fv_status status;
    if (!png_image_write_to_memory(&image, bytes, &n, 0, pixels, 0, NULL))
        status = fv__fail(ctx, FV_ERR_IO, "%s: cannot make a PNG: %s", path, image.message);
    else
        status = fv__file_write(ctx, path, bytes, n);
    fv__free(ctx, bytes);
    return status;
}

#else

static fv_status read_png(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, int c, int h,
                          int w, uint8_t *pixels)
{
    (void)bytes, (void)n, (void)c, (void)h, (void)w, (void)pixels;
    return fv__fail(ctx, FV_ERR_UNSUPPORTED,
                    "%s: is a PNG, and this build has no libpng: convert it to PGM, or build with libpng",
                    path);
}

fv_status fv__image_write_png(fv_context *ctx, const char *path, const uint8_t *pixels, int h, int w)
{
    (void)pixels, (void)h, (void)w;
    return fv__fail(ctx, FV_ERR_UNSUPPORTED, "%s: cannot write a PNG: this build has no libpng", path);
}

#endif

/* ---- both ----------------------------------------------------------------------------------------- */

fv_status fv__image_read(fv_context *ctx, const char *path, int c, int h, int w, uint8_t *pixels)
{
    if ((c != 1 && c != 3) || h <= 0 || w <= 0)
        return fv__fail(ctx, FV_ERR_ARGUMENT,
                        "%s: pictures have 1 or 3 channels and a positive size; %dx%dx%d was asked for", path,
                        c, h, w);
    uint8_t *bytes;
    size_t n;
    FV_TRY(fv__file_read(ctx, path, MAX_IMAGE_FILE_BYTES, &bytes, &n));
    static const uint8_t png_magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    fv_status status;
    if (n >= sizeof png_magic && memcmp(bytes, png_magic, sizeof png_magic) == 0)
        status = read_png(ctx, path, bytes, n, c, h, w, pixels);
    else if (n >= 2 && bytes[0] == 'P' && (bytes[1] == '2' || bytes[1] == '5'))
        status = read_pgm(ctx, path, bytes, n, c, h, w, pixels);
    else
        status = fv__fail(ctx, FV_ERR_INPUT,
                          "%s: byte 0: expected a PNG or a PGM (P2, P5) picture, found neither", path);
    fv__free(ctx, bytes);
    return status;
}

fv_status fv__image_write_pgm(fv_context *ctx, const char *path, const uint8_t *pixels, int h, int w)
{
    char header[64];
    const int n = snprintf(header, sizeof header, "P5\n%d %d\n255\n", w, h);
    fv_writer writer;
    FV_TRY(fv__writer_open(&writer, ctx, path));
    FV_TRY(fv__writer_add(&writer, header, (size_t)n));
    FV_TRY(fv__writer_add(&writer, pixels, (size_t)h * (size_t)w));
    return fv__writer_commit(&writer);
}
