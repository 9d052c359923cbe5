/* mnist.c - a folder in the MNIST layout: four IDX files, pictures and labels of the train and test splits,
 * raw or gzipped, such as train-images-idx3-ubyte.gz. There are ten classes and pictures of one size: gray,
 * or coloured in files of four dimensions (idx4), of which the second holds the channels if it is 1 or 3,
 * else the last. All labels are read first; only the pictures that the options choose stay in memory. */
#include "data/sources.h"

#include "io/file.h"
#include "io/idx.h"
#include "io/image.h"

#include <stdio.h>
#include <string.h>

enum { MNIST_CLASSES = 10 };

/* The path of the file under any of its names; *out is released with fv__free. */
static fv_status find_file(fv_context *ctx, const char *folder, const char *const *names, int n_names,
                           char **out)
{
    static const char *const endings[2] = {"", ".gz"};
    for (int i = 0; i < 2 * n_names; i++) {
        fv_text name;
        fv__text_init(&name, ctx);
        fv__text_add(&name, "%s%s", names[i / 2], endings[i % 2]);
        char *path = name.failed ? NULL : fv__path_join(ctx, folder, name.data);
        fv__text_deinit(&name);
        if (!path)
            return FV_ERR_MEMORY;
        if (fv__file_exists(path)) {
            *out = path;
            return FV_OK;
        }
        fv__free(ctx, path);
    }
    return fv__fail(ctx, FV_ERR_INPUT, "%s: expected a file %s or %s.gz in this folder, found neither",
                    folder, names[0], names[0]);
}

/* The labels of a whole file, 16 MiB at most; all of them are checked. */
static fv_status read_labels(fv_context *ctx, const char *path, uint8_t **out, int *n)
{
    uint8_t *labels = NULL;
    FV_TRY(fv__idx_read(ctx, path, 1, n, &labels));
    for (int i = 0; i < *n; i++)
        if (labels[i] >= MNIST_CLASSES) {
            const fv_status status =
                fv__fail(ctx, FV_ERR_INPUT,
                         "%s: byte %d (uncompressed): label of picture %d: expected 0 to %d, found %d", path,
                         8 + i, i, MNIST_CLASSES - 1, labels[i]);
            fv__free(ctx, labels);
            return status;
        }
    *out = labels;
    return FV_OK;
}

/* Moves the labels that the options choose to the front and returns their number; wanted[i] says whether
 * picture i is chosen. If the limit is reached, *n becomes the number of pictures up to there. */
static int choose(const fv_data_options *options, uint8_t *labels, bool *wanted, int *n)
{
    int kept = 0, end = 0;
    for (int i = 0; i < *n && (options->limit == 0 || kept < options->limit); i++) {
        wanted[i] = fv__data_renumber(options, labels[i]) >= 0;
        if (wanted[i]) {
            labels[kept++] = labels[i];
            end = i + 1;
        }
    }
    *n = options->limit > 0 && kept == options->limit ? end : *n;
    return kept;
}

/* Reads the wanted pictures among the first n of `all`. The file is not read beyond them, so damage behind
 * them is not detected, and a large file costs no more than the pictures that are wanted. */
static fv_status read_pictures(fv_idx *images, int all, size_t one, const bool *wanted, int n,
                               fv_idx_values *pixels)
{
    for (int i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && wanted[end] == wanted[i];)
            end++;
        const size_t bytes = (size_t)(end - i) * one;
        FV_TRY(wanted[i] ? fv__idx_take(images, bytes, pixels) : fv__idx_skip(images, bytes));
    }
    return n == all ? fv__idx_finish(images) : FV_OK;
}

/* The sizes of a file of pictures. */
typedef struct sizes {
    int rank, dim[4];
    fv_image_size one;
    bool last; /* the channels are the last dimension */
} sizes;

static void find_size(sizes *s)
{
    const int *const dim = s->dim;
    s->last = s->rank == 4 && dim[1] != 1 && dim[1] != 3;
    if (s->rank == 3)
        s->one = (fv_image_size){1, dim[1], dim[2]};
    else
        s->one = s->last ? (fv_image_size){dim[3], dim[1], dim[2]} : (fv_image_size){dim[1], dim[2], dim[3]};
}

/* From [h][w][c] to [c][h][w], picture by picture. */
static fv_status make_planes(fv_context *ctx, const sizes *s, uint8_t *pixels, int n)
{
    const size_t c = (size_t)s->one.c, plane = (size_t)s->one.h * (size_t)s->one.w;
    uint8_t *const copy = fv__alloc(ctx, c, plane);
    if (!copy)
        return FV_ERR_MEMORY;
    for (int i = 0; i < n; i++, pixels += c * plane) {
        memcpy(copy, pixels, c * plane);
        for (size_t k = 0; k < c * plane; k++)
            pixels[k] = copy[k % plane * c + k / plane];
    }
    fv__free(ctx, copy);
    return FV_OK;
}

