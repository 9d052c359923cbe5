/* test_graph.c - building, copying, verifying and printing graphs, with two made-up operations:
 * scale(x, w) keeps x's shape and wants w of one value; join(x, y?) puts channels one after another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/context.h"
#include "graph/op.h"

#include <stdlib.h>
#include <string.h>

typedef struct scale_attrs {
    int power;
    float factor;
} scale_attrs;

static const fv_attr_spec scale_words[] = {
    {"power", FV_ATTR_INT, offsetof(scale_attrs, power), 1, 9, 2},
    {"factor", FV_ATTR_FLOAT, offsetof(scale_attrs, factor), 0, 10, 0.5},
};

static fv_status scale_infer(fv_infer *q)
{
    const scale_attrs *a = q->attrs;
    char text[FV_SHAPE_TEXT];
    if (fv__shape_count(q->input[1]->shape) != a->power)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: weight of shape %s; expected %d values", q->what,
                        fv__shape_text(q->input[1]->shape, text), a->power);
    q->out = q->input[0]->shape;
    return FV_OK;
}

static fv_status join_infer(fv_infer *q)
{
    q->out = q->input[0]->shape;
    if (q->n_inputs == 2)
        q->out.dim[0] += q->input[1]->shape.dim[0];
    return FV_OK;
}

static fv_status like_infer(fv_infer *q)
{
    q->out = q->input[1]->shape;
    return FV_OK;
}

static const fv_op scale = {.name = "scale",
                            .n_inputs = 2,
                            .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER},
                            .attr_bytes = sizeof(scale_attrs),
                            .attrs = scale_words,
                            .n_attrs = 2,
                            .infer = scale_infer};
static const fv_op join = {.name = "join",
                           .n_inputs = 2,
                           .n_optional = 1,
                           .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
                           .infer = join_infer};
static const fv_op scale_dw = {.name = "scale_dw",
                               .n_inputs = 2,
                               .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER},
                               .no_gradient = true,
                               .infer = like_infer};

/* Fails the k-th allocation. */
typedef struct counter {
    int calls, fail_at, live;
} counter;

static void *counting_allocate(void *user, size_t bytes)
{
    counter *c = user;
    if (++c->calls == c->fail_at)
        return NULL;
    c->live++;
    return malloc(bytes);
}

static void counting_release(void *user, void *block)
{
    ((counter *)user)->live--;
    free(block);
}

static fv_context make_context(counter *c)
{
    return (fv_context){.allocator = {counting_allocate, counting_release, c}};
}

/* image -> scale -> scale -> join, and the gradient of the first scale's weight. */
static fv_status build(fv_graph *graph, fv_context *ctx)
{
    char source[] = "net.fovea"; /* copied: the graph outlives it */
    fv__graph_init(graph, ctx, source);
    memset(source, 'x', sizeof source - 1);
    int image, weight, weight2, a, b, c, dw;
    FV_TRY(fv__graph_tensor(graph, "image", FV_SHAPE(3, 8, 8), FV_ROLE_INPUT, &image));
    FV_TRY(fv__graph_tensor(graph, "s.weight", FV_SHAPE(2), FV_ROLE_PARAMETER, &weight));
    FV_TRY(fv__graph_tensor(graph, "weight2", FV_SHAPE(3), FV_ROLE_PARAMETER, &weight2));
    FV_TRY(fv__graph_add_feed(graph, image, FV_FEED_INPUT, 0));
    scale_attrs attrs = {.power = 2, .factor = 0.25f};
    fv_node_spec spec = {.op = &scale,
                         .name = "s",
                         .line = 3,
                         .n_inputs = 2,
                         .input = {image, weight},
                         .attrs = &attrs,
                         .role = FV_ROLE_VALUE};
    FV_TRY(fv__graph_node(graph, &spec, &a));
    attrs.power = 3;
    spec = (fv_node_spec){.op = &scale,
                          .name = "scale",
                          .layer = "second",
                          .n_inputs = 2,
                          .attrs = &attrs,
                          .input = {a, weight2},
                          .role = FV_ROLE_VALUE,
                          .of = -1};
    FV_TRY(fv__graph_node(graph, &spec, &b));
    attrs.power = 99; /* copied: this reaches nobody */
    spec = (fv_node_spec){.op = &join,
                          .name = "join",
                          .line = 5,
                          .n_inputs = 2,
                          .input = {a, b},
                          .role = FV_ROLE_VALUE,
                          .of = -1};
    FV_TRY(fv__graph_node(graph, &spec, &c));
    FV_TRY(fv__graph_add_result(graph, c));
    const fv_node forward = graph->nodes[0];
    fv_grad g = {.graph = graph, .node = &forward};
    return fv__grad_node(&g, &scale_dw, "dweight", NULL, 2, (int[]){a, weight}, FV_ROLE_GRADIENT, weight,
                         &dw);
}

