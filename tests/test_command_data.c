/* test_command_data.c - the command `fovea` and data of people: class folders from training to prediction, a
 * table, and `data info`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "command_line.h"

#define TINY "--model tiny.fovea --batch 8 --threads 2 --quiet"

/* A gray picture of h x w with a bright left or right half, a little different each time. */
static void write_half(const char *path, int h, int w, bool right, int number)
{
    static unsigned char bytes[64 + 64 * 64];
    const int header = sprintf((char *)bytes, "P5\n%d %d\n255\n", w, h);
    for (int i = 0; i < h * w; i++)
        bytes[header + i] =
            (unsigned char)(((i % w >= w / 2) == right ? 200 : 20) + (i * 7 + number * 13) % 40);
    write_file(path, bytes, (size_t)(header + h * w));
}

/* Two classes of 20 pictures of 12x10 for a model of 1x8x8. */
static void write_halves(void)
{
    static const char text[] = "input image 1x8x8\nflatten\nlinear out 2\nsoftmax\n";
    char path[64];
    if (mkdir("halves", 0700) != 0)
        return;
    assert_int_equal(mkdir("halves/left", 0700), 0);
    assert_int_equal(mkdir("halves/right", 0700), 0);
    for (int i = 0; i < 40; i++) {
        snprintf(path, sizeof path, "halves/%s/%d.pgm", i % 2 ? "right" : "left", i);
        write_half(path, 12, 10, i % 2, i);
    }
    write_file("tiny.fovea", text, sizeof text - 1);
}

/* What was done is said, recorded with the run, and done again by eval and predict. */
static void from_training_to_prediction(void **state)
{
    (void)state;
    write_halves();
    expect("train --model tiny.fovea --batch 8 --epochs 5 --data halves --split 0.25 --out run", 0,
           "training set: of 30 pictures 30 resized from 12x10 to 8x8 (crop)");
    assert_non_null(strstr(out, "test error 0.00%"));
    expect("eval run --json", 0, NULL);
    assert_non_null(strstr(out, "\"data\":\"halves:split=0.25\",\"split\":\"test\",\"images\":10,"));
    write_half("wide.pgm", 20, 40, true, 1);
    expect("predict run wide.pgm --json", 0, "wide.pgm: resized from 20x40 to 8x8 (crop)");
    assert_string_equal(find_member(out, "class"), "\"right\"");
    expect("predict run wide.pgm --json --invert", 0, "wide.pgm: resized from 20x40 to 8x8 (crop), inverted");
    assert_string_equal(find_member(out, "class"), "\"left\"");
    expect_message("predict run wide.pgm --as-is", 3,
                   "wide.pgm: expected a picture of 1x8x8 (channels, height, width), found 1x20x40");
    expect_message("predict run --data halves --index 1 --invert", 2, "--as-is and --invert are for files");
    expect_message("train --resume run --fit pad", 2, "a resumed run keeps those of its data");
}

/* A picture of another brightness than the training set's. */
static void warnings(void **state)
{
    (void)state;
    write_halves();
    char path[64];
    assert_int_equal(mkdir("dark", 0700), 0);
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "dark/%d", k);
        assert_int_equal(mkdir(path, 0700), 0);
        for (int i = 0; i < 4; i++) {
            unsigned char bytes[11 + 64] = "P5\n8 8\n255\n";
            snprintf(path, sizeof path, "dark/%d/%d.pgm", k, i);
            bytes[11 + 9 * k + i] = 255;
            write_file(path, bytes, sizeof bytes);
        }
    }
    unsigned char white[11 + 64] = "P5\n8 8\n255\n";
    memset(white + 11, 255, 64);
    white[20] = 0;
    write_file("white.pgm", white, sizeof white);
    expect("train " TINY " --epochs 1 --data dark --out dark-run", 0, NULL);
    expect("predict dark-run white.pgm", 0, "of the training set; inverted, it would be near (--invert)");
    expect("predict dark-run white.pgm --invert", 0, "white.pgm: inverted");
    assert_null(strstr(err, "deviations"));
}

