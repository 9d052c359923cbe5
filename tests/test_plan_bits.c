/* test_plan_bits.c - every way to cut, group and place the same graph gives the same bits. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "feeding.h"
#include "ops/inference.h"
#include "planning.h"
#include "run/run.h"
#include "train/train.h"

enum { MOST = 512 };

/* A step without an update; values and labels of n images from `first` on. */
typedef struct inputs {
    const float *values[MOST];
    int labels[MOST];
    uint32_t samples[MOST];
} inputs;

/* n_classes 0: no label is read */
static inputs draw_inputs(int n_values, int n_classes)
{
    static float noise[MOST + 4096];
    static bool drawn;
    inputs in;
    uint32_t r = 99;
    for (int i = 0; !drawn && i < MOST + 4096; i++) {
        r = r * 1664525u + 1013904223u;
        noise[i] = (float)(int32_t)r * 0x1p-31f;
    }
    drawn = true;
    assert_in_range(n_values, 1, 4096);
    for (int i = 0; i < MOST; i++) {
        in.values[i] = noise + i;
        in.labels[i] = n_classes > 0 ? (i * 7 + i / 3) % n_classes : 0;
        in.samples[i] = (uint32_t)i;
    }
    return in;
}

static fv_run *run_of(const fv_plan *plan, fv_model *m)
{
    fv_run *run = NULL;
    assert_well(ctx, fv__run_create(ctx, plan, &run));
    fv__bind_model(run, m);
    return run;
}

static void step(fv_run *run, const inputs *in, int first, int n)
{
    const fv_batch batch = {.n = n,
                            .feed = FEEDS(in->values + first, in->labels + first),
                            .samples = in->samples + first,
                            .seed = 3,
                            .step = 1,
                            .image_weight = 1.0f / (float)n};
    assert_well(ctx, fv__run_step(run, &batch, false));
}

/* Losses of the n images, output and gradients, one after the other. */
static size_t results(const fv_plan *plan, fv_run *run, int n, float *out, size_t most)
{
    size_t used = 0;
    const fv_graph *g = plan->graph;
    for (int t = 0; t < (int)g->n_tensors; t++) {
        const bool per_image = fv__graph_is_loss(g, t) || fv__graph_is_result(g, t);
        if (!per_image && g->tensors[t].role != FV_ROLE_GRADIENT)
            continue;
        const float *values = fv__run_buffer(run, t);
        const int64_t count = fv__shape_count(g->tensors[t].shape);
        assert_non_null(values);
        for (int64_t i = 0; i < (per_image ? count * n : count); i++, used++) {
            assert_true(used < most);
            const int64_t image = i / count;
            out[used] = per_image ? values[(image / 16 * count + i % count) * 16 + image % 16] : values[i];
        }
    }
    return used;
}

