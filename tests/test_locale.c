/* test_locale.c - a host that has called setlocale: numbers are read and written with a point all the same.
 *
 * Everything is done in the C locale first, then under one that writes "0,5" and one whose point takes two
 * bytes; texts must be equal. The locales are compiled by localedef into a folder of the test's own; where
 * that is not there, installed ones are tried; without any the test is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/context.h"
#include "scratch.h"
#include "training.h"

#include <float.h>
#include <locale.h>
#include <math.h>

static const char model_text[] = "input image 1x6x6\nflatten\nlinear a 8 init=normal:0.01\nrelu\n"
                                 "dropout 0.25\nlinear out 2\nsoftmax\n";

static char folder[64];

/* True once numbers are written as "0,5" (or with a point of several bytes). */
static bool enter_locale(const char *const names[], int n)
{
    for (int i = 0; i < n; i++)
        if (setlocale(LC_ALL, names[i])) {
            print_message("locale %s\n", names[i]);
            return strcmp(localeconv()->decimal_point, ".") != 0;
        }
    return false;
}

/* Into `folder`, named as the locale. */
static void compile(const char *input, const char *name)
{
    char command[256];
    snprintf(command, sizeof command, "localedef -i %s -f UTF-8 %s/%s >/dev/null 2>&1", input, folder, name);
    if (system(command) != 0)
        print_message("localedef could not make %s\n", name);
}

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "locales-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    compile("de_DE", "fovea_comma");
    compile("ps_AF", "fovea_wide");
    /* LOCPATH would hide the installed ones. */
    char path[128];
    snprintf(path, sizeof path, "%s/fovea_comma", folder);
    return access(path, F_OK) == 0 ? setenv("LOCPATH", folder, 1) : 0;
}

static int teardown(void **state)
{
    (void)state;
    setlocale(LC_ALL, "C");
    scratch_remove(folder);
    return 0;
}

/* ---- what is written and read ------------------------------------------------------------------------- */

typedef struct account {
    char args[2048], log[2048], plan[8192], message[2][256];
    double lr, loss;
    uint64_t hash, resumed;
} account;

static void load(const char *run, const char *name, char *text, size_t bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", run, name);
    text[scratch_load(path, (uint8_t *)text, bytes - 1)] = '\0';
}

/* All but the last two columns, samples_per_s and seconds, which are other ones in each run. */
static void check_log(char *log)
{
    char *to = log;
    for (char *line = log; *line;) {
        const size_t n = strcspn(line, "\n");
        int commas = 0, kept = 0;
        for (size_t i = 0; i < n; i++) {
            commas += line[i] == ',';
            kept += commas < 5;
            if (line != log && !strchr("0123456789.,-e", line[i]))
                fail_msg("a line of log.csv holds something else than numbers: %.*s", (int)n, line);
        }
        assert_int_equal(commas, 6);
        memmove(to, line, (size_t)kept);
        to += kept;
        line += n + (line[n] == '\n');
    }
    *to = '\0';
}

