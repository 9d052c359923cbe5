/* trainer.c - one update of a model: forward, loss, backward and optimiser as one plan. */
#include "train/train.h"

#include "base/pool.h"
#include "base/rng.h"
#include "ops/ops.h"

#include <stdio.h>
#include <string.h>

/* At a rate of 0 nothing moves. */
static const fv_rates standing_still = {.update = 1};

void fv__bind_model(fv_run *run, const fv_model *model)
{
    for (int p = 0; p < model->n_params; p++)
        fv__run_bind(run, model->params[p].tensor, fv__model_values(model, p));
}

/* The optimiser's own: its settings, and the states of each parameter. */
static void bind_updates(fv_trainer *t)
{
    const fv_optimizer *const row = t->optimizer.row;
    for (size_t k = 0; k < t->graph.n_nodes; k++) {
        const fv_node *const node = &t->graph.nodes[k];
        if (node->op != row->update)
            continue;
        const int param = fv__model_param_of(t->model, node->input[0]);
        fv__run_bind(t->run, node->input[2], t->settings);
        for (int s = 0; s < row->n_states; s++)
            fv__run_bind(t->run, node->input[3 + s], fv__trainer_state(t, s, param));
    }
}

/* Every feed that has directions moves: with the inputs, target pictures. */
static fv_status append_shifts(fv_graph *graph, int shift)
{
    const fv_shift_attrs attrs = {shift};
    for (int f = 0; f < graph->n_feeds && shift > 0; f++)
        if (graph->tensors[graph->feed[f].tensor].shape.rank > 1)
            FV_TRY(fv__graph_insert_behind(graph, graph->feed[f].tensor, &fv_op_shift, &attrs));
    return FV_OK;
}

static fv_status make(fv_trainer *t, int batch, const char *optimizer, int shift)
{
    const int *gradient;
    FV_TRY(fv__optimizer_read(t->ctx, optimizer, &t->optimizer));
    FV_TRY(fv__model_ensure(t->model));
    FV_TRY(fv__graph_copy(&t->model->graph, &t->graph));
    FV_TRY(append_shifts(&t->graph, shift));
    FV_TRY(fv__differentiate(&t->graph, &gradient));
    FV_TRY(fv__append_updates(&t->graph, gradient, t->optimizer.row));
    const fv_plan_options options = {.batch = batch < FV_MAX_RUN ? batch : FV_MAX_RUN,
                                     .n_workers = fv__pool_threads(t->ctx->pool),
                                     .loss = true,
                                     .updates = true};
    FV_TRY(fv__plan_create(t->ctx, &t->graph, &options, &t->plan));
    FV_TRY(fv__run_create(t->ctx, t->plan, &t->run));
    t->states = fv__alloc(t->ctx, t->model->n_values, (size_t)t->optimizer.row->n_states * sizeof *t->states);
    if (!t->states)
        return FV_ERR_MEMORY;
    fv__optimizer_settings(&t->optimizer, &standing_still, t->settings);
    fv__bind_model(t->run, t->model);
    bind_updates(t);
    return FV_OK;
}

float *fv__trainer_state(const fv_trainer *t, int state, int param)
{
    return t->states + (size_t)state * t->model->n_values + t->model->params[param].offset;
}

fv_status fv__trainer_create(fv_model *model, int batch, const char *optimizer, int shift, fv_trainer **out)
{
    fv_trainer *const t = fv__alloc(model->ctx, 1, sizeof *t);
    if (!t)
        return FV_ERR_MEMORY;
    t->ctx = model->ctx;
    t->model = model;
    const fv_status status = make(t, batch, optimizer, shift);
    if (status != FV_OK) {
        fv__trainer_destroy(t);
        return status;
    }
    *out = t;
    return FV_OK;
}

void fv__trainer_destroy(fv_trainer *t)
{
    if (!t)
        return;
    fv__run_destroy(t->run);
    fv__plan_destroy(t->plan);
    if (t->graph.ctx)
        fv__graph_deinit(&t->graph);
    fv__free(t->ctx, t->states);
    fv__free(t->ctx, t);
}

