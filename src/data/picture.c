/* picture.c - a picture of any size and colour, brought to the size that a model wants: colours first, then
 * the size. A picture that has the size already keeps its bytes. */
#include "data/picture.h"

#include "data/resample.h"
#include "io/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The part of a picture whose sides are as h to w, in its middle. */
static fv_box middle(const fv_image_size *size, int h, int w)
{
    fv_box box = {0, 0, size->h, size->w};
    if ((int64_t)size->w * h >= (int64_t)w * size->h)
        box.w = (double)size->h * w / h;
    else
        box.h = (double)size->w * h / w;
    box.x = (size->w - box.w) * 0.5;
    box.y = (size->h - box.h) * 0.5;
    return box;
}

/* The largest h x w of the picture's own proportions within those given. */
static void within(const fv_image_size *size, int *h, int *w)
{
    if ((int64_t)size->w * *h >= (int64_t)*w * size->h)
        *h = (int)((double)size->h * *w / size->w + 0.5);
    else
        *w = (int)((double)size->w * *h / size->h + 0.5);
    *h = *h > 0 ? *h : 1;
    *w = *w > 0 ? *w : 1;
}

/* Of the wanted channels already. */
static fv_status resize(fv_context *ctx, const uint8_t *from, const fv_image_size *size,
                        const fv_wanted *wanted, uint8_t *to)
{
    const fv_image_size *const out = &wanted->size;
    const fv_box whole = {0, 0, size->h, size->w}, cut = middle(size, out->h, out->w);
    const size_t plane = (size_t)out->h * (size_t)out->w;
    int h = out->h, w = out->w;
    if (size->h == h && size->w == w) {
        memcpy(to, from, plane * (size_t)out->c);
        return FV_OK;
    }
    if (wanted->fit != FV_FIT_PAD)
        return fv__resample(ctx, from, size, wanted->fit == FV_FIT_CROP ? &cut : &whole, to, out, h, w);
    within(size, &h, &w);
    memset(to, 0, plane * (size_t)out->c);
    to += (size_t)((out->h - h) / 2) * (size_t)out->w + (size_t)((out->w - w) / 2);
    return fv__resample(ctx, from, size, &whole, to, out, h, w);
}

fv_status fv__picture_fit(fv_context *ctx, const uint8_t *from, const fv_image_size *size,
                          const fv_wanted *wanted, uint8_t *to)
{
    const size_t n = (size_t)size->h * (size_t)size->w;
    const size_t plane = (size_t)wanted->size.h * (size_t)wanted->size.w;
    fv_image_size gray_size = {1, size->h, size->w};
    fv_wanted gray = *wanted;
    fv_status status;
    if (size->c == wanted->size.c) {
        status = resize(ctx, from, size, wanted, to);
    } else if (size->c == 1) { /* the gray of each channel is the same: one is resized */
        gray.size.c = 1;
        status = resize(ctx, from, size, &gray, to);
        for (int k = 1; k < wanted->size.c && status == FV_OK; k++)
            memcpy(to + (size_t)k * plane, to, plane);
    } else {
        uint8_t *const one = fv__alloc(ctx, n, 1);
        if (!one)
            return FV_ERR_MEMORY;
        fv__gray_of_rgb(from, n, one);
        status = resize(ctx, one, &gray_size, wanted, to);
        fv__free(ctx, one);
    }
    for (size_t i = 0; i < plane * (size_t)wanted->size.c && wanted->invert && status == FV_OK; i++)
        to[i] = (uint8_t)(255 - to[i]);
    return status;
}

/* ---- files ------------------------------------------------------------------------------------------ */

fv_status fv__stamp_of(fv_context *ctx, int fd, const char *path, fv_stamp *out)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: cannot open", path);
    *out = (fv_stamp){info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
    return FV_OK;
}

fv_status fv__stamp_check(fv_context *ctx, const char *path, const fv_stamp *then, const fv_stamp *now)
{
    if (then->bytes != now->bytes)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: changed since the folder was read: expected %lld bytes, found %lld", path,
                        (long long)then->bytes, (long long)now->bytes);
    if (then->seconds != now->seconds || then->nanoseconds != now->nanoseconds)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: changed since the folder was read: it was written to meanwhile", path);
    return FV_OK;
}

