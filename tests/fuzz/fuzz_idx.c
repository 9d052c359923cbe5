/* fuzz_idx.c - a data set of IDX files, raw or gzipped: pictures and labels, both from the input, each a part
 * as fuzz_unpack takes it. Without a part for labels there are as many as the first pictures may need. */
#include "fuzz.h"

#include <string.h>

static fv_context *ctx;

static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", NULL};

static void check_data(const fv_data *data)
{
    const fv_data_info info = fv_data_describe(data);
    const size_t n_pixels = (size_t)info.c * (size_t)info.h * (size_t)info.w;
    fuzz_expect(info.n > 0 && n_pixels > 0 && info.n_classes > 0, "%d images of %zu pixels", info.n,
                n_pixels);
    for (int i = 0; i < info.n; i++) {
        const int label = fv_data_label(data, i);
        fuzz_hash(fv_data_pixels(data, i), n_pixels);
        fuzz_expect(label >= 0 && label < info.n_classes, "label %d of %d classes", label, info.n_classes);
        fuzz_expect(fv_data_class_name(data, label) != NULL, "class %d without a name", label);
    }
}

static void open_data(const fv_data_options *options)
{
    fv_data *data = NULL;
    if (fuzz_well(ctx, "open", fv_data_open(ctx, fuzz_folder(), FV_SPLIT_TRAIN, options, &data))) {
        fuzz_accepted = true;
        check_data(data);
    }
    fv_data_destroy(data);
}

static void read_files(const uint8_t *bytes, size_t n)
{
    static const int classes[] = {3, 8};
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 3, 8};
    if (!(fuzz_unpack(names, bytes, n) & 2))
        fuzz_file(names[1], labels, sizeof labels);
    open_data(&(fv_data_options){.limit = 1});
    open_data(&(fv_data_options){.classes = classes, .n_classes = 2});
    fuzz_accepted = false; /* what counts is the whole */
    open_data(&(fv_data_options){0});
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!ctx)
        ctx = fuzz_context("portable", 1);
    fuzz_twice(read_files, bytes, n);
    return 0;
}