/* The first layer whose output is not finite, found by running the batch once more with every value kept. */
static const char *first_bad_layer(fv_trainer *t, const fv_batch *batch)
{
    const char *layer = NULL;
    fv_plan *plan = NULL;
    fv_run *run = NULL;
    const fv_plan_options options = {.batch = batch->n, .keep_all = true};
    if (fv__plan_create(t->ctx, &t->model->graph, &options, &plan) != FV_OK ||
        fv__run_create(t->ctx, plan, &run) != FV_OK)
        goto cleanup;
    fv__bind_model(run, t->model);
    fv__run_step(run, batch, false);
    const int n_blocks = (batch->n + FV_LANES - 1) / FV_LANES;
    for (size_t k = 0; k < t->model->graph.n_nodes && !layer; k++) {
        const fv_node *const node = &t->model->graph.nodes[k];
        const float *const values = fv__run_buffer(run, node->output);
        const fv_tensor *const tensor = &t->model->graph.tensors[node->output];
        const int64_t n = fv__shape_count(tensor->shape), images = FV_LANES * n_blocks;
        if (values && !fv__graph_is_loss(&t->model->graph, node->output) &&
            !plan->kernels->all_finite(values, tensor->role == FV_ROLE_VALUE ? n * images : n))
            for (size_t i = 0; i < t->graph.n_nodes && !layer; i++) /* a name that outlives the plan */
                if (strcmp(t->graph.nodes[i].name, node->name) == 0)
                    layer = t->graph.nodes[i].layer;
    }
cleanup:
    fv__run_destroy(run);
    fv__plan_destroy(plan);
    return layer;
}

static fv_status explain(fv_trainer *t, const fv_batch *batch)
{
    char message[FV_MESSAGE_BYTES];
    memcpy(message, t->ctx->message, sizeof message);
    const char *const layer = first_bad_layer(t, batch);
    if (layer)
        return fv__fail(t->ctx, FV_ERR_NONFINITE,
                        "layer %s: expected finite values, found NaN or infinity in its output", layer);
    return fv__fail(t->ctx, FV_ERR_NONFINITE, "%s", message);
}

fv_status fv__trainer_step(fv_trainer *t, const fv_batch *batch, const fv_rates *rates, double *loss_sum)
{
    double sum = *loss_sum;
    fv__optimizer_settings(&t->optimizer, rates ? rates : &standing_still, t->settings);
    fv_given feed[FV_MAX_FEEDS];
    for (int done = 0; done < batch->n; done += FV_MAX_RUN) {
        const int left = batch->n - done;
        fv_batch part = *batch;
        part.n = left < FV_MAX_RUN ? left : FV_MAX_RUN;
        for (int f = 0; f < t->graph.n_feeds; f++)
            feed[f] = fv__given_from(&batch->feed[f], done);
        part.feed = feed;
        part.samples = batch->samples ? batch->samples + done : NULL;
        part.image_weight = 1.0f / (float)batch->n;
        part.accumulate = done > 0;
        const fv_status status = fv__run_step(t->run, &part, left <= FV_MAX_RUN);
        if (status == FV_ERR_NONFINITE)
            return explain(t, &part);
        FV_TRY(status);
        for (int i = 0; i < part.n; i++)
            sum += fv__run_loss(t->run, &t->graph, i);
    }
    *loss_sum = sum;
    return FV_OK;
}

/* NAME.mean or NAME.inv_std of an input; NULL: it has none. */
static float *statistic(fv_model *model, const char *input, const char *what)
{
    char name[FV_MESSAGE_BYTES];
    snprintf(name, sizeof name, "%s.%s", input, what);
    const int tensor = fv__graph_find_tensor(&model->graph, name);
    return tensor < 0 ? NULL : fv__model_values(model, fv__model_param_of(model, tensor));
}

void fv__set_statistics(fv_model *model, const fv_samples *samples, int n)
{
    const fv_graph *const graph = &model->graph;
    for (int f = 0; f < graph->n_feeds; f++) {
        if (graph->feed[f].kind != FV_FEED_INPUT)
            continue;
        const fv_shape shape = graph->tensors[graph->feed[f].tensor].shape;
        float *const means = statistic(model, graph->feed[f].name, "mean");
        float *const inv_stds = statistic(model, graph->feed[f].name, "inv_std");
        for (int c = 0; c < shape.dim[0] && means && inv_stds; c++) {
            double m, square;
            fv__data_moments(samples->data, samples->field[f], n, c, &m, &square);
            const double variance = square - m * m;
            means[c] = (float)m;
            inv_stds[c] = variance > 1e-12 ? (float)(1.0 / fv__sqrt(variance)) : 1.0f;
        }
    }
}
