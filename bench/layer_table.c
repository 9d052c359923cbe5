/* layer_table.c - the layers of the networks that are measured, distinct shapes once.
 *
 * vgg8: six 3x3 convolutions on 32x32 colour; resnet18: its form for 32x32 (He et al. 2016, 3x3 stem, no
 * pooling before the blocks); resnet50: 224x224, the stride in the 3x3 of a bottleneck; vit: 64 patches of
 * 4x4 and a class token, width 192. */
#include "bench_layers.h"

#include <stdio.h>

const layer layer_table[] = {
    /* network      i  size     o  k  s  p  count  first */
    {"lenet5-relu", 1, 28, 6, 5, 1, 2, 1, true},
    {"lenet5-relu", 6, 14, 16, 5, 1, 0, 1, false},
    {"lenet5-relu", 400, 1, 120, 0, 1, 0, 1, false},
    {"lenet5-relu", 120, 1, 84, 0, 1, 0, 1, false},
    {"lenet5-relu", 84, 1, 10, 0, 1, 0, 1, false},

    {"mlp", 784, 1, 500, 0, 1, 0, 1, true},
    {"mlp", 500, 1, 150, 0, 1, 0, 1, false},
    {"mlp", 150, 1, 10, 0, 1, 0, 1, false},

    {"vgg8", 3, 32, 64, 3, 1, 1, 1, true},
    {"vgg8", 64, 32, 64, 3, 1, 1, 1, false},
    {"vgg8", 64, 16, 128, 3, 1, 1, 1, false},
    {"vgg8", 128, 16, 128, 3, 1, 1, 1, false},
    {"vgg8", 128, 8, 256, 3, 1, 1, 1, false},
    {"vgg8", 256, 8, 256, 3, 1, 1, 1, false},
    {"vgg8", 4096, 1, 10, 0, 1, 0, 1, false},

    {"resnet18", 3, 32, 64, 3, 1, 1, 1, true},
    {"resnet18", 64, 32, 64, 3, 1, 1, 4, false},
    {"resnet18", 64, 32, 128, 3, 2, 1, 1, false},
    {"resnet18", 64, 32, 128, 1, 2, 0, 1, false},
    {"resnet18", 128, 16, 128, 3, 1, 1, 3, false},
    {"resnet18", 128, 16, 256, 3, 2, 1, 1, false},
    {"resnet18", 128, 16, 256, 1, 2, 0, 1, false},
    {"resnet18", 256, 8, 256, 3, 1, 1, 3, false},
    {"resnet18", 256, 8, 512, 3, 2, 1, 1, false},
    {"resnet18", 256, 8, 512, 1, 2, 0, 1, false},
    {"resnet18", 512, 4, 512, 3, 1, 1, 3, false},
    {"resnet18", 512, 1, 10, 0, 1, 0, 1, false},

    {"resnet50", 3, 224, 64, 7, 2, 3, 1, true},
    {"resnet50", 64, 56, 64, 1, 1, 0, 1, false},
    {"resnet50", 64, 56, 64, 3, 1, 1, 3, false},
    {"resnet50", 64, 56, 256, 1, 1, 0, 4, false},
    {"resnet50", 256, 56, 64, 1, 1, 0, 2, false},
    {"resnet50", 256, 56, 128, 1, 1, 0, 1, false},
    {"resnet50", 128, 56, 128, 3, 2, 1, 1, false},
    {"resnet50", 128, 28, 512, 1, 1, 0, 4, false},
    {"resnet50", 256, 56, 512, 1, 2, 0, 1, false},
    {"resnet50", 512, 28, 128, 1, 1, 0, 3, false},
    {"resnet50", 128, 28, 128, 3, 1, 1, 3, false},
    {"resnet50", 512, 28, 256, 1, 1, 0, 1, false},
    {"resnet50", 256, 28, 256, 3, 2, 1, 1, false},
    {"resnet50", 256, 14, 1024, 1, 1, 0, 6, false},
    {"resnet50", 512, 28, 1024, 1, 2, 0, 1, false},
    {"resnet50", 1024, 14, 256, 1, 1, 0, 5, false},
    {"resnet50", 256, 14, 256, 3, 1, 1, 5, false},
    {"resnet50", 1024, 14, 512, 1, 1, 0, 1, false},
    {"resnet50", 512, 14, 512, 3, 2, 1, 1, false},
    {"resnet50", 512, 7, 2048, 1, 1, 0, 3, false},
    {"resnet50", 1024, 14, 2048, 1, 2, 0, 1, false},
    {"resnet50", 2048, 7, 512, 1, 1, 0, 2, false},
    {"resnet50", 512, 7, 512, 3, 1, 1, 2, false},
    {"resnet50", 2048, 1, 1000, 0, 1, 0, 1, false},

    {"vit", 3, 32, 192, 4, 4, 0, 1, true},
    {"vit", 192, 65, 576, 0, 1, 0, 6, false},
    {"vit", 192, 65, 192, 0, 1, 0, 6, false},
    {"vit", 192, 65, 768, 0, 1, 0, 6, false},
    {"vit", 768, 65, 192, 0, 1, 0, 6, false},
    {"vit", 192, 1, 10, 0, 1, 0, 1, false},
    {NULL, 0, 0, 0, 0, 0, 0, 0, false},
};

int layer_out_size(const layer *l)
{
    return l->kernel == 0 ? l->size : (l->size + 2 * l->pad - l->kernel) / l->stride + 1;
}

double layer_flops(const layer *l, int batch)
{
    const double out = layer_out_size(l), terms = l->kernel == 0 ? 1 : (double)l->kernel * l->kernel;
    return 2.0 * batch * l->o * l->i * terms * (l->kernel == 0 ? out : out * out);
}

void layer_text(const layer *l, char *text, size_t n_bytes)
{
    const int out = layer_out_size(l);
    if (l->kernel == 0 && l->size == 1)
        snprintf(text, n_bytes, "%d from %d", l->o, l->i);
    else if (l->kernel == 0)
        snprintf(text, n_bytes, "%d from %d, %d tokens", l->o, l->i, l->size);
    else if (l->stride == 1)
        snprintf(text, n_bytes, "%d@%dx%d %dx%d from %d", l->o, out, out, l->kernel, l->kernel, l->i);
    else
        snprintf(text, n_bytes, "%d@%dx%d %dx%d from %d, stride %d", l->o, out, out, l->kernel, l->kernel,
                 l->i, l->stride);
}

operand_id pass_result(pass p)
{
    return p == PASS_FORWARD ? OPERAND_Y : p == PASS_DATA ? OPERAND_X : OPERAND_W;
}

size_t problem_count(const problem *p, operand_id which)
{
    const layer *const l = &p->layer;
    const size_t in = (size_t)l->size, out = (size_t)layer_out_size(l), n = (size_t)p->batch;
    const size_t i = (size_t)l->i, o = (size_t)l->o, k = (size_t)l->kernel;
    if (which == OPERAND_W)
        return o * i * (k == 0 ? 1 : k * k);
    if (which == OPERAND_X)
        return n * i * in * (k == 0 ? 1 : in);
    return n * o * out * (k == 0 ? 1 : out);
}
