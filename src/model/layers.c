/* layers.c - appends a layer to the graph as its row describes it (fv_layer_kind in graph/op.h, in the
 * operation's file): its parameters, then its node or nodes. layer_line.c has read the line. */
#include "model/layers.h"
#include "ops/ops.h"
#include "ops/connections.h"

#include <stdio.h>
#include <string.h>

/* ---- appending ------------------------------------------------------------------------------------ */

static fv_status append_node(fv_parse *p, const fv_node_spec *node, int *output)
{
    fv_node_spec spec = *node;
    spec.line = p->line.number;
    spec.of = -1;
    return fv__graph_node(&p->model->graph, &spec, output);
}

fv_status fv__layer_node(fv_parse *p, const char *op, const char *name, const char *layer, int n_inputs,
                         const int *inputs, const void *attrs, int *output)
{
    fv_node_spec spec = {
        .op = fv__op_find(op), .name = name, .layer = layer, .n_inputs = n_inputs, .attrs = attrs};
    if (!spec.op)
        return fv__line_fail(&p->line, 1, "this build has no operation '%s'", op);
    for (int i = 0; i < n_inputs; i++)
        spec.input[i] = inputs[i];
    return append_node(p, &spec, output);
}

/* The layer that made the tensor: the first one that contains it. */
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

/* A tensor that is stored with the model, under exactly this name. A layer may have the name of another
 * layer's parameter ("c1.weight"). */
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

/* The layer that is being appended. */
typedef struct layer {
    fv_parse *p;
    const fv_layer_kind *kind;
    const fv_layer_words *words;
    fv_layer_shapes shapes;
} layer;

/* NAME, or NAME.suffix. */
static const char *full_name(const layer *l, const char *suffix, char *buffer, size_t bytes)
{
    snprintf(buffer, bytes, "%s%s%s", l->words->name, suffix ? "." : "", suffix ? suffix : "");
    return buffer;
}
enum { FULL_NAME_BYTES = FV_LAYER_NAME_BYTES + 32 };

/* The product of all dimensions but one, as far as an int reaches: in [out][in][window...] the products
 * that an output sums (dimension 0), or that an input contributes to (dimension 1). */
static int64_t fan(fv_shape weights, int dimension)
{
    if (weights.rank > dimension)
        weights.dim[dimension] = 1;
    return fv__shape_count(weights);
}

static int as_int(int64_t n)
{
    return n > INT32_MAX ? INT32_MAX : (int)n;
}

/* A parameter that another layer owns. */
static fv_status find_tied(layer *l, const fv_parameter_spec *spec, int *tensor)
{
    fv_parse *const p = l->p;
    const fv_graph *const graph = &p->model->graph;
    char name[FULL_NAME_BYTES], expected[FV_SHAPE_TEXT], found[FV_SHAPE_TEXT] = "none";
    snprintf(name, sizeof name, "%s%s%s", l->words->tied, spec->suffix ? "." : "",
             spec->suffix ? spec->suffix : "");
    const fv_shape shape = spec->shape(&l->shapes);
    const int at = fv__graph_find_tensor(graph, name);
    if (at >= 0 && graph->tensors[at].role == spec->role) {
        if (fv__shape_equal(graph->tensors[at].shape, shape)) {
            *tensor = at;
            return FV_OK;
        }
        fv__shape_text(graph->tensors[at].shape, found);
    }
    return fv__line_fail(&p->line, l->words->tied_column,
                         "%s: expected '%s' of shape %s, for weights=%s, found %s%s", l->kind->word, name,
                         fv__shape_text(shape, expected), l->words->tied, found,
                         at < 0 && spec->optional ? "; bias=no does without" : "");
}

