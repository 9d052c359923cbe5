/* test_data.c - data sets: the built-in digits to the bit, folders in the MNIST layout and what can be
 * wrong with them, sets from memory and from a picture. Exact, but for the statistics, which say why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/dataset.h"
#include "data/digit_drawing.h"
#include "io/image.h"
#include "scratch.h"

/* FNV-1a over pixels and labels. */
static uint64_t hash_of(const fv_data *data)
{
    const fv_data_info info = fv_data_describe(data);
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < info.n; i++) {
        const uint8_t *pixels = fv_data_pixels(data, i);
        for (int k = 0; k < info.c * info.h * info.w; k++)
            hash = (hash ^ pixels[k]) * 1099511628211u;
        hash = (hash ^ (uint64_t)fv_data_label(data, i)) * 1099511628211u;
    }
    return hash;
}

static uint64_t digits_hash(fv_context *ctx, fv_split split, fv_data_options options)
{
    fv_data *data;
    assert_int_equal(fv_data_open(ctx, "digits", split, &options, &data), FV_OK);
    const uint64_t hash = hash_of(data);
    fv_data_destroy(data);
    return hash;
}

/* ---- digits --------------------------------------------------------------------------------------- */

/* Results are quoted on this set: it must not change, whatever the compiler, the flags and the machine. */
static void test_digits_pinned(void **state)
{
    scratch *s = *state;
    const uint64_t train = digits_hash(s->ctx, FV_SPLIT_TRAIN, (fv_data_options){0});
    const uint64_t test = digits_hash(s->ctx, FV_SPLIT_TEST, (fv_data_options){0});
    const uint64_t other = digits_hash(s->ctx, FV_SPLIT_TEST, (fv_data_options){.seed = 1});
    print_message("digits: train %016llx, test %016llx, test of seed 1 %016llx\n", (unsigned long long)train,
                  (unsigned long long)test, (unsigned long long)other);
    assert_true(train == 0xa0e9b56e7b6858f9u);
    assert_true(test == 0x634c9faad771bd8fu);
    assert_true(other == 0x5ce1b1da2829f306u);
}

static void test_digits_threads(void **state)
{
    (void)state;
    static const int n_threads[] = {1, 2, 3, 8};
    uint64_t first = 0;
    for (int i = 0; i < 4; i++) {
        const fv_context_options options = {.n_threads = n_threads[i]};
        fv_context *ctx;
        assert_int_equal(fv_context_create(&options, &ctx, NULL, 0), FV_OK);
        const uint64_t hash = digits_hash(ctx, FV_SPLIT_TEST, (fv_data_options){.seed = 5, .limit = 1000});
        fv_context_destroy(ctx);
        first = i == 0 ? hash : first;
        assert_true(hash == first);
    }
}

static void test_digits_statistics(void **state)
{
    scratch *s = *state;
    fv_data *data;
    assert_int_equal(fv_data_open(s->ctx, "digits", FV_SPLIT_TRAIN, NULL, &data), FV_OK);
    const fv_data_info info = fv_data_describe(data);
    assert_string_equal(info.name, "digits");
    assert_int_equal(info.n, 20000);
    assert_int_equal(info.c, 1);
    assert_int_equal(info.h, 28);
    assert_int_equal(info.w, 28);
    assert_int_equal(info.n_classes, 10);
    assert_int_equal(info.bytes, 20000 * (784 + sizeof(int)));
    int n_of[10] = {0};
    double sum = 0, x = 0, y = 0, edge = 0;
    for (int i = 0; i < info.n; i++) {
        const uint8_t *pixels = fv_data_pixels(data, i);
        assert_in_range(fv_data_label(data, i), 0, 9);
        n_of[fv_data_label(data, i)]++;
        double ink = 0;
        for (int k = 0; k < 784; k++) {
            ink += pixels[k];
            x += pixels[k] * (k % 28 + 0.5);
            y += pixels[k] * (k / 28 + 0.5);
            edge += k % 28 == 0 || k % 28 == 27 || k < 28 || k >= 756 ? pixels[k] : 0;
        }
        assert_true(ink > 2000); /* no empty picture: the shortest, thinnest 1 has some 20 bright pixels */
        sum += ink;
    }
    /* 2000 of each, give or take five deviations of the binomial distribution, 42. */
    for (int i = 0; i < 10; i++)
        assert_in_range(n_of[i], 1790, 2210);
    /* In the middle to a tenth of a pixel (a picture's own place varies by one, the mean by 1/140), clear of
     * the edge, and about as much ink as MNIST's mean of 0.13. */
    assert_true(x / sum > 13.9 && x / sum < 14.1 && y / sum > 13.9 && y / sum < 14.1);
    assert_true(edge / sum < 0.002);
    assert_true(sum / info.n / 784 / 255 > 0.09 && sum / info.n / 784 / 255 < 0.17);
    fv_data_destroy(data);
}

