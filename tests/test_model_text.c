/* test_model_text.c - what the model text says where it is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model_mistakes.h"

#include "graph/op.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void wrong_words(void **state)
{
    (void)state;
    static const mistake mistakes[] = {
        {IN "conw c1 6 5x5\n" END, "m:2:1: unknown layer 'conw'; nearest is 'conv'"},
        {IN "  Relu\n" END, "m:2:3: unknown layer 'Relu'; nearest is 'relu'"},
        {IN "conv c1 6 5x5 padd=2\n" END, "m:2:15: unknown key 'padd' of conv; nearest is 'pad'"},
        {IN "conv c1 6 5x5 wibble=2\n" END, "m:2:15: unknown key 'wibble' of conv"},
        {IN "conv c1 6 5x5 kernel=3\n" END,
         "m:2:15: unknown key 'kernel' of conv; KERNEL stands without a key: 'conv NAME CHANNELS KERNEL'"},
        {IN "conv c1 6 5x5 name=c2\n" END,
         "m:2:15: unknown key 'name' of conv; NAME stands without a key: 'conv NAME CHANNELS KERNEL'"},
        {IN "maxpool 2 kernel=3\n" END,
         "m:2:11: unknown key 'kernel' of maxpool; kernel stands without a key: 'maxpool kernel'"},
        {IN "tanh slope=2\n" END, "m:2:6: unknown key 'slope' of tanh"},
        {IN "conv c1 6 5x5 pad=1 pad=2\n" END, "m:2:21: the key 'pad' is given twice"},
        {IN "conv c1 6\n" END, "m:2:10: KERNEL is missing; expected 'conv NAME CHANNELS KERNEL'"},
        {IN "conv c1 6 pad=2\n" END, "m:2:11: KERNEL is missing; expected 'conv NAME CHANNELS KERNEL'"},
        {IN "conv # c1 6 5x5\n" END, "m:2:5: NAME is missing; expected 'conv NAME CHANNELS KERNEL'"},
        {IN "maxpool\n" END, "m:2:8: kernel is missing; expected 'maxpool kernel'"},
        {IN "conv c1 6 5x5 2\n" END,
         "m:2:15: unexpected word '2'; expected 'conv NAME CHANNELS KERNEL', then key=value"},
        {IN "relu c1\n" END, "m:2:6: unexpected word 'c1'; expected 'relu', then key=value"},
        {IN "conv c1 6 5x5 bias=maybe\n" END, "m:2:20: bias is 'maybe'; expected yes or no"},
        {IN "conv c1 6 5x5 init=hee\n" END, "m:2:20: unknown initialisation 'hee'; nearest is 'he'"},
        {IN "conv c1 6 5x5 init=orthogonal\n" END,
         "m:2:20: unknown initialisation 'orthogonal'; expected he, xavier, lecun, normal or uniform"},
        {IN "conv c1 6 5x5 init=normal\n" END,
         "m:2:20: normal needs its scale: 'init normal 0.01' as a line, 'init=normal:0.01' as a key"},
        {IN "conv c1 6 5x5 init=he:2\n" END, "m:2:23: he takes no scale, found '2'"},
        {IN "conv c1 6 5x5 init=normal:-1\n" END,
         "m:2:27: the scale is '-1'; expected a number from 0 to 1000"},
        {IN "conv c1 6 5x5 init=normal:nan\n" END,
         "m:2:27: the scale is 'nan'; expected a number from 0 to 1000"},
        {"init normal 0,1\n" IN END, "m:1:13: the scale is '0,1'; expected a number from 0 to 1000"},
        {"init\n" IN END,
         "m:1:5: the line ends too early; expected 'init he|xavier|lecun|normal SCALE|uniform SCALE'"},
        {"init normal 1 2\n" IN END, "m:1:15: unexpected word '2'; expected 'init KIND SCALE'"},
        {IN END "loss crossentropy\n", "m:5:6: unknown loss 'crossentropy'; nearest is 'cross-entropy'"},
        {IN END "loss zzz\n",
         "m:5:6: unknown loss 'zzz'; the losses are cross-entropy, squared-error, binary-cross-entropy, "
         "pixel-cross-entropy, absolute-error, huber, hinge, perceptron"},
        {IN END "loss\n", "m:5:5: the line ends too early; expected 'loss KIND'"},
        {IN END "loss cross-entropy smooth=0.1\n",
         "m:5:20: unknown key 'smooth' of cross-entropy; nearest is 'smoothing'"},
        {IN END "loss cross-entropy smoothing=2\n",
         "m:5:30: cross-entropy: smoothing: expected 0 to 1, found '2'"},
        {IN END "loss cross-entropy weights=1/2\n",
         "m:5: cross_entropy loss: expected a weight for each of 3 classes, found 2"},
        {IN END "loss cross-entropy 3\n",
         "m:5:20: unexpected word '3'; expected 'loss KIND' and keys as 'weight=1'"},
        {IN END "result nothing\n", "m:5:8: result: no earlier layer is called 'nothing'"},
    };
    EXPECT(mistakes);
}

/* A word that is near nothing: all layers are listed. */
static void lists_all_layers(void **state)
{
    (void)state;
    fv_model *model = NULL;
    assert_int_equal(fv_model_from_text(ctx, IN "transformer\n" END, "m", &model), FV_ERR_INPUT);
    const char *const begin = "m:2:1: unknown layer 'transformer'; the layers are ";
    const char *at = fv_message(ctx);
    assert_memory_equal(at, begin, strlen(begin));
    at += strlen(begin);
    int n = 0;
    for (const fv_layer_kind *kind; (kind = fv__layer_kind_at(n)) != NULL; n++) {
        at += n > 0 ? strspn(at, ", ") : 0;
        assert_memory_equal(at, kind->word, strlen(kind->word));
        at += strlen(kind->word);
    }
    assert_true(n >= 24);
    assert_string_equal(at, "");
}

