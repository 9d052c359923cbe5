/* test_one_image.c - one image in the layout c16 has the bits that it has among others: whole networks,
 * and seeded random convolutions with what is fused behind them, on every ISA; and what a frozen plan keeps.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "feeding.h"
#include "base/rng.h"
#include "ops/inference.h"
#include "planning.h"
#include "run/run.h"
#include "train/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_RANDOM = 120, PLAIN_C_ONE_IN = 4, PLAIN_C = 3 };

typedef struct one_image {
    const float *values;
    fv_graph graph;
    int64_t n_values, n_out;
} one_image;

static int draw(fv_rng *rng, int least, int most)
{
    return least + (int)fv__rng_below(rng, (uint32_t)(most - least + 1));
}

static one_image image_for(fv_context *c, const fv_model *m)
{
    one_image one = {0};
    fv_rng rng = fv__rng(7, 0, 0, 0);
    assert_well(c, fv__graph_for_inference(&m->graph, &one.graph));
    one.n_values = fv__shape_count(one.graph.tensors[one.graph.feed[0].tensor].shape);
    one.n_out = fv__shape_count(one.graph.tensors[one.graph.result[0]].shape);
    float *const values = malloc((size_t)one.n_values * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < one.n_values; i++)
        values[i] = (float)draw(&rng, -1000, 1000) / 1000.0f;
    one.values = values;
    return one;
}

static void run_once(fv_context *c, fv_run *run, const one_image *one, float *out)
{
    const int label = 0;
    const fv_batch batch = {.n = 1, .feed = FEEDS(&one->values, &label), .image_weight = 1.0f};
    assert_well(c, fv__run_step(run, &batch, false));
    const float *const lanes = fv__run_buffer(run, one->graph.result[0]);
    assert_non_null(lanes);
    for (int64_t i = 0; i < one->n_out; i++)
        out[i] = lanes[i * 16];
}

static fv_run *make_run(fv_context *c, const one_image *one, fv_model *m, fv_plan_options options,
                        fv_plan **plan)
{
    fv_run *run;
    options.batch = 1;
    options.output = true;
    assert_well(c, fv__plan_create(c, &one->graph, &options, plan));
    assert_well(c, fv__run_create(c, *plan, &run));
    fv__bind_model(run, m);
    return run;
}

static void outputs(fv_context *c, const one_image *one, fv_model *m, fv_plan_options options, float *out)
{
    fv_plan *plan;
    fv_run *const run = make_run(c, one, m, options, &plan);
    run_once(c, run, one, out);
    fv__run_destroy(run);
    fv__plan_destroy(plan);
}

static size_t n_fused(const fv_plan *plan)
{
    size_t n = 0;
    for (size_t s = 0; s < plan->n_steps; s++) {
        const fv_kernel_id kernel = plan->steps[s].spec.kernel;
        if (kernel != FV_KERNEL_conv_c16 && kernel != FV_KERNEL_winograd_c16)
            continue;
        const fv_finish_args *const finish = &((const fv_c16_args *)plan->steps[s].spec.args)->finish;
        n += finish->affine + finish->relu + (plan->steps[s].spec.n_operands > 4);
    }
    return n;
}

static void assert_same(const float *a, const float *b, int64_t n, const char *what, const char *model)
{
    for (int64_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0)
            fail_msg("%s: output %lld is %.9g and not %.9g, of\n%s", what, (long long)i, (double)b[i],
                     (double)a[i], model);
}

/* All ways to run one image; returns how many operations were fused. */
static size_t compare(fv_context *c, fv_model *m, const char *model)
{
    one_image one = image_for(c, m);
    float *const lanes = malloc((size_t)one.n_out * sizeof *lanes);
    float *const c16 = malloc((size_t)one.n_out * sizeof *c16);
    assert_non_null(lanes);
    assert_non_null(c16);
    for (int direct = 0; direct <= 1; direct++) {
        outputs(c, &one, m, (fv_plan_options){.n_workers = 2, .direct = direct}, lanes);
        for (int n_workers = 1; n_workers <= 3; n_workers++) {
            const fv_plan_options o = {.n_workers = n_workers, .c16 = true, .direct = direct};
            outputs(c, &one, m, o, c16);
            assert_same(lanes, c16, one.n_out, "in c16", model);
        }
        const fv_plan_options all = {.n_workers = 2, .c16 = true, .direct = direct, .keep_all = true};
        outputs(c, &one, m, all, c16);
        assert_same(lanes, c16, one.n_out, "nothing fused", model);
    }
    fv_plan *plan;
    fv_run *const run = make_run(c, &one, m, (fv_plan_options){.n_workers = 2, .c16 = true}, &plan);
    const size_t fused = n_fused(plan);
    fv__run_destroy(run);
    fv__plan_destroy(plan);
    free(lanes);
    free(c16);
    free((void *)one.values);
    fv__graph_deinit(&one.graph);
    return fused;
}

