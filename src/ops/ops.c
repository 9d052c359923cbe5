/* ops.c - finds operations by name, and sets their attributes from words. */
#include "ops/ops.h"

#include <string.h>

static const fv_op *const table[] = {
#define FV_OP(name) &fv_op_##name,
#include "ops/ops.def"
#undef FV_OP
};

#define N_OPS ((int)(sizeof table / sizeof *table))

const fv_op *fv__op_at(int index)
{
    return index >= 0 && index < N_OPS ? table[index] : NULL;
}

const fv_op *fv__op_find(const char *name)
{
    for (int i = 0; i < N_OPS; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}

static void set_value(const fv_attr_spec *spec, void *attrs, double first, double second)
{
    char *const at = (char *)attrs + spec->offset;
    if (spec->type == FV_ATTR_FLOAT) {
        *(float *)at = (float)first;
    } else {
        ((int *)at)[0] = (int)first;
        if (spec->type == FV_ATTR_PAIR)
            ((int *)at)[1] = (int)second;
    }
}

void fv__attrs_default(const fv_op *op, void *attrs)
{
    if (op->attr_bytes > 0)
        memset(attrs, 0, op->attr_bytes);
    for (int i = 0; i < op->n_attrs; i++)
        set_value(&op->attrs[i], attrs, op->attrs[i].initial, op->attrs[i].initial);
}

/* The number that fills [text, end); false if it is none. Whole numbers take digits alone. */
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

fv_status fv__attrs_set(fv_context *ctx, const fv_op *op, void *attrs, const char *word, const char *value,
                        const char *what)
{
    const char *words[16];
    const fv_attr_spec *spec = NULL;
    for (int i = 0; i < op->n_attrs; i++) {
        words[i] = op->attrs[i].word;
        if (strcmp(words[i], word) == 0)
            spec = &op->attrs[i];
    }
    if (!spec) {
        const char *const near = fv__nearest(word, words, op->n_attrs);
        return fv__fail(ctx, FV_ERR_INPUT, "%s: unknown word '%s'%s%s%s", what, word,
                        near          ? "; nearest is '"
                        : op->n_attrs ? ""
                                      : "; there are none here",
                        near ? near : "", near ? "'" : "");
    }
    const bool whole = spec->type != FV_ATTR_FLOAT;
    const char *const end = value + strlen(value), *const x = strchr(value, 'x');
    const char *const cut = spec->type == FV_ATTR_PAIR && x ? x : end;
    double first = 0, second = 0;
    bool good = parse_number(value, cut, whole, &first);
    second = first;
    if (good && cut != end)
        good = parse_number(cut + 1, end, whole, &second);
    if (!good)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: %s: expected %s, found '%s'", what, word,
                        spec->type == FV_ATTR_PAIR  ? "a whole number or two, as 3 or 3x5"
                        : spec->type == FV_ATTR_INT ? "a whole number"
                                                    : "a number",
                        value);
    if (first < spec->min || first > spec->max || second < spec->min || second > spec->max)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: %s: expected %s to %s, found '%s'", what, word,
                        fv__general(spec->min, 10).text, fv__general(spec->max, 10).text, value);
    set_value(spec, attrs, first, second);
    return FV_OK;
}