/* What a message calls nearest: the last word in quotes behind "nearest is", or the positional word. */
static void find_nearest(char *found, size_t bytes)
{
    const char *message = fv_message(ctx), *at = strstr(message, "nearest is '");
    const char *slot = strstr(message, " stands without a key");
    found[0] = '\0';
    if (at)
        snprintf(found, bytes, "%.*s", (int)strcspn(at + 12, "'"), at + 12);
    else if (slot)
        snprintf(found, bytes, "%.*s", (int)(slot - strstr(message, "; ") - 2), strstr(message, "; ") + 2);
}

/* The words of other frameworks, and words that are near nothing. */
static void nearest_words(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        /* layers */
        {"fc", "linear"},
        {"dense", "linear"},
        {"Linear", "linear"},
        {"fully_connected", "linear"},
        {"convolution", "conv"},
        {"Conv2d", "conv"},
        {"conv_2d", "conv"},
        {"bn", "batchnorm"},
        {"BatchNorm2d", "batchnorm"},
        {"batch_norm", "batchnorm"},
        {"batch_normalization", "batchnorm"},
        {"LayerNorm", "layernorm"},
        {"dropout2d", "spatialdropout"},
        {"drop_path", "droppath"},
        {"GroupNorm", "groupnorm"},
        {"drop", "dropout"},
        {"max_pool", "maxpool"},
        {"MaxPool2d", "maxpool"},
        {"pool", "maxpool"},
        {"avg_pool2d", "avgpool"},
        {"gap", "globalavgpool"},
        {"AdaptiveAvgPool2d", "globalavgpool"},
        {"MultiheadAttention", "attention"},
        {"leaky_relu", "leakyrelu"},
        {"log_softmax", "softmax"},
        {"relu_6", "relu6"},
        {"swish", "silu"},
        {"hard_swish", "hardswish"},
        {"rleu", "relu"},
        {"residual", "add"},
        {"view", "reshape"},
        {"x", ""},
        {"lstm", ""},
        {"upsample", ""},
        {"version", ""},
        /* keys of conv */
        {"conv c 6 5x5 padding=2", "pad"},
        {"conv c 6 5x5 strides=2", "stride"},
        {"conv c 6 5x5 dilation_rate=2", "dilation"},
        {"conv c 6 5x5 use_bias=no", "bias"},
        {"conv c 6 5x5 kernel_initializer=he", "init"},
        {"conv c 6 5x5 initializer=he", "init"},
        {"conv c 6 5x5 kernel_size=5", "KERNEL"},
        {"conv c 6 5x5 ksize=5", "KERNEL"},
        {"conv c 6 5x5 filters=6", "CHANNELS"},
        {"conv c 6 5x5 channels=6", "CHANNELS"},
        {"conv c 6 5x5 out_channels=6", "CHANNELS"},
        {"conv c 6 5x5 activation=relu", ""},
        {"linear out 3 units=3", "FEATURES"},
        {"linear out 3 out_features=3", "FEATURES"},
        {"leakyrelu negative_slope=0.1", "slope"},
        {"dropout 0.5 p=0.5", "rate"},
        /* initialisations and losses */
        {"conv c 6 5x5 init=kaiming", "he"},
        {"conv c 6 5x5 init=glorot", "xavier"},
        {"conv c 6 5x5 init=zeros", ""},
    };
    char text[256], found[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fv_model *model = NULL;
        snprintf(text, sizeof text, IN "%s\n" END, cases[i][0]);
        assert_int_equal(fv_model_from_text(ctx, text, "m", &model), FV_ERR_INPUT);
        find_nearest(found, sizeof found);
        if (strcmp(found, cases[i][1]) != 0)
            fail_msg("%s: expected \"%s\" to be nearest, found: %s", cases[i][0], cases[i][1],
                     fv_message(ctx));
    }
    static const char *const losses[][2] = {{"mse", "squared-error"},
                                            {"nll", "cross-entropy"},
                                            {"cross_entropy", "cross-entropy"},
                                            {"bce", "binary-cross-entropy"},
                                            {"zzz", ""}};
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        fv_model *model = NULL;
        snprintf(text, sizeof text, IN END "loss %s\n", losses[i][0]);
        assert_int_equal(fv_model_from_text(ctx, text, "m", &model), FV_ERR_INPUT);
        find_nearest(found, sizeof found);
        assert_string_equal(found, losses[i][1]);
    }
}

