/* image.c - one picture in a file of any format: which format it is, and that its size is possible, before
 * anything is allocated for its pixels. */
#include "io/image.h"

#include "io/file.h"

#include <stdio.h>
#include <string.h>

static const fv_image_format *const formats[] = {&fv__image_png, &fv__image_jpeg, &fv__image_pnm};

static const fv_image_format *format_of(const uint8_t *bytes, size_t n)
{
    for (int i = 0; i < FV_COUNT(formats); i++)
        if (formats[i]->is(bytes, n))
            return formats[i];
    return NULL;
}

/* Whether `name` ends in `ending`, which is in lower case. */
static bool ends_in(const char *name, const char *ending)
{
    const size_t n = strlen(name), m = strlen(ending);
    for (size_t i = 0; i < m && n > m; i++) {
        const char c = name[n - m + i];
        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != ending[i])
            return false;
    }
    return n > m;
}

bool fv__image_named(const char *name)
{
    for (int i = 0; i < FV_COUNT(formats); i++)
        for (const char *const *ending = formats[i]->endings; *ending; ending++)
            if (ends_in(name, *ending))
                return true;
    return false;
}

fv_status fv__image_measure(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                            fv_image_size *out)
{
    const fv_image_format *const format = format_of(bytes, n);
    uint64_t chw[3], least;
    if (!format)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: byte 0: expected a PNG, JPEG, PGM or PPM picture, found none of them", path);
    FV_TRY(format->measure(ctx, path, bytes, n, chw, &least));
    const uint64_t most = FV_MAX_IMAGE_PIXELS;
    if (chw[1] == 0 || chw[2] == 0 || chw[1] > most || chw[2] > most || chw[1] * chw[2] > most)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: expected a picture of 1 to %zu pixels, found %llux%llu (height, width)", path,
                        FV_MAX_IMAGE_PIXELS, (unsigned long long)chw[1], (unsigned long long)chw[2]);
    if (least > n)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: a picture of %llux%llu (height, width) is claimed, which takes at least %llu "
                        "bytes, found %zu",
                        path, (unsigned long long)chw[1], (unsigned long long)chw[2],
                        (unsigned long long)least, n);
    *out = (fv_image_size){(int)chw[0], (int)chw[1], (int)chw[2]};
    return FV_OK;
}

fv_status fv__image_decode(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                           const fv_image_size *size, uint8_t *pixels)
{
    return format_of(bytes, n)->decode(ctx, path, bytes, n, size, pixels);
}

/* A coloured picture whose every pixel is gray, as one plane. */
static fv_status decode_gray(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                             const fv_image_size *size, uint8_t *pixels)
{
    const size_t plane = (size_t)size->h * (size_t)size->w;
    uint8_t *const rgb = fv__alloc(ctx, plane, 3);
    if (!rgb)
        return fv__memory_for(ctx, FV_ERR_MEMORY, path);
    fv_status status = fv__image_decode(ctx, path, bytes, n, size, rgb);
    for (size_t i = 0; i < plane && status == FV_OK; i++) {
        const uint8_t r = rgb[i], g = rgb[plane + i], b = rgb[2 * plane + i];
        if (r != g || r != b)
            status = fv__fail(ctx, FV_ERR_INPUT,
                              "%s: row %zu, column %zu: expected a gray picture, found the colour %d %d %d",
                              path, i / (size_t)size->w, i % (size_t)size->w, r, g, b);
        pixels[i] = r;
    }
    fv__free(ctx, rgb);
    return status;
}

static fv_status read_bytes(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, int c, int h,
                            int w, uint8_t *pixels)
{
    fv_image_size size;
    FV_TRY(fv__image_measure(ctx, path, bytes, n, &size));
    const bool maybe_gray = c == 1 && size.c == 3 && size.h == h && size.w == w;
    if (!maybe_gray && (size.c != c || size.h != h || size.w != w))
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: expected a picture of %dx%dx%d (channels, height, width), found %dx%dx%d", path,
                        c, h, w, size.c, size.h, size.w);
    return maybe_gray ? decode_gray(ctx, path, bytes, n, &size, pixels)
                      : fv__image_decode(ctx, path, bytes, n, &size, pixels);
}

fv_status fv__image_read(fv_context *ctx, const char *path, int c, int h, int w, uint8_t *pixels)
{
    if ((c != 1 && c != 3) || h <= 0 || w <= 0)
        return fv__fail(ctx, FV_ERR_ARGUMENT,
                        "%s: pictures have 1 or 3 channels and a positive size; %dx%dx%d was asked for", path,
                        c, h, w);
    uint8_t *bytes;
    size_t n;
    FV_TRY(fv__file_read(ctx, path, FV_MAX_IMAGE_FILE_BYTES, &bytes, &n));
    const fv_status status = read_bytes(ctx, path, bytes, n, c, h, w, pixels);
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
