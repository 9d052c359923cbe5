/* model_api.c - the model part of fovea.h: opening, parameters, descriptions of layers. */
#include "io/file.h"
#include "model/model.h"
#include "train/train.h"

#include <math.h>
#include <string.h>

/* ---- opening -------------------------------------------------------------------------------------- */

fv_status fv_model_from_text(fv_context *ctx, const char *text, const char *source, fv_model **out)
{
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, text);
    FV_NEED(ctx, out);
    return fv__model_create(ctx, text, strlen(text), source ? source : "model", out);
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

/* Opens a weights file, which contains its model, or a model text. */
static fv_status open_file(fv_context *ctx, const char *path, fv_model **out)
{
    fv_weights weights;
    if (!ends_with(path, ".safetensors"))
        return fv__open_text(ctx, path, out);
    FV_TRY(fv__weights_open(ctx, path, &weights));
    const fv_status status = fv__weights_model(ctx, &weights, path, out);
    fv__weights_close(&weights);
    return status;
}

static fv_status no_such_model(fv_context *ctx, const char *spec)
{
    const char *names[64];
    int n = 0;
    for (; n < 64 && fv__zoo_at(n); n++)
        names[n] = fv__zoo_at(n)->name;
    const char *nearest = fv__nearest(spec, names, n);
    return fv__fail(ctx, FV_ERR_INPUT, "%s: no built-in model, model file or run folder of that name%s", spec,
                    fv__nearest_is(nearest).text);
}

fv_status fv_model_open(fv_context *ctx, const char *spec, fv_model **out)
{
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, spec);
    FV_NEED(ctx, out);
    const fv_zoo_entry *entry = fv__zoo_find(spec);
    if (entry)
        return fv_model_from_text(ctx, entry->text, entry->name, out);
    bool there;
    FV_TRY(fv__file_look(ctx, spec, &there));
    if (!there)
        return no_such_model(ctx, spec);
    return fv__file_is_folder(spec) ? fv__open_run(ctx, spec, out) : open_file(ctx, spec, out);
}

void fv_model_destroy(fv_model *model)
{
    fv__model_destroy(model);
}

const char *fv_model_text(const fv_model *model)
{
    return model ? model->text : "";
}

const char *fv_zoo_name(int index)
{
    const fv_zoo_entry *entry = fv__zoo_at(index);
    return entry ? entry->name : NULL;
}

const char *fv_zoo_text(const char *name)
{
    const fv_zoo_entry *entry = name ? fv__zoo_find(name) : NULL;
    return entry ? entry->text : NULL;
}

/* ---- parameters ----------------------------------------------------------------------------------- */

fv_status fv_model_initialise(fv_model *model, uint64_t seed)
{
    FV_NEED(NULL, model);
    FV_TRY(fv__model_draw(model, seed));
    model->settled = true;
    return FV_OK;
}

uint64_t fv_model_hash(const fv_model *model)
{
    return model ? fv__model_hash(model) : 0;
}

int fv_model_n_parameters(const fv_model *model)
{
    return model ? model->n_learned : 0;
}

static fv_parameter_info info_of(const fv_model *model, int param)
{
    const fv_tensor *tensor = fv__model_tensor(model, param);
    fv_parameter_info info = {
        .name = tensor->name, .rank = tensor->shape.rank, .values = fv__model_values(model, param)};
    memcpy(info.shape, tensor->shape.dim, sizeof info.shape);
    return info;
}

fv_parameter_info fv_model_parameter(const fv_model *model, int index)
{
    if (index < 0 || index >= fv_model_n_parameters(model))
        return (fv_parameter_info){0};
    return info_of(model, index);
}

int fv_model_n_statistics(const fv_model *model)
{
    return model ? model->n_params - model->n_learned : 0;
}

fv_parameter_info fv_model_statistic(const fv_model *model, int index)
{
    if (index < 0 || index >= fv_model_n_statistics(model))
        return (fv_parameter_info){0};
    return info_of(model, model->n_learned + index);
}

static fv_status no_such_parameter(const fv_model *model, const char *name)
{
    const char **names = fv__alloc(model->ctx, (size_t)model->n_params, sizeof *names);
    if (!names)
        return FV_ERR_MEMORY;
    for (int i = 0; i < model->n_params; i++)
        names[i] = fv__model_tensor(model, i)->name;
    const char *nearest = fv__nearest(name, names, model->n_params);
    const fv_status status = fv__fail(model->ctx, FV_ERR_ARGUMENT,
                                      "fv_model_set_parameter: %s has no parameter or statistic '%s'%s",
                                      model->source, name, fv__nearest_is(nearest).text);
    fv__free(model->ctx, names);
    return status;
}