static void wrong_numbers(void **state)
{
    (void)state;
    static const mistake mistakes[] = {
        {"input image 1x28\n",
         "m:1:13: the image's size is '1x28'; expected CxHxW such as 1x28x28, each number "
         "from 1 to 16777216"},
        {"input image 1x28x\n",
         "m:1:13: the image's size is '1x28x'; expected CxHxW such as 1x28x28, each number "
         "from 1 to 16777216"},
        {"input image 1x-8x8\n", "m:1:13: the image's size is '1x-8x8'; expected CxHxW such as 1x28x28, each "
                                 "number from 1 to 16777216"},
        {"input image 0x8x8\n",
         "m:1:13: the image's size is '0x8x8'; expected CxHxW such as 1x28x28, each number "
         "from 1 to 16777216"},
        {"input image 1x8x99999999999999999999\n", "m:1:13: the image's size is '1x8x99999999999999999999'; "
                                                   "expected CxHxW such as 1x28x28, each number "
                                                   "from 1 to 16777216"},
        {"input image 16777216x16777216x2\n",
         "m:1:13: the image: shape 16777216x16777216x2 has too many values; "
         "expected at most 2147483647"},
        {IN "conv c1 six 5x5\n",
         "m:2:9: conv: CHANNELS is 'six'; expected a whole number from 1 to 16777216"},
        {IN "conv c1 -6 5x5\n", "m:2:9: conv: CHANNELS is '-6'; expected a whole number from 1 to 16777216"},
        {IN "conv c1 0 5x5\n", "m:2:9: conv: CHANNELS is '0'; expected a whole number from 1 to 16777216"},
        {IN "conv c1 6 5y5\n",
         "m:2:11: conv: KERNEL is '5y5'; expected a size such as 5x5 or 5, each number from 1 to 16777216"},
        {IN "conv c1 6 5x\n",
         "m:2:11: conv: KERNEL is '5x'; expected a size such as 5x5 or 5, each number from 1 to 16777216"},
        {IN "conv c1 6 5x5x5\n",
         "m:2:11: conv: KERNEL is '5x5x5'; expected a size such as 5x5 or 5, each number from 1 to 16777216"},
        {IN "flatten\nlinear out 1e3\n",
         "m:3:12: linear: FEATURES is '1e3'; expected a whole number from 1 to 16777216"},
        {IN "flatten\nlinear out 4294967306\n",
         "m:3:12: linear: FEATURES is '4294967306'; expected a whole number from 1 to 16777216"},
        {"input image 3x512x512\nflatten\nlinear a 16777216\n",
         "m:3: a.weight: shape 16777216x786432 has too many values; expected at most 2147483647"},
        {"input image 1x1x127\nflatten\nlinear a 16777216\nlinear b 127\nsoftmax\n",
         "m: more than 2147483647 parameters, counted up to 'a.bias'"},
    };
    EXPECT(mistakes);
}

