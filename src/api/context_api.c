/* context_api.c - creates contexts and describes them. */
#include "base/context.h"
#include "base/cpu.h"
#include "base/nearest.h"
#include "base/system.h"
#include "kernels/blocks.h"
#include "base/pool.h"

#include <stdio.h>
#include <stdlib.h>

static void *default_allocate(void *user, size_t bytes)
{
    (void)user;
    return malloc(bytes);
}

static void default_release(void *user, void *block)
{
    (void)user;
    free(block);
}

/* "amd, caches of 48 KiB, 1024 KiB and 32768 KiB". */
static void describe(const fv_machine *m, char *text, size_t room)
{
    if (m->cache[0] && m->cache[1] && m->cache[2])
        snprintf(text, room, "%s, caches of %zu KiB, %zu KiB and %zu KiB", m->family, m->cache[0] >> 10,
                 m->cache[1] >> 10, m->cache[2] >> 10);
    else if (m->cache[0] && m->cache[1])
        snprintf(text, room, "%s, caches of %zu KiB and %zu KiB", m->family, m->cache[0] >> 10,
                 m->cache[1] >> 10);
    else
        snprintf(text, room, "%s, caches unknown", m->family);
}

/* Checks the options before there is a context; `first` is on the caller's stack. */
static fv_status settle(const fv_context_options *options, fv_context *first, int *n_threads)
{
    first->allocator = (fv_allocator){default_allocate, default_release, NULL};
    if (!options->allocator.allocate != !options->allocator.release)
        return fv__fail(first, FV_ERR_ARGUMENT, "allocator: expected both allocate and release, or neither");
    if (options->allocator.allocate)
        first->allocator = options->allocator;
    if (options->n_threads < 0)
        return fv__fail(first, FV_ERR_ARGUMENT, "threads: %d; expected 1 or more, or 0 for one a core",
                        options->n_threads);
    first->direct = options->direct;
    first->machine = fv__machine();
    first->blocks = fv__blocks_for(&first->machine);
    describe(&first->machine, first->machine_text, sizeof first->machine_text);
    *n_threads = options->n_threads > 0 ? options->n_threads : fv__machine_cores();
    return fv__isa_choose(first, options->isa, &first->isa);
}

fv_status fv_context_create(const fv_context_options *options, fv_context **out, char *why, size_t why_bytes)
{
    static const fv_context_options defaults = {0};
    fv_context first = {0};
    int n_threads = 1;
    fv_context *ctx = NULL;
    fv_status status = out ? settle(options ? options : &defaults, &first, &n_threads)
                           : fv__fail(&first, FV_ERR_ARGUMENT, "fv_context_create: out is NULL");
    if (status == FV_OK) {
        ctx = fv__alloc(&first, 1, sizeof *ctx);
        status = ctx ? FV_OK : FV_ERR_MEMORY;
    }
    if (status == FV_OK) {
        *ctx = first;
        fv__context_retain(ctx);
        status = fv__pool_create(ctx, n_threads, &ctx->pool);
    }
    if (status == FV_OK) {
        *out = ctx;
        return FV_OK;
    }
    if (why && why_bytes > 0)
        snprintf(why, why_bytes, "%s", ctx ? ctx->message : first.message);
    fv_context_destroy(ctx);
    return status;
}

void fv_context_destroy(fv_context *ctx)
{
    if (ctx)
        fv__context_release(ctx);
}

const char *fv_version(void)
{
    return FV_VERSION;
}

const char *fv_message(const fv_context *ctx)
{
    return ctx ? ctx->message : "";
}

const char *fv_context_isa(const fv_context *ctx)
{
    return ctx ? fv__isa_name(ctx->isa) : "";
}

const char *fv_context_machine(const fv_context *ctx)
{
    return ctx ? ctx->machine_text : "";
}

int fv_context_threads(const fv_context *ctx)
{
    return ctx ? fv__pool_threads(ctx->pool) : 0;
}

const char *fv_nearest(const char *word, const char *const *names, int n)
{
    return word && names ? fv__nearest(word, names, n) : NULL;
}