/* Statistics and biases as if the model had learned, not 0 and 1. */
static void disturb(fv_model *m)
{
    fv_rng rng = fv__rng(5, 0, 0, 0);
    for (int p = 0; p < m->n_params; p++)
        for (size_t i = 0; i < m->params[p].n; i++)
            if (p >= m->n_learned || m->graph.tensors[m->params[p].tensor].shape.rank == 1)
                fv__model_values(m, p)[i] += (float)draw(&rng, 25, 125) / 100.0f;
}

static void test_networks(void **state)
{
    (void)state;
    for (int i = 0; model_at(i); i++) {
        fv_model *m = training_model(ctx, model_at(i));
        if (fv_model_describe(m).flops < 100 * 1000 * 1000) {
            assert_well(ctx, fv_model_initialise(m, 1));
            disturb(m);
            compare(ctx, m, model_at(i));
        }
        fv_model_destroy(m);
    }
}

/* A convolution and what may be fused behind it. Small, but now and then with several panels of 64 outputs,
 * chunks of terms and ranges of rows. */
static void draw_model(fv_rng *rng, char *text, size_t room)
{
    static const int windows[] = {1, 1, 1, 2, 3, 3, 3, 5, 7};
    static const char *const bias[] = {"", " bias=no"};
    char window[80];
    const int kh = windows[draw(rng, 0, 8)], kw = draw(rng, 0, 3) ? kh : windows[draw(rng, 0, 8)];
    snprintf(window, sizeof window, "%dx%d stride=%dx%d pad=%dx%d", kh, kw, draw(rng, 1, 2), draw(rng, 1, 2),
             draw(rng, 0, kh - 1), draw(rng, 0, kw - 1));
    const int out = draw(rng, 1, draw(rng, 0, 4) ? 40 : 150);
    const bool shortcut = draw(rng, 0, 1), first = draw(rng, 0, 1);
    size_t n = (size_t)snprintf(text, room, "input image %dx%dx%d\nconv c0 %d 1x1\nrelu name=trunk\n",
                                draw(rng, 1, 20), draw(rng, 7, 24), draw(rng, 7, 24),
                                draw(rng, 1, draw(rng, 0, 4) ? 40 : 150));
    if (shortcut && first)
        n += (size_t)snprintf(text + n, room - n, "conv short %d %s\n", out, window);
    n += (size_t)snprintf(text + n, room - n, "conv c1 %d %s%s%s\n", out, window, bias[draw(rng, 0, 1)],
                          shortcut && first ? " from=trunk" : "");
    if (draw(rng, 0, 1))
        n += (size_t)snprintf(text + n, room - n, "batchnorm n1\n");
    n += (size_t)snprintf(text + n, room - n, "%s", draw(rng, 0, 3) ? "" : "tanh\n");
    if (shortcut && !first)
        n += (size_t)snprintf(text + n, room - n,
                              "identity name=main\nconv short %d %s from=trunk\nadd main\n", out, window);
    else if (shortcut)
        n += (size_t)snprintf(text + n, room - n, "add short\n");
    n += (size_t)snprintf(text + n, room - n, "%s", draw(rng, 0, 2) ? "relu\n" : "");
    snprintf(text + n, room - n, "flatten\nlinear out %d\nsoftmax\n", draw(rng, 2, 5));
}

static void test_random_convolutions(void **state)
{
    static const char *const isas[] = {"avx512", "avx2", "neon", "portable"};
    (void)state;
    size_t fused = 0;
    for (int isa = 0; isa < 4; isa++) {
        fv_context *const c = training_context(2, isas[isa]);
        fv_rng rng = fv__rng(31, 0, 0, 0);
        for (int i = 0; c && i < N_RANDOM; i++) {
            char text[512];
            draw_model(&rng, text, sizeof text);
            if (isa == PLAIN_C && i % PLAIN_C_ONE_IN)
                continue;
            fv_model *const m = training_model(c, text);
            disturb(m);
            fused += compare(c, m, text);
            fv_model_destroy(m);
        }
        fv_context_destroy(c);
    }
    assert_true(fused > N_RANDOM);
}

