/* test_memory.c - the memory of a training step: what the planner counts, and that keeping fewer values and
 * taking fewer steps changes no bit of what is learned. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "feeding.h"
#include "ops/ops.h"
#include "planning.h"
#include "run/run.h"
#include "train/train.h"

/* ---- what the planner counts ------------------------------------------------------------------------ */

static fv_plan_memory memory_of(const char *model, fv_plan_options options)
{
    fv_model *m = training_model(ctx, model);
    fv_graph graph;
    training_graph(m, &graph);
    options.loss = options.updates = true;
    fv_plan *plan = plan_of(&graph, options);
    fv_plan_memory memory;
    assert_well(ctx, fv__plan_memory(plan, &memory));
    assert_int_equal(memory.gradients + memory.activations + memory.work, plan->shared_floats);
    assert_int_equal(memory.worker, plan->local_floats + plan->scratch_floats);
    assert_true(memory.peak >= 0 && memory.peak < plan->n_phases && memory.work >= 0);
    fv__plan_destroy(plan);
    fv__graph_deinit(&graph);
    fv_model_destroy(m);
    return memory;
}

/* Floats of all outputs of convolutions that a batch normalisation reads: its gradient needs them. */
static int64_t floor_of(const char *model, int batch)
{
    fv_model *m = training_model(ctx, model);
    const fv_graph *g = &m->graph;
    int64_t floats = 0;
    for (size_t k = 0; k < g->n_nodes; k++)
        if (g->nodes[k].op == &fv_op_batchnorm)
            floats += fv__shape_count(g->tensors[g->nodes[k].input[0]].shape);
    fv_model_destroy(m);
    return floats * batch;
}

#define MIB(floats) ((double)(floats)*4 / 1048576)

/* ResNet-18 at batch 128: its convolutions alone have 300 MiB of outputs; 320 must do for all. */
static void resnet18_needs_little(void **state)
{
    (void)state;
    assert_int_equal(floor_of("resnet18", 128), 300 * (1048576 / 4));
    for (int workers = 1; workers <= 8; workers *= 2) {
        const fv_plan_options o = {.batch = 128, .n_workers = workers};
        const fv_plan_memory m = memory_of("resnet18", o);
        if (m.activations < floor_of("resnet18", 128) || MIB(m.activations) > 320)
            fail_msg("%d workers: %.2f MiB of activations", workers, MIB(m.activations));
        assert_true(MIB(m.work) < 50 && MIB(m.worker) < 20);
    }
}

/* Fewer bytes with each of the two; more of nothing. */
static void each_pass_saves(void **state)
{
    (void)state;
    static const char *const models[] = {"resnet18", "vgg8"};
    for (int i = 0; i < 2; i++) {
        const fv_plan_memory least = memory_of(models[i], (fv_plan_options){.batch = 64, .n_workers = 1});
        const fv_plan_memory kept =
            memory_of(models[i], (fv_plan_options){.batch = 64, .n_workers = 1, .keep = true});
        const fv_plan_memory all = memory_of(
            models[i], (fv_plan_options){.batch = 64, .n_workers = 1, .keep = true, .unfused = true});
        assert_true(least.activations < kept.activations && kept.activations <= all.activations);
        assert_int_equal(least.parameters, kept.parameters);
        assert_int_equal(least.gradients, kept.gradients);
        assert_true(least.states <= least.gradients && least.gradients < least.states + 16 * 200); /* lines */
    }
}

/* ---- the same bits ---------------------------------------------------------------------------------- */

enum { N_IMAGES = 40, N_VALUES = 3 * 12 * 12, N_CLASSES = 4 };

/* ResNet-18 and VGG-8, small: blocks with and without a shortcut; pairs of convolutions and poolings, with a
 * ReLU whose gradient reads its input. */
static const char small_resnet[] =
    "input image 3x12x12\n"
    "conv c0 17 3x3 pad=1 bias=no\nbatchnorm b0\nrelu name=stem\n"
    "conv c1 17 3x3 pad=1 bias=no\nbatchnorm b1\nrelu\nconv c2 17 3x3 pad=1 bias=no\nbatchnorm b2\n"
    "add stem\nrelu name=one\n"
    "conv c3 17 3x3 pad=1 bias=no\nbatchnorm b3\nrelu\nconv c4 17 3x3 pad=1 bias=no\nbatchnorm b4\n"
    "add one\nrelu name=two\n"
    "conv c5 33 3x3 stride=2 pad=1 bias=no\nbatchnorm b5\nrelu\n"
    "conv c6 33 3x3 pad=1 bias=no\nbatchnorm b6\n"
    "conv short 33 1x1 stride=2 bias=no from=two\nbatchnorm bs\nadd b6\nrelu name=three\n"
    "conv c7 33 3x3 pad=1 bias=no\nbatchnorm b7\nrelu\nconv c8 33 3x3 pad=1 bias=no\nbatchnorm b8\n"
    "add three\nrelu\nglobalavgpool\nflatten\nlinear out 4\nsoftmax\n";

static const char small_vgg[] =
    "input image 3x12x12\n"
    "conv c0 17 3x3 pad=1 bias=no\nbatchnorm b0\nrelu\n"
    "conv c1 16 3x3 pad=1 bias=no\nbatchnorm b1\nrelu at0=1\nmaxpool 2x2\n"
    "conv c2 33 3x3 pad=1\nbatchnorm b2\nleakyrelu\n"
    "conv c3 32 3x3 pad=1 bias=no\nbatchnorm b3\nrelu\nmaxpool 3x3 stride=2\n"
    "flatten\ndropout 0.3\nlinear h 19\nbatchnorm b4\nrelu\nlinear out 4\nsoftmax\n";

