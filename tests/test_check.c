/* test_check.c - looking at a model: gradients against differences, the plan as text, the bench.
 *
 * The check's own tolerances stand in src/train/check.c and check_point.c: 1e-5 of a tensor's rms gradient
 * for the reference, 1e-4 for the kernels. Here it must pass on right networks and fail on wrong ones;
 * test_check_faults.c has random ones of both kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "training.h"

#include "plan/lower.h"
#include "model/model.h"
#include "ops/ops.h"
#include "plan/plan.h"
#include "train/difference.h"

#include <math.h>

/* ---- the check passes ------------------------------------------------------------------------------- */

typedef struct seen {
    bool loud;
    int n_tensors, n_wrong_reference, n_wrong_kernels;
    int64_t n_checked;
} seen;

static bool see(void *user, const fv_check_progress *p)
{
    seen *s = user;
    const fv_check_result *const r = p->result;
    if (!r)
        return true;
    s->n_tensors++;
    s->n_checked += r->n_checked;
    s->n_wrong_reference += !(r->reference_error <= 1e-5);
    s->n_wrong_kernels += !(r->kernel_error <= 1e-4);
    if (s->loud && r->verdict != FV_CHECK_OK)
        print_error("  %s: reference %g, kernels %g\n", r->parameter, r->reference_error, r->kernel_error);
    assert_true(r->n_checked >= 1 && r->n_checked <= r->n_values + 1);
    assert_int_equal(p->n_done, s->n_tensors);
    return true;
}

static void must_pass(fv_context *ctx, const char *text, const char *name, uint64_t seed, int batch)
{
    fv_model *model = NULL;
    if (fv_model_from_text(ctx, text, name, &model) != FV_OK)
        fail_msg("%s", fv_message(ctx));
    seen s = {.loud = true};
    fv_check_summary sum = {-1, -1, -1};
    const uint64_t before = fv_model_hash(model);
    const fv_check_options options = {.seed = seed, .batch = batch};
    const fv_status status = fv_model_check(model, &options, see, &s, &sum);
    if (status != FV_OK || sum.n_wrong + sum.n_undecided > 0)
        print_error("%s, seed %d, batch %d: %s\n", name, (int)seed, batch,
                    status == FV_OK ? "" : fv_message(ctx));
    assert_int_equal(status, FV_OK);
    assert_int_equal(sum.n_wrong, 0);
    assert_int_equal(sum.n_undecided, 0);
    assert_int_equal(sum.n_ok, s.n_tensors);
    assert_int_equal(s.n_tensors, fv_model_n_parameters(model));
    assert_true(fv_model_hash(model) == before); /* a look, no more */
    fv_model_destroy(model);
}

static void zoo(void **state)
{
    scratch *s = *state;
    for (int i = 0; fv_zoo_name(i); i++) {
        fv_model *model = NULL;
        assert_int_equal(fv_model_open(s->ctx, fv_zoo_name(i), &model), FV_OK);
        /* the reference takes minutes over the large networks; their layers are tried by residual below */
        const bool small = fv_model_describe(model).flops < (TRAINING_SLOW ? 1 : 10) * 1000 * 1000;
        fv_model_destroy(model);
        if (small)
            must_pass(s->ctx, fv_zoo_text(fv_zoo_name(i)), fv_zoo_name(i), 0, 2);
    }
}

/* Batch normalisation of images and of vectors, a shortcut of its own, and the pool over the whole image.
 * Batches of more than one block, the last partly filled. */
static void residual(void **state)
{
    scratch *s = *state;
    static const char text[] =
        "input image 3x8x6\nconv c1 5 3x3 pad=1 bias=no\nbatchnorm b1\nrelu name=trunk\n"
        "conv c2 7 3x3 stride=2 pad=1 bias=no\nbatchnorm b2\nrelu\nconv c3 7 3x3 pad=1\nbatchnorm b3\n"
        "conv short 7 1x1 stride=2 bias=no from=trunk\nbatchnorm b4\nadd b3\nrelu\n"
        "globalavgpool\nflatten\nlinear h 9\nbatchnorm b5\ntanh\nlinear out 4\nsoftmax\n";
    static const int batches[] = {8, 17, 40};
    for (int i = 0; i < 3; i++)
        must_pass(s->ctx, text, "residual", (uint64_t)i, batches[i]);
}

#define IN "input image 2x7x6\n"

