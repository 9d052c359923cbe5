/* scratch.h - what the tests of files share: a context, a folder of their own that is removed at the end,
 * and an allocator that fails on demand. Include after cmocka.h. */
#ifndef FV_TESTS_SCRATCH_H
#define FV_TESTS_SCRATCH_H

#include "fovea.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct scratch {
    fv_context *ctx;
    char folder[64];
    char path[8][256]; /* of scratch_path: the last eight stay */
    int next;
    int fail_at; /* the allocation that fails, counted down to 0; negative: none */
} scratch;

static inline void *scratch_allocate(void *user, size_t bytes)
{
    scratch *s = user;
    return s->fail_at-- == 0 ? NULL : malloc(bytes);
}

static inline void scratch_release(void *user, void *block)
{
    (void)user;
    free(block);
}

static inline int scratch_setup(void **state)
{
    scratch *s = calloc(1, sizeof *s);
    if (!s)
        return -1;
    s->fail_at = -1;
    const fv_context_options options = {.n_threads = 2, .allocator = {scratch_allocate, scratch_release, s}};
    char why[256];
    if (fv_context_create(&options, &s->ctx, why, sizeof why) != FV_OK) {
        print_error("no context: %s\n", why);
        return -1;
    }
    strcpy(s->folder, "scratch-XXXXXX");
    *state = s;
    return mkdtemp(s->folder) ? 0 : -1;
}

/* Removes the files of the folder, its folders and their files, and so on. */
static inline void scratch_remove(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%.200s/%.250s", folder, entry->d_name);
        if (unlink(path) != 0)
            scratch_remove(path);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
}

static inline int scratch_teardown(void **state)
{
    scratch *s = *state;
    fv_context_destroy(s->ctx);
    scratch_remove(s->folder);
    free(s);
    return 0;
}

static inline const char *scratch_path(scratch *s, const char *name)
{
    char *path = s->path[s->next++ % 8];
    snprintf(path, sizeof s->path[0], "%s/%s", s->folder, name);
    return path;
}

/* A file of n bytes, as plainly as can be. */
static inline const char *scratch_file(scratch *s, const char *name, const void *bytes, size_t n)
{
    const char *path = scratch_path(s, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    return path;
}

static inline size_t scratch_load(const char *path, uint8_t *bytes, size_t max)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, max, file);
    fclose(file);
    return n;
}

/* How many entries the folder has. */
static inline int scratch_count(const char *folder)
{
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

/* ---- every damage there is to a small file --------------------------------------------------------- */

typedef fv_status (*scratch_read_fn)(scratch *s, const char *path);

static inline fv_status scratch_try(scratch *s, scratch_read_fn read_it, const uint8_t *bytes, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/damaged", s->folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    return read_it(s, path);
}

/* Cut at every byte, or one byte longer: an error, always. Every bit turned over: an error or a good load,
 * never a crash. Every allocation failing once: FV_ERR_MEMORY. */
static inline void scratch_damage(scratch *s, const char *path, scratch_read_fn read_it)
{
    enum { MOST = 8192 };
    static uint8_t whole[MOST + 1], bytes[MOST + 1];
    const size_t n = scratch_load(path, whole, MOST + 1);
    assert_in_range(n, 1, MOST);
    assert_int_equal(read_it(s, path), FV_OK);
    for (size_t cut = 0; cut < n; cut++)
        if (scratch_try(s, read_it, whole, cut) != FV_ERR_INPUT)
            fail_msg("%s, cut at byte %zu, was not refused as bad input", path, cut);
    memcpy(bytes, whole, n);
    bytes[n] = 'x';
    if (scratch_try(s, read_it, bytes, n + 1) != FV_ERR_INPUT)
        fail_msg("%s, with a byte more, was not refused as bad input", path);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        memcpy(bytes, whole, n);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const fv_status status = scratch_try(s, read_it, bytes, n);
        if (status != FV_OK && status != FV_ERR_INPUT)
            fail_msg("%s, bit %zu turned over: status %d: %s", path, bit, (int)status, fv_message(s->ctx));
    }
    fv_status status = FV_ERR_MEMORY;
    for (int k = 0; status != FV_OK; k++) {
        s->fail_at = k;
        status = read_it(s, path);
        s->fail_at = -1;
        if (status != FV_OK && status != FV_ERR_MEMORY)
            fail_msg("%s, allocation %d failing: status %d: %s", path, k, (int)status, fv_message(s->ctx));
        assert_in_range(k, 0, 10000);
    }
}

/* The call must have failed with `status` and exactly "PATHmessage", PATH being any beginning. */
#define assert_failed(s, call, status, message)                                                              \
    do {                                                                                                     \
        assert_int_equal(call, status);                                                                      \
        const char *said_ = fv_message((s)->ctx), *wanted_ = (message);                                      \
        const size_t n_said_ = strlen(said_), n_wanted_ = strlen(wanted_);                                   \
        assert_string_equal(n_said_ > n_wanted_ ? said_ + n_said_ - n_wanted_ : said_, wanted_);             \
    } while (0)

#endif
