/* test_model_meaning.c - what the model text means, and the builder in C, which writes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/model.h"
#include "one_context.h"

#include <stdlib.h>
#include <string.h>

#define IN  "input image 1x8x8\n"
#define END "flatten\nlinear out 3\nsoftmax\n"

/* ---- what is right -------------------------------------------------------------------------------- */

static fv_model *model_of(const char *text)
{
    fv_model *model = NULL;
    const fv_status status = fv_model_from_text(ctx, text, "m", &model);
    if (status != FV_OK)
        print_error("%s\n", fv_message(ctx));
    assert_int_equal(status, FV_OK);
    return model;
}

static const fv_tensor *tensor(const fv_model *model, const char *name)
{
    const int id = fv__graph_find_tensor(&model->graph, name);
    if (id < 0)
        print_error("no tensor '%s'\n", name);
    assert_true(id >= 0);
    return &model->graph.tensors[id];
}

/* Parameters by hand: linear 784*10 + 10; logistic 784 + 1; mlp (784+1)*500 + (500+1)*150 + (150+1)*10;
 * LeNet-5 6*(25+1) + 16*(6*25+1) + 120*(400+1) + 84*(120+1) + 10*(84+1); mlp-sigmoid-deep
 * (784+1)*100 + 5*(100+1)*100 + (100+1)*10; mcdnn-column 20*(16+1) + 40*(20*25+1) + 150*(360+1) + 10*(150+1);
 * autoencoder (784+1)*128 + (128+1)*32 + (32+1)*128 + (128+1)*784; conv-autoencoder 16*10 + 8*(16*9+1) +
 * 16*(8*4) + 16 + 16*4 + 1. alexnet, vgg16, resnet50 (torchvision), mobilenet (Howard et al.:
 * 4.2 million) and resnet20 (He et al.: 0.27 million) are as in the literature, the others those of the same
 * networks in PyTorch. */
static void zoo_counts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t n_parameters;
        int n_tensors, n_classes;
        int c, h, w;
    } expected[] = {{"airbench", 1972792, 21, 10, 3, 32, 32},
                    {"alexnet", 61100840, 16, 1000, 3, 224, 224},
                    {"autoencoder", 209968, 8, 0, 1, 28, 28},
                    {"conv-autoencoder", 1913, 8, 0, 1, 28, 28},
                    {"fcn", 287462, 18, 2, 3, 64, 64},
                    {"lenet5", 61706, 10, 10, 1, 28, 28},
                    {"lenet5-1998", 60840, 13, 10, 1, 28, 28},
                    {"lenet5-relu", 61706, 10, 10, 1, 28, 28},
                    {"linear", 7850, 2, 10, 1, 28, 28},
                    {"logistic", 785, 2, 2, 1, 28, 28},
                    {"mcdnn-column", 76040, 8, 10, 1, 28, 28},
                    {"mlp", 469160, 6, 10, 1, 28, 28},
                    {"mlp-sigmoid-deep", 130010, 14, 10, 1, 28, 28},
                    {"mobilenet", 4231976, 83, 1000, 3, 224, 224},
                    {"perceptron", 7850, 2, 10, 1, 28, 28},
                    {"resnet18", 11173962, 62, 10, 3, 32, 32},
                    {"resnet20", 272474, 65, 10, 3, 32, 32},
                    {"resnet50", 25557032, 161, 1000, 3, 224, 224},
                    {"signal-cnn", 13037, 11, 5, 1, 1, 128},
                    {"unet", 482754, 50, 2, 3, 64, 64},
                    {"vgg16", 138357544, 32, 1000, 3, 224, 224},
                    {"vgg8", 1187274, 20, 10, 3, 32, 32},
                    {"video-cnn", 70965, 11, 5, 0, 0, 0},
                    {"vit", 2693578, 80, 10, 3, 32, 32}};
    enum { N_MODELS = sizeof expected / sizeof *expected };
    for (int i = 0; i < N_MODELS; i++) {
        fv_model *model = NULL;
        assert_string_equal(fv_zoo_name(i), expected[i].name);
        assert_int_equal(fv_model_open(ctx, expected[i].name, &model), FV_OK);
        const fv_model_info info = fv_model_describe(model);
        if (info.n_parameters != expected[i].n_parameters)
            fail_msg("%s: %lld parameters; expected %lld", expected[i].name, (long long)info.n_parameters,
                     (long long)expected[i].n_parameters);
        assert_int_equal(info.n_classes, expected[i].n_classes);
        assert_int_equal(fv_model_n_parameters(model), expected[i].n_tensors);
        if (info.c != expected[i].c || info.h != expected[i].h || info.w != expected[i].w)
            fail_msg("%s: an input of %dx%dx%d", expected[i].name, info.c, info.h, info.w);
        assert_string_equal(fv_model_text(model), fv_zoo_text(expected[i].name));
        fv_model_destroy(model);
    }
    assert_null(fv_zoo_name(N_MODELS));
    assert_null(fv_zoo_name(-1));
    assert_null(fv_zoo_text("lenet6"));
    fv_model *model = NULL;
    assert_int_equal(fv_model_open(ctx, "lenet6", &model), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx), "lenet6: no built-in model, model file or run folder of that name; "
                                         "nearest is 'lenet5'");
}