static const char *const odd[] = {
    /* every kind of activation */
    IN "conv a 3 3x3\nrelu\nconv b 5 1x1\nleakyrelu\nconv c 3 2x2 bias=no\nsoftplus\nflatten\n"
       "linear d 7\nsigmoid\nlinear e 5 bias=no\nidentity\ntanh\nlinear f 3\nsoftmax\n",
    /* strides, paddings, windows that hang over */
    IN "conv a 5 3x2 stride=2 pad=1\ntanh\navgpool 3x3 stride=2 pad=1\nflatten\nlinear b 4\nsoftmax\n",
    IN "conv a 4 5x5 pad=3\nrelu at0=1\nmaxpool 3x2 stride=2 pad=1\nconv b 17 1x3 pad=0x1\nrelu\nflatten\n"
       "linear c 2\nsoftmax\n",
    /* a way around, and a bias of its own */
    IN "conv a 4 3x3 pad=1\nrelu name=r\nconv b 4 3x3 pad=1\nbias shift\nadd r\nrelu\navgpool 2x2\nflatten\n"
       "linear c 3\nsoftmax\n",
    /* a tensor that three layers read */
    IN "flatten\nlinear a 6\ntanh name=t\nlinear b 6\nadd t\nadd t\nlinear c 3\nsoftmax\n",
    /* dropout draws the same masks in both */
    IN "conv a 3 3x3\ndropout 0.25\nrelu\nflatten\nlinear b 20\ndropout 0.5\ntanh\nlinear c 4\nsoftmax\n",
    /* the other losses */
    IN "flatten\nlinear a 9\ntanh\nlinear b 4\nsoftmax\nloss squared-error\n",
    IN "flatten\nlinear a 9\nsigmoid\nlinear b 1\nsigmoid\nloss binary-cross-entropy\n",
    IN "flatten\nlinear a 3\nloss squared-error\n",
    /* a pixel */
    "input image 1x1x1\nconv a 1 1x1\nflatten\nlinear b 2\nsoftmax\n",
};

static void every_layer(void **state)
{
    scratch *s = *state;
    static const int batches[] = {4, 1, 17, 35};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        for (int k = 0; k < 4; k++) {
            char name[32];
            snprintf(name, sizeof name, "odd %d", (int)i);
            must_pass(s->ctx, odd[i], name, (uint64_t)(10 * i) + (uint64_t)k, batches[k]);
        }
}

/* More than one run an update (512 images): gradients add up. */
static void a_batch_in_parts(void **state)
{
    scratch *s = *state;
    must_pass(s->ctx, "input image 1x3x3\nconv a 2 2x2\ntanh\nflatten\ndropout 0.5\nlinear b 2\nsoftmax\n",
              "parts", 3, 530);
}

/* ---- and fails ---------------------------------------------------------------------------------------- */

/* ReLU with the gradient of leaky ReLU. */
static fv_status wrong_grad(fv_grad *g)
{
    const int inputs[] = {g->dy, g->node->input[0]};
    return fv__grad_node(g, &fv_op_leaky_relu_dx, "dx", NULL, 2, inputs, FV_ROLE_VALUE, -1, &g->dx[0]);
}

/* ReLU, for which the kernels compute tanh. */
static fv_status wrong_lower(fv_lower *l)
{
    return fv_op_tanh.lower(l);
}

/* The check with every relu replaced. */
static seen check_with(fv_context *ctx, const fv_op *op)
{
    fv_model *model = NULL;
    assert_int_equal(fv_model_from_text(ctx,
                                        "input image 1x6x6\nconv a 4 3x3\nrelu\nflatten\nlinear b 9\nrelu\n"
                                        "linear c 3\nsoftmax\n",
                                        "wrong", &model),
                     FV_OK);
    for (size_t k = 0; k < model->graph.n_nodes; k++)
        if (model->graph.nodes[k].op == &fv_op_relu)
            model->graph.nodes[k].op = op;
    seen s = {0};
    fv_check_summary sum;
    assert_int_equal(fv_model_check(model, NULL, see, &s, &sum), FV_OK);
    assert_int_equal(s.n_tensors, 6);
    assert_int_equal(sum.n_undecided, 0);
    assert_true((sum.n_wrong > 0) == (s.n_wrong_reference + s.n_wrong_kernels > 0));
    fv_model_destroy(model);
    return s;
}

