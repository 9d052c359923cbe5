/* open_run.c - opens the model of a run folder. Each weights file contains its complete model and is
 * sufficient by itself; this file checks whether the files of the folder belong together. */
#include "train/train.h"

#include "io/file.h"
#include "io/json.h"
#include "model/words.h"

#include <string.h>

enum { MAX_ARGS_BYTES = 1 << 20 };

/* *path is released with fv__free, also on failure; *there is false if the folder has no such file. */
static fv_status look(fv_context *ctx, const char *folder, const char *name, char **path, bool *there)
{
    *there = false;
    *path = fv__path_join(ctx, folder, name);
    return *path ? fv__file_look(ctx, *path, there) : FV_ERR_MEMORY;
}

/* ---- whether the files belong together ------------------------------------------------------------- */

/* The characters of a line that messages show. */
static int shown(const char *line)
{
    const size_t n = strcspn(line, "\r\n");
    return n < 80 ? (int)n : 80;
}

fv_status fv__fail_text(fv_context *ctx, const char *path, const char *expected, const char *found)
{
    const char *lines[2] = {expected, found}; /* the first lines that differ */
    int number = 1;
    for (; *expected && *expected == *found; expected++, found++)
        if (*expected == '\n') {
            lines[0] = expected + 1;
            lines[1] = found + 1;
            number++;
        }
    return fv__fail(ctx, FV_ERR_INPUT,
                    "%s: the model text is not the one that the weights belong to: line %d: expected '%.*s', "
                    "found '%.*s'" FV_FORCE_HINT,
                    path, number, shown(lines[0]), lines[0], shown(lines[1]), lines[1]);
}

/* Whether model.fovea exists, and whether it equals `text`; if it differs, the message says so. */
static fv_status compare_text(fv_context *ctx, const char *folder, const char *text, bool *there, bool *same)
{
    char *path = NULL;
    uint8_t *bytes = NULL;
    size_t n = 0;
    *same = false;
    fv_status status = look(ctx, folder, "model.fovea", &path, there);
    if (status == FV_OK && *there)
        status = fv__file_read(ctx, path, FV_TEXT_MAX_BYTES, &bytes, &n);
    if (status == FV_OK && *there) {
        *same = n == strlen(text) && memcmp(bytes, text, n) == 0;
        const size_t n_text = strlen((const char *)bytes); /* a NUL follows the bytes that were read */
        if (n_text < n)
            fv__fail(ctx, FV_ERR_INPUT, "%s: byte %zu: expected text, found a NUL" FV_FORCE_HINT, path,
                     n_text);
        else if (!*same)
            fv__fail_text(ctx, path, text, (const char *)bytes);
    }
    fv__free(ctx, bytes);
    fv__free(ctx, path);
    return status;
}

/* The text after {"run": at the beginning of args.json; NULL if there is none. */
static fv_status read_run(fv_arena *arena, const char *folder, char **run)
{
    fv_context *const ctx = arena->ctx;
    char *path = NULL, *key = NULL;
    uint8_t *bytes = NULL;
    size_t n = 0;
    bool there = false;
    *run = NULL;
    fv_status status = look(ctx, folder, "args.json", &path, &there);
    if (status == FV_OK && there)
        status = fv__file_read(ctx, path, MAX_ARGS_BYTES, &bytes, &n);
    if (status == FV_OK && there) {
        fv_json json = {.ctx = ctx, .arena = arena, .path = path, .bytes = bytes, .n = n};
        status = fv__json_expect(&json, '{');
        if (status == FV_OK)
            status = fv__json_string(&json, &key);
        if (status == FV_OK && strcmp(key, "run") == 0)
            status = fv__json_expect(&json, ':');
        if (status == FV_OK && strcmp(key, "run") == 0)
            status = fv__json_string(&json, run);
        if (status == FV_ERR_INPUT) { /* somebody rewrote it, and it names no run */
            *run = NULL;
            status = FV_OK;
        }
    }
    fv__free(ctx, bytes);
    fv__free(ctx, path);
    return status;
}

fv_status fv__folder_state(fv_context *ctx, const char *folder, const fv_weights *weights,
                           fv_run_state *state)
{
    bool there, same;
    char *run = NULL;
    fv_arena arena;
    fv__arena_init(&arena, ctx);
    fv_status status = read_run(&arena, folder, &run);
    const bool known = run && weights->run;
    const bool agrees = known && strcmp(run, weights->run) == 0;
    fv__arena_deinit(&arena);
    if (status == FV_OK)
        status = compare_text(ctx, folder, weights->text, &there, &same);
    if (status != FV_OK)
        return status;
    if (same)
        *state = agrees ? FV_RUN_WHOLE : FV_RUN_INTERRUPTED;
    else
        *state = there && (agrees || !known) ? FV_RUN_EDITED : FV_RUN_INTERRUPTED;
    return FV_OK;
}

/* ---- opening --------------------------------------------------------------------------------------- */

/* Adds to the message of a failure that the folder has another file. */
static fv_status mention(fv_context *ctx, fv_status status, const char *path)
{
    char message[FV_MESSAGE_BYTES];
    memcpy(message, ctx->message, sizeof message);
    return fv__fail(ctx, status, "%s; %s is there, and can be opened by its own name", message, path);
}

