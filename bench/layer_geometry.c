/* layer_geometry.c - a row of the table as a model and in numbers. Shapes come from the graph that the
 * model library builds, so that no shape rule is repeated here. */
#include "bench_layers.h"

#include "model/model.h"
#include "ops/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

operand_id pass_result(pass p)
{
    return p == PASS_FORWARD ? OPERAND_Y : p == PASS_DATA ? OPERAND_X : OPERAND_W;
}

size_t problem_count(const problem *p, operand_id which)
{
    const geometry *const g = &p->geometry;
    if (which == OPERAND_W)
        return (size_t)fv__shape_count(g->w);
    return (size_t)p->batch * (size_t)fv__shape_count(which == OPERAND_X ? g->x : g->y);
}

static bool is_linear(const layer *l)
{
    return strncmp(l->text, "linear", 6) == 0;
}

fv_model *layer_model(fv_context *ctx, const layer *l)
{
    char input[128], text[512];
    fv_model *model;
    const bool tokens = strncmp(l->input, "tokens ", 7) == 0;
    if (tokens) /* an image of one column */
        snprintf(input, sizeof input, "image %sx1\ntokens", l->input + 7);
    else
        snprintf(input, sizeof input, "%s%s", l->input, is_linear(l) ? "\nflatten" : "");
    snprintf(text, sizeof text, "input %s\n%s bias=no\nflatten\nlinear end 2\nloss squared-error\n", input,
             l->text);
    die_unless_ok(ctx, fv_model_from_text(ctx, text, l->text, &model), l->text);
    return model;
}

/* Lines of the text: input, perhaps tokens or flatten, the layer, flatten, linear end. */
static const fv_layer_record *record(const fv_model *model)
{
    for (size_t i = 0; i < model->n_layers; i++)
        if (strcmp(model->layers[i].name, "c") == 0)
            return &model->layers[i];
    die("a layer is not called c");
}

int layer_model_output(const fv_model *model)
{
    return record(model)->output;
}

int layer_model_input(const fv_model *model)
{
    return record(model)[-1].output;
}

/* The numbers of "key=2x3" in a line, or `otherwise` if the line lacks the key. */
static void read_key(const layer *l, const char *key, int axes, int otherwise, int value[LAYER_AXES])
{
    char word[32];
    snprintf(word, sizeof word, " %s=", key);
    const char *at = strstr(l->text, word);
    at = at ? at + strlen(word) : NULL;
    for (int d = 0; d < axes; d++) {
        value[d] = at ? atoi(at) : otherwise;
        const char *const next = at ? strchr(at, 'x') : NULL;
        const size_t digits = at ? strspn(at, "0123456789") : 0;
        at = next && next == at + digits ? next + 1 : at;
    }
}

static layer_kind kind_of(const layer *l)
{
    if (strstr(l->text, " border="))
        return LAYER_OTHER;
    return is_linear(l)                                  ? LAYER_LINEAR
           : strncmp(l->text, "conv ", 5) == 0           ? LAYER_CONV
           : strncmp(l->text, "convtranspose ", 14) == 0 ? LAYER_TRANSPOSED
                                                         : LAYER_OTHER;
}

void layer_read(fv_context *ctx, const layer *l, geometry *g)
{
    fv_model *const model = layer_model(ctx, l);
    const fv_graph *const graph = &model->graph;
    const fv_layer_record *const line = record(model);
    *g = (geometry){.kind = kind_of(l),
                    .x = graph->tensors[layer_model_input(model)].shape,
                    .y = graph->tensors[line->output].shape};
    const int weight = fv__graph_find_tensor(graph, "c.weight");
    if (weight < 0)
        die("%s: it has no c.weight", l->text);
    g->w = graph->tensors[weight].shape;
    g->axes = g->kind == LAYER_LINEAR ? 0 : g->x.rank - 1;
    int groups[LAYER_AXES];
    read_key(l, "groups", 1, 1, groups);
    g->groups = groups[0];
    read_key(l, "stride", g->axes, 1, g->stride);
    read_key(l, "pad", g->axes, 0, g->pad);
    read_key(l, "outpad", g->axes, 0, g->outpad);
    read_key(l, "dilation", g->axes, 1, g->dilation);
    for (size_t k = line->first_node; k < line->first_node + line->n_nodes; k++) {
        const fv_node *const node = &graph->nodes[k];
        fv_shape in[FV_MAX_INPUTS];
        for (int i = 0; i < node->n_inputs; i++)
            in[i] = graph->tensors[node->input[i]].shape;
        if (node->op->cost)
            g->flops += node->op->cost(node->attrs, in, graph->tensors[node->output].shape).flops;
    }
    fv_model_destroy(model);
}
