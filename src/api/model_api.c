/* model_api.c - the model part of fovea.h: opening, weights in and out, looking at layers. */
#include "io/file.h"
#include "io/safetensors.h"
#include "model/model.h"
#include "model/words.h"

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

static fv_status open_text_file(fv_context *ctx, const char *path, fv_model **out)
{
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    FV_TRY(fv__file_read(ctx, path, FV_TEXT_MAX_BYTES, &bytes, &n_bytes));
    const fv_status status = fv__model_create(ctx, (const char *)bytes, n_bytes, path, out);
    fv__free(ctx, bytes);
    return status;
}

static fv_status load_weights_of_run(fv_model *model, const char *folder)
{
    static const char *const names[] = {"best.safetensors", "last.safetensors"};
    for (int i = 0; i < 2; i++) {
        char *path = fv__path_join(model->ctx, folder, names[i]);
        if (!path)
            return FV_ERR_MEMORY;
        const bool there = fv__file_exists(path);
        const fv_status status = there ? fv_model_load(model, path) : FV_OK;
        fv__free(model->ctx, path);
        if (there)
            return status;
    }
    return fv__fail(model->ctx, FV_ERR_INPUT, "%s: no weights; expected %s or %s", folder, names[0],
                    names[1]);
}

static fv_status open_run(fv_context *ctx, const char *folder, fv_model **out)
{
    char *path = fv__path_join(ctx, folder, "model.fovea");
    if (!path)
        return FV_ERR_MEMORY;
    fv_model *model = NULL;
    fv_status status = FV_OK;
    if (!fv__file_exists(path))
        status = fv__fail(ctx, FV_ERR_INPUT, "%s: not a run folder; it holds no model.fovea", folder);
    if (status == FV_OK)
        status = open_text_file(ctx, path, &model);
    if (status == FV_OK)
        status = load_weights_of_run(model, folder);
    fv__free(ctx, path);
    if (status == FV_OK)
        *out = model;
    else
        fv__model_destroy(model);
    return status;
}

static fv_status no_such_model(fv_context *ctx, const char *spec)
{
    const char *names[64];
    int n = 0;
    for (; n < 64 && fv__zoo_at(n); n++)
        names[n] = fv__zoo_at(n)->name;
    const char *nearest = fv__nearest(spec, names, n);
    return fv__fail(ctx, FV_ERR_INPUT, "%s: no built-in model, model file or run folder of that name%s%s%s",
                    spec, nearest ? "; nearest is '" : "", nearest ? nearest : "", nearest ? "'" : "");
}

fv_status fv_model_open(fv_context *ctx, const char *spec, fv_model **out)
{
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, spec);
    FV_NEED(ctx, out);
    const fv_zoo_entry *entry = fv__zoo_find(spec);
    if (entry)
        return fv_model_from_text(ctx, entry->text, entry->name, out);
    if (!fv__file_exists(spec))
        return no_such_model(ctx, spec);
    return fv__file_is_folder(spec) ? open_run(ctx, spec, out) : open_text_file(ctx, spec, out);
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

static const fv_tensor *tensor_of(const fv_model *model, int param)
{
    return &model->graph.tensors[model->params[param].tensor];
}

fv_status fv_model_save(fv_model *model, const char *path)
{
    static const fv_meta_entry meta[] = {{"format", "pt"}}; /* as PyTorch's own loader expects */
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, path);
    FV_TRY(fv__model_ensure(model));
    fv_tensor_entry *entries = fv__alloc(model->ctx, (size_t)model->n_params, sizeof *entries);
    if (!entries)
        return FV_ERR_MEMORY;
    for (int i = 0; i < model->n_params; i++) {
        const fv_tensor *tensor = tensor_of(model, i);
        entries[i] = (fv_tensor_entry){
            .name = tensor->name, .rank = tensor->shape.rank, .values = fv__model_values(model, i)};
        for (int d = 0; d < tensor->shape.rank; d++)
            entries[i].dim[d] = tensor->shape.dim[d];
    }
    const fv_status status = fv__safetensors_write(model->ctx, path, entries, model->n_params, meta, 1);
    fv__free(model->ctx, entries);
    return status;
}

static void dims_text(fv_text *text, const fv_tensor_entry *entry)
{
    for (int d = 0; d < entry->rank; d++)
        fv__text_add(text, "%s%lld", d ? "x" : "", (long long)entry->dim[d]);
    if (entry->rank == 0)
        fv__text_add(text, "a scalar");
}

/* A parameter that is no number makes every prediction one that is none. */
static fv_status check_values(const fv_model *model, const fv_tensor_entry *entry, const char *path)
{
    for (size_t i = 0; i < entry->n_bytes / sizeof(float); i++) {
        float value; /* the file's may be unaligned */
        memcpy(&value, (const char *)entry->values + i * sizeof value, sizeof value);
        if (!isfinite(value))
            return fv__fail(model->ctx, FV_ERR_INPUT,
                            "%s: tensor '%s': expected finite values, found %s at place %zu", path,
                            entry->name, isnan(value) ? "NaN" : "infinity", i);
    }
    return FV_OK;
}

