/* optimizer.c - the optimisers by name, their text, and the functions that their operations share.
 *
 * An update has the inputs parameter, gradient, settings and states, in this order. It changes the
 * parameter and the states in place. Its output, of the parameter's shape, is empty and only gives the node
 * its place in the graph. Settings are floats that are computed once per update (learning rate, bias
 * corrections), so neither the graph nor the plan depends on them. */
#include "ops/optimizer.h"

#include <stdio.h>
#include <string.h>

static const fv_optimizer *const rows[] = {
#define FV_OPTIMIZER(name) &fv_optimizer_##name,
#include "ops/optimizers.def"
#undef FV_OPTIMIZER
};
enum { N_ROWS = sizeof rows / sizeof *rows };

const fv_optimizer *fv__optimizer_at(int index)
{
    return index >= 0 && index < N_ROWS ? rows[index] : NULL;
}

/* ---- as text -------------------------------------------------------------------------------------- */

/* "sgd, nesterov, adam or adamw" */
static void list(const char *const *names, int n, char *text, size_t bytes)
{
    size_t at = 0;
    text[0] = '\0';
    for (int i = 0; i < n && at < bytes; i++)
        at += (size_t)snprintf(text + at, bytes - at, "%s%s", fv__list_gap(i, n), names[i]);
}

static fv_status fail_name(fv_context *ctx, const char *found)
{
    const char *names[N_ROWS];
    char known[256];
    for (int i = 0; i < N_ROWS; i++)
        names[i] = rows[i]->name;
    list(names, N_ROWS, known, sizeof known);
    const char *const near = fv__nearest(found, names, N_ROWS);
    return fv__fail(ctx, FV_ERR_ARGUMENT, "optimizer: expected %s, found '%s'%s", known, found,
                    fv__nearest_is(near).text);
}

static fv_status fail_word(fv_context *ctx, const fv_optimizer *row, const char *found)
{
    const char *names[FV_MAX_OPTIMIZER_WORDS];
    char known[256];
    for (int i = 0; i < row->n_words; i++)
        names[i] = row->words[i].word;
    if (row->n_words == 0)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "optimizer: %s takes no words, found '%s'", row->name, found);
    list(names, row->n_words, known, sizeof known);
    const char *const near = fv__nearest(found, names, row->n_words);
    return fv__fail(ctx, FV_ERR_ARGUMENT, "optimizer: %s: expected %s, found '%s'%s", row->name, known, found,
                    fv__nearest_is(near).text);
}

/* Reads one "word=value". `given` has a bit for each word that was read before. */
static fv_status read_word(fv_context *ctx, char *word, fv_optimizer_choice *out, unsigned *given)
{
    const fv_optimizer *const row = out->row;
    char *const equals = strchr(word, '=');
    if (!equals)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "optimizer: %s: expected WORD=NUMBER, found '%s'", row->name,
                        word);
    *equals = '\0';
    int at = 0;
    while (at < row->n_words && strcmp(row->words[at].word, word) != 0)
        at++;
    if (at == row->n_words)
        return fail_word(ctx, row, word);
    if (*given >> at & 1)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "optimizer: %s: %s was given twice", row->name, word);
    *given |= 1u << at;
    const fv_optimizer_word *const w = &row->words[at];
    if (!fv__parse_decimal(equals + 1, &out->word[at]) ||
        !(out->word[at] >= w->min && out->word[at] <= w->max))
        return fv__fail(ctx, FV_ERR_ARGUMENT, "optimizer: %s: %s: expected %s to %s, found '%s'", row->name,
                        word, fv__general(w->min, 10).text, fv__general(w->max, 10).text, equals + 1);
    return FV_OK;
}

