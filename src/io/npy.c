/* npy.c - NumPy's arrays: "\x93NUMPY", a version, the length of the header, and the header, a Python
 * dictionary:
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }
 * The values follow it, and nothing else. */
#include "io/npy.h"

#include <string.h>

typedef struct cursor {
    fv_context *ctx;
    const char *path;
    const char *at, *end;
} cursor;

static fv_status fail(const cursor *c, const char *what)
{
    return fv__fail(c->ctx, FV_ERR_INPUT, "%s: expected a NumPy array: %s", c->path, what);
}

static void skip_blanks(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t'))
        c->at++;
}

static bool take(cursor *c, const char *text)
{
    const size_t n = strlen(text);
    skip_blanks(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, text, n) != 0)
        return false;
    c->at += n;
    return true;
}

static bool take_number(cursor *c, int64_t *out)
{
    skip_blanks(c);
    const char *const first = c->at;
    int64_t value = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9' && value < INT64_MAX / 100; c->at++)
        value = 10 * value + (*c->at - '0');
    *out = value;
    return c->at > first;
}

/* '<f4' */
static fv_status read_descr(cursor *c, fv_npy *out)
{
    skip_blanks(c);
    if (c->end - c->at < 5 || (*c->at != '\'' && *c->at != '"') || c->at[4] != *c->at)
        return fail(c, "its elements are no numbers ('descr')");
    const char order = c->at[1], kind = c->at[2], size = c->at[3];
    const bool known = strchr("uifb", kind) && strchr("1248", size) && strchr("<>|=", order) && kind &&
                       size && order && !(kind == 'f' && (size == '1' || size == '2')) &&
                       !(kind == 'b' && size != '1');
    if (!known)
        return fail(c, "its elements are not bytes, whole numbers or floats of 4 or 8 bytes ('descr')");
    out->kind = kind;
    out->size = size - '0';
    out->big = order == '>';
    c->at += 5;
    return FV_OK;
}

/* (60000, 28, 28) */
static fv_status read_shape(cursor *c, fv_npy *out)
{
    out->n = 1;
    if (!take(c, "("))
        return fail(c, "its shape is no tuple ('shape')");
    while (!take(c, ")")) {
        if (out->rank == FV_NPY_MAX_RANK || !take_number(c, &out->dim[out->rank]) ||
            !fv__mul(out->n, (size_t)out->dim[out->rank], &out->n))
            return fail(c, "its shape has too many dimensions, or too large ones ('shape')");
        out->rank++;
        if (!take(c, ",")) {
            if (!take(c, ")"))
                return fail(c, "its shape is no tuple ('shape')");
            break;
        }
    }
    return FV_OK;
}

static fv_status read_header(cursor *c, fv_npy *out)
{
    bool descr = false, order = false, shape = false;
    if (!take(c, "{"))
        return fail(c, "its header is no dictionary");
    while (!take(c, "}")) {
        if (take(c, "'descr'") && take(c, ":") && !descr) {
            FV_TRY(read_descr(c, out));
            descr = true;
        } else if (take(c, "'fortran_order'") && take(c, ":") && !order) {
            if (!take(c, "False"))
                return fail(c,
                            "it is stored column by column (fortran_order); save it by np.ascontiguousarray");
            order = true;
        } else if (take(c, "'shape'") && take(c, ":") && !shape) {
            FV_TRY(read_shape(c, out));
            shape = true;
        } else {
            return fail(c, "its header has other keys than descr, fortran_order and shape");
        }
        take(c, ",");
    }
    return descr && order && shape ? FV_OK : fail(c, "its header lacks descr, fortran_order or shape");
}

fv_status fv__npy_parse(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, fv_npy *out)
{
    cursor c = {.ctx = ctx, .path = path};
    if (n < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return fail(&c, "the file does not begin as one");
    const size_t first = bytes[6] == 1 ? 10 : 12;
    size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] != 1)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (bytes[6] < 1 || bytes[6] > 3)
        return fail(&c, "its version is not 1, 2 or 3");
    if (length > n - first)
        return fail(&c, "its header is longer than the file");
    c.at = (const char *)bytes + first;
    c.end = c.at + length;
    *out = (fv_npy){.bytes = bytes + first + length};
    FV_TRY(read_header(&c, out));
    size_t expected;
    const size_t found = n - first - length;
    if (!fv__mul(out->n, (size_t)out->size, &expected) || expected != found)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected %zu values of %d bytes, found %zu bytes", path,
                        out->n, out->size, found);
    return FV_OK;
}

double fv__npy_value(const fv_npy *array, size_t index)
{
    const uint8_t *const p = array->bytes + index * (size_t)array->size;
    uint64_t bits = 0;
    for (int i = 0; i < array->size; i++)
        bits |= (uint64_t)p[array->big ? array->size - 1 - i : i] << 8 * i;
    if (array->kind == 'f' && array->size == 4) {
        const uint32_t half = (uint32_t)bits;
        float value;
        memcpy(&value, &half, sizeof value);
        return (double)value;
    }
    if (array->kind == 'f') {
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    if (array->kind == 'i') { /* the sign bit of a smaller number, moved to the top and back */
        const int unused = 64 - 8 * array->size;
        return (double)((int64_t)(bits << unused) >> unused);
    }
    return (double)bits;
}