/* The chosen part of the set, with its labels as they are in the file. */
static fv_status take_set(fv_context *ctx, fv_idx *images, const sizes *s, uint8_t *labels, const char *name,
                          const fv_data_options *options, fv_data **out)
{
    int n = s->dim[0];
    const fv_image_size *const one = &s->one;
    FV_TRY(fv__data_check_sizes(ctx, name, n, one->c, one->h, one->w, MNIST_CLASSES));
    bool *const wanted = fv__alloc(ctx, (size_t)n, sizeof *wanted);
    if (!wanted)
        return FV_ERR_MEMORY;
    const int kept = choose(options, labels, wanted, &n);
    const size_t bytes = (size_t)one->c * (size_t)one->h * (size_t)one->w;
    fv_idx_values pixels = {.most = (size_t)kept * bytes};
    fv_status status = FV_OK;
    if (kept == 0)
        status = fv__fail(ctx, FV_ERR_INPUT, "data set %s: none of its %d pictures is of a class asked for",
                          name, s->dim[0]);
    if (status == FV_OK)
        status = read_pictures(images, s->dim[0], bytes, wanted, n, &pixels);
    if (status == FV_OK && s->last)
        status = make_planes(ctx, s, pixels.bytes, kept);
    fv__free(ctx, wanted);
    if (status != FV_OK) {
        fv__free(ctx, pixels.bytes);
        return status;
    }
    FV_TRY(fv__data_adopt(ctx, name, pixels.bytes, kept, one->c, one->h, one->w, MNIST_CLASSES, out));
    for (int i = 0; i < kept; i++)
        (*out)->labels[i] = labels[i];
    return FV_OK;
}

static fv_status read_files(fv_context *ctx, const char *image_path, const char *label_path, const char *name,
                            const fv_data_options *options, fv_data **out)
{
    int n_labels;
    sizes size = {.rank = strstr(image_path, "idx4-ubyte") ? 4 : 3};
    uint8_t *labels = NULL;
    fv_idx *images = NULL;
    fv_data *data = NULL;
    FV_TRY(read_labels(ctx, label_path, &labels, &n_labels));
    fv_status status = fv__idx_open(ctx, image_path, size.rank, size.dim, &images);
    if (status == FV_OK)
        find_size(&size);
    if (status == FV_OK && size.dim[0] != n_labels)
        status = fv__fail(ctx, FV_ERR_INPUT, "%s: expected as many labels as %s has pictures, %d, found %d",
                          label_path, image_path, size.dim[0], n_labels);
    if (status == FV_OK)
        status = take_set(ctx, images, &size, labels, name, options, &data);
    fv__idx_close(images);
    fv__free(ctx, labels);
    if (status == FV_OK)
        status = fv__data_select(data, options);
    if (status != FV_OK) {
        fv__data_destroy(data);
        return status;
    }
    *out = data;
    return FV_OK;
}

static const char *const images[2][4] = {
    {"train-images-idx3-ubyte", "train-images.idx3-ubyte", "train-images-idx4-ubyte",
     "train-images.idx4-ubyte"},
    {"t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte", "t10k-images-idx4-ubyte", "t10k-images.idx4-ubyte"}};
static const char *const labels[2][2] = {{"train-labels-idx1-ubyte", "train-labels.idx1-ubyte"},
                                         {"t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"}};

static fv_status open(const fv_opening *o, fv_data **out)
{
    const int which = o->split == FV_SPLIT_TRAIN ? 0 : 1;
    char *image_path = NULL, *label_path = NULL;
    FV_TRY(fv__data_check_options(o->ctx, o->options, MNIST_CLASSES, o->name));
    fv_status status = find_file(o->ctx, o->path, images[which], 4, &image_path);
    if (status == FV_OK)
        status = find_file(o->ctx, o->path, labels[which], 2, &label_path);
    if (status == FV_OK)
        status = read_files(o->ctx, image_path, label_path, o->name, o->options, out);
    fv__free(o->ctx, image_path);
    fv__free(o->ctx, label_path);
    return status;
}

/* Any file of the four makes it one, so that a missing one is named. */
static bool recognises(fv_context *ctx, const char *path)
{
    bool found = false;
    (void)ctx;
    for (int i = 0; i < 12 && !found && fv__file_is_folder(path); i++) {
        char zipped[64];
        const char *const name = i < 8 ? images[i / 4][i % 4] : labels[i / 2 - 4][i % 2];
        snprintf(zipped, sizeof zipped, "%s.gz", name);
        found = fv__folder_has(path, name) || fv__folder_has(path, zipped);
    }
    return found;
}

const fv_source fv__source_idx = {
    .shown = {"IDX files",
              "a folder with the four files of MNIST's layout, raw or gzipped; coloured pictures have four "
              "dimensions (idx4)"},
    .words = {"fit"},
    .recognises = recognises,
    .open = open,
};
