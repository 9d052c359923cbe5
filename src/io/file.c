/* file.c - reads whole files, creates folders, takes locks; writer.c writes. */
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
    return stat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool fv__file_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool fv__folder_has(const char *folder, const char *name)
{
    char path[4096];
    const int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    return n > 0 && n < (int)sizeof path && fv__file_exists(path);
}

fv_status fv__file_look(fv_context *ctx, const char *path, bool *there)
{
    struct stat info;
    *there = stat(path, &info) == 0;
    if (*there || errno == ENOENT || errno == ENOTDIR)
        return FV_OK;
    return fv__fail(ctx, FV_ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
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

char *fv__path_parent(fv_context *ctx, const char *path)
{
    const char *const slash = strrchr(path, '/');
    if (!slash)
        return fv__strdup(ctx, ".");
    size_t n = (size_t)(slash - path) + 1;
    while (n > 1 && path[n - 1] == '/')
        n--;
    char *const folder = fv__strdup(ctx, path);
    if (folder)
        folder[n] = '\0';
    return folder;
}

int fv__file_descriptor(const char *path, int flags)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* ---- reading -------------------------------------------------------------------------------------- */

static fv_status check_opened(fv_context *ctx, int fd, const char *path, size_t max_bytes, size_t *n_bytes)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected a file, found a folder", path);
    if (!S_ISREG(info.st_mode))
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected a regular file, found a device, pipe or socket",
                        path);
    if ((uint64_t)info.st_size > max_bytes)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: expected at most %zu bytes, found %llu", path, max_bytes,
                        (unsigned long long)info.st_size);
    *n_bytes = (size_t)info.st_size;
    return FV_OK;
}

fv_status fv__file_open(fv_context *ctx, const char *path, size_t max_bytes, int *fd, size_t *n_bytes)
{
    /* Non-blocking, so that opening a pipe without a writer does not block for ever. */
    const int opened = fv__file_descriptor(path, O_RDONLY | O_NONBLOCK);
    if (opened < 0)
        return errno == ENOENT ? fv__fail(ctx, FV_ERR_INPUT, "%s: there is no such file", path)
                               : fv__fail(ctx, FV_ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    if (max_bytes > PTRDIFF_MAX - 1)
        max_bytes = PTRDIFF_MAX - 1;
    const fv_status status = check_opened(ctx, opened, path, max_bytes, n_bytes);
    if (status == FV_OK)
        *fd = opened;
    else
        close(opened);
    return status;
}

fv_status fv__file_next(fv_context *ctx, int fd, const char *path, void *bytes, size_t n, size_t *got)
{
    *got = 0;
    while (*got < n) {
        const size_t piece = n - *got < (1u << 30) ? n - *got : 1u << 30;
        const ssize_t done = read(fd, (uint8_t *)bytes + *got, piece);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fv__fail(ctx, FV_ERR_INPUT, "%s: cannot read: %s", path, strerror(errno));
        if (done == 0)
            break;
        *got += (size_t)done;
    }
    return FV_OK;
}

fv_status fv__file_read(fv_context *ctx, const char *path, size_t max_bytes, uint8_t **out, size_t *n_bytes)
{
    int fd;
    size_t size, got = 0;
    FV_TRY(fv__file_open(ctx, path, max_bytes, &fd, &size));
    uint8_t *const bytes = fv__alloc(ctx, size + 1, 1);
    /* One byte more than the size, to detect a file that grows meanwhile. */
    fv_status status = bytes ? fv__file_next(ctx, fd, path, bytes, size + 1, &got)
                             : fv__memory_for(ctx, FV_ERR_MEMORY, path);
    close(fd);
    if (status == FV_OK && got != size)
        status = fv__fail(ctx, FV_ERR_INPUT, "%s: changed while it was read: expected %zu bytes, found %s",
                          path, size, got < size ? "fewer" : "more");
    if (status != FV_OK) {
        fv__free(ctx, bytes);
        return status;
    }
    *out = bytes;
    *n_bytes = size;
    return FV_OK;
}

/* ---- folders, locks, removing ----------------------------------------------------------------------- */

fv_status fv__folder_sync(fv_context *ctx, const char *path, const char *folder)
{
    const int fd = fv__file_descriptor(folder, O_RDONLY | O_DIRECTORY);
    /* A folder without read permission cannot be opened; the change itself has happened. */
    if (fd < 0)
        return FV_OK;
    int error;
    do
        error = fsync(fd) == 0 ? 0 : errno;
    while (error == EINTR);
    close(fd);
    /* File systems that cannot sync a folder return EINVAL; nothing more can be done there. */
    return error && error != EINVAL
               ? fv__fail(ctx, FV_ERR_IO, "%s: cannot sync the folder %s: %s", path, folder, strerror(error))
               : FV_OK;
}

/* Creates one folder, which may exist, and syncs its name to disk. */
static fv_status make_one(fv_context *ctx, const char *path, const char *folder)
{
    if (mkdir(folder, 0777) != 0) {
        const int error = errno;
        if (fv__file_is_folder(folder))
            return FV_OK;
        return fv__fail(ctx, FV_ERR_IO, "%s: cannot create the folder %s: %s", path, folder,
                        error == EEXIST ? "a file of that name is in the way" : strerror(error));
    }
    char *const parent = fv__path_parent(ctx, folder);
    const fv_status status = parent ? fv__folder_sync(ctx, path, parent) : FV_ERR_MEMORY;
    fv__free(ctx, parent);
    return status;
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
        status = make_one(ctx, path, part);
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
    /* If the folder is missing or unreadable, reading or writing its files will report it. */
    const int fd = fv__file_descriptor(path, O_RDONLY | O_DIRECTORY);
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
