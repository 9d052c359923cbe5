/* context.c - the references to a context, and the message of the last failure. */
#include "base/context.h"

#include "base/pool.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

fv_context *fv__context_retain(fv_context *ctx)
{
    ctx->references++;
    return ctx;
}

void fv__context_release(fv_context *ctx)
{
    if (--ctx->references > 0)
        return;
    fv__pool_destroy(ctx->pool);
    fv__free(ctx, ctx); /* reads the allocator's functions before it calls them */
}

fv_status fv__fail_v(fv_context *ctx, fv_status status, const char *format, va_list args)
{
    if (!ctx)
        return status;
    /* A buffer of its own is needed because the arguments may quote the current message. */
    char message[FV_MESSAGE_BYTES] = {0};
    if (vsnprintf(message, sizeof message, format, args) < 0)
        snprintf(message, sizeof message, "%s", format);
    memcpy(ctx->message, message, sizeof message);
    ctx->message[sizeof message - 1] = '\0';
    return status;
}

fv_status fv__fail(fv_context *ctx, fv_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fv__fail_v(ctx, status, format, args);
    va_end(args);
    return status;
}

fv_status fv__check_within(fv_context *ctx, const char *call, const char *argument, int value, int low,
                           int high)
{
    if (value >= low && value <= high)
        return FV_OK;
    if (high == INT_MAX)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "%s: %s %d; expected %d or more", call, argument, value, low);
    return fv__fail(ctx, FV_ERR_ARGUMENT, "%s: %s %d; expected %d to %d", call, argument, value, low, high);
}

fv_status fv__memory_for(fv_context *ctx, fv_status status, const char *what)
{
    return status == FV_ERR_MEMORY ? fv__fail(ctx, status, "%s: %s", what, ctx->message) : status;
}
