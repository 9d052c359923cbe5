/* json.h - a cursor over strict JSON (RFC 8259), as far as our files use it: objects, arrays, strings and
 * whole numbers. The caller knows what comes next and asks for it; anything else is FV_ERR_INPUT with the
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
    size_t first; /* where in the file bytes[0] stands */
} fv_json;

/* Skips white space; whether `c` comes next. Does not take it. */
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

/* Appends `string` to text in quotes, escaped. What is written is UTF-8 always: each byte of the string that
 * is none becomes U+FFFD. */
void fv__json_quote(fv_text *text, const char *string);

#endif
