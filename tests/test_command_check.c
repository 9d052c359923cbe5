/* test_command_check.c - fovea check: what it prints, on a terminal too, how it keeps to its time, and
 * Ctrl-C. */
#define _XOPEN_SOURCE 700 /* posix_openpt */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>

#include "command_line.h"

static void prints_a_table(void **state)
{
    (void)state;
    expect("check lenet5-relu --batch 2", 0, NULL);
    slurp("out", out);
    assert_non_null(strstr(out, "differences"));
    assert_non_null(strstr(out, "conv1.weight                   33        150"));
    assert_non_null(strstr(out, "all 10 gradients agree with 266 differences"));
    assert_string_equal(err, "");
    expect("check linear --json", 0, NULL);
    const char *const line = check_json_lines(2);
    assert_non_null(strstr(line, "\"checked\":11,\"values\":10,"));
    assert_non_null(strstr(line, "\"verdict\":\"ok\""));
}

/* Nothing is decided, which is no failure. */
static void no_time_left(void **state)
{
    (void)state;
    expect("check lenet5-relu --batch 2 --seconds 0.000001", 0, NULL);
    slurp("out", out);
    assert_non_null(strstr(out, "0 of 10 gradients agree with 0 differences; 0 are wrong, 10 not decided"));
    expect("check linear --json --seconds 0.000001", 0, NULL);
    assert_non_null(strstr(check_json_lines(2), "\"reference_error\":null"));
    assert_non_null(strstr(out, "\"verdict\":\"undecided\""));
}

static void wrong_options(void **state)
{
    (void)state;
    expect_message("check linear --batch 1025", 2, "1024");
    expect_message("check linear --batch 0", 2, "1024");
    expect_message("check linear --seconds -1", 2, "--seconds");
    expect_message("check linear --seconds nan", 2, "--seconds");
}

/* Some minutes' work ends within a second or two of Ctrl-C. */
static void interrupted(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        write_file("out", "", 0);
        const pid_t child = start("check vgg8 --batch 16 --seconds 0", "out");
        wait_for_a_line();
        kill(child, signals[i]);
        assert_int_equal(await(child), 128 + signals[i]);
        slurp("err", err);
        assert_non_null(strstr(err, "fovea check: interrupted after 0 gradients"));
    }
}

/* ---- a terminal -------------------------------------------------------------------------------------- */

static char shown[COMMAND_TEXT_BYTES];

/* "fovea check mlp", its standard error on a terminal, or with `both` its output too; `shown`: what came
 * there. */
static void run_on_terminal(bool both)
{
    char check[] = "check", model[] = "mlp", batch[] = "--batch", thirty_two[] = "32", term[] = "TERM=xterm";
    char *words[] = {getenv("FOVEA_COMMAND"), check, model, batch, thirty_two, NULL};
    char *environment[] = {term, NULL};
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    const int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (both)
        posix_spawn_file_actions_adddup2(&actions, slave, 1);
    else
        posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, slave, 2);
    pid_t child;
    assert_int_equal(posix_spawn(&child, words[0], &actions, NULL, words, environment), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(slave);
    size_t used = 0;
    for (ssize_t n; used + 1 < sizeof shown && (n = read(master, shown + used, sizeof shown - 1 - used)) > 0;)
        used += (size_t)n;
    shown[used] = '\0';
    close(master);
    assert_int_equal(await(child), 0);
}

/* A bar on standard error, taken away before each line of the table and in the end. */
static void bar_on_a_terminal(void **state)
{
    (void)state;
    run_on_terminal(false);
    assert_non_null(strstr(shown, "checking 0/6 "));
    assert_string_equal(shown + strlen(shown) - 4, "\r\033[J");
    slurp("out", out);
    assert_null(strchr(out, '\033'));
    run_on_terminal(true);
    const char *const row = strstr(shown, "  fc1.weight   ");
    assert_non_null(row);
    assert_int_equal(strncmp(row - 4, "\r\033[J", 4), 0);
    assert_non_null(strstr(shown, "all 6 gradients agree"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_a_table),    cmocka_unit_test(no_time_left),
        cmocka_unit_test(wrong_options),     cmocka_unit_test(interrupted),
        cmocka_unit_test(bar_on_a_terminal),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
