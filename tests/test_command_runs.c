/* test_command_runs.c - the command `fovea` and run folders: where a run goes, what it replaces, what it goes
 * on with, and what its classes are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "command_line.h"

/* ---- data sets of our own ---------------------------------------------------------------------------- */

enum { SIDE = 8 };

/* n images of 8x8 for each split: a bright bar at the height of the label, and some noise. */
static void write_data(const char *name, int n)
{
    static const char *const splits[] = {"train", "t10k"};
    static unsigned char bytes[16 + 400 * SIDE * SIDE];
    char path[256];
    assert_int_equal(mkdir(name, 0700), 0);
    uint32_t noise = 7;
    for (int s = 0; s < 2; s++) {
        unsigned char labels[8 + 400] = {0, 0, 8, 1, 0, 0, (unsigned char)(n >> 8), (unsigned char)n};
        const unsigned char head[16] = {0, 0, 8, 3, 0, 0, labels[6], labels[7], 0, 0, 0, SIDE, 0, 0, 0, SIDE};
        memcpy(bytes, head, sizeof head);
        for (int i = 0; i < n; i++) {
            noise = noise * 1664525u + 1013904223u;
            const int label = (int)(noise >> 16) % 10;
            labels[8 + i] = (unsigned char)label;
            for (int p = 0; p < SIDE * SIDE; p++) {
                noise = noise * 1664525u + 1013904223u;
                bytes[16 + i * SIDE * SIDE + p] =
                    (unsigned char)((noise >> 27) +
                                    (p / SIDE == label % SIDE ? 200u - 20u * (label / SIDE) : 0));
            }
        }
        snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", name, splits[s]);
        write_file(path, bytes, 16 + (size_t)n * SIDE * SIDE);
        snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", name, splits[s]);
        write_file(path, labels, 8 + (size_t)n);
    }
}

static void write_text_file(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

static void flip(const char *path, long from_end)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -from_end, SEEK_END), 0);
    const int c = fgetc(file);
    assert_int_equal(fseek(file, -from_end, SEEK_END), 0);
    assert_int_equal(fputc(c ^ 0x40, file), c ^ 0x40);
    assert_int_equal(fclose(file), 0);
}

/* Whether the text stands somewhere in the file, whatever else does. */
static bool holds(const char *path, const char *text)
{
    static char bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, sizeof bytes, file), n_text = strlen(text);
    fclose(file);
    for (size_t i = 0; i + n_text <= n; i++)
        if (memcmp(bytes + i, text, n_text) == 0)
            return true;
    return false;
}

static int enter_with_data(void **state)
{
    if (enter(state) != 0)
        return -1;
    write_data("bars", 100);
    write_text_file("ten.fovea", "input image 1x8x8\nflatten\nlinear a 16\nrelu\nlinear o 10\nsoftmax\n");
    write_text_file("two.fovea", "input image 1x8x8\nflatten\nlinear o 1\nsigmoid\n");
    static unsigned char image[11 + 64] = "P5 8 8 255\n";
    memset(image + 11 + 3 * SIDE, 200, SIDE);
    write_file("three.pgm", image, sizeof image);
    return 0;
}

#define TEN "--model ten.fovea --data bars --quiet "

/* ---- names of classes -------------------------------------------------------------------------------- */

/* The file of the weights names the classes, so a damaged one is an error, and a missing one no matter. */
static void classes_have_names(void **state)
{
    (void)state;
    expect("train --model two.fovea --data bars --classes 3,5 --epochs 20 --quiet --out pair", 0, NULL);
    for (int missing = 0; missing < 2; missing++) {
        expect("predict pair three.pgm --json", 0, NULL);
        assert_string_equal(find_member(out, "class"), "\"3\"");
        assert_string_equal(find_member(out, "label"), "0");
        expect("eval pair --json", 0, NULL);
        assert_non_null(strstr(out, "{\"event\":\"class\",\"class\":\"5\""));
        assert_string_equal(find_member(strstr(out, "\"score\""), "data"), "\"bars\"");
        if (!missing)
            assert_int_equal(unlink("pair/last.safetensors"), 0);
    }
    flip("pair/best.safetensors", 6);
    expect_message("predict pair three.pgm --json", 3, "pair/best.safetensors: the file is damaged");
    expect("train --model two.fovea --data bars --classes 3,5 --epochs 2 --quiet --out pair2", 0, NULL);
    flip("pair2/last.safetensors", 6);
    expect_message("predict pair2 three.pgm", 3, "pair2/last.safetensors: the file is damaged");
    expect_message("eval pair2", 3, "pair2/best.safetensors is there, and can be opened by its own name");
    expect("eval pair2/best.safetensors", 0, NULL);
    expect("predict pair2/best.safetensors three.pgm --json", 0, NULL);
    assert_string_equal(find_member(out, "class"), "\"3\"");
}

