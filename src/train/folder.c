/* folder.c - the files of a run folder: all of them at the start of the run, log.csv after each epoch.
 * docs/runs.md says what they contain and guarantee. */
#include "train/train.h"

#include "io/file.h"
#include "io/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char log_header[] = "epoch,train_loss,valid_error,test_error,lr,samples_per_s,seconds";

static fv_status stage_text(fv_context *ctx, const char *folder, const char *name, const char *bytes,
                            size_t n, fv_writer *writer)
{
    char *const path = fv__path_join(ctx, folder, name);
    fv_status status = path ? fv__writer_open(writer, ctx, path) : FV_ERR_MEMORY;
    if (status == FV_OK)
        status = fv__writer_add(writer, bytes, n);
    if (status == FV_OK)
        status = fv__writer_stage(writer);
    fv__free(ctx, path);
    return status;
}

/* "data": ..., "classes": ..., "limit": ...; null if unknown or not limited. */
static void add_record(fv_text *text, const fv_data_record *record)
{
    fv__text_add(text, "  \"data\": ");
    if (record->name)
        fv__json_quote(text, record->name);
    else
        fv__text_add(text, "null");
    fv__text_add(text, ",\n  \"classes\": %s", record->n_classes > 0 ? "" : "null");
    for (int i = 0; i < record->n_classes; i++)
        fv__text_add(text, "%s%d", i > 0 ? ", " : "[", record->classes[i]);
    fv__text_add(text, "%s,\n  \"limit\": ", record->n_classes > 0 ? "]" : "");
    if (record->limit > 0)
        fv__text_add(text, "%d,\n", record->limit);
    else
        fv__text_add(text, "null,\n");
}

/* "epochs": 5, and the other options, one per line. */
static void add_options(fv_text *text, const fv_train_options *options)
{
    const fv_train_option *o;
    for (int i = 0; (o = fv__train_option_at(i)) != NULL; i++) {
        const void *const at = (const char *)options + o->offset;
        fv__text_add(text, "  \"%s\": ", o->key);
        switch (o->type) {
        case FV_OPTION_COUNT:
            fv__text_add(text, "%d", *(const int *)at);
            break;
        case FV_OPTION_REAL:
            fv__text_add(text, "%s", fv__exact(*(const double *)at).text);
            break;
        case FV_OPTION_CHOICE:
            fv__json_quote(text, o->choices[*(const int *)at]);
            break;
        case FV_OPTION_SEED:
            fv__text_add(text, "%" PRIu64, *(const uint64_t *)at);
            break;
        case FV_OPTION_TEXT:
            fv__json_quote(text, *(const char *const *)at);
            break;
        }
        fv__text_add(text, "%s\n", fv__train_option_at(i + 1) ? "," : "");
    }
    fv__text_add(text, "}\n");
}

/* "run" comes first, because open_run.c looks for it there. */
static fv_status stage_args(const fv_model *model, const char *folder, const fv_train_options *o,
                            uint64_t identity, fv_writer *writer)
{
    static const fv_data_record unknown = {0};
    fv_text text;
    fv__text_init(&text, model->ctx);
    fv__text_add(&text, "{\n  \"run\": \"%016" PRIx64 "\",\n  \"model\": ", identity);
    fv__json_quote(&text, model->source);
    fv__text_add(&text, ",\n");
    add_record(&text, model->trained_on ? model->trained_on : &unknown);
    add_options(&text, o);
    const fv_status status =
        text.failed ? FV_ERR_MEMORY : stage_text(model->ctx, folder, "args.json", text.data, text.n, writer);
    fv__text_deinit(&text);
    return status;
}

/* ---- all of a run's files -------------------------------------------------------------------------- */

fv_status fv__folder_refuse_run(fv_context *ctx, const char *folder)
{
    static const char *const names[] = {"last.safetensors", "best.safetensors"};
    for (int i = 0; i < 2; i++) {
        char *const path = fv__path_join(ctx, folder, names[i]);
        if (!path)
            return FV_ERR_MEMORY;
        const bool there = fv__file_exists(path);
        fv__free(ctx, path);
        if (there)
            return fv__fail(ctx, FV_ERR_ARGUMENT,
                            "%s: expected a folder without a trained run, found %s; `resume` continues it, "
                            "`replace` starts a new run in its place",
                            folder, names[i]);
    }
    return FV_OK;
}

static fv_status remove_best(fv_context *ctx, const char *folder)
{
    char *const path = fv__path_join(ctx, folder, "best.safetensors");
    const fv_status status = path ? fv__file_remove(ctx, path) : FV_ERR_MEMORY;
    fv__free(ctx, path);
    return status;
}

/* last.safetensors comes first: from then on the folder holds the new run. args.json comes last: once it
 * names the run, all other files are written, and a best.safetensors of an earlier run is removed. */
fv_status fv__folder_write(const fv_trainer *t, const char *folder, const fv_train_options *options,
                           const fv_position *position)
{
    fv_writer writers[4];
    int n = 0, done = 0;
    fv_status status = fv__checkpoint_stage(t, folder, options, position, &writers[n]);
    n += status == FV_OK;
    if (status == FV_OK && position->epoch == 0) {
        status = stage_text(t->ctx, folder, "log.csv", log_header, strlen(log_header), &writers[n]);
        n += status == FV_OK;
    }
    if (status == FV_OK) {
        status =
            stage_text(t->ctx, folder, "model.fovea", t->model->text, strlen(t->model->text), &writers[n]);
        n += status == FV_OK;
    }
    if (status == FV_OK) {
        status = stage_args(t->model, folder, options, position->run, &writers[n]);
        n += status == FV_OK;
    }
    while (status == FV_OK && done < n) {
        if (done == n - 1 && isinf(position->best))
            status = remove_best(t->ctx, folder);
        if (status == FV_OK)
            status = fv__writer_commit(&writers[done++]);
    }
    while (done < n)
        fv__writer_abandon(&writers[done++]);
    return status;
}

/* ---- log.csv --------------------------------------------------------------------------------------- */

/* The end of line number n (from 0) of `text`, or the end of the text. */
static const char *after_line(const char *text, int n)
{
    for (; *text && n >= 0; n--) {
        text += strcspn(text, "\n");
        if (*text)
            text++;
    }
    return text;
}

fv_status fv__log_epoch(fv_context *ctx, const char *folder, int epoch, const char *line)
{
    char *const path = fv__path_join(ctx, folder, "log.csv");
    if (!path)
        return FV_ERR_MEMORY;
    fv_text text;
    fv__text_init(&text, ctx);
    uint8_t *old = NULL;
    size_t n = 0;
    fv_status status = FV_OK;
    if (epoch > 1 && fv__file_exists(path))
        status = fv__file_read(ctx, path, (size_t)1 << 26, &old, &n);
    if (status == FV_OK) {
        const char *const kept = old ? (const char *)old : log_header;
        const size_t n_kept = (size_t)(after_line(kept, epoch - 1) - kept);
        fv__text_add(&text, "%.*s", (int)n_kept, kept);
        if (text.n > 0 && text.data[text.n - 1] != '\n')
            fv__text_add(&text, "\n");
        fv__text_add(&text, "%s\n", line);
        status = text.failed ? FV_ERR_MEMORY : fv__file_write(ctx, path, text.data, text.n);
    }
    fv__free(ctx, old);
    fv__text_deinit(&text);
    fv__free(ctx, path);
    return status;
}
