/* evaluate.c - runs a model without dropout over images: probabilities, errors and loss.
 *
 * Sixteen images are processed together, or one image alone with 16 channels in a vector (c16), whichever
 * is faster; the bits are the same. With two workers, single images are faster for up to four images, and
 * for any number if 16 images of one tensor exceed the caches (ResNet-50 at 224x224: 19 ms an image instead
 * of 38). */
#include "train/score.h"

#include "base/pool.h"
#include "ops/inference.h"

#include <math.h>
#include <string.h>

#define FV_EVALUATE_BATCH 256
#define FV_FEW_IMAGES     4
#define FV_LARGE_TENSOR   (256 * 1024) /* values of one image */

struct fv_evaluator {
    fv_context *ctx;
    fv_model *model;
    bool loss;
    int result; /* what fv__predict gives */
    fv_plan *plan;
    fv_run *run;
};

static bool one_by_one(const fv_graph *graph, int n)
{
    int64_t largest = 0;
    for (size_t k = 0; k < graph->n_nodes; k++) {
        const int64_t values = fv__shape_count(graph->tensors[graph->nodes[k].output].shape);
        largest = values > largest ? values : largest;
    }
    return n <= FV_FEW_IMAGES || largest >= FV_LARGE_TENSOR;
}

/* Whether c16 does most of the work: an operation without it wastes 15 of 16 lanes on one image. */
static bool mostly_in_c16(const fv_plan *plan)
{
    double lanes = 0, all = 0;
    for (size_t s = 0; s < plan->n_steps; s++) {
        const fv_step_spec *const spec = &plan->steps[s].spec;
        lanes += spec->domain == FV_PER_BLOCK ? spec->flops : 0;
        all += spec->flops;
    }
    return lanes <= 0.02 * all;
}

/* *plan does not change on failure. */
static fv_status choose_plan(fv_context *ctx, const fv_graph *graph, int n, bool loss, fv_plan **plan)
{
    fv_plan_options options = {.batch = 1,
                               .n_workers = fv__pool_threads(ctx->pool),
                               .output = true,
                               .loss = loss,
                               .frozen = true,
                               .c16 = true};
    if (one_by_one(graph, n)) {
        fv_plan *c16 = NULL;
        FV_TRY(fv__plan_create(ctx, graph, &options, &c16));
        if (n <= 1 || mostly_in_c16(c16)) {
            *plan = c16;
            return FV_OK;
        }
        fv__plan_destroy(c16);
    }
    options.c16 = false;
    options.batch = n < FV_EVALUATE_BATCH ? n : FV_EVALUATE_BATCH;
    return fv__plan_create(ctx, graph, &options, plan);
}

fv_status fv__inference_plan(const fv_model *model, int n, bool loss, fv_plan **plan)
{
    fv_graph graph;
    FV_TRY(fv__graph_for_inference(&model->graph, &graph));
    const fv_status status = choose_plan(model->ctx, &graph, n, loss, plan);
    fv__graph_deinit(&graph);
    return status;
}

static fv_status make(fv_evaluator *e, int n)
{
    FV_TRY(fv__model_ensure(e->model));
    FV_TRY(fv__inference_plan(e->model, n, e->loss, &e->plan));
    FV_TRY(fv__run_create(e->ctx, e->plan, &e->run));
    fv__bind_model(e->run, e->model);
    return FV_OK;
}

fv_status fv__evaluator_create(fv_model *model, bool loss, int n, fv_evaluator **out)
{
    fv_evaluator *const e = fv__alloc(model->ctx, 1, sizeof *e);
    if (!e)
        return FV_ERR_MEMORY;
    e->ctx = model->ctx;
    e->model = model;
    e->loss = loss && model->graph.n_losses > 0;
    const fv_status status = make(e, n);
    if (status != FV_OK) {
        fv__evaluator_destroy(e);
        return status;
    }
    *out = e;
    return FV_OK;
}

void fv__evaluator_destroy(fv_evaluator *e)
{
    if (!e)
        return;
    fv__run_destroy(e->run);
    fv__plan_destroy(e->plan);
    fv__free(e->ctx, e);
}

void fv__evaluator_refresh(fv_evaluator *e)
{
    fv__run_refresh(e->run);
}

size_t fv__evaluator_bytes(const fv_evaluator *e)
{
    return fv__run_bytes(e->run);
}

