/* picture_folder.c - a folder with a folder of pictures for each class. */
#include "base/record.h"
#include "base/system.h"
#include "data/class_folder.h"
#include "data/files.h"
#include "data/sources.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static bool recognises(fv_context *ctx, const char *path)
{
    (void)ctx;
    return fv__class_folder_is(path, fv__image_named);
}

/* What is wanted of each picture: what the options say, or what the first one is. */
static fv_status choose_size(const fv_opening *o, const fv_class_list *list, fv_wanted *out)
{
    const fv_data_options *const options = o->options;
    *out = (fv_wanted){.size = {options->c, options->h, options->w}, .fit = o->words.fit};
    if (options->c > 0 && options->h > 0 && options->w > 0)
        return options->c == 1 || options->c == 3
                   ? FV_OK
                   : fv__fail(o->ctx, FV_ERR_INPUT,
                              "data set %s: expected a model of 1 or 3 channels, found %d", o->path,
                              options->c);
    out->exact = !o->words.any_size;
    fv_status status = FV_ERR_INPUT;
    for (int i = 0; i < list->n && status == FV_ERR_INPUT; i++) {
        status = fv__picture_measure(o->ctx, list->files[i].path, &out->size);
        if (!o->words.skip)
            break;
    }
    return status;
}

static fv_status add_files(fv_files *files, const fv_class_list *list)
{
    files->file = fv__alloc(files->ctx, (size_t)list->n, sizeof *files->file);
    if (!files->file)
        return FV_ERR_MEMORY;
    for (int i = 0; i < list->n; i++) {
        files->file[i].label = list->files[i].label;
        files->file[i].path = fv__arena_strdup(&files->arena, list->files[i].path);
        if (!files->file[i].path)
            return FV_ERR_MEMORY;
        files->n = i + 1;
    }
    return FV_OK;
}

/* "12 gray to RGB", "50,000 resized from ...": what was done, to how many. */
static fv_status note_changes(fv_data *data, int n_passed)
{
    const fv_files *const files = data->files;
    const fv_image_size *const to = &files->wanted.size;
    int colours = 0, sizes = 0;
    fv_image_size low = {0, INT_MAX, INT_MAX}, high = {0, 0, 0};
    for (int i = 0; i < files->n; i++) {
        const fv_image_size *const found = &files->file[i].found;
        colours += found->c != to->c;
        sizes += found->h != to->h || found->w != to->w;
        low.h = found->h < low.h ? found->h : low.h;
        low.w = found->w < low.w ? found->w : low.w;
        high.h = found->h > high.h ? found->h : high.h;
        high.w = found->w > high.w ? found->w : high.w;
    }
    fv_text text;
    fv__text_init(&text, data->ctx);
    fv__text_add(&text, "of %d pictures ", files->n);
    if (colours > 0)
        fv__text_add(&text, "%d from %s, ", colours, to->c == 3 ? "gray to RGB" : "RGB to gray");
    if (sizes > 0 && low.h == high.h && low.w == high.w)
        fv__text_add(&text, "%d resized from %dx%d to %dx%d (%s), ", sizes, low.h, low.w, to->h, to->w,
                     fv__fit_word(files->wanted.fit));
    else if (sizes > 0)
        fv__text_add(&text, "%d resized from %dx%d up to %dx%d to %dx%d (%s), ", sizes, low.h, low.w, high.h,
                     high.w, to->h, to->w, fv__fit_word(files->wanted.fit));
    if (files->n_skipped > 0)
        fv__text_add(&text, "%d unreadable files were left out, ", files->n_skipped);
    if (n_passed > 0)
        fv__text_add(&text, "%d files were passed over, which are no pictures by their names, ", n_passed);
    if (data->n_held < data->n)
        fv__text_add(&text, "%d are held in memory and the others decoded again, ", data->n_held);
    fv_status status = text.failed ? FV_ERR_MEMORY : FV_OK;
    if (status == FV_OK && text.data[text.n - 2] == ',') {
        text.data[text.n - 2] = '\0';
        status = fv__data_set_note(data, text.data);
    }
    fv__text_deinit(&text);
    return status;
}

/* Takes `files`, also on failure. */
static fv_status load(const fv_opening *o, const fv_class_list *list, fv_files *files, fv_data **out)
{
    uint8_t *pixels = NULL;
    int n_held;
    fv_data *data = NULL;
    const size_t cache = o->options->cache_bytes ? o->options->cache_bytes : fv__machine_free_memory() / 2;
    fv_status status = add_files(files, list);
    if (status == FV_OK)
        status = fv__files_load(files, o->words.skip, cache, &pixels, &n_held);
    if (status == FV_OK && files->n == 0) {
        fv__free(o->ctx, pixels);
        status = fv__fail(o->ctx, FV_ERR_INPUT, "data set %s: none of its files can be read", o->path);
    }
    if (status != FV_OK) {
        fv__files_destroy(files);
        return status;
    }
    FV_TRY(fv__data_adopt_files(o->ctx, o->name, pixels, n_held, files, list->n_classes, &data));
    status = fv__data_name_classes(data, list->names);
    if (status == FV_OK)
        status = note_changes(data, list->n_passed);
    if (status == FV_OK)
        *out = data;
    else
        fv__data_destroy(data);
    return status;
}

static fv_status open_list(const fv_opening *o, const fv_class_list *list, fv_data **out)
{
    fv_files *files = NULL;
    fv_wanted wanted;
    FV_TRY(fv__class_names_check(o->ctx, FV_ERR_INPUT, o->path, list->names, list->n_classes));
    FV_TRY(choose_size(o, list, &wanted));
    FV_TRY(fv__data_check_sizes(o->ctx, o->path, list->n, wanted.size.c, wanted.size.h, wanted.size.w,
                                list->n_classes));
    FV_TRY(fv__files_create(o->ctx, &wanted, fv__picture_read, &files));
    return load(o, list, files, out);
}

static fv_status open(const fv_opening *o, fv_data **out)
{
    fv_arena arena;
    fv_class_list list;
    bool there;
    fv__arena_init(&arena, o->ctx);
    fv_status status = fv__class_folder_list(&arena, o->path, o->split, &o->words, o->options,
                                             fv__image_named, &list, &there);
    if (status == FV_OK && there)
        status = open_list(o, &list, out);
    fv__free(o->ctx, list.files);
    fv__arena_deinit(&arena);
    return status;
}

const fv_source fv__source_pictures = {
    .shown = {"class folders",
              "a folder with a folder of pictures (PNG, JPEG, PGM, PPM) for each class, or with "
              "train/ and test/ or val/ of such folders; classes in the order of their names, or "
              "of the lines of classes.txt"},
    .words = {"fit", "split", "split-seed", "unreadable", "sizes"},
    .recognises = recognises,
    .open = open,
};
