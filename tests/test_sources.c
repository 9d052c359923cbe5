/* test_sources.c - the sources beside class folders of pictures: CIFAR's files, NumPy's arrays, tables,
 * sounds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/npy.h"
#include "picture_files.h"

static fv_data *open_set(scratch *s, const char *spec, fv_split split)
{
    fv_data *data = NULL;
    const fv_status status = fv_data_open(s->ctx, scratch_path(s, spec), split, NULL, &data);
    if (status != FV_OK)
        fail_msg("%s: %s", spec, fv_message(s->ctx));
    return data;
}

#define REFUSED(s, spec, message)                                                                            \
    do {                                                                                                     \
        fv_data *none_ = NULL;                                                                               \
        assert_failed(s, fv_data_open((s)->ctx, scratch_path(s, spec), FV_SPLIT_TRAIN, NULL, &none_),        \
                      FV_ERR_INPUT, message);                                                                \
        assert_null(none_);                                                                                  \
    } while (0)

static const char *write_text(scratch *s, const char *name, const char *text)
{
    return scratch_file(s, name, text, strlen(text));
}

/* ---- CIFAR -------------------------------------------------------------------------------------------- */

/* n records with labels first, first + 1, ... modulo 10; `extra` labels stand before them. */
static void write_cifar(scratch *s, const char *name, int n, int first, int extra)
{
    static uint8_t bytes[4 * 3074];
    const size_t one = 3073 + (size_t)extra;
    for (int i = 0; i < n; i++) {
        uint8_t *const record = bytes + (size_t)i * one;
        memset(record, first + i, one);
        record[extra] = (uint8_t)((first + i) % 10);
    }
    scratch_file(s, name, bytes, (size_t)n * one);
}

static void cifar(void **state)
{
    scratch *s = *state;
    char name[64];
    make_folder(s, "c10");
    for (int k = 1; k <= 5; k++) {
        snprintf(name, sizeof name, "c10/data_batch_%d.bin", k);
        write_cifar(s, name, 2, 2 * k, 0);
    }
    write_cifar(s, "c10/test_batch.bin", 3, 40, 0);
    write_text(s, "c10/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    fv_data *data = open_set(s, "c10", FV_SPLIT_TRAIN);
    assert_int_equal(fv_data_describe(data).n, 10);
    assert_string_equal(fv_data_class_name(data, 9), "j");
    for (int i = 0; i < 10; i++) {
        assert_int_equal(fv_data_label(data, i), (2 + i) % 10);
        assert_int_equal(fv_data_pixels(data, i)[3071], 2 + i);
    }
    fv_data_destroy(data);
    data = open_set(s, "c10", FV_SPLIT_TEST);
    assert_int_equal(fv_data_describe(data).n, 3);
    fv_data_destroy(data);
    make_folder(s, "c100");
    write_cifar(s, "c100/train.bin", 4, 7, 1);
    data = open_set(s, "c100", FV_SPLIT_TRAIN);
    assert_int_equal(fv_data_describe(data).n_classes, 100);
    assert_int_equal(fv_data_label(data, 3), 0);
    fv_data_destroy(data);
    write_text(s, "c10/data_batch_3.bin", "short");
    REFUSED(s, "c10",
            "/c10/data_batch_3.bin: expected records of 3073 bytes (labels and a picture of 3x32x32), found "
            "5 bytes");
    write_text(s, "c10/batches.meta.txt", "a\n");
    write_cifar(s, "c10/data_batch_3.bin", 1, 0, 0);
    REFUSED(s, "c10", "/c10/batches.meta.txt: expected 10 names of classes, one a line, found 1");
}

/* ---- arrays ------------------------------------------------------------------------------------------- */

/* A .npy file of version 1 in out; returns its length. */
static size_t make_npy(uint8_t *out, const char *descr, const char *shape, const void *values, size_t n)
{
    char header[128];
    const int length = snprintf(header, sizeof header,
                                "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr, shape);
    memcpy(out, "\x93NUMPY\1\0", 8);
    out[8] = (uint8_t)length;
    out[9] = 0;
    memcpy(out + 10, header, (size_t)length);
    memcpy(out + 10 + length, values, n);
    return 10 + (size_t)length + n;
}

static void write_npy(scratch *s, const char *name, const char *descr, const char *shape, const void *values,
                      size_t n)
{
    uint8_t bytes[1024];
    assert_in_range(n, 0, 800);
    scratch_file(s, name, bytes, make_npy(bytes, descr, shape, values, n));
}

static void arrays(void **state)
{
    scratch *s = *state;
    uint8_t pixels[4 * 2 * 3 * 3];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)i;
    make_folder(s, "npy");
    write_npy(s, "npy/x_train.npy", "|u1", "(4, 2, 3, 3)", pixels, 72);
    write_npy(s, "npy/y_train.npy", "<i8", "(4,)", (const int64_t[]){2, 0, 1, 2}, 32);
    write_npy(s, "npy/x_test.npy", "|u1", "(1, 3, 2, 2)", pixels, 12);
    write_npy(s, "npy/y_test.npy", ">i2", "(1,)", "\0\3", 2);
    fv_data *data = open_set(s, "npy", FV_SPLIT_TRAIN);
    const fv_data_info info = fv_data_describe(data);
    assert_int_equal(info.n_classes, 4); /* the test set has a fourth */
    assert_int_equal(info.c, 3);         /* the last dimension */
    assert_int_equal(info.h, 2);
    assert_string_equal(info.note, "the last dimension of x holds its channels");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(fv_data_label(data, i), ((const int[]){2, 0, 1, 2})[i]);
        for (int k = 0; k < 18; k++) /* [c][h][w] of [h][w][c] */
            assert_int_equal(fv_data_pixels(data, i)[k], 18 * i + k % 6 * 3 + k / 6);
    }
    fv_data_destroy(data);
    data = open_set(s, "npy", FV_SPLIT_TEST);
    assert_int_equal(fv_data_label(data, 0), 3);
    assert_int_equal(fv_data_pixels(data, 0)[11], 11); /* the second dimension is 3 */
    fv_data_destroy(data);
    write_npy(s, "npy/y_train.npy", "<i8", "(3,)", (const int64_t[]){2, 0, 1}, 24);
    fv_data *none = NULL;
    assert_int_equal(fv_data_open(s->ctx, scratch_path(s, "npy"), FV_SPLIT_TRAIN, NULL, &none), FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(s->ctx), "expected one class number for each of the 4 samples"));
    write_npy(s, "npy/y_train.npy", "<i8", "(4,)", (const int64_t[]){2, 0, -1, 1}, 32);
    REFUSED(s, "npy", "/npy/y_train.npy: label 2: expected 0 to 65534, found -1");
}