static fv_status check_entry(const fv_model *model, const fv_tensor *tensor, const fv_tensor_entry *entry,
                             const char *path)
{
    char expected[FV_SHAPE_TEXT];
    if (!entry)
        return fv__fail(model->ctx, FV_ERR_INPUT, "%s: tensor '%s' (%s) of the model is missing", path,
                        tensor->name, fv__shape_text(tensor->shape, expected));
    if (strcmp(entry->dtype, "F32") != 0)
        return fv__fail(model->ctx, FV_ERR_INPUT, "%s: tensor '%s' is %s; expected F32", path, tensor->name,
                        entry->dtype);
    bool equal = entry->rank == tensor->shape.rank;
    for (int d = 0; equal && d < entry->rank; d++)
        equal = entry->dim[d] == tensor->shape.dim[d];
    if (equal)
        return check_values(model, entry, path);
    fv_text found;
    fv__text_init(&found, model->ctx);
    dims_text(&found, entry);
    const fv_status status =
        found.failed ? FV_ERR_MEMORY
                     : fv__fail(model->ctx, FV_ERR_INPUT, "%s: tensor '%s' is %s; the model expects %s", path,
                                tensor->name, found.data, fv__shape_text(tensor->shape, expected));
    fv__text_deinit(&found);
    return status;
}

/* The tensors of the file are those of the model, neither fewer nor more nor of another shape. A checkpoint
 * also carries the optimiser's, which are passed over. */
static fv_status check_file(const fv_model *model, const fv_safetensors *file, const char *path)
{
    for (int i = 0; i < model->n_params; i++) {
        const fv_tensor *tensor = tensor_of(model, i);
        FV_TRY(check_entry(model, tensor, fv__safetensors_find(file, tensor->name), path));
    }
    for (int i = 0; i < fv__safetensors_n_tensors(file); i++) {
        const char *name = fv__safetensors_tensor(file, i)->name;
        const int tensor = fv__graph_find_tensor(&model->graph, name);
        const bool known = tensor >= 0 && fv__model_param_of(model, tensor) >= 0;
        if (!known && strncmp(name, "optimizer.", strlen("optimizer.")) != 0)
            return fv__fail(model->ctx, FV_ERR_INPUT, "%s: tensor '%s' is none of the model's", path, name);
    }
    return FV_OK;
}

/* All or nothing: the file is checked whole before the first value changes. */
fv_status fv_model_load(fv_model *model, const char *path)
{
    fv_safetensors *file = NULL;
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, path);
    FV_TRY(fv__safetensors_open(model->ctx, path, &file));
    fv_status status = check_file(model, file, path);
    const bool empty = !model->values;
    if (status == FV_OK)
        status = fv__model_allocate(model);
    for (int i = 0; status == FV_OK && i < model->n_params; i++) {
        const fv_tensor *tensor = tensor_of(model, i);
        status = fv__safetensors_copy(file, tensor->name, tensor->shape.rank, tensor->shape.dim,
                                      fv__model_values(model, i));
    }
    fv__safetensors_close(file);
    if (empty && status != FV_OK) { /* as it was: those of seed 0, when somebody needs them */
        fv__free(model->ctx, model->values);
        model->values = NULL;
    }
    model->settled = model->settled || status == FV_OK;
    return status;
}

int fv_model_n_parameters(const fv_model *model)
{
    return model ? model->n_learned : 0;
}

static fv_parameter_info info_of(const fv_model *model, int param)
{
    const fv_tensor *tensor = tensor_of(model, param);
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
        names[i] = tensor_of(model, i)->name;
    const char *nearest = fv__nearest(name, names, model->n_params);
    const fv_status status = fv__fail(
        model->ctx, FV_ERR_ARGUMENT, "fv_model_set_parameter: %s has no parameter or statistic '%s'%s%s%s",
        model->source, name, nearest ? "; nearest is '" : "", nearest ? nearest : "", nearest ? "'" : "");
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
        return fv__fail(model->ctx, FV_ERR_ARGUMENT,
                        "fv_model_set_parameter: %s: expected %zu values, %s; found %zu", name,
                        model->params[param].n, fv__shape_text(tensor_of(model, param)->shape, shape), n);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return fv__fail(model->ctx, FV_ERR_ARGUMENT,
                            "fv_model_set_parameter: %s: expected finite values, found %s at place %zu", name,
                            isnan(values[i]) ? "NaN" : "infinity", i);
    FV_TRY(fv__model_ensure(model));
    memmove(fv__model_values(model, param), values, n * sizeof *values); /* the caller's may be these */
    model->settled = true;
    return FV_OK;
}

/* ---- looking at it -------------------------------------------------------------------------------- */

static double node_flops(const fv_graph *graph, const fv_node *node)
{
    fv_shape in[FV_MAX_INPUTS] = {{0}};
    for (int i = 0; i < node->n_inputs; i++)
        in[i] = graph->tensors[node->input[i]].shape;
    return node->op->cost ? node->op->cost(node->attrs, in, graph->tensors[node->output].shape).flops : 0;
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
        if (!node->op->is_view)
            info.activation_bytes +=
                fv__shape_count(graph->tensors[node->output].shape) * (int64_t)sizeof(float);
    }
    info.name = layer->name;
    info.kind = layer->kind;
    info.rank = shape.rank;
    memcpy(info.shape, shape.dim, sizeof info.shape);
    info.n_parameters = layer->n_parameters;
    /* an absurd but valid text: the sum over all layers has to stay an int64 */
    info.flops = flops < 4e14 ? (int64_t)flops : (int64_t)4e14;
    return info;
}

fv_model_info fv_model_describe(const fv_model *model)
{
    if (!model)
        return (fv_model_info){0};
    const fv_chw image = fv__shape_chw(model->graph.tensors[model->graph.input].shape);
    fv_model_info info = {.c = image.c,
                          .h = image.h,
                          .w = image.w,
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
