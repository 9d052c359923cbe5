/* idx.c - the IDX files of MNIST (LeCun, Cortes and Burges): big-endian words, then bytes.
 *
 *     0   00 00 08 RANK     08: unsigned bytes
 *     4   dim[0] ... dim[RANK-1], four bytes each
 *     ..  the product of the dimensions, in bytes, and nothing more
 *
 * A gzipped file is told by its first two bytes and inflated straight into the block that is returned. */
#include "io/idx.h"

#include "io/file.h"

#include <string.h>
#ifdef FV_HAVE_ZLIB
#include <zlib.h>
#endif

enum { MAX_IDX_RANK = 3, MAX_HEADER_BYTES = 4 + 4 * MAX_IDX_RANK };
#define MAX_FILE_BYTES    ((size_t)1 << 34)
#define MAX_DIMENSION     (1u << 24)
#define MAX_DEFLATE_RATIO 1032 /* deflate cannot do better */

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static fv_status too_short(fv_context *ctx, const char *path, size_t expected, size_t found)
{
    return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %zu: cut short: expected %zu bytes, found %zu", path, found,
                    expected, found);
}

/* Checks the header and says how many bytes follow it. */
static fv_status parse_header(fv_context *ctx, const char *path, const uint8_t *header, size_t n, int rank,
                              int *dim, size_t *n_values)
{
    static const char *const meaning[MAX_IDX_RANK + 1] = {"", "labels", "", "images"};
    const size_t n_header = 4 + 4 * (size_t)rank;
    if (n < 4)
        return too_short(ctx, path, n_header, n);
    const uint32_t magic = big_endian(header), expected = 0x800u + (uint32_t)rank;
    if (magic != expected)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: byte 0: expected the IDX magic number 0x%08x (%s), found 0x%08x%s", path,
                        expected, meaning[rank], magic,
                        magic == 0x801   ? " (labels)"
                        : magic == 0x803 ? " (images)"
                                         : "");
    if (n < n_header)
        return too_short(ctx, path, n_header, n);
    *n_values = 1;
    for (int i = 0; i < rank; i++) {
        const uint32_t size = big_endian(header + 4 + 4 * i);
        if (size == 0 || size > MAX_DIMENSION)
            return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %d: dimension %d: expected 1 to %u, found %u", path,
                            4 + 4 * i, i, MAX_DIMENSION, size);
        dim[i] = (int)size;
        if (!fv__mul(*n_values, size, n_values))
            return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %d: the dimensions' product is too large", path,
                            4 + 4 * i);
    }
    return FV_OK;
}

static fv_status check_length(fv_context *ctx, const char *path, size_t n_header, size_t n_values, size_t n)
{
    size_t expected;
    if (!fv__add(n_header, n_values, &expected))
        return fv__fail(ctx, FV_ERR_INPUT, "%s: the dimensions' product is too large", path);
    if (n < expected)
        return too_short(ctx, path, expected, n);
    if (n > expected)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %zu: expected the end of the file, found %zu bytes more",
                        path, expected, n - expected);
    return FV_OK;
}

#ifdef FV_HAVE_ZLIB

static void *zlib_allocate(void *user, unsigned n, unsigned size)
{
    return fv__alloc(user, n, size);
}

static void zlib_release(void *user, void *block)
{
    fv__free(user, block);
}

/* A gzip stream in memory. zlib counts in 32 bits, so it is fed piece by piece. */
typedef struct gzip {
    z_stream z;
    const uint8_t *bytes;
    size_t n; /* left */
    bool ended;
    const char *path;
} gzip;

/* Inflates up to n bytes; fewer only at the end of the stream. */
static fv_status inflate_some(fv_context *ctx, gzip *g, uint8_t *out, size_t n, size_t *got)
{
    *got = 0;
    while (*got < n && !g->ended) {
        const size_t in = g->n < (1u << 30) ? g->n : 1u << 30;
        const size_t room = n - *got < (1u << 30) ? n - *got : 1u << 30;
        g->z.next_in = (Bytef *)(uintptr_t)g->bytes; /* zlib only reads it */
        g->z.avail_in = (uInt)in;
        g->z.next_out = out + *got;
        g->z.avail_out = (uInt)room;
        const int code = inflate(&g->z, Z_NO_FLUSH);
        const size_t used = in - g->z.avail_in, made = room - g->z.avail_out;
        g->bytes += used;
        g->n -= used;
        *got += made;
        if (code == Z_STREAM_END)
            g->ended = true;
        else if (code == Z_MEM_ERROR)
            return FV_ERR_MEMORY; /* the allocator has set the message */
        else if ((code == Z_OK || code == Z_BUF_ERROR) && used + made == 0)
            return fv__fail(ctx, FV_ERR_INPUT,
                            "%s: the gzip stream is cut short: it ends after %lu inflated bytes", g->path,
                            g->z.total_out);
        else if (code != Z_OK && code != Z_BUF_ERROR)
            return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %lu: the gzip stream is damaged: %s", g->path,
                            g->z.total_in, g->z.msg ? g->z.msg : "preset dictionary");
    }
    return FV_OK;
}

