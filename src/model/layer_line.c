/* layer_line.c - reads a layer's line: its name, its positional words, its keys, as the layer's row has them.
 */
#include "model/layers.h"
#include "ops/ops.h"

#include <stdio.h>
#include <string.h>

enum { N_SLOTS = 3, MAX_KEYS = 16 };

/* The row's place in the table. */
static int number_of(const fv_layer_kind *kind)
{
    return (int)(kind - fv__layer_kind_at(0));
}

static int n_slots(const fv_layer_kind *kind)
{
    int n = 0;
    while (n < N_SLOTS && kind->slot[n].type != FV_SLOT_NONE)
        n++;
    return n;
}

/* "conv NAME CHANNELS KERNEL" */
static const char *usage(const fv_layer_kind *kind, char *buffer, size_t bytes)
{
    size_t n = (size_t)snprintf(buffer, bytes, "%s", kind->word);
    for (int i = 0; i < n_slots(kind) && n < bytes; i++)
        n += (size_t)snprintf(buffer + n, bytes - n, " %s", kind->slot[i].word);
    return buffer;
}

static const fv_layer_record *layer_find(const fv_parse *p, const char *name)
{
    const int index = fv__names_find(&p->names, name);
    return index >= 0 ? &p->model->layers[index] : NULL;
}

static fv_status read_name(fv_parse *p, fv_layer_words *words, const char *name, int column)
{
    static const char *const reserved[] = {"input", "label", "loss", "optimizer", "__metadata__"};
    if (!fv__name_ok(name))
        return fv__line_fail(
            &p->line, column,
            "'%s' is no name: a letter or '_' first, then letters, digits, '_', '-' and single '.', at most "
            "%d",
            name, FV_NAME_MAX_BYTES);
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcspn(name, ".") == strlen(reserved[i]) && strncmp(name, reserved[i], strlen(reserved[i])) == 0)
            return fv__line_fail(&p->line, column, "the name '%s' is reserved", name);
    const fv_layer_record *twin = layer_find(p, name);
    if (twin)
        return fv__line_fail(&p->line, column, "the name '%s' is taken by the %s of line %d", name,
                             twin->kind, twin->line);
    snprintf(words->name, sizeof words->name, "%s", name);
    return FV_OK;
}

/* "relu", "relu2", "relu3": the number counts the layers of the kind, and passes over names that are taken,
 * as are all up to the last one given. */
static void automatic_name(fv_parse *p, const fv_layer_kind *kind, fv_layer_words *words)
{
    const int at = number_of(kind), after = p->last_of_kind[at] + 1, count = p->n_of_kind[at] + 1;
    int n = after > count ? after : count;
    snprintf(words->name, sizeof words->name, "%s", kind->word);
    if (n > 1)
        snprintf(words->name, sizeof words->name, "%s%d", kind->word, n);
    while (layer_find(p, words->name))
        snprintf(words->name, sizeof words->name, "%s%d", kind->word, ++n);
    p->last_of_kind[at] = n;
}

static fv_status read_sizes(fv_parse *p, const fv_layer_kind *kind, const char *what, fv_word word, int n,
                            int *out)
{
    int64_t size[2];
    const bool well = n == 1 ? fv__parse_count(word.text, size) : fv__parse_sizes(word.text, n, true, size);
    bool in_range = well;
    for (int i = 0; well && i < n; i++)
        in_range = in_range && size[i] >= 1 && size[i] <= FV_MAX_DIM;
    if (!in_range)
        return fv__line_fail(&p->line, word.column, "%s: %s is '%s'; expected %s from 1 to %d", kind->word,
                             what, word.text,
                             n == 1 ? "a whole number" : "a size such as 5x5 or 5, each number", FV_MAX_DIM);
    for (int i = 0; i < n; i++)
        out[i] = (int)size[i];
    return FV_OK;
}

static fv_status read_attr(fv_parse *p, const fv_layer_kind *kind, fv_layer_words *words, const char *key,
                           const char *value, int column)
{
    char what[FV_MESSAGE_BYTES];
    snprintf(what, sizeof what, "%s:%d:%d: %s", p->line.source, p->line.number, column, kind->word);
    return fv__attrs_set(p->ctx, fv__op_find(kind->op), words->attrs, key, value, what);
}

static fv_status no_such_layer(const fv_parse *p, const fv_layer_kind *kind, const char *name, int column)
{
    const fv_model *const model = p->model;
    const char **const names = fv__alloc(p->ctx, model->n_layers, sizeof *names);
    if (!names)
        return FV_ERR_MEMORY;
    for (size_t i = 0; i < model->n_layers; i++)
        names[i] = model->layers[i].name;
    const char *const nearest = fv__nearest(name, names, (int)model->n_layers);
    fv__free(p->ctx, names);
    return fv__line_fail(&p->line, column, "%s: no earlier layer is called '%s'%s%s%s", kind->word, name,
                         nearest ? "; nearest is '" : "", nearest ? nearest : "", nearest ? "'" : "");
}

/* The output of an earlier layer. */
static fv_status read_layer(fv_parse *p, const fv_layer_kind *kind, const char *name, int column, int *tensor)
{
    const fv_layer_record *other = layer_find(p, name);
    if (!other)
        return no_such_layer(p, kind, name, column);
    *tensor = other->output;
    return FV_OK;
}

