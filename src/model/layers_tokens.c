/* layers_tokens.c - the layers of sequences that have parameters. Names and shapes are PyTorch's: those of
 * nn.LayerNorm and nn.MultiheadAttention; a class token and positions are bare parameters there. */
#include "model/layers.h"

#include <stdio.h>

static const fv_init zero = {.kind = FV_INIT_ZERO};

static fv_status expect_sequence(const fv_parse *p, const char *word, const char *name)
{
    const fv_shape in = fv__layer_input(p);
    char text[FV_SHAPE_TEXT];
    if (in.rank == 2)
        return FV_OK;
    return fv__line_fail(&p->line, 1, "%s %s reads a sequence of tokens, but its input is %s of %s; %s", word,
                         name, in.rank == 3 ? "an image" : "a vector", fv__shape_text(in, text),
                         "a 'tokens' line makes one of an image");
}

/* A node of the layer whose name is the layer's with a suffix. */
static fv_status part(fv_parse *p, const char *op, const fv_layer_words *words, const char *suffix,
                      int n_inputs, const int *inputs, const void *attrs, int *output)
{
    char name[FV_NAME_MAX_BYTES + 32];
    snprintf(name, sizeof name, "%s.%s", words->name, suffix);
    return fv__layer_node(p, op, name, words->name, n_inputs, inputs, attrs, output);
}

fv_status fv__layer_class_token(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words,
                                int *output)
{
    int inputs[2] = {p->current, -1};
    FV_TRY(expect_sequence(p, kind->word, words->name));
    const fv_shape shape = FV_SHAPE(1, 1, fv__layer_input(p).dim[0]);
    FV_TRY(fv__layer_parameter(p, words->name, NULL, shape, zero, false, &inputs[1]));
    return part(p, kind->op, words, "before", 2, inputs, NULL, output);
}

/* Drawn small: the deviation is that of Dosovitskiy et al. 2020. */
fv_status fv__layer_position(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words, int *output)
{
    const fv_init small = {.kind = FV_INIT_NORMAL, .scale = 0.02};
    int inputs[2] = {p->current, -1};
    FV_TRY(expect_sequence(p, kind->word, words->name));
    const fv_shape in = fv__layer_input(p), shape = FV_SHAPE(1, in.dim[1], in.dim[0]);
    FV_TRY(fv__layer_parameter(p, words->name, NULL, shape, small, false, &inputs[1]));
    return part(p, kind->op, words, "added", 2, inputs, NULL, output);
}

fv_status fv__layer_layernorm(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words,
                              int *output)
{
    const fv_init one = {.kind = FV_INIT_CONSTANT, .scale = 1};
    const fv_shape shape = FV_SHAPE(fv__layer_input(p).dim[0]);
    int inputs[3] = {p->current, -1, -1};
    FV_TRY(fv__layer_parameter(p, words->name, "weight", shape, one, false, &inputs[1]));
    FV_TRY(fv__layer_parameter(p, words->name, "bias", shape, zero, false, &inputs[2]));
    return fv__layer_node(p, kind->op, words->name, words->name, 3, inputs, NULL, output);
}

/* A linear layer inside of attention: weight [features][c] and its bias. */
static fv_status projection(fv_parse *p, const fv_layer_words *words, const char *weight, const char *bias,
                            int features, const char *node, int input, int *output)
{
    const int c = fv__layer_input(p).dim[0];
    fv_init init = words->init;
    init.fan_in = c;
    init.fan_out = features;
    int inputs[3] = {input, -1, -1};
    FV_TRY(fv__layer_parameter(p, words->name, weight, FV_SHAPE(features, c), init, true, &inputs[1]));
    if (words->bias)
        FV_TRY(fv__layer_parameter(p, words->name, bias, FV_SHAPE(features), zero, false, &inputs[2]));
    if (node)
        return part(p, "linear", words, node, words->bias ? 3 : 2, inputs, NULL, output);
    return fv__layer_node(p, "linear", words->name, words->name, words->bias ? 3 : 2, inputs, NULL, output);
}

/* Queries, keys and values by one product, the heads, and what they say brought together. */
fv_status fv__layer_attention(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words,
                              int *output)
{
    int qkv, heads;
    FV_TRY(expect_sequence(p, kind->word, words->name));
    const int c = fv__layer_input(p).dim[0];
    if (c > FV_MAX_DIM / 3)
        return fv__line_fail(&p->line, 1, "%s %s: expected at most %d channels, found %d", kind->word,
                             words->name, FV_MAX_DIM / 3, c);
    FV_TRY(projection(p, words, "in_proj_weight", "in_proj_bias", 3 * c, "in_proj", p->current, &qkv));
    FV_TRY(part(p, kind->op, words, "heads", 1, &qkv, words->attrs, &heads));
    return projection(p, words, "out_proj.weight", "out_proj.bias", c, NULL, heads, output);
}