static void wrong_gradient_is_caught(void **state)
{
    scratch *s = *state;
    fv_op op = fv_op_relu;
    assert_int_equal(check_with(s->ctx, &op).n_wrong_reference, 0);
    op.grad = wrong_grad;
    const seen found = check_with(s->ctx, &op);
    assert_int_equal(found.n_wrong_reference, 4); /* what lies below a ReLU; c.weight and c.bias do not */
    assert_int_equal(found.n_wrong_kernels, 0);   /* which faithfully compute the wrong thing */
}

static void wrong_kernel_is_caught(void **state)
{
    scratch *s = *state;
    fv_op op = fv_op_relu;
    op.lower = wrong_lower;
    op.finish = FV_FINISH_NONE; /* else the kernel before it would do it */
    const seen found = check_with(s->ctx, &op);
    assert_int_equal(found.n_wrong_reference, 0);
    assert_true(found.n_wrong_kernels >= 5);
}

static void bad_calls(void **state)
{
    scratch *s = *state;
    fv_model *model = NULL;
    fv_check_summary sum = {1, 1, 1};
    fv_check_options o = fv_check_options_default();
    assert_int_equal(o.batch, 4);
    assert_true(o.seconds == 60 && o.seed == 0);
    assert_int_equal(fv_model_from_text(s->ctx, odd[9], "m", &model), FV_OK);
    o.batch = 0;
    assert_failed(s, fv_model_check(model, &o, NULL, NULL, &sum), FV_ERR_ARGUMENT,
                  "fv_model_check: batch 0; expected 1 to 1024");
    o.batch = 1025;
    assert_failed(s, fv_model_check(model, &o, NULL, NULL, &sum), FV_ERR_ARGUMENT,
                  "fv_model_check: batch 1025; expected 1 to 1024");
    o.batch = 4;
    o.seconds = NAN;
    assert_failed(s, fv_model_check(model, &o, NULL, NULL, &sum), FV_ERR_ARGUMENT,
                  "fv_model_check: seconds nan; expected 0 (as long as it takes) or more");
    o.seconds = -1;
    assert_failed(s, fv_model_check(model, &o, NULL, NULL, &sum), FV_ERR_ARGUMENT,
                  "fv_model_check: seconds -1; expected 0 (as long as it takes) or more");
    ((float *)fv_model_parameter(model, 0).values)[0] = NAN;
    assert_int_equal(fv_model_check(model, NULL, NULL, NULL, &sum), FV_ERR_NONFINITE);
    assert_int_equal(sum.n_ok, 0);
    fv_model_destroy(model);
}

/* ---- time ------------------------------------------------------------------------------------------- */

typedef struct stopwatch {
    int n_calls, n_results, stop_at;
    double seconds, share;
    int64_t n_checked;
} stopwatch;

static bool watch(void *user, const fv_check_progress *p)
{
    stopwatch *const w = user;
    w->n_results += p->result != NULL;
    w->n_checked += p->result ? p->result->n_checked : 0;
    assert_true(p->seconds >= w->seconds && p->share >= w->share && p->share <= 1);
    assert_true(p->n_done == w->n_results && p->n_done <= p->n_parameters && p->n_parameters == 10);
    w->seconds = p->seconds;
    w->share = p->share;
    return ++w->n_calls != w->stop_at;
}

/* A network that takes some seconds is told of while it goes, keeps to a time that is far too short, and
 * stops when it is told to: while a point is being chosen, and later. */
static void progress_and_time(void **state)
{
    scratch *s = *state;
    fv_model *model = NULL;
    assert_int_equal(fv_model_open(s->ctx, "lenet5-relu", &model), FV_OK);
    stopwatch whole = {0}, brief = {0};
    fv_check_summary sum;
    fv_check_options o = {.batch = 16};
    assert_int_equal(fv_model_check(model, &o, watch, &whole, &sum), FV_OK);
    assert_int_equal(whole.n_results, 10);
    assert_int_equal(sum.n_ok, 10);
    o.seconds = whole.seconds / 4;
    assert_int_equal(fv_model_check(model, &o, watch, &brief, &sum), FV_OK);
    assert_int_equal(sum.n_ok + sum.n_undecided, 10);
    print_message("%.1f s, %d differences; held to a quarter: %.1f s, %d differences\n", whole.seconds,
                  (int)whole.n_checked, brief.seconds, (int)brief.n_checked);
    assert_true(brief.n_checked < whole.n_checked);
    assert_true(brief.seconds < 0.75 * whole.seconds); /* a busy machine may take its time */
    o.seconds = 0;
    static const int stops[] = {1, 2, 5, 12};
    for (int i = 0; i < 4; i++) {
        stopwatch w = {.stop_at = stops[i]};
        char message[64];
        assert_int_equal(fv_model_check(model, &o, watch, &w, &sum), FV_STOPPED);
        assert_int_equal(w.n_calls, stops[i]);
        assert_int_equal(sum.n_ok, w.n_results);
        snprintf(message, sizeof message, "stopped after %d of 10 parameters", w.n_results);
        assert_string_equal(fv_message(s->ctx), message);
    }
    fv_model_destroy(model);
}

