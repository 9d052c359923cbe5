/* context_api.c - contexts: fv_context_create and what can be asked of one. */
#include "base/context.h"
#include "base/cpu.h"
#include "base/system.h"
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

/* What can be settled before there is a context: `first` lives on the caller's stack. */
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

int fv_context_threads(const fv_context *ctx)
{
    return ctx ? fv__pool_threads(ctx->pool) : 0;
}