/* The whole file, in a block for fv__free. */
static fv_status load(fv_context *ctx, const char *path, fv_stamp *stamp, bool again, uint8_t **out,
                      size_t *n)
{
    int fd;
    size_t got = 0;
    fv_stamp now;
    uint8_t *bytes = NULL;
    FV_TRY(fv__file_open(ctx, path, FV_MAX_IMAGE_FILE_BYTES, &fd, n));
    fv_status status = fv__stamp_of(ctx, fd, path, &now);
    if (status == FV_OK && again)
        status = fv__stamp_check(ctx, path, stamp, &now);
    *stamp = now;
    if (status == FV_OK && !(bytes = fv__alloc(ctx, *n + 1, 1)))
        status = fv__memory_for(ctx, FV_ERR_MEMORY, path);
    if (status == FV_OK)
        status = fv__file_next(ctx, fd, path, bytes, *n + 1, &got);
    close(fd);
    if (status == FV_OK && got != *n)
        status = fv__fail(ctx, FV_ERR_INPUT, "%s: changed while it was read", path);
    if (status != FV_OK) {
        fv__free(ctx, bytes);
        return status;
    }
    *out = bytes;
    return FV_OK;
}

static fv_status decode_and_fit(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                                const fv_wanted *wanted, fv_image_size *found, uint8_t *pixels)
{
    FV_TRY(fv__image_measure(ctx, path, bytes, n, found));
    const fv_image_size *const size = &wanted->size;
    const bool fits = found->c == size->c && found->h == size->h && found->w == size->w;
    if (!fits && wanted->exact)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: expected a picture of %dx%dx%d (channels, height, width), found %dx%dx%d", path,
                        size->c, size->h, size->w, found->c, found->h, found->w);
    if (fits && !wanted->invert)
        return fv__image_decode(ctx, path, bytes, n, found, pixels);
    uint8_t *const own = fv__alloc(ctx, (size_t)found->c, (size_t)found->h * (size_t)found->w);
    if (!own)
        return fv__memory_for(ctx, FV_ERR_MEMORY, path);
    fv_status status = fv__image_decode(ctx, path, bytes, n, found, own);
    if (status == FV_OK)
        status = fv__picture_fit(ctx, own, found, wanted, pixels);
    fv__free(ctx, own);
    return status;
}

fv_status fv__picture_read(fv_context *ctx, const char *path, const fv_wanted *wanted, fv_stamp *stamp,
                           bool again, fv_image_size *found, uint8_t *pixels)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    FV_TRY(load(ctx, path, stamp, again, &bytes, &n));
    const fv_status status = decode_and_fit(ctx, path, bytes, n, wanted, found, pixels);
    fv__free(ctx, bytes);
    return status;
}

fv_status fv__picture_measure(fv_context *ctx, const char *path, fv_image_size *out)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    FV_TRY(fv__file_read(ctx, path, FV_MAX_IMAGE_FILE_BYTES, &bytes, &n));
    const fv_status status = fv__image_measure(ctx, path, bytes, n, out);
    fv__free(ctx, bytes);
    return status;
}

const char *fv__picture_done(const fv_image_size *found, const fv_wanted *wanted, char text[FV_DONE_TEXT])
{
    const fv_image_size *const to = &wanted->size;
    const char *comma = "";
    int n = 0;
    text[0] = '\0';
    if (found->c != to->c) {
        n += snprintf(text, FV_DONE_TEXT, found->c == 1 ? "gray to RGB" : "RGB to gray");
        comma = ", ";
    }
    if (found->h != to->h || found->w != to->w) {
        n += snprintf(text + n, FV_DONE_TEXT - (size_t)n, "%sresized from %dx%d to %dx%d (%s)", comma,
                      found->h, found->w, to->h, to->w, fv__fit_word(wanted->fit));
        comma = ", ";
    }
    if (wanted->invert)
        snprintf(text + n, FV_DONE_TEXT - (size_t)n, "%sinverted", comma);
    return text;
}
