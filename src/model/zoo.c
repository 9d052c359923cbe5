/* zoo.c - the built-in models: the files of models/, which cmake/zoo.cmake converts to strings. */
#include "model/model.h"

#include <string.h>

#define FV_ZOO(name, text) {name, text},
static const fv_zoo_entry zoo[] = {
#include "zoo_texts.inc"
};
#undef FV_ZOO

const fv_zoo_entry *fv__zoo_at(int index)
{
    return index >= 0 && index < (int)(sizeof zoo / sizeof zoo[0]) ? &zoo[index] : NULL;
}

const fv_zoo_entry *fv__zoo_find(const char *name)
{
    for (int i = 0; fv__zoo_at(i); i++)
        if (strcmp(zoo[i].name, name) == 0)
            return &zoo[i];
    return NULL;
}
