/* ops.c - finds operations by name. */
#include "ops/ops.h"

#include <string.h>

static const fv_op *const table[] = {
#define FV_OP(name) &fv_op_##name,
#include "ops/ops.def"
#undef FV_OP
};

#define N_OPS ((int)(sizeof table / sizeof *table))

const fv_op *fv__op_at(int index)
{
    return index >= 0 && index < N_OPS ? table[index] : NULL;
}

const fv_op *fv__op_find(const char *name)
{
    for (int i = 0; i < N_OPS; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}

const fv_layer_kind *fv__layer_kind_find(const char *word)
{
    for (int i = 0; i < N_OPS; i++)
        for (int k = 0; k < table[i]->n_layers; k++)
            if (strcmp(table[i]->layers[k].word, word) == 0)
                return &table[i]->layers[k];
    return NULL;
}

const fv_layer_kind *fv__layer_kind_at(int index)
{
    for (int i = 0; i < N_OPS && index >= 0; index -= table[i++]->n_layers)
        if (index < table[i]->n_layers)
            return &table[i]->layers[index];
    return NULL;
}