static void wrong_order(void **state)
{
    (void)state;
    static const mistake mistakes[] = {
        {"", "m:1:1: the model has no input; it begins with 'input image CxHxW'"},
        {"# nothing\n\n", "m:2:1: the model has no input; it begins with 'input image CxHxW'"},
        {IN, "m:1:1: the model has no layers"},
        {"relu\n" IN, "m:1:1: 'relu' before the input; the model begins with 'input image CxHxW'"},
        {IN IN, "m:2:1: a second input; the first is on line 1: give this one a 'name=NAME'"},
        {"input tensor 1x8x8\n",
         "m:1:7: unknown input 'tensor'; expected image, vector, signal, sequence or video"},
        {"input\n", "m:1:6: the line ends too early; expected 'input image CxHxW'"},
        {"input image 1x8x8 2\n", "m:1:19: unexpected word '2'; expected 'input image CxHxW'"},
        {IN "relu\ninit he\n", "m:3:1: init after a layer; it stands before the layers that it is to act on"},
        {"init he\ninit he\n", "m:2:1: a second init; the first is on line 1"},
        {IN END "loss cross-entropy\nrelu\n",
         "m:6:1: 'relu' after the loss of line 5; only losses and results stand behind it"},
        {IN "relu\ninput vector 3 name=v\n",
         "m:3:1: an input after a layer; the inputs stand before all layers"},
        {IN "input vector 3 name=input\n", "m:2:21: the name 'input' is reserved"},
        {"input vector 3x2\n",
         "m:1:14: the vector's size is '3x2'; expected N such as 784, each number from 1 to 16777216"},
        {"input video 3x2x4\n", "m:1:13: the video's size is '3x2x4'; expected CxTxHxW such as 3x8x32x32, "
                                "each number from 1 to 16777216"},
        {IN "conv c1 2 3x3\nconv c1 2 3x3\n", "m:3:6: the name 'c1' is taken by the conv of line 2"},
        {IN "relu\nlinear relu 2\n", "m:3:8: the name 'relu' is taken by the relu of line 2"},
        {IN "relu name=loss\n", "m:2:11: the name 'loss' is reserved"},
        {IN "relu name=\n",
         "m:2:11: '' is no name: a letter or '_' first, then letters, digits, '_', '-' and single '.', at "
         "most 48"},
        {IN "conv 6 5x5 2\n",
         "m:2:6: '6' is no name: a letter or '_' first, then letters, digits, '_', '-' and single '.', "
         "at most 48"},
        {IN "conv c..1 5 5\n",
         "m:2:6: 'c..1' is no name: a letter or '_' first, then letters, digits, '_', '-' and single '.', "
         "at most 48"},
        {IN "conv c1. 5 5\n",
         "m:2:6: 'c1.' is no name: a letter or '_' first, then letters, digits, '_', '-' and single '.', "
         "at most 48"},
        {IN "conv input.c 5 5\n", "m:2:6: the name 'input.c' is reserved"},
        {IN "conv optimizer.c 5 5\n", "m:2:6: the name 'optimizer.c' is reserved"},
        {IN "tokens\nclasstoken __metadata__\n", "m:3:12: the name '__metadata__' is reserved"},
        {IN "relu name=__metadata__.x\n", "m:2:11: the name '__metadata__.x' is reserved"},
        {IN "relu name=first\nadd frist\n",
         "m:3:5: add: no earlier layer is called 'frist'; nearest is 'first'"},
        {IN "add me name=me\n", "m:2:5: add: no earlier layer is called 'me'"},
        {IN "relu name=first\ntanh from=frist\n",
         "m:3:11: tanh: no earlier layer is called 'frist'; nearest is 'first'"},
        {IN "relu name=me from=me\n", "m:2:19: relu: no earlier layer is called 'me'"},
        {IN "relu name=a\ntanh name=b from=a from=a\n", "m:3:20: the key 'from' is given twice"},
        {IN "relu name=a\ntanh name=b\nflatten from=a\nlinear out 2\nsoftmax\n",
         "m:3:1: no layer reads 'b'; name it in an 'add' or a 'from='"},
        {IN "globalavgpool kernel=2\n", "m:2:15: unknown key 'kernel' of globalavgpool"},
        {IN "flatten\nglobalavgpool\n", "m:3:1: globalavgpool reads a sequence of tokens, an image or a "
                                        "video, but its input is a vector of 64 values"},
        {IN "batchnorm\n", "m:2:10: NAME is missing; expected 'batchnorm NAME'"},
        {IN "conv bn.weight 3 1\nbatchnorm bn\n",
         "m:3:1: batchnorm bn: the name of its 'bn.weight' is taken by the conv bn.weight of line 2"},
        {IN "conv b.running_mean 3 1\nbatchnorm b\n",
         "m:3:1: batchnorm b: the name of its 'b.running_mean' is taken by the conv b.running_mean of line "
         "2"},
    };
    EXPECT(mistakes);
}

