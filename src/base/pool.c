/* pool.c - workers that run the tasks of one parallel region at a time.
 *
 * A region is three plain fields (fn, user, n_tasks) and two counters:
 *     unclaimed   tasks that no worker has taken yet. A worker claims one by compare-and-swap from r > 0 to
 *                 r - 1; the claim acquires what the caller wrote before it released the counter.
 *     unfinished  tasks not yet done. The caller returns when it reads 0 with acquire, and only then may
 *                 write the plain fields again, so they do not change while a worker holds a claim.
 * The caller never waits for a worker without a claim, so a worker that sleeps through a region costs
 * nothing.
 *
 * `generation` counts regions. A worker without work watches it, first spinning, then asleep on `wake`; the
 * counter of sleepers tells the caller whether it has to wake anybody. Caller and sleeper each write their
 * own word and then read the other's, all sequentially consistent, so at least one of them sees the other.
 *
 * A worker that sleeps and wakes many times a millisecond may be woken on its waker's core again and again,
 * and then two threads share a core for seconds while another core idles (seen on Linux 6: half the speed,
 * in every second run). Therefore every worker records its core, and a worker that finds itself on another
 * worker's core moves. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/pool.h"

#include "base/cpu.h"
#include "base/system.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

typedef struct worker {
    fv_pool *pool;
    pthread_t thread;
    int index;
    _Alignas(64) atomic_int core; /* its core at the beginning of the last region; -1: none yet */
} worker;

struct fv_pool {
    fv_context *ctx;
    worker *workers; /* [n_threads]; worker 0 is the caller and has no thread of its own */
    int n_threads, n_started;
    int n_spins, n_yields; /* before it sleeps */
    bool crowded;          /* there are more threads than cores */

    fv_task_fn fn;
    void *user;
    int n_tasks;

    pthread_mutex_t mutex;
    pthread_cond_t wake, done;

    /* Each counter has a cache line of its own, because different threads write them at different times. */
    _Alignas(64) atomic_int unclaimed;
    _Alignas(64) atomic_int unfinished;
    _Alignas(64) atomic_uint generation;
    _Alignas(64) atomic_int n_asleep;
    atomic_bool caller_asleep, quit;
};

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static void run_tasks(fv_pool *pool, int index)
{
    int r = atomic_load_explicit(&pool->unclaimed, memory_order_relaxed);
    while (r > 0) {
        if (!atomic_compare_exchange_weak_explicit(&pool->unclaimed, &r, r - 1, memory_order_acq_rel,
                                                   memory_order_relaxed))
            continue;
        pool->fn(pool->user, pool->n_tasks - r, index);
        const bool last = atomic_fetch_sub(&pool->unfinished, 1) == 1;
        if (last && index != 0 && atomic_load(&pool->caller_asleep)) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->done);
            pthread_mutex_unlock(&pool->mutex);
        }
        r = atomic_load_explicit(&pool->unclaimed, memory_order_relaxed);
    }
}

static void wait_for_region(fv_pool *pool, unsigned seen)
{
    for (int i = 0; i < pool->n_spins + pool->n_yields; i++) {
        if (atomic_load_explicit(&pool->generation, memory_order_acquire) != seen)
            return;
        if (i < pool->n_spins)
            pause_briefly();
        else
            sched_yield();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->n_asleep, 1);
    while (atomic_load(&pool->generation) == seen)
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->n_asleep, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void announce_region(fv_pool *pool)
{
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->n_asleep) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

static void wait_for_tasks(fv_pool *pool)
{
    for (int i = 0; i < pool->n_spins + pool->n_yields; i++) {
        if (atomic_load_explicit(&pool->unfinished, memory_order_acquire) == 0)
            return;
        if (i < pool->n_spins)
            pause_briefly();
        else
            sched_yield();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_asleep, true);
    while (atomic_load(&pool->unfinished) != 0)
        pthread_cond_wait(&pool->done, &pool->mutex);
    atomic_store(&pool->caller_asleep, false);
    pthread_mutex_unlock(&pool->mutex);
}

enum { MAX_COLLEAGUES = 64 }; /* the most workers whose cores are compared */

/* Records the core of worker `index`, and moves it if an earlier worker recorded the same core. */
static void take_core(fv_pool *pool, int index)
{
    int core = fv__machine_core(), taken[MAX_COLLEAGUES], n = 0;
    bool shared = false;
    for (; n < index && n < MAX_COLLEAGUES; n++) {
        taken[n] = atomic_load_explicit(&pool->workers[n].core, memory_order_relaxed);
        shared = shared || taken[n] == core;
    }
    if (shared && core >= 0 && !pool->crowded) {
        fv__machine_avoid(taken, n);
        core = fv__machine_core();
    }
    atomic_store_explicit(&pool->workers[index].core, core, memory_order_relaxed);
}

static void *work(void *argument)
{
    const worker *self = argument;
    fv_pool *pool = self->pool;
    while (!atomic_load(&pool->quit)) {
        /* It is read before the tasks, so that the worker does not sleep through a region announced
         * meanwhile. */
        const unsigned seen = atomic_load_explicit(&pool->generation, memory_order_acquire);
        take_core(pool, self->index);
        run_tasks(pool, self->index);
        if (!atomic_load(&pool->quit))
            wait_for_region(pool, seen);
    }
    return NULL;
}

/* All signals are blocked while the workers start, and therefore in the workers: an interrupt reaches the
 * caller's thread. */
static fv_status start_workers(fv_pool *pool)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return fv__fail(pool->ctx, FV_ERR_INTERNAL, "worker pool: signals could not be blocked");
    int error = 0;
    for (int i = 0; i < pool->n_threads; i++)
        atomic_init(&pool->workers[i].core, -1);
    for (int i = 1; i < pool->n_threads && error == 0; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].index = i;
        error = pthread_create(&pool->workers[i].thread, NULL, work, &pool->workers[i]);
        pool->n_started += error == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return fv__fail(pool->ctx, FV_ERR_MEMORY, "worker pool: thread %d of %d could not be started: %s",
                        pool->n_started + 1, pool->n_threads, strerror(error));
    return FV_OK;
}

