/* test_command_files.c - the command `fovea` and files: pictures to look at, model text from other editors,
 * and run folders that are full or in use. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "command_line.h"
#include "fovea.h"

/* A test digit as a PGM, with each pixel as `width` bytes. */
static void write_digit(const char *path, int index, int width)
{
    static unsigned char bytes[64 + 2 * 28 * 28];
    fv_context *ctx = NULL;
    fv_data *data = NULL;
    const fv_data_options options = {.limit = index + 1};
    assert_int_equal(fv_context_create(NULL, &ctx, NULL, 0), FV_OK);
    assert_int_equal(fv_data_open(ctx, "digits", FV_SPLIT_TEST, &options, &data), FV_OK);
    const uint8_t *pixels = fv_data_pixels(data, index);
    size_t n = (size_t)sprintf((char *)bytes, "P5\n# a digit\n28 28\n%d\n", width == 2 ? 65535 : 255);
    for (int i = 0; i < 28 * 28; i++)
        for (int k = 0; k < width; k++)
            bytes[n++] = pixels[i]; /* 257 p of 65535 is p of 255 */
    write_file(path, bytes, n);
    fv_data_destroy(data);
    fv_context_destroy(ctx);
}

/* From "probabilities" to the end of the line, cut out of `out`. */
static void take_probabilities(char *text, size_t bytes)
{
    const char *at = strstr(out, "\"probabilities\":");
    assert_non_null(at);
    assert_true(strcspn(at, "\n") < bytes);
    snprintf(text, bytes, "%.*s", (int)strcspn(at, "\n"), at);
}

/* A picture in a file is seen as the same picture of the data set is, and said to be a digit. */
static void pictures(void **state)
{
    (void)state;
    enum { INDEX = 5 };
    static const char *const files[] = {"digit.pgm", "digit16.pgm"};
    char wanted[1024], found[1024], digit[16];
    expect("train --model linear --epochs 3 --out seer --quiet " SMALL, 0, NULL);
    write_digit(files[0], INDEX, 1);
    write_digit(files[1], INDEX, 2);
    expect("predict seer --data digits --index 5 --json", 0, NULL);
    take_probabilities(wanted, sizeof wanted);
    const int label = atoi(find_member(out, "label"));
    assert_in_range(label, 0, 9);
    snprintf(digit, sizeof digit, "\"%d\"", label);
    for (int i = 0; i < 2; i++) {
        char line[64], shown[32];
        snprintf(line, sizeof line, "predict seer %s --json", files[i]);
        expect(line, 0, NULL);
        check_json_lines(1);
        take_probabilities(found, sizeof found);
        assert_string_equal(found, wanted);
        assert_string_equal(find_member(out, "class"), digit);
        assert_int_equal(atoi(find_member(out, "label")), label);
        snprintf(line, sizeof line, "predict seer %s", files[i]);
        expect(line, 0, NULL);
        assert_non_null(strstr(out, files[i]));
        snprintf(shown, sizeof shown, "  %d  ##", label); /* the first and longest bar */
        assert_non_null(strstr(out, shown));
    }
}

/* A file that cannot be read is told, the others are looked at, and the exit code remembers it. */
static void one_bad_file(void **state)
{
    (void)state;
    expect("train --model linear --epochs 1 --out looker --quiet " SMALL, 0, NULL);
    write_digit("good.pgm", 0, 1);
    write_digit("fine.pgm", 1, 1);
    write_file("noise.pgm", "P9 what", 7);
    expect("predict looker good.pgm noise.pgm missing.pgm fine.pgm", 3, "fovea predict: noise.pgm: ");
    assert_non_null(strstr(err, "fovea predict: missing.pgm: "));
    assert_non_null(strstr(err, "fovea predict: 2 of 4 files failed\n"));
    assert_non_null(strstr(out, "good.pgm"));
    assert_non_null(strstr(out, "fine.pgm"));
    assert_int_equal(run("predict looker noise.pgm good.pgm missing.pgm fine.pgm --json"), 3);
    const char *line = out;
    static const char *const events[] = {
        "{\"event\":\"error\",\"source\":\"noise.pgm\",\"message\":\"noise.pgm: ",
        "{\"event\":\"prediction\",\"source\":\"good.pgm\"",
        "{\"event\":\"error\",\"source\":\"missing.pgm\",\"message\":\"missing.pgm: ",
        "{\"event\":\"prediction\",\"source\":\"fine.pgm\""};
    check_json_lines(4);
    for (int i = 0; i < 4; i++, line = strchr(line, '\n') + 1)
        assert_int_equal(strncmp(line, events[i], strlen(events[i])), 0);
    assert_string_equal(line, "");
    /* Places in a data set are all looked up before anything is said. */
    expect_message("predict looker --data digits --index 3,100000", 2, "--index 100000: the test set");
}

