/* zip.c - the entries of a zip archive (PKWARE's APPNOTE.TXT, sections 4.3 to 4.5), as .npz files are: stored
 * or deflated, with the sizes of zip64 where they are needed. The central directory at the end counts. */
#include "io/npy.h"

#include <string.h>
#ifdef FV_HAVE_ZLIB
#include <zlib.h>
#endif

enum { END_BYTES = 22, CENTRAL_BYTES = 46, LOCAL_BYTES = 30, MAX_DEFLATE_RATIO = 1032 };

static uint64_t little(const uint8_t *p, int n)
{
    uint64_t value = 0;
    for (int i = 0; i < n; i++)
        value |= (uint64_t)p[i] << 8 * i;
    return value;
}

static fv_status damaged(fv_context *ctx, const char *path, const char *what)
{
    return fv__fail(ctx, FV_ERR_INPUT, "%s: the zip archive is damaged: %s", path, what);
}

/* Sizes and place of an entry that do not fit 32 bits are in the extra field of kind 1, in this order. */
static bool read_large(const uint8_t *extra, size_t n, fv_zip_entry *e)
{
    uint64_t *const wanted[] = {&e->size, &e->packed, &e->at};
    for (size_t at = 0; at + 4 <= n;) {
        const uint64_t kind = little(extra + at, 2), length = little(extra + at + 2, 2);
        size_t field = at + 4;
        at += 4 + length;
        if (kind != 1 || at > n)
            continue;
        for (int i = 0; i < FV_COUNT(wanted); i++)
            if (*wanted[i] == 0xffffffffu && field + 8 <= at) {
                *wanted[i] = little(extra + field, 8);
                field += 8;
            }
    }
    return e->size < SIZE_MAX / 2 && e->packed < SIZE_MAX / 2;
}

/* One entry of the directory at bytes[*at], which is moved behind it. */
static fv_status read_entry(fv_arena *arena, const char *path, const uint8_t *bytes, size_t n, size_t *at,
                            fv_zip_entry *e)
{
    const uint8_t *const p = bytes + *at;
    if (n - *at < CENTRAL_BYTES || memcmp(p, "PK\1\2", 4) != 0)
        return damaged(arena->ctx, path, "its directory is cut short");
    const size_t name = little(p + 28, 2), extra = little(p + 30, 2), comment = little(p + 32, 2);
    if (name + extra + comment > n - *at - CENTRAL_BYTES)
        return damaged(arena->ctx, path, "its directory is cut short");
    *e = (fv_zip_entry){.method = (int)little(p + 10, 2),
                        .crc = (uint32_t)little(p + 16, 4),
                        .packed = little(p + 20, 4),
                        .size = little(p + 24, 4),
                        .at = little(p + 42, 4)};
    e->name = fv__arena_printf(arena, "%.*s", (int)name, (const char *)p + CENTRAL_BYTES);
    if (!e->name)
        return FV_ERR_MEMORY;
    if (!read_large(p + CENTRAL_BYTES + name, extra, e))
        return damaged(arena->ctx, path, "an entry is too large");
    *at += CENTRAL_BYTES + name + extra + comment;
    return FV_OK;
}

fv_status fv__zip_list(fv_arena *arena, const char *path, const uint8_t *bytes, size_t n, fv_zip_entry **out,
                       int *n_entries)
{
    size_t end = n;
    for (size_t k = END_BYTES; k <= n && k < END_BYTES + 65536 && end == n; k++)
        if (memcmp(bytes + n - k, "PK\5\6", 4) == 0)
            end = n - k;
    if (end == n)
        return damaged(arena->ctx, path, "its directory is missing");
    const size_t count = little(bytes + end + 10, 2);
    size_t at = little(bytes + end + 16, 4);
    if (count == 0xffff || at > end)
        return damaged(arena->ctx, path, "its directory lies outside, or has 65535 entries");
    *out = fv__arena_alloc(arena, count, sizeof **out);
    if (!*out)
        return FV_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        FV_TRY(read_entry(arena, path, bytes, end, &at, *out + i));
    *n_entries = (int)count;
    return FV_OK;
}

#ifdef FV_HAVE_ZLIB
static fv_status unpack(fv_context *ctx, const char *path, const uint8_t *from, const fv_zip_entry *e,
                        uint8_t *to)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)from};
    uint64_t in = e->packed, room = e->size;
    int code = inflateInit2(&z, -MAX_WBITS);
    if (code != Z_OK)
        return fv__memory_for(ctx, FV_ERR_MEMORY, path);
    z.next_out = to;
    while (code == Z_OK) { /* zlib counts in 32 bits */
        const uInt some = in < 1u << 30 ? (uInt)in : 1u << 30, free = room < 1u << 30 ? (uInt)room : 1u << 30;
        z.avail_in = some;
        z.avail_out = free;
        code = inflate(&z, Z_NO_FLUSH);
        in -= some - z.avail_in;
        room -= free - z.avail_out;
    }
    inflateEnd(&z);
    if (code != Z_STREAM_END || room > 0)
        return damaged(ctx, path, "an entry does not unpack");
    return FV_OK;
}

static fv_status check_crc(fv_context *ctx, const char *path, const uint8_t *bytes, const fv_zip_entry *e)
{
    uLong crc = crc32(0, NULL, 0);
    for (uint64_t at = 0; at < e->size;) {
        const uint64_t left = e->size - at, some = left < 1u << 30 ? left : 1u << 30;
        crc = crc32(crc, bytes + at, (uInt)some);
        at += some;
    }
    return crc == e->crc ? FV_OK : damaged(ctx, path, "the checksum of an entry is wrong");
}
#else
static fv_status unpack(fv_context *ctx, const char *path, const uint8_t *from, const fv_zip_entry *e,
                        uint8_t *to)
{
    (void)from, (void)e, (void)to;
    return fv__fail(ctx, FV_ERR_UNSUPPORTED,
                    "%s: is compressed, and this build has no zlib: save it by np.savez, or build with zlib",
                    path);
}

static fv_status check_crc(fv_context *ctx, const char *path, const uint8_t *bytes, const fv_zip_entry *e)
{
    (void)ctx, (void)path, (void)bytes, (void)e;
    return FV_OK;
}
#endif

fv_status fv__zip_read(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                       const fv_zip_entry *e, uint8_t **out)
{
    if (e->at > n || n - e->at < LOCAL_BYTES || memcmp(bytes + e->at, "PK\3\4", 4) != 0)
        return damaged(ctx, path, "an entry lies outside");
    const uint8_t *const p = bytes + e->at;
    const size_t header = LOCAL_BYTES + little(p + 26, 2) + little(p + 28, 2), left = n - e->at;
    if (header > left || e->packed > left - header)
        return damaged(ctx, path, "an entry is cut short");
    if ((e->method != 0 && e->method != 8) || (e->method == 0 && e->size != e->packed))
        return damaged(ctx, path, "an entry is neither stored nor deflated");
    if (e->method == 8 && e->size / MAX_DEFLATE_RATIO > e->packed)
        return damaged(ctx, path, "an entry claims more bytes than it can hold");
    uint8_t *const to = fv__alloc(ctx, e->size, 1);
    if (!to)
        return fv__memory_for(ctx, FV_ERR_MEMORY, path);
    fv_status status = FV_OK;
    if (e->method == 8)
        status = unpack(ctx, path, p + header, e, to);
    else if (e->size > 0)
        memcpy(to, p + header, e->size);
    if (status == FV_OK)
        status = check_crc(ctx, path, to, e);
    if (status != FV_OK) {
        fv__free(ctx, to);
        return status;
    }
    *out = to;
    return FV_OK;
}