static void compare(const float *expected, const float *found, size_t n, const char *model, const char *what)
{
    if (memcmp(expected, found, n * sizeof *found) == 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (memcmp(&expected[i], &found[i], sizeof *found) != 0)
            fail_msg("%.40s, %s: value %zu of %zu: expected %.9g, found %.9g", model, what, i, n,
                     (double)expected[i], (double)found[i]);
}

/* Whatever a plan keeps or reuses, however blocks are grouped, whatever ran before in the same memory. */
static void same_bits(void **state)
{
    (void)state;
    static float expected[700000], found[700000];
    enum { ROOM = 700000 };
    static const int batches[] = {1, 17, 48, 64, 100, 512};
    int n_groups[64] = {0}, n_split[FV_N_KERNELS] = {0};
    for (int i = 0; model_at(i); i++) {
        fv_model *m = training_model(ctx, model_at(i));
        const fv_model_info info = fv_model_describe(m);
        if (!is_small(m)) {
            fv_model_destroy(m);
            continue;
        }
        const inputs in = draw_inputs(info.c * info.h * info.w, info.n_classes);
        fv_graph graph;
        training_graph(m, &graph);
        for (int b = 0; b < 6; b++) {
            const int n = batches[b];
            if (n == 512 && (TRAINING_SLOW || info.n_parameters > 100000))
                continue;
            fv_plan_options o = {.batch = n, .n_workers = 1, .output = true, .loss = true, .keep_all = true};
            fv_plan *plan = plan_of(&graph, o);
            fv_run *run = run_of(plan, m);
            step(run, &in, 0, n);
            const size_t used = results(plan, run, n, expected, ROOM);
            fv__run_destroy(run);
            fv__plan_destroy(plan);
            for (int workers = 1; workers <= 8; workers += workers < 4 ? 1 : 4) {
                char what[64];
                snprintf(what, sizeof what, "batch %d, %d workers", n, workers);
                plan = plan_of(
                    &graph,
                    (fv_plan_options){
                        .batch = n, .n_workers = workers, .output = true, .loss = true, .updates = true});
                for (int p = 0; p < plan->n_phases; p++)
                    n_groups[plan->phases[p].group < 63 ? plan->phases[p].group : 63]++;
                for (size_t k = 0; k < plan->n_steps; k++)
                    n_split[plan->steps[k].spec.kernel] += plan->steps[k].spec.domain == FV_PER_RANGE;
                run = run_of(plan, m);
                for (int again = 0; again < (workers == 1 ? 2 : 1); again++) {
                    if (again) /* other images, and fewer of them, leave nothing behind */
                        step(run, &in, n > 1 ? 1 : 0, n > 1 ? n / 2 : 1);
                    step(run, &in, 0, n);
                    assert_int_equal(results(plan, run, n, found, ROOM), used);
                    compare(expected, found, used, model_at(i), what);
                }
                fv__run_destroy(run);
                fv__plan_destroy(plan);
            }
        }
        fv__graph_deinit(&graph);
        fv_model_destroy(m);
    }
    int distinct = 0;
    for (int g = 1; g < 64; g++)
        distinct += n_groups[g] > 0;
    assert_true(distinct >= 2); /* else nothing was compared */
    /* with fewer blocks than workers these are cut within a block */
    assert_true(n_split[FV_KERNEL_conv] > 0 && n_split[FV_KERNEL_conv_rows] > 0);
    assert_true(n_split[FV_KERNEL_winograd] > 0 && n_split[FV_KERNEL_matmul] > 0);
    assert_true(n_split[FV_KERNEL_conv_pixels] > 0 && n_split[FV_KERNEL_conv_dw_outputs] > 0);
}

/* An image's loss and output do not depend on the images beside it, nor on the size of the batch. */
static void images_stay_apart(void **state)
{
    (void)state;
    static float alone[1024], together[MOST * 800];
    for (int i = 0; model_at(i); i++) {
        fv_model *m = training_model(ctx, model_at(i));
        const fv_model_info info = fv_model_describe(m);
        if (!is_small(m)) {
            fv_model_destroy(m);
            continue;
        }
        const inputs in = draw_inputs(info.c * info.h * info.w, info.n_classes);
        fv_graph graph;
        assert_well(ctx, fv__graph_for_inference(&m->graph, &graph));
        fv_plan *one =
            plan_of(&graph, (fv_plan_options){.batch = 1, .n_workers = 2, .output = true, .loss = true});
        fv_plan *many =
            plan_of(&graph, (fv_plan_options){.batch = 100, .n_workers = 2, .output = true, .loss = true});
        fv_run *run_one = run_of(one, m), *run_many = run_of(many, m);
        step(run_many, &in, 0, 37);
        const size_t used = results(many, run_many, 37, together, sizeof together / sizeof *together);
        const size_t per_image = used / 37, n_outputs = per_image - 1;
        const bool loss_first = graph.loss[0] < graph.result[0];
        for (int image = 0; image < 37; image += 6) {
            step(run_one, &in, image, 1);
            assert_int_equal(results(one, run_one, 1, alone, 1024), per_image);
            const size_t at = (size_t)image;
            const float *const loss = together + (loss_first ? 0 : 37 * n_outputs) + at;
            const float *const output = together + (loss_first ? 37 : 0) + at * n_outputs;
            compare(loss, alone + (loss_first ? 0 : n_outputs), 1, model_at(i), "loss alone");
            compare(output, alone + loss_first, n_outputs, model_at(i), "output alone");
        }
        fv__run_destroy(run_one);
        fv__run_destroy(run_many);
        fv__plan_destroy(one);
        fv__plan_destroy(many);
        fv__graph_deinit(&graph);
        fv_model_destroy(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits),
        cmocka_unit_test(images_stay_apart),
    };
    return cmocka_run_group_tests(tests, planning_setup, planning_teardown);
}
