/* test_winograd_dw.c - the weight gradient by Winograd's F(4x4, 3x3) against the same by plain sums in
 * double.
 *
 * The bound: transforms by constants up to 8 on both sides and sums of what cancels make an error of a few
 * times float's epsilon times the sum of |dy| |x| over images and pixels. The more terms that sum has, the
 * less of it the roundings leave, which fall to either side: 13 where three images have one tile each, 2 for
 * hundreds of tiles, where the plain sums in float have 1.5. 40 leaves room, as in test_winograd.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/rng.h"
#include "ops/conv.h"
#include "run/run.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BOUND 40

/* A batch of `n` images by a plan for `batch`. Channels: several panels of them, tails, one slice (from 257
 * outputs on) and several; images that 4x4 tiles do not cover evenly; fewer tiles than slices. A video has a
 * depth, and windows of `taps` depths, padded by taps / 2. */
typedef struct shape_case {
    int batch, n, i, h, w, o, pad, depth, taps;
} shape_case;

static const shape_case cases[] = {
    {16, 16, 32, 4, 4, 32, 1},     {48, 48, 33, 8, 7, 48, 1},       {64, 3, 64, 4, 4, 32, 1},
    {35, 35, 32, 6, 18, 40, 0},    {1, 1, 48, 3, 3, 32, 1},         {16, 16, 80, 13, 13, 35, 1},
    {32, 20, 150, 5, 5, 40, 2},    {20, 20, 33, 8, 8, 300, 1},      {16, 16, 64, 16, 16, 64, 1},
    {33, 33, 32, 4, 4, 144, 1},    {20, 17, 33, 5, 7, 40, 1, 4, 3}, {16, 16, 32, 4, 4, 300, 1, 2, 3},
    {3, 3, 40, 6, 5, 32, 0, 6, 5}, {17, 17, 32, 4, 4, 32, 1, 3, 1},
};

/* c channels of the case's video or image, h x w. */
static fv_shape shape_of(const shape_case *c, int channels, int h, int w)
{
    return c->taps ? FV_SHAPE(channels, c->depth, h, w) : FV_SHAPE(channels, h, w);
}

static fv_shape weights_of(const shape_case *c)
{
    return c->taps ? FV_SHAPE(c->o, c->i, c->taps, 3, 3) : FV_SHAPE(c->o, c->i, 3, 3);
}

static fv_conv_attrs attrs_of(const shape_case *c)
{
    fv_conv_attrs a = {
        .stride = {1, {1}}, .pad = {1, {c->pad}}, .dilation = {1, {1}}, .groups = 1, .size = {1, {3}}};
    if (c->taps) {
        a.pad = (fv_sizes){3, {c->taps / 2, c->pad, c->pad}};
        a.size = (fv_sizes){3, {c->taps, 3, 3}};
    }
    return a;
}

typedef struct problem {
    const shape_case *c;
    float *dy, *x; /* [n][channels][h][w] */
    int64_t n_dy, n_x, n_dw;
} problem;

typedef struct how {
    const char *isa;
    int n_threads;
    bool direct;
    int times; /* of which all but the first add to what is there */
} how;

static void fill(float **values, int64_t n, fv_rng *rng)
{
    *values = malloc((size_t)n * sizeof **values);
    assert_non_null(*values);
    for (int64_t k = 0; k < n; k++)
        (*values)[k] = (float)(fv__rng_uniform(rng) * 2 - 1);
}

static problem make_problem(const shape_case *c)
{
    const int out_h = c->h + 2 * c->pad - 2, out_w = c->w + 2 * c->pad - 2;
    fv_rng rng = fv__rng(11, FV_STREAM_CHECK, (uint32_t)c->i, (uint32_t)c->o);
    problem p = {.c = c,
                 .n_dy = fv__shape_count(shape_of(c, c->o, out_h, out_w)),
                 .n_x = fv__shape_count(shape_of(c, c->i, c->h, c->w)),
                 .n_dw = fv__shape_count(weights_of(c))};
    fill(&p.dy, c->n * p.n_dy, &rng);
    fill(&p.x, c->n * p.n_x, &rng);
    return p;
}

