/* layers.c - the layer words, one row each: the words of its line, and what it appends to the graph.
 *
 * A row without parameters needs no code here: `plain` appends the operation, whose own table of attributes
 * says which keys the line may have. */
#include "model/layers.h"
#include "ops/ops.h"

#include <stdio.h>
#include <string.h>

/* ---- appending ------------------------------------------------------------------------------------ */

fv_status fv__layer_node(fv_parse *p, const char *op, const char *name, const char *layer, int n_inputs,
                         const int *inputs, const void *attrs, int *output)
{
    fv_node_spec spec = {.op = fv__op_find(op),
                         .name = name,
                         .layer = layer,
                         .line = p->line.number,
                         .n_inputs = n_inputs,
                         .attrs = attrs,
                         .role = FV_ROLE_VALUE,
                         .of = -1};
    if (!spec.op)
        return fv__line_fail(&p->line, 1, "this build has no operation '%s'", op);
    for (int i = 0; i < n_inputs; i++)
        spec.input[i] = inputs[i];
    return fv__graph_node(&p->model->graph, &spec, output);
}

/* The layer that made the tensor: the first one that has to do with it. */
static const fv_layer_record *maker(const fv_parse *p, int tensor)
{
    const fv_model *const model = p->model;
    for (size_t i = 0; i < model->n_layers; i++)
        for (size_t k = 0; k < model->layers[i].n_nodes; k++) {
            const fv_node *const node = &model->graph.nodes[model->layers[i].first_node + k];
            bool its_own = node->output == tensor;
            for (int j = 0; j < node->n_inputs; j++)
                its_own |= node->input[j] == tensor;
            if (its_own)
                return &model->layers[i];
        }
    return NULL;
}

/* A tensor that is stored with the model, under this very name. A layer may be called as another's parameter
 * is ("c1.weight"). */
static fv_status stored_tensor(fv_parse *p, const char *layer, const char *name, fv_shape shape, fv_role role,
                               int *tensor)
{
    const fv_graph *const graph = &p->model->graph;
    const int twin = fv__graph_find_tensor(graph, name);
    const fv_layer_record *const other = twin >= 0 ? maker(p, twin) : NULL;
    if (other)
        return fv__line_fail(&p->line, 1, "%s %s: the name of its '%s' is taken by the %s %s of line %d",
                             p->line.word[0].text, layer, name, other->kind, other->name, other->line);
    return fv__graph_tensor(&p->model->graph, name, shape, role, tensor);
}

fv_status fv__layer_parameter(fv_parse *p, const char *layer, const char *suffix, fv_shape shape,
                              fv_init init, bool decays, int *tensor)
{
    fv_graph *graph = &p->model->graph;
    char name[FV_NAME_MAX_BYTES + 32];
    char what[FV_MESSAGE_BYTES];
    snprintf(name, sizeof name, "%s%s%s", layer, suffix ? "." : "", suffix ? suffix : "");
    snprintf(what, sizeof what, "%s:%d: %s", p->line.source, p->line.number, name);
    FV_TRY(fv__shape_check(p->ctx, shape, what));
    int id = -1;
    FV_TRY(stored_tensor(p, layer, name, shape, FV_ROLE_PARAMETER, &id));
    graph->tensors[id].init = init;
    graph->tensors[id].decays = decays;
    *tensor = id;
    return FV_OK;
}

fv_shape fv__layer_input(const fv_parse *p)
{
    return p->model->graph.tensors[p->current].shape;
}

/* Products that an output sums (dimension 0: one output), or that an input takes part in (dimension 1: one
 * input). */
static int fan(fv_shape weight, int dimension)
{
    weight.dim[dimension] = 1;
    const int64_t n = fv__shape_count(weight);
    return n > INT32_MAX ? INT32_MAX : (int)n;
}

/* Weight [o][i] or [o][i][kh][kw] and bias [o], then the node: what conv and linear have in common. */
static fv_status weighted(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words,
                          fv_shape weight, int *output)
{
    const fv_init zero = {.kind = FV_INIT_ZERO};
    fv_init init = words->init;
    init.fan_in = fan(weight, 0);
    init.fan_out = fan(weight, 1);
    int inputs[3] = {p->current, -1, -1};
    FV_TRY(fv__layer_parameter(p, words->name, "weight", weight, init, true, &inputs[1]));
    if (words->bias)
        FV_TRY(fv__layer_parameter(p, words->name, "bias", fv__shape(1, weight.dim[0], 0, 0, 0), zero, false,
                                   &inputs[2]));
    return fv__layer_node(p, kind->op, words->name, words->name, words->bias ? 3 : 2, inputs, words->attrs,
                          output);
}

