/* test_command_signals.c - the command `fovea` when a signal comes, or when nobody reads what it prints. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "command_line.h"
#include "fovea.h"

/* Starts it with its standard output in a pipe; *end is for reading. */
static pid_t start_piped(const char *line, int *end)
{
    int ends[2];
    char sink[32];
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    snprintf(sink, sizeof sink, "/proc/self/fd/%d", ends[1]);
    const pid_t child = start(line, sink);
    close(ends[1]);
    *end = ends[0];
    return child;
}

/* ---- interruption and resuming ------------------------------------------------------------------ */

static void interrupt_and_resume(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    char whole[32], resumed[32];
    /* Enough epochs that the run is still going when the signal comes, after its first epoch's line. */
    expect("train --model mlp --epochs 40 --out whole --json --quiet " SMALL, 0, NULL);
    final_hash(whole);
    for (int i = 0; i < 3; i++) {
        const pid_t child = start("train --model mlp --epochs 40 --out part --replace --json " SMALL, "out");
        wait_for_a_line();
        kill(child, signals[i]);
        assert_int_equal(await(child), 128 + signals[i]);
        assert_non_null(strstr(err, "go on with: fovea train --resume part"));
        slurp("out", out);
        assert_non_null(strstr(check_json_lines(2), "{\"event\":\"interrupted\""));
        expect_message("train --resume part --lr 0.7", 2, "--lr 0.7: the run in part has");
        expect_message("train --resume part --model linear", 2, "has another model");
        expect_message("train --resume part --epochs 39", 2, "may only have more");
        expect("train --resume part --json --quiet --threads 1", 0, NULL);
        final_hash(resumed);
        assert_string_equal(resumed, whole);
    }
}

/* What the parent ignores (nohup, background jobs of a shell) is not listened to. */
static void ignored_signals(void **state)
{
    (void)state;
    static const int ignored[] = {SIGINT, SIGHUP};
    for (int i = 0; i < 2; i++) {
        signal(ignored[i], SIG_IGN);
        char line[256];
        snprintf(line, sizeof line, "train --model mlp --epochs 100000 --out deaf%d --json " SMALL, i);
        const pid_t child = start(line, "out");
        signal(ignored[i], SIG_DFL);
        wait_for_a_line();
        kill(child, ignored[i]);
        usleep(100 * 1000); /* many steps: it would have been noticed */
        kill(child, SIGTERM);
        assert_int_equal(await(child), 128 + SIGTERM);
    }
}

/* Two: at once. */
static void second_signal(void **state)
{
    (void)state;
    const pid_t child = start("train --model mlp --epochs 100000 --out twice --json " SMALL, "out");
    wait_for_a_line();
    /* Stopped, it can act on neither before both are there; either may be delivered first. */
    kill(child, SIGSTOP);
    kill(child, SIGINT);
    kill(child, SIGTERM);
    kill(child, SIGCONT);
    const int code = await(child);
    assert_true(code == 128 + SIGINT || code == 128 + SIGTERM);
    assert_null(strstr(err, "go on with")); /* it did not stay to say so */
}

/* A terminal that goes says so twice, from the kernel and from the shell; here until the very end. */
static void many_hangups(void **state)
{
    (void)state;
    int status;
    const pid_t child = start("train --model mlp --epochs 100000 --out hung --json " SMALL, "out");
    wait_for_a_line();
    while (waitpid(child, &status, WNOHANG) == 0) {
        kill(child, SIGHUP);
        usleep(100);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGHUP);
    slurp("err", err);
    assert_non_null(strstr(err, "go on with: fovea train --resume hung"));
}

/* Nobody reads what it says: silence, and the usual end. What was trained is saved. */
static void closed_pipe(void **state)
{
    (void)state;
    char whole[32], resumed[32], byte;
    int end, status;
    for (int ignored = 0; ignored < 2; ignored++) {
        signal(SIGPIPE, ignored ? SIG_IGN : SIG_DFL);
        pid_t child = start_piped("info resnet50", &end);
        close(end);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (ignored)
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGPIPE);
        else
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
        slurp("err", err);
        assert_string_equal(err, "");
        char line[256];
        snprintf(line, sizeof line, "train --model mlp --epochs 40 --out cut%d --json --quiet " SMALL,
                 ignored);
        child = start_piped(line, &end);
        assert_int_equal(read(end, &byte, 1), 1);
        close(end);
        assert_int_equal(await(child), 128 + SIGPIPE);
        assert_string_equal(err, "");
        snprintf(line, sizeof line, "train --resume cut%d --json --quiet", ignored);
        expect(line, 0, NULL);
        final_hash(resumed);
        if (ignored)
            assert_string_equal(resumed, whole);
        else
            strcpy(whole, resumed);
    }
    signal(SIGPIPE, SIG_DFL);
    expect("train --model mlp --epochs 40 --out uncut --json --quiet " SMALL, 0, NULL);
    final_hash(resumed);
    assert_string_equal(resumed, whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interrupt_and_resume), cmocka_unit_test(ignored_signals),
        cmocka_unit_test(second_signal),        cmocka_unit_test(many_hangups),
        cmocka_unit_test(closed_pipe),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
