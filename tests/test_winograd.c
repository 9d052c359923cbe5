/* test_winograd.c - convolutions of images and videos by Winograd's F(4x4, 3x3) against the same by plain
 * sums in double.
 *
 * The bound: F(4x4, 3x3) multiplies by constants up to 8 and adds up what cancels, so its error is a small
 * multiple of float's epsilon times the sum of |w| |x|; 40 leaves room above the worst seen (13, where the
 * plain sums in float stay under 3). */
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

/* A video has a depth, and windows of `taps` depths, padded by taps / 2. */
typedef struct shape_case {
    int batch, i, h, w, o, pad;
    bool bias;
    int depth, taps;
} shape_case;

static const shape_case cases[] = {
    {16, 32, 4, 4, 32, 1, true},       {17, 33, 8, 7, 48, 1, false},      {3, 64, 12, 5, 32, 2, true},
    {35, 32, 6, 18, 40, 0, true},      {1, 48, 3, 3, 32, 1, false},       {16, 80, 13, 13, 35, 1, true},
    {17, 33, 8, 7, 48, 1, true, 4, 3}, {2, 64, 7, 7, 32, 1, false, 2, 3}, {5, 32, 6, 9, 33, 2, true, 3, 1},
    {3, 40, 8, 6, 35, 0, false, 6, 5},
};

/* c channels of the case's video or image, h x w. */
static fv_shape shape_of(const shape_case *c, int channels, int h, int w)
{
    return c->taps ? FV_SHAPE(channels, c->depth, h, w) : FV_SHAPE(channels, h, w);
}

static float draw(fv_rng *rng)
{
    return (float)(fv__rng_uniform(rng) * 2 - 1);
}

/* A graph of one node: conv (x, w[, b]) or conv_dx (dy, w). */
static void make_graph(fv_context *ctx, const shape_case *c, bool backward, fv_graph *graph, int tensor[3])
{
    fv__graph_init(graph, ctx, "winograd");
    const int out_h = c->h + 2 * c->pad - 2, out_w = c->w + 2 * c->pad - 2;
    const fv_shape x = backward ? shape_of(c, c->o, out_h, out_w) : shape_of(c, c->i, c->h, c->w);
    const fv_shape w = c->taps ? FV_SHAPE(c->o, c->i, c->taps, 3, 3) : FV_SHAPE(c->o, c->i, 3, 3);
    assert_int_equal(fv__graph_tensor(graph, "x", x, FV_ROLE_INPUT, &tensor[0]), FV_OK);
    assert_int_equal(fv__graph_tensor(graph, "w", w, FV_ROLE_PARAMETER, &tensor[1]), FV_OK);
    const bool bias = c->bias && !backward;
    if (bias)
        assert_int_equal(fv__graph_tensor(graph, "b", FV_SHAPE(c->o), FV_ROLE_PARAMETER, &tensor[2]), FV_OK);
    fv_conv_attrs attrs = {.stride = {1, {1}},
                           .pad = {1, {c->pad}},
                           .dilation = {1, {1}},
                           .groups = 1,
                           .size = {2, {c->h, c->w}}};
    if (c->taps) {
        attrs.pad = (fv_sizes){3, {c->taps / 2, c->pad, c->pad}};
        attrs.size = (fv_sizes){3, {c->depth, c->h, c->w}};
    }
    const fv_node_spec spec = {.op = backward ? &fv_op_conv_dx : &fv_op_conv,
                               .name = "y",
                               .n_inputs = bias ? 3 : 2,
                               .input = {tensor[0], tensor[1], tensor[2]},
                               .attrs = &attrs,
                               .role = FV_ROLE_VALUE,
                               .of = -1};
    assert_int_equal(fv__graph_node(graph, &spec, &graph->result[0]), FV_OK);
    graph->n_results = 1;
}

/* Runs the graph; the result is the caller's to free, [block][count][16]. */
static float *run_graph(fv_context *ctx, const fv_graph *graph, const int tensor[3], const shape_case *c,
                        bool direct, float *const storage[3], bool *used)
{
    fv_plan *plan;
    fv_run *run;
    const fv_plan_options options = {.batch = c->batch, .n_workers = 2, .output = true, .direct = direct};
    assert_int_equal(fv__plan_create(ctx, graph, &options, &plan), FV_OK);
    assert_int_equal(fv__run_create(ctx, plan, &run), FV_OK);
    *used = false;
    for (size_t s = 0; s < plan->n_steps; s++)
        *used = *used || plan->steps[s].spec.kernel == FV_KERNEL_winograd;
    const size_t blocks = (size_t)plan->max_blocks * FV_LANES;
    memcpy(fv__run_buffer(run, tensor[0]), storage[0],
           blocks * (size_t)fv__shape_count(graph->tensors[tensor[0]].shape) * sizeof(float));
    for (int k = 1; k < graph->nodes[0].n_inputs; k++)
        fv__run_bind(run, tensor[k], storage[k]);
    const fv_batch batch = {.n = c->batch, .image_weight = 1};
    assert_int_equal(fv__run_step(run, &batch, false), FV_OK);
    const size_t n = blocks * (size_t)fv__shape_count(graph->tensors[graph->result[0]].shape) * sizeof(float);
    float *const result = malloc(n);
    assert_non_null(result);
    memcpy(result, fv__run_buffer(run, graph->result[0]), n);
    fv__run_destroy(run);
    fv__plan_destroy(plan);
    return result;
}

