/* plan_api.c - fv_model_plan_text: the plan of a training step, or of inference, as text. */
#include "base/pool.h"
#include "model/model.h"
#include "train/train.h"

/* The graph that training lowers, made with the same passes. */
static fv_status training_graph(const fv_model *model, fv_graph *graph)
{
    const int *gradient;
    FV_TRY(fv__graph_copy(&model->graph, graph));
    fv_status status = fv__differentiate(graph, &gradient);
    if (status == FV_OK)
        status = fv__append_updates(graph, gradient, &fv_optimizer_sgd);
    if (status != FV_OK)
        fv__graph_deinit(graph);
    return status;
}

static fv_status training_plan(const fv_model *model, int batch, fv_plan **plan)
{
    fv_graph graph = {.ctx = model->ctx};
    FV_TRY(training_graph(model, &graph));
    const fv_plan_options options = {
        .batch = batch, .n_workers = fv__pool_threads(model->ctx->pool), .loss = true, .updates = true};
    const fv_status status = fv__plan_create(model->ctx, &graph, &options, plan);
    fv__graph_deinit(&graph);
    return status;
}

static fv_status print(fv_context *ctx, const fv_plan *plan, char **out)
{
    fv_text text;
    fv__text_init(&text, ctx);
    const fv_status status = fv__plan_print(plan, &text);
    if (status != FV_OK) {
        fv__text_deinit(&text);
        return status;
    }
    fv__context_retain(ctx); /* until fv_text_destroy */
    *out = text.data;
    return FV_OK;
}

fv_status fv_model_plan_text(fv_model *model, int batch, bool training, char **text)
{
    FV_NEED(NULL, model);
    fv_context *const ctx = model->ctx;
    FV_NEED(ctx, text);
    FV_WITHIN(ctx, batch, 1, FV_MAX_BATCH);
    fv_plan *plan = NULL;
    FV_TRY(training ? training_plan(model, batch, &plan) : fv__inference_plan(model, batch, false, &plan));
    const fv_status status = print(ctx, plan, text);
    fv__plan_destroy(plan);
    return status;
}

void fv_text_destroy(fv_context *ctx, char *text)
{
    if (!ctx || !text)
        return;
    fv__free(ctx, text);
    fv__context_release(ctx);
}
