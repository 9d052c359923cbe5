/* layer_line.c - reads a layer's line (its name, its positional words, its keys) as the layer's row
 * describes it. */
#include "model/definitions.h"
#include "ops/ops.h"

#include <stdio.h>
#include <string.h>

enum { MAX_KEYS = 40 };

/* The index of the row in the table. */
static int number_of(const fv_layer_kind *kind)
{
    int n = 0;
    for (const fv_layer_kind *other; (other = fv__layer_kind_at(n)) != NULL && other != kind;)
        n++;
    return n;
}

static int n_slots(const fv_layer_kind *kind)
{
    int n = 0;
    while (n < FV_SLOTS && kind->slot[n].type != FV_SLOT_NONE)
        n++;
    return n;
}

/* "conv NAME CHANNELS KERNEL" */
static const char *usage(const fv_layer_kind *kind, char *buffer, size_t bytes)
{
    size_t n = (size_t)snprintf(buffer, bytes, "%s", kind->word);
    for (int i = 0; i < n_slots(kind) && n < bytes; i++)
        n += (size_t)snprintf(buffer + n, bytes - n, " %s%s", kind->slot[i].word,
                              kind->slot[i].type == FV_SLOT_LAYERS ? " ..." : "");
    return buffer;
}

/* "relu", "relu2", "relu3": the number counts the layers of the kind, and skips names that are taken, as
 * are all numbers up to the last one given. */
static void automatic_name(fv_parse *p, const fv_layer_kind *kind, fv_layer_words *words)
{
    fv_counts *const counts = &p->scope->counts[number_of(kind)];
    const int after = counts->last + 1, count = counts->n + 1;
    counts->last = fv__layer_number_name(p, kind->word, after > count ? after : count, words->name);
}

static bool in_range(const int64_t *size, int n)
{
    bool well = true;
    for (int i = 0; i < n; i++)
        well = well && size[i] >= 1 && size[i] <= FV_MAX_DIM;
    return well;
}

static fv_status read_count(fv_parse *p, const fv_layer_kind *kind, const char *what, fv_word word, int *out)
{
    int64_t count;
    if (!fv__parse_count(word.text, &count) || !in_range(&count, 1))
        return fv__line_fail(&p->line, word.column, "%s: %s is '%s'; expected a whole number from 1 to %d",
                             kind->word, what, word.text, FV_MAX_DIM);
    *out = (int)count;
    return FV_OK;
}

/* A number for each direction of the input, or one for all. A later `from=` may change the input, so their
 * number is checked after the whole line is read. */
static fv_status read_window(fv_parse *p, const fv_layer_kind *kind, const char *what, fv_word word,
                             fv_layer_words *words)
{
    int64_t size[FV_DIRECTIONS];
    int n = 1;
    for (const char *x = word.text; (x = strchr(x, 'x')) != NULL; x++)
        n++;
    if (n > FV_DIRECTIONS || !fv__parse_sizes(word.text, n, true, size) || !in_range(size, n))
        return fv__line_fail(&p->line, word.column,
                             "%s: %s is '%s'; expected a size such as 5x5 or 5, each number from 1 to %d",
                             kind->word, what, word.text, FV_MAX_DIM);
    words->window_word = word;
    words->window_slot = what;
    words->window.n = n;
    for (int i = 0; i < n; i++)
        words->window.at[i] = (int)size[i];
    return FV_OK;
}

static fv_status read_attr(fv_parse *p, const fv_layer_kind *kind, fv_layer_words *words, const char *key,
                           const char *value, int column)
{
    char what[FV_MESSAGE_BYTES];
    snprintf(what, sizeof what, "%s:%d:%d: %s", p->line.source, p->line.number,
             fv__line_column(&p->line, column), kind->word);
    return fv__attrs_set(p->ctx, kind->op, words->attrs, key, value, what);
}

static fv_status read_slot(fv_parse *p, const fv_layer_kind *kind, fv_slot slot, fv_word word,
                           fv_layer_words *words)
{
    if (slot.type == FV_SLOT_NAME)
        return fv__layer_name(p, word.text, word.column, words->name);
    if (slot.type == FV_SLOT_COUNT)
        return read_count(p, kind, slot.word, word, &words->count);
    if (slot.type == FV_SLOT_WINDOW)
        return read_window(p, kind, slot.word, word, words);
    if (slot.type == FV_SLOT_ATTR)
        return read_attr(p, kind, words, slot.word, word.text, word.column);
    if (words->n_others == FV_MAX_INPUTS - 1)
        return fv__line_fail(&p->line, word.column, "%s: more than %d layers", kind->word, FV_MAX_INPUTS);
    return fv__layer_output(p, kind->word, word.text, word.column, &words->other[words->n_others++]);
}

