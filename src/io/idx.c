/* idx.c - the IDX files of MNIST (LeCun, Cortes and Burges): big-endian words, then bytes.
 *
 *     0   00 00 08 RANK     08: unsigned bytes
 *     4   dim[0] ... dim[RANK-1], four bytes each
 *     ..  the product of the dimensions, in bytes, and nothing more
 *
 * A gzipped file is recognised by its first two bytes and inflated piece by piece into the block that is
 * returned. A thousand bytes of gzip may contain a million, so the block grows with the output, and
 * inflating stops one byte behind the last that the header announces. The length of a raw file is known,
 * and compared at once. */
#include "io/idx.h"

#include "io/file.h"

#include <string.h>
#include <unistd.h>
#ifdef FV_HAVE_ZLIB
#include <zlib.h>
#endif

enum { MAX_IDX_RANK = 4, MAX_HEADER_BYTES = 4 + 4 * MAX_IDX_RANK };
#define MAX_FILE_BYTES    ((size_t)1 << 34)
#define MAX_DIMENSION     (1u << 24)
#define MAX_DEFLATE_RATIO 1032 /* the largest ratio that deflate reaches */
#define PIECE_BYTES       ((size_t)1 << 16)

struct fv_idx {
    fv_context *ctx;
    const char *path;
    int fd;
    size_t file_bytes, header_bytes;
    size_t n_values, at; /* the number of values, and of those taken or skipped */
    bool gzipped;
#ifdef FV_HAVE_ZLIB
    z_stream z;
    bool inflating, ended;
    uint8_t input[PIECE_BYTES];
#endif
};

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static fv_status too_short(fv_context *ctx, const char *path, size_t expected, size_t found)
{
    return fv__fail(ctx, FV_ERR_INPUT, "%s: byte %zu: cut short: expected %zu bytes, found %zu", path, found,
                    expected, found);
}

