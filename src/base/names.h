/* names.h - a hash table from names to numbers. */
#ifndef FV_BASE_NAMES_H
#define FV_BASE_NAMES_H

#include "base/context.h"

typedef struct fv_names {
    fv_context *ctx;
    struct fv_names_entry *entries;
    size_t n, size; /* names, and the size of the table: a power of two, never full */
} fv_names;

void fv__names_init(fv_names *names, fv_context *ctx);
void fv__names_deinit(fv_names *names);
int fv__names_find(const fv_names *names, const char *name); /* -1: not found */
/* `number` is 0 or more. `name` is borrowed: it must outlive the table, and must not be in it yet. */
fv_status fv__names_add(fv_names *names, const char *name, int number);

#endif