/* The double reference of image n, and with the operands' absolute values the scale of its errors. */
static void reference(const fv_graph *graph, const int tensor[3], int n, float *const storage[3],
                      bool absolute, double *out)
{
    const fv_node *const node = &graph->nodes[0];
    double *in[3] = {NULL, NULL, NULL};
    fv_ref r = {.attrs = node->attrs,
                .n = 1,
                .n_inputs = node->n_inputs,
                .out = out,
                .out_shape = graph->tensors[node->output].shape};
    for (int k = 0; k < node->n_inputs; k++) {
        const fv_shape shape = graph->tensors[tensor[k]].shape;
        const int64_t count = fv__shape_count(shape);
        in[k] = malloc((size_t)count * sizeof(double));
        assert_non_null(in[k]);
        for (int64_t i = 0; i < count; i++) {
            const float *const block = storage[0] + (int64_t)(n / FV_LANES) * count * FV_LANES;
            const double v = k == 0 ? (double)block[i * FV_LANES + n % FV_LANES] : (double)storage[k][i];
            in[k][i] = absolute ? fabs(v) : v;
        }
        r.in[k] = in[k];
        r.in_shape[k] = shape;
    }
    node->op->ref(&r);
    for (int k = 0; k < node->n_inputs; k++)
        free(in[k]);
}

/* Of y and of the plain sums, over every seventh image. */
static void worst_errors(const fv_graph *graph, const int tensor[3], const shape_case *c,
                         float *const storage[3], const float *y, const float *plain, bool backward)
{
    const int64_t count = fv__shape_count(graph->tensors[graph->result[0]].shape);
    double *const exact = malloc((size_t)count * sizeof(double)), *const scale =
                                                                      malloc((size_t)count * sizeof(double));
    double worst = 0, worst_plain = 0;
    assert_true(exact && scale);
    for (int n = 0; n < c->batch; n += 7) {
        reference(graph, tensor, n, storage, false, exact);
        reference(graph, tensor, n, storage, true, scale);
        double top = 0; /* of the whole image: the transforms mix pixels */
        for (int64_t i = 0; i < count; i++)
            top = fmax(top, scale[i]);
        for (int64_t i = 0; i < count; i++) {
            const int64_t at = ((int64_t)(n / FV_LANES) * count + i) * FV_LANES + n % FV_LANES;
            worst = fmax(worst, fabs((double)y[at] - exact[i]) / top / (double)FLT_EPSILON);
            worst_plain = fmax(worst_plain, fabs((double)plain[at] - exact[i]) / top / (double)FLT_EPSILON);
        }
    }
    print_message("%s %dx%dx%dx%d to %d: error %.2f of epsilon times |w||x|; plain sums %.2f\n",
                  backward ? "dx" : "y", c->i, c->taps ? c->depth : 1, c->h, c->w, c->o, worst, worst_plain);
    assert_true(worst <= BOUND && worst_plain <= BOUND);
    free(exact);
    free(scale);
}

static void one_case(const shape_case *c, bool backward)
{
    float *first = NULL, *storage[3];
    size_t n_result = 0;
    fv_rng rng = fv__rng(7, FV_STREAM_CHECK, (uint32_t)c->i, (uint32_t)backward);
    for (int isa = FV_N_ISA - 1; isa >= 0; isa--) {
        fv_context *ctx;
        if (!fv__cpu_has((fv_isa)isa) || !fv__kernels((fv_isa)isa))
            continue;
        const fv_context_options options = {.n_threads = 2, .isa = fv__isa_name((fv_isa)isa)};
        assert_int_equal(fv_context_create(&options, &ctx, NULL, 0), FV_OK);
        fv_graph graph;
        int tensor[3] = {0, 0, 0};
        make_graph(ctx, c, backward, &graph, tensor);
        const int64_t blocks = (c->batch + FV_LANES - 1) / FV_LANES;
        const int64_t count = fv__shape_count(graph.tensors[graph.result[0]].shape);
        const bool is_first = first == NULL;
        for (int k = 0; is_first && k < graph.nodes[0].n_inputs; k++) {
            int64_t n = fv__shape_count(graph.tensors[tensor[k]].shape);
            n *= k == 0 ? blocks * FV_LANES : 1;
            storage[k] = malloc((size_t)n * sizeof(float));
            assert_non_null(storage[k]);
            for (int64_t i = 0; i < n; i++)
                storage[k][i] = draw(&rng);
        }
        bool used, direct_used;
        float *const y = run_graph(ctx, &graph, tensor, c, false, storage, &used);
        assert_true(used);
        if (is_first) {
            first = y;
            n_result = (size_t)(blocks * FV_LANES * count) * sizeof(float);
            float *const plain = run_graph(ctx, &graph, tensor, c, true, storage, &direct_used);
            assert_false(direct_used);
            worst_errors(&graph, tensor, c, storage, y, plain, backward);
            free(plain);
        } else {
            assert_memory_equal(y, first, n_result);
            free(y);
        }
        fv__graph_deinit(&graph);
        fv_context_destroy(ctx);
    }
    free(first);
    for (int k = 0; k < (c->bias && !backward ? 3 : 2); k++)
        free(storage[k]);
}

static void errors_and_bits(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        one_case(&cases[k], false);
        one_case(&cases[k], true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors_and_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
