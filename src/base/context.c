/* context.c - the message of the last failure. */
#include "base/context.h"

#include <stdio.h>
#include <string.h>

fv_status fv__fail_v(fv_context *ctx, fv_status status, const char *format, va_list args)
{
    if (!ctx)
        return status;
    /* By way of a buffer of its own: the arguments may quote the message that stands. */
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
