/* sources.c - the table of sources, and finding the one that is meant. */
#include "data/sources.h"

#include "base/record.h"
#include "io/file.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

/* In the order in which they are asked. */
static const fv_source *const rows[] = {&fv__source_digits,   &fv__source_idx,    &fv__source_cifar,
                                        &fv__source_pictures, &fv__source_sounds, &fv__source_arrays,
                                        &fv__source_table};

const fv_source *fv__source_at(int index)
{
    return index >= 0 && index < FV_COUNT(rows) ? rows[index] : NULL;
}

/* ---- what is not there -------------------------------------------------------------------------------- */

enum { MAX_KNOWN = 64 };

/* The names that could have been meant: "digits", and what lies under the roots. */
static int known_names(fv_arena *arena, const char *const *roots, const char *names[MAX_KNOWN])
{
    int n = 0;
    names[n++] = "digits";
    for (; roots && *roots; roots++) {
        DIR *folder = opendir(*roots);
        for (struct dirent *entry; folder && n < MAX_KNOWN && (entry = readdir(folder));) {
            if (entry->d_name[0] == '.')
                continue;
            const char *path = fv__arena_printf(arena, "%s/%s", *roots, entry->d_name);
            const char *name = path ? fv__arena_strdup(arena, entry->d_name) : NULL;
            if (name && fv__file_is_folder(path))
                names[n++] = name;
        }
        if (folder)
            closedir(folder);
    }
    return n;
}

/* "digits, IDX files or ..." */
static void list_sources(fv_text *text)
{
    for (int i = 0; i < FV_COUNT(rows); i++)
        fv__text_add(text, "%s%s", fv__list_gap(i, FV_COUNT(rows)), rows[i]->shown.name);
}

static fv_status fail_text(fv_context *ctx, fv_text *text)
{
    const fv_status status = text->failed ? FV_ERR_MEMORY : fv__fail(ctx, FV_ERR_INPUT, "%s", text->data);
    fv__text_deinit(text);
    return status;
}

/* It is there, and nobody knows what it is. */
static fv_status unrecognised(fv_context *ctx, const char *path)
{
    fv_text text;
    int fd;
    size_t n_bytes;
    const bool folder = fv__file_is_folder(path);
    if (!folder) {
        FV_TRY(fv__file_open(ctx, path, SIZE_MAX, &fd, &n_bytes)); /* a folder that may not be entered */
        close(fd);
    }
    fv__text_init(&text, ctx);
    fv__text_add(&text, "%s: expected ", path);
    list_sources(&text);
    fv__text_add(&text, ", found a %s that is none of them", folder ? "folder" : "file");
    return fail_text(ctx, &text);
}

static fv_status unknown(fv_context *ctx, const char *path, const char *const *roots)
{
    fv_arena arena;
    fv_text text;
    const char *names[MAX_KNOWN];
    fv__arena_init(&arena, ctx);
    fv__text_init(&text, ctx);
    const char *nearest = fv__nearest(path, names, known_names(&arena, roots, names));
    fv__text_add(&text, "data set %s: expected ", path);
    list_sources(&text);
    fv__text_add(&text, ", found no %s", path);
    for (; roots && *roots; roots++)
        fv__text_add(&text, ", nor %s/%s", *roots, path);
    if (nearest)
        fv__text_add(&text, "; did you mean \"%s\"?", nearest);
    const fv_status status = fail_text(ctx, &text);
    fv__arena_deinit(&arena);
    return status;
}

/* ---- finding ------------------------------------------------------------------------------------------ */

static const fv_source *source_of(fv_context *ctx, const char *path)
{
    for (int i = 0; i < FV_COUNT(rows); i++)
        if (rows[i]->recognises(ctx, path))
            return rows[i];
    return NULL;
}

/* The path that is meant: as it stands, or under one of the roots; NULL in *out where there is none. */
static fv_status find(fv_arena *arena, const char *path, const char *const *roots, const char **out)
{
    *out = strcmp(path, "digits") == 0 || fv__file_exists(path) ? path : NULL;
    for (; roots && *roots && !*out && path[0] != '/'; roots++) {
        const char *const below = fv__arena_printf(arena, "%s/%s", *roots, path);
        if (!below)
            return FV_ERR_MEMORY;
        if (fv__file_exists(below))
            *out = below;
    }
    return FV_OK;
}

/* Every word that was given is one that the source knows. */
static fv_status check_words(const fv_opening *o, const fv_source *source)
{
    for (int i = 0; o->words.given >> i; i++) {
        const char *const word = fv__data_word_at(i)->word;
        bool known = !(o->words.given >> i & 1);
        for (int k = 0; k < FV_COUNT(source->words) && source->words[k]; k++)
            known = known || strcmp(source->words[k], word) == 0;
        if (!known)
            return fv__fail(o->ctx, FV_ERR_INPUT, "data set %s: %s do not know the word %s", o->path,
                            source->shown.name, word);
    }
    return FV_OK;
}

static fv_status open_source(fv_arena *arena, fv_opening *o, fv_data **out)
{
    const char *path;
    FV_TRY(fv__data_words_read(arena, o->name, &o->path, &o->words));
    FV_TRY(find(arena, o->path, o->options->roots, &path));
    if (!path)
        return unknown(o->ctx, o->path, o->options->roots);
    o->path = path;
    const fv_source *const source = source_of(o->ctx, path);
    if (!source)
        return unrecognised(o->ctx, path);
    FV_TRY(check_words(o, source));
    FV_TRY(source->open(o, out));
    return *out ? fv__data_fit(*out, o->options, o->words.fit) : FV_OK;
}

/* A folder is taken for data, whatever it holds: opening it says what was expected. */
fv_status fv__source_exists(fv_context *ctx, const char *spec, const char *const *roots, bool *out)
{
    fv_arena arena;
    fv_data_words words;
    const char *path = NULL;
    fv__arena_init(&arena, ctx);
    fv_status status = fv__data_words_read(&arena, spec, &path, &words);
    if (status == FV_OK)
        status = find(&arena, path, roots, &path);
    *out = status == FV_OK && path && (fv__file_is_folder(path) || source_of(ctx, path));
    fv__arena_deinit(&arena);
    return status;
}

fv_status fv__source_open(fv_context *ctx, const char *spec, fv_split split, const fv_data_options *options,
                          fv_data **out)
{
    fv_arena arena;
    fv_data *data = NULL;
    fv_opening o = {.ctx = ctx, .name = spec, .split = split, .options = options};
    const fv_data_record record = {spec, options->classes, options->n_classes, options->limit};
    fv__arena_init(&arena, ctx);
    fv_status status = open_source(&arena, &o, &data);
    fv__arena_deinit(&arena);
    if (status == FV_OK && data && !(data->record = fv__record_copy(ctx, &record)))
        status = FV_ERR_MEMORY;
    if (status != FV_OK) {
        fv__data_destroy(data);
        return status;
    }
    *out = data;
    return FV_OK;
}