static fv_status inflate_values(fv_context *ctx, gzip *g, int rank, int *dim, uint8_t **out)
{
    uint8_t header[MAX_HEADER_BYTES], extra[1];
    const size_t n_header = 4 + 4 * (size_t)rank, n_gzip = g->n;
    size_t got, n_values, n_extra;
    FV_TRY(inflate_some(ctx, g, header, n_header, &got));
    FV_TRY(parse_header(ctx, g->path, header, got, rank, dim, &n_values));
    if (n_values / MAX_DEFLATE_RATIO > n_gzip)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: byte 4: %zu bytes are claimed, more than %zu gzipped bytes hold", g->path,
                        n_values, n_gzip);
    uint8_t *values = fv__alloc(ctx, n_values, 1);
    if (!values)
        return FV_ERR_MEMORY;
    /* The byte too many drives the stream to its end, where its checksum is compared. */
    fv_status status = inflate_some(ctx, g, values, n_values, &got);
    if (status == FV_OK && got < n_values)
        status = too_short(ctx, g->path, n_header + n_values, n_header + got);
    if (status == FV_OK)
        status = inflate_some(ctx, g, extra, 1, &n_extra);
    if (status == FV_OK && n_extra > 0)
        status = fv__fail(ctx, FV_ERR_INPUT, "%s: inflated byte %zu: expected the end, found more", g->path,
                          n_header + n_values);
    if (status == FV_OK && g->n > 0)
        status =
            fv__fail(ctx, FV_ERR_INPUT,
                     "%s: byte %zu: expected the end of the file after the gzip stream, found %zu bytes more",
                     g->path, n_gzip - g->n, g->n);
    if (status == FV_OK)
        *out = values;
    else
        fv__free(ctx, values);
    return status;
}

static fv_status read_gzip(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, int rank,
                           int *dim, uint8_t **out)
{
    gzip g = {.bytes = bytes, .n = n, .path = path};
    g.z = (z_stream){.zalloc = zlib_allocate, .zfree = zlib_release, .opaque = ctx};
    if (inflateInit2(&g.z, 16 + MAX_WBITS) != Z_OK) /* 16: gzip alone */
        return FV_ERR_MEMORY;
    const fv_status status = inflate_values(ctx, &g, rank, dim, out);
    inflateEnd(&g.z);
    return status;
}

#else

static fv_status read_gzip(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, int rank,
                           int *dim, uint8_t **out)
{
    (void)bytes, (void)n, (void)rank, (void)dim, (void)out;
    return fv__fail(ctx, FV_ERR_UNSUPPORTED,
                    "%s: is gzipped, and this build has no zlib: gunzip the file, or build with zlib", path);
}

#endif

fv_status fv__idx_read(fv_context *ctx, const char *path, int rank, int *dim, uint8_t **out)
{
    uint8_t *bytes;
    size_t n, n_values;
    int found[MAX_IDX_RANK];
    if (rank != 1 && rank != 3)
        return fv__fail(ctx, FV_ERR_INTERNAL, "%s: IDX files of rank %d are not read", path, rank);
    FV_TRY(fv__file_read(ctx, path, MAX_FILE_BYTES, &bytes, &n));
    fv_status status;
    if (n >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b) {
        uint8_t *values = NULL;
        status = read_gzip(ctx, path, bytes, n, rank, found, &values);
        fv__free(ctx, bytes);
        bytes = values;
        if (status != FV_OK)
            return status;
    } else {
        const size_t n_header = 4 + 4 * (size_t)rank;
        status = parse_header(ctx, path, bytes, n, rank, found, &n_values);
        if (status == FV_OK)
            status = check_length(ctx, path, n_header, n_values, n);
        if (status != FV_OK) {
            fv__free(ctx, bytes);
            return status;
        }
        memmove(bytes, bytes + n_header, n_values); /* the block serves; no second one of the same size */
    }
    memcpy(dim, found, (size_t)rank * sizeof *dim);
    *out = bytes;
    return FV_OK;
}