/* Runs samples [first, first + n), n at most the plan's batch; feed: where they lie. */
static fv_status run_some(fv_evaluator *e, fv_fetch *fetch, int first, int n, fv_given feed[FV_MAX_FEEDS])
{
    FV_TRY(fv__fetch(fetch, NULL, first, n, feed));
    const fv_batch batch = {.n = n, .feed = feed, .image_weight = 1.0f};
    return fv__run_step(e->run, &batch, false);
}

fv_status fv__evaluate(fv_evaluator *e, const fv_data *data, int first, int n, fv_score *score)
{
    return fv__evaluate_classes(e, data, first, n, score, NULL, NULL);
}

static fv_status score_all(fv_evaluator *e, fv_fetch *fetch, int first, int n, fv_scoring *scoring,
                           fv_score *s, double *loss)
{
    const fv_graph *const graph = &e->model->graph;
    fv_given feed[FV_MAX_FEEDS];
    for (int done = 0, some; done < n; done += some) {
        some = n - done < e->plan->options.batch ? n - done : e->plan->options.batch;
        FV_TRY(run_some(e, fetch, first + done, some, feed));
        scoring->output = fv__run_buffer(e->run, graph->result[0]);
        for (int i = 0; i < some; i++) {
            *loss += e->loss ? fv__run_loss(e->run, graph, i) : 0;
            fv__scoring_add(scoring, feed, i, i, s);
        }
    }
    return FV_OK;
}

fv_status fv__evaluate_classes(fv_evaluator *e, const fv_data *data, int first, int n, fv_score *score,
                               fv_class_score *per_class, int *confusion)
{
    fv_samples samples;
    fv_scoring scoring;
    fv_fetch fetch;
    double loss = 0;
    FV_TRY(fv__samples_of(e->model, data, true, &samples));
    FV_TRY(fv__fetch_create(e->model, &samples, e->plan->options.batch, false, &fetch));
    fv__scoring_init(e->model, &scoring);
    fv__scoring_count(&scoring, per_class, confusion);
    fv_score s = {.n = n};
    fv__evaluator_refresh(e);
    const fv_status status = score_all(e, &fetch, first, n, &scoring, &s, &loss);
    fv__fetch_destroy(&fetch);
    FV_TRY(status);
    fv__scoring_finish(&scoring, &s);
    s.loss = n > 0 ? loss / n : 0;
    *score = s;
    return FV_OK;
}

void fv__evaluator_choose(fv_evaluator *e, int result)
{
    e->result = result;
}

static fv_status predict_all(fv_evaluator *e, fv_fetch *fetch, int first, int n, float *outputs)
{
    const fv_graph *const graph = &e->model->graph;
    const int result = graph->result[e->result];
    int n_outputs = fv__model_n_outputs(e->model);
    fv_given feed[FV_MAX_FEEDS];
    fv_scoring scoring;
    fv__scoring_init(e->model, &scoring);
    if (e->result > 0) { /* values as they are; a single one is no class */
        n_outputs = (int)fv__shape_count(graph->tensors[result].shape);
        scoring.n_outputs = n_outputs;
        scoring.two = false;
    }
    for (int done = 0, some; done < n; done += some) {
        some = n - done < e->plan->options.batch ? n - done : e->plan->options.batch;
        FV_TRY(run_some(e, fetch, first + done, some, feed));
        scoring.output = fv__run_buffer(e->run, result);
        for (int i = 0; i < some; i++)
            for (int k = 0; k < n_outputs; k++) {
                const float p = fv__score_output(&scoring, i, k);
                if (!isfinite(p)) /* the parameters overflow on this image, or are not finite */
                    return fv__fail(e->ctx, FV_ERR_NONFINITE,
                                    "%s: image %d: expected finite probabilities, found NaN or infinity",
                                    fetch->samples->name, first + done + i);
                *outputs++ = p;
            }
    }
    return FV_OK;
}

fv_status fv__predict(fv_evaluator *e, const fv_samples *samples, int first, int n, float *outputs)
{
    fv_fetch fetch;
    FV_TRY(fv__fetch_create(e->model, samples, e->plan->options.batch, false, &fetch));
    const fv_status status = predict_all(e, &fetch, first, n, outputs);
    fv__fetch_destroy(&fetch);
    return status;
}