/* Whether the layer takes init=, bias= and table=. */
static void find_choices(const fv_parameter_spec *parameters, int n, bool *weights, bool *bias, bool *table)
{
    for (int i = 0; i < n; i++) {
        *weights |= parameters[i].weights;
        *bias |= parameters[i].optional;
        *table |= parameters[i].table;
    }
}

/* The keys of a line of this kind. */
int fv__layer_keys(const fv_layer_kind *kind, const char **keys, int room)
{
    bool weights = false, bias = false, table = false;
    int n = 0;
    find_choices(kind->parameters, kind->n_parameters, &weights, &bias, &table);
    for (int i = 0; i < kind->n_parts; i++)
        find_choices(kind->parts[i].parameters, kind->parts[i].n_parameters, &weights, &bias, &table);
    const char *const others[] = {weights ? "init" : NULL,
                                  weights ? "weights" : NULL,
                                  table ? "table" : NULL,
                                  bias ? "bias" : NULL,
                                  kind->slot[0].type != FV_SLOT_NAME ? "name" : NULL,
                                  "from"};
    for (int a = 0; a < kind->op->n_attrs && !kind->set && !kind->of_layer; a++) {
        bool is_slot = false;
        for (int i = 0; i < n_slots(kind); i++)
            is_slot = is_slot || (kind->slot[i].type == FV_SLOT_ATTR &&
                                  strcmp(kind->slot[i].word, kind->op->attrs[a].word) == 0);
        if (!is_slot && n++ < room)
            keys[n - 1] = kind->op->attrs[a].word;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i] && n++ < room)
            keys[n - 1] = others[i];
    return n;
}

static fv_status read_bias(fv_parse *p, const char *value, int column, bool *out)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return fv__line_fail(&p->line, column, "bias is '%s'; expected yes or no", value);
    *out = value[0] == 'y';
    return FV_OK;
}

/* init=he, init=normal:0.01 */
static fv_status read_init_key(fv_parse *p, char *value, int column, fv_init *out)
{
    char *colon = strchr(value, ':');
    if (colon)
        *colon = 0;
    return fv__init_read(&p->line, column, value, colon ? colon + 1 : NULL,
                         colon ? column + (int)(colon + 1 - value) : column, out);
}

/* table=0.1.2/1.2.3: the inputs that each output reads. */
static fv_status read_table(fv_parse *p, const fv_layer_kind *kind, const char *value, int column,
                            fv_layer_words *words)
{
    char what[FV_MESSAGE_BYTES];
    snprintf(what, sizeof what, "%s:%d:%d: %s", p->line.source, p->line.number,
             fv__line_column(&p->line, column), kind->word);
    words->has_table = true;
    fv__attrs_default(&fv_op_table, words->table);
    return fv__attrs_set(p->ctx, &fv_op_table, words->table, "table", value, what);
}

/* weights=LAYER: the parameters of another layer, which both layers share. */
static fv_status read_tied(fv_parse *p, const fv_layer_kind *kind, const char *name, int column,
                           fv_layer_words *words)
{
    fv_named layer = {0};
    FV_TRY(fv__layer_named(p, kind->word, name, column, &layer));
    words->tied = layer.name;
    words->tied_column = column;
    return FV_OK;
}

static fv_status unknown_key(fv_parse *p, const fv_layer_kind *kind, const char *key, int column,
                             const char *const *keys, int n_keys)
{
    char text[160];
    const char *slots[FV_SLOTS];
    for (int i = 0; i < n_slots(kind); i++)
        slots[i] = kind->slot[i].word;
    const char *nearest = fv__nearest_word(key, keys, n_keys);
    const char *slot = nearest ? NULL : fv__nearest_word(key, slots, n_slots(kind));
    if (slot)
        return fv__line_fail(&p->line, column, "unknown key '%s' of %s; %s stands without a key: '%s'", key,
                             kind->word, slot, usage(kind, text, sizeof text));
    return fv__line_fail(&p->line, column, "unknown key '%s' of %s%s", key, kind->word,
                         fv__nearest_is(nearest).text);
}

