/* model.c - creates a model from text: builds the graph, places the parameters, and draws them when needed.
 */
#include "model/model.h"

#include "ops/connections.h"

#include "base/record.h"

#include <string.h>

#define ALIGN_FLOATS 16

/* Learned tensors first, then statistics, each in the graph's order. */
static fv_status place_parameters(fv_model *model)
{
    const fv_graph *graph = &model->graph;
    static const fv_role roles[] = {FV_ROLE_PARAMETER, FV_ROLE_STATISTIC};
    model->params = fv__alloc(model->ctx, graph->n_tensors, sizeof *model->params);
    model->param_of = fv__alloc(model->ctx, graph->n_tensors, sizeof *model->param_of);
    if (!model->params || !model->param_of)
        return FV_ERR_MEMORY;
    for (size_t t = 0; t < graph->n_tensors; t++)
        model->param_of[t] = -1;
    for (int r = 0; r < 2; r++) {
        for (size_t t = 0; t < graph->n_tensors; t++) {
            if (graph->tensors[t].role != roles[r] || graph->tensors[t].source >= 0)
                continue;
            model->param_of[t] = model->n_params;
            fv_param *param = &model->params[model->n_params++];
            *param = (fv_param){.tensor = (int)t,
                                .offset = model->n_values,
                                .n = (size_t)fv__shape_count(graph->tensors[t].shape)};
            model->n_values += (param->n + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
            /* each tensor is within FV_MAX_VALUES; their sum must be, too */
            if (model->n_values > (size_t)FV_MAX_VALUES)
                return fv__fail(model->ctx, FV_ERR_INPUT, "%s: more than %lld parameters, counted up to '%s'",
                                model->source, FV_MAX_VALUES, graph->tensors[t].name);
        }
        if (r == 0)
            model->n_learned = model->n_params;
    }
    return FV_OK;
}

static fv_status build(fv_model *model, const char *text, size_t n_bytes, const char *source)
{
    fv_context *ctx = model->ctx;
    model->source = fv__strdup(ctx, source);
    model->text = fv__alloc(ctx, n_bytes + 1, 1);
    if (!model->source || !model->text)
        return FV_ERR_MEMORY;
    memcpy(model->text, text, n_bytes);
    FV_TRY(fv__model_text_parse(model, model->text, n_bytes));
    return place_parameters(model);
}

fv_status fv__model_create(fv_context *ctx, const char *text, size_t n_bytes, const char *source,
                           fv_model **out)
{
    fv_model *model = fv__alloc(ctx, 1, sizeof *model);
    if (!model)
        return FV_ERR_MEMORY;
    model->ctx = fv__context_retain(ctx);
    model->references = 1;
    fv__graph_init(&model->graph, ctx, source);
    const fv_status status = build(model, text, n_bytes, source);
    if (status != FV_OK) {
        fv__model_destroy(model);
        return status;
    }
    *out = model;
    return FV_OK;
}

fv_model *fv__model_retain(fv_model *model)
{
    model->references++;
    return model;
}

void fv__model_destroy(fv_model *model)
{
    if (!model || --model->references > 0)
        return;
    fv_context *ctx = model->ctx;
    fv__graph_deinit(&model->graph);
    fv__free(ctx, model->layers);
    fv__free(ctx, model->params);
    fv__free(ctx, model->param_of);
    fv__free(ctx, model->values);
    fv__free(ctx, model->class_names);
    fv__free(ctx, model->trained_on);
    fv__free(ctx, model->text);
    fv__free(ctx, model->source);
    fv__free(ctx, model);
    fv__context_release(ctx);
}

/* ---- values ----------------------------------------------------------------------------------------- */

fv_status fv__model_allocate(fv_model *model)
{
    if (!model->values)
        model->values = fv__alloc(model->ctx, model->n_values, sizeof *model->values);
    return model->values ? FV_OK
                         : fv__fail(model->ctx, FV_ERR_MEMORY,
                                    "%s: out of memory: %zu bytes were asked for its parameters",
                                    model->source, model->n_values * sizeof *model->values);
}

fv_status fv__model_draw(fv_model *model, uint64_t seed)
{
    FV_TRY(fv__model_allocate(model));
    for (int i = 0; i < model->n_params; i++)
        fv__init_draw(&fv__model_tensor(model, i)->init, seed, (uint32_t)i, fv__model_values(model, i),
                      model->params[i].n);
    for (size_t k = 0; k < model->graph.n_nodes; k++) { /* weights of missing connections */
        const fv_node *const node = &model->graph.nodes[k];
        if (node->op == &fv_op_table)
            fv__table_clear(node->attrs, model->graph.tensors[node->output].shape,
                            fv__model_values(model, fv__model_param_of(model, node->input[0])));
    }
    return FV_OK;
}

fv_status fv__model_ensure(fv_model *model)
{
    return model->values ? FV_OK : fv__model_draw(model, 0);
}

float *fv__model_values(const fv_model *model, int param)
{
    /* The model behaves as if the parameters had been drawn from the start, so a const model may draw them.
     */
    if (!model->values && fv__model_ensure((fv_model *)model) != FV_OK)
        return NULL;
    return model->values + model->params[param].offset;
}

int fv__model_param_of(const fv_model *model, int tensor)
{
    return tensor >= 0 && (size_t)tensor < model->graph.n_tensors ? model->param_of[tensor] : -1;
}

uint64_t fv__model_hash(const fv_model *model)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (int p = 0; p < model->n_learned; p++) {
        const float *values = fv__model_values(model, p);
        if (!values)
            return 0;
        for (size_t i = 0; i < model->params[p].n; i++) {
            uint32_t bits;
            memcpy(&bits, &values[i], sizeof bits);
            for (int b = 0; b < 32; b += 8)
                hash = (hash ^ (bits >> b & 0xff)) * 0x100000001b3u;
        }
    }
    return hash;
}

int fv__model_n_classes(const fv_model *model)
{
    const fv_graph *const graph = &model->graph;
    for (int f = 0; f < graph->n_feeds; f++)
        if (graph->feed[f].kind == FV_FEED_CLASSES)
            return graph->feed[f].n_classes;
    return 0;
}

int fv__model_n_outputs(const fv_model *model)
{
    const int64_t outputs = fv__shape_count(model->graph.tensors[model->graph.result[0]].shape);
    return outputs == 1 && fv__model_n_classes(model) == 2 ? 2 : (int)outputs;
}

fv_output fv__model_output(const fv_model *model)
{
    const fv_graph *graph = &model->graph;
    const fv_op *const last = graph->nodes[graph->tensors[graph->result[0]].source].op;
    return last->gives_probabilities ? FV_OUTPUT_PROBABILITIES : FV_OUTPUT_VALUES;
}

fv_status fv__model_describe_data(fv_model *model, const char *const *class_names, int n,
                                  const fv_data_record *trained_on)
{
    char **const names = class_names ? fv__class_names_copy(model->ctx, class_names, n) : NULL;
    if (class_names && !names)
        return FV_ERR_MEMORY;
    fv_data_record *const record = trained_on ? fv__record_copy(model->ctx, trained_on) : NULL;
    if (trained_on && !record) {
        fv__free(model->ctx, names);
        return FV_ERR_MEMORY;
    }
    if (names) {
        fv__free(model->ctx, model->class_names);
        model->class_names = names;
        model->n_class_names = n;
    }
    if (record) {
        fv__free(model->ctx, model->trained_on);
        model->trained_on = record;
    }
    return FV_OK;
}