/* Of a model that ends in neither softmax nor sigmoid the outputs are no probabilities. */
static void values(void **state)
{
    (void)state;
    static const char text[] = "input image 1x28x28\nflatten\nlinear out 10\nloss squared-error\n";
    write_file("squares.fovea", text, sizeof text - 1);
    expect("train --model squares.fovea --lr 0.0003 --epochs 2 --out squares --quiet " SMALL, 0, NULL);
    expect("predict squares --data digits --index 3,4,5", 0, NULL);
    for (const char *p = out + 1; *p; p++) /* the pictures' own '%' stand behind no digit */
        assert_false(*p == '%' && p[-1] >= '0' && p[-1] <= '9');
    expect("predict squares --data digits --index 3 --json", 0, NULL);
    check_json_lines(1);
    assert_null(strstr(out, "probabilit"));
    const char *all = strstr(out, "\"values\":[");
    const double value = atof(find_member(out, "value"));
    const int label = atoi(find_member(out, "label"));
    assert_non_null(all);
    all += strlen("\"values\":[");
    double sum = 0;
    for (int k = 0; k < 10; k++) {
        char *end;
        const double output = strtod(all, &end);
        assert_true(end > all && (output <= value + 1e-5));
        assert_true(k != label || output > value - 1e-5);
        sum += output;
        all = end + 1;
    }
    assert_true(sum < 0.99 || sum > 1.01); /* as it happens with this seed */
    expect("info squares --json", 0, NULL);
    assert_string_equal(find_member(check_json_lines(3), "outputs"), "\"values\"");
    expect("info linear --json", 0, NULL);
    assert_string_equal(find_member(check_json_lines(3), "outputs"), "\"probabilities\"");
    expect("info logistic --json", 0, NULL);
    assert_string_equal(find_member(check_json_lines(3), "outputs"), "\"probabilities\"");
}

/* Outputs have the numbers of the classes that were trained on: another choice would measure nonsense. */
static void classes_of_a_run(void **state)
{
    (void)state;
    expect("train --model logistic --classes 3,8 --epochs 1 --out pair --quiet " SMALL, 0, NULL);
    expect("train --model linear --epochs 1 --out ten --quiet " SMALL, 0, NULL);
    expect("eval pair --classes 3,8 --limit 100", 0, NULL);
    expect("predict pair --data digits --classes 3,8 --index 1", 0, NULL);
    expect_message("eval pair --classes 8,3", 2, "--classes: pair was trained on other classes");
    expect_message("eval pair --classes 3", 2, "--classes: pair was trained on other classes");
    expect_message("eval ten --classes 3,8", 2, "expected as many as ten tells apart, 10, found 2");
    expect_message("predict ten --data digits --classes 3,8 --index 1", 2, "as many as ten tells apart");
}

/* What the demo proposes can be typed as it stands: it names the program as the program was called. */
static void proposals(void **state)
{
    (void)state;
    char wanted[512];
    expect("demo --model linear --epochs 1 --limit 300 --out demo --quiet", 0, NULL);
    snprintf(wanted, sizeof wanted, "\n  %.400s eval demo ", getenv("FOVEA_COMMAND"));
    assert_non_null(strstr(out, wanted));
}

