/* synonyms.c - other frameworks' names for the words of the model text, for messages about unknown words. */
#include "model/words.h"

#include <string.h>

/* Words of other frameworks, and ours. Case, '_' and '-' do not count. */
static const char *const synonyms[][2] = {
    /* layers */
    {"fc", "linear"},
    {"dense", "linear"},
    {"affine", "linear"},
    {"fully_connected", "linear"},
    {"bn", "batchnorm"},
    {"ln", "layernorm"},
    {"gn", "groupnorm"},
    {"local_response_norm", "lrn"},
    {"dropout2d", "spatialdropout"},
    {"stochastic_depth", "droppath"},
    {"gap", "globalavgpool"},
    {"global_average_pool", "globalavgpool"},
    {"global_average_pooling2d", "globalavgpool"},
    {"adaptive_avg_pool2d", "globalavgpool"},
    {"pool", "maxpool"},
    {"pooling", "maxpool"},
    {"average_pool", "avgpool"},
    {"average_pooling2d", "avgpool"},
    {"meanpool", "avgpool"},
    {"subsample", "avgpool"},
    {"lrelu", "leakyrelu"},
    {"swish", "silu"},
    {"heaviside", "step"},
    {"clip", "hardtanh"},
    {"mha", "attention"},
    {"self_attention", "attention"},
    {"multi_head_attention", "attention"},
    {"residual", "add"},
    {"skip", "add"},
    {"shortcut", "add"},
    {"view", "reshape"},
    {"unflatten", "reshape"},
    {"mul", "multiply"},
    {"gate", "multiply"},
    {"cat", "concat"},
    {"route", "concat"},
    {"reduce_mean", "mean"},
    {"drop", "dropout"},
    {"pad2d", "border"},
    {"zero_padding2d", "border"},
    {"reflection_pad2d", "border"},
    {"center_crop", "crop"},
    {"interpolate", "upsample"},
    {"resize", "upsample"},
    {"unpooling", "unpool"},
    {"max_unpool2d", "unpool"},
    {"transpose", "permute"},
    {"cls", "classtoken"},
    {"posembed", "position"},
    /* keys, and positional words */
    {"padding", "pad"},
    {"kernel_size", "kernel"},
    {"ksize", "kernel"},
    {"size", "kernel"},
    {"window", "kernel"},
    {"filters", "channels"},
    {"out_channels", "channels"},
    {"out", "channels"},
    {"out", "features"},
    {"out_features", "features"},
    {"units", "features"},
    {"neurons", "features"},
    {"negative_slope", "slope"},
    {"alpha", "slope"},
    {"use_bias", "bias"},
    {"kernel_initializer", "init"},
    {"weight_init", "init"},
    {"p", "rate"},
    {"probability", "rate"},
    {"num_heads", "heads"},
    /* initialisations */
    {"kaiming", "he"},
    {"kaiming_normal", "he"},
    {"he_normal", "he"},
    {"glorot", "xavier"},
    {"glorot_uniform", "xavier"},
    {"gaussian", "normal"},
    /* losses */
    {"ce", "cross-entropy"},
    {"nll", "cross-entropy"},
    {"categorical_crossentropy", "cross-entropy"},
    {"mse", "squared-error"},
    {"l2", "squared-error"},
    {"mean_squared_error", "squared-error"},
    {"bce", "binary-cross-entropy"},
    {"logloss", "binary-cross-entropy"},
};

static const char *skip(const char *p)
{
    return p + strspn(p, "_-");
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool same(const char *a, const char *b)
{
    for (a = skip(a), b = skip(b); *a && lower(*a) == lower(*b); a = skip(a + 1), b = skip(b + 1))
        ;
    return !*a && !*b;
}

const char *fv__nearest_word(const char *word, const char *const *names, int n_names)
{
    for (size_t s = 0; s < sizeof synonyms / sizeof synonyms[0]; s++)
        for (int i = 0; i < n_names && same(word, synonyms[s][0]); i++)
            if (same(names[i], synonyms[s][1]))
                return names[i];
    return fv__nearest(word, names, n_names);
}
