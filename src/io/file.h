/* file.h - reads and writes whole files. Writing is all or nothing: after a crash, a full disk or a kill
 * the old file or the new one is there. */
#ifndef FV_IO_FILE_H
#define FV_IO_FILE_H

#include "base/context.h"

/* Whether the path exists, or is in a folder that may not be entered; opening it then reports the reason. */
bool fv__file_exists(const char *path);
bool fv__file_is_folder(const char *path);
/* Whether the folder has a file or folder of that name; false if the path is too long for the system. */
bool fv__folder_has(const char *folder, const char *name);
/* Whether the path exists; FV_ERR_INPUT if that cannot be known, for instance without permission. */
fv_status fv__file_look(fv_context *ctx, const char *path, bool *there);
/* "folder/name", or `name` where folder is "" or name is absolute; freed by fv__free; NULL as fv__alloc. */
char *fv__path_join(fv_context *ctx, const char *folder, const char *name);
/* The folder that holds `path`: "a/b" -> "a", "/b" -> "/", "b" -> "."; freed and failing as fv__path_join. */
char *fv__path_parent(fv_context *ctx, const char *path);

/* open(), repeated after a signal, with close-on-exec; -1 with errno. */
int fv__file_descriptor(const char *path, int flags);

/* The bytes of a regular file, released with fv__free; an extra NUL follows them. FV_ERR_INPUT for a file
 * that is missing, a folder, unreadable or larger than max_bytes. */
fv_status fv__file_read(fv_context *ctx, const char *path, size_t max_bytes, uint8_t **out, size_t *n_bytes);

/* The same in pieces: the caller closes `fd`; n_bytes is the file's present length. Each call reads up to n
 * bytes, and fewer only at the end of the file. */
fv_status fv__file_open(fv_context *ctx, const char *path, size_t max_bytes, int *fd, size_t *n_bytes);
fv_status fv__file_next(fv_context *ctx, int fd, const char *path, void *bytes, size_t n, size_t *got);

/* Creates the folder and its parents; an existing folder is no error. */
fv_status fv__file_make_dir(fv_context *ctx, const char *path);

/* Reserves a folder for one writer: FV_ERR_IO while another one, of any process, holds it. The lock lasts
 * until fv__folder_unlock or the end of the process. *lock is -1 if there is nothing to lock or the file
 * system has no locks. */
fv_status fv__folder_lock(fv_context *ctx, const char *path, int *lock);
void fv__folder_unlock(int lock); /* -1 does nothing */

/* A missing file is no error. */
fv_status fv__file_remove(fv_context *ctx, const char *path);

/* Syncs the folder, so that new and removed names survive a crash of the machine; messages begin with
 * `path`. */
fv_status fv__folder_sync(fv_context *ctx, const char *path, const char *folder);

/* Replaces `path` by n bytes in one step (writer.c). If `path` is a symbolic link, the file that it names
 * is replaced or created, and the link stays. FV_ERR_IO on failure; `path` has then not changed, unless
 * only the last step, the sync of the folder, failed. */
fv_status fv__file_write(fv_context *ctx, const char *path, const void *bytes, size_t n);

/* The same in pieces:
 *     open, add ..., commit            replaces one file
 *     open, add ..., stage, commit     replaces several: stage all of them, then commit one after the other.
 *                                      Lack of space or permission is found by stage, before the first file
 *                                      is replaced; only renames remain.
 *     abandon                          gives up, between open and commit
 * stage makes the bytes safe in a temporary file beside the old one, which does not change; commit stages
 * if necessary, renames, and syncs the folder. Nothing can be added after stage. A failure of any of them
 * removes the temporary file and releases the writer, which must not be used again. Several writers of one
 * path may be open at once; the last commit wins. */
typedef struct fv_writer {
    fv_context *ctx;
    char *path;   /* the caller's path; messages begin with it */
    char *target; /* `path` with links followed: the file that is replaced */
    char *temporary, *folder;
    int fd;
    bool staged;
} fv_writer;
fv_status fv__writer_open(fv_writer *writer, fv_context *ctx, const char *path);
fv_status fv__writer_add(fv_writer *writer, const void *bytes, size_t n);
fv_status fv__writer_stage(fv_writer *writer);
fv_status fv__writer_commit(fv_writer *writer);
void fv__writer_abandon(fv_writer *writer);

#endif