/* Chooses the weights: the best ones, unless they belong to another run than the last ones, which happens
 * when a replacement is interrupted. A damaged file is never silently replaced by the other. */
static fv_status choose(fv_context *ctx, const char *folder, fv_weights *chosen)
{
    fv_weights last = {0}, best = {0};
    char *last_path = NULL, *best_path = NULL;
    bool has_last = false, has_best = false;
    fv_status status = look(ctx, folder, "last.safetensors", &last_path, &has_last);
    if (status == FV_OK)
        status = look(ctx, folder, "best.safetensors", &best_path, &has_best);
    if (status == FV_OK && has_last) {
        status = fv__weights_open(ctx, last_path, &last);
        if (status == FV_ERR_INPUT && has_best)
            mention(ctx, status, best_path);
    }
    if (status == FV_OK && has_best) {
        status = fv__weights_open(ctx, best_path, &best);
        if (status == FV_ERR_INPUT && has_last)
            mention(ctx, status, last_path);
    }
    if (status == FV_OK) {
        const bool other_run = last.run && best.run && strcmp(last.run, best.run) != 0;
        fv_weights *const taken = best.file && !other_run ? &best : &last;
        *chosen = *taken;
        *taken = (fv_weights){0};
    }
    fv__weights_close(&last);
    fv__weights_close(&best);
    fv__free(ctx, last_path);
    fv__free(ctx, best_path);
    return status;
}

fv_status fv__open_text(fv_context *ctx, const char *path, fv_model **out)
{
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    FV_TRY(fv__file_read(ctx, path, FV_TEXT_MAX_BYTES, &bytes, &n_bytes));
    const fv_status status = fv__model_create(ctx, (const char *)bytes, n_bytes, path, out);
    fv__free(ctx, bytes);
    return status;
}

/* Weights of another program, without a model text, in a folder with a model.fovea. */
static fv_status open_foreign(fv_context *ctx, const char *path, const fv_weights *weights, fv_model **out)
{
    fv_model *model = NULL;
    FV_TRY(fv__open_text(ctx, path, &model));
    const fv_status status = fv__weights_load(weights, model);
    if (status == FV_OK)
        *out = model;
    else
        fv__model_destroy(model);
    return status;
}

/* FV_ERR_INPUT if model.fovea has been edited. */
static fv_status check_state(fv_context *ctx, const char *folder, const fv_weights *weights)
{
    fv_run_state state;
    FV_TRY(fv__folder_state(ctx, folder, weights, &state));
    return state == FV_RUN_EDITED ? FV_ERR_INPUT : FV_OK; /* the message is already set */
}

fv_status fv__open_run(fv_context *ctx, const char *folder, fv_model **out)
{
    fv_weights weights = {0};
    char *path = NULL;
    bool there = false;
    fv_status status = look(ctx, folder, "model.fovea", &path, &there);
    if (status == FV_OK)
        status = choose(ctx, folder, &weights);
    if (status == FV_OK && !weights.file)
        status = fv__fail(ctx, FV_ERR_INPUT,
                          there ? "%s: no weights; expected best.safetensors or last.safetensors"
                                : "%s: not a run folder; it holds no model.fovea and no weights",
                          folder);
    else if (status == FV_OK && !weights.text)
        status = open_foreign(ctx, path, &weights, out);
    else if (status == FV_OK) {
        status = check_state(ctx, folder, &weights);
        if (status == FV_OK)
            status = fv__weights_model(ctx, &weights, path, out);
    }
    fv__weights_close(&weights);
    fv__free(ctx, path);
    return status;
}

/* The model text of model.fovea with the values of the checkpoint. */
static fv_status open_edited(fv_context *ctx, const char *folder, const fv_weights *last, fv_model **out)
{
    char *const path = fv__path_join(ctx, folder, "model.fovea");
    const fv_status status = path ? open_foreign(ctx, path, last, out) : FV_ERR_MEMORY;
    fv__free(ctx, path);
    return status;
}

fv_status fv__open_run_to_resume(fv_context *ctx, const char *folder, bool force, fv_model **model,
                                 fv_train_options *options)
{
    fv_weights last = {0};
    fv_run_state state = FV_RUN_WHOLE;
    fv_train_options read;
    FV_TRY(fv__checkpoint_open(ctx, folder, &last));
    fv_status status = fv__checkpoint_options(ctx, &last, &read);
    if (status == FV_OK)
        status = fv__folder_state(ctx, folder, &last, &state);
    if (status == FV_OK && state == FV_RUN_EDITED) {
        status = force ? open_edited(ctx, folder, &last, model) : FV_ERR_INPUT;
    } else if (status == FV_OK) {
        const char *const source = fv__safetensors_meta(last.file, "source");
        status = fv__weights_model(ctx, &last, source ? source : folder, model);
    }
    if (status == FV_OK) {
        read.out = folder;
        read.force = force;
        read.optimizer = fv__arena_strdup(&(*model)->graph.arena, read.optimizer);
        *options = read;
        if (!read.optimizer) {
            fv__model_destroy(*model);
            status = FV_ERR_MEMORY;
        }
    }
    fv__weights_close(&last);
    return status;
}