static void make_graph(fv_context *ctx, const shape_case *c, fv_graph *graph, int tensor[2])
{
    int of;
    const int out_h = c->h + 2 * c->pad - 2, out_w = c->w + 2 * c->pad - 2;
    fv__graph_init(graph, ctx, "winograd");
    assert_int_equal(
        fv__graph_tensor(graph, "dy", shape_of(c, c->o, out_h, out_w), FV_ROLE_VALUE, &tensor[0]), FV_OK);
    assert_int_equal(fv__graph_tensor(graph, "x", shape_of(c, c->i, c->h, c->w), FV_ROLE_VALUE, &tensor[1]),
                     FV_OK);
    assert_int_equal(fv__graph_tensor(graph, "w", weights_of(c), FV_ROLE_PARAMETER, &of), FV_OK);
    const fv_conv_attrs attrs = attrs_of(c);
    const fv_node_spec spec = {.op = &fv_op_conv_dw,
                               .name = "dw",
                               .n_inputs = 2,
                               .input = {tensor[0], tensor[1]},
                               .attrs = &attrs,
                               .role = FV_ROLE_GRADIENT,
                               .of = of};
    assert_int_equal(fv__graph_node(graph, &spec, &graph->result[0]), FV_OK);
    graph->n_results = 1;
}

/* Images past the last hold `dead`. */
static void to_lanes(const float *values, int n, int64_t count, float dead, int batch, float *lanes)
{
    const int end = (batch + FV_LANES - 1) / FV_LANES * FV_LANES;
    for (int image = 0; image < end; image++)
        for (int64_t k = 0; k < count; k++)
            lanes[(image / FV_LANES * count + k) * FV_LANES + image % FV_LANES] =
                image < n ? values[image * count + k] : dead;
}

static bool has_kernel(const fv_plan *plan, fv_kernel_id kernel)
{
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].spec.kernel == kernel)
            return true;
    return false;
}

/* dw, the caller's to free. */
static float *run_problem(const problem *p, how h)
{
    const shape_case *const c = p->c;
    fv_context *ctx;
    fv_graph graph;
    fv_plan *plan;
    fv_run *run;
    int tensor[2];
    const fv_context_options context_options = {.n_threads = h.n_threads, .isa = h.isa, .direct = h.direct};
    assert_int_equal(fv_context_create(&context_options, &ctx, NULL, 0), FV_OK);
    make_graph(ctx, c, &graph, tensor);
    const fv_plan_options options = {.batch = c->batch, .n_workers = h.n_threads, .output = true};
    assert_int_equal(fv__plan_create(ctx, &graph, &options, &plan), FV_OK);
    assert_int_equal(fv__run_create(ctx, plan, &run), FV_OK);
    assert_true(has_kernel(plan, FV_KERNEL_winograd_dw) != h.direct);
    to_lanes(p->dy, c->n, p->n_dy, 0.0f, c->batch, fv__run_buffer(run, tensor[0]));
    to_lanes(p->x, c->n, p->n_x, FLT_MAX, c->batch, fv__run_buffer(run, tensor[1]));
    for (int time = 0; time < h.times; time++) {
        const fv_batch batch = {.n = c->n, .image_weight = 1, .accumulate = time > 0};
        assert_int_equal(fv__run_step(run, &batch, false), FV_OK);
    }
    float *const dw = malloc((size_t)p->n_dw * sizeof *dw);
    assert_non_null(dw);
    memcpy(dw, fv__run_buffer(run, graph.result[0]), (size_t)p->n_dw * sizeof *dw);
    fv__run_destroy(run);
    fv__plan_destroy(plan);
    fv__graph_deinit(&graph);
    fv_context_destroy(ctx);
    return dw;
}