static void test_build(void **state)
{
    (void)state;
    counter counts = {0};
    fv_context ctx = make_context(&counts);
    fv_graph graph;
    assert_int_equal(build(&graph, &ctx), FV_OK);
    assert_int_equal(graph.n_nodes, 4);
    assert_int_equal(graph.n_tensors, 7);
    assert_string_equal(graph.source, "net.fovea");
    assert_int_equal(fv__graph_verify(&graph), FV_OK);

    const fv_node *s = &graph.nodes[0];
    assert_string_equal(s->name, "s");
    assert_string_equal(s->layer, "s");
    assert_int_equal(((const scale_attrs *)s->attrs)->power, 2);
    assert_string_equal(graph.nodes[1].layer, "second");
    assert_int_equal(((const scale_attrs *)graph.nodes[1].attrs)->power, 3);
    assert_null(graph.nodes[2].attrs);

    const fv_tensor *out = &graph.tensors[graph.result[0]];
    assert_string_equal(out->name, "join");
    assert_int_equal(out->source, 2);
    assert_int_equal(out->of, -1);
    assert_true(fv__shape_equal(out->shape, FV_SHAPE(6, 8, 8)));

    const fv_node *dw = &graph.nodes[3]; /* layer and line are the forward node's */
    assert_string_equal(dw->name, "s.dweight");
    assert_string_equal(dw->layer, "s");
    assert_int_equal(dw->line, 3);
    assert_int_equal(graph.tensors[dw->output].role, FV_ROLE_GRADIENT);
    assert_int_equal(graph.tensors[dw->output].of, fv__graph_find_tensor(&graph, "s.weight"));
    assert_int_equal(fv__graph_find_tensor(&graph, "nobody"), -1);
    fv__graph_deinit(&graph);
    assert_int_equal(counts.live, 0);
}