/* Checks the header and returns the number of bytes that must follow it. */
static fv_status parse_header(fv_context *ctx, const char *path, const uint8_t *header, size_t n, int rank,
                              int *dim, size_t *n_values)
{
    static const char *const meaning[MAX_IDX_RANK + 1] = {"", "labels", "", "images", "colour images"};
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
                        : magic == 0x804 ? " (colour images)"
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

/* ---- the bytes of the file, inflated ----------------------------------------------------------------- */

#ifdef FV_HAVE_ZLIB

static void *zlib_allocate(void *user, unsigned n, unsigned size)
{
    return fv__alloc(user, n, size);
}

static void zlib_release(void *user, void *block)
{
    fv__free(user, block);
}

static fv_status gzip_begin(fv_idx *x)
{
    x->z = (z_stream){.zalloc = zlib_allocate, .zfree = zlib_release, .opaque = x->ctx};
    if (inflateInit2(&x->z, 16 + MAX_WBITS) != Z_OK) /* 16: gzip only */
        return fv__memory_for(x->ctx, FV_ERR_MEMORY, x->path);
    x->inflating = true;
    return FV_OK;
}

static fv_status gzip_pull(fv_idx *x, uint8_t *out, size_t n, size_t *got)
{
    z_stream *const z = &x->z;
    *got = 0;
    while (*got < n && !x->ended) {
        size_t in = z->avail_in;
        if (in == 0) {
            FV_TRY(fv__file_next(x->ctx, x->fd, x->path, x->input, PIECE_BYTES, &in));
            z->next_in = x->input;
            z->avail_in = (uInt)in;
        }
        const size_t room = n - *got < PIECE_BYTES ? n - *got : PIECE_BYTES; /* zlib counts in 32 bits */
        z->next_out = out + *got;
        z->avail_out = (uInt)room;
        const int code = inflate(z, Z_NO_FLUSH);
        const size_t used = in - z->avail_in, made = room - z->avail_out;
        *got += made;
        if (code == Z_STREAM_END)
            x->ended = true;
        else if (code == Z_MEM_ERROR)
            return fv__memory_for(x->ctx, FV_ERR_MEMORY, x->path);
        else if ((code == Z_OK || code == Z_BUF_ERROR) && used + made == 0)
            return fv__fail(x->ctx, FV_ERR_INPUT,
                            "%s: the gzip stream is cut short: it ends after %lu inflated bytes", x->path,
                            z->total_out);
        else if (code != Z_OK && code != Z_BUF_ERROR)
            return fv__fail(x->ctx, FV_ERR_INPUT, "%s: byte %lu: the gzip stream is damaged: %s", x->path,
                            z->total_in, z->msg ? z->msg : "preset dictionary");
    }
    return FV_OK;
}

/* Checks that the stream has ended, and the file with it. */
static fv_status gzip_end(fv_idx *x)
{
    if (x->z.total_in < x->file_bytes)
        return fv__fail(
            x->ctx, FV_ERR_INPUT,
            "%s: byte %lu: expected the end of the file after the gzip stream, found %zu bytes more", x->path,
            x->z.total_in, x->file_bytes - x->z.total_in);
    return FV_OK;
}

#else

static fv_status gzip_begin(fv_idx *x)
{
    return fv__fail(x->ctx, FV_ERR_UNSUPPORTED,
                    "%s: is gzipped, and this build has no zlib: gunzip the file, or build with zlib",
                    x->path);
}

#endif

/* Up to n bytes; fewer only at the end. */
static fv_status pull(fv_idx *x, uint8_t *out, size_t n, size_t *got)
{
#ifdef FV_HAVE_ZLIB
    if (x->gzipped)
        return gzip_pull(x, out, n, got);
#endif
    return fv__file_next(x->ctx, x->fd, x->path, out, n, got);
}

static fv_status pull_values(fv_idx *x, uint8_t *out, size_t n)
{
    size_t got;
    FV_TRY(pull(x, out, n, &got));
    x->at += got;
    return got == n ? FV_OK
                    : too_short(x->ctx, x->path, x->header_bytes + x->n_values, x->header_bytes + x->at);
}

/* ---- reading ----------------------------------------------------------------------------------------- */

static fv_status check_length(const fv_idx *x)
{
    size_t expected;
    if (x->gzipped && x->n_values / MAX_DEFLATE_RATIO > x->file_bytes)
        return fv__fail(x->ctx, FV_ERR_INPUT,
                        "%s: byte 4: %zu bytes are claimed, more than %zu gzipped bytes hold", x->path,
                        x->n_values, x->file_bytes);
    if (x->gzipped)
        return FV_OK;
    if (!fv__add(x->header_bytes, x->n_values, &expected))
        return fv__fail(x->ctx, FV_ERR_INPUT, "%s: the dimensions' product is too large", x->path);
    if (x->file_bytes < expected)
        return too_short(x->ctx, x->path, expected, x->file_bytes);
    if (x->file_bytes > expected)
        return fv__fail(x->ctx, FV_ERR_INPUT,
                        "%s: byte %zu: expected the end of the file, found %zu bytes more", x->path, expected,
                        x->file_bytes - expected);
    return FV_OK;
}

static fv_status read_header(fv_idx *x, int rank, int *dim)
{
    uint8_t header[MAX_HEADER_BYTES] = {0};
    int found[MAX_IDX_RANK];
    size_t got;
    FV_TRY(fv__file_next(x->ctx, x->fd, x->path, header, 2, &got));
    x->gzipped = got == 2 && header[0] == 0x1f && header[1] == 0x8b;
    if (lseek(x->fd, 0, SEEK_SET) != 0)
        return fv__fail(x->ctx, FV_ERR_INPUT, "%s: cannot read from its beginning", x->path);
    if (x->gzipped)
        FV_TRY(gzip_begin(x));
    FV_TRY(pull(x, header, x->header_bytes, &got));
    FV_TRY(parse_header(x->ctx, x->path, header, got, rank, found, &x->n_values));
    FV_TRY(check_length(x));
    memcpy(dim, found, (size_t)rank * sizeof *dim);
    return FV_OK;
}

fv_status fv__idx_open(fv_context *ctx, const char *path, int rank, int *dim, fv_idx **out)
{
    if (rank != 1 && rank != 3 && rank != 4)
        return fv__fail(ctx, FV_ERR_INTERNAL, "%s: IDX files of rank %d are not read", path, rank);
    fv_idx *const x = fv__alloc(ctx, 1, sizeof *x);
    if (!x)
        return fv__memory_for(ctx, FV_ERR_MEMORY, path);
    x->ctx = ctx;
    x->path = path;
    x->fd = -1;
    x->header_bytes = 4 + 4 * (size_t)rank;
    fv_status status = fv__file_open(ctx, path, MAX_FILE_BYTES, &x->fd, &x->file_bytes);
    if (status == FV_OK)
        status = read_header(x, rank, dim);
    if (status != FV_OK) {
        fv__idx_close(x);
        return status;
    }
    *out = x;
    return FV_OK;
}

/* Makes room for more values: for all if the file's length has confirmed the header, otherwise as they
 * arrive. */
static fv_status enlarge(const fv_idx *x, fv_idx_values *values)
{
    size_t capacity = values->most;
    if (x->gzipped && values->capacity < capacity / 4)
        capacity = values->capacity > 0 ? 4 * values->capacity : PIECE_BYTES;
    if (capacity > values->most)
        capacity = values->most;
    uint8_t *const larger = fv__alloc(x->ctx, capacity, 1);
    if (!larger)
        return fv__memory_for(x->ctx, FV_ERR_MEMORY, x->path);
    if (values->n > 0)
        memcpy(larger, values->bytes, values->n);
    fv__free(x->ctx, values->bytes);
    values->bytes = larger;
    values->capacity = capacity;
    return FV_OK;
}

fv_status fv__idx_take(fv_idx *x, size_t n, fv_idx_values *values)
{
    if (n > x->n_values - x->at || n > values->most - values->n)
        return fv__fail(x->ctx, FV_ERR_INTERNAL, "%s: %zu values more than there are were asked for", x->path,
                        n);
    while (n > 0) {
        if (values->n == values->capacity)
            FV_TRY(enlarge(x, values));
        const size_t room = values->capacity - values->n, piece = n < room ? n : room;
        FV_TRY(pull_values(x, values->bytes + values->n, piece));
        values->n += piece;
        n -= piece;
    }
    return FV_OK;
}

fv_status fv__idx_skip(fv_idx *x, size_t n)
{
    uint8_t unwanted[4096];
    for (; n > 0;) {
        const size_t piece = n < sizeof unwanted ? n : sizeof unwanted;
        FV_TRY(pull_values(x, unwanted, piece));
        n -= piece;
    }
    return FV_OK;
}

fv_status fv__idx_finish(fv_idx *x)
{
    uint8_t extra;
    size_t n_extra;
    /* The additional byte drives a gzip stream to its end, where zlib compares its checksum. */
    FV_TRY(pull(x, &extra, 1, &n_extra));
    if (n_extra > 0)
        return fv__fail(x->ctx, FV_ERR_INPUT, "%s: %sbyte %zu: expected the end, found more", x->path,
                        x->gzipped ? "inflated " : "", x->header_bytes + x->n_values);
#ifdef FV_HAVE_ZLIB
    if (x->gzipped)
        return gzip_end(x);
#endif
    return FV_OK;
}

void fv__idx_close(fv_idx *x)
{
    if (!x)
        return;
#ifdef FV_HAVE_ZLIB
    if (x->inflating)
        inflateEnd(&x->z);
#endif
    if (x->fd >= 0)
        close(x->fd);
    fv__free(x->ctx, x);
}

fv_status fv__idx_read(fv_context *ctx, const char *path, int rank, int *dim, uint8_t **out)
{
    fv_idx *x = NULL;
    fv_idx_values values = {0};
    int found[MAX_IDX_RANK];
    fv_status status = fv__idx_open(ctx, path, rank, found, &x);
    if (status == FV_OK) {
        values.most = x->n_values;
        status = fv__idx_take(x, x->n_values, &values);
    }
    if (status == FV_OK)
        status = fv__idx_finish(x);
    fv__idx_close(x);
    if (status != FV_OK) {
        fv__free(ctx, values.bytes);
        return status;
    }
    memcpy(dim, found, (size_t)rank * sizeof *dim);
    *out = values.bytes;
    return FV_OK;
}