static void names_of_ones_own(void **state)
{
    (void)state;
    expect(
        "train --model two.fovea --data bars --classes 3,5 --class-names cat,dog --epochs 20 --quiet --out "
        "pets",
        0, NULL);
    expect("predict pets three.pgm --json", 0, NULL);
    assert_string_equal(find_member(out, "class"), "\"cat\"");
    expect("predict pets --data bars --index 0", 0, NULL);
    assert_true(strstr(out, "it is cat") || strstr(out, "it is dog"));
    expect("eval pets", 0, NULL);
    assert_non_null(strstr(out, "\n    cat "));
    assert_non_null(strstr(out, "\n    dog "));
    expect("eval pets --json", 0, NULL);
    assert_non_null(strstr(out, "{\"event\":\"class\",\"class\":\"dog\""));
    assert_true(holds("pets/best.safetensors", "\"class_names\":\"[\\\"cat\\\",\\\"dog\\\"]\""));
    expect_message("train " TEN "--class-names cat,dog --out x", 2,
                   "--class-names: expected 10 names with commas between, found 2");
    expect_message("train --model two.fovea --data bars --classes 3,5 --class-names cat, --out x", 2,
                   "name of class 1: expected 1 to 255 bytes of printable UTF-8, found an empty one");
    expect_message("train --resume pets --class-names a,b", 2, "a resumed run keeps its names");
}

static void too_many_classes(void **state)
{
    (void)state;
    expect_message(
        "train --model two.fovea --data bars --out x", 3,
        "bars: expected at most the 2 classes that the model tells apart, found 10; --classes keeps some, "
        "as --classes 0,1");
    expect("train --model two.fovea --data bars --classes 3,5 --epochs 1 --quiet --out few", 0, NULL);
    expect_message("train " TEN "--valid 100 --out x", 2,
                   "--valid 100: expected fewer than the 100 training "
                   "images of bars\n");
    expect_message("train " TEN "--limit 20 --valid 30 --out x", 2,
                   "20 training images of bars within --limit");
    assert_int_equal(access("x", F_OK), -1);
}

/* ---- what data are called, and how they are cut -------------------------------------------------------- */

