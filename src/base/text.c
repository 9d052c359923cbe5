/* text.c - a growing text, and the nearest known word to a mistyped one. */
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

/* ---- the nearest word ----------------------------------------------------------------------------- */

enum { MAX_WORD = 48 }; /* nobody mistypes a longer one */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* Edit distance with transpositions of neighbours (optimal string alignment), blind to case:
 *     d[i][j] = min(d[i-1][j] + 1, d[i][j-1] + 1, d[i-1][j-1] + (a[i] != b[j]), d[i-2][j-2] + 1 if swapped)
 */
static int distance(const char *a, int n_a, const char *b, int n_b)
{
    int d[MAX_WORD + 1][MAX_WORD + 1];
    for (int i = 0; i <= n_a; i++)
        d[i][0] = i;
    for (int j = 0; j <= n_b; j++)
        d[0][j] = j;
    for (int i = 1; i <= n_a; i++) {
        for (int j = 1; j <= n_b; j++) {
            const char x = lower(a[i - 1]), y = lower(b[j - 1]);
            d[i][j] = min_int(min_int(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                d[i][j] = min_int(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n_a][n_b];
}

const char *fv__nearest(const char *word, const char *const *names, int n_names)
{
    const size_t n_word = strnlen(word, MAX_WORD + 1);
    if (n_word == 0 || n_word > MAX_WORD)
        return NULL;
    const int length = (int)n_word;
    /* A third of the letters may be wrong, but one must be right. */
    int limit = length / 3 > 1 ? length / 3 : 1;
    if (limit > length - 1)
        limit = length - 1;
    const char *nearest = NULL;
    for (int i = 0; i < n_names; i++) {
        if (!names[i])
            continue;
        const size_t n_name = strnlen(names[i], MAX_WORD + 1);
        if (n_name > MAX_WORD)
            continue;
        const int d = distance(word, length, names[i], (int)n_name);
        if (d <= limit) {
            nearest = names[i];
            limit = d - 1; /* the first of equals stays */
        }
    }
    return nearest;
}