/* The word is "key=value". */
static fv_status read_key(fv_parse *p, const fv_layer_kind *kind, fv_word word, const char *const *keys,
                          int n_keys, bool *given, fv_layer_words *words)
{
    char copy[FV_LINE_MAX_BYTES + 1];
    snprintf(copy, sizeof copy, "%s", word.text);
    char *value = strchr(copy, '=');
    *value++ = 0;
    const int column = word.column + (int)(value - copy);
    int k = 0;
    while (k < n_keys && strcmp(keys[k], copy) != 0)
        k++;
    if (k == n_keys)
        return unknown_key(p, kind, copy, word.column, keys, n_keys);
    if (given[k])
        return fv__line_fail(&p->line, word.column, "the key '%s' is given twice", copy);
    given[k] = true;
    if (strcmp(copy, "name") == 0)
        return fv__layer_name(p, value, column, words->name);
    if (strcmp(copy, "from") == 0)
        return fv__layer_output(p, kind->word, value, column, &p->current);
    if (strcmp(copy, "table") == 0)
        return read_table(p, kind, value, column, words);
    if (strcmp(copy, "weights") == 0)
        return read_tied(p, kind, value, column, words);
    if (strcmp(copy, "init") == 0) {
        words->init_column = word.column;
        return read_init_key(p, value, column, &words->init);
    }
    if (strcmp(copy, "bias") == 0)
        return read_bias(p, value, column, &words->bias);
    return read_attr(p, kind, words, copy, value, column);
}

static fv_status read_positional(fv_parse *p, const fv_layer_kind *kind, fv_layer_words *words, int *next)
{
    const fv_line *line = &p->line;
    const int n = n_slots(kind);
    char text[160];
    int w = 1;
    for (; w <= n && w < line->n_words && !strchr(line->word[w].text, '='); w++)
        FV_TRY(read_slot(p, kind, kind->slot[w - 1], line->word[w], words));
    if (w <= n)
        return fv__line_fail(line, w < line->n_words ? line->word[w].column : line->end_column,
                             "%s is missing; expected '%s'", kind->slot[w - 1].word,
                             usage(kind, text, sizeof text));
    for (; n > 0 && kind->slot[n - 1].type == FV_SLOT_LAYERS && w < line->n_words &&
           !strchr(line->word[w].text, '=');
         w++)
        FV_TRY(read_slot(p, kind, kind->slot[n - 1], line->word[w], words));
    *next = w;
    return FV_OK;
}

static fv_status read_words(fv_parse *p, const fv_layer_kind *kind, fv_layer_words *words)
{
    const fv_line *line = &p->line;
    const char *keys[MAX_KEYS];
    bool given[MAX_KEYS] = {false};
    const int n_keys = fv__layer_keys(kind, keys, MAX_KEYS);
    char text[160];
    int w = 1;
    if (n_keys > MAX_KEYS)
        return fv__fail(p->ctx, FV_ERR_INTERNAL, "layer '%s': %d keys; there is room for %d", kind->word,
                        n_keys, MAX_KEYS);
    FV_TRY(read_positional(p, kind, words, &w));
    for (; w < line->n_words; w++) {
        if (!strchr(line->word[w].text, '='))
            return fv__line_fail(line, line->word[w].column,
                                 "unexpected word '%s'; expected '%s', then key=value", line->word[w].text,
                                 usage(kind, text, sizeof text));
        FV_TRY(read_key(p, kind, line->word[w], keys, n_keys, given, words));
    }
    if (words->tied && words->init_column)
        return fv__line_fail(line, words->init_column, "init= and weights=: the weights are those of %s",
                             words->tied);
    return FV_OK;
}

fv_status fv__layer_read(fv_parse *p, const fv_layer_kind *kind)
{
    fv_model *model = p->model;
    fv_layer_words words = {.bias = true, .init = p->init};
    if (kind->op->attr_bytes > sizeof words.attrs)
        return fv__fail(p->ctx, FV_ERR_INTERNAL, "layer '%s': its attributes are too large", kind->word);
    if (model->n_layers > FV_MAX_LAYERS)
        return fv__line_fail(&p->line, 1, "more than %d layers", FV_MAX_LAYERS);
    fv__attrs_default(kind->op, words.attrs);
    FV_TRY(read_words(p, kind, &words));
    if (!words.name[0])
        automatic_name(p, kind, &words);
    p->scope->counts[number_of(kind)].n++;
    const size_t first_node = model->graph.n_nodes, first_tensor = model->graph.n_tensors;
    FV_TRY(fv__layer_append(p, kind, &words, &p->current));
    return fv__layer_record(p, kind->word, words.name, first_node, first_tensor);
}