/* A parameter or a statistic. */
static fv_status append_stored(layer *l, const fv_parameter_spec *spec, int *tensor)
{
    fv_parse *const p = l->p;
    char name[FULL_NAME_BYTES], what[FV_MESSAGE_BYTES];
    if (l->words->tied)
        return find_tied(l, spec, tensor);
    full_name(l, spec->suffix, name, sizeof name);
    snprintf(what, sizeof what, "%s:%d: %s", p->line.source, p->line.number, name);
    l->shapes.fan_in = l->shapes.fan_out = 0;
    const fv_shape shape = spec->shape(&l->shapes);
    FV_TRY(fv__shape_check(p->ctx, shape, what));
    FV_TRY(stored_tensor(p, l->words->name, name, shape, spec->role, tensor));
    fv_tensor *const t = &p->model->graph.tensors[*tensor];
    t->init = spec->weights ? l->words->init : spec->init;
    t->decays = spec->weights;
    if (spec->weights) {
        t->init.fan_in = as_int(l->shapes.fan_in ? l->shapes.fan_in : fan(shape, 0));
        t->init.fan_out = as_int(l->shapes.fan_out ? l->shapes.fan_out : fan(shape, 1));
    }
    return FV_OK;
}

/* A tensor of the whole batch, computed from the layer's input. */
static fv_status append_of_batch(layer *l, const fv_parameter_spec *spec, int *tensor)
{
    char name[FULL_NAME_BYTES];
    const fv_node_spec node = {.op = spec->of_batch,
                               .name = full_name(l, spec->suffix, name, sizeof name),
                               .layer = l->words->name,
                               .n_inputs = 1,
                               .input = {l->p->current},
                               .role = spec->role};
    return append_node(l->p, &node, tensor);
}

/* The table of the connections that exist, from table=. */
static fv_status append_table(layer *l, int *tensor)
{
    const fv_table_attrs *const table = (const fv_table_attrs *)(const void *)l->words->table;
    fv_tensor *const w = &l->p->model->graph.tensors[*tensor];
    char name[FULL_NAME_BYTES];
    const fv_node_spec node = {.op = &fv_op_table,
                               .name = full_name(l, "table", name, sizeof name),
                               .layer = l->words->name,
                               .n_inputs = 1,
                               .input = {*tensor},
                               .attrs = table,
                               .role = FV_ROLE_PARAMETER};
    if (w->shape.dim[0] > 0) /* the mean over the outputs */
        w->init.fan_in =
            as_int(fan(w->shape, 0) / w->shape.dim[1] * fv__table_connections(table) / w->shape.dim[0]);
    return append_node(l->p, &node, tensor);
}

/* Appends a node of the layer, which reads `input`, the layers that the line names, and its parameters. */
static fv_status append_part(layer *l, const fv_layer_part *part, int input, int *output)
{
    const fv_layer_words *const words = l->words;
    char name[FULL_NAME_BYTES];
    fv_node_spec node = {.op = part->op,
                         .layer = words->name,
                         .n_inputs = 1,
                         .input = {input},
                         .attrs = part->op == l->kind->op ? words->attrs : NULL};
    for (int i = 0; i < words->n_others && !l->kind->parts; i++)
        node.input[node.n_inputs++] = words->other[i];
    for (int i = 0; i < part->n_parameters; i++) {
        const fv_parameter_spec *const spec = &part->parameters[i];
        if (spec->optional && !words->bias)
            continue;
        if (node.n_inputs == FV_MAX_INPUTS)
            return fv__line_fail(&l->p->line, 1, "%s: more than %d inputs", l->kind->word, FV_MAX_INPUTS);
        int *const tensor = &node.input[node.n_inputs++];
        FV_TRY((spec->of_batch ? append_of_batch : append_stored)(l, spec, tensor));
        if (spec->table && words->has_table)
            FV_TRY(append_table(l, tensor));
    }
    _Alignas(16) unsigned char attrs[FV_ATTR_MAX_BYTES];
    if (part->set && part->op->attr_bytes <= sizeof attrs) {
        fv__attrs_default(part->op, attrs);
        part->set(l->shapes.in, words->attrs, attrs);
        node.attrs = attrs;
    }
    node.name = full_name(l, part->suffix, name, sizeof name);
    return append_node(l->p, &node, output);
}

/* ---- the input of a layer ------------------------------------------------------------------------- */