static void wrong_shapes_and_losses(void **state)
{
    (void)state;
    static const mistake mistakes[] = {
        {IN "linear out 10\nsoftmax\n",
         "m:2:1: linear out reads a vector or a sequence of tokens, but its input is an image of 1x8x8; "
         "put a 'flatten' line before it"},
        {IN "flatten\nconv c1 6 3x3\n", "m:3:1: conv c1 reads a sequence of tokens, an image or a video, but "
                                        "its input is a vector of 64 values"},
        {IN "flatten\nlinear out 3\nrelu\n# the end\n", "m:4:1: the model ends in a relu, which implies no "
                                                        "loss; end it with 'softmax', with 'sigmoid' of one "
                                                        "value, or with a 'loss' line"},
        {IN "flatten\nlinear out 2\nsigmoid\n", "m:4:1: the model ends in a sigmoid, which implies no loss; "
                                                "end it with 'softmax', with 'sigmoid' of one "
                                                "value, or with a 'loss' line"},
        {IN "flatten\nlinear out 3\nloss cross-entropy\n",
         "m:4:1: cross-entropy needs a model that ends in softmax; it ends in the linear of line 3"},
        {IN "flatten\nlinear out 1\nsoftmax\nloss binary-cross-entropy\n",
         "m:5:1: binary-cross-entropy needs a model that ends in sigmoid; it ends in the softmax of line 4"},
        {IN "flatten\nlinear out 1\nsoftmax\n",
         "m:4:1: cross-entropy needs two outputs or more; the model ends in 1"},
        {IN "loss cross-entropy\n",
         "m:2:1: cross-entropy needs a model that ends in softmax; it ends in the input of line 1"},
        {IN "flatten\nlinear out 3\nloss pixel-cross-entropy\n",
         "m:4:1: pixel-cross-entropy needs an image of a channel for each class; found a vector of 3"},
        {IN "relu\nloss squared-error target=label\n",
         "m:3:27: squared-error of an image compares with values; expected another target than 'label'"},
    };
    EXPECT(mistakes);
}

