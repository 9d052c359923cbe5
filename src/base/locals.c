/* locals.c - a context for each worker of the pool. */
#include "base/locals.h"

#include "base/pool.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

struct fv_locals {
    fv_context *ctx;
    pthread_mutex_t lock;
    int failed; /* the lowest number that failed; INT_MAX: none */
    fv_status status;
    char message[FV_MESSAGE_BYTES];
    fv_context local[]; /* [threads of the pool] */
};

static void *allocate(void *user, size_t bytes)
{
    fv_locals *const locals = user;
    const fv_allocator *const own = &locals->ctx->allocator;
    pthread_mutex_lock(&locals->lock);
    void *const block = own->allocate(own->user, bytes);
    pthread_mutex_unlock(&locals->lock);
    return block;
}

static void release(void *user, void *block)
{
    fv_locals *const locals = user;
    const fv_allocator *const own = &locals->ctx->allocator;
    pthread_mutex_lock(&locals->lock);
    own->release(own->user, block);
    pthread_mutex_unlock(&locals->lock);
}

fv_status fv__locals_create(fv_context *ctx, fv_locals **out)
{
    const int n = fv__pool_threads(ctx->pool);
    fv_locals *const locals = fv__alloc(ctx, sizeof *locals + (size_t)n * sizeof(fv_context), 1);
    if (!locals)
        return FV_ERR_MEMORY;
    locals->ctx = ctx;
    locals->failed = INT_MAX;
    if (pthread_mutex_init(&locals->lock, NULL) != 0) {
        fv__free(ctx, locals);
        return fv__fail(ctx, FV_ERR_MEMORY, "out of memory: a lock was asked for");
    }
    for (int i = 0; i < n; i++) {
        locals->local[i] = *ctx;
        locals->local[i].allocator = (fv_allocator){allocate, release, locals};
    }
    *out = locals;
    return FV_OK;
}

void fv__locals_destroy(fv_locals *locals)
{
    if (!locals)
        return;
    pthread_mutex_destroy(&locals->lock);
    fv__free(locals->ctx, locals);
}

fv_context *fv__local(fv_locals *locals, int worker)
{
    return &locals->local[worker];
}

void fv__locals_failed(fv_locals *locals, int worker, int number, fv_status status)
{
    pthread_mutex_lock(&locals->lock);
    if (number < locals->failed) {
        locals->failed = number;
        locals->status = status;
        memcpy(locals->message, locals->local[worker].message, sizeof locals->message);
    }
    pthread_mutex_unlock(&locals->lock);
}

fv_status fv__locals_status(fv_locals *locals)
{
    if (locals->failed == INT_MAX)
        return FV_OK;
    memcpy(locals->ctx->message, locals->message, sizeof locals->message);
    locals->failed = INT_MAX;
    return locals->status;
}
