/* fuzz_json.c - the JSON cursor, asked for whatever comes next; and every text in quotes, read again. */
#include "fuzz.h"

#include "io/json.h"

#include <stdlib.h>
#include <string.h>

static fv_context *ctx;

static fv_status value(fv_json *json, int depth)
{
    char *text;
    int64_t whole;
    bool more = true;
    if (fv__json_next_is(json, '"'))
        return fv__json_string(json, &text);
    if (depth == 0 || (!fv__json_next_is(json, '{') && !fv__json_next_is(json, '[')))
        return fv__json_whole(json, &whole);
    const bool object = fv__json_next_is(json, '{');
    const char close = object ? '}' : ']';
    FV_TRY(fv__json_expect(json, object ? '{' : '['));
    if (fv__json_next_is(json, close))
        return fv__json_expect(json, close);
    while (more) {
        if (object) {
            FV_TRY(fv__json_string(json, &text));
            FV_TRY(fv__json_expect(json, ':'));
        }
        FV_TRY(value(json, depth - 1));
        FV_TRY(fv__json_more(json, close, &more));
    }
    return FV_OK;
}

static void read_value(const uint8_t *bytes, size_t n)
{
    fv_arena arena;
    fv__arena_init(&arena, ctx);
    fv_json json = {.ctx = ctx, .arena = &arena, .path = "text", .bytes = bytes, .n = n};
    fv_status status = value(&json, 20);
    if (status == FV_OK)
        status = fv__json_end(&json);
    fuzz_accepted = fuzz_well(ctx, "read", status);
    fuzz_expect(json.at <= n, "the cursor is at byte %zu of %zu", json.at, n);
    fv__arena_deinit(&arena);
}

/* What the cursor takes as a string comes back from quotes as it was. */
static void quote(const uint8_t *bytes, size_t n)
{
    fv_arena arena;
    fv_text text;
    char *read = NULL, *again = NULL;
    fv__arena_init(&arena, ctx);
    fv__text_init(&text, ctx);
    fv_json json = {.ctx = ctx, .arena = &arena, .path = "text", .bytes = bytes, .n = n};
    if (fuzz_well(ctx, "string", fv__json_string(&json, &read))) {
        fv__json_quote(&text, read);
        fv_json quoted = {
            .ctx = ctx, .arena = &arena, .path = "quoted", .bytes = (const uint8_t *)text.data, .n = text.n};
        if (!text.failed && fuzz_well(ctx, "string again", fv__json_string(&quoted, &again)))
            fuzz_expect(strcmp(read, again) == 0, "'%s' became '%s'", read, again);
        else
            fuzz_expect(fuzz_heap.denied, "what was quoted cannot be read: %s", fv_message(ctx));
    }
    fv__text_deinit(&text);
    fv__arena_deinit(&arena);
}

static void both(const uint8_t *bytes, size_t n)
{
    quote(bytes, n);
    read_value(bytes, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!ctx)
        ctx = fuzz_context("portable", 1);
    fuzz_twice(both, bytes, n);
    return 0;
}
