/* png.c - PNG pictures, read and written by libpng. */
#include "io/image.h"

#include "io/file.h"

#include <string.h>
#ifdef FV_HAVE_PNG
#include <png.h>
#endif

#define MAX_DEFLATE_RATIO 1032 /* deflate cannot do better */

static bool is_png(const uint8_t *bytes, size_t n)
{
    static const uint8_t magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    return n >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

#ifdef FV_HAVE_PNG

/* libpng stops at the last pixel; what a whole file ends with is looked at here. */
static fv_status begin(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, png_image *image)
{
    static const uint8_t end[12] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
    if (n < sizeof end || memcmp(bytes + n - sizeof end, end, sizeof end) != 0)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %zu: expected the PNG to end with an IEND chunk", path,
                        n);
    *image = (png_image){.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(image, bytes, n))
        return fv__fail(ctx, FV_ERR_INPUT, "%s: the PNG is damaged: %s", path, image->message);
    return FV_OK;
}

static fv_status measure(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, uint64_t chw[3],
                         uint64_t *least)
{
    static const uint8_t samples[8] = {1, 0, 3, 1, 2, 0, 4, 0}; /* by the colour type */
    png_image image;
    FV_TRY(begin(ctx, path, bytes, n, &image));
    chw[0] = image.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1;
    chw[1] = image.height;
    chw[2] = image.width;
    png_image_free(&image);
    /* IHDR is first and whole, or libpng had failed: depth at byte 24, colour type at 25. */
    const uint64_t bits = (uint64_t)bytes[24] * samples[bytes[25] & 7];
    *least = chw[1] * ((chw[2] * bits + 7) / 8 + 1) / MAX_DEFLATE_RATIO;
    return FV_OK;
}

/* From [h][w][s] (gray or red, green, blue; then alpha) to [c][h][w] on black. */
static void take_planes(const uint8_t *from, int s, const fv_image_size *size, uint8_t *pixels)
{
    const size_t n = (size_t)size->h * (size_t)size->w;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = from + (size_t)s * i;
        const int alpha = s > size->c ? p[size->c] : 255;
        for (int k = 0; k < size->c; k++)
            pixels[(size_t)k * n + i] = (uint8_t)((p[k] * alpha + 127) / 255);
    }
}

static fv_status finish(fv_context *ctx, const char *path, png_image *image, const fv_image_size *size,
                        uint8_t *pixels)
{
    const uint32_t kind = image->format & (PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA);
    const int s = (kind & PNG_FORMAT_FLAG_COLOR ? 3 : 1) + (kind & PNG_FORMAT_FLAG_ALPHA ? 1 : 0);
    uint8_t *const values = fv__alloc(ctx, (size_t)size->h * (size_t)size->w, (size_t)s);
    if (!values)
        return fv__memory_for(ctx, FV_ERR_MEMORY, path);
    image->format = kind;
    image->flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* 16 bits mean what 8 bits mean, only finer */
    fv_status status = FV_OK;
    if (png_image_finish_read(image, NULL, values, 0, NULL))
        take_planes(values, s, size, pixels);
    else
        status = fv__fail(ctx, FV_ERR_INPUT, "%s: the PNG is damaged: %s", path, image->message);
    fv__free(ctx, values);
    return status;
}

static fv_status decode(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                        const fv_image_size *size, uint8_t *pixels)
{
    png_image image;
    FV_TRY(begin(ctx, path, bytes, n, &image));
    const fv_status status = finish(ctx, path, &image, size, pixels);
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

static fv_status measure(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, uint64_t chw[3],
                         uint64_t *least)
{
    (void)bytes, (void)n, (void)chw, (void)least;
    return fv__fail(ctx, FV_ERR_UNSUPPORTED,
                    "%s: is a PNG, and this build has no libpng: convert it to PGM, or build with libpng",
                    path);
}

static fv_status decode(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                        const fv_image_size *size, uint8_t *pixels)
{
    uint64_t chw[3], least;
    (void)size, (void)pixels;
    return measure(ctx, path, bytes, n, chw, &least);
}

fv_status fv__image_write_png(fv_context *ctx, const char *path, const uint8_t *pixels, int h, int w)
{
    (void)pixels, (void)h, (void)w;
    return fv__fail(ctx, FV_ERR_UNSUPPORTED, "%s: cannot write a PNG: this build has no libpng", path);
}

#endif

const fv_image_format fv__image_png = {"PNG", {".png", NULL}, is_png, measure, decode};
