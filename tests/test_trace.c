/* test_trace.c - in builds with assertions a failed one ends the program with its place, and a failure shows
 * its way where FOVEA_TRACE is set; in all others neither is there. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/context.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef FV_ASSERTIONS
enum { ON = 1 };
#else
enum { ON = 0 };
#endif

static int n_evaluated;

static bool never(void)
{
    n_evaluated++;
    return false;
}

static void fail_an_assertion(void)
{
    FV_ASSERT(n_evaluated == 0);
    FV_ASSERT(never());
    _exit(n_evaluated);
}

static fv_status inner(void)
{
    return FV_ERR_INPUT;
}

static fv_status outer(void)
{
    FV_TRY(inner());
    return FV_OK;
}

static void fail_with_a_trace(void)
{
    setenv("FOVEA_TRACE", "1", 1);
    _exit(outer() == FV_ERR_INPUT ? 0 : 1);
}

static void fail_without_a_trace(void)
{
    unsetenv("FOVEA_TRACE");
    _exit(outer() == FV_ERR_INPUT ? 0 : 1);
}

/* What `run` writes to stderr in a process of its own; how that ends. */
static int said(void (*run)(void), char *text, size_t room)
{
    int end[2], status;
    assert_int_equal(pipe(end), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka and the sanitizers catch it */
        dup2(end[1], STDERR_FILENO);
        run();
    }
    close(end[1]);
    size_t n = 0;
    for (ssize_t more; n + 1 < room && (more = read(end[0], text + n, room - n - 1)) > 0;)
        n += (size_t)more;
    text[n] = '\0';
    close(end[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_assertions(void **state)
{
    (void)state;
    char text[4096];
    const int status = said(fail_an_assertion, text, sizeof text);
    if (ON) {
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        assert_non_null(strstr(text, "test_trace.c:"));
        assert_non_null(strstr(text, "assertion failed: never()"));
    } else {
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_string_equal(text, "");
    }
}

static void test_traces(void **state)
{
    (void)state;
    char text[4096];
    assert_int_equal(said(fail_without_a_trace, text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_int_equal(said(fail_with_a_trace, text, sizeof text), 0);
    if (ON) {
        assert_non_null(strstr(text, "trace: "));
        assert_non_null(strstr(text, "test_trace.c:"));
        char wanted[64];
        snprintf(wanted, sizeof wanted, "status %d of inner()", (int)FV_ERR_INPUT);
        assert_non_null(strstr(text, wanted));
    } else {
        assert_string_equal(text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_assertions), cmocka_unit_test(test_traces)};
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