/* What a filter and a limit give is what is found by looking through the whole set. */
static void test_digits_selection(void **state)
{
    scratch *s = *state;
    fv_data *all, *some;
    const fv_data_options options = {.classes = (int[]){8, 3}, .n_classes = 2, .limit = 100};
    assert_int_equal(fv_data_open(s->ctx, "digits", FV_SPLIT_TEST, NULL, &all), FV_OK);
    assert_int_equal(fv_data_open(s->ctx, "digits", FV_SPLIT_TEST, &options, &some), FV_OK);
    assert_int_equal(fv_data_describe(some).n, 100);
    assert_int_equal(fv_data_describe(some).n_classes, 2);
    assert_string_equal(fv_data_class_name(some, 0), "8");
    assert_string_equal(fv_data_class_name(some, 1), "3");
    assert_string_equal(fv_data_class_name(some, 2), "?");
    int k = 0;
    for (int i = 0; k < 100; i++) {
        const int label = fv_data_label(all, i);
        assert_in_range(label, 0, 9);
        if (label != 3 && label != 8)
            continue;
        assert_int_equal(fv_data_label(some, k), label == 3);
        assert_memory_equal(fv_data_pixels(some, k), fv_data_pixels(all, i), 784);
        k++;
    }
    assert_null(fv_data_pixels(some, 100));
    assert_null(fv_data_pixels(some, -1));
    assert_int_equal(fv_data_label(some, 100), -1);
    fv_data_destroy(all);
    fv_data_destroy(some);
}

