/* fuzz_plan.c - model text, and its plans: training and inference, for several batches and workers, with
 * every option of a plan. Each plan is worked out again by plan_checker.c; and what the library itself would
 * take, as text and as a predictor, is made. */
#include "fuzz.h"

#include "model/model.h"
#include "ops/inference.h"
#include "ops/optimizer.h"
#include "plan_checker.h"

#include <stdio.h>
#include <stdlib.h>

static fv_context *ctx;

enum { MOST_CHECKED_STEPS = 200 };         /* the checker is quadratic */
#define MOST_PARAMETERS ((int64_t)1 << 20) /* predictors draw them, and pack them */

static void check_plan(const fv_graph *graph, fv_plan_options options)
{
    fv_plan *plan = NULL;
    char name[128];
    snprintf(name, sizeof name,
             "batch %d, %d workers, updates %d, direct %d, unfused %d, keep %d, c16 %d, all %d",
             options.batch, options.n_workers, options.updates, options.direct, options.unfused, options.keep,
             options.c16, options.keep_all);
    if (fuzz_well(ctx, name, fv__plan_create(ctx, graph, &options, &plan)) &&
        plan->n_steps <= MOST_CHECKED_STEPS)
        fuzz_expect(plan_mistakes(plan, name) == 0, "a plan with mistakes: %s", name);
    fv__plan_destroy(plan);
}

static void plan_training(const fv_model *model)
{
    const int *gradient;
    fv_graph graph = {.ctx = ctx};
    if (!fuzz_well(ctx, "copy", fv__graph_copy(&model->graph, &graph)))
        return;
    if (fuzz_well(ctx, "differentiate", fv__differentiate(&graph, &gradient)) &&
        fuzz_well(ctx, "updates", fv__append_updates(&graph, gradient, &fv_optimizer_sgd)))
        for (int way = 0; way < 6; way++)
            check_plan(&graph, (fv_plan_options){.batch = way % 3 == 0   ? 1
                                                          : way % 3 == 1 ? 17
                                                                         : 256,
                                                 .n_workers = 1 + way % 4,
                                                 .loss = true,
                                                 .updates = way != 4,
                                                 .direct = way == 1,
                                                 .unfused = way == 2,
                                                 .keep = way == 3,
                                                 .keep_all = way == 4});
    fv__graph_deinit(&graph);
}

static void plan_inference(const fv_model *model)
{
    fv_graph graph = {.ctx = ctx};
    if (!fuzz_well(ctx, "inference", fv__graph_for_inference(&model->graph, &graph)))
        return;
    for (int way = 0; way < 5; way++)
        check_plan(&graph, (fv_plan_options){.batch = way == 3   ? 100
                                                      : way == 4 ? 16
                                                                 : 1,
                                             .n_workers = 1 + way % 3,
                                             .output = true,
                                             .loss = way == 3,
                                             .direct = way == 1,
                                             .frozen = way < 3,
                                             .c16 = way < 3,
                                             .unfused = way == 4});
    fv__graph_deinit(&graph);
}

static void plan_as_users_do(fv_model *model)
{
    static const int batches[] = {1, 3, 64};
    char *text = NULL;
    for (int i = 0; i < 3 && fv_model_describe(model).n_parameters <= MOST_PARAMETERS; i++) {
        fv_predictor *predictor = NULL;
        fuzz_well(ctx, "predictor", fv_predictor_create(model, batches[i], &predictor));
        fv_predictor_destroy(predictor);
    }
    if (fuzz_well(ctx, "plan text", fv_model_plan_text(model, 20, true, &text)))
        fv_text_destroy(ctx, text);
}

static void read_text(const uint8_t *bytes, size_t n)
{
    fv_model *model = NULL;
    char *const text = fuzz_text(bytes, n);
    if (fuzz_well(ctx, "read", fv_model_from_text(ctx, text, "text", &model))) {
        fuzz_accepted = true;
        plan_training(model);
        plan_inference(model);
        plan_as_users_do(model);
    }
    fv_model_destroy(model);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!ctx)
        ctx = fuzz_context("auto", 2);
    fuzz_twice(read_text, bytes, n);
    return 0;
}
