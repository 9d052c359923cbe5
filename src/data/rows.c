/* rows.c - the samples of a set that are rows of a table, an array or a list. */
#include "data/rows.h"

#include "data/class_folder.h"

#include <string.h>

void fv__rows_free(fv_context *ctx, fv_rows *rows)
{
    fv__free(ctx, rows->row);
    fv__free(ctx, rows->label);
    *rows = (fv_rows){0};
}

/* All rows, sorted by class. */
static void sort(const int *labels, int n, int n_classes, fv_class_file *out)
{
    int at = 0;
    for (int k = 0; k < (labels ? n_classes : 1); k++)
        for (int i = 0; i < n; i++)
            if (!labels || labels[i] == k)
                out[at++] = (fv_class_file){.number = (uint32_t)i, .label = k};
}

static fv_status choose(const fv_opening *o, const int *labels, const fv_class_file *all, int n, fv_rows *out)
{
    const int limit = o->options->limit;
    out->row = fv__alloc(o->ctx, (size_t)n, sizeof *out->row);
    out->label = labels ? fv__alloc(o->ctx, (size_t)n, sizeof *out->label) : NULL;
    if (!out->row || (labels && !out->label))
        return FV_ERR_MEMORY;
    for (int i = 0; i < n && (limit == 0 || out->n < limit); i++) {
        const uint32_t row = all ? all[i].number : (uint32_t)i;
        const int label = labels ? fv__data_renumber(o->options, labels[row]) : 0;
        if (label < 0)
            continue;
        if (labels)
            out->label[out->n] = label;
        out->row[out->n++] = row;
    }
    if (out->n == 0)
        return fv__fail(o->ctx, FV_ERR_INPUT, "data set %s: none of its %d samples is of a class asked for",
                        o->name, n);
    return FV_OK;
}

fv_status fv__rows_choose(const fv_opening *o, const int *labels, int n, int n_classes, bool ordered,
                          fv_rows *out, bool *there)
{
    *out = (fv_rows){0};
    *there = ordered || o->split == FV_SPLIT_TRAIN || o->words.split > 0;
    FV_TRY(fv__data_check_options(o->ctx, o->options, n_classes, o->name));
    if (ordered && o->words.split > 0)
        return fv__fail(o->ctx, FV_ERR_INPUT, "data set %s: split: it has a test set of its own", o->path);
    if (!*there)
        return FV_OK;
    if (ordered)
        return choose(o, labels, NULL, n, out);
    fv_class_file *const all = fv__alloc(o->ctx, (size_t)n, sizeof *all);
    if (!all)
        return FV_ERR_MEMORY;
    sort(labels, n, n_classes, all);
    const int kept = fv__class_deal(all, n, labels ? n_classes : 1, o->split, &o->words);
    const fv_status status = choose(o, labels, all, kept, out);
    fv__free(o->ctx, all);
    return status;
}

static fv_status name_classes(const fv_opening *o, fv_data *data, int n_classes, const char *const *names)
{
    const fv_data_options *const options = o->options;
    fv_arena arena;
    data->n_classes = options->n_classes > 0 ? options->n_classes : n_classes;
    fv__arena_init(&arena, o->ctx);
    const char **const chosen = fv__arena_alloc(&arena, (size_t)data->n_classes, sizeof *chosen);
    fv_status status = chosen ? FV_OK : FV_ERR_MEMORY;
    for (int k = 0; k < data->n_classes && status == FV_OK; k++) {
        const int class = options->n_classes > 0 ? options->classes[k] : k;
        chosen[k] = names ? names[class] : fv__arena_printf(&arena, "%d", class);
        if (!chosen[k])
            status = FV_ERR_MEMORY;
    }
    if (status == FV_OK)
        status = fv__data_name_classes(data, chosen);
    fv__arena_deinit(&arena);
    return status;
}

fv_status fv__rows_set(const fv_opening *o, const fv_rows *rows, const char *name, fv_field first,
                       int n_classes, const char *const *names, fv_data **out)
{
    fv_data *data;
    fv_status status = fv__data_begin(o->ctx, o->name, rows->n, &data);
    if (status != FV_OK) {
        fv__free(o->ctx, first.values);
        return status;
    }
    status = fv__data_add_field(data, name, first);
    if (status == FV_OK)
        status = name_classes(o, data, n_classes, names);
    if (status == FV_OK && rows->label) {
        int *const labels = fv__alloc(o->ctx, (size_t)rows->n, sizeof *labels);
        if (labels)
            memcpy(labels, rows->label, (size_t)rows->n * sizeof *labels);
        status = fv__data_add_field(
            data, "label",
            (fv_field){
                .element = FV_I32, .shape = FV_SHAPE(1), .n_classes = data->n_classes, .values = labels});
    }
    if (status != FV_OK) {
        fv__data_destroy(data);
        return status;
    }
    *out = data;
    return FV_OK;
}