/* In double, of the operands or of their absolute values. */
static double *reference(const problem *p, bool absolute)
{
    const shape_case *const c = p->c;
    const int out_h = c->h + 2 * c->pad - 2, out_w = c->w + 2 * c->pad - 2;
    double *const dw = calloc((size_t)p->n_dw, sizeof *dw);
    double *const in[2] = {malloc((size_t)(c->n * p->n_dy) * sizeof(double)),
                           malloc((size_t)(c->n * p->n_x) * sizeof(double))};
    assert_true(dw && in[0] && in[1]);
    for (int64_t k = 0; k < c->n * p->n_dy; k++)
        in[0][k] = absolute ? fabs((double)p->dy[k]) : (double)p->dy[k];
    for (int64_t k = 0; k < c->n * p->n_x; k++)
        in[1][k] = absolute ? fabs((double)p->x[k]) : (double)p->x[k];
    const fv_conv_attrs attrs = attrs_of(c);
    const fv_ref r = {.attrs = &attrs,
                      .n = c->n,
                      .n_inputs = 2,
                      .in = {in[0], in[1]},
                      .in_shape = {shape_of(c, c->o, out_h, out_w), shape_of(c, c->i, c->h, c->w)},
                      .out = dw,
                      .out_shape = weights_of(c)};
    fv_op_conv_dw.ref(&r);
    free(in[0]);
    free(in[1]);
    return dw;
}

/* In units of epsilon times the largest sum of |dy| |x|. */
static double worst_error(const problem *p, const float *dw, const double *exact, const double *scale)
{
    double top = 0, worst = 0;
    for (int64_t k = 0; k < p->n_dw; k++)
        top = fmax(top, scale[k]);
    for (int64_t k = 0; k < p->n_dw; k++) {
        const double error = fabs((double)dw[k] - exact[k]);
        worst = error <= worst * top ? worst : error / top; /* a NaN stays */
    }
    return worst / (double)FLT_EPSILON;
}

static void errors(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const shape_case *const c = &cases[k];
        problem p = make_problem(c);
        double *const exact = reference(&p, false), *const scale = reference(&p, true);
        float *const dw = run_problem(&p, (how){.n_threads = 2, .times = 1});
        float *const plain = run_problem(&p, (how){.n_threads = 2, .times = 1, .direct = true});
        const double error = worst_error(&p, dw, exact, scale),
                     of_plain = worst_error(&p, plain, exact, scale);
        print_message(
            "%d images of %dx%dx%dx%d to %d: error %.2f of epsilon times |dy||x|; plain sums %.2f\n", c->n,
            c->i, c->taps ? c->depth : 1, c->h, c->w, c->o, error, of_plain);
        assert_true(error <= BOUND && of_plain <= BOUND);
        free(exact);
        free(scale);
        free(dw);
        free(plain);
        free(p.dy);
        free(p.x);
    }
}

/* The same bits on every instruction set and for any number of threads; a second run of the same batch that
 * adds to the first doubles it, exactly. */
static void bits(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        problem p = make_problem(&cases[k]);
        const size_t bytes = (size_t)p.n_dw * sizeof(float);
        float *const first = run_problem(&p, (how){.n_threads = 1, .times = 1});
        for (int isa = 0; isa < FV_N_ISA; isa++) {
            if (!fv__cpu_has((fv_isa)isa) || !fv__kernels((fv_isa)isa))
                continue;
            float *const dw =
                run_problem(&p, (how){.isa = fv__isa_name((fv_isa)isa), .n_threads = isa + 2, .times = 1});
            assert_memory_equal(dw, first, bytes);
            free(dw);
        }
        float *const twice = run_problem(&p, (how){.n_threads = 8, .times = 2});
        for (int64_t i = 0; i < p.n_dw; i++)
            assert_true(twice[i] == 2 * first[i]);
        free(twice);
        free(first);
        free(p.dy);
        free(p.x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors), cmocka_unit_test(bits)};
    return cmocka_run_group_tests_name("weight gradients by Winograd", tests, NULL, NULL);
}