static fv_status expect_image(const fv_parse *p, const char *layer)
{
    const fv_shape in = fv__layer_input(p);
    char text[FV_SHAPE_TEXT];
    if (in.rank == 3)
        return FV_OK;
    if (in.rank == 2)
        return fv__line_fail(&p->line, 1, "%s reads an image, but its input is a sequence of %s", layer,
                             fv__shape_text(in, text));
    return fv__line_fail(&p->line, 1, "%s reads an image, but its input is a vector of %d values", layer,
                         in.dim[0]);
}

static fv_status build_conv(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words, int *output)
{
    const fv_shape in = fv__layer_input(p);
    const int kh = words->kernel[0], kw = words->kernel[1];
    char layer[sizeof words->name + 8];
    snprintf(layer, sizeof layer, "conv %s", words->name);
    FV_TRY(expect_image(p, layer));
    const fv_conv_attrs *const attrs = (const void *)words->attrs;
    const int seen = in.dim[0] < attrs->groups ? 1 : in.dim[0] / attrs->groups; /* the node checks it */
    return weighted(p, kind, words, fv__shape(4, words->count, seen, kh, kw), output);
}

static fv_status build_linear(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words,
                              int *output)
{
    const fv_shape in = fv__layer_input(p);
    char text[FV_SHAPE_TEXT];
    if (in.rank == 3)
        return fv__line_fail(
            &p->line, 1,
            "linear %s reads a vector, but its input is an image of %s; put a 'flatten' line "
            "before it",
            words->name, fv__shape_text(in, text));
    return weighted(p, kind, words, fv__shape(2, words->count, in.dim[0], 0, 0), output);
}

static fv_status build_bias(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words, int *output)
{
    const fv_init zero = {.kind = FV_INIT_ZERO};
    int inputs[2] = {p->current, -1};
    const fv_shape shape = fv__shape(1, fv__layer_input(p).dim[0], 0, 0, 0);
    FV_TRY(fv__layer_parameter(p, words->name, "bias", shape, zero, false, &inputs[1]));
    return fv__layer_node(p, kind->op, words->name, words->name, 2, inputs, words->attrs, output);
}

/* A number per channel, stored with the model but not learned. */
static fv_status statistic(fv_parse *p, const char *layer, const char *suffix, fv_shape shape, double value,
                           int *tensor)
{
    fv_graph *graph = &p->model->graph;
    char name[FV_NAME_MAX_BYTES + 32];
    snprintf(name, sizeof name, "%s.%s", layer, suffix);
    FV_TRY(stored_tensor(p, layer, name, shape, FV_ROLE_STATISTIC, tensor));
    graph->tensors[*tensor].init = (fv_init){.kind = FV_INIT_CONSTANT, .scale = value};
    return FV_OK;
}

/* NAME.stats from the batch, then NAME, which reads those in training and the running ones in inference. */
static fv_status build_batchnorm(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words,
                                 int *output)
{
    const fv_init zero = {.kind = FV_INIT_ZERO}, one = {.kind = FV_INIT_CONSTANT, .scale = 1};
    const fv_shape shape = fv__shape(1, fv__layer_input(p).dim[0], 0, 0, 0);
    char name[FV_NAME_MAX_BYTES + 32];
    snprintf(name, sizeof name, "%s.stats", words->name);
    fv_node_spec stats = {.op = fv__op_find("batchnorm_stats"),
                          .name = name,
                          .layer = words->name,
                          .line = p->line.number,
                          .n_inputs = 1,
                          .input = {p->current},
                          .role = FV_ROLE_BATCH,
                          .of = -1};
    int inputs[6] = {p->current};
    FV_TRY(fv__graph_node(&p->model->graph, &stats, &inputs[1]));
    FV_TRY(fv__layer_parameter(p, words->name, "weight", shape, one, false, &inputs[2]));
    FV_TRY(fv__layer_parameter(p, words->name, "bias", shape, zero, false, &inputs[3]));
    FV_TRY(statistic(p, words->name, "running_mean", shape, 0, &inputs[4]));
    FV_TRY(statistic(p, words->name, "running_var", shape, 1, &inputs[5]));
    return fv__layer_node(p, kind->op, words->name, words->name, 6, inputs, words->attrs, output);
}

