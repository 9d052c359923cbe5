/* folder.c - the text files of a run folder: model.fovea, args.json, log.csv. */
#include "train/train.h"

#include "io/file.h"
#include "io/json.h"

#include <inttypes.h>
#include <string.h>

static const char log_header[] = "epoch,train_loss,valid_error,test_error,lr,samples_per_s,seconds";

/* Replaces folder/name by the text. */
static fv_status write_text(fv_context *ctx, const char *folder, const char *name, const char *bytes,
                            size_t n)
{
    char *const path = fv__path_join(ctx, folder, name);
    if (!path)
        return FV_ERR_MEMORY;
    const fv_status status = fv__file_write(ctx, path, bytes, n);
    fv__free(ctx, path);
    return status;
}

static fv_status write_args(const fv_model *model, const char *folder, const fv_train_options *o)
{
    static const char *const schedules[] = {"constant", "step", "cosine"};
    fv_text text;
    fv__text_init(&text, model->ctx);
    fv__text_add(&text, "{\n  \"model\": ");
    fv__json_quote(&text, model->source);
    fv__text_add(&text, ",\n  \"data\": ");
    fv__json_quote(&text, o->data_name ? o->data_name : "");
    fv__text_add(&text, ",\n  \"epochs\": %d,\n  \"batch\": %d,\n  \"lr\": %s,\n  \"momentum\": %s,\n",
                 o->epochs, o->batch, fv__exact(o->lr).text, fv__exact(o->momentum).text);
    fv__text_add(&text, "  \"weight_decay\": %s,\n  \"optimizer\": \"%s\",\n  \"schedule\": \"%s\",\n",
                 fv__exact(o->weight_decay).text, o->optimizer, schedules[o->schedule]);
    fv__text_add(&text, "  \"step_epochs\": %d,\n  \"step_factor\": %s,\n  \"shift\": %d,\n", o->step_epochs,
                 fv__exact(o->step_factor).text, o->shift);
    fv__text_add(&text, "  \"seed\": %" PRIu64 ",\n  \"valid\": %d\n}\n", o->seed, o->n_valid);
    const fv_status status =
        text.failed ? FV_ERR_MEMORY : write_text(model->ctx, folder, "args.json", text.data, text.n);
    fv__text_deinit(&text);
    return status;
}

/* A run that begins leaves nothing of an earlier one that could be taken for its own. */
fv_status fv__folder_begin(const fv_model *model, const char *folder, const fv_train_options *options)
{
    static const char *const stale[] = {"last.safetensors", "best.safetensors"};
    for (int i = 0; i < 2; i++) {
        char *const path = fv__path_join(model->ctx, folder, stale[i]);
        if (!path)
            return FV_ERR_MEMORY;
        const fv_status status = fv__file_remove(model->ctx, path);
        fv__free(model->ctx, path);
        FV_TRY(status);
    }
    FV_TRY(write_text(model->ctx, folder, "model.fovea", model->text, strlen(model->text)));
    FV_TRY(write_args(model, folder, options));
    return write_text(model->ctx, folder, "log.csv", log_header, strlen(log_header));
}

/* The end of line number n (from 0) of `text`, or its end. */
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
