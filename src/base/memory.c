/* memory.c - aligned blocks on top of the user's allocator, growing arrays, arenas, checked sizes.
 *
 *     raw                     block, a multiple of 64
 *      |  padding  |  raw  |  n * size bytes, zeroed ...
 *
 * The pointer that the allocator returned is stored just before the block, where fv__free reads it. */
#include "base/context.h"

#include "base/system.h"

#include <stdio.h>
#include <string.h>

enum { ALIGNMENT = 64, ARENA_ALIGNMENT = 16, ARENA_CHUNK_BYTES = 8192, ASK_FIRST = 1 << 30 };

bool fv__mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool fv__add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

void *fv__alloc(fv_context *ctx, size_t n, size_t size)
{
    size_t bytes, total;
    if (!fv__mul(n, size, &bytes) || !fv__add(bytes, ALIGNMENT + sizeof(void *), &total) ||
        total > PTRDIFF_MAX) {
        fv__fail(ctx, FV_ERR_MEMORY, "out of memory: %zu blocks of %zu bytes are more than can be addressed",
                 n, size);
        return NULL;
    }
    /* Otherwise the system could promise more memory than it has, and end the process when it is used. */
    if (bytes >= ASK_FIRST && bytes > fv__machine_memory()) {
        fv__fail(ctx, FV_ERR_MEMORY, "out of memory: %zu bytes were asked for, this machine has %zu", bytes,
                 fv__machine_memory());
        return NULL;
    }
    void *raw = ctx->allocator.allocate(ctx->allocator.user, total);
    if (!raw) {
        fv__fail(ctx, FV_ERR_MEMORY, "out of memory: %zu bytes were asked for", bytes);
        return NULL;
    }
    const uintptr_t first = (uintptr_t)raw + sizeof(void *);
    const size_t skip = sizeof(void *) + (ALIGNMENT - first % ALIGNMENT) % ALIGNMENT;
    char *block = (char *)raw + skip;
    memcpy(block - sizeof raw, &raw, sizeof raw);
    memset(block, 0, bytes);
    return block;
}

void fv__free(fv_context *ctx, void *block)
{
    if (!block)
        return;
    void *raw;
    memcpy(&raw, (char *)block - sizeof raw, sizeof raw);
    ctx->allocator.release(ctx->allocator.user, raw);
}

fv_status fv__grow(fv_context *ctx, void **array, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity)
        return FV_OK;
    size_t wanted;
    if (!fv__mul(n, 2, &wanted))
        wanted = SIZE_MAX; /* which fv__alloc refuses */
    if (wanted < 16)
        wanted = 16;
    void *larger = fv__alloc(ctx, wanted, size);
    if (!larger)
        return FV_ERR_MEMORY;
    if (n > 0)
        memcpy(larger, *array, n * size);
    fv__free(ctx, *array);
    *array = larger;
    *capacity = wanted;
    return FV_OK;
}

char *fv__strdup(fv_context *ctx, const char *text)
{
    const size_t n = strlen(text) + 1;
    char *copy = fv__alloc(ctx, n, 1);
    if (copy)
        memcpy(copy, text, n);
    return copy;
}

/* ---- arena ---------------------------------------------------------------------------------------- */

struct fv_arena_chunk {
    struct fv_arena_chunk *next;
    size_t used, capacity; /* bytes of data */
    _Alignas(ARENA_ALIGNMENT) char data[];
};

void fv__arena_init(fv_arena *arena, fv_context *ctx)
{
    *arena = (fv_arena){.ctx = ctx};
}

void fv__arena_deinit(fv_arena *arena)
{
    struct fv_arena_chunk *chunk = arena->chunks;
    while (chunk) {
        struct fv_arena_chunk *next = chunk->next;
        fv__free(arena->ctx, chunk);
        chunk = next;
    }
    arena->chunks = NULL;
}

static struct fv_arena_chunk *add_chunk(fv_arena *arena, size_t bytes)
{
    const size_t capacity = bytes > ARENA_CHUNK_BYTES ? bytes : ARENA_CHUNK_BYTES;
    size_t total;
    if (!fv__add(capacity, sizeof(struct fv_arena_chunk), &total))
        total = SIZE_MAX; /* which fv__alloc refuses */
    struct fv_arena_chunk *chunk = fv__alloc(arena->ctx, total, 1);
    if (!chunk)
        return NULL;
    chunk->capacity = capacity;
    /* A block with a chunk of its own is inserted second, so that the room left in the first chunk stays
     * usable. */
    if (bytes > ARENA_CHUNK_BYTES && arena->chunks) {
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
    } else {
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    return chunk;
}

void *fv__arena_alloc(fv_arena *arena, size_t n, size_t size)
{
    size_t bytes;
    if (!fv__mul(n, size, &bytes) || !fv__add(bytes, ARENA_ALIGNMENT, &bytes)) {
        fv__fail(arena->ctx, FV_ERR_MEMORY,
                 "out of memory: %zu blocks of %zu bytes are more than can be addressed", n, size);
        return NULL;
    }
    /* A block takes at least one step, so that two blocks of 0 bytes have different addresses. */
    bytes -= bytes % ARENA_ALIGNMENT;
    struct fv_arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->capacity - chunk->used < bytes)
        chunk = add_chunk(arena, bytes);
    if (!chunk)
        return NULL;
    void *block = chunk->data + chunk->used;
    chunk->used += bytes;
    return block;
}

char *fv__arena_strdup(fv_arena *arena, const char *text)
{
    const size_t n = strlen(text) + 1;
    char *copy = fv__arena_alloc(arena, n, 1);
    if (copy)
        memcpy(copy, text, n);
    return copy;
}

char *fv__arena_printf(fv_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        fv__fail(arena->ctx, FV_ERR_MEMORY, "out of memory: a text could not be formatted");
        return NULL;
    }
    char *text = fv__arena_alloc(arena, (size_t)n + 1, 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}
