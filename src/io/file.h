/* file.h - whole files in and out. Writing is all or nothing: a crash, a full disk or a kill leaves the old
 * file or the new one. */
#ifndef FV_IO_FILE_H
#define FV_IO_FILE_H

#include "base/context.h"

/* Anything of that name, or nobody may know: in a folder that may not be entered. Opening it says why. */
bool fv__file_exists(const char *path);
bool fv__file_is_folder(const char *path);
/* Whether there is anything of that name; FV_ERR_INPUT where that cannot be told, as without permission. */
fv_status fv__file_look(fv_context *ctx, const char *path, bool *there);
/* "folder/name", or `name` where folder is "" or name is absolute; freed by fv__free; NULL as fv__alloc. */
char *fv__path_join(fv_context *ctx, const char *folder, const char *name);
/* The folder that holds `path`: "a/b" -> "a", "/b" -> "/", "b" -> "."; freed and failing as fv__path_join. */
char *fv__path_parent(fv_context *ctx, const char *path);

/* open(), again after a signal, and closed where the process starts another; -1 with errno. */
int fv__file_descriptor(const char *path, int flags);

/* The bytes of a regular file, released with fv__free; a NUL follows them, not counted. FV_ERR_INPUT for
 * a file that is missing, a folder, unreadable or larger than max_bytes. */
fv_status fv__file_read(fv_context *ctx, const char *path, size_t max_bytes, uint8_t **out, size_t *n_bytes);

/* The same, piece by piece: `fd` is for close(), n_bytes the file's length now. Up to n bytes come with each
 * call, fewer only at the end of the file. */
fv_status fv__file_open(fv_context *ctx, const char *path, size_t max_bytes, int *fd, size_t *n_bytes);
fv_status fv__file_next(fv_context *ctx, int fd, const char *path, void *bytes, size_t n, size_t *got);

/* Creates the folder and its parents; an existing folder is fine. */
fv_status fv__file_make_dir(fv_context *ctx, const char *path);

/* Keeps a folder for one writer: FV_ERR_IO while another one, of this process or any other, has it. Lasts
 * until fv__folder_unlock, or until the process ends, however it ends. *lock is -1 where there is nothing to
 * lock or the file system knows no locks. */
fv_status fv__folder_lock(fv_context *ctx, const char *path, int *lock);
void fv__folder_unlock(int lock); /* -1 is fine */

/* A file that is not there is fine. */
fv_status fv__file_remove(fv_context *ctx, const char *path);

/* Makes new and removed names of the folder last through a crash of the machine; messages begin with `path`.
 */
fv_status fv__folder_sync(fv_context *ctx, const char *path, const char *folder);

/* Replaces `path` by n bytes, in one step (writer.c). Where `path` is a symbolic link, the file that it names
 * is replaced or created, and the link stays. FV_ERR_IO on failure; `path` is as it was then, unless it was
 * the last step, the sync of the folder, that failed. */
fv_status fv__file_write(fv_context *ctx, const char *path, const void *bytes, size_t n);

/* The same, piece by piece:
 *     open, add ..., commit            replaces one file
 *     open, add ..., stage, commit     replaces several: stage all of them, then commit one after the other.
 *                                      What can fail for want of room or rights has then failed before the
 *                                      first file was replaced; what is left is a rename.
 *     abandon                          gives up, between open and commit
 * stage makes the bytes safe in a temporary file beside the old one, which stays as it is; commit stages what
 * is not staged yet, renames, and syncs the folder. Add nothing once it is staged. A failure of any of them
 * has removed the temporary file and released the writer: call nothing more for it. Several writers of one
 * path may be open at once; the last commit wins. */
typedef struct fv_writer {
    fv_context *ctx;
    char *path;   /* as it was asked for; messages begin with it */
    char *target; /* `path` with links followed: what is replaced */
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
