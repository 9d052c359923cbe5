/* test_inference.c - graphs with dropout, flatten, bias and add: shapes, gradients' nodes, messages, and the
 * pass that takes dropout out where nobody trains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "ops/inference.h"
#include "ops/ops.h"
#include "ops/reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *take(void *user, size_t bytes)
{
    (void)user;
    return malloc(bytes);
}
static void give(void *user, void *block)
{
    (void)user;
    free(block);
}

typedef struct fixture {
    fv_context ctx;
    fv_graph graph;
    int x, b, dropped, flat, loss;
} fixture;

static int append(fv_graph *graph, const fv_op *op, const char *name, int first, int second)
{
    int out = -1;
    const fv_node_spec spec = {.op = op,
                               .name = name,
                               .n_inputs = second < 0 ? 1 : 2,
                               .input = {first, second},
                               .role = FV_ROLE_VALUE,
                               .of = -1};
    if (fv__graph_node(graph, &spec, &out) != FV_OK)
        fail_msg("%s", graph->ctx->message);
    return out;
}

/* x 2x3x2 -> bias -> dropout -> add with itself -> flatten */
static void build(fixture *f)
{
    memset(f, 0, sizeof *f);
    f->ctx.allocator = (fv_allocator){take, give, NULL};
    fv__graph_init(&f->graph, &f->ctx, "test");
    assert_int_equal(fv__graph_tensor(&f->graph, "x", FV_SHAPE(2, 3, 2), FV_ROLE_INPUT, &f->x), FV_OK);
    assert_int_equal(fv__graph_tensor(&f->graph, "b", FV_SHAPE(2), FV_ROLE_PARAMETER, &f->b), FV_OK);
    assert_int_equal(fv__graph_add_feed(&f->graph, f->x, FV_FEED_INPUT, 0), FV_OK);
    const int biased = append(&f->graph, &fv_op_bias, "biased", f->x, f->b);
    f->dropped = append(&f->graph, &fv_op_dropout, "drop", biased, -1);
    const int twice = append(&f->graph, &fv_op_add, "twice", f->dropped, f->dropped);
    f->flat = append(&f->graph, &fv_op_flatten, "flat", twice, -1);
    assert_int_equal(fv__graph_add_result(&f->graph, f->flat), FV_OK);
    assert_int_equal(fv__graph_verify(&f->graph), FV_OK);
}

/* The gradient's tensor for input `input` of the node that makes `output`, given that of its output. */
static int back(fv_graph *graph, int output, int dy, int input)
{
    const fv_node node = graph->nodes[graph->tensors[output].source];
    fv_grad g = {.graph = graph, .node = &node, .dy = dy, .wanted = {true, true}, .dx = {-1, -1, -1, -1}};
    if (node.op->grad(&g) != FV_OK)
        fail_msg("%s", graph->ctx->message);
    return g.dx[input];
}

static void evaluate(fixture *f, const fv_graph *graph, int tensor, double *out, size_t n)
{
    fv_reference *reference;
    assert_int_equal(fv__reference_create(&f->ctx, graph, 2, &reference), FV_OK);
    reference->seed = 77;
    for (int i = 0; i < 24; i++)
        reference->value[f->x][i] = i + 1;
    reference->value[f->b][0] = 0.5;
    reference->value[f->b][1] = -0.25;
    assert_int_equal(fv__reference_run(reference, -1), FV_OK);
    memcpy(out, reference->value[tensor], n * sizeof *out);
    fv__reference_destroy(reference);
}

/* y = 2 mask (x + b) flattened; feeding y back as its own gradient: db = sum over images, pixels of 2 mask y.
 */
