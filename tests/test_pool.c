/* test_pool.c - every task once, whatever the number of workers; regions one after another; few and many
 * tasks, even and uneven. Run it under ThreadSanitizer too: the tasks write plain memory, so a missing
 * barrier is a race. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/context.h"
#include "base/cpu.h"
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

static const int thread_counts[] = {1, 2, 3, 8};
enum { N_COUNTS = 4, MAX_TASKS = 1000 };

typedef struct region {
    int n_threads;
    int runs[MAX_TASKS]; /* plain: each task owns its own */
    int64_t sum[MAX_TASKS];
    const int *input; /* plain: written by the caller before the region */
    atomic_int busy[8];
    atomic_bool shared_worker;
} region;

static void count_task(void *user, int task, int worker)
{
    region *r = user;
    if (worker < 0 || worker >= r->n_threads || atomic_fetch_add(&r->busy[worker], 1) != 0)
        atomic_store(&r->shared_worker, true);
    r->runs[task]++;
    r->sum[task] = r->input[task] * 3;
    atomic_fetch_sub(&r->busy[worker], 1);
}

static fv_context *make_context(int n_threads)
{
    const fv_context_options options = {.n_threads = n_threads};
    fv_context *ctx = NULL;
    char why[256] = "";
    if (fv_context_create(&options, &ctx, why, sizeof why) != FV_OK)
        fail_msg("%s", why);
    return ctx;
}

static void test_every_task_once(void **state)
{
    (void)state;
    static const int n_tasks[] = {0, 1, 2, 3, 7, 8, 9, 64, MAX_TASKS};
    static int input[MAX_TASKS];
    for (int k = 0; k < N_COUNTS; k++) {
        fv_context *ctx = make_context(thread_counts[k]);
        assert_int_equal(fv__pool_threads(ctx->pool), thread_counts[k]);
        for (size_t i = 0; i < sizeof n_tasks / sizeof *n_tasks; i++) {
            static region r;
            memset(&r, 0, sizeof r);
            r.n_threads = thread_counts[k];
            r.input = input;
            for (int t = 0; t < MAX_TASKS; t++)
                input[t] = (int)i * 1000 + t;
            fv__pool_run(ctx->pool, n_tasks[i], count_task, &r);
            for (int t = 0; t < MAX_TASKS; t++) {
                assert_int_equal(r.runs[t], t < n_tasks[i]);
                assert_int_equal(r.sum[t], t < n_tasks[i] ? input[t] * 3 : 0);
            }
            assert_false(atomic_load(&r.shared_worker));
        }
        fv_context_destroy(ctx);
    }
}

/* A region reads what the one before wrote, at another place: a layer after a layer. */
typedef struct chain {
    int *from, *to;
    int n;
} chain;

static void chain_task(void *user, int task, int worker)
{
    (void)worker;
    const chain *c = user;
    c->to[task] = c->from[(task + 1) % c->n] + 1;
}

static void test_many_regions(void **state)
{
    (void)state;
    enum { N = 24, REGIONS = 4000 };
    for (int k = 0; k < N_COUNTS; k++) {
        fv_context *ctx = make_context(thread_counts[k]);
        int a[N] = {0}, b[N] = {0};
        for (int i = 0; i < REGIONS; i++) {
            chain c = i % 2 ? (chain){b, a, N} : (chain){a, b, N};
            c.n = 2 + i % (N - 1); /* the number of tasks changes too */
            if (c.n > N)
                c.n = N;
            for (int t = c.n; t < N; t++)
                c.to[t] = c.from[t] + 1;
            fv__pool_run(ctx->pool, c.n, chain_task, &c);
        }
        for (int t = 0; t < N; t++)
            assert_int_equal(a[t], REGIONS);
        fv_context_destroy(ctx);
    }
}

static void uneven_task(void *user, int task, int worker)
{
    (void)worker;
    int64_t *results = user;
    int64_t sum = 0;
    const int n = task == 0 ? 300000 : task % 5 * 100;
    for (int i = 0; i < n; i++)
        sum += i ^ task;
    results[task] = sum;
}

static void test_uneven_tasks(void **state)
{
    (void)state;
    enum { N = 37 };
    int64_t expected[N], found[N];
    for (int t = 0; t < N; t++)
        uneven_task(expected, t, 0);
    for (int k = 0; k < N_COUNTS; k++) {
        fv_context *ctx = make_context(thread_counts[k]);
        for (int i = 0; i < 20; i++) {
            memset(found, 0, sizeof found);
            fv__pool_run(ctx->pool, N, uneven_task, found);
            assert_memory_equal(found, expected, sizeof found);
        }
        fv_context_destroy(ctx);
    }
}

/* Pauses long enough for the workers to fall asleep and, in the second region, for the caller too. */
static void nap(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL);
}

static void napping_task(void *user, int task, int worker)
{
    nap(worker == 0 ? 1 : 4);
    ((int *)user)[task]++;
}

static void test_sleep_and_wake(void **state)
{
    (void)state;
    for (int k = 0; k < N_COUNTS; k++) {
        fv_context *ctx = make_context(thread_counts[k]);
        int runs[6] = {0};
        for (int i = 0; i < 3; i++) {
            nap(5);
            fv__pool_run(ctx->pool, 6, napping_task, runs);
        }
        for (int t = 0; t < 6; t++)
            assert_int_equal(runs[t], 3);
        nap(3);
        fv_context_destroy(ctx);
    }
}

/* Signals are for the caller: the workers block them all. */
static void mask_task(void *user, int task, int worker)
{
    (void)task;
    atomic_int *wrong = user;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (sigismember(&mask, SIGINT) != (worker != 0) || sigismember(&mask, SIGTERM) != (worker != 0))
        atomic_fetch_add(wrong, 1);
    nap(1);
}

static void test_signals(void **state)
{
    (void)state;
    atomic_int wrong = 0;
    fv_context *ctx = make_context(3);
    fv__pool_run(ctx->pool, 9, mask_task, &wrong);
    assert_int_equal(atomic_load(&wrong), 0);
    fv_context_destroy(ctx);
}

static void test_two_pools_and_no_work(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) { /* destroyed at once: workers may not even have started */
        fv_context *a = make_context(3), *b = make_context(2);
        fv_context_destroy(a);
        fv_context_destroy(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_once), cmocka_unit_test(test_many_regions),
        cmocka_unit_test(test_uneven_tasks),    cmocka_unit_test(test_sleep_and_wake),
        cmocka_unit_test(test_signals),         cmocka_unit_test(test_two_pools_and_no_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
