/* writer.c - writes whole files, all or nothing.
 *
 *     open      PATH.0.tmp: created, locked
 *     add ...
 *     stage     fsync: the bytes are safe, PATH is as it was
 *     commit    rename to PATH, fsync of the folder
 *
 * PATH may be a symbolic link. Then the file that it names is replaced, the temporary file is created beside
 * that file, and the link stays. If the link names no file yet, the file is created.
 *
 * The temporary file is always a new one (O_EXCL), never an existing one, which may be a pipe, a link, or
 * the file of another writer. Its name is the first free one of PATH.0.tmp ... PATH.31.tmp. Its writer
 * holds a lock on it as long as the writer lives, so a regular file of such a name whose lock can be taken
 * was left by a killed process, and it is removed when PATH is written again. Leftovers therefore do not
 * pile up, and nothing needs to read the folder. Two writers of one path have their own temporary files;
 * the last rename wins. */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_TEMPORARIES = 32, MAX_LINKS = 40 };

/* ---- the path of the file ----------------------------------------------------------------------------- */

/* Follows `path` while it is a symbolic link; *target is released with fv__free. */
static fv_status follow_links(fv_context *ctx, const char *path, char **target)
{
    char *at = fv__strdup(ctx, path);
    for (int i = 0; at && i < MAX_LINKS; i++) {
        char link[4096]; /* PATH_MAX, if it is defined */
        const ssize_t n = readlink(at, link, sizeof link);
        if (n < 0 || (size_t)n == sizeof link) {
            *target = at; /* no link, or no file: opening it will report errors */
            return FV_OK;
        }
        link[n] = '\0';
        char *const folder = fv__path_parent(ctx, at);
        char *const next = folder ? fv__path_join(ctx, folder, link) : NULL;
        fv__free(ctx, folder);
        fv__free(ctx, at);
        at = next;
    }
    if (!at)
        return FV_ERR_MEMORY;
    fv__free(ctx, at);
    return fv__fail(ctx, FV_ERR_IO, "%s: expected at most %d symbolic links to follow, found more", path,
                    MAX_LINKS);
}

/* ---- the temporary file ------------------------------------------------------------------------------- */

/* The open file is a regular file, and `path` is its only name. */
static bool is_only_name(int fd, const char *path)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 && S_ISREG(opened.st_mode) &&
           opened.st_nlink == 1 && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

/* Removes the file of a writer that no longer runs, and no other file. Whoever holds the lock may remove
 * the name: a writer between its open and its lock then finds that the name is gone and takes another. */
static void collect(const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return;
    const int fd = fv__file_descriptor(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_only_name(fd, path))
        unlink(path);
    close(fd);
}

/* Creates and locks a new file of this name. -1 with errno, which is EEXIST if the name is taken. */
static int create_temporary(const char *path)
{
    const int fd = fv__file_descriptor(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    /* If the file system has no locks, no other process removes the file either. */
    const bool taken = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!taken && is_only_name(fd, path))
        return fd;
    close(fd);
    errno = EEXIST;
    return -1;
}

static fv_status open_temporary(fv_writer *writer)
{
    fv_context *const ctx = writer->ctx;
    const size_t bytes = strlen(writer->target) + 16;
    char *const name = fv__alloc(ctx, bytes, 1);
    writer->temporary = fv__alloc(ctx, bytes, 1);
    fv_status status = name && writer->temporary ? FV_OK : FV_ERR_MEMORY;
    int error = EEXIST;
    for (int i = 0; status == FV_OK && i < MAX_TEMPORARIES; i++) {
        snprintf(name, bytes, "%s.%d.tmp", writer->target, i);
        collect(name);
        if (writer->fd >= 0 || error != EEXIST)
            continue;
        writer->fd = create_temporary(name);
        error = writer->fd < 0 ? errno : 0;
        if (writer->fd >= 0)
            memcpy(writer->temporary, name, strlen(name) + 1);
    }
    if (status == FV_OK && error == EEXIST)
        status = fv__fail(ctx, FV_ERR_IO, "%s: cannot write: %d temporary files, up to %s, are in use",
                          writer->path, MAX_TEMPORARIES, name);
    else if (status == FV_OK && error)
        status =
            fv__fail(ctx, FV_ERR_IO, "%s: cannot create a file there: %s", writer->path, strerror(error));
    fv__free(ctx, name);
    return status;
}

/* ---- the writer --------------------------------------------------------------------------------------- */

static fv_status write_all(fv_context *ctx, int fd, const char *path, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t done = write(fd, bytes, n < (1u << 30) ? n : 1u << 30);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fv__fail(ctx, FV_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
        bytes += done;
        n -= (size_t)done;
    }
    return FV_OK;
}

static void release(fv_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    fv__free(writer->ctx, writer->folder);
    fv__free(writer->ctx, writer->temporary);
    fv__free(writer->ctx, writer->target);
    fv__free(writer->ctx, writer->path);
    *writer = (fv_writer){.fd = -1};
}

void fv__writer_abandon(fv_writer *writer)
{
    if (writer->fd >= 0)
        unlink(writer->temporary); /* before closing the descriptor releases the lock */
    release(writer);
}

fv_status fv__writer_open(fv_writer *writer, fv_context *ctx, const char *path)
{
    *writer = (fv_writer){.ctx = ctx, .fd = -1};
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return fv__fail(ctx, FV_ERR_IO, "%s: cannot write: expected a file, found a %s", path,
                        S_ISDIR(info.st_mode) ? "folder" : "device, pipe or socket");
    writer->path = fv__strdup(ctx, path);
    fv_status status = writer->path ? follow_links(ctx, path, &writer->target) : FV_ERR_MEMORY;
    if (status == FV_OK) {
        writer->folder = fv__path_parent(ctx, writer->target);
        status = writer->folder ? open_temporary(writer) : FV_ERR_MEMORY;
    }
    if (status != FV_OK)
        fv__writer_abandon(writer);
    return fv__memory_for(ctx, status, path);
}

fv_status fv__writer_add(fv_writer *writer, const void *bytes, size_t n)
{
    const fv_status status = write_all(writer->ctx, writer->fd, writer->path, bytes, n);
    if (status != FV_OK)
        fv__writer_abandon(writer);
    return status;
}

fv_status fv__writer_stage(fv_writer *writer)
{
    int result;
    do
        result = fsync(writer->fd);
    while (result != 0 && errno == EINTR);
    if (result == 0) {
        writer->staged = true;
        return FV_OK;
    }
    const fv_status status =
        fv__fail(writer->ctx, FV_ERR_IO, "%s: cannot sync: %s", writer->path, strerror(errno));
    fv__writer_abandon(writer);
    return status;
}

fv_status fv__writer_commit(fv_writer *writer)
{
    if (!writer->staged)
        FV_TRY(fv__writer_stage(writer));
    if (rename(writer->temporary, writer->target) != 0) {
        const fv_status status = fv__fail(writer->ctx, FV_ERR_IO, "%s: cannot rename %s: %s", writer->path,
                                          writer->temporary, strerror(errno));
        fv__writer_abandon(writer);
        return status;
    }
    const fv_status status = fv__folder_sync(writer->ctx, writer->path, writer->folder);
    release(writer);
    return status;
}

fv_status fv__file_write(fv_context *ctx, const char *path, const void *bytes, size_t n)
{
    fv_writer writer;
    FV_TRY(fv__writer_open(&writer, ctx, path));
    FV_TRY(fv__writer_add(&writer, bytes, n));
    return fv__writer_commit(&writer);
}
