/* layer_names.c - the names of layers and uses: which names are valid, what a name in a line refers to, and
 * the automatic names of lines that give none.
 *
 * In a definition a name is the part behind the prefix: 'conv1' is layer1.0.conv1 in the use layer1.0. The
 * value of a parameter is looked up in the scope where it was written, so a definition can receive layers
 * of the scope that uses it, and sees no others. */
#include "model/definitions.h"

#include <stdio.h>
#include <string.h>

static const fv_named *find_full(const fv_parse *p, const char *name)
{
    const int index = fv__names_find(&p->names, name);
    return index >= 0 ? &p->named[index] : NULL;
}

/* The full name; NULL if it is too long. */
static const char *join(const fv_text_scope *scope, const char *name, char *buffer, size_t bytes)
{
    const int n = snprintf(buffer, bytes, "%s%s", scope->prefix, name);
    return n >= 0 && (size_t)n < bytes ? buffer : NULL;
}

static const fv_named *find(const fv_parse *p, const fv_text_scope *scope, const char *name)
{
    char buffer[FV_LAYER_NAME_BYTES];
    if (scope->input.name && strcmp(name, "input") == 0)
        return &scope->input;
    const char *const full = join(scope, name, buffer, sizeof buffer);
    return full ? find_full(p, full) : NULL;
}

fv_status fv__layer_name(fv_parse *p, const char *name, int column, char *out)
{
    static const char *const reserved[] = {"input", "label", "loss", "optimizer", "__metadata__"};
    char full[FV_LINE_MAX_BYTES + FV_LAYER_NAME_BYTES + 1];
    snprintf(full, sizeof full, "%s%s", p->scope->prefix, name);
    if (!fv__name_ok(full))
        return fv__line_fail(&p->line, column, FV_NO_NAME, full, FV_NAME_MAX_BYTES);
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        const size_t n = strlen(reserved[i]);
        if ((strcspn(full, ".") == n && strncmp(full, reserved[i], n) == 0) ||
            (i == 0 && strcmp(name, reserved[i]) == 0))
            return fv__line_fail(&p->line, column, "the name '%s' is reserved", name);
    }
    const fv_named *const twin = find_full(p, full);
    if (twin)
        return fv__line_fail(&p->line, column, "the name '%s' is taken by the %s of line %d", full,
                             twin->kind, twin->line);
    memcpy(out, full, strlen(full) + 1); /* at most FV_NAME_MAX_BYTES, as was checked */
    return FV_OK;
}

int fv__layer_number_name(const fv_parse *p, const char *word, int n, char *out)
{
    snprintf(out, FV_LAYER_NAME_BYTES, "%s%s", p->scope->prefix, word);
    const size_t length = strlen(out);
    if (n > 1)
        snprintf(out + length, FV_LAYER_NAME_BYTES - length, "%d", n);
    while (find_full(p, out))
        snprintf(out + length, FV_LAYER_NAME_BYTES - length, "%d", ++n);
    return n;
}

fv_status fv__use_name(fv_parse *p, const char *definition, char *out)
{
    char first[FV_LINE_MAX_BYTES + FV_LAYER_NAME_BYTES + 1];
    snprintf(first, sizeof first, "%s%s", p->scope->prefix, definition);
    if (!fv__name_ok(first))
        return fv__line_fail(&p->line, 1, FV_NO_NAME "; a shorter 'name=' helps", first, FV_NAME_MAX_BYTES);
    const int index = fv__names_find(&p->names, first);
    const int n = fv__layer_number_name(p, definition, index >= 0 ? p->named[index].last_number + 1 : 1, out);
    if (index >= 0)
        p->named[index].last_number = n;
    return FV_OK;
}

fv_status fv__layer_name_add(fv_parse *p, const char *name, const char *kind, int output)
{
    void *named = p->named;
    char *const copy = fv__arena_strdup(&p->model->graph.arena, name);
    if (!copy)
        return FV_ERR_MEMORY;
    FV_TRY(fv__grow(p->ctx, &named, p->n_named, &p->named_capacity, sizeof *p->named));
    p->named = named;
    FV_TRY(fv__names_add(&p->names, copy, (int)p->n_named));
    p->named[p->n_named++] = (fv_named){copy, kind, p->line.number, output, 1};
    return FV_OK;
}

/* Fails with a message that has the nearest of this scope's names, without its prefix. */
static fv_status no_such_layer(const fv_parse *p, const fv_text_scope *scope, const char *word,
                               const char *name, int column)
{
    const size_t length = strlen(scope->prefix);
    const char **const names = fv__alloc(p->ctx, p->n_named + 1, sizeof *names);
    if (!names)
        return FV_ERR_MEMORY;
    int n = 0;
    if (scope->input.name)
        names[n++] = scope->input.name;
    for (size_t i = 0; i < p->n_named; i++)
        if (strncmp(p->named[i].name, scope->prefix, length) == 0)
            names[n++] = p->named[i].name + length;
    const char *const nearest = fv__nearest(name, names, n);
    fv__free(p->ctx, names);
    return fv__line_fail(&p->line, column, "%s: no earlier layer is called '%s'%s%s%s%s", word, name,
                         scope->call ? " in '" : "", scope->call ? scope->call->definition : "",
                         scope->call ? "'" : "", fv__nearest_is(nearest).text);
}

fv_status fv__layer_named(fv_parse *p, const char *word, const char *name, int column, fv_named *out)
{
    const fv_text_scope *const scope = fv__line_scope(&p->line, column);
    const fv_named *const layer = find(p, scope, name);
    if (!layer)
        return no_such_layer(p, scope, word, name, column);
    *out = *layer;
    return FV_OK;
}

fv_status fv__layer_output(fv_parse *p, const char *word, const char *name, int column, int *tensor)
{
    fv_named layer = {0};
    FV_TRY(fv__layer_named(p, word, name, column, &layer));
    *tensor = layer.output;
    return FV_OK;
}
