/* fuzz_image.c - a picture, PNG or PGM, of whatever size it says. The checksums of a PNG's chunks are mended
 * first: a mutation would hardly ever get past them, and libpng is to see the rest. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#ifdef FV_HAVE_ZLIB
#include <zlib.h>
#endif

static fv_context *ctx;

static const uint8_t png_magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

static uint32_t big_endian(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* length, type, data, checksum of type and data */
static void mend_checksums(uint8_t *bytes, size_t n)
{
#ifdef FV_HAVE_ZLIB
    for (size_t at = sizeof png_magic; at + 12 <= n;) {
        const size_t length = big_endian(bytes + at);
        if (length > n - at - 12)
            return;
        const uint32_t sum = (uint32_t)crc32(0, bytes + at + 4, (uInt)length + 4);
        for (int i = 0; i < 4; i++)
            bytes[at + 8 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += length + 12;
    }
#else
    (void)bytes, (void)n;
#endif
}

/* What the file says of its size, if that is easily seen; else a guess. */
static void size_of(const uint8_t *bytes, size_t n, bool png, int *h, int *w)
{
    *h = *w = 4;
    if (png && n >= 24) {
        const uint32_t width = big_endian(bytes + 16), height = big_endian(bytes + 20);
        *w = width <= 512 ? (int)width : 4;
        *h = height <= 512 ? (int)height : 4;
    } else if (!png && n > 4) {
        char text[32] = "", *end;
        memcpy(text, bytes + 2, n - 2 < 31 ? n - 2 : 31);
        const long width = strtol(text, &end, 10), height = strtol(end, NULL, 10);
        *w = width >= 0 && width <= 512 ? (int)width : 4;
        *h = height >= 0 && height <= 512 ? (int)height : 4;
    }
}

static void open_image(const char *path, int c, int h, int w)
{
    fv_data *data = NULL;
    if (fuzz_well(ctx, "open", fv_data_open_image(ctx, path, c, h, w, &data))) {
        const fv_data_info info = fv_data_describe(data);
        fuzz_accepted = true;
        fuzz_expect(info.n == 1 && info.c == c && info.h == h && info.w == w, "%d of %dx%dx%d", info.n,
                    info.c, info.h, info.w);
        fuzz_hash(fv_data_pixels(data, 0), (size_t)c * (size_t)h * (size_t)w);
    }
    fv_data_destroy(data);
}

static void read_image(const uint8_t *bytes, size_t n)
{
    int h, w;
    const bool png = n >= sizeof png_magic && memcmp(bytes, png_magic, sizeof png_magic) == 0;
    uint8_t *const copy = malloc(n + !n);
    fuzz_expect(copy != NULL, "no memory for %zu bytes", n);
    memcpy(copy, bytes, n);
    if (png)
        mend_checksums(copy, n);
    size_of(copy, n, png, &h, &w);
    const char *const path = fuzz_file("picture", copy, n);
    open_image(path, 1, h, w);
    open_image(path, 3, h, w);
    open_image(path, 1, h + 1, w);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!ctx)
        ctx = fuzz_context("portable", 1);
    fuzz_twice(read_image, bytes, n);
    return 0;
}
