/* text.c - a growing text. */
#include "base/context.h"

#include <stdio.h>
#include <string.h>

void fv__text_init(fv_text *text, fv_context *ctx)
{
    *text = (fv_text){.ctx = ctx};
}

void fv__text_deinit(fv_text *text)
{
    fv__free(text->ctx, text->data);
    *text = (fv_text){.ctx = text->ctx};
}

/* Room for `more` characters and the closing NUL. */
static bool reserve(fv_text *text, size_t more)
{
    size_t needed, capacity;
    if (!fv__add(text->n, more, &needed) || !fv__add(needed, 1, &needed))
        needed = SIZE_MAX; /* which fv__alloc refuses */
    if (needed <= text->capacity)
        return true;
    if (!fv__mul(text->capacity, 2, &capacity) || capacity < needed)
        capacity = needed;
    if (capacity < 128)
        capacity = 128;
    char *larger = fv__alloc(text->ctx, capacity, 1);
    if (!larger)
        return false;
    if (text->n > 0)
        memcpy(larger, text->data, text->n);
    fv__free(text->ctx, text->data);
    text->data = larger;
    text->capacity = capacity;
    return true;
}

void fv__text_add(fv_text *text, const char *format, ...)
{
    if (text->failed)
        return;
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        fv__fail(text->ctx, FV_ERR_MEMORY, "out of memory: a text could not be formatted");
        text->failed = true;
        return;
    }
    if (!reserve(text, (size_t)n)) {
        text->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(text->data + text->n, (size_t)n + 1, format, args);
    va_end(args);
    text->n += (size_t)n;
}

const char *fv__list_gap(int i, int n)
{
    return i == 0 ? "" : i == n - 1 ? " or " : ", ";
}