static void test_values_and_gradients(void **state)
{
    (void)state;
    fixture f;
    build(&f);
    const int d_twice = back(&f.graph, f.flat, f.flat, 0); /* dy := y */
    assert_int_equal(f.graph.tensors[d_twice].shape.rank, 3);
    const int twice = f.graph.nodes[f.graph.tensors[f.flat].source].input[0];
    assert_int_equal(back(&f.graph, twice, d_twice, 0), d_twice);
    assert_int_equal(back(&f.graph, twice, d_twice, 1), d_twice);
    const int d_sum = append(&f.graph, &fv_op_add, "sum", d_twice, d_twice);
    const int d_biased = back(&f.graph, f.dropped, d_sum, 0);
    const int biased = f.graph.nodes[f.graph.tensors[f.dropped].source].input[0];
    const int db = back(&f.graph, biased, d_biased, 1);
    assert_int_equal(f.graph.tensors[db].role, FV_ROLE_GRADIENT);
    assert_int_equal(f.graph.tensors[db].of, f.b);
    assert_int_equal(fv__graph_verify(&f.graph), FV_OK);

    const uint32_t node = (uint32_t)f.graph.tensors[f.dropped].source;
    double y[24], d[2], expected[2] = {0};
    int dropped = 0;
    evaluate(&f, &f.graph, f.flat, y, 24);
    evaluate(&f, &f.graph, db, d, 2);
    for (int i = 0; i < 24; i++) {
        const uint32_t e = (uint32_t)i % 12, n = (uint32_t)i / 12;
        const fv_u32x4 draw = fv__philox(77, e / 4, n, 0, node << 8 | FV_STREAM_DROPOUT);
        const double mask = draw.v[e % 4] < 0x80000000u ? 0 : 2;
        assert_float_equal(y[i], 2 * mask * (i + 1 + (e < 6 ? 0.5 : -0.25)), 1e-12);
        expected[e / 6] += 2 * mask * y[i];
        dropped += mask == 0;
    }
    assert_true(dropped > 0 && dropped < 24);
    assert_float_equal(d[0], expected[0], 1e-9);
    assert_float_equal(d[1], expected[1], 1e-9);
    fv__graph_deinit(&f.graph);
}

static void test_inference_has_no_dropout(void **state)
{
    (void)state;
    fixture f;
    fv_graph plain;
    double y[24];
    build(&f);
    back(&f.graph, f.dropped, f.dropped, 0);
    assert_int_equal(fv__graph_for_inference(&f.graph, &plain), FV_OK);
    assert_int_equal(plain.n_tensors, f.graph.n_tensors);
    assert_int_equal(plain.n_nodes, f.graph.n_nodes);
    int found = 0;
    for (size_t i = 0; i < plain.n_nodes; i++) {
        assert_ptr_not_equal(plain.nodes[i].op, &fv_op_dropout);
        assert_ptr_not_equal(plain.nodes[i].op, &fv_op_dropout_dx);
        assert_string_equal(plain.nodes[i].name, f.graph.nodes[i].name);
        assert_int_equal(plain.nodes[i].output, f.graph.nodes[i].output);
        found += plain.nodes[i].op == &fv_op_identity;
    }
    assert_int_equal(found, 2);
    assert_int_equal(f.graph.nodes[f.graph.tensors[f.dropped].source].op == &fv_op_dropout, 1);
    evaluate(&f, &plain, f.flat, y, 24);
    for (int i = 0; i < 24; i++)
        assert_float_equal(y[i], 2 * (i + 1 + (i % 12 < 6 ? 0.5 : -0.25)), 1e-12);
    fv__graph_deinit(&plain);
    fv__graph_deinit(&f.graph);
}

static void expect_refusal(fixture *f, const fv_op *op, int first, int second, const void *attrs,
                           const char *message)
{
    int out = -1;
    const fv_node_spec spec = {.op = op,
                               .name = "n",
                               .line = 3,
                               .n_inputs = second < 0 ? 1 : 2,
                               .input = {first, second},
                               .attrs = attrs,
                               .role = FV_ROLE_VALUE,
                               .of = -1};
    assert_int_equal(fv__graph_node(&f->graph, &spec, &out), FV_ERR_INPUT);
    assert_string_equal(f->ctx.message, message);
    assert_int_equal(out, -1);
}

static void test_refusals(void **state)
{
    (void)state;
    fixture f;
    build(&f);
    expect_refusal(&f, &fv_op_add, f.x, f.flat, NULL,
                   "test:3: add n: expected two inputs of one shape; found 2x3x2 ('x') and 12 ('flat')");
    int c;
    assert_int_equal(fv__graph_tensor(&f.graph, "c", FV_SHAPE(5), FV_ROLE_PARAMETER, &c), FV_OK);
    expect_refusal(&f, &fv_op_bias, f.x, c, NULL,
                   "test:3: bias n: 'c' has shape 5; expected 2, a number per channel");
    const float bad[] = {1.0f, -0.1f, 1.5f, NAN};
    const char *const texts[] = {"1", "-0.1", "1.5", "nan"};
    for (int i = 0; i < 4; i++) {
        char message[128];
        snprintf(message, sizeof message, "test:3: dropout n: rate %s; expected 0 or more and less than 1",
                 texts[i]);
        const float attrs[2] = {bad[i]}; /* the rate, and a place */
        expect_refusal(&f, &fv_op_dropout, f.x, -1, &attrs, message);
    }
    fv__graph_deinit(&f.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_gradients),
        cmocka_unit_test(test_inference_has_no_dropout),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("inference", tests, NULL, NULL);
}