/* No time at all: the kernels' gradients are compared nevertheless, and nothing is called right. */
static void no_time(void **state)
{
    scratch *s = *state;
    fv_model *model = NULL;
    fv_check_summary sum;
    const fv_check_options o = {.batch = 2, .seconds = 1e-9};
    assert_int_equal(fv_model_from_text(s->ctx, odd[0], "m", &model), FV_OK);
    assert_int_equal(fv_model_check(model, &o, NULL, NULL, &sum), FV_OK);
    assert_int_equal(sum.n_undecided, fv_model_n_parameters(model));
    assert_int_equal(sum.n_ok + sum.n_wrong, 0);
    fv_model_destroy(model);
}

/* A ReLU whose input is 1e-6, nearer than the first step of the differences: they have to come closer. */
static void difference_beside_a_kink(void **state)
{
    scratch *s = *state;
    fv_model *model = NULL;
    fv_reference *r = NULL;
    const int *gradient;
    fv_graph graph;
    assert_int_equal(fv_model_from_text(s->ctx,
                                        "input image 1x1x1\nflatten\nlinear a 2\nrelu\nlinear b 2\nsoftmax\n",
                                        "kink", &model),
                     FV_OK);
    assert_int_equal(fv__graph_copy(&model->graph, &graph), FV_OK);
    assert_int_equal(fv__differentiate(&graph, &gradient), FV_OK);
    assert_int_equal(fv__reference_create(s->ctx, &graph, 1, &r), FV_OK);
    /* a.weight, a.bias, b.weight, b.bias, input.mean, input.inv_std */
    static const double values[6][4] = {{0.500001, 0.75}, {-0.5, 0.25}, {1, -0.5, 0.25, 2}, {0}, {0}, {1}};
    const int weight = model->params[0].tensor;
    r->value[graph.feed[0].tensor][0] = 1;
    r->value[graph.feed[1].tensor][0] = 1;
    assert_int_equal(model->n_params, 6);
    for (int p = 0; p < 6; p++)
        memcpy(r->value[model->params[p].tensor], values[p], model->params[p].n * sizeof(double));
    assert_int_equal(fv__reference_run(r, -1), FV_OK);
    fv_differences d;
    fv_slope slope;
    assert_int_equal(fv__differences_create(r, 4, &d), FV_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fv__differences_of(&d, weight), FV_OK);
        const double wanted = r->value[gradient[weight]][i];
        assert_true(fabs(wanted) > 0.01);
        assert_int_equal(fv__difference(&d, NULL, (size_t)i, 1, &slope), FV_OK);
        assert_true(slope.uncertainty < 1e-6); /* rounding: 1e-16 of a loss near 1 over a step of 1e-7 */
        assert_true(fabs(slope.value - wanted) < slope.uncertainty);
        const double along[] = {0.6, 0.8},
                     both = r->value[gradient[weight]][0] * 0.6 + r->value[gradient[weight]][1] * 0.8;
        assert_int_equal(fv__difference(&d, along, 0, 1, &slope), FV_OK);
        assert_true(fabs(slope.value - both) < 1e-6);
    }
    /* on the kink itself there is no step that meets none */
    r->value[weight][0] = 0.5;
    assert_int_equal(fv__reference_run(r, -1), FV_OK);
    fv__differences_destroy(&d);
    assert_int_equal(fv__differences_create(r, 4, &d), FV_OK);
    assert_int_equal(fv__differences_of(&d, weight), FV_OK);
    assert_int_equal(fv__difference(&d, NULL, 0, 1, &slope), FV_OK);
    assert_true(isinf(slope.uncertainty));
    assert_int_equal(fv__difference(&d, NULL, 1, 1, &slope), FV_OK);
    assert_true(slope.uncertainty < 1e-6);
    fv__differences_destroy(&d);
    fv__reference_destroy(r);
    fv__graph_deinit(&graph);
    fv_model_destroy(model);
}

/* ---- the plan as text --------------------------------------------------------------------------------- */