/* Signals and videos: windows that depths and rows of x cut at once, few channels and many, strides,
 * dilation. */
static const char *const other_directions[] = {
    "input signal 3x45\nconv a 20 7 stride=2 pad=3\nrelu\nconv b 33 3 pad=same dilation=2\nbatchnorm "
    "n\nrelu\n"
    "maxpool 2\nconv c 40 1\nadaptiveavgpool 3\nflatten\nlinear out 4\nsoftmax\n",
    "input signal 1x200\nconv a 5 9 pad=4\nrelu\nconv b 70 4 stride=3\ntanh\nglobalmaxpool\nflatten\n"
    "linear out 2\nsoftmax\n",
    "input video 2x5x9x8\nconv a 18 3x3x3 pad=1\nrelu\nconv b 34 3x3x3 stride=1x2x2 pad=1\nbatchnorm "
    "n\nrelu\n"
    "conv c 20 1x1x1 stride=2\nmaxpool 2x2x1 stride=1\nglobalavgpool\nflatten\nlinear out 3\nsoftmax\n",
    "input video 1x6x7x10\nconv a 17 2x5x3 pad=1x2x0 dilation=2x1x1\nrelu\nconv b 66 3x5x5 pad=2 bias=no\n"
    "batchnorm n\nrelu\navgpool 2x3x3\nconvtranspose t 3 2x2x2 stride=2\nrelu\nflatten\nlinear out "
    "3\nsoftmax\n",
    "input video 3x1x8x9\nconv a 32 1x3x3 pad=0x1x1\nrelu\nconv b 40 1x3x3 "
    "pad=0x1x1\nrelu\nglobalavgpool\nflatten\n"
    "linear out 3\nsoftmax\n",
    "input video 2x4x9x8\nconv a 33 3x3x3 pad=1\nrelu\nconv b 70 3x3x3 stride=2x1x1 pad=2x1x1\nbatchnorm "
    "n\nrelu\nglobalavgpool\nflatten\nlinear out 3\nsoftmax\n",
    "input video 33x7x4x5\nconv a 66 3x1x1 pad=1x0x0\nbatchnorm n\nrelu\nconv b 34 1x3x1 "
    "pad=0x1x0\nrelu\nconv c 33 "
    "1x1x3 dilation=1x1x2 pad=0x0x2\nrelu\nglobalavgpool\nflatten\nlinear out 3\nsoftmax\n",
    "input signal 32x41\nconv a 70 3 pad=3 dilation=3\nbatchnorm n\nrelu\nconv b 34 3 pad=1\nrelu\n"
    "globalavgpool\nflatten\nlinear out 3\nsoftmax\n",
    "input image 32x13x12\nconv a 66 3x3 pad=2 dilation=2\nbatchnorm n\nrelu\nconv b 34 3x3 pad=1x3 "
    "dilation=1x3\n"
    "relu\nglobalavgpool\nflatten\nlinear out 3\nsoftmax\n",
};

static void test_other_directions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof other_directions / sizeof *other_directions; i++) {
        fv_model *const m = training_model(ctx, other_directions[i]);
        disturb(m);
        assert_true(compare(ctx, m, other_directions[i]) >= 1);
        fv_model_destroy(m);
    }
}

