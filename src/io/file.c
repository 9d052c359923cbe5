/* file.c - whole files in and out, all or nothing.
 *
 *     PATH.tmp: open, lock, write ..., fsync    ->    rename to PATH    ->    fsync of the folder
 *
 * The temporary file has a fixed name, so one left behind by a kill is used again, not collected; a lock
 * keeps two writers of one path apart. */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool fv__file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool fv__file_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *fv__path_join(fv_context *ctx, const char *folder, const char *name)
{
    if (folder[0] == '\0' || name[0] == '/')
        return fv__strdup(ctx, name);
    const size_t n_folder = strlen(folder), n_name = strlen(name);
    const bool slash = folder[n_folder - 1] != '/';
    char *path = fv__alloc(ctx, n_folder + slash + n_name + 1, 1);
    if (!path)
        return NULL;
    memcpy(path, folder, n_folder);
    if (slash)
        path[n_folder] = '/';
    memcpy(path + n_folder + slash, name, n_name);
    return path;
}

/* ---- reading -------------------------------------------------------------------------------------- */

/* Up to n bytes, fewer only at the end of the file; -1 with errno on failure. */
static ssize_t read_all(int fd, uint8_t *bytes, size_t n)
{
    size_t done = 0;
    while (done < n) {
        const size_t piece = n - done < (1u << 30) ? n - done : 1u << 30;
        const ssize_t got = read(fd, bytes + done, piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static fv_status read_open(fv_context *ctx, int fd, const char *path, size_t max_bytes, uint8_t **out,
                           size_t *n_bytes)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected a file, found a folder", path);
    if (!S_ISREG(info.st_mode))
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected a regular file, found a device, pipe or socket",
                        path);
    const uint64_t size = (uint64_t)info.st_size;
    if (size > max_bytes)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected at most %zu bytes, found %llu", path, max_bytes,
                        (unsigned long long)size);
    uint8_t *bytes = fv__alloc(ctx, (size_t)size + 1, 1);
    if (!bytes)
        return FV_ERR_MEMORY;
    /* One byte more than there should be, to see a file that grows meanwhile. */
    const ssize_t got = read_all(fd, bytes, (size_t)size + 1);
    if (got < 0 || (uint64_t)got != size) {
        const fv_status status =
            got < 0
                ? fv__fail(ctx, FV_ERR_INPUT, "%s: cannot read: %s", path, strerror(errno))
                : fv__fail(ctx, FV_ERR_INPUT, "%s: changed while it was read: expected %llu bytes, found %s",
                           path, (unsigned long long)size, (uint64_t)got < size ? "fewer" : "more");
        fv__free(ctx, bytes);
        return status;
    }
    *out = bytes;
    *n_bytes = (size_t)size;
    return FV_OK;
}