static void plan_text(void **state)
{
    scratch *s = *state;
    fv_model *model = NULL;
    char *text = NULL;
    assert_int_equal(fv_model_open(s->ctx, "lenet5-relu", &model), FV_OK);
    assert_int_equal(fv_model_plan_text(model, 128, true, &text), FV_OK);
    assert_non_null(strstr(text, "batch 128: 8 blocks"));
    assert_non_null(strstr(text, "conv2.weight.update"));
    assert_non_null(strstr(text, "loss"));
    fv_text_destroy(s->ctx, text);
    text = NULL;
    assert_int_equal(fv_model_plan_text(model, 1, false, &text), FV_OK);
    assert_non_null(strstr(text, "softmax"));
    assert_null(strstr(text, "loss"));
    assert_null(strstr(text, "update"));
    fv_text_destroy(s->ctx, text);
    fv_text_destroy(s->ctx, NULL);
    assert_failed(s, fv_model_plan_text(model, 0, true, &text), FV_ERR_ARGUMENT,
                  "fv_model_plan_text: batch 0; expected 1 to 16777216");
    fv_model_destroy(model);
}

/* The k-th allocation fails, for every k. */
static void out_of_memory(void **state)
{
    scratch *s = *state;
    fv_model *model = NULL;
    assert_int_equal(fv_model_from_text(s->ctx, odd[5], "m", &model), FV_OK);
    for (int what = 0; what < 3; what++) {
        fv_status status = FV_ERR_MEMORY;
        int k = 0;
        for (; status != FV_OK && k < 5000; k++) {
            char *text = NULL;
            fv_check_summary sum = {0};
            s->fail_at = k;
            if (what < 2)
                status = fv_model_plan_text(model, 16, what == 1, &text);
            else
                status = fv_model_check(model, NULL, NULL, NULL, &sum);
            s->fail_at = -1;
            assert_true(status == FV_OK || status == FV_ERR_MEMORY);
            assert_true((status == FV_OK) == (what < 2 ? text != NULL : sum.n_ok > 0));
            fv_text_destroy(s->ctx, text);
        }
        assert_int_equal(status, FV_OK);
        assert_true(k > 10);
    }
    fv_model_destroy(model);
}

/* ---- the bench ---------------------------------------------------------------------------------------- */

typedef struct tally {
    int n, n_linear, stop_at;
} tally;

static bool count(void *user, const fv_bench_result *r)
{
    tally *t = user;
    assert_true(r->gflops > 0 && r->peak_share > 0);
    if (t->n == 0) {
        assert_string_equal(r->name, "peak");
        assert_true(r->peak_share == 1);
    }
    if (strcmp(r->name, "linear forward out") == 0 || strcmp(r->name, "linear weights out") == 0) {
        assert_string_equal(r->shape, "10 from 784, batch 17, linear");
        t->n_linear++;
    }
    return ++t->n != t->stop_at;
}

static void bench(void **state)
{
    scratch *s = *state;
    static const char *const linear[] = {"linear", NULL}, *const wrong[] = {"linear", "lenet", NULL};
    tally t = {0};
    assert_int_equal(fv_bench(s->ctx, linear, 17, count, &t), FV_OK);
    assert_int_equal(t.n_linear, 2);
    assert_true(t.n > 4);
    t = (tally){.stop_at = 2};
    assert_int_equal(fv_bench(s->ctx, linear, 17, count, &t), FV_STOPPED);
    assert_int_equal(t.n, 2);
    t = (tally){0};
    assert_failed(s, fv_bench(s->ctx, wrong, 17, count, &t), FV_ERR_ARGUMENT,
                  "fv_bench: no built-in model 'lenet'; nearest is 'lenet5'");
    assert_failed(s, fv_bench(s->ctx, linear, 0, count, &t), FV_ERR_ARGUMENT,
                  "fv_bench: batch 0; expected 1 to 512");
    assert_int_equal(t.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zoo),
        cmocka_unit_test(residual),
        cmocka_unit_test(every_layer),
        cmocka_unit_test(a_batch_in_parts),
        cmocka_unit_test(wrong_gradient_is_caught),
        cmocka_unit_test(wrong_kernel_is_caught),
        cmocka_unit_test(bad_calls),
        cmocka_unit_test(progress_and_time),
        cmocka_unit_test(no_time),
        cmocka_unit_test(difference_beside_a_kink),
        cmocka_unit_test(plan_text),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(bench),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
