/* test_class_folders.c - data sets of pictures in class folders: order, splits, sizes, memory, mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/dataset.h"
#include "picture_files.h"

static fv_data *open_set(scratch *s, const char *spec, fv_split split, fv_data_options options)
{
    fv_data *data = NULL;
    const fv_status status = fv_data_open(s->ctx, scratch_path(s, spec), split, &options, &data);
    if (status != FV_OK)
        fail_msg("%s: %s", spec, fv_message(s->ctx));
    return data;
}

#define REFUSED(s, spec, split, message)                                                                     \
    do {                                                                                                     \
        fv_data *none_ = NULL;                                                                               \
        assert_failed(s, fv_data_open((s)->ctx, scratch_path(s, spec), split, NULL, &none_), FV_ERR_INPUT,   \
                      message);                                                                              \
        assert_null(none_);                                                                                  \
    } while (0)

/* 3 classes of 4, 8 and 4 pictures of 2x3: pixels say which. */
static void write_pets(scratch *s)
{
    make_folder(s, "pets");
    make_folder(s, "pets/.hidden");
    write_class(s, "pets", "owl", 4, 2, 3, 100);
    write_class(s, "pets", "cat", 8, 2, 3, 10);
    write_class(s, "pets", "dog", 4, 2, 3, 50);
    scratch_file(s, "pets/cat/.DS_Store", "x", 1);
    scratch_file(s, "pets/cat/notes.txt", "x", 1);
}

static int class_of_pixel(int value)
{
    return value >= 100 ? 2 : value >= 50 ? 1 : 0;
}

static void classes_and_order(void **state)
{
    scratch *s = *state;
    write_pets(s);
    fv_data *data = open_set(s, "pets", FV_SPLIT_TRAIN, (fv_data_options){0});
    const fv_data_info info = fv_data_describe(data);
    bool seen[256] = {false};
    assert_int_equal(info.n, 16);
    assert_int_equal(info.n_classes, 3);
    assert_int_equal(info.h, 2);
    assert_string_equal(fv_data_class_name(data, 0), "cat");
    assert_string_equal(fv_data_class_name(data, 2), "owl");
    assert_string_equal(info.note,
                        "of 16 pictures 1 files were passed over, which are no pictures by their names");
    for (int i = 0; i < 16; i++) {
        const int value = fv_data_pixels(data, i)[5];
        assert_int_equal(fv_data_label(data, i), class_of_pixel(value));
        assert_false(seen[value]);
        seen[value] = true;
    }
    /* A quarter from either end has all classes in the shares of the whole. */
    for (int first = 0; first <= 12; first += 12) {
        int n[3] = {0};
        for (int i = first; i < first + 4; i++)
            n[fv_data_label(data, i)]++;
        assert_int_equal(n[0], 2);
        assert_int_equal(n[1], 1);
        assert_int_equal(n[2], 1);
    }
    fv_data_destroy(data);
    data = open_set(s, "pets", FV_SPLIT_TRAIN,
                    (fv_data_options){.classes = (int[]){2, 0}, .n_classes = 2, .limit = 6});
    assert_int_equal(fv_data_describe(data).n, 6);
    assert_string_equal(fv_data_class_name(data, 0), "owl");
    for (int i = 0; i < 6; i++)
        assert_int_equal(fv_data_label(data, i), fv_data_pixels(data, i)[0] >= 100 ? 0 : 1);
    fv_data_destroy(data);
}

static void classes_txt(void **state)
{
    scratch *s = *state;
    scratch_file(s, "pets/classes.txt", "owl\r\n\ncat\ndog\n", 15);
    fv_data *data = open_set(s, "pets", FV_SPLIT_TRAIN, (fv_data_options){0});
    assert_string_equal(fv_data_class_name(data, 0), "owl");
    assert_string_equal(fv_data_class_name(data, 1), "cat");
    fv_data_destroy(data);
    scratch_file(s, "pets/classes.txt", "owl\ncat\n", 8);
    REFUSED(s, "pets", FV_SPLIT_TRAIN, "/pets/classes.txt: the class 'dog' has a folder and is not named");
    scratch_file(s, "pets/classes.txt", "owl\ncow\n", 8);
    REFUSED(s, "pets", FV_SPLIT_TRAIN,
            "/pets/classes.txt:2: expected the name of a class's folder, found 'cow'");
    scratch_file(s, "pets/classes.txt", "owl\nowl\n", 8);
    REFUSED(s, "pets", FV_SPLIT_TRAIN, "/pets/classes.txt:2: the class 'owl' was named before");
    unlink(scratch_path(s, "pets/classes.txt"));
}