/* Each way of the list for one image, asked for by name where it can do all of the network's convolutions. */
static void test_ways(void **state)
{
    (void)state;
    static const struct {
        const char *way, *text;
    } rows[] = {
        {"windows", "input image 3x9x8\nconv a 20 3x3 pad=1\nrelu\nconv b 40 1x1 stride=2\nflatten\n"
                    "linear out 3\nsoftmax\n"},
        {"lines",
         "input image 3x9x8\nconv a 15 1x1\nrelu\nconv b 40 3x3 pad=1\nflatten\nlinear out 3\nsoftmax\n"},
        {"points", "input image 3x9x8\nconv a 20 1x1 stride=2\nrelu\nconv b 40 1x1\nflatten\nlinear out 3\n"
                   "softmax\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fv_model *const m = training_model(ctx, rows[i].text);
        disturb(m);
        one_image one = image_for(ctx, m);
        float lanes[8], c16[8];
        assert_in_range(one.n_out, 1, 8);
        outputs(ctx, &one, m, (fv_plan_options){.n_workers = 2}, lanes);
        outputs(ctx, &one, m, (fv_plan_options){.n_workers = 2, .c16 = true, .way = rows[i].way}, c16);
        assert_same(lanes, c16, one.n_out, rows[i].way, rows[i].text);
        fv_plan *plan = NULL;
        const fv_plan_options wrong = {
            .batch = 1, .n_workers = 1, .output = true, .c16 = true, .way = "winograd"};
        assert_int_equal(fv__plan_create(ctx, &one.graph, &wrong, &plan), FV_ERR_INPUT);
        free((void *)one.values);
        fv__graph_deinit(&one.graph);
        fv_model_destroy(m);
    }
}

/* What is packed from the parameters is kept over a run, until the run is told that they changed. */
static void test_frozen(void **state)
{
    (void)state;
    fv_model *const m = training_model(ctx, "lenet5");
    one_image one = image_for(ctx, m);
    float before[10], after[10], kept[10], expected[10];
    fv_plan *plan;
    const fv_plan_options options = {.n_workers = 2, .c16 = true, .frozen = true};
    fv_run *const run = make_run(ctx, &one, m, options, &plan);
    assert_int_equal(one.n_out, 10);
    assert_true(plan->n_prepared > 0);
    run_once(ctx, run, &one, before);
    run_once(ctx, run, &one, after);
    assert_same(before, after, 10, "the second run", "lenet5");
    assert_well(ctx, fv_model_initialise(m, 2));
    outputs(ctx, &one, m, (fv_plan_options){.n_workers = 2}, expected);
    run_once(ctx, run, &one, kept);
    assert_true(memcmp(kept, expected, sizeof kept) != 0);
    fv__run_refresh(run);
    run_once(ctx, run, &one, after);
    assert_same(expected, after, 10, "refreshed", "lenet5");
    fv__run_destroy(run);
    fv__plan_destroy(plan);
    free((void *)one.values);
    fv__graph_deinit(&one.graph);
    fv_model_destroy(m);
}

/* The same probabilities for one image at a time and for all at once, of pixels and of values. */
static void test_predictors(void **state)
{
    (void)state;
    enum { N = 21, PIXELS = 28 * 28 };
    fv_model *const m = training_model(ctx, "lenet5");
    fv_data *const data = training_digits(ctx, FV_SPLIT_TEST, N);
    static float values[N * PIXELS];
    float all[N * 10], one[10];
    assert_well(ctx, fv_predict(m, data, 0, N, all));
    for (int i = 0; i < N * PIXELS; i++)
        values[i] = (float)fv_data_pixels(data, 0)[i] / 255.0f;
    for (int n = 1; n <= 16; n += 15) {
        fv_predictor *p;
        assert_well(ctx, fv_predictor_create(m, n, &p));
        for (int i = 0; i < N; i++) {
            assert_well(ctx, fv_predictor_run(p, data, i, 1, one));
            assert_same(all + i * 10, one, 10, "an image of data", "lenet5");
            assert_well(ctx, fv_predictor_run_pixels(p, fv_data_pixels(data, i), 1, one));
            assert_same(all + i * 10, one, 10, "pixels", "lenet5");
        }
        float again[N * 10];
        assert_well(ctx, fv_predictor_run_values(p, values, N, again));
        assert_same(all, again, N * 10, "values", "lenet5");
        assert_well(ctx, fv_model_initialise(m, 9));
        fv_predictor_refresh(p);
        assert_well(ctx, fv_predictor_run_pixels(p, fv_data_pixels(data, 3), 1, one));
        assert_well(ctx, fv_predict(m, data, 0, N, all));
        assert_same(all + 30, one, 10, "refreshed", "lenet5");
        assert_int_equal(fv_predictor_run(p, data, N - 1, 2, one), FV_ERR_ARGUMENT);
        fv_predictor_destroy(p);
    }
    fv_predictor *none = NULL;
    assert_int_equal(fv_predictor_create(m, 0, &none), FV_ERR_ARGUMENT);
    fv_data_destroy(data);
    fv_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),         cmocka_unit_test(test_random_convolutions),
        cmocka_unit_test(test_other_directions), cmocka_unit_test(test_ways),
        cmocka_unit_test(test_frozen),           cmocka_unit_test(test_predictors),
    };
    return cmocka_run_group_tests(tests, planning_setup, planning_teardown);
}
