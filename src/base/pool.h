/* pool.h - workers that run the tasks of one parallel region at a time. */
#ifndef FV_BASE_POOL_H
#define FV_BASE_POOL_H

#include "base/context.h"

typedef struct fv_pool fv_pool;

/* Each task 0..n_tasks-1 runs once, in any order; `worker`, 0..n_threads-1, is the one that runs it. */
typedef void (*fv_task_fn)(void *user, int task, int worker);

/* n_threads includes the caller, which works too; n_threads - 1 threads are started. */
fv_status fv__pool_create(fv_context *ctx, int n_threads, fv_pool **out);
void fv__pool_destroy(fv_pool *pool);
int fv__pool_threads(const fv_pool *pool);
/* Returns when all tasks are done. Not reentrant. */
void fv__pool_run(fv_pool *pool, int n_tasks, fv_task_fn fn, void *user);

#endif