/* With little memory the same bits; stopped between two epochs and resumed, too. */
static void little_memory_and_resume(void **state)
{
    (void)state;
    char hash[256], words[200];
    write_halves();
    expect("train " TINY " --epochs 4 --data halves:split=0.1 --out whole --json", 0, NULL);
    snprintf(hash, sizeof hash, "%s", find_member(check_json_lines(1), "hash"));
    expect("train " TINY " --epochs 4 --data halves:split=0.1 --out little --cache-memory 1K --json", 0,
           NULL);
    assert_string_equal(find_member(check_json_lines(1), "hash"), hash);
    expect("train " TINY " --epochs 2 --data halves:split=0.1 --out parts --json", 0, NULL);
    expect("train --resume parts --epochs 4 --cache-memory 1K --quiet --json", 0, NULL);
    assert_string_equal(find_member(check_json_lines(1), "hash"), hash);
    expect_message("train " TINY " --data halves:splt=0.1", 3, "nearest is 'split'");
    snprintf(words, sizeof words, "train %s --data halves --cache-memory lots", TINY);
    expect_message(words, 2, "--cache-memory takes a number of bytes, as 500M or 2G, found \"lots\"");
    write_half("halves/left/0.pgm", 12, 10, true, 3);
    expect_message("train --resume parts --epochs 5 --quiet", 3, "found other pixels or labels");
}

/* Unreadable files stop a run, or are left out and counted; identical ones are found. */
static void looking_at_data(void **state)
{
    (void)state;
    char path[64];
    assert_int_equal(mkdir("odd", 0700), 0);
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "odd/%d", k);
        assert_int_equal(mkdir(path, 0700), 0);
        for (int i = 0; i < 3; i++) {
            snprintf(path, sizeof path, "odd/%d/%d.pgm", k, i);
            write_half(path, 8 + i, 8, k, i == 2 ? 2 : i);
        }
    }
    write_half("odd/0/3.pgm", 8, 8, 1, 0); /* the same as odd/1/0.pgm */
    write_file("odd/1/cut.pgm", "P5 8 8 255 ", 11);
    write_halves();
    expect_message("train " TINY " --epochs 1 --data odd --out odd-run", 3, "odd/1/cut.pgm");
    expect("train --model tiny.fovea --epochs 1 --data odd --out odd-run --skip-unreadable", 0,
           "1 unreadable files were left out");
    expect("data info odd", 0, NULL);
    assert_non_null(strstr(out, "sizes        from 8x8 to 10x8 (height, width); 7 gray, 0 coloured"));
    assert_non_null(strstr(out, "odd/0/3.pgm (0)"));
    assert_non_null(strstr(out, "1 of another class"));
    assert_non_null(strstr(out, "unreadable   1 files of train\n    odd/1/cut.pgm: "));
    expect("data info odd --json", 0, NULL);
    check_json_lines(3);
    assert_non_null(strstr(out, "\"identical_within\":1,\"unreadable\":1,"));
    expect_message("data inform odd", 2, "unknown operand inform");
    expect_message("data info", 2, "nothing to look at");
    expect("train --help", 0, NULL);
    assert_non_null(strstr(out, "what --data takes\n"));
}

/* A table: the classes of a column of texts, and a model of a vector. */
static void tables(void **state)
{
    (void)state;
    static const char text[] = "input vector 2\nlinear out 3\nsoftmax\n";
    char table[4096] = "x,y,kind\n";
    for (int i = 0; i < 90; i++)
        sprintf(table + strlen(table), "%d.5,%d,%s\n", i % 3 * 10 + i / 30, i % 5,
                i % 3 == 0   ? "low"
                : i % 3 == 1 ? "mid"
                             : "top");
    write_file("table.csv", table, strlen(table));
    write_file("vector.fovea", text, sizeof text - 1);
    expect("train --model vector.fovea --data table.csv:split=0.2 --batch 8 --epochs 10 --lr 0.3 --out csv "
           "--quiet",
           0, NULL);
    assert_non_null(strstr(out, "test error 0.00%"));
    expect("eval csv", 0, NULL);
    assert_non_null(strstr(out, "mid"));
    expect("data info table.csv --json", 0, NULL);
    assert_non_null(strstr(out, "\"samples\":90,"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_training_to_prediction),
        cmocka_unit_test(warnings),
        cmocka_unit_test(little_memory_and_resume),
        cmocka_unit_test(looking_at_data),
        cmocka_unit_test(tables),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
