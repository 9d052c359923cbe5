/* json.h - a cursor over strict JSON (RFC 8259), for the subset that our files use: objects, arrays,
 * strings and whole numbers. The caller states what must come next; anything else is FV_ERR_INPUT, with the
 * file, the byte, what was expected and what was found. */
#ifndef FV_IO_JSON_H
#define FV_IO_JSON_H

#include "base/context.h"

typedef struct fv_json {
    fv_context *ctx;
    fv_arena *arena;      /* holds the strings read */
    const char *path;     /* for messages */
    const uint8_t *bytes; /* [n], UTF-8 */
    size_t n, at;
    size_t first; /* offset of bytes[0] in the file */
} fv_json;

/* Skips white space and returns whether `c` comes next, without taking it. */
bool fv__json_next_is(fv_json *json, char c);
/* Takes `c`, which must come next. */
fv_status fv__json_expect(fv_json *json, char c);
/* Within a list closed by `close`, after an element: takes a comma (*more) or the end (!*more). */
fv_status fv__json_more(fv_json *json, char close, bool *more);
/* A string, NUL-terminated UTF-8 without a NUL inside. */
fv_status fv__json_string(fv_json *json, char **out);
/* A whole number, 0..2^63-1. */
fv_status fv__json_whole(fv_json *json, int64_t *out);
/* White space up to the end. */
fv_status fv__json_end(fv_json *json);
/* Fails at the cursor: "PATH: byte N: expected ..., found ...". */
fv_status fv__json_fail(fv_json *json, const char *expected);

/* Appends `string` to text in quotes, escaped. The output is always UTF-8: each byte that is not UTF-8
 * becomes U+FFFD. */
void fv__json_quote(fv_text *text, const char *string);

#endif