static void test_option_mistakes(void **state)
{
    scratch *s = *state;
    fv_data *data = NULL;
    const struct {
        fv_data_options options;
        const char *message;
    } mistakes[] = {
        {{.limit = -1}, "data set digits: expected a limit of 0 or more pictures, found -1"},
        {{.classes = (int[]){3, 10}, .n_classes = 2},
         "data set digits: expected classes of 0 to 9, found 10"},
        {{.classes = (int[]){3, -1}, .n_classes = 2},
         "data set digits: expected classes of 0 to 9, found -1"},
        {{.classes = (int[]){3, 3}, .n_classes = 2}, "data set digits: class 3 was asked for twice"},
        {{.n_classes = 2}, "data set digits: 2 classes were asked for, but not which"},
        {{.n_classes = 11}, "data set digits: has 10 classes; 11 of them were asked for"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++)
        assert_failed(s, fv_data_open(s->ctx, "digits", FV_SPLIT_TEST, &mistakes[i].options, &data),
                      FV_ERR_ARGUMENT, mistakes[i].message);
    assert_failed(s, fv_data_open(s->ctx, "", FV_SPLIT_TEST, NULL, &data), FV_ERR_ARGUMENT,
                  "data set: expected a name, a folder or a file, found nothing");
    assert_failed(s, fv_data_open(s->ctx, "digits", (fv_split)7, NULL, &data), FV_ERR_ARGUMENT,
                  "data set digits: there is no split 7");
    assert_null(data);
}

/* ---- the MNIST layout ------------------------------------------------------------------------------ */

static void write_set(scratch *s, const char *prefix, int n_images, int n_labels, const uint8_t *labels)
{
    uint8_t images[16 + 64] = {0, 0, 8, 3, 0, 0, 0, (uint8_t)n_images, 0, 0, 0, 2, 0, 0, 0, 2};
    uint8_t label_file[8 + 16] = {0, 0, 8, 1, 0, 0, 0, (uint8_t)n_labels};
    char name[64];
    for (int i = 0; i < 64; i++)
        images[16 + i] = (uint8_t)(i + 1);
    memcpy(label_file + 8, labels, (size_t)n_labels);
    snprintf(name, sizeof name, "small/%s-images-idx3-ubyte", prefix);
    scratch_file(s, name, images, 16 + 4 * (size_t)n_images);
    snprintf(name, sizeof name, "small/%s-labels-idx1-ubyte", prefix);
    scratch_file(s, name, label_file, 8 + (size_t)n_labels);
}

static void write_folder(scratch *s)
{
    mkdir(scratch_path(s, "small"), 0777);
    write_set(s, "train", 5, 5, (const uint8_t[]){4, 0, 9, 4, 7});
    write_set(s, "t10k", 2, 2, (const uint8_t[]){1, 2});
}

static void test_mnist_layout(void **state)
{
    scratch *s = *state;
    fv_data *data;
    write_folder(s);
    const char *const roots[] = {"nowhere", s->folder, NULL};
    fv_data_options options = {.roots = roots};
    assert_int_equal(fv_data_open(s->ctx, "small", FV_SPLIT_TRAIN, &options, &data), FV_OK);
    assert_string_equal(fv_data_describe(data).name, "small");
    assert_int_equal(fv_data_describe(data).n, 5);
    assert_int_equal(fv_data_describe(data).h, 2);
    assert_int_equal(fv_data_label(data, 2), 9);
    assert_memory_equal(fv_data_pixels(data, 1), ((uint8_t[]){5, 6, 7, 8}), 4);
    fv_data_destroy(data);
    options = (fv_data_options){.classes = (int[]){7, 4}, .n_classes = 2};
    assert_int_equal(fv_data_open(s->ctx, scratch_path(s, "small"), FV_SPLIT_TRAIN, &options, &data), FV_OK);
    assert_int_equal(fv_data_describe(data).n, 3);
    assert_int_equal(fv_data_label(data, 0), 1);
    assert_int_equal(fv_data_label(data, 2), 0);
    assert_memory_equal(fv_data_pixels(data, 1), ((uint8_t[]){13, 14, 15, 16}), 4);
    assert_memory_equal(fv_data_pixels(data, 2), ((uint8_t[]){17, 18, 19, 20}), 4);
    assert_int_equal(fv_data_describe(data).bytes, 3 * (4 + sizeof(int)));
    fv_data_destroy(data);
    options = (fv_data_options){.limit = 1};
    assert_int_equal(fv_data_open(s->ctx, scratch_path(s, "small"), FV_SPLIT_TEST, &options, &data), FV_OK);
    assert_int_equal(fv_data_describe(data).n, 1);
    fv_data_destroy(data);
}

/* Coloured pictures: four dimensions, the channels second or last. */
static void test_colours(void **state)
{
    scratch *s = *state;
    fv_data *data;
    uint8_t file[20 + 12] = {0, 0, 8, 4, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2};
    for (int i = 0; i < 12; i++)
        file[20 + i] = (uint8_t)i;
    mkdir(scratch_path(s, "rgb"), 0777);
    scratch_file(s, "rgb/train-labels-idx1-ubyte", (const uint8_t[]){0, 0, 8, 1, 0, 0, 0, 2, 5, 6}, 10);
    scratch_file(s, "rgb/train-images-idx4-ubyte", file, sizeof file);
    assert_int_equal(fv_data_open(s->ctx, scratch_path(s, "rgb"), FV_SPLIT_TRAIN, NULL, &data), FV_OK);
    assert_int_equal(fv_data_describe(data).c, 3);
    assert_memory_equal(fv_data_pixels(data, 1), file + 26, 6);
    fv_data_destroy(data);
    file[11] = 1, file[15] = 2, file[19] = 3; /* 1x2x3: the second is 1, so it holds the channels */
    scratch_file(s, "rgb/train-images-idx4-ubyte", file, sizeof file);
    assert_int_equal(fv_data_open(s->ctx, scratch_path(s, "rgb"), FV_SPLIT_TRAIN, NULL, &data), FV_OK);
    assert_int_equal(fv_data_describe(data).w, 3);
    fv_data_destroy(data);
    file[11] = 2, file[15] = 1;
    scratch_file(s, "rgb/train-images-idx4-ubyte", file, sizeof file);
    assert_int_equal(fv_data_open(s->ctx, scratch_path(s, "rgb"), FV_SPLIT_TRAIN, NULL, &data), FV_OK);
    assert_int_equal(fv_data_describe(data).c, 3);
    assert_memory_equal(fv_data_pixels(data, 1), ((uint8_t[]){6, 9, 7, 10, 8, 11}), 6);
    assert_int_equal(fv_data_label(data, 1), 6);
    fv_data_destroy(data);
}

static fv_status open_small(scratch *s)
{
    fv_data *data;
    FV_TRY(fv_data_open(s->ctx, scratch_path(s, "small"), FV_SPLIT_TRAIN, NULL, &data));
    fv_data_destroy(data);
    return FV_OK;
}

static void test_mnist_mistakes(void **state)
{
    scratch *s = *state;
    fv_data *data;
    char wanted[512];
    write_folder(s);
    write_set(s, "train", 5, 4, (const uint8_t[]){4, 0, 9, 4});
    snprintf(
        wanted, sizeof wanted,
        "%s/small/train-labels-idx1-ubyte: expected as many labels as %s/small/train-images-idx3-ubyte has "
        "pictures, 5, found 4",
        s->folder, s->folder);
    assert_failed(s, open_small(s), FV_ERR_INPUT, wanted);
    write_set(s, "train", 5, 5, (const uint8_t[]){4, 0, 9, 10, 7});
    assert_failed(
        s, open_small(s), FV_ERR_INPUT,
        "/small/train-labels-idx1-ubyte: byte 11 (uncompressed): label of picture 3: expected 0 to 9, "
        "found 10");
    write_set(s, "train", 5, 5, (const uint8_t[]){4, 0, 9, 4, 7});
    const fv_data_options ones = {.classes = (int[]){1}, .n_classes = 1};
    assert_failed(s, fv_data_open(s->ctx, scratch_path(s, "small"), FV_SPLIT_TRAIN, &ones, &data),
                  FV_ERR_INPUT, "/small: none of its 5 pictures is of a class asked for");
    unlink(scratch_path(s, "small/train-labels-idx1-ubyte"));
    assert_failed(
        s, open_small(s), FV_ERR_INPUT,
        "/small: expected a file train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz in this folder, "
        "found neither");
}

static void test_unknown_name(void **state)
{
    scratch *s = *state;
    fv_data *data;
    char wanted[512];
    write_folder(s);
    const char *const roots[] = {s->folder, NULL};
    const fv_data_options options = {.roots = roots};
    assert_int_equal(fv_data_open(s->ctx, "digist", FV_SPLIT_TRAIN, NULL, &data), FV_ERR_INPUT);
    for (int i = 0; fv_data_source_at(i); i++)
        assert_non_null(strstr(fv_message(s->ctx), fv_data_source_at(i)->name));
    assert_non_null(strstr(fv_message(s->ctx), ", found no digist; did you mean \"digits\"?"));
    snprintf(wanted, sizeof wanted, ", found no smal, nor %s/smal; did you mean \"small\"?", s->folder);
    assert_failed(s, fv_data_open(s->ctx, "smal", FV_SPLIT_TRAIN, &options, &data), FV_ERR_INPUT, wanted);
    assert_failed(s, fv_data_open(s->ctx, scratch_file(s, "file", "x", 1), FV_SPLIT_TRAIN, NULL, &data),
                  FV_ERR_INPUT, ", found a file that is none of them");
    assert_int_equal(symlink("circle", scratch_path(s, "circle")), 0); /* as a folder without permission */
    assert_failed(s, fv_data_open(s->ctx, scratch_path(s, "circle/set"), FV_SPLIT_TRAIN, NULL, &data),
                  FV_ERR_INPUT, "/circle/set: cannot open: Too many levels of symbolic links");
}

/* ---- elsewhere ------------------------------------------------------------------------------------ */

static void test_from_memory(void **state)
{
    scratch *s = *state;
    fv_data *data = NULL;
    uint8_t pixels[2 * 3 * 1 * 2] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    int labels[2] = {1, 0};
    assert_int_equal(fv_data_from_memory(s->ctx, pixels, labels, 2, 3, 1, 2, 2, &data), FV_OK);
    memset(pixels, 0, sizeof pixels); /* a copy was taken */
    labels[0] = 0;
    assert_memory_equal(fv_data_pixels(data, 1), ((uint8_t[]){7, 8, 9, 10, 11, 12}), 6);
    assert_int_equal(fv_data_label(data, 0), 1);
    assert_int_equal(fv_data_describe(data).c, 3);
    fv_data_destroy(data);
    fv_data_destroy(NULL);
    data = NULL;
    labels[1] = 2;
    assert_failed(s, fv_data_from_memory(s->ctx, pixels, labels, 2, 3, 1, 2, 2, &data), FV_ERR_ARGUMENT,
                  "data set memory: label of picture 1: expected 0 to 1, found 2");
    assert_failed(s, fv_data_from_memory(s->ctx, pixels, labels, 0, 3, 1, 2, 2, &data), FV_ERR_ARGUMENT,
                  "fv_data_from_memory: n 0; expected 1 or more");
    assert_failed(s, fv_data_from_memory(s->ctx, pixels, labels, 1, 3, 1, 2, 65536, &data), FV_ERR_ARGUMENT,
                  "fv_data_from_memory: n_classes 65536; expected 1 to 65535");
    assert_int_not_equal(fv_data_from_memory(s->ctx, pixels, labels, 1, 3, -1, 2, 2, &data), FV_OK);
    assert_null(data);
}

static void test_from_picture(void **state)
{
    scratch *s = *state;
    fv_data *data;
    uint8_t pixels[784];
    fv__digit_draw(0, FV_SPLIT_TEST, 7, pixels);
    const char *path = scratch_path(s, "seven.pgm");
    assert_int_equal(fv__image_write_pgm(s->ctx, path, pixels, 28, 28), FV_OK);
    assert_int_equal(fv_data_open_image(s->ctx, path, 1, 28, 28, &data), FV_OK);
    assert_int_equal(fv_data_describe(data).n, 1);
    assert_int_equal(fv_data_describe(data).n_classes, 0);
    assert_int_equal(fv_data_label(data, 0), -1);
    assert_memory_equal(fv_data_pixels(data, 0), pixels, 784);
    fv_data_destroy(data);
    assert_failed(s, fv_data_open_image(s->ctx, path, 1, 32, 32, &data), FV_ERR_INPUT,
                  "/seven.pgm: expected a picture of 1x32x32 (channels, height, width), found 1x28x28");
}

/* Whichever allocation fails, it is said, and (under a leak checker) nothing is lost. */
static void test_out_of_memory(void **state)
{
    scratch *s = *state;
    write_folder(s);
    const char *const roots[] = {s->folder, NULL};
    const fv_data_options options = {.classes = (int[]){4, 7}, .n_classes = 2, .limit = 2, .roots = roots};
    static const char *const specs[] = {"small", "digits"};
    for (int i = 0; i < 2; i++) {
        fv_status status = FV_ERR_MEMORY;
        for (int k = 0; status != FV_OK; k++) {
            fv_data *data = NULL;
            s->fail_at = k;
            status = fv_data_open(s->ctx, specs[i], FV_SPLIT_TRAIN, &options, &data);
            s->fail_at = -1;
            assert_true(status == FV_OK ? data != NULL : status == FV_ERR_MEMORY && !data);
            fv_data_destroy(data);
            assert_in_range(k, 0, 1000);
        }
    }
}

static void test_real_mnist(void **state)
{
    scratch *s = *state;
    const char *const roots[] = {getenv("FOVEA_DATA"), NULL};
    char folder[512];
    struct stat info;
    snprintf(folder, sizeof folder, "%s/mnist", roots[0] ? roots[0] : "");
    if (!roots[0] || stat(folder, &info) != 0) {
        print_message("skipped: set FOVEA_DATA to a folder that holds mnist/ to read the real files\n");
        skip();
    }
    static const int n[2] = {60000, 10000}, first[2][5] = {{5, 0, 4, 1, 9}, {7, 2, 1, 0, 4}};
    for (int split = 0; split < 2; split++) {
        const fv_data_options options = {.roots = roots};
        fv_data *data;
        const fv_status status = fv_data_open(s->ctx, "mnist", (fv_split)split, &options, &data);
        if (status == FV_ERR_UNSUPPORTED) {
            print_message("skipped: %s\n", fv_message(s->ctx));
            skip();
        }
        if (status != FV_OK)
            fail_msg("%s", fv_message(s->ctx));
        assert_int_equal(fv_data_describe(data).n, n[split]);
        assert_int_equal(fv_data_describe(data).h, 28);
        for (int i = 0; i < 5; i++)
            assert_int_equal(fv_data_label(data, i), first[split][i]);
        double sum = 0;
        for (int i = 0; i < n[split]; i++)
            for (int k = 0; k < 784; k++)
                sum += fv_data_pixels(data, i)[k];
        /* The mean of the training set is known to four digits, 0.1307; of the test set, 0.1325. */
        const double mean = sum / 784 / n[split] / 255;
        assert_true(mean > (split == 0 ? 0.13065 : 0.13245) && mean < (split == 0 ? 0.13075 : 0.13255));
        fv_data_destroy(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits_pinned),     cmocka_unit_test(test_digits_threads),
        cmocka_unit_test(test_digits_statistics), cmocka_unit_test(test_digits_selection),
        cmocka_unit_test(test_option_mistakes),   cmocka_unit_test(test_mnist_layout),
        cmocka_unit_test(test_colours),           cmocka_unit_test(test_mnist_mistakes),
        cmocka_unit_test(test_unknown_name),      cmocka_unit_test(test_from_memory),
        cmocka_unit_test(test_from_picture),      cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_real_mnist),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