/* A mark at the beginning and other ends of lines make no other model. */
static void foreign_text(void **state)
{
    (void)state;
    static const char unix_text[] = "input image 1x28x28\nflatten\nlinear out 10\nsoftmax\n",
                      other_text[] = "\xef\xbb\xbfinput image 1x28x28\r\nflatten\r\nlinear out 10\r\nsoftmax";
    char hash[2][32];
    write_file("unix.fovea", unix_text, sizeof unix_text - 1);
    write_file("other.fovea", other_text, sizeof other_text - 1);
    expect("train --model unix.fovea --epochs 1 --out unix --json --quiet " SMALL, 0, NULL);
    final_hash(hash[0]);
    expect("train --model other.fovea --epochs 1 --out other --json --quiet " SMALL, 0, NULL);
    final_hash(hash[1]);
    assert_string_equal(hash[0], hash[1]);
    expect("eval other --limit 100", 0, NULL);
}

/* A file that may not grow stands for a full disk. The run fails with a message, not by a signal, and leaves
 * no weights, whole or half. */
static void full_disk(void **state)
{
    (void)state;
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    const struct rlimit small = {20000, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const pid_t child = start("train --model linear --epochs 1 --out full --quiet " SMALL, "out");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(await(child), 1);
    assert_string_equal(err, "fovea train: full/last.safetensors: cannot write: File too large\n");
    static const char *const none[] = {"full/last.safetensors", "full/last.safetensors.0.tmp",
                                       "full/best.safetensors"};
    for (int i = 0; i < 3; i++)
        assert_int_equal(access(none[i], F_OK), -1);
    expect_message("eval full", 3, "full: not a run folder; it holds no model.fovea and no weights");
    expect("train --model linear --epochs 1 --out full --quiet " SMALL, 0, NULL); /* now there is room */
}

/* What lies at the names of temporary files neither stops a run nor is changed by it; a file of a run may be
 * a link to another place. */
static void odd_files(void **state)
{
    (void)state;
    struct stat info;
    assert_int_equal(mkdir("odd", 0700), 0);
    write_file("precious", "precious", 8);
    assert_int_equal(mkfifo("odd/model.fovea.0.tmp", 0600), 0);
    assert_int_equal(mkfifo("odd/model.fovea.tmp", 0600), 0);
    assert_int_equal(link("precious", "odd/args.json.0.tmp"), 0);
    assert_int_equal(symlink("../precious", "odd/log.csv.0.tmp"), 0);
    expect("train --model linear --epochs 2 --out odd --quiet " SMALL, 0, NULL);
    slurp("precious", out);
    assert_string_equal(out, "precious");
    assert_int_equal(rename("odd/last.safetensors", "elsewhere.safetensors"), 0);
    assert_int_equal(symlink("../elsewhere.safetensors", "odd/last.safetensors"), 0);
    expect("train --resume odd --epochs 3 --quiet", 0, NULL);
    assert_int_equal(lstat("odd/last.safetensors", &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(lstat("elsewhere.safetensors", &info), 0);
    assert_true(S_ISREG(info.st_mode));
    expect("train --resume odd --epochs 4 --quiet", 0, NULL);
    expect("eval odd --limit 100", 0, NULL);
}

/* A second run into the folder of one that is going is refused, and the first does not notice. */
static void two_runs(void **state)
{
    (void)state;
    char hash[2][32];
    expect("train --model mlp --epochs 40 --out alone --json --quiet " SMALL, 0, NULL);
    final_hash(hash[0]);
    const pid_t child = start("train --model mlp --epochs 40 --out shared --json --quiet " SMALL, "first");
    for (int tries = 0; tries < 3000 && access("shared/best.safetensors", F_OK) != 0; tries++)
        usleep(5000);
    assert_int_equal(kill(child, SIGSTOP), 0); /* so that it is still there, however fast it is */
    expect("train --model linear --epochs 1 --out shared --replace --quiet " SMALL, 1,
           "fovea train: shared: another run is writing to this folder\n");
    expect_message("train --resume shared", 1, "shared: another run is writing to this folder");
    assert_int_equal(kill(child, SIGCONT), 0);
    assert_int_equal(await(child), 0);
    slurp("first", out);
    final_hash(hash[1]);
    assert_string_equal(hash[0], hash[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures),         cmocka_unit_test(one_bad_file), cmocka_unit_test(values),
        cmocka_unit_test(classes_of_a_run), cmocka_unit_test(proposals),    cmocka_unit_test(foreign_text),
        cmocka_unit_test(full_disk),        cmocka_unit_test(odd_files),    cmocka_unit_test(two_runs),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
