/* files.c - pictures that are files, read in parallel. */
#include "data/files.h"

#include "base/digest.h"
#include "base/pool.h"
#include "io/file.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

fv_status fv__files_create(fv_context *ctx, const fv_wanted *wanted, fv_file_fn read, fv_files **out)
{
    fv_files *const files = fv__alloc(ctx, 1, sizeof *files);
    if (!files)
        return FV_ERR_MEMORY;
    files->ctx = ctx;
    files->wanted = *wanted;
    files->read = read;
    fv__arena_init(&files->arena, ctx);
    const fv_status status = fv__locals_create(ctx, &files->locals);
    if (status != FV_OK) {
        fv__files_destroy(files);
        return status;
    }
    *out = files;
    return FV_OK;
}

void fv__files_destroy(fv_files *files)
{
    if (!files)
        return;
    fv_context *const ctx = files->ctx;
    fv__locals_destroy(files->locals);
    fv__arena_deinit(&files->arena);
    fv__free(ctx, files->file);
    fv__free(ctx, files->sum);
    fv__free(ctx, files->square);
    fv__free(ctx, files->one);
    fv__free(ctx, files);
}

static size_t picture_bytes(const fv_files *files)
{
    const fv_image_size *const size = &files->wanted.size;
    return (size_t)size->c * (size_t)size->h * (size_t)size->w;
}

/* ---- the first time ----------------------------------------------------------------------------------- */

typedef struct loading {
    fv_files *files;
    uint8_t *pixels;  /* [n_held] */
    uint8_t *scratch; /* [workers]: of pictures that are not held */
    int n_held;
    uint8_t *bad;   /* [n] */
    char **message; /* [n], where `skip`: of the arena, which only one may use at a time */
    bool skip;
} loading;

static void measure(fv_files *files, int i, const uint8_t *pixels)
{
    const fv_image_size *const size = &files->wanted.size;
    const size_t plane = (size_t)size->h * (size_t)size->w;
    fv_digest digest;
    fv__digest_init(&digest);
    fv__digest_add(&digest, pixels, picture_bytes(files));
    files->file[i].digest = fv__digest_value(&digest);
    for (int c = 0; c < size->c; c++) {
        uint64_t sum = 0, squares = 0;
        for (size_t k = 0; k < plane; k++) {
            const uint32_t p = pixels[(size_t)c * plane + k];
            sum += p;
            squares += (uint64_t)(p * p);
        }
        files->sum[(size_t)i * (size_t)size->c + (size_t)c] = sum;
        files->square[(size_t)i * (size_t)size->c + (size_t)c] = squares;
    }
}

static void load_one(void *user, int i, int worker)
{
    loading *const l = user;
    fv_files *const files = l->files;
    fv_file *const file = &files->file[i];
    fv_context *const own = fv__local(files->locals, worker);
    const size_t one = picture_bytes(files);
    uint8_t *const to = i < l->n_held ? l->pixels + (size_t)i * one : l->scratch + (size_t)worker * one;
    const fv_status status =
        files->read(own, file->path, &files->wanted, &file->stamp, false, &file->found, to);
    if (status == FV_OK) {
        measure(files, i, to);
        return;
    }
    l->bad[i] = 1;
    if (l->skip && status == FV_ERR_INPUT)
        l->message[i] = fv__strdup(own, own->message);
    if (!l->skip || status != FV_ERR_INPUT || !l->message[i])
        fv__locals_failed(files->locals, worker, i,
                          l->skip && status == FV_ERR_INPUT ? FV_ERR_MEMORY : status);
}

/* Moves what was read to the front. */
static void close_gaps(loading *l, int *n_held)
{
    fv_files *const files = l->files;
    const size_t one = picture_bytes(files), c = (size_t)files->wanted.size.c;
    size_t n = 0;
    *n_held = 0;
    for (size_t i = 0; i < (size_t)files->n; i++) {
        if (l->bad[i])
            continue;
        if ((int)i < l->n_held)
            *n_held = (int)n + 1;
        if (i != n) {
            if ((int)i < l->n_held)
                memmove(l->pixels + n * one, l->pixels + i * one, one);
            files->file[n] = files->file[i];
            memmove(files->sum + n * c, files->sum + i * c, c * sizeof *files->sum);
            memmove(files->square + n * c, files->square + i * c, c * sizeof *files->square);
        }
        n++;
    }
    files->n = (int)n;
}