static void test_names(void **state)
{
    (void)state;
    counter counts = {0};
    fv_context ctx = make_context(&counts);
    fv_graph graph;
    fv__graph_init(&graph, &ctx, NULL);
    int image, out;
    assert_int_equal(fv__graph_tensor(&graph, "image", FV_SHAPE(4), FV_ROLE_INPUT, &image), FV_OK);
    static const char *const cases[][2] = {{"join", "join"},     {"join", "join2"},   {"join", "join3"},
                                           {"join2", "join2_2"}, {"image", "image2"}, {NULL, "join4"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const fv_node_spec spec = {.op = &join,
                                   .name = cases[i][0],
                                   .n_inputs = 1,
                                   .input = {image},
                                   .role = FV_ROLE_VALUE,
                                   .of = -1};
        assert_int_equal(fv__graph_node(&graph, &spec, &out), FV_OK);
        assert_string_equal(graph.nodes[i].name, cases[i][1]);
        assert_string_equal(graph.tensors[out].name, cases[i][1]);
        assert_string_equal(graph.nodes[i].layer, cases[i][1]);
    }
    assert_int_equal(fv__graph_tensor(&graph, "join3", FV_SHAPE(4), FV_ROLE_PARAMETER, &out), FV_ERR_INPUT);
    assert_string_equal(ctx.message, "model: tensor 'join3': the name is taken");
    assert_int_equal(fv__graph_tensor(&graph, "", FV_SHAPE(4), FV_ROLE_PARAMETER, &out), FV_ERR_INTERNAL);
    assert_int_equal(fv__graph_tensor(&graph, "w", FV_SHAPE(0), FV_ROLE_PARAMETER, &out), FV_ERR_INPUT);
    assert_int_equal(fv__graph_verify(&graph), FV_OK);
    fv__graph_deinit(&graph);
}

static void test_errors(void **state)
{
    (void)state;
    counter counts = {0};
    fv_context ctx = make_context(&counts);
    fv_graph graph;
    assert_int_equal(build(&graph, &ctx), FV_OK);
    const int image = 0, weight = 1, weight2 = 2, a = graph.nodes[0].output;
    scale_attrs attrs = {.power = 2};
    const struct {
        fv_node_spec spec;
        fv_status status;
        const char *message;
    } cases[] = {
        {{.op = &scale,
          .name = "t",
          .line = 7,
          .n_inputs = 2,
          .input = {image, weight2},
          .attrs = &attrs,
          .role = FV_ROLE_VALUE,
          .of = -1},
         FV_ERR_INPUT,
         "net.fovea:7: scale t: weight of shape 3; expected 2 values"},
        {{.op = &scale,
          .name = "t",
          .n_inputs = 2,
          .input = {image, weight2},
          .attrs = &attrs,
          .role = FV_ROLE_VALUE,
          .of = -1},
         FV_ERR_INPUT,
         "scale t: weight of shape 3; expected 2 values"},
        {{.op = &scale,
          .name = "t",
          .line = 7,
          .n_inputs = 1,
          .input = {image},
          .attrs = &attrs,
          .role = FV_ROLE_VALUE,
          .of = -1},
         FV_ERR_INPUT,
         "net.fovea:7: scale t: 1 inputs; expected 2"},
        {{.op = &join, .name = "j", .line = 7, .n_inputs = 0, .role = FV_ROLE_VALUE, .of = -1},
         FV_ERR_INPUT,
         "net.fovea:7: join j: 0 inputs; expected 1 to 2"},
        {{.op = &join, .name = "j", .line = 7, .n_inputs = 5, .role = FV_ROLE_VALUE, .of = -1},
         FV_ERR_INPUT,
         "net.fovea:7: join j: 5 inputs; expected 1 to 2"},
        {{.op = &scale,
          .name = "t",
          .n_inputs = 2,
          .input = {image, a},
          .attrs = &attrs,
          .role = FV_ROLE_VALUE,
          .of = -1},
         FV_ERR_INPUT,
         "scale t: input 1, 's', is of role value; expected parameter"},
        {{.op = &join, .name = "j", .n_inputs = 1, .input = {weight}, .role = FV_ROLE_VALUE, .of = -1},
         FV_ERR_INPUT,
         "join j: input 0, 's.weight', is of role parameter; expected value"},
        {{.op = &join, .name = "j", .n_inputs = 1, .input = {7}, .role = FV_ROLE_VALUE, .of = -1},
         FV_ERR_INTERNAL,
         "join j: input 0 is tensor 7; there are 7"},
        {{.op = &join, .name = "j", .n_inputs = 1, .input = {-1}, .role = FV_ROLE_VALUE, .of = -1},
         FV_ERR_INTERNAL,
         "join j: input 0 is tensor -1; there are 7"},
        {{.op = &join, .name = "j", .n_inputs = 1, .input = {a}, .role = FV_ROLE_GRADIENT, .of = a},
         FV_ERR_INTERNAL,
         "join j: a gradient of tensor 3, which is no parameter"},
        {{.op = &join, .name = "j", .n_inputs = 1, .input = {a}, .role = FV_ROLE_GRADIENT, .of = weight},
         FV_ERR_INTERNAL,
         "join j: the gradient of 's.weight' has shape 3x8x8; expected 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int out = 77;
        assert_int_equal(fv__graph_node(&graph, &cases[i].spec, &out), cases[i].status);
        assert_string_equal(ctx.message, cases[i].message);
        assert_int_equal(out, 77);
        assert_int_equal(graph.n_nodes, 4); /* as it was */
        assert_int_equal(graph.n_tensors, 7);
    }
    assert_int_equal(fv__graph_verify(&graph), FV_OK);
    fv__graph_deinit(&graph);
}

static void test_defaults(void **state)
{
    (void)state;
    counter counts = {0};
    fv_context ctx = make_context(&counts);
    fv_graph graph;
    assert_int_equal(build(&graph, &ctx), FV_OK);
    const fv_node_spec spec = {
        .op = &scale, .name = "t", .n_inputs = 2, .input = {0, 1}, .role = FV_ROLE_VALUE, .of = -1};
    int out;
    assert_int_equal(fv__graph_node(&graph, &spec, &out), FV_OK);
    const scale_attrs *attrs = graph.nodes[graph.tensors[out].source].attrs;
    assert_int_equal(attrs->power, 2);
    assert_true(attrs->factor == 0.5f);
    fv__graph_deinit(&graph);
}

static void test_copy(void **state)
{
    (void)state;
    counter counts = {0};
    fv_context ctx = make_context(&counts);
    fv_graph graph, copy;
    fv_text before, after;
    fv__text_init(&before, &ctx);
    fv__text_init(&after, &ctx);
    assert_int_equal(build(&graph, &ctx), FV_OK);
    assert_int_equal(fv__graph_print(&graph, &before), FV_OK);
    assert_int_equal(fv__graph_copy(&graph, &copy), FV_OK);
    assert_ptr_not_equal(copy.nodes[0].attrs, graph.nodes[0].attrs);
    assert_ptr_not_equal(copy.nodes[0].name, graph.nodes[0].name);
    fv__graph_deinit(&graph); /* the copy stands alone */

    assert_int_equal(fv__graph_verify(&copy), FV_OK);
    assert_int_equal(fv__graph_print(&copy, &after), FV_OK);
    assert_string_equal(after.data, before.data);
    assert_int_equal(copy.n_feeds, 1);
    assert_int_equal(copy.feed[0].tensor, 0);
    assert_string_equal(copy.feed[0].name, "image");
    assert_int_equal(copy.n_losses, 0);
    assert_true(((const scale_attrs *)copy.nodes[0].attrs)->factor == 0.25f);
    const fv_node_spec spec = {.op = &join,
                               .name = "join",
                               .n_inputs = 1,
                               .input = {copy.result[0]},
                               .role = FV_ROLE_VALUE,
                               .of = -1};
    int out;
    assert_int_equal(fv__graph_node(&copy, &spec, &out), FV_OK); /* and can be appended to */
    assert_string_equal(copy.tensors[out].name, "join2");
    assert_int_equal(fv__graph_verify(&copy), FV_OK);

    fv_graph empty, empty_copy;
    fv__graph_init(&empty, &ctx, "nothing");
    assert_int_equal(fv__graph_copy(&empty, &empty_copy), FV_OK);
    assert_int_equal(fv__graph_verify(&empty_copy), FV_OK);
    fv__graph_deinit(&empty);
    fv__graph_deinit(&empty_copy);
    fv__graph_deinit(&copy);
    fv__text_deinit(&before);
    fv__text_deinit(&after);
    assert_int_equal(counts.live, 0);
}

static void test_print(void **state)
{
    (void)state;
    counter counts = {0};
    fv_context ctx = make_context(&counts);
    fv_graph graph;
    fv_text text;
    fv__text_init(&text, &ctx);
    assert_int_equal(build(&graph, &ctx), FV_OK);
    assert_int_equal(fv__graph_print(&graph, &text), FV_OK);
    assert_string_equal(text.data, "net.fovea: 7 tensors, 4 nodes\n"
                                   "  input      image                 3x8x8\n"
                                   "  parameter  s.weight              2\n"
                                   "  parameter  weight2               3\n"
                                   "  s = scale(image, s.weight)  3x8x8  value, line 3\n"
                                   "  scale = scale(s, weight2)  3x8x8  value\n"
                                   "  join = join(s, scale)  6x8x8  value, line 5\n"
                                   "  s.dweight = scale_dw(s, s.weight)  2  gradient of s.weight, line 3\n");
    fv__text_deinit(&text);
    fv__graph_deinit(&graph);
}

/* ---- a graph that our own bug has spoiled --------------------------------------------------------- */

/* clang-format off */
static void spoil_order(fv_graph *g) { g->nodes[0].input[0] = g->nodes[2].output; }
static void spoil_id(fv_graph *g) { g->nodes[1].input[1] = 1000; }
static void spoil_negative_id(fv_graph *g) { g->nodes[1].input[0] = -1; }
static void spoil_arity(fv_graph *g) { g->nodes[1].n_inputs = 1; }
static void spoil_output(fv_graph *g) { g->nodes[1].output = g->nodes[0].output; }
static void spoil_output_id(fv_graph *g) { g->nodes[1].output = -4; }
static void spoil_op(fv_graph *g) { g->nodes[1].op = NULL; }
static void spoil_attrs(fv_graph *g) { g->nodes[1].attrs = NULL; }
static void spoil_attr_value(fv_graph *g) { ((scale_attrs *)g->nodes[1].attrs)->power = 8; }
static void spoil_node_name(fv_graph *g) { g->nodes[1].name = "other"; }
static void spoil_shape(fv_graph *g) { g->tensors[g->nodes[2].output].shape.dim[0] = 5; }
static void spoil_shape_rank(fv_graph *g) { g->tensors[0].shape.rank = 9; }
static void spoil_name(fv_graph *g) { g->tensors[1].name = "weight2"; }
static void spoil_no_name(fv_graph *g) { g->tensors[1].name = NULL; }
static void spoil_role(fv_graph *g) { g->tensors[1].role = FV_ROLE_STATISTIC; }
static void spoil_batch(fv_graph *g) { g->tensors[1].role = FV_ROLE_BATCH; }
static void spoil_unknown_role(fv_graph *g) { g->tensors[1].role = (fv_role)40; }
static void spoil_made_input(fv_graph *g) { g->tensors[g->nodes[0].output].role = FV_ROLE_INPUT; }
static void spoil_source(fv_graph *g) { g->tensors[0].source = 2; }
static void spoil_no_source(fv_graph *g) { g->tensors[g->nodes[1].output].source = -1; }
static void spoil_of(fv_graph *g) { g->tensors[g->nodes[3].output].of = 0; }
static void spoil_of_shape(fv_graph *g) { g->tensors[g->nodes[3].output].of = 2; }
static void spoil_of_value(fv_graph *g) { g->tensors[g->nodes[0].output].of = 1; }
static void spoil_input(fv_graph *g) { g->feed[0].tensor = 1; }
static void spoil_graph_output(fv_graph *g) { g->result[0] = 99; }
static void spoil_loss(fv_graph *g) { g->loss[g->n_losses++] = g->result[0]; }
/* clang-format on */

static void test_verify(void **state)
{
    (void)state;
    static void (*const spoil[])(fv_graph *) = {
        spoil_order,     spoil_id,           spoil_negative_id, spoil_arity,      spoil_output,
        spoil_output_id, spoil_op,           spoil_attrs,       spoil_attr_value, spoil_node_name,
        spoil_shape,     spoil_shape_rank,   spoil_name,        spoil_no_name,    spoil_role,
        spoil_batch,     spoil_unknown_role, spoil_made_input,  spoil_source,     spoil_no_source,
        spoil_of,        spoil_of_shape,     spoil_of_value,    spoil_input,      spoil_graph_output,
        spoil_loss};
    for (size_t i = 0; i < sizeof spoil / sizeof *spoil; i++) {
        counter counts = {0};
        fv_context ctx = make_context(&counts);
        fv_graph graph;
        assert_int_equal(build(&graph, &ctx), FV_OK);
        assert_int_equal(fv__graph_verify(&graph), FV_OK);
        spoil[i](&graph);
        if (fv__graph_verify(&graph) != FV_ERR_INTERNAL)
            fail_msg("fault %zu was not found", i);
        assert_non_null(strstr(ctx.message, "graph"));
        fv__graph_deinit(&graph);
        assert_int_equal(counts.live, 0);
    }
}

/* Building, verifying, copying and printing with the k-th allocation failing, for every k. */
static void test_memory(void **state)
{
    (void)state;
    fv_status status = FV_ERR_MEMORY;
    int k;
    for (k = 1; k < 1000 && status != FV_OK; k++) {
        counter counts = {.fail_at = k};
        fv_context ctx = make_context(&counts);
        fv_graph graph, copy;
        bool copied = false;
        fv_text text;
        fv__text_init(&text, &ctx);
        status = build(&graph, &ctx);
        if (status == FV_OK)
            status = fv__graph_verify(&graph);
        if (status == FV_OK) {
            status = fv__graph_copy(&graph, &copy);
            copied = status == FV_OK;
        }
        if (status == FV_OK)
            status = fv__graph_print(&copy, &text);
        if (status != FV_OK) {
            assert_int_equal(status, FV_ERR_MEMORY);
            assert_non_null(strstr(ctx.message, "out of memory"));
        }
        fv__text_deinit(&text);
        if (copied)
            fv__graph_deinit(&copy);
        fv__graph_deinit(&graph);
        assert_int_equal(counts.live, 0);
    }
    assert_int_equal(status, FV_OK);
    assert_true(k > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build),    cmocka_unit_test(test_names),  cmocka_unit_test(test_errors),
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_copy),   cmocka_unit_test(test_print),
        cmocka_unit_test(test_verify),   cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
