/* names.c - a table from names to numbers, by open addressing. It grows at half full. */
#include "base/names.h"

#include <string.h>

struct fv_names_entry {
    const char *name; /* NULL: free */
    int number;
};

enum { FIRST_SIZE = 32 };

void fv__names_init(fv_names *names, fv_context *ctx)
{
    *names = (fv_names){.ctx = ctx};
}

void fv__names_deinit(fv_names *names)
{
    fv__free(names->ctx, names->entries);
    fv__names_init(names, names->ctx);
}

/* FNV-1a, 64 bits. */
static uint64_t hash(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}

/* The entry of `name`, or the free entry where it would be inserted. */
static struct fv_names_entry *place_of(const fv_names *names, const char *name)
{
    size_t at = (size_t)hash(name) & (names->size - 1);
    while (names->entries[at].name && strcmp(names->entries[at].name, name) != 0)
        at = (at + 1) & (names->size - 1);
    return &names->entries[at];
}

int fv__names_find(const fv_names *names, const char *name)
{
    if (names->n == 0)
        return -1;
    const struct fv_names_entry *const entry = place_of(names, name);
    return entry->name ? entry->number : -1;
}

static fv_status grow(fv_names *names)
{
    fv_names larger = {.ctx = names->ctx, .n = names->n};
    if (!fv__mul(names->size, 2, &larger.size))
        larger.size = SIZE_MAX; /* which fv__alloc refuses */
    if (larger.size < FIRST_SIZE)
        larger.size = FIRST_SIZE;
    larger.entries = fv__alloc(names->ctx, larger.size, sizeof *larger.entries);
    if (!larger.entries)
        return FV_ERR_MEMORY;
    for (size_t i = 0; i < names->size; i++)
        if (names->entries[i].name)
            *place_of(&larger, names->entries[i].name) = names->entries[i];
    fv__free(names->ctx, names->entries);
    *names = larger;
    return FV_OK;
}

fv_status fv__names_add(fv_names *names, const char *name, int number)
{
    if (2 * names->n >= names->size)
        FV_TRY(grow(names));
    *place_of(names, name) = (struct fv_names_entry){name, number};
    names->n++;
    return FV_OK;
}