fv_status fv_model_set_parameter(fv_model *model, const char *name, const float *values, size_t n)
{
    char shape[FV_SHAPE_TEXT];
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, name);
    FV_NEED(model->ctx, values);
    const int param = fv__model_param_of(model, fv__graph_find_tensor(&model->graph, name));
    if (param < 0)
        return no_such_parameter(model, name);
    if (n != model->params[param].n)
        return fv__fail(
            model->ctx, FV_ERR_ARGUMENT, "fv_model_set_parameter: %s: expected %zu values, %s; found %zu",
            name, model->params[param].n, fv__shape_text(fv__model_tensor(model, param)->shape, shape), n);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return fv__fail(model->ctx, FV_ERR_ARGUMENT,
                            "fv_model_set_parameter: %s: expected finite values, found %s at place %zu", name,
                            isnan(values[i]) ? "NaN" : "infinity", i);
    FV_TRY(fv__model_ensure(model));
    memmove(fv__model_values(model, param), values,
            n * sizeof *values); /* the caller's array may be the model's own */
    model->settled = true;
    return FV_OK;
}

/* ---- descriptions --------------------------------------------------------------------------------- */

static double node_flops(const fv_graph *graph, const fv_node *node)
{
    fv_shape in[FV_MAX_INPUTS] = {{0}};
    for (int i = 0; i < node->n_inputs; i++)
        in[i] = graph->tensors[node->input[i]].shape;
    return node->op->cost ? node->op->cost(node->attrs, in, graph->tensors[node->output].shape).flops : 0;
}

/* Counts the node's parameters under three ways to connect its input to its output, with one bias for each
 * output if it has any (one for each channel if weights are shared). */
static void count_connections(const fv_graph *graph, const fv_node *node, fv_layer_info *info)
{
    const fv_shape x = graph->tensors[node->input[0]].shape, y = graph->tensors[node->output].shape;
    const fv_shape w = graph->tensors[node->input[1]].shape;
    const bool bias = node->n_inputs > 2;
    int64_t terms = w.dim[1]; /* terms that an output sums */
    for (int d = 1; d < x.rank; d++)
        terms *= w.dim[w.rank - d];
    info->n_fully_connected = fv__shape_count(y) * (fv__shape_count(x) + bias);
    info->n_locally_connected = fv__shape_count(y) * (terms + bias);
    info->n_shared = y.dim[0] * (terms + bias);
}

fv_layer_info fv_model_layer(const fv_model *model, int index)
{
    fv_layer_info info = {0};
    if (!model || index < 0 || (size_t)index >= model->n_layers)
        return info;
    const fv_graph *graph = &model->graph;
    const fv_layer_record *layer = &model->layers[index];
    const fv_shape shape = graph->tensors[layer->output].shape;
    double flops = 0;
    for (size_t i = 0; i < layer->n_nodes; i++) {
        const fv_node *node = &graph->nodes[layer->first_node + i];
        flops += node_flops(graph, node);
        if (node->op->has_window)
            count_connections(graph, node, &info);
        if (!node->op->is_view && graph->tensors[node->output].role != FV_ROLE_PARAMETER)
            info.activation_bytes +=
                fv__shape_count(graph->tensors[node->output].shape) * (int64_t)sizeof(float);
    }
    info.name = layer->name;
    info.kind = layer->kind;
    info.rank = shape.rank;
    memcpy(info.shape, shape.dim, sizeof info.shape);
    info.n_parameters = layer->n_parameters;
    /* The limit for an absurd but valid text: the sum over all layers must fit an int64. */
    info.flops = flops < 4e14 ? (int64_t)flops : (int64_t)4e14;
    return info;
}

fv_model_info fv_model_describe(const fv_model *model)
{
    if (!model)
        return (fv_model_info){0};
    const fv_shape input = model->graph.tensors[model->graph.feed[0].tensor].shape;
    fv_model_info info = {.c = input.rank <= 3 ? input.dim[0] : 0,
                          .h = input.rank == 3 ? input.dim[1] : input.rank < 3,
                          .w = input.rank == 3   ? input.dim[2]
                               : input.rank == 2 ? input.dim[1]
                                                 : input.rank == 1,
                          .n_outputs = fv__model_n_outputs(model),
                          .n_layers = (int)model->n_layers,
                          .n_classes = fv__model_n_classes(model),
                          .output = fv__model_output(model)};
    for (int i = 0; i < info.n_layers; i++) {
        const fv_layer_info layer = fv_model_layer(model, i);
        info.n_parameters += layer.n_parameters;
        info.flops += layer.flops;
        info.bytes += layer.activation_bytes + layer.n_parameters * (int64_t)sizeof(float);
    }
    return info;
}

fv_layer_info fv_model_result(const fv_model *model, int index)
{
    const fv_layer_info none = {0};
    if (!model || index < 0 || index >= model->graph.n_results)
        return none;
    for (size_t i = 0; i < model->n_layers; i++)
        if (model->layers[i].output == model->graph.result[index])
            return fv_model_layer(model, (int)i);
    return none;
}