static fv_status read_slot(fv_parse *p, const fv_layer_kind *kind, fv_slot slot, fv_word word,
                           fv_layer_words *words)
{
    if (slot.type == FV_SLOT_NAME)
        return read_name(p, words, word.text, word.column);
    if (slot.type == FV_SLOT_COUNT)
        return read_sizes(p, kind, slot.word, word, 1, &words->count);
    if (slot.type == FV_SLOT_PAIR)
        return read_sizes(p, kind, slot.word, word, 2, words->kernel);
    if (slot.type == FV_SLOT_ATTR)
        return read_attr(p, kind, words, slot.word, word.text, word.column);
    return read_layer(p, kind, word.text, word.column, &words->other);
}

/* The keys that a line of this kind may have. */
static int list_keys(const fv_layer_kind *kind, const fv_op *op, const char *keys[MAX_KEYS])
{
    int n = 0;
    for (int a = 0; a < op->n_attrs && n < MAX_KEYS - 4 && !kind->fixed; a++) {
        bool is_slot = false;
        for (int i = 0; i < n_slots(kind); i++)
            is_slot = is_slot || (kind->slot[i].type == FV_SLOT_ATTR &&
                                  strcmp(kind->slot[i].word, op->attrs[a].word) == 0);
        /* conv2d's kernel is its weight's: an attribute for the kernels' sake alone */
        if (!is_slot && !(kind->weighted && strcmp(op->attrs[a].word, "kernel") == 0))
            keys[n++] = op->attrs[a].word;
    }
    if (kind->weighted) {
        keys[n++] = "init";
        keys[n++] = "bias";
    }
    if (kind->slot[0].type != FV_SLOT_NAME)
        keys[n++] = "name";
    keys[n++] = "from";
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

static fv_status unknown_key(fv_parse *p, const fv_layer_kind *kind, const char *key, int column,
                             const char *const *keys, int n_keys)
{
    char text[160];
    const char *slots[N_SLOTS];
    for (int i = 0; i < n_slots(kind); i++)
        slots[i] = kind->slot[i].word;
    const char *nearest = fv__nearest_word(key, keys, n_keys);
    const char *slot = nearest ? NULL : fv__nearest_word(key, slots, n_slots(kind));
    if (slot)
        return fv__line_fail(&p->line, column, "unknown key '%s' of %s; %s stands without a key: '%s'", key,
                             kind->word, slot, usage(kind, text, sizeof text));
    return fv__line_fail(&p->line, column, "unknown key '%s' of %s%s%s%s", key, kind->word,
                         nearest ? "; nearest is '" : "", nearest ? nearest : "", nearest ? "'" : "");
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
        return read_name(p, words, value, column);
    if (strcmp(copy, "from") == 0)
        return read_layer(p, kind, value, column, &p->current);
    if (kind->weighted && strcmp(copy, "init") == 0)
        return read_init_key(p, value, column, &words->init);
    if (kind->weighted && strcmp(copy, "bias") == 0)
        return read_bias(p, value, column, &words->bias);
    return read_attr(p, kind, words, copy, value, column);
}

static fv_status read_words(fv_parse *p, const fv_layer_kind *kind, const fv_op *op, fv_layer_words *words)
{
    const fv_line *line = &p->line;
    const char *keys[MAX_KEYS];
    bool given[MAX_KEYS] = {false};
    const int n_keys = list_keys(kind, op, keys), n = n_slots(kind);
    char text[160];
    int w = 1;
    for (; w <= n && w < line->n_words && !strchr(line->word[w].text, '='); w++)
        FV_TRY(read_slot(p, kind, kind->slot[w - 1], line->word[w], words));
    if (w <= n)
        return fv__line_fail(line, w < line->n_words ? line->word[w].column : line->end_column,
                             "%s is missing; expected '%s'", kind->slot[w - 1].word,
                             usage(kind, text, sizeof text));
    for (; w < line->n_words; w++) {
        if (!strchr(line->word[w].text, '='))
            return fv__line_fail(line, line->word[w].column,
                                 "unexpected word '%s'; expected '%s', then key=value", line->word[w].text,
                                 usage(kind, text, sizeof text));
        FV_TRY(read_key(p, kind, line->word[w], keys, n_keys, given, words));
    }
    return FV_OK;
}

fv_status fv__layer_read(fv_parse *p, const fv_layer_kind *kind)
{
    fv_model *model = p->model;
    const fv_op *op = fv__op_find(kind->op);
    fv_layer_words words = {.bias = true, .init = p->init, .other = -1};
    if (!op || op->attr_bytes > sizeof words.attrs)
        return fv__fail(p->ctx, FV_ERR_INTERNAL,
                        "layer '%s': its operation '%s' is not in the table, or its "
                        "attributes are too large",
                        kind->word, kind->op);
    if (model->n_layers > FV_MAX_LAYERS)
        return fv__line_fail(&p->line, 1, "more than %d layers", FV_MAX_LAYERS);
    if (op->attr_bytes)
        fv__attrs_default(op, words.attrs);
    FV_TRY(read_words(p, kind, op, &words));
    if (!words.name[0])
        automatic_name(p, kind, &words);
    p->n_of_kind[number_of(kind)]++;
    const size_t first_node = model->graph.n_nodes, first_tensor = model->graph.n_tensors;
    FV_TRY(kind->build(p, kind, &words, &p->current));
    return fv__layer_record(p, kind->word, words.name, first_node, first_tensor);
}