/* Floats are values to predict; a split shuffles, and every row is in one of the sets. */
static void regression(void **state)
{
    scratch *s = *state;
    double x[20], y[10];
    bool seen[10] = {false};
    for (int i = 0; i < 10; i++) {
        x[2 * i] = i;
        x[2 * i + 1] = -i;
        y[i] = 0.5 * i;
    }
    make_folder(s, "reg");
    write_npy(s, "reg/x.npy", "<f8", "(10, 2)", x, sizeof x);
    write_npy(s, "reg/y.npy", "<f8", "(10,)", y, sizeof y);
    for (int k = 0; k < 2; k++) {
        fv_data *data = open_set(s, "reg:split=0.3", k ? FV_SPLIT_TEST : FV_SPLIT_TRAIN);
        const fv_data_field in = fv_data_field_at(data, 0), target = fv_data_field_at(data, 1);
        assert_int_equal(fv_data_describe(data).n, k ? 3 : 7);
        assert_string_equal(target.name, "target");
        for (int i = 0; i < fv_data_describe(data).n; i++) {
            const float value = ((const float *)in.values)[2 * i];
            assert_true(((const float *)in.values)[2 * i + 1] == -value);
            assert_true(((const float *)target.values)[i] == 0.5f * value);
            assert_false(seen[(int)value]);
            seen[(int)value] = true;
        }
        fv_data_destroy(data);
    }
}