static void lenet_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *kind;
        int rank, shape[3];
        int64_t n_parameters, bytes;
    } expected[] = {
        {"input", "input", 3, {1, 28, 28}, 0, 3136},
        {"conv1", "conv", 3, {6, 28, 28}, 156, 18816},
        {"relu", "relu", 3, {6, 28, 28}, 0, 18816},
        {"maxpool", "maxpool", 3, {6, 14, 14}, 0, 4704},
        {"conv2", "conv", 3, {16, 10, 10}, 2416, 6400},
        {"relu2", "relu", 3, {16, 10, 10}, 0, 6400},
        {"maxpool2", "maxpool", 3, {16, 5, 5}, 0, 1600},
        {"flatten", "flatten", 1, {400}, 0, 0},
        {"fc1", "linear", 1, {120}, 48120, 480},
        {"relu3", "relu", 1, {120}, 0, 480},
        {"fc2", "linear", 1, {84}, 10164, 336},
        {"relu4", "relu", 1, {84}, 0, 336},
        {"out", "linear", 1, {10}, 850, 40},
        {"softmax", "softmax", 1, {10}, 0, 40},
    };
    fv_model *model = model_of(fv_zoo_text("lenet5-relu"));
    const int n = fv_model_describe(model).n_layers;
    assert_int_equal(n, 14);
    for (int i = 0; i < n; i++) {
        const fv_layer_info layer = fv_model_layer(model, i);
        assert_string_equal(layer.name, expected[i].name);
        assert_string_equal(layer.kind, expected[i].kind);
        assert_int_equal(layer.rank, expected[i].rank);
        for (int d = 0; d < layer.rank; d++)
            assert_int_equal(layer.shape[d], expected[i].shape[d]);
        assert_int_equal(layer.n_parameters, expected[i].n_parameters);
        assert_int_equal(layer.activation_bytes, expected[i].bytes);
    }
    assert_null(fv_model_layer(model, n).name);
    assert_null(fv_model_layer(model, -1).name);
    assert_null(fv_model_parameter(model, 10).name);
    const fv_parameter_info weight = fv_model_parameter(model, 2);
    assert_string_equal(weight.name, "conv2.weight");
    assert_int_equal(weight.rank, 4);
    assert_true(weight.shape[0] == 16 && weight.shape[1] == 6 && weight.shape[2] == 5 &&
                weight.shape[3] == 5);
    assert_int_equal((uintptr_t)weight.values % 64, 0);
    fv_model_destroy(model);
}

static void meaning(void **state)
{
    (void)state;
    fv_model *model = model_of("\xef\xbb\xbfinit uniform 2.5e-1   # \xc3\xa9\r\n"
                               "\tinput\timage 3x9x8\r\n"
                               "conv c1 4 3 pad=1 bias=no init=normal:.5\r\n"
                               "bias b1\n"
                               "relu name=r at0=1\n"
                               "conv c2 4 1x3 pad=0x1\n"
                               "add r\n"
                               "leakyrelu slope=0.2\n"
                               "avgpool 2x1 stride=1 name=sub#sampling\n"
                               "flatten\n"
                               "dropout 0.25\n"
                               "linear out 2 init=xavier\n"
                               "softmax");
    const fv_graph *graph = &model->graph;
    assert_int_equal(fv__graph_find_tensor(graph, "c1.bias"), -1);
    assert_true(fv__shape_equal(tensor(model, "c1.weight")->shape, FV_SHAPE(4, 3, 3, 3)));
    assert_true(fv__shape_equal(tensor(model, "b1.bias")->shape, FV_SHAPE(4)));
    assert_true(fv__shape_equal(tensor(model, "c2.weight")->shape, FV_SHAPE(4, 4, 1, 3)));
    assert_true(fv__shape_equal(tensor(model, "sub")->shape, FV_SHAPE(4, 8, 8)));
    assert_true(fv__shape_equal(tensor(model, "out.weight")->shape, FV_SHAPE(2, 256)));
    const fv_init c1 = tensor(model, "c1.weight")->init, c2 = tensor(model, "c2.weight")->init,
                  out = tensor(model, "out.weight")->init;
    assert_true(c1.kind == FV_INIT_NORMAL && c1.scale == 0.5 && c1.fan_in == 27 && c1.fan_out == 36);
    assert_true(c2.kind == FV_INIT_UNIFORM && c2.scale == 0.25 && c2.fan_in == 12 && c2.fan_out == 12);
    assert_true(out.kind == FV_INIT_XAVIER && out.fan_in == 256 && out.fan_out == 2);
    assert_true(tensor(model, "c2.weight")->decays && !tensor(model, "c2.bias")->decays);
    assert_true(!tensor(model, "b1.bias")->decays);
    assert_int_equal(tensor(model, "c2.bias")->init.kind, FV_INIT_ZERO);
    const fv_node *add = &graph->nodes[tensor(model, "add")->source];
    assert_string_equal(graph->tensors[add->input[0]].name, "c2");
    assert_string_equal(graph->tensors[add->input[1]].name, "r");
    assert_int_equal(add->line, 7);
    assert_string_equal(add->layer, "add");
    assert_int_equal(tensor(model, "input")->role, FV_ROLE_INPUT);
    assert_string_equal(graph->tensors[graph->feed[0].tensor].name, "input");
    assert_int_equal(tensor(model, "input.mean")->role, FV_ROLE_STATISTIC);
    assert_true(*fv__model_values(model, model->n_params - 2) == 0); /* input.mean */
    assert_true(*fv__model_values(model, model->n_params - 1) == 1); /* input.inv_std */
    fv_model_destroy(model);
}

