/* test_safetensors.c - weights written come back to the bit; a header that lies is refused with a place.
 * Everything here is exact: no tolerances. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/file.h"
#include "io/safetensors.h"
#include "scratch.h"

static const float weight[6] = {1.5f, -2.0f, 0.0f, 3e-39f, 1e30f, -0.0f}; /* one of them denormal */
static const float bias[2] = {0.25f, -7.0f};

static const fv_tensor_entry tensors[] = {
    {.name = "c1.weight", .rank = 2, .dim = {2, 3}, .values = weight},
    {.name = "c1.bias", .rank = 1, .dim = {2}, .values = bias},
    {.name = "step", .rank = 0, .values = bias + 1},
    {.name = "nothing", .rank = 2, .dim = {0, 5}, .values = bias},
};
static const fv_meta_entry metadata[] = {
    {"model", "conv \"c1\"\n\ttab \\ \x01 \xc3\xa9 \xf0\x9f\x90\xb1"},
    {"format", "pt"},
};

static const char *write_small(scratch *s)
{
    const char *path = scratch_path(s, "small.safetensors");
    assert_int_equal(fv__safetensors_write(s->ctx, path, tensors, 4, metadata, 2), FV_OK);
    return path;
}

static void test_round_trip(void **state)
{
    scratch *s = *state;
    const char *path = write_small(s);
    fv_safetensors *file;
    float values[6];
    assert_int_equal(fv__safetensors_open(s->ctx, path, &file), FV_OK);
    assert_int_equal(fv__safetensors_n_tensors(file), 4);
    assert_int_equal(fv__safetensors_copy(file, "c1.weight", 2, (int[]){2, 3}, values), FV_OK);
    assert_memory_equal(values, weight, sizeof weight);
    assert_int_equal(fv__safetensors_copy(file, "c1.bias", 1, (int[]){2}, values), FV_OK);
    assert_memory_equal(values, bias, sizeof bias);
    assert_int_equal(fv__safetensors_copy(file, "step", 0, NULL, values), FV_OK);
    assert_memory_equal(values, bias + 1, sizeof bias[1]);
    assert_int_equal(fv__safetensors_find(file, "nothing")->n_bytes, 0);
    assert_null(fv__safetensors_find(file, "c1"));
    assert_string_equal(fv__safetensors_tensor(file, 0)->name, "c1.weight");
    assert_int_equal(fv__safetensors_n_meta(file), 2);
    assert_string_equal(fv__safetensors_meta_at(file, 0).key, "format");
    assert_string_equal(fv__safetensors_meta(file, "model"), metadata[0].value);
    assert_string_equal(fv__safetensors_meta(file, "format"), "pt");
    assert_null(fv__safetensors_meta(file, "c1.bias"));
    fv__safetensors_close(file);
    fv__safetensors_close(NULL);
}

/* The layout that other readers rely on: length, header from '{' to a multiple of 8, data in order. */
static void test_layout(void **state)
{
    scratch *s = *state;
    uint8_t bytes[2048];
    const size_t n = scratch_load(write_small(s), bytes, sizeof bytes);
    uint64_t n_header;
    memcpy(&n_header, bytes, 8);
    assert_int_equal(n_header % 8, 0);
    assert_int_equal(n, 8 + n_header + 24 + 8 + 4);
    assert_int_equal(bytes[8], '{');
    assert_memory_equal(bytes + 8 + n_header, weight, 24);
    assert_memory_equal(bytes + 8 + n_header + 24, bias, 8);
    bytes[8 + n_header] = 0;
    const char *const said = "\"c1.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]}";
    assert_non_null(strstr((char *)bytes + 8, said));
    assert_non_null(strstr((char *)bytes + 8, "conv \\\"c1\\\"\\n\\u0009tab \\\\ \\u0001 \xc3\xa9"));
}

static fv_status read_it(scratch *s, const char *path)
{
    fv_safetensors *file;
    float values[6];
    FV_TRY(fv__safetensors_open(s->ctx, path, &file));
    for (int i = 0; i < fv__safetensors_n_tensors(file);
         i++) { /* every byte that is promised must be there */
        const fv_tensor_entry *t = fv__safetensors_tensor(file, i);
        uint8_t *copy = malloc(t->n_bytes + 1);
        memcpy(copy, t->values, t->n_bytes);
        free(copy);
    }
    fv_status status = fv__safetensors_copy(file, "c1.weight", 2, (int[]){2, 3}, values);
    if (status == FV_ERR_INPUT && !fv__safetensors_find(file, "c1.weight"))
        status = FV_OK; /* the flipped bit was in the name */
    fv__safetensors_close(file);
    return status;
}

static void test_damage(void **state)
{
    scratch *s = *state;
    scratch_damage(s, write_small(s), read_it);
}

/* ---- headers by hand ------------------------------------------------------------------------------- */

static const char *by_hand(scratch *s, const char *header, size_t n_data)
{
    uint8_t bytes[4096] = {0};
    const uint64_t n = strlen(header);
    assert_in_range(8 + n + n_data, 8, sizeof bytes);
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, header, n);
    return scratch_file(s, "hand", bytes, 8 + n + n_data);
}