/* Training and test set of a split have all pictures, each once, and the shares of the classes. */
static void splits(void **state)
{
    scratch *s = *state;
    fv_data *set[2];
    int count[256] = {0}, n[2][3] = {{0}};
    assert_int_equal(fv_data_open_both(s->ctx, scratch_path(s, "pets:split=0.25"), NULL, &set[0], &set[1]),
                     FV_OK);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < fv_data_describe(set[k]).n; i++) {
            count[fv_data_pixels(set[k], i)[0]]++;
            n[k][fv_data_label(set[k], i)]++;
        }
        fv_data_destroy(set[k]);
    }
    for (int i = 0; i < 256; i++)
        assert_in_range(count[i], 0, 1);
    assert_int_equal(n[1][0], 2);
    assert_int_equal(n[1][1], 1);
    assert_int_equal(n[1][2], 1);
    assert_int_equal(n[0][0] + n[0][1] + n[0][2], 12);
    assert_int_equal(fv_data_open_both(s->ctx, scratch_path(s, "pets"), NULL, &set[0], &set[1]), FV_OK);
    assert_null(set[1]);
    fv_data_destroy(set[0]);
    REFUSED(s, "pets", FV_SPLIT_TEST,
            "/pets: has no test set; the words split=0.1 make one of a tenth of it");
    REFUSED(s, "pets:split=1.5", FV_SPLIT_TEST,
            "/pets: split: expected a number between 0 and 1, found '1.5'");
    REFUSED(s, "pets:splt=0.5", FV_SPLIT_TEST,
            "/pets: expected the words fit, split, split-seed, unreadable, sizes, target or length, found "
            "'splt'; nearest is 'split'");
    REFUSED(s, "pets:target=x", FV_SPLIT_TEST, "/pets: class folders do not know the word target");
}

static void train_and_test_folders(void **state)
{
    scratch *s = *state;
    make_folder(s, "set");
    make_folder(s, "set/train");
    make_folder(s, "set/val");
    write_class(s, "set/train", "a", 2, 2, 2, 1);
    write_class(s, "set/train", "b", 2, 2, 2, 11);
    write_class(s, "set/val", "b", 1, 2, 2, 21);
    fv_data *test = open_set(s, "set", FV_SPLIT_TEST, (fv_data_options){0});
    assert_int_equal(fv_data_describe(test).n, 1);
    assert_int_equal(fv_data_describe(test).n_classes, 2);
    assert_int_equal(fv_data_label(test, 0), 1);
    fv_data_destroy(test);
    REFUSED(s, "set:split=0.5", FV_SPLIT_TRAIN, "/set/val");
    write_class(s, "set/val", "c", 1, 2, 2, 21);
    REFUSED(s, "set", FV_SPLIT_TRAIN,
            "/set/val/c: expected a class of the training set, which has none of this name");
    make_folder(s, "set/train/c");
    REFUSED(s, "set", FV_SPLIT_TRAIN, "/set/train/c: expected files of this class, found none");
}

/* Sizes: all alike, or brought to what a model wants. */
static void sizes(void **state)
{
    scratch *s = *state;
    make_folder(s, "sizes");
    write_class(s, "sizes", "a", 2, 4, 4, 30);
    make_folder(s, "sizes/b");
    write_flat(s, "sizes/b/0.ppm", 3, 6, 4, 60);
    fv_data *data = NULL;
    assert_int_equal(fv_data_open(s->ctx, scratch_path(s, "sizes"), FV_SPLIT_TRAIN, NULL, &data),
                     FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(s->ctx), "expected a picture of "));
    data = open_set(s, "sizes", FV_SPLIT_TRAIN, (fv_data_options){.c = 3, .h = 4, .w = 4});
    assert_int_equal(fv_data_describe(data).c, 3);
    assert_string_equal(fv_data_describe(data).note,
                        "of 3 pictures 2 from gray to RGB, 1 resized from 4x4 up to 6x4 to 4x4 (crop)");
    for (int i = 0; i < 3; i++) {
        const fv_data_sample own = fv_data_sample_at(data, i);
        const bool coloured = fv_data_label(data, i) == 1;
        assert_int_equal(own.h, coloured ? 6 : 4);
        assert_int_equal(fv_data_pixels(data, i)[16] - fv_data_pixels(data, i)[0], coloured);
    }
    fv_data_destroy(data);
    data = open_set(s, "sizes:sizes=any", FV_SPLIT_TRAIN, (fv_data_options){0});
    assert_int_equal(fv_data_describe(data).n, 3);
    fv_data_destroy(data);
}