/* "reads a sequence or an image" */
static const char *name_readable(unsigned reads, char *buffer, size_t bytes)
{
    static const char *const names[] = {
        [1] = "a vector", [2] = "a sequence of tokens", [3] = "an image", [4] = "a video"};
    size_t n = 0;
    buffer[0] = '\0';
    for (int rank = 1; rank <= 4; rank++)
        if (reads >> rank & 1) {
            const bool last = reads >> (rank + 1) == 0;
            n += (size_t)snprintf(buffer + n, bytes - n, "%s%s",
                                  n == 0 ? ""
                                  : last ? " or "
                                         : ", ",
                                  names[rank]);
        }
    return buffer;
}

static fv_status expect_input(const layer *l, fv_shape in)
{
    static const char *const names[] = {"a tensor", "a vector", "a sequence", "an image", "a video"};
    const unsigned reads = l->kind->reads;
    char text[FV_SHAPE_TEXT], readable[120], size[FV_SHAPE_TEXT + 16];
    if (!reads || reads >> in.rank & 1)
        return FV_OK;
    const bool named = l->kind->slot[0].type == FV_SLOT_NAME;
    if (in.rank == 1)
        snprintf(size, sizeof size, "%d values", in.dim[0]);
    else
        snprintf(size, sizeof size, "%s", fv__shape_text(in, text));
    return fv__line_fail(&l->p->line, 1, "%s%s%s reads %s, but its input is %s of %s%s", l->kind->word,
                         named ? " " : "", named ? l->words->name : "",
                         name_readable(reads, readable, sizeof readable), names[in.rank < 5 ? in.rank : 0],
                         size,
                         reads & FV_READS_VECTOR      ? "; put a 'flatten' line before it"
                         : reads == FV_READS_SEQUENCE ? "; a 'tokens' line makes one of an image"
                                                      : "");
}

/* A single number holds for every direction of the input. */
static fv_status spread_window(layer *l, fv_shape in)
{
    const fv_layer_words *const words = l->words;
    const int n = in.rank - 1;
    fv_layer_shapes *const q = &l->shapes;
    if (words->window.n == 0)
        return FV_OK;
    if (words->window.n != 1 && words->window.n != n)
        return fv__line_fail(&l->p->line, words->window_word.column,
                             "%s: %s is '%s'; expected a size such as %s, each number from 1 to %d",
                             l->kind->word, words->window_slot, words->window_word.text,
                             n == 1   ? "5"
                             : n == 2 ? "5x5 or 5"
                                      : "5x5x5 or 5",
                             FV_MAX_DIM);
    q->n_window = n;
    for (int i = 0; i < n && i < FV_DIRECTIONS; i++)
        q->window[i] = words->window.at[words->window.n == 1 ? 0 : i];
    return FV_OK;
}

/* A layer that follows another one: its attributes, and the tensor of that layer that it reads. */
static fv_status follow_layer(layer *l, fv_layer_words *words)
{
    const fv_graph *const graph = &l->p->model->graph;
    const int source = graph->tensors[words->other[0]].source;
    if (source >= 0 && l->kind->of_layer(&graph->nodes[source], words->attrs, &words->other[0]))
        return FV_OK;
    return fv__line_fail(&l->p->line, l->p->line.word[1].column, "%s: expected a %s layer, found '%s'",
                         l->kind->word, l->kind->of_word, l->p->line.word[1].text);
}

fv_status fv__layer_append(fv_parse *p, const fv_layer_kind *kind, fv_layer_words *words, int *output)
{
    const fv_shape in = p->model->graph.tensors[p->current].shape;
    const fv_layer_part whole = {.op = kind->op,
                                 .suffix = kind->node_suffix,
                                 .parameters = kind->parameters,
                                 .n_parameters = kind->n_parameters};
    layer l = {.p = p, .kind = kind, .words = words};
    l.shapes = (fv_layer_shapes){.in = in, .count = words->count, .attrs = words->attrs};
    FV_TRY(expect_input(&l, in));
    FV_TRY(spread_window(&l, in));
    if (kind->set)
        kind->set(in, words->attrs);
    if (kind->of_layer)
        FV_TRY(follow_layer(&l, words));
    int tensor = p->current;
    for (int i = 0; i < (kind->parts ? kind->n_parts : 1); i++)
        FV_TRY(append_part(&l, kind->parts ? &kind->parts[i] : &whole, tensor, &tensor));
    *output = tensor;
    return FV_OK;
}
