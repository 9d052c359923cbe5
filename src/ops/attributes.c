/* attributes.c - sets an operation's attributes from the words of the model text. */
#include "ops/ops.h"

#include <stdio.h>
#include <string.h>

/* The parsed value of an attribute: numbers, or the index of a choice. */
typedef struct parsed {
    double *number; /* [room] */
    int n, room;
    int choice; /* -1: none */
} parsed;

static int room_for(const fv_attr_spec *spec)
{
    switch (spec->type) {
    case FV_ATTR_PAIR:
        return 2;
    case FV_ATTR_SIZES:
        return FV_DIRECTIONS;
    case FV_ATTR_LIST:
    case FV_ATTR_FLOATS:
    case FV_ATTR_TABLE:
        return spec->count;
    default:
        return 1;
    }
}

static void store_ints(int *at, const parsed *value)
{
    *at++ = value->n;
    for (int i = 0; i < value->n; i++)
        *at++ = (int)value->number[i];
}

static void store_floats(int *at, const parsed *value)
{
    float *const numbers = (float *)(void *)(at + 1);
    *at = value->n;
    for (int i = 0; i < value->n; i++)
        numbers[i] = (float)value->number[i];
}

static void store(const fv_attr_spec *spec, void *attrs, const parsed *value)
{
    void *const at = (char *)attrs + spec->offset;
    switch (spec->type) {
    case FV_ATTR_FLOAT:
        *(float *)at = (float)value->number[0];
        break;
    case FV_ATTR_INT:
        *(int *)at = (int)value->number[0];
        break;
    case FV_ATTR_PAIR:
        ((int *)at)[0] = (int)value->number[0];
        ((int *)at)[1] = (int)value->number[value->n - 1];
        break;
    case FV_ATTR_CHOICE:
        *(fv_choice *)at = (fv_choice){value->choice, value->n > 0 ? (float)value->number[0] : 0.0f};
        break;
    case FV_ATTR_SIZES:
        *(fv_sizes *)at = (fv_sizes){.at = {value->choice}};
        if (value->choice < 0)
            store_ints(at, value);
        break;
    case FV_ATTR_FLOATS:
        store_floats(at, value);
        break;
    case FV_ATTR_LIST:
    case FV_ATTR_TABLE:
        store_ints(at, value);
    }
}

void fv__attrs_default(const fv_op *op, void *attrs)
{
    if (op->attr_bytes > 0)
        memset(attrs, 0, op->attr_bytes);
    for (int i = 0; i < op->n_attrs; i++) {
        const fv_attr_spec *const spec = &op->attrs[i];
        double initial = spec->initial;
        parsed value = {.number = &initial, .n = 1, .choice = -1};
        if (spec->type == FV_ATTR_LIST || spec->type == FV_ATTR_FLOATS || spec->type == FV_ATTR_TABLE)
            value.n = 0;
        if (spec->type == FV_ATTR_CHOICE)
            value = (parsed){.choice = (int)initial};
        store(spec, attrs, &value);
    }
}

/* The number that fills [text, end); false if it is not a number. Whole numbers consist of digits alone. */
static bool parse_number(const char *text, const char *end, bool whole, double *out)
{
    char number[32];
    const size_t n = (size_t)(end - text);
    if (n == 0 || n >= sizeof number)
        return false;
    memcpy(number, text, n);
    number[n] = '\0';
    if (whole && strspn(number + (*number == '-'), "0123456789") != n - (*number == '-'))
        return false;
    return fv__parse_decimal(number, out);
}

/* The choice that `text` names. A number follows a choice that ends in a colon. */
static bool parse_choice(const fv_attr_spec *spec, const char *text, parsed *out)
{
    for (int i = 0; spec->choices && spec->choices[i]; i++) {
        const char *const word = spec->choices[i];
        const size_t n = strlen(word);
        const bool takes_number = word[n - 1] == ':';
        if (takes_number ? strncmp(text, word, n) != 0 : strcmp(text, word) != 0)
            continue;
        out->choice = i;
        out->n = takes_number;
        return !takes_number || parse_number(text + n, text + strlen(text), false, out->number);
    }
    return false;
}