/* Pictures that are not held are the same ones, and a file that changes is noticed. */
static void little_memory(void **state)
{
    scratch *s = *state;
    fv_data *all = open_set(s, "pets", FV_SPLIT_TRAIN, (fv_data_options){0});
    fv_data *few = open_set(s, "pets", FV_SPLIT_TRAIN, (fv_data_options){.cache_bytes = 20});
    assert_int_equal(fv_data_describe(few).n_held, 3);
    assert_int_equal(fv__data_digest(all), fv__data_digest(few));
    assert_null(fv_data_field_at(few, 0).values);
    for (int i = 0; i < 16; i++) {
        assert_memory_equal(fv_data_pixels(all, i), fv_data_pixels(few, i), 6);
        assert_int_equal(fv_data_sample_at(all, i).digest, fv_data_sample_at(few, i).digest);
    }
    FILE *const file = fopen(fv_data_sample_at(few, 15).path, "ab");
    assert_non_null(file);
    fputs("more", file);
    fclose(file);
    assert_null(fv_data_pixels(few, 15));
    assert_non_null(
        strstr(fv_message(s->ctx), ": changed since the folder was read: expected 17 bytes, found 21"));
    assert_non_null(fv_data_pixels(all, 15));
    assert_int_equal(truncate(fv_data_sample_at(few, 15).path, 17), 0);
    fv_data_destroy(few);
    fv_data_destroy(all);
}

static void unreadable(void **state)
{
    scratch *s = *state;
    make_folder(s, "bad");
    write_class(s, "bad", "a", 3, 2, 2, 1);
    write_class(s, "bad", "b", 3, 2, 2, 11);
    scratch_file(s, "bad/a/1.pgm", "P5 2 2 255 ab", 13);
    scratch_file(s, "bad/b/9.jpg", "no picture", 10);
    fv_data *data = NULL;
    assert_int_equal(fv_data_open(s->ctx, scratch_path(s, "bad"), FV_SPLIT_TRAIN, NULL, &data), FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(s->ctx), "; and 1 more of the 7 files cannot be read"));
    for (size_t cache = 1; cache < 100; cache += 3) {
        data = open_set(s, "bad:unreadable=skip", FV_SPLIT_TRAIN, (fv_data_options){.cache_bytes = cache});
        const fv_data_info info = fv_data_describe(data);
        assert_int_equal(info.n, 5);
        assert_int_equal(info.n_skipped, 2);
        for (int i = 0; i < 5; i++)
            assert_int_equal(fv_data_label(data, i), fv_data_pixels(data, i)[0] >= 11);
        assert_non_null(strstr(fv_data_skipped(data, 0), "expected"));
        assert_non_null(strstr(fv_data_skipped(data, 1), "expected"));
        assert_null(fv_data_skipped(data, 2));
        fv_data_destroy(data);
    }
}

static fv_status open_pets(scratch *s, const char *path)
{
    fv_data *data = NULL;
    (void)path;
    FV_TRY(fv_data_open(s->ctx, scratch_path(s, "pets:unreadable=skip"), FV_SPLIT_TRAIN, NULL, &data));
    fv_data_destroy(data);
    return FV_OK;
}

/* Every allocation failing once. */
static void no_memory(void **state)
{
    scratch *s = *state;
    fv_status status = FV_ERR_MEMORY;
    for (int k = 0; status != FV_OK; k++) {
        s->fail_at = k;
        status = open_pets(s, NULL);
        s->fail_at = -1;
        if (status != FV_OK && status != FV_ERR_MEMORY)
            fail_msg("allocation %d failing: status %d: %s", k, (int)status, fv_message(s->ctx));
        assert_in_range(k, 0, 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_and_order),
        cmocka_unit_test(classes_txt),
        cmocka_unit_test(splits),
        cmocka_unit_test(train_and_test_folders),
        cmocka_unit_test(sizes),
        cmocka_unit_test(little_memory),
        cmocka_unit_test(unreadable),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