/* What the operations themselves refuse, with the place before it. */
static void wrong_attributes(void **state)
{
    (void)state;
    static const mistake mistakes[] = {
        {IN "conv c1 6 5x5 pad=two\n", "m:2:19: conv: pad: expected a whole number, or one for each "
                                       "direction, as 3 or 3x5, or same, found 'two'"},
        {IN "conv c1 6 5x5 pad=-1\n", "m:2:19: conv: pad: expected 0 to 1024, found '-1'"},
        {IN "conv c1 6 5x5 stride=0\n", "m:2:22: conv: stride: expected 1 to 1024, found '0'"},
        {IN "maxpool 0x2\n", "m:2:9: maxpool: kernel: expected 1 to 16777216, found '0x2'"},
        {IN "relu at0=2\n", "m:2:10: relu: at0: expected 0 to 1, found '2'"},
        {IN "leakyrelu slope=nan\n", "m:2:17: leakyrelu: slope: expected a number, found 'nan'"},
        {IN "dropout 1.5\n", "m:2:9: dropout: rate: expected 0 to 1, found '1.5'"},
        {IN "dropout 1\n", "m:2: dropout: rate 1; expected 0 or more and less than 1"},
        {IN "conv c1 6 9x9\n", "m:2: conv c1: expected a window of at most 8x8, found 9x9"},
        {IN "conv c1 6 3x5 pad=0x1 dilation=4x2\n",
         "m:2: conv c1: expected a window of at most 8x10, found 3x5, which dilation=4x2 makes 9x9"},
        {IN "conv c1 6 1x16777216 dilation=1024\n",
         "m:2: conv c1: expected a window of at most 8x8, found 1x16777216, which dilation=1024x1024 makes "
         "1x17179868161"},
        {IN "conv c1 6 3x3 dilation=0\n", "m:2:24: conv: dilation: expected 1 to 1024, found '0'"},
        {IN "conv c1 6 3x3 groups=2x2\n", "m:2:22: conv: groups: expected a whole number, found '2x2'"},
        {IN "conv c1 6 3x3 groups=0\n", "m:2:22: conv: groups: expected 1 to 16777216, found '0'"},
        {IN "conv c1 6 3x3\nconv c2 8 3x3 groups=4\n",
         "m:3: conv c2: groups=4 has to divide the channels, but 6 come in and 8 go out"},
        {IN "conv c1 6 3x3\nconv c2 8 3x3 groups=3\n",
         "m:3: conv c2: groups=3 has to divide the channels, but 6 come in and 8 go out"},
        {IN "conv c1 6 3x3\nconv c2 9 3x3 groups=9\n",
         "m:3: conv c2: groups=9 has to divide the channels, but 6 come in and 9 go out"},
        {IN "conv c1 6 3x3 size=3\n",
         "m:2:15: unknown key 'size' of conv; KERNEL stands without a key: 'conv NAME CHANNELS KERNEL'"},
        {IN "maxpool 9\n", "m:2: maxpool: expected a window of at most 8x8, found 9x9"},
        {IN "softmax\n",
         "m:2:1: the model ends in an image of 1x8x8, the loss reads a vector; put a 'flatten' "
         "line before the last layer"},
    };
    EXPECT(mistakes);
    fv_model *model = NULL;
    assert_int_equal(fv_model_from_text(ctx, IN "conv c1 2 3x3\nadd input\n", "m", &model), FV_ERR_INPUT);
    assert_true(strncmp(fv_message(ctx), "m:3: add: ", 10) == 0);
}

/* Names that training gives its own tensors may be a layer's. */
static void names_of_states(void **state)
{
    (void)state;
    fv_model *model = NULL;
    char *text = NULL;
    assert_int_equal(fv_model_from_text(ctx,
                                        IN "conv c1 2 3x3\nrelu name=c1.weight.momentum\nrelu name=c1.dw\n"
                                           "relu name=c1.weight.update\n" END,
                                        "m", &model),
                     FV_OK);
    assert_int_equal(fv_model_plan_text(model, 16, true, &text), FV_OK);
    fv_text_destroy(ctx, text);
    fv_model_destroy(model);
}