/* Parameters, running statistics and momentum after a few updates; and how many steps did two things at once,
 * or one again. */
typedef struct outcome {
    float *values;
    size_t n;
    int n_fused, n_again;
} outcome;

static void count_steps(const fv_plan *plan, outcome *o)
{
    for (size_t s = 0; s < plan->n_steps; s++) {
        const fv_step *step = &plan->steps[s];
        const bool adds = step->spec.kernel == FV_KERNEL_batchnorm && step->spec.n_operands == 6;
        o->n_fused += step->spec.relu || adds;
        o->n_again += plan->buffers[step->spec.operand[0]].remade >= 0;
    }
}

static void updates(fv_context *c, fv_run *run)
{
    static float noise[N_VALUES + 3 * N_IMAGES];
    const float *values[N_IMAGES];
    int labels[N_IMAGES];
    uint32_t r = 7;
    for (int i = 0; i < N_VALUES + 3 * N_IMAGES; i++) {
        r = r * 1664525u + 1013904223u;
        noise[i] = (float)(int32_t)r * 0x1p-31f;
    }
    for (uint32_t n = 0; n < 3; n++) { /* the last batch is smaller than the plan's */
        for (int i = 0; i < N_IMAGES; i++) {
            values[i] = noise + (size_t)i * 2 + n;
            labels[i] = (i * 7 + i / 3) % N_CLASSES;
        }
        const fv_batch batch = {.n = n < 2 ? N_IMAGES : 21,
                                .feed = FEEDS(values, labels),
                                .seed = 5,
                                .step = n,
                                .image_weight = 1.0f / N_IMAGES};
        assert_well(c, fv__run_step(run, &batch, true));
    }
}

static outcome train(fv_context *c, const char *text, fv_plan_options options)
{
    float settings[] = {[FV_SGD_RATE] = 0.05f, [FV_SGD_MOMENTUM] = 0.9f, [FV_SGD_DECAY] = 0.001f};
    fv_model *m = training_model(c, text);
    fv_graph graph;
    fv_plan *plan = NULL;
    fv_run *run = NULL;
    assert_well(c, fv_model_initialise(m, 3));
    training_graph(m, &graph);
    options.batch = N_IMAGES;
    options.loss = options.updates = true;
    assert_well(c, fv__plan_create(c, &graph, &options, &plan));
    assert_well(c, fv__run_create(c, plan, &run));
    outcome o = {.n = 2 * m->n_values, .values = calloc(2 * m->n_values, sizeof *o.values)};
    assert_non_null(o.values);
    fv__bind_model(run, m);
    for (int t = 0; t < (int)graph.n_tensors; t++)
        if (graph.tensors[t].role == FV_ROLE_SETTING)
            fv__run_bind(run, t, settings);
        else if (graph.tensors[t].role == FV_ROLE_STATE && graph.tensors[t].source < 0)
            fv__run_bind(run, t,
                         o.values + m->n_values +
                             m->params[fv__model_param_of(m, graph.tensors[t].of)].offset);
    updates(c, run);
    memcpy(o.values, fv__model_values(m, 0), m->n_values * sizeof *o.values);
    count_steps(plan, &o);
    fv__run_destroy(run);
    fv__plan_destroy(plan);
    fv__graph_deinit(&graph);
    fv_model_destroy(m);
    return o;
}

static void compare(const outcome *expected, const outcome *found, const char *how, int threads, int variant)
{
    assert_int_equal(expected->n, found->n);
    for (size_t i = 0; i < found->n; i++)
        if (memcmp(&expected->values[i], &found->values[i], sizeof(float)) != 0)
            fail_msg("%s, %d threads, %s%s: value %zu of %zu: expected %.9g, found %.9g", how, threads,
                     variant & 1 ? "unfused " : "fused ", variant & 2 ? "kept" : "made again", i, found->n,
                     (double)expected->values[i], (double)found->values[i]);
}

/* Unfused, all kept, one thread, plain C: that is what every other way must give. */
static void same_bits(void **state)
{
    (void)state;
    static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};
    static const char *const models[] = {small_resnet, small_vgg};
    for (int i = 0; i < 2; i++) {
        fv_context *plain = training_context(1, "portable");
        assert_non_null(plain);
        const outcome expected = train(plain, models[i], (fv_plan_options){.unfused = true, .keep = true});
        assert_int_equal(expected.n_fused + expected.n_again, 0);
        fv_context_destroy(plain);
        for (int isa = 0; isa < 4; isa++)
            for (int threads = isa == 0 || TRAINING_SLOW ? 3 : 1; threads <= 3; threads++) {
                fv_context *c = training_context(threads, isas[isa]);
                for (int variant = 0; c && variant < (isa == 0 ? 1 : 4); variant++) {
                    const fv_plan_options o = {
                        .n_workers = threads, .unfused = variant & 1, .keep = variant >> 1 & 1};
                    outcome found = train(c, models[i], o);
                    assert_true(found.n_fused > 0 || o.unfused); /* else nothing is compared */
                    assert_true(found.n_again > 0 || o.keep);
                    compare(&expected, &found, isas[isa], threads, variant);
                    free(found.values);
                }
                fv_context_destroy(c);
            }
        free(expected.values);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet18_needs_little),
        cmocka_unit_test(each_pass_saves),
        cmocka_unit_test(same_bits),
    };
    return cmocka_run_group_tests(tests, planning_setup, planning_teardown);
}