fv_status fv__optimizer_read(fv_context *ctx, const char *text, fv_optimizer_choice *out)
{
    char copy[FV_OPTIMIZER_TEXT];
    const size_t n_name = strcspn(text, ":");
    if (strlen(text) >= sizeof copy)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "optimizer: expected a text of fewer than %d bytes, found %zu",
                        FV_OPTIMIZER_TEXT, strlen(text));
    memcpy(copy, text, strlen(text) + 1);
    const bool has_words = copy[n_name] == ':';
    copy[n_name] = '\0';
    fv_optimizer_choice choice = {0};
    for (int i = 0; i < N_ROWS; i++)
        if (strcmp(rows[i]->name, copy) == 0)
            choice.row = rows[i];
    if (!choice.row)
        return fail_name(ctx, copy);
    for (int i = 0; i < choice.row->n_words; i++)
        choice.word[i] = choice.row->words[i].initial;
    unsigned given = 0;
    for (char *word = has_words ? copy + n_name + 1 : NULL; word;) {
        char *const comma = strchr(word, ',');
        if (comma)
            *comma = '\0';
        FV_TRY(read_word(ctx, word, &choice, &given));
        word = comma ? comma + 1 : NULL;
    }
    *out = choice;
    return FV_OK;
}

void fv__optimizer_show(const fv_optimizer_choice *choice, char text[FV_OPTIMIZER_TEXT])
{
    const fv_optimizer *const row = choice->row;
    size_t at = (size_t)snprintf(text, FV_OPTIMIZER_TEXT, "%s", row->name);
    char gap = ':';
    for (int i = 0; i < row->n_words && at < FV_OPTIMIZER_TEXT; i++) {
        if (choice->word[i] == row->words[i].initial)
            continue;
        at += (size_t)snprintf(text + at, FV_OPTIMIZER_TEXT - at, "%c%s=%s", gap, row->words[i].word,
                               fv__exact(choice->word[i]).text);
        gap = ',';
    }
}

void fv__optimizer_settings(const fv_optimizer_choice *choice, const fv_rates *rates, float *out)
{
    memset(out, 0, FV_MAX_SETTINGS * sizeof *out);
    choice->row->settings(choice->word, rates, out);
}

double fv__whole_power(double base, int64_t n)
{
    double power = 1;
    for (; n > 0; n >>= 1, base *= base)
        if (n & 1)
            power *= base;
    return power;
}

/* ---- functions for the operations --------------------------------------------------------------------- */

enum { FIRST_STATE = 3 };

const fv_attr_spec fv__update_attrs[1] = {
    {"decays", FV_ATTR_INT, offsetof(fv_update_attrs, decays), 0, 1, 0},
};

fv_status fv__update_infer(fv_infer *q)
{
    const fv_shape p = q->input[0]->shape;
    char expected[FV_SHAPE_TEXT], found[FV_SHAPE_TEXT];
    for (int i = 1; i < q->n_inputs; i++)
        if (i != FIRST_STATE - 1 && !fv__shape_equal(p, q->input[i]->shape))
            return fv__fail(q->ctx, FV_ERR_INTERNAL, "%s: '%s' has shape %s; expected %s, that of '%s'",
                            q->what, q->input[i]->name, fv__shape_text(q->input[i]->shape, found),
                            fv__shape_text(p, expected), q->input[0]->name);
    q->out = p;
    return FV_OK;
}

fv_status fv__update_lower(fv_lower *l, fv_kernel_id kernel, double flops)
{
    const int n_states = l->n_inputs - FIRST_STATE;
    const double n = (double)fv__shape_count(l->out_shape);
    const fv_update_args args = {((const fv_update_attrs *)l->attrs)->decays != 0};
    fv_step_spec spec = {.kernel = kernel,
                         .domain = FV_PER_RANGE,
                         .args = fv__lower_args(l, &args, sizeof args),
                         .n_operands = l->n_inputs,
                         .units = fv__shape_count(l->out_shape),
                         .grain = 8192,
                         .flops = flops * n,
                         .bytes = 4 * (3 + 2 * n_states) * n};
    for (int i = 0; i < l->n_inputs; i++) {
        spec.operand[i] = l->in[i];
        spec.access[i] = i == 0 || i >= FIRST_STATE ? FV_UPDATE : FV_READ;
    }
    return fv__lower_step(l, &spec);
}

/* Runs once per batch, so its cost per image is next to nothing. */
fv_cost fv__update_cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in, (void)out;
    return (fv_cost){0};
}
