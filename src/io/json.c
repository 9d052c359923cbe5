/* json.c - a cursor over strict JSON (RFC 8259); strings are checked UTF-8 (RFC 3629). */
#include "io/json.h"

#include "base/utf8.h"

#include <string.h>

fv_status fv__json_fail(fv_json *json, const char *expected)
{
    const size_t place = json->first + json->at;
    if (json->at >= json->n)
        return fv__fail(json->ctx, FV_ERR_INPUT, "%s: byte %zu: expected %s, found the end", json->path,
                        place, expected);
    const uint8_t c = json->bytes[json->at];
    if (c > ' ' && c < 0x7f)
        return fv__fail(json->ctx, FV_ERR_INPUT, "%s: byte %zu: expected %s, found '%c'", json->path, place,
                        expected, c);
    return fv__fail(json->ctx, FV_ERR_INPUT, "%s: byte %zu: expected %s, found the byte 0x%02x", json->path,
                    place, expected, c);
}

static void skip_space(fv_json *json)
{
    while (json->at < json->n && memchr(" \t\n\r", json->bytes[json->at], 4))
        json->at++;
}

bool fv__json_next_is(fv_json *json, char c)
{
    skip_space(json);
    return json->at < json->n && json->bytes[json->at] == (uint8_t)c;
}

fv_status fv__json_expect(fv_json *json, char c)
{
    if (!fv__json_next_is(json, c))
        return fv__json_fail(json, (char[]){'\'', c, '\'', '\0'});
    json->at++;
    return FV_OK;
}

fv_status fv__json_more(fv_json *json, char close, bool *more)
{
    *more = fv__json_next_is(json, ',');
    if (!*more && !fv__json_next_is(json, close))
        return fv__json_fail(json, (char[]){'\'', ',', '\'', ' ', 'o', 'r', ' ', '\'', close, '\'', '\0'});
    json->at++;
    return FV_OK;
}

fv_status fv__json_end(fv_json *json)
{
    skip_space(json);
    return json->at < json->n ? fv__json_fail(json, "nothing more") : FV_OK;
}

fv_status fv__json_whole(fv_json *json, int64_t *out)
{
    skip_space(json);
    const size_t start = json->at;
    int64_t value = 0;
    for (; json->at < json->n; json->at++) {
        const uint8_t c = json->bytes[json->at];
        if (c < '0' || c > '9')
            break;
        if (json->at > start && value == 0)
            return fv__json_fail(json, "no digit after a leading zero");
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, c - '0', &value))
            return fv__json_fail(json, "a number below 2^63");
    }
    if (json->at == start)
        return fv__json_fail(json, "a whole number");
    if (json->at < json->n && memchr(".eE", json->bytes[json->at], 3))
        return fv__json_fail(json, "a whole number's end");
    *out = value;
    return FV_OK;
}

/* ---- strings -------------------------------------------------------------------------------------- */

static fv_status hex4(fv_json *json, uint32_t *out)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++, json->at++) {
        const uint8_t c = json->at < json->n ? json->bytes[json->at] : 0;
        const uint8_t low = c | 0x20;
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            value = value << 4 | (uint32_t)(low - 'a' + 10);
        else
            return fv__json_fail(json, "a hexadecimal digit of \\u");
    }
    *out = value;
    return FV_OK;
}

static size_t put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    const size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(lead[n] | code);
    return n;
}

/* Reads what follows "\u": one code point, from two escapes if it is a surrogate pair. */
static fv_status unicode_escape(fv_json *json, char *out, size_t *n)
{
    uint32_t code = 0, low = 0;
    FV_TRY(hex4(json, &code));
    if (code >= 0xd800 && code < 0xdc00) {
        if (json->n - json->at < 2 || json->bytes[json->at] != '\\' || json->bytes[json->at + 1] != 'u')
            return fv__json_fail(json, "the second half of a surrogate pair");
        json->at += 2;
        FV_TRY(hex4(json, &low));
        if (low < 0xdc00 || low > 0xdfff)
            return fv__json_fail(json, "the second half of a surrogate pair before here");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code <= 0xdfff) {
        return fv__json_fail(json, "the first half of a surrogate pair before here");
    } else if (code == 0) {
        return fv__json_fail(json, "no NUL in a string before here");
    }
    *n += put_utf8(out + *n, code);
    return FV_OK;
}

static fv_status escape(fv_json *json, char *out, size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    json->at++;
    const uint8_t c = json->at < json->n ? json->bytes[json->at] : 0;
    const char *found = c ? strchr(from, c) : NULL;
    if (!found && c != 'u')
        return fv__json_fail(json, "an escape of JSON after \\");
    json->at++;
    if (c == 'u')
        return unicode_escape(json, out, n);
    out[(*n)++] = to[found - from];
    return FV_OK;
}

fv_status fv__json_string(fv_json *json, char **out)
{
    if (!fv__json_next_is(json, '"'))
        return fv__json_fail(json, "a string");
    const size_t start = ++json->at;
    /* Unescaping never lengthens a string, so the position of the closing quote bounds the result. */
    size_t end = start;
    while (end < json->n && json->bytes[end] != '"')
        end += json->bytes[end] == '\\' ? 2 : 1;
    if (end >= json->n) {
        json->at = json->n;
        return fv__json_fail(json, "the closing quote of a string");
    }
    char *text = fv__arena_alloc(json->arena, end - start + 1, 1);
    if (!text)
        return FV_ERR_MEMORY;
    size_t n = 0;
    while (json->at < end) {
        if (json->bytes[json->at] == '\\') {
            FV_TRY(escape(json, text, &n));
            continue;
        }
        const size_t length =
            json->bytes[json->at] < 0x20 ? 0 : fv__utf8_length(json->bytes + json->at, json->n - json->at);
        if (length == 0)
            return fv__json_fail(json, "a UTF-8 character, control characters escaped");
        memcpy(text + n, json->bytes + json->at, length);
        n += length;
        json->at += length;
    }
    json->at = end + 1;
    *out = text;
    return FV_OK;
}

/* The number of bytes at the beginning of the string that need no escape between quotes. */
static size_t plain(const char *string, size_t left)
{
    size_t n = 0, length = 1;
    while (n < left && n < 4096 && length > 0) {
        const uint8_t c = (uint8_t)string[n];
        length = c < 0x20 || c == '"' || c == '\\' ? 0 : fv__utf8_length(string + n, left - n);
        n += length;
    }
    return n;
}

void fv__json_quote(fv_text *text, const char *string)
{
    fv__text_add(text, "\"");
    for (size_t left = strlen(string), n; left > 0; string += n, left -= n) {
        const uint8_t c = (uint8_t)*string;
        n = plain(string, left);
        if (n > 0) {
            fv__text_add(text, "%.*s", (int)n, string);
            continue;
        }
        n = 1;
        if (c == '"' || c == '\\')
            fv__text_add(text, "\\%c", c);
        else if (c == '\n')
            fv__text_add(text, "\\n");
        else if (c < 0x20)
            fv__text_add(text, "\\u%04x", c);
        else
            fv__text_add(text, "\\ufffd");
    }
    fv__text_add(text, "\"");
}