/* What each loss reads, and that the last layer implies the same as its line. */
static void losses(void **state)
{
    (void)state;
    static const struct {
        const char *end, *op, *reads, *output;
    } cases[] = {
        {"linear out 3\nsoftmax\n", "cross_entropy", "out", "softmax"},
        {"linear out 3\nsoftmax\nloss cross-entropy\n", "cross_entropy", "out", "softmax"},
        {"linear out 3\nsoftmax\nloss squared-error\n", "squared_error", "softmax", "softmax"},
        {"linear out 3\nsigmoid\nloss squared-error\n", "squared_error", "sigmoid", "sigmoid"},
        {"linear out 1\nsigmoid\n", "binary_cross_entropy", "out", "sigmoid"},
        {"linear out 1\nsigmoid\nloss binary-cross-entropy\n", "binary_cross_entropy", "out", "sigmoid"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[200] = IN "flatten\n";
        strcat(text, cases[i].end);
        fv_model *model = model_of(text);
        const fv_graph *graph = &model->graph;
        const fv_node *loss = &graph->nodes[graph->tensors[graph->loss[0]].source];
        assert_string_equal(loss->op->name, cases[i].op);
        assert_string_equal(graph->tensors[loss->input[0]].name, cases[i].reads);
        assert_int_equal(loss->input[1], graph->feed[1].tensor);
        assert_string_equal(graph->tensors[graph->result[0]].name, cases[i].output);
        assert_true(fv__shape_equal(graph->tensors[graph->loss[0]].shape, FV_SHAPE(1)));
        fv_model_destroy(model);
    }
}

/* ---- the builder ---------------------------------------------------------------------------------- */

static fv_status build_small(fv_context *c, fv_model **out)
{
    fv_builder *b = NULL;
    FV_TRY(fv_builder_create(c, 1, 12, 12, &b));
    fv_builder_conv(b, "c1", 6, (fv_window){.kernel_h = 5, .kernel_w = 5, .padding = 2});
    fv_builder_layer(b, "relu");
    fv_builder_max_pool(b, (fv_window){.kernel_h = 2, .kernel_w = 2});
    fv_builder_conv(b, "c2", 3, (fv_window){.kernel_h = 3, .kernel_w = 3, .stride = 2});
    fv_builder_avg_pool(b, (fv_window){.kernel_h = 2, .kernel_w = 2, .stride = 1});
    fv_builder_layer(b, "flatten");
    fv_builder_linear(b, "out", 10);
    fv_builder_layer(b, "softmax");
    return fv_builder_finish(b, out);
}

static void builder_is_text(void **state)
{
    (void)state;
    fv_model *built = NULL;
    assert_int_equal(build_small(ctx, &built), FV_OK);
    assert_string_equal(fv_model_text(built), "input image 1x12x12\n"
                                              "conv c1 6 5x5 stride=1 pad=2\n"
                                              "relu\n"
                                              "maxpool 2x2 pad=0\n"
                                              "conv c2 3 3x3 stride=2 pad=0\n"
                                              "avgpool 2x2 stride=1 pad=0\n"
                                              "flatten\n"
                                              "linear out 10\n"
                                              "softmax\n");
    fv_model *same =
        model_of("input image 1x12x12\nconv c1 6 5 pad=2\nrelu\nmaxpool 2\nconv c2 3 3 stride=2\n"
                 "avgpool 2 stride=1\nflatten\nlinear out 10\nsoftmax");
    fv_text a, b;
    fv__text_init(&a, ctx);
    fv__text_init(&b, ctx);
    /* the source's name apart, the graphs are the same */
    same->graph.source = built->graph.source;
    assert_int_equal(fv__graph_print(&built->graph, &a), FV_OK);
    assert_int_equal(fv__graph_print(&same->graph, &b), FV_OK);
    assert_string_equal(a.data, b.data);
    assert_true(fv_model_hash(built) == fv_model_hash(same));
    fv__text_deinit(&a);
    fv__text_deinit(&b);
    fv_model_destroy(built);
    fv_model_destroy(same);
}

static void builder_mistakes(void **state)
{
    (void)state;
    const fv_window window = {.kernel_h = 3, .kernel_w = 3};
    fv_model *model = NULL;
    fv_builder *b = NULL;
    assert_int_equal(fv_builder_create(ctx, 1, 8, 8, &b), FV_OK);
    fv_builder_conv(b, "c1", -6, window);
    fv_builder_layer(b, "nonsense");
    assert_int_equal(fv_builder_finish(b, &model), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx),
                        "builder:2:9: conv: CHANNELS is '-6'; expected a whole number from 1 to 16777216");
    assert_int_equal(fv_builder_create(ctx, 1, 8, 8, &b), FV_OK);
    fv_builder_layer(b, "relu");
    fv_builder_conv(b, "c1 6 3x3\nrelu #", 6, window);
    fv_builder_linear(b, NULL, 6);
    fv__fail(ctx, FV_ERR_INTERNAL, "another call's message");
    assert_int_equal(fv_builder_finish(b, &model), FV_ERR_ARGUMENT);
    assert_string_equal(fv_message(ctx),
                        "builder:3: fv_builder_conv: 'c1 6 3x3\nrelu #' is no name of a layer");
    assert_int_equal(fv_builder_create(ctx, 1, 8, 8, &b), FV_OK);
    fv_builder_layer(b, "relu\nrelu");
    assert_int_equal(fv_builder_finish(b, &model), FV_ERR_ARGUMENT);
    assert_null(model);
    assert_int_equal(fv_builder_create(ctx, 1, 8, 8, &b), FV_OK);
    fv_builder_destroy(b);
    fv_builder_destroy(NULL);
    fv_model_destroy(NULL);
}

