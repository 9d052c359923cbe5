/* random_networks.h - small networks drawn from a seed: texts with every kind of layer, in orders that nobody
 * chose. Each text is legal; a name, where a layer needs one, is its line's number. Include after scratch.h.
 */
#ifndef FV_TESTS_RANDOM_NETWORKS_H
#define FV_TESTS_RANDOM_NETWORKS_H

#include "base/rng.h"
#include "fovea.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct random_network {
    char text[8192];
    int batch;
    fv_rng rng;
    size_t used;
    int line;
    int c, h, w; /* of the last layer's output; h and w 0: a vector */
} random_network;

static inline int random_in(random_network *r, int low, int high)
{
    return low + (int)fv__rng_below(&r->rng, (uint32_t)(high - low + 1));
}

static inline bool random_one_of(random_network *r, int n)
{
    return random_in(r, 1, n) == 1;
}

__attribute__((format(printf, 2, 3))) static inline void random_line(random_network *r, const char *format,
                                                                     ...)
{
    va_list args;
    va_start(args, format);
    r->used += (size_t)vsnprintf(r->text + r->used, sizeof r->text - r->used, format, args);
    va_end(args);
    r->used += (size_t)snprintf(r->text + r->used, sizeof r->text - r->used, "\n");
    r->line++;
}

static inline void random_activation(random_network *r)
{
    static const char *const words[] = {
        "relu", "relu",    "relu",     "relu at0=1", "leakyrelu", "leakyrelu slope=0.3",
        "tanh", "sigmoid", "softplus", "gelu",       "identity"};
    random_line(r, "%s", words[random_in(r, 0, 10)]);
}

static inline void random_norm(random_network *r)
{
    random_line(r, "%s n%d", random_one_of(r, 4) ? "layernorm" : "batchnorm", r->line);
}

static inline int random_size(int in, int kernel, int stride, int pad, int dilation)
{
    return (in + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
}

static inline void random_conv(random_network *r)
{
    const int dilation = random_one_of(r, 6) ? 2 : 1, stride = random_one_of(r, 4) ? 2 : 1;
    int kh = random_in(r, 1, 3), kw = random_in(r, 1, 3), pad = random_in(r, 0, 2), groups = 1;
    if (random_size(r->h, kh, 1, pad, dilation) < 1)
        kh = 1;
    if (random_size(r->w, kw, 1, pad, dilation) < 1)
        kw = 1;
    int c = random_one_of(r, 5) ? random_in(r, 16, 24) : random_in(r, 1, 9);
    if (random_one_of(r, 5) && r->c > 1 && r->c <= 16) {
        groups = r->c;
        c = r->c * random_in(r, 1, 2);
    }
    random_line(r, "conv c%d %d %dx%d stride=%d pad=%d dilation=%d groups=%d%s", r->line, c, kh, kw, stride,
                pad, dilation, groups, random_one_of(r, 3) ? " bias=no" : "");
    r->c = c;
    r->h = random_size(r->h, kh, stride, pad, dilation);
    r->w = random_size(r->w, kw, stride, pad, dilation);
}

static inline void random_pool(random_network *r)
{
    const int kernel = random_in(r, 2, 3), stride = random_in(r, 1, 3), pad = random_in(r, 0, 1);
    const char *const kind = random_one_of(r, 2) ? "maxpool" : "avgpool";
    if (r->h + 2 * pad < kernel || r->w + 2 * pad < kernel || r->h < 2 || r->w < 2)
        return;
    random_line(r, "%s %dx%d stride=%d pad=%d", kind, kernel, kernel, stride, pad);
    r->h = random_size(r->h, kernel, stride, pad, 1);
    r->w = random_size(r->w, kernel, stride, pad, 1);
}

/* A way around one or two convolutions that keep the size. */
static inline void random_residual(random_network *r)
{
    const int trunk = r->line;
    random_line(r, "identity name=trunk%d", trunk);
    for (int i = random_in(r, 1, 2); i > 0; i--) {
        random_line(r, "conv c%d %d 3x3 pad=1%s", r->line, r->c, random_one_of(r, 2) ? " bias=no" : "");
        if (!random_one_of(r, 3))
            random_norm(r);
        if (i > 1)
            random_activation(r);
    }
    random_line(r, "add trunk%d", trunk);
}

static inline void random_tokens(random_network *r)
{
    const int heads = random_in(r, 1, 3), c = heads * random_in(r, 1, 5);
    random_line(r, "conv c%d %d 2x2 stride=2", r->line, c);
    random_line(r, "tokens");
    if (random_one_of(r, 2))
        random_line(r, "classtoken cls");
    random_line(r, "position pos");
    for (int i = random_in(r, 1, 2); i > 0; i--) {
        const int trunk = r->line;
        random_line(r, "identity name=trunk%d", trunk);
        if (!random_one_of(r, 3))
            random_line(r, "layernorm n%d", r->line);
        random_line(r, "attention a%d %d", r->line, heads);
        random_line(r, "add trunk%d", trunk);
        if (random_one_of(r, 2)) {
            random_line(r, "linear l%d %d", r->line, random_in(r, 1, 12));
            random_activation(r);
            random_line(r, "linear l%d %d", r->line, c);
        }
    }
    if (random_one_of(r, 2))
        random_line(r, "slice 0 1");
}

static inline void random_head(random_network *r)
{
    random_line(r, "flatten");
    while (random_one_of(r, 3)) {
        random_line(r, "linear l%d %d%s", r->line, random_in(r, 1, 20),
                    random_one_of(r, 4) ? " bias=no" : "");
        if (random_one_of(r, 3))
            random_norm(r);
        if (random_one_of(r, 6))
            random_line(r, "dropout 0.25");
        random_activation(r);
    }
    const int loss = random_in(r, 0, 5), n = loss == 0 ? 1 : random_in(r, 2, 11);
    random_line(r, "linear out %d", n);
    if (loss < 4)
        random_line(r, "%s", loss == 0 ? "sigmoid" : "softmax");
    if (loss == 1 || loss > 3)
        random_line(r, "loss squared-error");
}

static inline void random_network_draw(random_network *r, uint64_t seed)
{
    memset(r, 0, sizeof *r);
    r->rng = fv__rng(seed, 77, 0, 0);
    r->batch = random_in(r, 2, 4);
    r->c = random_in(r, 1, 3);
    r->h = random_in(r, 4, 12);
    r->w = random_in(r, 4, 12);
    random_line(r, "input image %dx%dx%d", r->c, r->h, r->w);
    if (random_one_of(r, 8)) {
        random_tokens(r);
    } else {
        for (int i = random_in(r, 1, 6); i > 0; i--) {
            if (random_one_of(r, 4))
                random_residual(r);
            else
                random_conv(r);
            if (!random_one_of(r, 3))
                random_norm(r);
            if (random_one_of(r, 8))
                random_line(r, "bias b%d", r->line);
            if (random_one_of(r, 12))
                random_line(r, "dropout 0.25");
            random_activation(r);
            if (random_one_of(r, 3))
                random_pool(r);
        }
        if (random_one_of(r, 3)) {
            random_line(r, "globalavgpool");
            r->h = r->w = 1;
        }
    }
    random_head(r);
}

/* The network of a seed. */
static inline fv_model *random_network_model(fv_context *ctx, uint64_t seed, random_network *network)
{
    fv_model *m = NULL;
    random_network_draw(network, seed);
    if (fv_model_from_text(ctx, network->text, "random", &m) != FV_OK)
        fail_msg("seed %d: %s\n%s", (int)seed, fv_message(ctx), network->text);
    return m;
}

#endif
