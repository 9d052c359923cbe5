/* test_replace.c - a run is trained in the place of another, and every single write, sync, rename, removal
 * and creation of a file fails once, or is the last thing that the process does: either the old run or the
 * new one is whole then. It can be opened, with weights that it had or would have had, and it can be resumed
 * to the bits that it would have reached anyway.
 *
 * The calls of the C library that are defined here stand before the real ones. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "fovea.h"
#include "scratch.h"
#include "training.h"

/* ---- calls that fail ------------------------------------------------------------------------------- */

typedef enum fault { FAIL_ONCE, FAIL_FROM_THERE, KILL, TEAR_AND_KILL, N_FAULTS } fault;

static int n_calls, fail_at = -1; /* the call that fails, from 0; negative: none */
static fault how;

/* Whether this call is to fail. */
static bool fails(void)
{
    const int k = n_calls++;
    if (fail_at < 0 || k < fail_at || (k > fail_at && how != FAIL_FROM_THERE))
        return false;
    if (how == KILL)
        raise(SIGKILL);
    return true;
}

#define REAL(name) (*(__typeof__(name) **)real(#name))
static void *real(const char *name)
{
    static void *found[8];
    static const char *const names[8] = {"write", "rename", "unlink", "open", "mkdir"};
    for (int i = 0; i < 8; i++)
        if (names[i] && strcmp(names[i], name) == 0) {
            if (!found[i])
                found[i] = dlsym(RTLD_NEXT, name);
            return &found[i];
        }
    return NULL;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    if (fd > 2 && fails()) {
        if (how == TEAR_AND_KILL) {
            REAL(write)(fd, bytes, n / 2);
            raise(SIGKILL);
        }
        errno = ENOSPC;
        return -1;
    }
    return REAL(write)(fd, bytes, n);
}

#define FAILING(error)                                                                                       \
    if (fails()) {                                                                                           \
        if (how == TEAR_AND_KILL)                                                                            \
            raise(SIGKILL);                                                                                  \
        errno = (error);                                                                                     \
        return -1;                                                                                           \
    }

int fsync(int fd)
{
    (void)fd;
    FAILING(EIO)
    return 0; /* here processes die, not machines; the real one would take most of the time */
}

int rename(const char *from, const char *to)
{
    FAILING(ENOSPC)
    return REAL(rename)(from, to);
}

int unlink(const char *path)
{
    FAILING(EIO)
    return REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode)
{
    FAILING(ENOSPC)
    return REAL(mkdir)(path, mode);
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list args;
        va_start(args, flags);
        mode = (mode_t)va_arg(args, int);
        va_end(args);
        FAILING(ENOSPC)
    }
    return REAL(open)(path, flags, mode);
}

/* ---- two runs -------------------------------------------------------------------------------------- */

static const char text_of_new[] = "input image 1x6x6\nflatten\nlinear out 2\nsoftmax\n";
enum { OLD_EPOCHS = 3, NEW_EPOCHS = 1 };

static char folder[256];
static uint64_t old_best, old_end, new_first, new_end;

static fv_train_options options_of(int epochs)
{
    fv_train_options o = training_options(epochs, 16, 0.02);
    o.out = folder;
    o.n_valid = 2; /* few enough that later epochs are no better: the best weights are not the last */
    return o;
}

static bool note_first(void *user, const fv_progress *p)
{
    if (p->event == FV_EVENT_STEP && p->step == 1)
        *(bool *)user = true;
    return true;
}

/* The run that replaces, in a context of its own. */
static fv_status replace(bool *began)
{
    fv_context *ctx = training_context(1, NULL);
    fv_data *data = training_halves(ctx, 32, 1, 6, 6, 0);
    fv_model *m = training_model(ctx, text_of_new);
    fv_train_options o = options_of(NEW_EPOCHS);
    o.replace = true;
    const fv_status status = fv_train(m, data, NULL, &o, note_first, began);
    fv_model_destroy(m);
    fv_data_destroy(data);
    fv_context_destroy(ctx);
    return status;
}

static uint64_t train_old(scratch *s)
{
    fv_data *data = training_halves(s->ctx, 32, 1, 6, 6, 0);
    fv_model *m = training_model(s->ctx, TRAINING_TINY);
    const fv_train_options o = options_of(OLD_EPOCHS);
    assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
    const uint64_t hash = fv_model_hash(m);
    fv_model_destroy(m);
    fv_data_destroy(data);
    return hash;
}

