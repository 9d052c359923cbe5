/* test_attributes.c - attributes of every type, set from words: what is stored, and what each mistake says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph/op.h"
#include "one_context.h"

#include <stdio.h>
#include <string.h>

typedef struct attrs {
    int whole;
    float number;
    fv_sizes sizes, pad;
    fv_choice border;
    int n_order, order[4];
    int n_table, table[8];
} attrs;

static const char *const same[] = {"same", NULL};
static const char *const borders[] = {"zero", "edge", "constant:", NULL};

static const fv_attr_spec specs[] = {
    {"whole", FV_ATTR_INT, offsetof(attrs, whole), 1, 9, 2},
    {"number", FV_ATTR_FLOAT, offsetof(attrs, number), 0, 1, 0.5},
    {"sizes", FV_ATTR_SIZES, offsetof(attrs, sizes), 1, 1024, 7},
    {"pad", FV_ATTR_SIZES, offsetof(attrs, pad), 0, 1024, 0, .choices = same},
    {"border", FV_ATTR_CHOICE, offsetof(attrs, border), -10, 10, 1, .choices = borders},
    {"order", FV_ATTR_LIST, offsetof(attrs, n_order), 0, 5, .count = 4},
    {"table", FV_ATTR_TABLE, offsetof(attrs, n_table), 0, 99, .count = 8},
};

static const fv_op op = {
    .name = "made-up", .attr_bytes = sizeof(attrs), .attrs = specs, .n_attrs = sizeof specs / sizeof *specs};

static attrs set(const char *word, const char *value)
{
    attrs a;
    fv__attrs_default(&op, &a);
    if (fv__attrs_set(ctx, &op, &a, word, value, "m") != FV_OK)
        fail_msg("%s=%s: %s", word, value, fv_message(ctx));
    return a;
}

static void test_defaults(void **state)
{
    (void)state;
    attrs a;
    memset(&a, 0xff, sizeof a);
    fv__attrs_default(&op, &a);
    assert_true(a.whole == 2 && a.number == 0.5f && a.sizes.n == 1 && a.sizes.at[0] == 7);
    assert_true(a.pad.n == 1 && a.pad.at[0] == 0 && a.border.index == 1 && a.n_order == 0 && a.n_table == 0);
}

static void test_values(void **state)
{
    (void)state;
    assert_int_equal(set("whole", "9").whole, 9);
    assert_true(set("number", "0.25").number == 0.25f);
    const fv_sizes three = set("sizes", "3x5x7").sizes, pad = set("pad", "same").pad;
    assert_true(three.n == 3 && three.at[0] == 3 && three.at[1] == 5 && three.at[2] == 7);
    assert_true(pad.n == 0 && pad.at[0] == 0);
    const fv_choice zero = set("border", "zero").border, constant = set("border", "constant:-2.5").border;
    assert_true(zero.index == 0 && constant.index == 2 && constant.value == -2.5f);
    const attrs a = set("order", "2x0x1"), t = set("table", "0.12/3/4.5");
    assert_true(a.n_order == 3 && a.order[0] == 2 && a.order[1] == 0 && a.order[2] == 1);
    const int table[] = {0, 12, -1, 3, -1, 4, 5, -1};
    assert_int_equal(t.n_table, 8);
    assert_memory_equal(t.table, table, sizeof table);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"whole", "2x2", "m: whole: expected a whole number, found '2x2'"},
        {"whole", "10", "m: whole: expected 1 to 9, found '10'"},
        {"whole", "", "m: whole: expected a whole number, found ''"},
        {"number", "much", "m: number: expected a number, found 'much'"},
        {"sizes", "3x",
         "m: sizes: expected a whole number, or one for each direction, as 3 or 3x5, found '3x'"},
        {"sizes", "3x0", "m: sizes: expected 1 to 1024, found '3x0'"},
        {"sizes", "1x2x3x4", "m: sizes: expected at most 3 numbers, found '1x2x3x4'"},
        {"sizes", "same",
         "m: sizes: expected a whole number, or one for each direction, as 3 or 3x5, found 'same'"},
        {"pad", "sane",
         "m: pad: expected a whole number, or one for each direction, as 3 or 3x5, or same, found 'sane'"},
        {"border", "mirror", "m: border: expected zero, edge, or constant:, found 'mirror'"},
        {"border", "constant:", "m: border: expected zero, edge, or constant:, found 'constant:'"},
        {"border", "constant:11", "m: border: expected -10 to 10, found 'constant:11'"},
        {"order", "0x1x2x3x4", "m: order: expected at most 4 numbers, found '0x1x2x3x4'"},
        {"order", "1.2", "m: order: expected whole numbers, as 2x0x1, found '1.2'"},
        {"table", "1.2//3", "m: table: expected rows of whole numbers, as 0.1/1.2, found '1.2//3'"},
        {"table", "1.-1", "m: table: expected rows of whole numbers, as 0.1/1.2, found '1.-1'"},
        {"table", "1.100", "m: table: expected 0 to 99, found '1.100'"},
        {"table", "1.2.3.4.5.6.7.8", "m: table: expected at most 8 numbers, found '1.2.3.4.5.6.7.8'"},
        {"table", "1.100", "m: table: expected 0 to 99, found '1.100'"},
        {"table", "1.2.3.4.5.6.7/8", "m: table: expected at most 8 numbers, found '1.2.3.4.5.6.7/8'"},
        {"bordr", "zero", "m: unknown word 'bordr'; nearest is 'border'"},
        {"xyzzy", "1", "m: unknown word 'xyzzy'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        attrs a, before;
        fv__attrs_default(&op, &a);
        before = a;
        assert_int_equal(fv__attrs_set(ctx, &op, &a, rows[i][0], rows[i][1], "m"), FV_ERR_INPUT);
        assert_string_equal(fv_message(ctx), rows[i][2]);
        assert_memory_equal(&a, &before, sizeof a);
    }
}

static void test_spread(void **state)
{
    (void)state;
    const fv_sizes one = {1, {4}}, two = {2, {3, 5}};
    int out[FV_DIRECTIONS];
    assert_int_equal(fv__sizes_spread(ctx, &one, 3, "stride", "m", out), FV_OK);
    assert_true(out[0] == 4 && out[1] == 4 && out[2] == 4);
    assert_int_equal(fv__sizes_spread(ctx, &two, 2, "stride", "m", out), FV_OK);
    assert_true(out[0] == 3 && out[1] == 5);
    static const char *const messages[] = {
        [1] = "m: stride: expected one number, for the input has one direction, found 2",
        [3] = "m: stride: expected one number, or three for the input's three directions, found 2"};
    for (int n = 1; n <= 3; n += 2) {
        assert_int_equal(fv__sizes_spread(ctx, &two, n, "stride", "m", out), FV_ERR_INPUT);
        assert_string_equal(fv_message(ctx), messages[n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_mistakes), cmocka_unit_test(test_spread)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
