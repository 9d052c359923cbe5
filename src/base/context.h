/* context.h - the context that every function which can fail takes: the allocator, the message of the last
 * failure, the chosen instruction set and the pool of workers. */
#ifndef FV_BASE_CONTEXT_H
#define FV_BASE_CONTEXT_H

#include "base/exact.h"
#include "base/nearest.h"
#include "base/system.h"
#include "base/trace.h"
#include "fovea.h"

#include <stdarg.h>

#define FV_MESSAGE_BYTES 1024

typedef enum fv_isa { FV_ISA_PORTABLE, FV_ISA_AVX2, FV_ISA_AVX512, FV_ISA_NEON, FV_N_ISA } fv_isa;

struct fv_context {
    fv_allocator allocator;
    fv_isa isa;
    bool direct; /* plans of this context use no Winograd */
    fv_machine machine;
    const struct fv_blocks *blocks; /* block sizes for the instruction set; kernels/blocks.h */
    char machine_text[96];          /* fv_context_machine */
    struct fv_pool *pool;
    int references; /* the caller's, until it destroys the context, and one of each object made with it */
    char message[FV_MESSAGE_BYTES];
};

/* Every object of fovea.h holds its context from its creation until it is destroyed. The release of the
 * last reference ends the pool and frees the context; nobody may read `ctx` after a release. */
fv_context *fv__context_retain(fv_context *ctx); /* returns ctx */
void fv__context_release(fv_context *ctx);

/* Sets the message and returns `status`, so that `return fv__fail(ctx, FV_ERR_INPUT, ...)` reads well. */
fv_status fv__fail(fv_context *ctx, fv_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
fv_status fv__fail_v(fv_context *ctx, fv_status status, const char *format, va_list args);

/* Returns `status`. If it is FV_ERR_MEMORY, the message says what the memory was for: "train.gz: out of
 * memory: ...". */
fv_status fv__memory_for(fv_context *ctx, fv_status status, const char *what);

/* Returns a failure to the caller. In builds with assertions, FOVEA_TRACE=1 in the environment traces it. */
#define FV_TRY(call)                                                                                         \
    do {                                                                                                     \
        const fv_status fv_try_status = (call);                                                              \
        if (fv_try_status != FV_OK) {                                                                        \
            FV_TRACE(fv_try_status, #call);                                                                  \
            return fv_try_status;                                                                            \
        }                                                                                                    \
    } while (0)

/* Elements of an array, not of a pointer to one. */
#define FV_COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* The checks of arguments in public functions: FV_ERR_ARGUMENT, with the message "fv_train: options is
 * NULL" or "fv_bench: batch 0; expected 1 to 512". If the context, or the object that holds it, is NULL,
 * then `ctx` is NULL too, and there is no message. */
#define FV_NEED(ctx, argument)                                                                               \
    do {                                                                                                     \
        if (!(argument))                                                                                     \
            return fv__fail((ctx), FV_ERR_ARGUMENT, "%s: " #argument " is NULL", __func__);                  \
    } while (0)
#define FV_WITHIN(ctx, argument, low, high)                                                                  \
    FV_TRY(fv__check_within((ctx), __func__, #argument, (argument), (low), (high)))
/* A `high` of INT_MAX means that there is no upper bound. */
fv_status fv__check_within(fv_context *ctx, const char *call, const char *argument, int value, int low,
                           int high);

/* n * size bytes, zeroed, aligned to 64. Returns NULL on failure or overflow, with the message set, and the
 * caller returns FV_ERR_MEMORY. n = 0 gives a block that can be freed. */
void *fv__alloc(fv_context *ctx, size_t n, size_t size);
void fv__free(fv_context *ctx, void *block);
/* Makes room for one more element of `size` bytes in a growing array, of whose *capacity elements n are
 * used. */
fv_status fv__grow(fv_context *ctx, void **array, size_t n, size_t *capacity, size_t size);
char *fv__strdup(fv_context *ctx, const char *text); /* NULL as fv__alloc */

/* A bump allocator: many small blocks that are freed at once. */
typedef struct fv_arena {
    fv_context *ctx;
    struct fv_arena_chunk *chunks;
} fv_arena;
void fv__arena_init(fv_arena *arena, fv_context *ctx);
void fv__arena_deinit(fv_arena *arena);
void *fv__arena_alloc(fv_arena *arena, size_t n, size_t size); /* zeroed; NULL as fv__alloc */
char *fv__arena_strdup(fv_arena *arena, const char *text);
char *fv__arena_printf(fv_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A growing text. Appending to a failed text does nothing; the caller checks `failed` once at the end. */
typedef struct fv_text {
    fv_context *ctx;
    char *data; /* NUL-terminated once something was appended; owned */
    size_t n, capacity;
    bool failed;
} fv_text;
void fv__text_init(fv_text *text, fv_context *ctx);
void fv__text_add(fv_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What stands before name i of n in "a, b or c": "", ", " or " or ". */
const char *fv__list_gap(int i, int n);
void fv__text_deinit(fv_text *text);

/* Checked sizes: false on overflow. */
bool fv__mul(size_t a, size_t b, size_t *out);
bool fv__add(size_t a, size_t b, size_t *out);

/* Parses "0.05" or "1e-3" to the same double in every locale. It returns false for anything else, and past
 * about 15 digits. */
bool fv__parse_decimal(const char *text, double *out);
/* Numbers as text, with a decimal point in every locale, for use with %s: fv__general(x, 3).text.
 * fv__general formats as %.3g does; fv__fixed as %.3f does (at most 20 decimals; %.17g from 1e15 on);
 * fv__exact uses the fewest of 15 to 17 digits that read back as the same double. */
typedef struct fv_number {
    char text[48];
} fv_number;
fv_number fv__general(double value, int digits);
fv_number fv__fixed(double value, int decimals);
fv_number fv__exact(double value);

#endif
