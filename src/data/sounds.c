/* sounds.c - a folder with a folder of WAV files for each class: signals of one channel. */
#include "base/locals.h"
#include "base/pool.h"
#include "base/record.h"
#include "data/class_folder.h"
#include "data/rows.h"
#include "io/file.h"
#include "io/wav.h"

#include <string.h>

#define MAX_WAV_BYTES ((size_t)1 << 32)

static bool is_sound(const char *name)
{
    const size_t n = strlen(name);
    return n > 4 && (strcmp(name + n - 4, ".wav") == 0 || strcmp(name + n - 4, ".WAV") == 0);
}

static bool recognises(fv_context *ctx, const char *path)
{
    (void)ctx;
    return fv__class_folder_is(path, is_sound);
}

typedef struct loading {
    const fv_class_list *list;
    fv_locals *locals;
    float *values; /* [n][length] */
    size_t length;
    int rate;
    bool exact; /* all have that length */
} loading;

/* Copies the signal: cut, or padded with 0. */
static fv_status take(fv_context *ctx, const loading *l, const char *path, const fv_wav *wav, float *to)
{
    if (l->exact && wav->n != l->length)
        return fv__fail(
            ctx, FV_ERR_INPUT,
            "%s: expected %zu samples, as the first file has, found %zu; the word length= cuts and pads",
            path, l->length, wav->n);
    if (wav->rate != l->rate)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: expected %d samples a second, as the first file has, found %d", path, l->rate,
                        wav->rate);
    for (size_t i = 0; i < l->length && i < wav->n; i++) {
        to[i] = fv__wav_value(wav, i);
        if (!(to[i] - to[i] == 0.0f))
            return fv__fail(ctx, FV_ERR_INPUT, "%s: sample %zu: expected a finite number", path, i);
    }
    return FV_OK;
}

static void load_one(void *user, int i, int worker)
{
    const loading *const l = user;
    fv_context *const own = fv__local(l->locals, worker);
    const char *const path = l->list->files[i].path;
    uint8_t *bytes = NULL;
    size_t n;
    fv_wav wav;
    fv_status status = fv__file_read(own, path, MAX_WAV_BYTES, &bytes, &n);
    if (status == FV_OK)
        status = fv__wav_parse(own, path, bytes, n, &wav);
    if (status == FV_OK)
        status = take(own, l, path, &wav, l->values + (size_t)i * l->length);
    fv__free(own, bytes);
    if (status != FV_OK)
        fv__locals_failed(l->locals, worker, i, status);
}

/* Rate and length of the first file. */
static fv_status measure_first(const fv_opening *o, loading *l)
{
    const char *const path = l->list->files[0].path;
    uint8_t *bytes;
    size_t n;
    fv_wav wav;
    FV_TRY(fv__file_read(o->ctx, path, MAX_WAV_BYTES, &bytes, &n));
    const fv_status status = fv__wav_parse(o->ctx, path, bytes, n, &wav);
    fv__free(o->ctx, bytes);
    FV_TRY(status);
    l->exact = o->words.length == 0;
    l->length = l->exact ? wav.n : (size_t)o->words.length;
    l->rate = wav.rate;
    return fv__shape_check(o->ctx, FV_SHAPE(1, l->length > FV_MAX_DIM ? FV_MAX_DIM + 1 : (int)l->length),
                           path);
}

static fv_status load(const fv_opening *o, loading *l)
{
    l->values = fv__alloc(o->ctx, (size_t)l->list->n * l->length, sizeof *l->values);
    if (!l->values)
        return fv__memory_for(o->ctx, FV_ERR_MEMORY, o->name);
    FV_TRY(fv__locals_create(o->ctx, &l->locals));
    fv__pool_run(o->ctx->pool, l->list->n, load_one, l);
    const fv_status status = fv__locals_status(l->locals);
    fv__locals_destroy(l->locals);
    return status;
}

/* The classes that the options ask for were chosen when the files were. */
static fv_status make_set(const fv_opening *o, loading *l, fv_data **out)
{
    const fv_data_options none = {0};
    fv_opening all = *o;
    const fv_field field = {.element = FV_F32, .shape = FV_SHAPE(1, (int)l->length), .values = l->values};
    fv_rows rows = {.n = l->list->n, .label = fv__alloc(o->ctx, (size_t)l->list->n, sizeof *rows.label)};
    all.options = &none;
    if (!rows.label) {
        fv__free(o->ctx, l->values);
        return FV_ERR_MEMORY;
    }
    for (int i = 0; i < rows.n; i++)
        rows.label[i] = l->list->files[i].label;
    const fv_status status =
        fv__rows_set(&all, &rows, "signal", field, l->list->n_classes, l->list->names, out);
    fv__rows_free(o->ctx, &rows);
    return status;
}

static fv_status open(const fv_opening *o, fv_data **out)
{
    fv_arena arena;
    fv_class_list list;
    bool there;
    fv__arena_init(&arena, o->ctx);
    fv_status status =
        fv__class_folder_list(&arena, o->path, o->split, &o->words, o->options, is_sound, &list, &there);
    if (status == FV_OK && there) {
        loading l = {.list = &list};
        status = fv__class_names_check(o->ctx, FV_ERR_INPUT, o->path, list.names, list.n_classes);
        if (status == FV_OK)
            status = measure_first(o, &l);
        if (status == FV_OK)
            status = load(o, &l);
        if (status == FV_OK)
            status = make_set(o, &l, out);
        else
            fv__free(o->ctx, l.values);
    }
    fv__free(o->ctx, list.files);
    fv__arena_deinit(&arena);
    return status;
}

const fv_source fv__source_sounds = {
    .shown = {"class folders of sounds",
              "a folder with a folder of WAV files for each class; several channels "
              "become their mean"},
    .words = {"split", "split-seed", "length"},
    .recognises = recognises,
    .open = open,
};