/* ---- memory --------------------------------------------------------------------------------------- */

typedef struct meter {
    long n_live, n_calls, fail_at; /* the fail_at-th allocation fails, once */
} meter;

static void *meter_allocate(void *user, size_t bytes)
{
    meter *m = user;
    if (++m->n_calls == m->fail_at)
        return NULL;
    m->n_live++;
    return malloc(bytes);
}

static void meter_release(void *user, void *block)
{
    meter *m = user;
    m->n_live--;
    free(block);
}

/* For every k: the k-th allocation fails, the call says so, nothing leaks, and the next attempt succeeds. */
static void every_allocation_fails(fv_status (*make)(fv_context *c, fv_model **out))
{
    meter m = {0};
    const fv_context_options options = {.n_threads = 1, .allocator = {meter_allocate, meter_release, &m}};
    fv_context *own = NULL;
    assert_int_equal(fv_context_create(&options, &own, NULL, 0), FV_OK);
    const long before = m.n_live;
    long k = 1;
    for (;; k++) {
        fv_model *model = NULL;
        m.n_calls = 0;
        m.fail_at = k;
        const fv_status status = make(own, &model);
        m.fail_at = 0;
        fv_model_destroy(model);
        assert_int_equal(m.n_live, before);
        if (status == FV_OK)
            break;
        assert_int_equal(status, FV_ERR_MEMORY);
        assert_null(model);
        assert_true(strncmp(fv_message(own), "out of memory", 13) == 0);
    }
    assert_true(k > 8); /* it did fail, several times */
    fv_context_destroy(own);
    assert_int_equal(m.n_live, 0);
}

static fv_status open_lenet(fv_context *c, fv_model **out)
{
    return fv_model_open(c, "lenet5-relu", out);
}

static void allocation_failures(void **state)
{
    (void)state;
    every_allocation_fails(open_lenet);
    every_allocation_fails(build_small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zoo_counts),
        cmocka_unit_test(lenet_shapes),
        cmocka_unit_test(meaning),
        cmocka_unit_test(losses),
        cmocka_unit_test(builder_is_text),
        cmocka_unit_test(builder_mistakes),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
