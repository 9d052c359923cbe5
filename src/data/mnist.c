/* mnist.c - a folder in the MNIST layout: four IDX files, pictures and labels of the train and test splits,
 * raw or gzipped, e.g. train-images-idx3-ubyte.gz. Ten classes, gray pictures of one size. */
#include "data/dataset.h"

#include "io/file.h"
#include "io/idx.h"

#include <string.h>

enum { MNIST_CLASSES = 10 };

/* The path of the file, whichever way it is called; *out is released with fv__free. */
static fv_status find_file(fv_context *ctx, const char *folder, const char *const names[2], char **out)
{
    static const char *const endings[2] = {"", ".gz"};
    for (int i = 0; i < 4; i++) {
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

static fv_status take_labels(fv_data *data, const char *path, const uint8_t *labels)
{
    for (int i = 0; i < data->n; i++) {
        if (labels[i] >= MNIST_CLASSES)
            return fv__fail(data->ctx, FV_ERR_INPUT,
                            "%s: byte %d (uncompressed): label of picture %d: expected 0 to %d, found %d",
                            path, 8 + i, i, MNIST_CLASSES - 1, labels[i]);
        data->labels[i] = labels[i];
    }
    return FV_OK;
}

static fv_status read_files(fv_context *ctx, const char *image_path, const char *label_path, const char *name,
                            const fv_data_options *options, fv_data **out)
{
    int dim[3], n_labels;
    uint8_t *pixels, *labels;
    fv_data *data = NULL;
    FV_TRY(fv__idx_read(ctx, label_path, 1, &n_labels, &labels));
    fv_status status = fv__idx_read(ctx, image_path, 3, dim, &pixels);
    if (status == FV_OK && dim[0] != n_labels) {
        status = fv__fail(ctx, FV_ERR_INPUT, "%s: expected as many labels as %s has pictures, %d, found %d",
                          label_path, image_path, dim[0], n_labels);
        fv__free(ctx, pixels);
    } else if (status == FV_OK) {
        status = fv__data_adopt(ctx, name, pixels, dim[0], 1, dim[1], dim[2], MNIST_CLASSES, &data);
    }
    if (status == FV_OK)
        status = take_labels(data, label_path, labels);
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

fv_status fv__mnist_open(fv_context *ctx, const char *folder, const char *name, fv_split split,
                         const fv_data_options *options, fv_data **out)
{
    static const char *const images[2][2] = {{"train-images-idx3-ubyte", "train-images.idx3-ubyte"},
                                             {"t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"}};
    static const char *const labels[2][2] = {{"train-labels-idx1-ubyte", "train-labels.idx1-ubyte"},
                                             {"t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"}};
    const int which = split == FV_SPLIT_TRAIN ? 0 : 1;
    char *image_path = NULL, *label_path = NULL;
    FV_TRY(fv__data_check_options(ctx, options, MNIST_CLASSES, name));
    fv_status status = find_file(ctx, folder, images[which], &image_path);
    if (status == FV_OK)
        status = find_file(ctx, folder, labels[which], &label_path);
    if (status == FV_OK)
        status = read_files(ctx, image_path, label_path, name, options, out);
    fv__free(ctx, image_path);
    fv__free(ctx, label_path);
    return status;
}