static fv_status open_hand(scratch *s, const char *header, size_t n_data)
{
    fv_safetensors *file;
    FV_TRY(fv__safetensors_open(s->ctx, by_hand(s, header, n_data), &file));
    fv__safetensors_close(file);
    return FV_OK;
}

static void test_liberal_header(void **state)
{
    scratch *s = *state;
    fv_safetensors *file;
    float values[2];
    /* Any order, white space, escapes, other dtypes; data at an odd address. */
    const char *header =
        "{ \"b\\u00e9\\ud83d\\udc31\\/\" :\n{\"data_offsets\":[ 1 ,5], \"shape\":[ ] ,\"dtype\":\"F32\"},"
        "\t\"a\":{\"dtype\":\"U8\",\"shape\":[1,1],\"data_offsets\":[0,1]},"
        "\"__metadata__\":{}}   ";
    assert_int_equal(fv__safetensors_open(s->ctx, by_hand(s, header, 5), &file), FV_OK);
    assert_string_equal(fv__safetensors_tensor(file, 0)->name, "a");
    assert_int_equal(fv__safetensors_copy(file, "b\xc3\xa9\xf0\x9f\x90\xb1/", 0, NULL, values), FV_OK);
    assert_failed(s, fv__safetensors_copy(file, "a", 2, (int[]){1, 1}, values), FV_ERR_INPUT,
                  "/hand: tensor a: expected F32, found U8");
    assert_failed(s, fv__safetensors_copy(file, "c", 0, NULL, values), FV_ERR_INPUT,
                  "/hand: expected a tensor called c, found none among its 2");
    fv__safetensors_close(file);
    assert_int_equal(open_hand(s, "{}", 0), FV_OK);
    assert_int_equal(fv__safetensors_open(s->ctx, write_small(s), &file), FV_OK);
    assert_failed(s, fv__safetensors_copy(file, "c1.weight", 3, (int[]){2, 3, 1}, values), FV_ERR_INPUT,
                  "tensor c1.weight: expected 2x3x1, found 2x3");
    assert_failed(s, fv__safetensors_copy(file, "c1.weight", 0, NULL, values), FV_ERR_INPUT,
                  "tensor c1.weight: expected a scalar, found 2x3");
    fv__safetensors_close(file);
}

#define T(name, dtype, shape, offsets)                                                                       \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_lies(void **state)
{
    scratch *s = *state;
    static const struct {
        const char *header;
        size_t n_data;
        const char *message;
    } lies[] = {
        {"", 0, "/hand: byte 8: expected '{', found the end"},
        {" {}", 0, "/hand: byte 8: expected '{', found the byte 0x20"},
        {"{}x", 0, "/hand: byte 10: expected nothing more, found 'x'"},
        {"{}", 3, "/hand: byte 10: expected the end of the file after the last tensor, found 3 bytes more"},
        {"{\"a\"}", 0, "/hand: byte 12: expected ':', found '}'"},
        {"{\"a\":{}}", 0, "/hand: byte 14: expected a string, found '}'"},
        {"{" T("a", "F32", "[1]", "[0,4]") ",}", 4, "expected a string, found '}'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4,
         "/hand: byte 40: tensor a: expected dtype, shape and data_offsets, found fewer"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 4,
         "/hand: byte 28: tensor a: expected dtype, shape and data_offsets, once each, found \"dtype\""},
        {"{\"a\":{\"type\":1}}", 4,
         "/hand: byte 14: tensor a: expected dtype, shape and data_offsets, once each, found \"type\""},
        {"{" T("a", "F31", "[1]", "[0,4]") "}", 4,
         "/hand: byte 22: expected a dtype such as F32, found \"F31\""},
        {"{" T("a", "F32", "[-1]", "[0,4]") "}", 4, "/hand: byte 37: expected a whole number, found '-'"},
        {"{" T("a", "F32", "[1.0]", "[0,4]") "}", 4,
         "/hand: byte 38: expected a whole number's end, found '.'"},
        {"{" T("a", "F32", "[01]", "[0,4]") "}", 4,
         "/hand: byte 38: expected no digit after a leading zero, found '1'"},
        {"{" T("a", "F32", "[9223372036854775808]", "[0,4]") "}", 4,
         "/hand: byte 55: expected a number below 2^63, found '8'"},
        {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4,
         "/hand: byte 53: expected ']', the list being long enough, found '1'"},
        {"{" T("a", "F32", "[2]", "[0,4]") "}", 4,
         "/hand: byte 61: tensor a: expected 8 bytes of data for its shape, found 4"},
        {"{" T("a", "F32", "[4611686018427387904,4]", "[0,0]") "}", 0,
         "tensor a: expected more than 18446744073709551615 bytes of data for its shape, found 0"},
        {"{" T("a", "F32", "[1]", "[0,4]") "}", 3,
         "/hand: byte 61: tensor a: expected data_offsets within the 3 bytes of data, found 0 to 4"},
        {"{" T("a", "F32", "[1]", "[4,0]") "}", 8,
         "/hand: byte 61: tensor a: expected data_offsets within the 8 bytes of data, found 4 to 0"},
        {"{" T("a", "F32", "[1]", "[4,8]") "}", 8,
         "/hand: byte 62: expected the next tensor, found a starting at byte 66: there is a gap"},
        {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[2,6]") "}", 6,
         "/hand: byte 119: expected the next tensor, found b starting at byte 117: tensors overlap"},
        {"{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[4,8]") "}", 8,
         "/hand: byte 8: two tensors are called a"},
        {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0,
         "/hand: byte 8: __metadata__ has the key k twice"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0,
         "/hand: byte 42: expected __metadata__ once, found '{'"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "/hand: byte 29: expected a string, found '1'"},
        {"{\"\\u0000\":{}}", 0, "/hand: byte 16: expected no NUL in a string before here, found '\"'"},
        {"{\"\\ud83d\":{}}", 0, "/hand: byte 16: expected the second half of a surrogate pair, found '\"'"},
        {"{\"\\udc00\":{}}", 0,
         "/hand: byte 16: expected the first half of a surrogate pair before here, found '\"'"},
        {"{\"\\u12g4\":{}}", 0, "/hand: byte 14: expected a hexadecimal digit of \\u, found 'g'"},
        {"{\"\\x\":{}}", 0, "/hand: byte 11: expected an escape of JSON after \\, found 'x'"},
        {"{\"\xc0\x80\":{}}", 0,
         "/hand: byte 10: expected a UTF-8 character, control characters escaped, found the byte 0xc0"},
        {"{\"a\nb\":{}}", 0,
         "/hand: byte 11: expected a UTF-8 character, control characters escaped, found the byte 0x0a"},
        {"{\"a\\nb\":{}}", 0,
         "/hand: byte 15: expected a name without control characters before here, found ':'"},
        {"{\"abc", 0, "/hand: byte 13: expected the closing quote of a string, found the end"},
        {"{\"abc\\\"", 0, "/hand: byte 15: expected the closing quote of a string, found the end"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        assert_failed(s, open_hand(s, lies[i].header, lies[i].n_data), FV_ERR_INPUT, lies[i].message);
}

