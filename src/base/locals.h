/* locals.h - a context for each worker of the pool, for tasks that allocate and may fail: each has a message
 * of its own, and all of them allocate from the caller's allocator, one at a time. */
#ifndef FV_BASE_LOCALS_H
#define FV_BASE_LOCALS_H

#include "base/context.h"

typedef struct fv_locals fv_locals;

fv_status fv__locals_create(fv_context *ctx, fv_locals **out);
void fv__locals_destroy(fv_locals *locals); /* NULL is fine */

/* The context of that worker. Objects that retain a context must not be made with it. */
fv_context *fv__local(fv_locals *locals, int worker);

/* Keeps the failure of the lowest number, whatever the order in which they are told: `number` failed with
 * `status`, and its message stands in the worker's context. */
void fv__locals_failed(fv_locals *locals, int worker, int number, fv_status status);
/* The failure kept, with its message in the context that the locals were made with; then forgets it. */
fv_status fv__locals_status(fv_locals *locals);

#endif