/* Parses numbers up to `end` with `between` between them; n > room if there are too many. */
static bool parse_numbers(const char *text, const char *end, const char *between, bool whole, parsed *out)
{
    while (true) {
        const char *stop = text + strcspn(text, between);
        double number;
        stop = stop < end ? stop : end;
        if (!parse_number(text, stop, whole, &number))
            return false;
        if (out->n < out->room)
            out->number[out->n] = number;
        out->n++;
        if (stop == end || out->n > out->room)
            return true;
        text = stop + 1;
    }
}

/* "0.1.2/1.2": the rows of a table. Its numbers are not negative, so -1 ends a row. */
static bool parse_rows(const char *text, parsed *out)
{
    if (strchr(text, '-'))
        return false;
    for (const char *end;; text = end + 1) {
        end = text + strcspn(text, "/");
        if (!parse_numbers(text, end, ".", true, out))
            return false;
        if (out->n < out->room)
            out->number[out->n] = -1;
        out->n++;
        if (*end == '\0' || out->n > out->room)
            return true;
    }
}

static bool parse_value(const fv_attr_spec *spec, const char *text, parsed *out)
{
    const bool several =
        spec->type == FV_ATTR_PAIR || spec->type == FV_ATTR_SIZES || spec->type == FV_ATTR_LIST;
    if (parse_choice(spec, text, out))
        return true;
    *out = (parsed){.number = out->number, .room = out->room, .choice = -1};
    if (spec->type == FV_ATTR_CHOICE)
        return false;
    if (spec->type == FV_ATTR_TABLE)
        return parse_rows(text, out);
    if (spec->type == FV_ATTR_FLOATS)
        return parse_numbers(text, text + strlen(text), "/", false, out);
    return parse_numbers(text, text + strlen(text), several ? "x" : "", spec->type != FV_ATTR_FLOAT, out);
}

/* "expected a whole number, or one of 3 directions at most, as 3 or 3x5", and similar texts. */
static void describe(const fv_attr_spec *spec, fv_text *text)
{
    static const char *const expected[] = {
        [FV_ATTR_INT] = "a whole number",
        [FV_ATTR_PAIR] = "a whole number or two, as 3 or 3x5",
        [FV_ATTR_FLOAT] = "a number",
        [FV_ATTR_SIZES] = "a whole number, or one for each direction, as 3 or 3x5",
        [FV_ATTR_CHOICE] = "",
        [FV_ATTR_LIST] = "whole numbers, as 2x0x1",
        [FV_ATTR_FLOATS] = "numbers, as 1/0.5/2",
        [FV_ATTR_TABLE] = "rows of whole numbers, as 0.1/1.2",
    };
    fv__text_add(text, "%s", expected[spec->type]);
    for (int i = 0; spec->choices && spec->choices[i]; i++)
        fv__text_add(text, "%s%s%s", *expected[spec->type] || i ? ", " : "",
                     !spec->choices[i + 1] && (*expected[spec->type] || i) ? "or " : "", spec->choices[i]);
}

enum { MAX_SHOWN = 80 }; /* bytes of a value that a message shows whole */

/* A value as messages show it: a long one by its beginning, or by the number that is meant (from 0; -1:
 * none).
 */
static const char *shown(const char *value, const parsed *found, int number, char text[MAX_SHOWN + 40])
{
    if (strlen(value) <= MAX_SHOWN)
        return value;
    if (number >= 0)
        snprintf(text, MAX_SHOWN + 40, "%s', number %d of '%.20s...",
                 fv__general(found->number[number], 10).text, number + 1, value);
    else
        snprintf(text, MAX_SHOWN + 40, "%.*s...", MAX_SHOWN, value);
    return text;
}