static void give_account(scratch *s, const char *name, account *a)
{
    char run[256];
    snprintf(run, sizeof run, "%s", scratch_path(s, name));
    fv_model *m = training_model(s->ctx, model_text), *none = NULL, *resumed = NULL;
    fv_data *data = training_halves(s->ctx, 50, 1, 6, 6, 0);
    fv_train_options o = training_options(2, 8, 0.025), read = o;
    o.out = run;
    o.weight_decay = 0.1 / 3;
    assert_well(s->ctx, fv_train(m, data, data, &o, NULL, NULL));
    a->hash = fv_model_hash(m);
    load(run, "args.json", a->args, sizeof a->args);
    assert_well(s->ctx, fv_train_open_run(s->ctx, run, false, &resumed, &read));
    fv_model_destroy(resumed);
    assert_true(read.lr == o.lr && read.weight_decay == o.weight_decay);
    o.epochs = 3;
    o.resume = true;
    assert_well(s->ctx, fv_train(m, data, data, &o, NULL, NULL));
    a->resumed = fv_model_hash(m);
    load(run, "log.csv", a->log, sizeof a->log);
    check_log(a->log);
    char *plan = NULL;
    assert_well(s->ctx, fv_model_plan_text(m, 4, true, &plan));
    assert_true(strlen(plan) < sizeof a->plan);
    strcpy(a->plan, plan);
    fv_text_destroy(s->ctx, plan);
    fv_model_destroy(m);
    assert_int_equal(fv_model_from_text(s->ctx,
                                        "input image 1x6x6\nflatten\ndropout 1.5\nlinear o 2\nsoftmax\n",
                                        "wrong", &none),
                     FV_ERR_INPUT);
    snprintf(a->message[0], sizeof a->message[0], "%s", fv_message(s->ctx));
    o.momentum = 1.5;
    o.resume = false;
    m = training_model(s->ctx, model_text);
    assert_int_equal(fv_train(m, data, NULL, &o, NULL, NULL), FV_ERR_ARGUMENT);
    snprintf(a->message[1], sizeof a->message[1], "%s", fv_message(s->ctx));
    fv_model_destroy(m);
    fv_data_destroy(data);
}

static void equal_under(scratch *s, const char *const names[], int n)
{
    static account plain, here;
    setlocale(LC_ALL, "C");
    give_account(s, "plain", &plain);
    assert_non_null(strstr(plain.args, "\"lr\": 0.025,"));
    assert_non_null(strstr(plain.args, "\"weight_decay\": 0.03333333333333333,"));
    assert_non_null(strstr(plain.message[1], "momentum: expected 0 to 1, found 1.5"));
    if (!enter_locale(names, n)) {
        print_message(
            "skipped: there is no such locale, and localedef could not make one (the package locales)\n");
        skip();
    }
    char printed[16];
    snprintf(printed, sizeof printed, "%.1f", 0.5); /* the trap is there */
    assert_string_not_equal(printed, "0.5");
    give_account(s, "here", &here);
    assert_string_equal(here.args, plain.args);
    assert_string_equal(here.log, plain.log);
    assert_string_equal(here.plan, plain.plan);
    for (int i = 0; i < 2; i++)
        assert_string_equal(here.message[i], plain.message[i]);
    assert_true(here.hash == plain.hash && here.resumed == plain.resumed);
}

static void decimal_comma(void **state)
{
    static const char *const names[] = {"fovea_comma", "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8",
                                        "fr_FR.utf8",  "de_DE",       "fr_FR"};
    equal_under(*state, names, 7);
}

static void wide_point(void **state)
{
    static const char *const names[] = {"fovea_wide", "ps_AF.UTF-8", "ps_AF"};
    equal_under(*state, names, 3);
}

/* Whatever the locale: it is the one that the tests before left, or C. */
static void numbers(void **state)
{
    (void)state;
    assert_string_equal(fv__general(0.1, 6).text, "0.1");
    assert_string_equal(fv__general(-1.5e-7, 3).text, "-1.5e-07");
    assert_string_equal(fv__fixed(-1234.5678, 2).text, "-1234.57");
    assert_string_equal(fv__fixed(3, 0).text, "3");
    assert_string_equal(fv__fixed(1e300, 6).text, "1.0000000000000001e+300");
    assert_string_equal(fv__fixed(INFINITY, 6).text, "inf");
    assert_string_equal(fv__exact(0.025).text, "0.025");
    assert_string_equal(fv__exact(1).text, "1");
    uint64_t bits = 1;
    setlocale(LC_ALL, "C"); /* strtod's */
    for (int i = 0; i < 100000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value) && strtod(fv__exact(value).text, NULL) != value)
            fail_msg("%.17g becomes %s", value, fv__exact(value).text);
    }
    assert_true(strlen(fv__exact(-DBL_TRUE_MIN).text) < 30 &&
                strlen(fv__fixed(-999999999999999, 20).text) < 48);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {TEST(decimal_comma), TEST(wide_point), cmocka_unit_test(numbers)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