/* Values of every kind, whatever the order of their bytes. */
static void values_of_arrays(void **state)
{
    scratch *s = *state;
    static const struct {
        const char *descr;
        uint8_t bytes[8];
        double value;
    } cases[] = {
        {"|u1", {200}, 200},
        {"|i1", {0xfe}, -2},
        {"|b1", {1}, 1},
        {"<u2", {1, 2}, 513},
        {">u2", {1, 2}, 258},
        {"<i2", {0xff, 0xff}, -1},
        {">i4", {0xff, 0xff, 0xff, 0xf0}, -16},
        {"<u4", {0, 0, 0, 0x80}, 2147483648.0},
        {"<f4", {0, 0, 0xc0, 0x3f}, 1.5},
        {">f4", {0xbf, 0xc0, 0, 0}, -1.5},
        {"<f8", {0, 0, 0, 0, 0, 0, 0xe0, 0x3f}, 0.5},
        {"<i8", {0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[256];
        fv_npy array;
        const size_t size = (size_t)(cases[i].descr[2] - '0');
        const size_t n = make_npy(bytes, cases[i].descr, "(1,)", cases[i].bytes, size);
        assert_int_equal(fv__npy_parse(s->ctx, "x", bytes, n, &array), FV_OK);
        assert_true(fv__npy_value(&array, 0) == cases[i].value);
        assert_int_equal(fv__npy_parse(s->ctx, "x", bytes, n - 1, &array), FV_ERR_INPUT);
        assert_int_equal(fv__npy_parse(s->ctx, "x", bytes, n + 1, &array), FV_ERR_INPUT);
    }
    for (size_t cut = 0; cut < 60; cut++) {
        uint8_t bytes[256];
        fv_npy array;
        make_npy(bytes, "<f4", "(1,)", "1234", 4);
        assert_int_equal(fv__npy_parse(s->ctx, "x", bytes, cut, &array), FV_ERR_INPUT);
    }
}

/* An archive of two stored arrays, as np.savez writes one, but for checksums that zlib knows. */
static void npz(void **state)
{
    scratch *s = *state;
    static const uint8_t from[] = {
    /* np.savez_compressed(x=[[[0, 1], [2, 3]]] u1, y=[0] u1), zipped */
#include "arrays_npz.inc"
    };
    scratch_file(s, "a.npz", from, sizeof from);
#ifdef FV_HAVE_ZLIB
    fv_data *data = open_set(s, "a.npz", FV_SPLIT_TRAIN);
    assert_int_equal(fv_data_describe(data).n, 1);
    assert_memory_equal(fv_data_pixels(data, 0), ((uint8_t[]){0, 1, 2, 3}), 4);
    fv_data_destroy(data);
    for (size_t i = 0; i < sizeof from; i++) { /* any byte may be damaged: never a crash */
        static uint8_t bytes[sizeof from];
        memcpy(bytes, from, sizeof from);
        bytes[i] ^= 0x55;
        data = NULL;
        const fv_status status =
            fv_data_open(s->ctx, scratch_file(s, "b.npz", bytes, sizeof bytes), FV_SPLIT_TRAIN, NULL, &data);
        assert_true(status == FV_OK || status == FV_ERR_INPUT);
        fv_data_destroy(data);
    }
#else
    REFUSED(s, "a.npz", "is compressed, and this build has no zlib: save it by np.savez, or build with zlib");
#endif
}

/* ---- tables ------------------------------------------------------------------------------------------- */

static void table_of_classes(void **state)
{
    scratch *s = *state;
    write_text(s, "t.csv",
               "\xef\xbb\xbf"
               "a;\"b; c\";Class;d\r\n1;2;owl;3\r\n-4.5;5e-1; cat ;6\r\n\r\n7;8;\"o\"\"x\";9\r\n");
    fv_data *data = open_set(s, "t.csv", FV_SPLIT_TRAIN);
    const float *const x = fv_data_field_at(data, 0).values;
    assert_int_equal(fv_data_describe(data).n, 3);
    assert_int_equal(fv_data_describe(data).c, 3);
    assert_string_equal(fv_data_class_name(data, 0), "cat");
    assert_string_equal(fv_data_class_name(data, 1), "o\"x");
    for (int i = 0; i < 3; i++)
        assert_int_equal(fv_data_label(data, i), x[3 * i] == 1 ? 2 : x[3 * i] == 7);
    fv_data_destroy(data);
    REFUSED(s, "t.csv:target=d", "/t.csv:2:5: column 'Class': expected a number, found 'owl'");
}

/* Texts in a column of inputs, another number of cells, a column that there is not. */
static void table_mistakes(void **state)
{
    scratch *s = *state;
    write_text(s, "m.csv", "a,b,label\n1,2,x\n3, four,y\n");
    REFUSED(s, "m.csv", "/m.csv:3:4: column 'b': expected a number, found 'four'");
    REFUSED(s, "m.csv:target=lable",
            "/m.csv: target: expected the name of a column, found 'lable'; nearest is 'label'");
    write_text(s, "m.csv", "a,b,label\n1,2,x\n3,4\n");
    REFUSED(s, "m.csv", "/m.csv:3: expected 3 cells, as in the first row, found 2");
    write_text(s, "m.csv", "a,b,label\n1,,x\n");
    REFUSED(s, "m.csv", "/m.csv:2:3: column 'b': expected a number, found ''");
    write_text(s, "m.csv", "a,\"b\n1,2\n");
    REFUSED(s, "m.csv", "/m.csv:1:3: expected a closing quote, found the end of the file");
    write_text(s, "m.csv", "a,b\n");
    REFUSED(s, "m.csv", "/m.csv: expected 1 to 1073741823 rows, found 0");
    write_text(s, "m.csv", "");
    REFUSED(s, "m.csv", "/m.csv: expected a table, found no rows");
    scratch_file(s, "m.csv", "a,b\n1,\0\n", 9);
    REFUSED(s, "m.csv", "/m.csv: byte 6: expected text, found a NUL");
}

/* Whole numbers are classes where there are few; other numbers are values. */
static void table_rule(void **state)
{
    scratch *s = *state;
    write_text(s, "n.csv", "1,5\n2,3\n3,5\n4,3\n");
    fv_data *data = open_set(s, "n.csv", FV_SPLIT_TRAIN);
    assert_int_equal(fv_data_describe(data).n_classes, 2);
    assert_string_equal(fv_data_class_name(data, 0), "3");
    fv_data_destroy(data);
    static const char *const values[] = {"1,5\n2,3\n3,6\n4,3.5\n", "1,5\n2,3\n3,6\n4,7\n",
                                         "1,-1\n2,3\n3,-1\n4,3\n"};
    for (int i = 0; i < 3; i++) {
        write_text(s, "n.csv", values[i]);
        data = open_set(s, "n.csv", FV_SPLIT_TRAIN);
        assert_int_equal(fv_data_describe(data).n_classes, 0);
        assert_string_equal(fv_data_field_at(data, 1).name, "target");
        fv_data_destroy(data);
    }
    make_folder(s, "csv");
    write_text(s, "csv/train.csv", "x,y\n1,b\n2,a\n");
    write_text(s, "csv/test.csv", "x,y\n3,b\n");
    data = open_set(s, "csv", FV_SPLIT_TEST);
    assert_int_equal(fv_data_label(data, 0), 1);
    fv_data_destroy(data);
    write_text(s, "csv/test.csv", "x,y\n3,c\n");
    fv_data *none = NULL;
    assert_failed(s, fv_data_open(s->ctx, scratch_path(s, "csv"), FV_SPLIT_TEST, NULL, &none), FV_ERR_INPUT,
                  "/csv/test.csv:2:3: expected a class of the training set, found 'c'");
}

/* Numbers as programs print them. */
static void numbers_of_tables(void **state)
{
    scratch *s = *state;
    static const struct {
        const char *text;
        float value;
    } cases[] = {{"0.30000000000000004", 0.3f},
                 {"1.1754943508222875e-38", 1.1754943508222875e-38f},
                 {"123456789012345678901234567890", 123456789012345678901234567890.0f},
                 {"+.5", 0.5f},
                 {"-2.", -2.0f},
                 {"1e-400", 0.0f},
                 {"3.4028234663852886e+38", 3.4028234663852886e+38f}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "x,label\n%s,a\n", cases[i].text);
        write_text(s, "v.csv", text);
        fv_data *data = open_set(s, "v.csv", FV_SPLIT_TRAIN);
        const float found = *(const float *)fv_data_field_at(data, 0).values;
        assert_true(fabsf(found - cases[i].value) <= 1e-7f * fabsf(cases[i].value));
        fv_data_destroy(data);
    }
    static const char *const refused[] = {"1e999", "1.2.3", "0x10", "nan", "inf", "1e", "--1", "1 2"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char text[128];
        fv_data *none = NULL;
        snprintf(text, sizeof text, "x,label\n%s,a\n1,b\n", refused[i]);
        write_text(s, "v.csv", text);
        assert_int_equal(fv_data_open(s->ctx, scratch_path(s, "v.csv"), FV_SPLIT_TRAIN, NULL, &none),
                         FV_ERR_INPUT);
    }
}

/* ---- sounds ------------------------------------------------------------------------------------------- */

static void write_wav(scratch *s, const char *name, int kind, int channels, int bits, int rate,
                      const void *bytes, size_t n)
{
    uint8_t out[256] = "RIFF....WAVEfmt \x10\0\0\0";
    const int one = channels * bits / 8;
    const uint32_t words[] = {(uint32_t)kind | (uint32_t)channels << 16, (uint32_t)rate,
                              (uint32_t)(rate * one), (uint32_t)one | (uint32_t)bits << 16};
    assert_in_range(n, 1, 200);
    memcpy(out + 20, words, 16); /* of a little-endian machine */
    memcpy(out + 36, "data", 4);
    memcpy(out + 40, &(uint32_t){(uint32_t)n}, 4);
    memcpy(out + 44, bytes, n);
    scratch_file(s, name, out, 44 + n);
}

static void sounds(void **state)
{
    scratch *s = *state;
    make_folder(s, "wav");
    make_folder(s, "wav/a");
    make_folder(s, "wav/b");
    write_wav(s, "wav/a/0.wav", 1, 1, 16, 8000, "\0\x40\0\xc0\xff\x7f", 6);
    write_wav(s, "wav/b/0.wav", 1, 2, 8, 8000, "\x80\xc0\xff\x01\x00\x00", 6);
    fv_data *data = open_set(s, "wav", FV_SPLIT_TRAIN);
    assert_string_equal(fv_data_field_at(data, 0).name, "signal");
    for (int i = 0; i < 2; i++) {
        const float *const x = (const float *)fv_data_field_at(data, 0).values + (ptrdiff_t)3 * i;
        const bool second = fv_data_label(data, i) == 1;
        assert_true(x[0] == (second ? 0.25f : 0.5f));
        assert_true(x[1] == (second ? 0.0f : -0.5f));
        assert_true(x[2] == (second ? -1.0f : 32767.0f / 32768));
    }
    fv_data_destroy(data);
    write_wav(s, "wav/b/0.wav", 3, 1, 32, 8000, (const float[]){0.75f, -0.125f}, 8);
    REFUSED(s, "wav:split=0.5,lenght=3",
            "/wav: expected the words fit, split, split-seed, unreadable, sizes, target or length, found "
            "'lenght'; "
            "nearest is 'length'");
    data = open_set(s, "wav:length=4", FV_SPLIT_TRAIN);
    for (int i = 0; i < 2; i++) {
        const float *const x = (const float *)fv_data_field_at(data, 0).values + (ptrdiff_t)4 * i;
        if (fv_data_label(data, i) == 1)
            assert_true(x[0] == 0.75f && x[1] == -0.125f && x[2] == 0);
        assert_true(x[3] == 0);
    }
    fv_data_destroy(data);
    fv_data *none = NULL;
    assert_int_equal(fv_data_open(s->ctx, scratch_path(s, "wav"), FV_SPLIT_TRAIN, NULL, &none), FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(s->ctx), "; the word length= cuts and pads"));
    write_wav(s, "wav/b/0.wav", 1, 1, 24, 44100, "\0\0\x40\0\0\x40\0\0\x40", 9);
    assert_int_equal(fv_data_open(s->ctx, scratch_path(s, "wav"), FV_SPLIT_TRAIN, NULL, &none), FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(s->ctx), "samples a second, as the first file has, found "));
    write_wav(s, "wav/b/0.wav", 2, 1, 4, 8000, "\0", 1);
    assert_int_equal(fv_data_open(s->ctx, scratch_path(s, "wav"), FV_SPLIT_TRAIN, NULL, &none), FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(s->ctx), "found format 2 of 4 bits"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cifar),
        cmocka_unit_test(arrays),
        cmocka_unit_test(regression),
        cmocka_unit_test(values_of_arrays),
        cmocka_unit_test(npz),
        cmocka_unit_test(table_of_classes),
        cmocka_unit_test(table_mistakes),
        cmocka_unit_test(table_rule),
        cmocka_unit_test(numbers_of_tables),
        cmocka_unit_test(sounds),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