static fv_status keep_messages(loading *l, int n)
{
    fv_files *const files = l->files;
    fv_status status = FV_OK;
    for (int i = 0; i < n; i++)
        files->n_skipped += l->bad[i];
    files->skipped = fv__arena_alloc(&files->arena, (size_t)files->n_skipped, sizeof *files->skipped);
    if (!files->skipped)
        status = FV_ERR_MEMORY;
    for (int i = 0, k = 0; i < n && l->message; i++) {
        if (!l->bad[i])
            continue;
        if (status == FV_OK && l->message[i] &&
            !(files->skipped[k++] = fv__arena_strdup(&files->arena, l->message[i])))
            status = FV_ERR_MEMORY;
        fv__free(files->ctx, l->message[i]);
    }
    return status;
}

/* "; and 3 more of 100 cannot be read" */
static fv_status count_failures(const loading *l, fv_status status)
{
    fv_context *const ctx = l->files->ctx;
    char message[FV_MESSAGE_BYTES];
    int n = 0;
    for (int i = 0; i < l->files->n; i++)
        n += l->bad[i];
    if (n < 2 || status != FV_ERR_INPUT)
        return status;
    memcpy(message, ctx->message, sizeof message);
    return fv__fail(ctx, status, "%.700s; and %d more of the %d files cannot be read", message, n - 1,
                    l->files->n);
}

static fv_status load(loading *l, int *n_held)
{
    fv_files *const files = l->files;
    fv_context *const ctx = files->ctx;
    const size_t n = (size_t)files->n, c = (size_t)files->wanted.size.c, one = picture_bytes(files);
    files->sum = fv__alloc(ctx, n * c, sizeof *files->sum);
    files->square = fv__alloc(ctx, n * c, sizeof *files->square);
    l->bad = fv__alloc(ctx, n, 1);
    l->message = l->skip ? fv__alloc(ctx, n, sizeof *l->message) : NULL;
    l->pixels = fv__alloc(ctx, (size_t)l->n_held, one);
    if (l->n_held < files->n)
        l->scratch = fv__alloc(ctx, (size_t)fv__pool_threads(ctx->pool), one);
    if (!files->sum || !files->square || !l->bad || (l->skip && !l->message) || !l->pixels ||
        (l->n_held < files->n && !l->scratch))
        return FV_ERR_MEMORY;
    fv__pool_run(ctx->pool, files->n, load_one, l);
    fv_status status = fv__locals_status(files->locals);
    if (status != FV_OK)
        status = count_failures(l, status);
    const int all = files->n;
    close_gaps(l, n_held);
    const fv_status kept = keep_messages(l, all);
    return status == FV_OK ? kept : status;
}

fv_status fv__files_load(fv_files *files, bool skip, size_t cache_bytes, uint8_t **pixels, int *n_held)
{
    const size_t room = cache_bytes / picture_bytes(files);
    loading l = {.files = files, .skip = skip, .n_held = room < (size_t)files->n ? (int)room : files->n};
    const fv_status status = load(&l, n_held);
    fv__free(files->ctx, l.bad);
    fv__free(files->ctx, l.message);
    fv__free(files->ctx, l.scratch);
    if (status == FV_OK)
        *pixels = l.pixels;
    else
        fv__free(files->ctx, l.pixels);
    return status;
}

/* ---- again ------------------------------------------------------------------------------------------- */

typedef struct reading {
    fv_files *files;
    const uint32_t *which;
    uint8_t *const *to;
} reading;

static void read_one(void *user, int i, int worker)
{
    const reading *const r = user;
    fv_files *const files = r->files;
    fv_image_size found;
    if (!r->to[i])
        return;
    fv_file *const file = &files->file[r->which[i]];
    fv_stamp stamp = file->stamp;
    fv_context *const own = fv__local(files->locals, worker);
    const fv_status status = files->read(own, file->path, &files->wanted, &stamp, true, &found, r->to[i]);
    if (status != FV_OK)
        fv__locals_failed(files->locals, worker, i, status);
}

fv_status fv__files_read(fv_files *files, const uint32_t *which, int n, uint8_t *const *to)
{
    reading r = {files, which, to};
    fv__pool_run(files->ctx->pool, n, read_one, &r);
    return fv__locals_status(files->locals);
}

void fv__files_announce(const fv_files *files, const uint32_t *which, int n)
{
#ifdef POSIX_FADV_WILLNEED
    for (int i = 0; i < n; i++) {
        const int fd = fv__file_descriptor(files->file[which[i]].path, O_RDONLY | O_NONBLOCK);
        if (fd < 0)
            continue; /* reading it says why */
        posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
        close(fd);
    }
#else
    (void)files, (void)which, (void)n;
#endif
}

const uint8_t *fv__files_one(fv_files *files, int index)
{
    const uint32_t which = (uint32_t)index;
    if (!files->one)
        files->one = fv__alloc(files->ctx, picture_bytes(files), 1);
    uint8_t *const to[1] = {files->one};
    return files->one && fv__files_read(files, &which, 1, to) == FV_OK ? files->one : NULL;
}