static fv_status no_value(fv_context *ctx, const fv_attr_spec *spec, const char *value, const char *what)
{
    char start[MAX_SHOWN + 40];
    fv_text text;
    fv__text_init(&text, ctx);
    describe(spec, &text);
    const bool failed = text.failed;
    if (!failed)
        fv__fail(ctx, FV_ERR_INPUT, "%s: %s: expected %s, found '%s'", what, spec->word, text.data,
                 shown(value, NULL, -1, start));
    fv__text_deinit(&text);
    return failed ? FV_ERR_MEMORY : FV_ERR_INPUT;
}

static fv_status check_value(fv_context *ctx, const fv_attr_spec *spec, const parsed *found,
                             const char *value, const char *what)
{
    char text[MAX_SHOWN + 40];
    if (found->n > found->room)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: %s: expected at most %d numbers, found '%s'", what,
                        spec->word, found->room, shown(value, found, -1, text));
    for (int i = 0; i < found->n; i++) {
        const bool row_end = spec->type == FV_ATTR_TABLE && found->number[i] < 0;
        if (!row_end && (found->number[i] < spec->min || found->number[i] > spec->max))
            return fv__fail(ctx, FV_ERR_INPUT, "%s: %s: expected %s to %s, found '%s'", what, spec->word,
                            fv__general(spec->min, 10).text, fv__general(spec->max, 10).text,
                            shown(value, found, i, text));
    }
    return FV_OK;
}

static const fv_attr_spec *find_spec(const fv_op *op, const char *word)
{
    for (int i = 0; i < op->n_attrs; i++)
        if (strcmp(op->attrs[i].word, word) == 0)
            return &op->attrs[i];
    return NULL;
}

static fv_status unknown_word(fv_context *ctx, const fv_op *op, const char *word, const char *what)
{
    const char **const words = fv__alloc(ctx, (size_t)op->n_attrs, sizeof *words);
    if (!words)
        return FV_ERR_MEMORY;
    for (int i = 0; i < op->n_attrs; i++)
        words[i] = op->attrs[i].word;
    const char *const near = fv__nearest(word, words, op->n_attrs);
    fv__free(ctx, words);
    return fv__fail(ctx, FV_ERR_INPUT, "%s: unknown word '%s'%s", what, word,
                    op->n_attrs ? fv__nearest_is(near).text : "; there are none here");
}

fv_status fv__attrs_set(fv_context *ctx, const fv_op *op, void *attrs, const char *word, const char *value,
                        const char *what)
{
    const fv_attr_spec *const spec = find_spec(op, word);
    if (!spec)
        return unknown_word(ctx, op, word, what);
    parsed found = {.room = room_for(spec), .choice = -1};
    found.number = fv__alloc(ctx, (size_t)found.room, sizeof *found.number);
    if (!found.number)
        return FV_ERR_MEMORY;
    fv_status status = FV_OK;
    if (!parse_value(spec, value, &found))
        status = no_value(ctx, spec, value, what);
    if (status == FV_OK)
        status = check_value(ctx, spec, &found, value, what);
    if (status == FV_OK)
        store(spec, attrs, &found);
    fv__free(ctx, found.number);
    return status;
}

fv_status fv__sizes_spread(fv_context *ctx, const fv_sizes *sizes, int n, const char *word, const char *what,
                           int out[FV_DIRECTIONS])
{
    if (sizes->n != 1 && sizes->n != n)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: %s: expected one number%s, found %d", what, word,
                        n == 1   ? ", for the input has one direction"
                        : n == 2 ? ", or two for the input's two directions"
                                 : ", or three for the input's three directions",
                        sizes->n);
    for (int i = 0; i < n; i++)
        out[i] = sizes->at[sizes->n == 1 ? 0 : i];
    return FV_OK;
}

fv_sizes fv__sizes_of(fv_shape shape, int first)
{
    fv_sizes sizes = {.n = shape.rank - first < FV_DIRECTIONS ? shape.rank - first : FV_DIRECTIONS};
    for (int d = 0; d < sizes.n; d++)
        sizes.at[d] = shape.dim[first + d];
    return sizes;
}