fv_status fv__pool_create(fv_context *ctx, int n_threads, fv_pool **out)
{
    if (n_threads < 1 || n_threads > FV_MAX_THREADS)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "threads: %d; expected 1 to %d", n_threads, FV_MAX_THREADS);
    fv_pool *pool = fv__alloc(ctx, 1, sizeof *pool);
    if (!pool)
        return FV_ERR_MEMORY;
    pool->ctx = ctx;
    pool->n_threads = n_threads;
    /* Spinning takes about 100 microseconds if every thread has a core; otherwise another thread needs the
     * core. */
    pool->crowded = n_threads > fv__machine_cores();
    pool->n_spins = pool->crowded ? 50 : 4000;
    pool->n_yields = pool->crowded ? 4 : 0;
    atomic_init(&pool->unclaimed, 0);
    atomic_init(&pool->unfinished, 0);
    atomic_init(&pool->generation, 0);
    atomic_init(&pool->n_asleep, 0);
    atomic_init(&pool->caller_asleep, false);
    atomic_init(&pool->quit, false);
    pool->workers = fv__alloc(ctx, (size_t)n_threads, sizeof *pool->workers);
    if (!pool->workers) {
        fv__free(ctx, pool);
        return FV_ERR_MEMORY;
    }
    /* With default attributes these three cannot fail on Linux; elsewhere they may lack memory. */
    if (pthread_mutex_init(&pool->mutex, NULL) != 0)
        goto no_mutex;
    if (pthread_cond_init(&pool->wake, NULL) != 0)
        goto no_wake;
    if (pthread_cond_init(&pool->done, NULL) != 0)
        goto no_done;
    const fv_status status = start_workers(pool);
    if (status != FV_OK) {
        fv__pool_destroy(pool);
        return status;
    }
    *out = pool;
    return FV_OK;

no_done:
    pthread_cond_destroy(&pool->wake);
no_wake:
    pthread_mutex_destroy(&pool->mutex);
no_mutex:
    fv__free(ctx, pool->workers);
    fv__free(ctx, pool);
    return fv__fail(ctx, FV_ERR_MEMORY, "worker pool: no lock could be made");
}

void fv__pool_destroy(fv_pool *pool)
{
    if (!pool)
        return;
    atomic_store(&pool->quit, true);
    announce_region(pool);
    for (int i = 1; i <= pool->n_started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    fv__free(pool->ctx, pool->workers);
    fv__free(pool->ctx, pool);
}

int fv__pool_threads(const fv_pool *pool)
{
    return pool->n_threads;
}

void fv__pool_run(fv_pool *pool, int n_tasks, fv_task_fn fn, void *user)
{
    if (pool->n_threads == 1 || n_tasks <= 1) {
        for (int task = 0; task < n_tasks; task++)
            fn(user, task, 0);
        return;
    }
    pool->fn = fn;
    pool->user = user;
    pool->n_tasks = n_tasks;
    take_core(pool, 0);
    atomic_store_explicit(&pool->unfinished, n_tasks, memory_order_relaxed);
    atomic_store_explicit(&pool->unclaimed, n_tasks, memory_order_release);
    announce_region(pool);
    run_tasks(pool, 0);
    wait_for_tasks(pool);
}