static uint64_t opened(scratch *s, const char *when, int k)
{
    fv_model *m = NULL;
    if (fv_model_open(s->ctx, folder, &m) != FV_OK)
        fail_msg("%s at call %d: the run cannot be opened: %s", when, k, fv_message(s->ctx));
    const uint64_t hash = fv_model_hash(m);
    fv_model_destroy(m);
    return hash;
}

static uint64_t resumed(scratch *s, const char *when, int k, bool *is_old)
{
    fv_model *m = NULL;
    fv_train_options o;
    if (fv_train_open_run(s->ctx, folder, false, &m, &o) != FV_OK)
        fail_msg("%s at call %d: the run cannot be resumed: %s", when, k, fv_message(s->ctx));
    *is_old = strcmp(fv_model_text(m), TRAINING_TINY) == 0;
    fv_data *data = training_halves(s->ctx, 32, 1, 6, 6, 0);
    if (fv_train(m, data, NULL, &o, NULL, NULL) != FV_OK)
        fail_msg("%s at call %d: the resumed run fails: %s", when, k, fv_message(s->ctx));
    const uint64_t hash = fv_model_hash(m);
    fv_data_destroy(data);
    fv_model_destroy(m);
    return hash;
}

/* After the fault: opened and resumed, both of the same run. */
static void check_whole(scratch *s, const char *when, int k)
{
    bool is_old = false;
    const uint64_t found = opened(s, when, k), end = resumed(s, when, k, &is_old);
    if (is_old ? found != old_best : found != new_first && found != new_end)
        fail_msg("%s at call %d: weights of neither run", when, k);
    if (end != (is_old ? old_end : new_end))
        fail_msg("%s at call %d: the resumed run ends with other bits", when, k);
    if (opened(s, when, k) != (is_old ? old_best : new_end))
        fail_msg("%s at call %d: afterwards other weights count", when, k);
}

/* Removes the folder and trains the old run. */
static void begin_again(scratch *s)
{
    scratch_remove(folder);
    const uint64_t end = train_old(s);
    assert_true(end == old_end);
}

static void every_call(void **state)
{
    scratch *s = *state;
    static const char *const names[N_FAULTS] = {"failing once", "failing from there", "killed", "torn"};
    bool began = false;
    fv_model *m = training_model(s->ctx, text_of_new);
    snprintf(folder, sizeof folder, "%s", scratch_path(s, "run"));
    old_end = train_old(s);
    old_best = opened(s, "first", 0);
    assert_well(s->ctx, fv_model_initialise(m, 11));
    new_first = fv_model_hash(m);
    fv_model_destroy(m);
    n_calls = 0;
    assert_int_equal(replace(&began), FV_OK);
    const int all = n_calls;
    new_end = opened(s, "second", 0);
    assert_true(old_best != old_end && old_best != new_end && old_best != new_first && new_first != new_end &&
                began);
    int n_old = 0;
    for (how = FAIL_ONCE; how < N_FAULTS; how++)
        for (int k = 0; k < all; k += TRAINING_SLOW ? 5 : 1) {
            begin_again(s);
            const pid_t child = fork();
            assert_true(child >= 0);
            if (child == 0) {
                n_calls = 0;
                fail_at = k;
                began = false;
                const fv_status status = replace(&began);
                _exit(status == FV_OK ? 0 : status == FV_ERR_IO ? 1 : 2);
            }
            int ended;
            assert_true(waitpid(child, &ended, 0) == child);
            if (how <= FAIL_FROM_THERE && !(WIFEXITED(ended) && WEXITSTATUS(ended) <= 1))
                fail_msg("%s at call %d: ended with %d", names[how], k, ended);
            if (how > FAIL_FROM_THERE)
                assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
            n_old += opened(s, names[how], k) == old_best;
            check_whole(s, names[how], k);
        }
    print_message("%d calls, each with %d faults; %d times the old run stayed\n", all, N_FAULTS, n_old);
    assert_in_range(n_old, N_FAULTS, N_FAULTS * all - N_FAULTS); /* both kinds were met */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_call, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