/* An average pool whose one window is the image. */
static fv_status build_globalavgpool(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words,
                                     int *output)
{
    const fv_shape in = fv__layer_input(p);
    FV_TRY(expect_image(p, "globalavgpool"));
    const fv_window_attrs attrs = {.kernel = {in.dim[1], in.dim[2]}};
    return fv__layer_node(p, kind->op, words->name, words->name, 1, &p->current, &attrs, output);
}

static fv_status build_add(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words, int *output)
{
    const int inputs[2] = {p->current, words->other};
    return fv__layer_node(p, kind->op, words->name, words->name, 2, inputs, words->attrs, output);
}

static fv_status plain(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words, int *output)
{
    return fv__layer_node(p, kind->op, words->name, words->name, 1, &p->current, words->attrs, output);
}

/* ---- the table ------------------------------------------------------------------------------------ */

static const fv_layer_kind kinds[] = {
    {"conv",
     "conv2d",
     {{FV_SLOT_NAME, "NAME"}, {FV_SLOT_COUNT, "CHANNELS"}, {FV_SLOT_PAIR, "KERNEL"}},
     true,
     build_conv},
    {"linear", "linear", {{FV_SLOT_NAME, "NAME"}, {FV_SLOT_COUNT, "FEATURES"}}, true, build_linear},
    {"bias", "bias", {{FV_SLOT_NAME, "NAME"}}, false, build_bias},
    {"maxpool", "maxpool", {{FV_SLOT_ATTR, "kernel"}}, false, plain},
    {"avgpool", "avgpool", {{FV_SLOT_ATTR, "kernel"}}, false, plain},
    {"globalavgpool", "avgpool", {{0}}, false, build_globalavgpool},
    {"batchnorm", "batchnorm", {{FV_SLOT_NAME, "NAME"}}, false, build_batchnorm},
    {"layernorm", "layernorm", {{FV_SLOT_NAME, "NAME"}}, false, fv__layer_layernorm},
    {"tokens", "tokens", {{0}}, false, plain},
    {"classtoken", "class_token", {{FV_SLOT_NAME, "NAME"}}, false, fv__layer_class_token},
    {"position", "position", {{FV_SLOT_NAME, "NAME"}}, false, fv__layer_position},
    {"attention", "attention", {{FV_SLOT_NAME, "NAME"}, {FV_SLOT_ATTR, "heads"}}, true, fv__layer_attention},
    {"slice", "slice", {{FV_SLOT_ATTR, "first"}, {FV_SLOT_ATTR, "count"}}, false, plain},
    {"flatten", "flatten", {{0}}, false, plain},
    {"identity", "identity", {{0}}, false, plain},
    {"sigmoid", "sigmoid", {{0}}, false, plain},
    {"tanh", "tanh", {{0}}, false, plain},
    {"relu", "relu", {{0}}, false, plain},
    {"leakyrelu", "leaky_relu", {{0}}, false, plain},
    {"softplus", "softplus", {{0}}, false, plain},
    {"gelu", "gelu", {{0}}, false, plain},
    {"softmax", "softmax", {{0}}, false, plain},
    {"dropout", "dropout", {{FV_SLOT_ATTR, "rate"}}, false, plain},
    {"add", "add", {{FV_SLOT_LAYER, "LAYER"}}, false, build_add},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0], N_SLOTS = 3, MAX_KEYS = 16 };
_Static_assert(N_KINDS <= FV_MAX_KINDS, "every kind has its number in fv_parse");

const fv_layer_kind *fv__layer_kind_at(int index)
{
    return index >= 0 && index < N_KINDS ? &kinds[index] : NULL;
}

const fv_layer_kind *fv__layer_kind_find(const char *word)
{
    for (int i = 0; i < N_KINDS; i++)
        if (strcmp(kinds[i].word, word) == 0)
            return &kinds[i];
    return NULL;
}

/* ---- reading a line ------------------------------------------------------------------------------- */

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
    const int at = (int)(kind - kinds), after = p->last_of_kind[at] + 1, count = p->n_of_kind[at] + 1;
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
    for (int a = 0; a < op->n_attrs && n < MAX_KEYS - 4 && kind->build != build_globalavgpool; a++) {
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
    p->n_of_kind[kind - kinds]++;
    const size_t first_node = model->graph.n_nodes, first_tensor = model->graph.n_tensors;
    FV_TRY(kind->build(p, kind, &words, &p->current));
    return fv__layer_record(p, kind->word, words.name, first_node, first_tensor);
}