static void test_header_length(void **state)
{
    scratch *s = *state;
    fv_safetensors *file;
    uint8_t bytes[16] = {9, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    assert_failed(s, fv__safetensors_open(s->ctx, scratch_file(s, "h", bytes, 10), &file), FV_ERR_INPUT,
                  "/h: byte 0: expected a header of at most 2 bytes, found 9");
    memset(bytes, 255, 8);
    assert_failed(s, fv__safetensors_open(s->ctx, scratch_file(s, "h", bytes, 10), &file), FV_ERR_INPUT,
                  "/h: byte 0: expected a header of at most 2 bytes, found 18446744073709551615");
    assert_failed(s, fv__safetensors_open(s->ctx, scratch_file(s, "h", bytes, 7), &file), FV_ERR_INPUT,
                  "/h: byte 0: expected the 8 bytes of the header's length, found 7");
}

static void test_write_mistakes(void **state)
{
    scratch *s = *state;
    const char *path = scratch_path(s, "never");
    fv_tensor_entry two[2] = {tensors[1], tensors[1]};
    assert_failed(s, fv__safetensors_write(s->ctx, path, two, 2, NULL, 0), FV_ERR_ARGUMENT,
                  "/never: two tensors are called c1.bias");
    two[1].name = "__metadata__";
    assert_failed(s, fv__safetensors_write(s->ctx, path, two, 2, NULL, 0), FV_ERR_ARGUMENT,
                  "/never: a tensor cannot be called __metadata__");
    two[0].dim[0] = -1;
    assert_failed(s, fv__safetensors_write(s->ctx, path, two, 1, NULL, 0), FV_ERR_ARGUMENT,
                  "/never: tensor c1.bias: dimension 0: -1 is impossible");
    assert_false(fv__file_exists(path));
    /* Whichever allocation fails while writing, no file and no temporary is left. */
    fv_status status = FV_ERR_MEMORY;
    const int before = scratch_count(s->folder);
    for (int k = 0; status != FV_OK; k++) {
        s->fail_at = k;
        status = fv__safetensors_write(s->ctx, path, tensors, 4, metadata, 2);
        s->fail_at = -1;
        assert_true(status == FV_OK || status == FV_ERR_MEMORY);
        assert_int_equal(scratch_count(s->folder), before + (status == FV_OK));
        assert_in_range(k, 0, 1000);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_layout),
        cmocka_unit_test(test_damage),         cmocka_unit_test(test_liberal_header),
        cmocka_unit_test(test_lies),           cmocka_unit_test(test_header_length),
        cmocka_unit_test(test_write_mistakes),
    };
    return cmocka_run_group_tests(cases, scratch_setup, scratch_teardown);
}
