/* outcome.h - one run of a plan on fixed images, and all numbers that come out of it, for tests that compare
 * plans bit by bit. Include after planning.h. */
#ifndef FV_TESTS_OUTCOME_H
#define FV_TESTS_OUTCOME_H

#include "feeding.h"
#include "run/run.h"
#include "train/train.h"

enum { OUTCOME_IMAGES = 40, OUTCOME_VALUES = 4096 };

/* Results and gradients of one run, one after the other; their number. Values fall on both sides of 0. */
static inline size_t outcome_of(fv_context *c, const fv_graph *graph, fv_model *m, fv_plan_options options,
                                float *out, size_t room, void (*look)(const fv_plan *plan))
{
    static float values[OUTCOME_VALUES];
    const float *image[OUTCOME_IMAGES];
    int label[OUTCOME_IMAGES];
    fv_plan *plan;
    fv_run *run;
    assert_in_range(options.batch, 1, OUTCOME_IMAGES);
    for (int i = 0; i < OUTCOME_VALUES; i++)
        values[i] = (float)((i * 7919) % 1009) / 504.0f - 1.0f;
    for (int i = 0; i < OUTCOME_IMAGES; i++) {
        image[i] = values + 5 * i;
        label[i] = i % 4;
    }
    options.output = true;
    options.n_workers = 2;
    assert_well(c, fv__plan_create(c, graph, &options, &plan));
    assert_well(c, fv__run_create(c, plan, &run));
    fv__bind_model(run, m);
    const fv_batch batch = {
        .n = options.batch, .feed = FEEDS(image, label), .image_weight = 1.0f / (float)options.batch};
    assert_well(c, fv__run_step(run, &batch, false));
    if (look)
        look(plan);
    size_t n = 0;
    for (int t = 0; t < (int)graph->n_tensors; t++) {
        const int64_t count = fv__shape_count(graph->tensors[t].shape);
        const bool per_image = fv__graph_is_result(graph, t);
        if (!per_image && graph->tensors[t].role != FV_ROLE_GRADIENT)
            continue;
        const float *const buffer = fv__run_buffer(run, t);
        for (int64_t i = 0; i < (per_image ? count * options.batch : count); i++, n++) {
            const int64_t at = i / count;
            assert_true(n < room);
            out[n] = per_image ? buffer[(at / FV_LANES * count + i % count) * FV_LANES + at % FV_LANES]
                               : buffer[i];
        }
    }
    fv__run_destroy(run);
    fv__plan_destroy(plan);
    return n;
}

#endif
