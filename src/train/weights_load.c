/* weights_load.c - loads an open weights file into a model: its tensors, its class names and the record of
 * its data. */
#include "train/weights.h"

#include "base/record.h"
#include "data/dataset.h"
#include "io/json.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#define OPTIMIZER "optimizer."

/* ---- class names and the record of the data -------------------------------------------------------- */

/* Begins to read the JSON under `key`; *there is false if it is missing. */
static fv_status open_value(fv_arena *arena, const fv_weights *w, const char *key, fv_json *json, bool *there)
{
    const char *const text = fv__safetensors_meta(w->file, key);
    *there = text != NULL;
    if (!text)
        return FV_OK;
    *json = (fv_json){.ctx = arena->ctx, .arena = arena, .bytes = (const uint8_t *)text, .n = strlen(text)};
    json->path = fv__arena_printf(arena, "%s: metadata '%s'", fv__safetensors_path(w->file), key);
    return json->path ? FV_OK : FV_ERR_MEMORY;
}

/* Reads a list of strings or, if `strings` is NULL, of class numbers: at most `most`; *n is 0 if there is
 * no list. */
static fv_status read_list(fv_arena *arena, const fv_weights *w, const char *key, int most,
                           const char **strings, int *wholes, int *n)
{
    fv_json json;
    bool more;
    *n = 0;
    FV_TRY(open_value(arena, w, key, &json, &more));
    if (!more)
        return FV_OK;
    FV_TRY(fv__json_expect(&json, '['));
    for (; more; (*n)++) {
        int64_t whole = 0;
        char *string = NULL;
        if (*n == most)
            return fv__json_fail(&json, "']', the list being as long as there are classes");
        if (strings)
            FV_TRY(fv__json_string(&json, &string));
        else
            FV_TRY(fv__json_whole(&json, &whole));
        if (whole >= FV_MAX_CLASSES)
            return fv__json_fail(&json, "the number of a class before here");
        if (strings)
            strings[*n] = string;
        else
            wholes[*n] = (int)whole;
        FV_TRY(fv__json_more(&json, ']', &more));
    }
    return fv__json_end(&json);
}

static fv_status read_limit(fv_arena *arena, const fv_weights *w, int *limit)
{
    fv_json json;
    bool there;
    int64_t whole;
    *limit = 0;
    FV_TRY(open_value(arena, w, "limit", &json, &there));
    if (!there)
        return FV_OK;
    FV_TRY(fv__json_whole(&json, &whole));
    if (whole > INT_MAX)
        return fv__json_fail(&json, "a number of images before here");
    *limit = (int)whole;
    return fv__json_end(&json);
}

static fv_status describe(fv_arena *arena, const fv_weights *w, fv_model *model)
{
    const int n_classes = fv__model_n_classes(model);
    int n_names = 0;
    int *const classes = fv__arena_alloc(arena, FV_MAX_CLASSES, sizeof *classes);
    const char **const names = fv__arena_alloc(arena, (size_t)n_classes, sizeof *names);
    if (!names || !classes)
        return FV_ERR_MEMORY;
    fv_data_record record = {.name = fv__safetensors_meta(w->file, "data"), .classes = classes};
    FV_TRY(read_list(arena, w, "class_names", n_classes, names, NULL, &n_names));
    FV_TRY(read_list(arena, w, "classes", FV_MAX_CLASSES, NULL, classes, &record.n_classes));
    FV_TRY(read_limit(arena, w, &record.limit));
    FV_TRY(fv__class_names_check(arena->ctx, FV_ERR_INPUT, fv__safetensors_path(w->file), names, n_names));
    return fv__model_describe_data(model, n_names > 0 ? names : NULL, n_names, &record);
}

fv_status fv__weights_describe(const fv_weights *w, fv_model *model)
{
    fv_arena arena;
    if (!w->ours)
        return FV_OK;
    fv__arena_init(&arena, model->ctx);
    const fv_status status = describe(&arena, w, model);
    fv__arena_deinit(&arena);
    return status;
}

/* ---- the tensors ----------------------------------------------------------------------------------- */

static void dims_text(fv_text *text, const fv_tensor_entry *entry)
{
    for (int d = 0; d < entry->rank; d++)
        fv__text_add(text, "%s%lld", d ? "x" : "", (long long)entry->dim[d]);
    if (entry->rank == 0)
        fv__text_add(text, "a scalar");
}

