/* fuzz.h - what the fuzz targets share: contexts whose memory is counted, capped and fails on demand, a
 * folder for the files that a reader is to read, and what has to hold after every call.
 *
 * A target is one file, fuzz_NAME.c, with the entry point of libFuzzer; fuzz_main.c runs it over given files.
 */
#ifndef FV_TESTS_FUZZ_H
#define FV_TESTS_FUZZ_H

#include "fovea.h"

/* The target. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
/* Whether the target took its last input for good: set by every call of the target. */
extern bool fuzz_accepted;

/* ---- what has to hold ------------------------------------------------------------------------------- */

/* Prints and aborts: a finding. */
_Noreturn void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define fuzz_expect(condition, ...)                                                                          \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            fuzz_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                                          \
    } while (0)

/* A status that a bad input may lead to: never FV_ERR_INTERNAL or FV_ERR_IO, FV_ERR_MEMORY only where memory
 * was denied or the cap is reached, and a message with every failure. Returns whether it is FV_OK. */
bool fuzz_well(const fv_context *ctx, const char *call, fv_status status);

/* ---- memory ----------------------------------------------------------------------------------------- */

/* All contexts of a target share it. */
typedef struct fuzz_memory {
    size_t live, cap;      /* bytes */
    long n_live;           /* blocks */
    long n_calls, fail_at; /* the call that fails, counted from 1; 0: none */
    bool denied;           /* by fail_at or the cap */
} fuzz_memory;
extern fuzz_memory fuzz_heap;

#define FUZZ_CAP ((size_t)256 << 20)

/* NULL where the machine lacks the instruction set. */
fv_context *fuzz_context(const char *isa, int n_threads);

/* Runs `read` on the input, and once more with one of its allocations failing, which one is drawn from the
 * input's bytes. Both times all that was allocated has to be given back. */
void fuzz_twice(void (*read)(const uint8_t *bytes, size_t n), const uint8_t *bytes, size_t n);
/* FNV-1a, 64 bits. */
uint64_t fuzz_hash(const uint8_t *bytes, size_t n);

/* ---- files ------------------------------------------------------------------------------------------ */

/* This process's folder, in FUZZ_FOLDER, or in memory where the system has a folder there; removed at exit.
 */
const char *fuzz_folder(void);
/* Writes folder/name and returns its path, which the next call overwrites. */
const char *fuzz_file(const char *name, const uint8_t *bytes, size_t n);

/* Several files in one input, each behind a line with its name:
 *     @@ model.fovea
 *     input image ...
 *     @@ last.safetensors
 *     (bytes)
 * What stands before the first such line belongs to names[0]. The end of line in front of an "@@" belongs to
 * that line. Files of `names` (NULL at the end) that the input has are written, the others removed; unknown
 * names are left out. Bit i of the result: names[i] is there. */
unsigned fuzz_unpack(const char *const *names, const uint8_t *bytes, size_t n);

/* ---- model texts ------------------------------------------------------------------------------------ */

/* The input as text: a NUL behind it, and blanks for the NULs within. Freed by the caller. */
char *fuzz_text(const uint8_t *bytes, size_t n);
/* A number of the target's own, from a comment of the text: "# batch=7 seed=3". `fallback` where there is
 * none or it is not in low..high. */
int fuzz_control(const char *text, const char *key, int low, int high, int fallback);

#endif
