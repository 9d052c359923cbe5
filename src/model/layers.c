/* layers.c - the layer words, one row each: the words of its line (read by layer_line.c), and what it appends
 * to the graph.
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
        FV_TRY(fv__layer_parameter(p, words->name, "bias", FV_SHAPE(weight.dim[0]), zero, false, &inputs[2]));
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
    return weighted(p, kind, words, FV_SHAPE(words->count, seen, kh, kw), output);
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
    return weighted(p, kind, words, FV_SHAPE(words->count, in.dim[0]), output);
}

static fv_status build_bias(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words, int *output)
{
    const fv_init zero = {.kind = FV_INIT_ZERO};
    int inputs[2] = {p->current, -1};
    const fv_shape shape = FV_SHAPE(fv__layer_input(p).dim[0]);
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
    const fv_shape shape = FV_SHAPE(fv__layer_input(p).dim[0]);
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
    {"globalavgpool", "avgpool", {{0}}, false, build_globalavgpool, .fixed = true},
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
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };
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
