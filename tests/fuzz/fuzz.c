/* fuzz.c - see fuzz.h. */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool fuzz_accepted;
fuzz_memory fuzz_heap = {.cap = FUZZ_CAP};

/* ---- what has to hold ------------------------------------------------------------------------------- */

/* Straight to the descriptor: a target may have put `stderr` elsewhere. */
void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    dprintf(2, "%s:%d: expected %s: %s\n", file, line, condition, text);
    abort();
}

bool fuzz_well(const fv_context *ctx, const char *call, fv_status status)
{
    if (status == FV_OK)
        return true;
    const char *const message = fv_message(ctx);
    fuzz_expect(status != FV_ERR_INTERNAL && status != FV_ERR_IO, "%s: status %d: %s", call, (int)status,
                message);
    fuzz_expect(message[0] != '\0', "%s: status %d without a message", call, (int)status);
    return false;
}

/* ---- memory ----------------------------------------------------------------------------------------- */

/* In front of every block stands its size. */
typedef union header {
    size_t bytes;
    max_align_t align;
} header;

static void *heap_allocate(void *user, size_t bytes)
{
    fuzz_memory *const heap = user;
    const bool fails = ++heap->n_calls == heap->fail_at;
    if (fails || bytes > heap->cap || heap->live > heap->cap - bytes) {
        heap->denied = true;
        return NULL;
    }
    header *const block = malloc(sizeof *block + bytes);
    if (!block)
        return NULL;
    block->bytes = bytes;
    heap->live += bytes;
    heap->n_live++;
    return block + 1;
}

static void heap_release(void *user, void *at)
{
    fuzz_memory *const heap = user;
    if (!at)
        return;
    header *const block = (header *)at - 1;
    heap->live -= block->bytes;
    heap->n_live--;
    free(block);
}

fv_context *fuzz_context(const char *isa, int n_threads)
{
    fv_context *ctx = NULL;
    char why[256] = "";
    const fv_context_options options = {
        .n_threads = n_threads, .isa = isa, .allocator = {heap_allocate, heap_release, &fuzz_heap}};
    const fv_status status = fv_context_create(&options, &ctx, why, sizeof why);
    fuzz_expect(status == FV_OK || status == FV_ERR_UNSUPPORTED, "no context: %s", why);
    return ctx;
}

uint64_t fuzz_hash(const uint8_t *bytes, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

static void run_once(void (*read)(const uint8_t *bytes, size_t n), const uint8_t *bytes, size_t n,
                     long fail_at)
{
    const long n_live = fuzz_heap.n_live;
    fuzz_heap.n_calls = 0;
    fuzz_heap.fail_at = fail_at;
    fuzz_heap.denied = false;
    read(bytes, n);
    fuzz_heap.fail_at = 0;
    fuzz_expect(fuzz_heap.n_live == n_live, "%ld blocks leaked (allocation %ld failed)",
                fuzz_heap.n_live - n_live, fail_at);
}

void fuzz_twice(void (*read)(const uint8_t *bytes, size_t n), const uint8_t *bytes, size_t n)
{
    fuzz_accepted = false;
    run_once(read, bytes, n, 0);
    const bool accepted = fuzz_accepted;
    if (fuzz_heap.n_calls > 0)
        run_once(read, bytes, n, 1 + (long)(fuzz_hash(bytes, n) % (uint64_t)fuzz_heap.n_calls));
    fuzz_accepted = accepted;
}

/* ---- files ------------------------------------------------------------------------------------------ */

static char folder[128];
static pid_t owner;

static void remove_folder(void)
{
    char line[160];
    if (owner != getpid()) /* a child of the target's */
        return;
    snprintf(line, sizeof line, "rm -rf %s", folder);
    if (system(line) != 0)
        dprintf(2, "%s is left\n", folder);
}

const char *fuzz_folder(void)
{
    if (!folder[0]) {
        const char *const given = getenv("FUZZ_FOLDER"), *const memory = "/dev/shm";
        const char *const parent = given ? given : access(memory, W_OK) == 0 ? memory : "/tmp";
        snprintf(folder, sizeof folder, "%.100s/fovea-fuzz-XXXXXX", parent);
        fuzz_expect(mkdtemp(folder) != NULL, "no folder %s", folder);
        owner = getpid();
        atexit(remove_folder);
    }
    return folder;
}

const char *fuzz_file(const char *name, const uint8_t *bytes, size_t n)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    FILE *const file = fopen(path, "wb");
    fuzz_expect(file != NULL, "cannot write %s", path);
    const bool written = fwrite(bytes, 1, n, file) == n;
    fuzz_expect(fclose(file) == 0 && written, "cannot write %s", path);
    return path;
}

/* The next line "@@ NAME" from `at` on: where the file before it ends, where the name stands and where the
 * next file begins. False: there is none. */
static bool find_part(const uint8_t *bytes, size_t n, size_t at, size_t *end, size_t *name, size_t *next)
{
    for (; at + 3 < n; at++) {
        const bool line_begins = at == 0 || bytes[at - 1] == '\n';
        const uint8_t *const stop =
            line_begins && memcmp(bytes + at, "@@ ", 3) == 0 ? memchr(bytes + at, '\n', n - at) : NULL;
        if (!stop)
            continue;
        *end = at > 0 ? at - 1 : 0;
        *name = at + 3;
        *next = (size_t)(stop - bytes) + 1;
        return true;
    }
    return false;
}

static int index_of(const char *const *names, const uint8_t *name, size_t length)
{
    for (int i = 0; names[i]; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return i;
    return -1;
}

unsigned fuzz_unpack(const char *const *names, const uint8_t *bytes, size_t n)
{
    unsigned there = 0;
    char path[256];
    for (int i = 0; names[i]; i++) {
        snprintf(path, sizeof path, "%s/%s", fuzz_folder(), names[i]);
        unlink(path);
    }
    size_t at = 0, end, name, next;
    int which = 0;
    for (bool more = true; more;) {
        more = find_part(bytes, n, at, &end, &name, &next);
        const size_t stop = !more ? n : end > at ? end : at;
        if (which >= 0 && (at > 0 || stop > 0)) {
            fuzz_file(names[which], bytes + at, stop - at);
            there |= 1u << which;
        }
        if (more) {
            which = index_of(names, bytes + name, next - 1 - name);
            at = next;
        }
    }
    return there;
}

/* ---- model texts ------------------------------------------------------------------------------------ */

char *fuzz_text(const uint8_t *bytes, size_t n)
{
    char *const text = malloc(n + 1);
    fuzz_expect(text != NULL, "no memory for %zu bytes", n);
    for (size_t i = 0; i < n; i++)
        text[i] = bytes[i] ? (char)bytes[i] : ' ';
    text[n] = '\0';
    return text;
}

int fuzz_control(const char *text, const char *key, int low, int high, int fallback)
{
    const size_t length = strlen(key);
    for (const char *at = text; (at = strchr(at, '#'));)
        for (; *at && *at != '\n'; at++)
            if (at[0] == ' ' && strncmp(at + 1, key, length) == 0 && at[1 + length] == '=') {
                const long value = strtol(at + 2 + length, NULL, 10);
                return value >= low && value <= high ? (int)value : fallback;
            }
    return fallback;
}