/* An automatic name counts the layers of its kind and passes over what is taken. */
static void automatic_names(void **state)
{
    (void)state;
    static const char *const expected[] = {"input", "relu4", "relu2", "relu", "relu3", "relu5", "a", "relu8"};
    fv_model *model = NULL;
    assert_int_equal(fv_model_from_text(ctx,
                                        IN "identity name=relu4\nrelu name=relu2\nrelu name=relu\nrelu\n"
                                           "relu\nrelu name=a\nrelu name=relu7\nrelu\n" END,
                                        "m", &model),
                     FV_OK);
    for (int i = 0; i < 7; i++)
        assert_string_equal(fv_model_layer(model, i).name, expected[i]);
    assert_string_equal(fv_model_layer(model, 8).name, expected[7]);
    fv_model_destroy(model);
}

static void wrong_bytes(void **state)
{
    (void)state;
    static const mistake mistakes[] = {
        {IN "re\xfflu\n", "m:2:3: byte 0xff is not UTF-8; model text is UTF-8"},
        {IN "# \xc0\xaf\n", "m:2:3: byte 0xc0 is not UTF-8; model text is UTF-8"},     /* overlong */
        {IN "# \xed\xa0\x80\n", "m:2:3: byte 0xed is not UTF-8; model text is UTF-8"}, /* surrogate */
        {IN "# \xe2\x82", "m:2:3: byte 0xe2 is not UTF-8; model text is UTF-8"},       /* cut off */
        {IN "re\x01lu\n", "m:2:3: control character 0x01"},
        {IN "relu\rrelu\n", "m:2:5: control character 0x0d"},
        {IN "conv c1 6 5x5 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 "
            "a=1\n",
         "m:2:95: more than 24 words in a line"},
    };
    EXPECT(mistakes);
    fv_model *model = NULL;
    const char nul[] = IN "re\0lu\n";
    assert_int_equal(fv__model_create(ctx, nul, sizeof nul - 1, "m", &model), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx), "m:2:3: a NUL byte; model text is UTF-8");
    static char line[8100];
    memset(line, 'x', sizeof line);
    assert_int_equal(fv__model_create(ctx, line, sizeof line, "m", &model), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx), "m:1:8001: the line is longer than 8000 bytes");
    char *large = test_calloc(1 << 21, 1);
    assert_int_equal(fv__model_create(ctx, large, 1 << 21, "m", &model), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx), "m: 2097152 bytes are no model text; at most 1048576 are read");
    test_free(large);
    assert_int_equal(fv_model_from_text(ctx, NULL, "m", &model), FV_ERR_ARGUMENT);
}

/* Every prefix and every changed byte of a model is a model or a mistake with a place, never a crash. */
static void damaged_texts(void **state)
{
    (void)state;
    const char *text = fv_zoo_text("lenet5-relu");
    const size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        for (int change = 0; change < 4; change++) {
            static const char values[] = {0, '9', ' ', (char)0x80};
            char copy[1000];
            fv_model *model = NULL;
            assert_true(n < sizeof copy);
            memcpy(copy, text, n);
            copy[i] = values[change];
            const fv_status status = fv__model_create(ctx, copy, change ? n : i, "m", &model);
            assert_true(status == FV_OK || status == FV_ERR_INPUT);
            if (status == FV_ERR_INPUT)
                assert_true(strncmp(fv_message(ctx), "m:", 2) == 0);
            fv_model_destroy(model);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_words),      cmocka_unit_test(lists_all_layers),
        cmocka_unit_test(nearest_words),    cmocka_unit_test(wrong_numbers),
        cmocka_unit_test(wrong_order),      cmocka_unit_test(wrong_shapes_and_losses),
        cmocka_unit_test(wrong_attributes), cmocka_unit_test(names_of_states),
        cmocka_unit_test(automatic_names),  cmocka_unit_test(wrong_bytes),
        cmocka_unit_test(damaged_texts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