static void names_are_not_cuts(void **state)
{
    (void)state;
    write_data("bars limit=5", 30);
    const char *const argv[] = {getenv("FOVEA_COMMAND"),
                                "train",
                                "--model",
                                "ten.fovea",
                                "--data",
                                "bars limit=5",
                                "--epochs",
                                "1",
                                "--json",
                                "--quiet",
                                "--out",
                                "blank",
                                NULL};
    pid_t child;
    assert_int_equal(posix_spawn(&child, argv[0], NULL, NULL, (char **)argv, environ), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(
        holds("blank/args.json", "\"data\": \"bars limit=5\",\n  \"classes\": null,\n  \"limit\": null,"));
    assert_true(holds("blank/last.safetensors", "\"images\":\"30\""));
    expect("train --resume blank --epochs 2 --quiet", 0, NULL);
    expect("train " TEN "--epochs 1 --classes 3,1 --limit 15 --out cut", 0, NULL);
    assert_true(holds("cut/args.json", "\"data\": \"bars\",\n  \"classes\": [3, 1],\n  \"limit\": 15,"));
    assert_true(holds("cut/last.safetensors", "\"classes\":\"[3,1]\""));
    expect("train --resume cut --epochs 2 --quiet", 0, NULL);
    expect_message("train --resume cut --limit 16", 2, "--limit 16: the run in cut has 15");
}

static void names_of_any_bytes(void **state)
{
    (void)state;
    write_data("caf\xe9", 40);
    expect("train --model ten.fovea --data caf\xe9 --epochs 1 --quiet --out any", 0,
           "the name of the data is not UTF-8, or longer than 4096 bytes, and is not recorded: --resume will "
           "need "
           "--data\n");
    assert_true(holds("any/args.json", "\"data\": null,"));
    expect_message("train --resume any --epochs 2", 2,
                   "--data is missing: the run in any does not say what it was trained on");
    expect_message("eval any", 2, "--data is missing");
    expect("train --resume any --data caf\xe9 --epochs 2 --quiet", 0, "is not recorded");
    expect("eval any --data caf\xe9", 0, NULL);
    expect_message("train --resume any --data bars --epochs 3", 3,
                   "expected the 40 training images that the run began with, found 100");
}

/* ---- going on ------------------------------------------------------------------------------------------ */

static void going_on_with_something_else(void **state)
{
    (void)state;
    expect("train " TEN "--epochs 2 --out base", 0, NULL);
    expect("train " TEN "--epochs 2 --out text", 0, NULL);
    write_text_file("text/model.fovea",
                    "input image 1x8x8\nflatten\nlinear a 16\ntanh\nlinear o 10\nsoftmax\n");
    expect_message("train --resume text --epochs 4", 3,
                   "text/model.fovea: the model text is not the one that the "
                   "weights belong to: line 4: expected 'relu', found 'tanh'");
    assert_non_null(strstr(err, "--force"));
    expect_message("eval text", 3, "text/model.fovea: the model text");
    expect("train --resume text --epochs 4 --force --quiet", 0, NULL);
    expect("train --resume text --epochs 5 --quiet", 0, NULL);
    expect("eval text", 0, NULL);
    flip("bars/train-images-idx3-ubyte", 500);
    expect_message("train --resume base --epochs 4 --quiet", 3,
                   "expected the training data that the run began with");
    flip("bars/train-images-idx3-ubyte", 500);
    expect("train --resume base --epochs 4 --quiet", 0, NULL);
    expect_message("train " TEN "--force", 2, "--force needs --resume");
    /* values are compared, not what they look like with six digits */
    expect_message("train --resume base --lr 0.0250000001", 2,
                   "--lr 0.0250000001: the run in base has 0.025; a resumed run keeps its options");
    expect("train --resume base --lr 2.5e-2 --momentum 0.90 --quiet", 0, NULL);
}

static void finished_runs(void **state)
{
    (void)state;
    expect("train " TEN "--epochs 3 --valid 20 --out done", 0, NULL);
    expect("train --resume done --quiet", 0, NULL);
    assert_int_equal(strncmp(out, "done is finished: 3 epochs, ", 28), 0);
    assert_non_null(strstr(out, "validation error "));
    assert_non_null(strstr(out, "test error "));
    assert_non_null(strstr(out, "for more epochs: fovea train --resume done --epochs "));
    flip("done/best.safetensors", 6); /* which is not needed */
    expect("train --resume done --epochs 4 --quiet", 0, NULL);
    assert_int_equal(strncmp(out, "4 epochs in ", 12), 0);
}

/* ---- where a run goes ---------------------------------------------------------------------------------- */

static void replacing(void **state)
{
    (void)state;
    char hash[3][32];
    expect("train " TEN "--epochs 2 --json --out kept", 0, NULL);
    final_hash(hash[0]);
    expect_message("train " TEN "--epochs 1 --out kept", 2,
                   "--out kept holds a trained run: --replace starts a new run in its place, --resume kept "
                   "continues it");
    expect_message("train --resume kept --replace", 2, "both --resume and --replace");
    expect_message("train --model two.fovea --data bars --replace --out kept", 3, "--classes");
    expect("train --resume kept --json --quiet", 0, NULL);
    final_hash(hash[1]);
    assert_string_equal(hash[0], hash[1]);
    expect("train " TEN "--epochs 1 --seed 5 --json --replace --out kept", 0, NULL);
    final_hash(hash[1]);
    expect("train --resume kept --json --quiet", 0, NULL);
    final_hash(hash[2]);
    assert_string_equal(hash[1], hash[2]);
    expect("train " TEN "--epochs 1 --replace --out fresh", 0, NULL); /* nothing there: fine */
}

static void models_without_a_name(void **state)
{
    (void)state;
    expect("train " TEN "--epochs 1 --out inner/run", 0, NULL);
    assert_int_equal(mkdir("inner/run/below", 0700), 0);
    expect_message("train --model inner/run/below/.. --data bars", 2,
                   "--out is missing: --model inner/run/below/.. gives no name for the run's folder\n");
    assert_int_equal(access("runs", F_OK), -1);
    assert_int_equal(chdir("inner/run/below"), 0);
    expect_message("train --model .. --data ../../../bars", 2, "--out is missing: --model .. gives no name");
    expect_message("train --model ../ --data ../../../bars", 2,
                   "--out is missing: --model ../ gives no name");
    assert_int_equal(access("../last.safetensors", R_OK), 0);
    assert_int_equal(chdir("../../.."), 0);
    expect("train --model inner/run/ --data bars --epochs 1 --quiet", 0, NULL);
    assert_int_equal(access("runs/run/last.safetensors", R_OK), 0);
    expect("train --model inner/run/best.safetensors --data bars --epochs 1 --quiet", 0, NULL);
    assert_int_equal(access("runs/best/last.safetensors", R_OK), 0);
}

/* Each of eight processes that begin at once has a folder of its own. */
static void eight_at_once(void **state)
{
    (void)state;
    pid_t child[8];
    char path[64];
    for (int i = 0; i < 8; i++)
        child[i] = start("train --threads 1 --epochs 2 " TEN, "out");
    for (int i = 0; i < 8; i++)
        if (await(child[i]) != 0)
            fail_msg("one of eight failed: %s", err);
    for (int i = 1; i <= 9; i++) {
        snprintf(path, sizeof path, i == 1 ? "runs/ten/last.safetensors" : "runs/ten-%d/last.safetensors", i);
        assert_int_equal(access(path, R_OK) == 0, i <= 8);
    }
    /* A run that fails before its first checkpoint leaves no folder. */
    expect("train --lr 1000 --batch 1 --momentum 0 --weight-decay 1000 " TEN, 4, NULL);
    expect_message("train --data bars --model ten.fovea --optimizer adagrad", 2, "--optimizer");
    assert_int_equal(access("runs/ten-10", F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_have_names),    cmocka_unit_test(names_of_ones_own),
        cmocka_unit_test(too_many_classes),      cmocka_unit_test(names_are_not_cuts),
        cmocka_unit_test(names_of_any_bytes),    cmocka_unit_test(going_on_with_something_else),
        cmocka_unit_test(finished_runs),         cmocka_unit_test(replacing),
        cmocka_unit_test(models_without_a_name), cmocka_unit_test(eight_at_once),
    };
    return cmocka_run_group_tests(tests, enter_with_data, leave);
}
