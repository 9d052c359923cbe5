/* weights.c - a model in a safetensors file: what is written, and the checks when it is opened; see
 * weights.h. */
#include "train/weights.h"

#include "base/digest.h"
#include "io/json.h"
#include "kernels/args.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the checksum ---------------------------------------------------------------------------------- */

static void digest_meta(fv_digest *digest, fv_meta_entry entry)
{
    if (strcmp(entry.key, "checksum") == 0)
        return;
    fv__digest_text(digest, entry.key);
    fv__digest_text(digest, entry.value);
}

static void digest_tensor(fv_digest *digest, const fv_tensor_entry *tensor, size_t n_bytes)
{
    fv__digest_text(digest, tensor->name);
    fv__digest_u64(digest, (uint64_t)tensor->rank);
    for (int d = 0; d < tensor->rank; d++)
        fv__digest_u64(digest, (uint64_t)tensor->dim[d]);
    fv__digest_add(digest, tensor->values, n_bytes);
}

static uint64_t checksum_of(const fv_safetensors *file)
{
    fv_digest digest;
    fv__digest_init(&digest);
    for (int i = 0; i < fv__safetensors_n_meta(file); i++)
        digest_meta(&digest, fv__safetensors_meta_at(file, i));
    for (int i = 0; i < fv__safetensors_n_tensors(file); i++) {
        const fv_tensor_entry *const tensor = fv__safetensors_by_name(file, i);
        digest_tensor(&digest, tensor, tensor->n_bytes);
    }
    return fv__digest_value(&digest);
}

/* ---- writing --------------------------------------------------------------------------------------- */

void fv__draft_meta(fv_draft *draft, const char *key, const char *value)
{
    char *const copy = draft->failed ? NULL : fv__arena_strdup(&draft->arena, value);
    if (!copy) {
        draft->failed = true;
        return;
    }
    draft->meta[draft->n_meta++] = (fv_meta_entry){key, copy};
}

void fv__draft_run(fv_draft *draft, uint64_t run)
{
    char text[32];
    snprintf(text, sizeof text, "%016" PRIx64, run);
    fv__draft_meta(draft, "run", text);
}

void fv__draft_tensor(fv_draft *draft, const char *prefix, int param, const float *values)
{
    const fv_tensor *const tensor = fv__model_tensor(draft->model, param);
    const char *const name =
        draft->failed || !values ? NULL : fv__arena_printf(&draft->arena, "%s%s", prefix, tensor->name);
    if (!name) {
        draft->failed = true;
        return;
    }
    fv_tensor_entry *const entry = &draft->tensors[draft->n_tensors++];
    *entry = (fv_tensor_entry){.name = name,
                               .rank = tensor->shape.rank,
                               .values = values,
                               .n_bytes = draft->model->params[param].n * sizeof(float)};
    for (int d = 0; d < tensor->shape.rank; d++)
        entry->dim[d] = tensor->shape.dim[d];
}

/* ["cat","dog"] */
static void add_class_names(fv_draft *draft)
{
    fv_text text;
    fv__text_init(&text, draft->arena.ctx);
    for (int i = 0; i < draft->model->n_class_names; i++) {
        fv__text_add(&text, i > 0 ? "," : "[");
        fv__json_quote(&text, draft->model->class_names[i]);
    }
    fv__text_add(&text, "]");
    if (text.failed)
        draft->failed = true;
    else if (draft->model->n_class_names > 0)
        fv__draft_meta(draft, "class_names", text.data);
    fv__text_deinit(&text);
}

static void add_record(fv_draft *draft, const fv_data_record *record)
{
    char number[16];
    fv_text text;
    if (record->name)
        fv__draft_meta(draft, "data", record->name);
    snprintf(number, sizeof number, "%d", record->limit);
    if (record->limit > 0)
        fv__draft_meta(draft, "limit", number);
    if (record->n_classes == 0)
        return;
    fv__text_init(&text, draft->arena.ctx);
    for (int i = 0; i < record->n_classes; i++)
        fv__text_add(&text, "%c%d", i > 0 ? ',' : '[', record->classes[i]);
    fv__text_add(&text, "]");
    if (text.failed)
        draft->failed = true;
    else
        fv__draft_meta(draft, "classes", text.data);
    fv__text_deinit(&text);
}

void fv__draft_begin(fv_draft *draft, const fv_model *model, const char *format)
{
    *draft = (fv_draft){.model = model};
    fv__arena_init(&draft->arena, model->ctx);
    draft->tensors =
        fv__arena_alloc(&draft->arena, (1 + FV_MAX_STATES) * (size_t)model->n_params, sizeof *draft->tensors);
    draft->failed = !draft->tensors;
    fv__draft_meta(draft, "format", format);
    fv__draft_meta(draft, "model", model->text);
    add_class_names(draft);
    if (model->trained_on)
        add_record(draft, model->trained_on);
    for (int i = 0; i < model->n_params; i++)
        fv__draft_tensor(draft, "", i, fv__model_values(model, i));
}