fv_status fv__file_read(fv_context *ctx, const char *path, size_t max_bytes, uint8_t **out, size_t *n_bytes)
{
    /* Non-blocking, so that opening a pipe nobody writes to does not wait for ever. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? fv__fail(ctx, FV_ERR_INPUT, "%s: there is no such file", path)
                               : fv__fail(ctx, FV_ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    if (max_bytes > PTRDIFF_MAX - 1)
        max_bytes = PTRDIFF_MAX - 1;
    const fv_status status = read_open(ctx, fd, path, max_bytes, out, n_bytes);
    close(fd);
    return status;
}

/* ---- writing -------------------------------------------------------------------------------------- */

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

/* The folder that holds `path`, in a block of its own. */
static char *parent_of(fv_context *ctx, const char *path)
{
    char *folder = fv__strdup(ctx, path);
    if (!folder)
        return NULL;
    size_t n = strlen(folder);
    while (n > 0 && folder[n - 1] != '/')
        n--;
    while (n > 1 && folder[n - 1] == '/')
        n--;
    folder[n] = '\0';
    if (n > 0)
        return folder;
    fv__free(ctx, folder);
    return fv__strdup(ctx, ".");
}

/* Makes the new name last through a crash of the machine. File systems that cannot do that for a folder
 * say EINVAL: there is nothing more to be done there. */
static fv_status sync_folder(const fv_writer *writer)
{
    const int fd = open(writer->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* A folder that may be written but not read cannot be opened; the rename itself has happened. */
    if (fd < 0)
        return FV_OK;
    fv_status status = FV_OK;
    if (fsync(fd) != 0 && errno != EINVAL)
        status = fv__fail(writer->ctx, FV_ERR_IO, "%s: cannot sync the folder %s: %s", writer->path,
                          writer->folder, strerror(errno));
    close(fd);
    return status;
}

static void release(fv_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    fv__free(writer->ctx, writer->folder);
    fv__free(writer->ctx, writer->temporary);
    fv__free(writer->ctx, writer->path);
    *writer = (fv_writer){.fd = -1};
}

void fv__writer_abandon(fv_writer *writer)
{
    if (writer->fd >= 0)
        unlink(writer->temporary); /* before the lock goes with the descriptor */
    release(writer);
}

/* Opens, locks and empties the temporary file. */
static fv_status open_temporary(fv_writer *writer)
{
    fv_context *ctx = writer->ctx;
    const int fd = open(writer->temporary, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return fv__fail(ctx, FV_ERR_IO, "%s: cannot create a file there: %s", writer->path, strerror(errno));
    struct stat opened, named;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(fd);
        return fv__fail(ctx, FV_ERR_IO, "%s: another writer is at it", writer->path);
    }
    /* Between open and lock another writer may have finished and renamed the file away. */
    if (fstat(fd, &opened) != 0 || stat(writer->temporary, &named) != 0 || opened.st_ino != named.st_ino ||
        opened.st_dev != named.st_dev) {
        close(fd);
        return fv__fail(ctx, FV_ERR_IO, "%s: another writer is at it", writer->path);
    }
    if (!S_ISREG(opened.st_mode) || ftruncate(fd, 0) != 0) {
        close(fd);
        return fv__fail(ctx, FV_ERR_IO, "%s: cannot write to a temporary file", writer->temporary);
    }
    writer->fd = fd;
    return FV_OK;
}

fv_status fv__writer_open(fv_writer *writer, fv_context *ctx, const char *path)
{
    *writer = (fv_writer){.ctx = ctx, .fd = -1};
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return fv__fail(ctx, FV_ERR_IO, "%s: cannot write: expected a file, found a %s", path,
                        S_ISDIR(info.st_mode) ? "folder" : "device, pipe or socket");
    writer->path = fv__strdup(ctx, path);
    writer->folder = writer->path ? parent_of(ctx, path) : NULL;
    writer->temporary = writer->folder ? fv__alloc(ctx, strlen(path) + 5, 1) : NULL;
    fv_status status = writer->temporary ? FV_OK : FV_ERR_MEMORY;
    if (status == FV_OK) {
        memcpy(writer->temporary, path, strlen(path));
        memcpy(writer->temporary + strlen(path), ".tmp", 5);
        status = open_temporary(writer);
    }
    if (status != FV_OK)
        release(writer);
    return status;
}

fv_status fv__writer_add(fv_writer *writer, const void *bytes, size_t n)
{
    const fv_status status = write_all(writer->ctx, writer->fd, writer->path, bytes, n);
    if (status != FV_OK)
        fv__writer_abandon(writer);
    return status;
}

fv_status fv__writer_commit(fv_writer *writer)
{
    fv_status status = FV_OK;
    if (fsync(writer->fd) != 0)
        status = fv__fail(writer->ctx, FV_ERR_IO, "%s: cannot sync: %s", writer->path, strerror(errno));
    else if (rename(writer->temporary, writer->path) != 0)
        status = fv__fail(writer->ctx, FV_ERR_IO, "%s: cannot rename %s: %s", writer->path, writer->temporary,
                          strerror(errno));
    if (status != FV_OK) {
        fv__writer_abandon(writer);
        return status;
    }
    status = sync_folder(writer);
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

fv_status fv__file_make_dir(fv_context *ctx, const char *path)
{
    if (path[0] == '\0')
        return fv__fail(ctx, FV_ERR_IO, "cannot create a folder: its name is empty");
    char *part = fv__strdup(ctx, path);
    if (!part)
        return FV_ERR_MEMORY;
    fv_status status = FV_OK;
    for (size_t i = 1; status == FV_OK; i++) {
        const char c = part[i];
        if (c != '/' && c != '\0')
            continue;
        part[i] = '\0';
        const int error = mkdir(part, 0777) == 0 ? 0 : errno;
        if (error && !fv__file_is_folder(part))
            status = fv__fail(ctx, FV_ERR_IO, "%s: cannot create the folder %s: %s", path, part,
                              error == EEXIST ? "a file of that name is in the way" : strerror(error));
        part[i] = c;
        if (c == '\0')
            break;
    }
    fv__free(ctx, part);
    return status;
}

fv_status fv__folder_lock(fv_context *ctx, const char *path, int *lock)
{
    *lock = -1;
    /* A folder that is missing or may not be read is the business of whoever reads or writes its files. */
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return FV_OK;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *lock = fd;
        return FV_OK;
    }
    const int error = errno;
    close(fd);
    return error == EWOULDBLOCK ? fv__fail(ctx, FV_ERR_IO, "%s: another run is writing to this folder", path)
                                : FV_OK;
}

void fv__folder_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

fv_status fv__file_remove(fv_context *ctx, const char *path)
{
    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
        return FV_OK;
    return fv__fail(ctx, FV_ERR_IO, "%s: cannot remove: %s", path, strerror(errno));
}