/* A parameter that is NaN or infinite would make every prediction NaN. */
static fv_status check_values(const fv_model *model, const fv_tensor_entry *entry, const char *path)
{
    for (size_t i = 0; i < entry->n_bytes / sizeof(float); i++) {
        float value; /* values may be unaligned in the file */
        memcpy(&value, (const char *)entry->values + i * sizeof value, sizeof value);
        if (!isfinite(value))
            return fv__fail(model->ctx, FV_ERR_INPUT,
                            "%s: tensor '%s': expected finite values, found %s at place %zu", path,
                            entry->name, isnan(value) ? "NaN" : "infinity", i);
    }
    return FV_OK;
}

static fv_status check_entry(const fv_model *model, const fv_tensor *tensor, const fv_tensor_entry *entry,
                             const char *path)
{
    char expected[FV_SHAPE_TEXT];
    if (!entry)
        return fv__fail(model->ctx, FV_ERR_INPUT, "%s: tensor '%s' (%s) of the model is missing", path,
                        tensor->name, fv__shape_text(tensor->shape, expected));
    if (strcmp(entry->dtype, "F32") != 0)
        return fv__fail(model->ctx, FV_ERR_INPUT, "%s: tensor '%s' is %s; expected F32", path, tensor->name,
                        entry->dtype);
    bool equal = entry->rank == tensor->shape.rank;
    for (int d = 0; equal && d < entry->rank; d++)
        equal = entry->dim[d] == tensor->shape.dim[d];
    if (equal)
        return check_values(model, entry, path);
    fv_text found;
    fv__text_init(&found, model->ctx);
    dims_text(&found, entry);
    const fv_status status =
        found.failed ? FV_ERR_MEMORY
                     : fv__fail(model->ctx, FV_ERR_INPUT, "%s: tensor '%s' is %s; the model expects %s", path,
                                tensor->name, found.data, fv__shape_text(tensor->shape, expected));
    fv__text_deinit(&found);
    return status;
}

/* The tensors of the file must be those of the model, no more, no fewer, and of the same shapes. */
static fv_status check_tensors(const fv_model *model, const fv_safetensors *file)
{
    const char *const path = fv__safetensors_path(file);
    for (int i = 0; i < model->n_params; i++) {
        const fv_tensor *tensor = fv__model_tensor(model, i);
        FV_TRY(check_entry(model, tensor, fv__safetensors_find(file, tensor->name), path));
    }
    for (int i = 0; i < fv__safetensors_n_tensors(file); i++) {
        const char *name = fv__safetensors_tensor(file, i)->name;
        const int tensor = fv__graph_find_tensor(&model->graph, name);
        const bool known = tensor >= 0 && fv__model_param_of(model, tensor) >= 0;
        if (!known && strncmp(name, OPTIMIZER, strlen(OPTIMIZER)) != 0)
            return fv__fail(model->ctx, FV_ERR_INPUT, "%s: tensor '%s' is none of the model's", path, name);
    }
    return FV_OK;
}

fv_status fv__weights_load(const fv_weights *w, fv_model *model)
{
    const bool empty = !model->values;
    FV_TRY(check_tensors(model, w->file));
    FV_TRY(fv__model_allocate(model));
    const fv_status status = fv__weights_describe(w, model);
    if (status != FV_OK) {
        if (empty) { /* restores the former state: the parameters of seed 0, drawn when they are needed */
            fv__free(model->ctx, model->values);
            model->values = NULL;
        }
        return status;
    }
    for (int i = 0; i < model->n_params; i++)
        memcpy(fv__model_values(model, i),
               fv__safetensors_find(w->file, fv__model_tensor(model, i)->name)->values,
               model->params[i].n * sizeof(float));
    model->settled = true;
    return FV_OK;
}

fv_status fv__weights_model(fv_context *ctx, const fv_weights *w, const char *source, fv_model **out)
{
    fv_model *model = NULL;
    if (!w->text)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: holds tensors, but no model text: it is not a file of Fovea's; open the model "
                        "and load the weights into it",
                        fv__safetensors_path(w->file));
    FV_TRY(fv__model_create(ctx, w->text, strlen(w->text), source, &model));
    const fv_status status = fv__weights_load(w, model);
    if (status == FV_OK)
        *out = model;
    else
        fv__model_destroy(model);
    return status;
}