static int by_key(const void *a, const void *b)
{
    const fv_meta_entry *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static int by_name(const void *a, const void *b)
{
    const fv_tensor_entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

fv_status fv__draft_finish(fv_draft *draft)
{
    const fv_tensor_entry **const sorted =
        draft->failed ? NULL : fv__arena_alloc(&draft->arena, (size_t)draft->n_tensors, sizeof *sorted);
    if (!sorted)
        return FV_ERR_MEMORY;
    for (int i = 0; i < draft->n_tensors; i++)
        sorted[i] = &draft->tensors[i];
    qsort(draft->meta, (size_t)draft->n_meta, sizeof *draft->meta, by_key);
    if (draft->n_tensors > 1)
        qsort(sorted, (size_t)draft->n_tensors, sizeof *sorted, by_name);
    fv_digest digest;
    char text[32];
    fv__digest_init(&digest);
    for (int i = 0; i < draft->n_meta; i++)
        digest_meta(&digest, draft->meta[i]);
    for (int i = 0; i < draft->n_tensors; i++)
        digest_tensor(&digest, sorted[i], sorted[i]->n_bytes);
    snprintf(text, sizeof text, "%016" PRIx64, fv__digest_value(&digest));
    fv__draft_meta(draft, "checksum", text);
    return draft->failed ? FV_ERR_MEMORY : FV_OK;
}

void fv__draft_end(fv_draft *draft)
{
    fv__arena_deinit(&draft->arena);
}

fv_status fv__weights_save(const fv_model *model, const char *path, uint64_t run)
{
    fv_draft draft;
    fv__draft_begin(&draft, model, FV_FORMAT_WEIGHTS);
    if (run != 0)
        fv__draft_run(&draft, run);
    fv_status status = fv__draft_finish(&draft);
    if (status == FV_OK)
        status =
            fv__safetensors_write(model->ctx, path, draft.tensors, draft.n_tensors, draft.meta, draft.n_meta);
    fv__draft_end(&draft);
    return status;
}

fv_status fv__weights_save_memory(const fv_model *model, uint8_t **bytes, size_t *n_bytes)
{
    fv_draft draft;
    fv__draft_begin(&draft, model, FV_FORMAT_WEIGHTS);
    fv_status status = fv__draft_finish(&draft);
    if (status == FV_OK)
        status = fv__safetensors_to_memory(model->ctx, draft.tensors, draft.n_tensors, draft.meta,
                                           draft.n_meta, bytes, n_bytes);
    fv__draft_end(&draft);
    return status;
}

/* ---- opening --------------------------------------------------------------------------------------- */

static fv_status check(fv_context *ctx, fv_weights *w)
{
    const char *const path = fv__safetensors_path(w->file);
    const char *const format = fv__safetensors_meta(w->file, "format");
    const char *const found = fv__safetensors_meta(w->file, "checksum");
    w->ours = format && strncmp(format, "fovea ", 6) == 0;
    if (!w->ours && !found)
        return FV_OK;
    w->checkpoint = w->ours && strcmp(format, FV_FORMAT_CHECKPOINT) == 0;
    if (w->ours && !w->checkpoint && strcmp(format, FV_FORMAT_WEIGHTS) != 0)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: metadata 'format': expected '%s' or '%s', found '%s'", path,
                        FV_FORMAT_WEIGHTS, FV_FORMAT_CHECKPOINT, format);
    char expected[32];
    snprintf(expected, sizeof expected, "%016" PRIx64, checksum_of(w->file));
    if (!found || strcmp(found, expected) != 0)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: the file is damaged: expected checksum %s, found %s", path,
                        expected, found ? found : "none");
    if (!w->ours) /* its checksum matches, but its format is unknown */
        return fv__fail(ctx, FV_ERR_INPUT, "%s: metadata 'format': expected '%s' or '%s', found '%s'", path,
                        FV_FORMAT_WEIGHTS, FV_FORMAT_CHECKPOINT, format ? format : "");
    w->text = fv__safetensors_meta(w->file, "model");
    w->run = fv__safetensors_meta(w->file, "run");
    return w->text
               ? FV_OK
               : fv__fail(ctx, FV_ERR_INPUT, "%s: metadata 'model': expected a model text, found none", path);
}

static fv_status check_or_close(fv_context *ctx, fv_weights *w, fv_weights *out)
{
    const fv_status status = check(ctx, w);
    if (status == FV_OK)
        *out = *w;
    else
        fv__weights_close(w);
    return status;
}

fv_status fv__weights_open(fv_context *ctx, const char *path, fv_weights *out)
{
    fv_weights w = {0};
    FV_TRY(fv__safetensors_open(ctx, path, &w.file));
    return check_or_close(ctx, &w, out);
}

fv_status fv__weights_open_memory(fv_context *ctx, const uint8_t *bytes, size_t n_bytes, fv_weights *out)
{
    fv_weights w = {0};
    FV_TRY(fv__safetensors_open_memory(ctx, "memory", bytes, n_bytes, &w.file));
    return check_or_close(ctx, &w, out);
}

void fv__weights_close(fv_weights *weights)
{
    fv__safetensors_close(weights->file);
    *weights = (fv_weights){0};
}
