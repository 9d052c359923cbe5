/* record.c - names of classes and records of data sets, checked and copied. */
#include "base/record.h"

#include "base/utf8.h"

#include <string.h>

static const char *wrong_with(const char *name)
{
    if (!name || name[0] == '\0')
        return "found an empty one";
    if (strlen(name) > FV_MAX_CLASS_NAME_BYTES)
        return "found a longer one";
    if (!fv__is_utf8(name))
        return "found bytes that are no UTF-8";
    for (; *name; name++)
        if ((unsigned char)*name < 0x20 || *name == 0x7f)
            return "found a control character";
    return NULL;
}

fv_status fv__class_names_check(fv_context *ctx, fv_status status, const char *what, const char *const *names,
                                int n)
{
    for (int i = 0; i < n; i++) {
        const char *const wrong = wrong_with(names[i]);
        if (wrong)
            return fv__fail(ctx, status,
                            "%s: name of class %d: expected 1 to %d bytes of printable UTF-8, %s", what, i,
                            FV_MAX_CLASS_NAME_BYTES, wrong);
    }
    return FV_OK;
}

char **fv__class_names_copy(fv_context *ctx, const char *const *names, int n)
{
    size_t bytes = (size_t)n * sizeof(char *);
    for (int i = 0; i < n; i++)
        bytes += strlen(names[i]) + 1; /* they are in memory, so the sum cannot overflow */
    char **const copy = fv__alloc(ctx, bytes, 1);
    char *at = copy ? (char *)(copy + n) : NULL;
    for (int i = 0; copy && i < n; i++) {
        const size_t length = strlen(names[i]) + 1;
        copy[i] = memcpy(at, names[i], length);
        at += length;
    }
    return copy;
}

fv_data_record *fv__record_copy(fv_context *ctx, const fv_data_record *record)
{
    const size_t classes_bytes = (size_t)record->n_classes * sizeof *record->classes;
    const size_t name_bytes = record->name ? strlen(record->name) + 1 : 0;
    const bool named =
        name_bytes > 0 && name_bytes <= FV_MAX_DATA_NAME_BYTES + 1 && fv__is_utf8(record->name);
    char *const block = fv__alloc(ctx, sizeof(fv_data_record) + classes_bytes + (named ? name_bytes : 0), 1);
    if (!block)
        return NULL;
    fv_data_record *const copy = (fv_data_record *)(void *)block;
    *copy = *record;
    int *const classes = (int *)(void *)(copy + 1);
    if (classes_bytes > 0)
        memcpy(classes, record->classes, classes_bytes);
    copy->classes = record->n_classes > 0 ? classes : NULL;
    copy->name = named ? memcpy(block + sizeof *copy + classes_bytes, record->name, name_bytes) : NULL;
    return copy;
}
