/* fault_shim.c - preloaded in front of the C library: makes the k-th call that touches a file go wrong.
 *
 * Counted are calls on paths that are relative, and on descriptors that such a path opened: the program's own
 * files, when it runs in a folder of the test's, and neither the system's nor its standard streams.
 *
 *   FAULT_KIND   fail      call number FAULT_AT fails
 *                fail_on   it and all after it fail (a disk that is full stays full)
 *                kill      the process dies just before it
 *                tear      the process dies in it: half of the bytes are written, or the call is done
 *                short     every read and write moves half of its bytes
 *                interrupt every second call that may be interrupted fails with EINTR
 *   FAULT_AT     k, from 1
 *   FAULT_LOG    file that receives a line a call: what was called, and on what
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FDS = 1024 };

static bool ours[MAX_FDS]; /* descriptors that a relative path opened */
static const char *kind = "";
static long at, count;
static int log_fd = -1;

/* The C library's own function of this name. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void)
{
    const char *const kind_text = getenv("FAULT_KIND"), *const at_text = getenv("FAULT_AT"),
                      *const log = getenv("FAULT_LOG");
    kind = kind_text ? kind_text : "";
    at = at_text ? atol(at_text) : 0;
    if (log) /* out of the way of the program's own descriptors */
        log_fd = REAL(open)(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static bool is(const char *name)
{
    return strcmp(kind, name) == 0;
}

static bool is_our_fd(int fd)
{
    return fd >= 0 && fd < MAX_FDS && ours[fd];
}

static bool is_our_path(const char *path)
{
    return path && path[0] != '/';
}

/* Counts a call; whether it is to fail. Does not return where the process is to die before it. */
static bool counts(const char *what, const char *path, int error)
{
    count++;
    if (log_fd >= 0) {
        char line[256];
        const int n = snprintf(line, sizeof line, "%s %.200s\n", what, path);
        (void)!REAL(write)(log_fd, line, (size_t)n);
    }
    if (is("kill") && count == at)
        kill(getpid(), SIGKILL);
    errno = error;
    return (is("fail") && count == at) || (is("fail_on") && at > 0 && count >= at);
}

static bool is_torn(void)
{
    return is("tear") && count == at;
}

/* After the call. */
static void die_if_torn(void)
{
    if (is_torn())
        kill(getpid(), SIGKILL);
}

static bool interrupted(void)
{
    static int calls;
    if (!is("interrupt") || ++calls % 2 == 0)
        return false;
    errno = EINTR;
    return true;
}

static size_t part_of(size_t n)
{
    return is("short") && n > 1 ? n / 2 : n;
}

/* ---- descriptors ------------------------------------------------------------------------------------ */

ssize_t write(int fd, const void *bytes, size_t n)
{
    if (!is_our_fd(fd))
        return REAL(write)(fd, bytes, n);
    if (interrupted() || counts("write", "", ENOSPC))
        return -1;
    const ssize_t done = REAL(write)(fd, bytes, is_torn() ? n / 2 : part_of(n));
    die_if_torn();
    return done;
}

ssize_t read(int fd, void *bytes, size_t n)
{
    if (!is_our_fd(fd))
        return REAL(read)(fd, bytes, n);
    if (interrupted() || counts("read", "", EIO))
        return -1;
    const ssize_t done = REAL(read)(fd, bytes, part_of(n));
    die_if_torn();
    return done;
}

int fsync(int fd)
{
    if (!is_our_fd(fd))
        return REAL(fsync)(fd);
    if (counts("fsync", "", EIO))
        return -1;
    const int done = 0; /* no disk is waited for: no machine goes down here */
    die_if_torn();
    return done;
}

int ftruncate(int fd, off_t n)
{
    if (!is_our_fd(fd))
        return REAL(ftruncate)(fd, n);
    if (counts("ftruncate", "", ENOSPC))
        return -1;
    const int done = REAL(ftruncate)(fd, n);
    die_if_torn();
    return done;
}

int fstat(int fd, struct stat *info)
{
    if (!is_our_fd(fd))
        return REAL(fstat)(fd, info);
    if (counts("fstat", "", EIO))
        return -1;
    return REAL(fstat)(fd, info);
}

int flock(int fd, int operation)
{
    if (!is_our_fd(fd))
        return REAL(flock)(fd, operation);
    if (counts("flock", "", ENOLCK))
        return -1;
    const int done = REAL(flock)(fd, operation);
    die_if_torn();
    return done;
}

int close(int fd)
{
    if (fd >= 0 && fd < MAX_FDS)
        ours[fd] = false;
    return REAL(close)(fd);
}

/* ---- paths ------------------------------------------------------------------------------------------ */

static int opened(int fd)
{
    if (fd >= 0 && fd < MAX_FDS)
        ours[fd] = true;
    die_if_torn();
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (!is_our_path(path))
        return REAL(open)(path, flags, mode);
    const bool writes = (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0;
    if (interrupted() || counts(writes ? "create" : "open", path, writes ? ENOSPC : EMFILE))
        return -1;
    return opened(REAL(open)(path, flags, mode));
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (!is_our_path(path) || (folder != AT_FDCWD && !is_our_fd(folder)))
        return REAL(openat)(folder, path, flags, mode);
    if (interrupted() || counts("openat", path, EMFILE))
        return -1;
    return opened(REAL(openat)(folder, path, flags, mode));
}

int stat(const char *path, struct stat *info)
{
    if (!is_our_path(path))
        return REAL(stat)(path, info);
    if (counts("stat", path, EIO))
        return -1;
    return REAL(stat)(path, info);
}

int rename(const char *from, const char *to)
{
    if (!is_our_path(to))
        return REAL(rename)(from, to);
    if (counts("rename", to, EIO))
        return -1;
    const int done = REAL(rename)(from, to);
    die_if_torn();
    return done;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    if (!is_our_path(to))
        return REAL(renameat2)(from_folder, from, to_folder, to, flags);
    if (counts("renameat2", to, EIO))
        return -1;
    const int done = REAL(renameat2)(from_folder, from, to_folder, to, flags);
    die_if_torn();
    return done;
}

int link(const char *from, const char *to)
{
    if (!is_our_path(to))
        return REAL(link)(from, to);
    if (counts("link", to, EMLINK))
        return -1;
    const int done = REAL(link)(from, to);
    die_if_torn();
    return done;
}

int unlink(const char *path)
{
    if (!is_our_path(path))
        return REAL(unlink)(path);
    if (counts("unlink", path, EIO))
        return -1;
    const int done = REAL(unlink)(path);
    die_if_torn();
    return done;
}

int rmdir(const char *path)
{
    if (!is_our_path(path))
        return REAL(rmdir)(path);
    if (counts("rmdir", path, EIO))
        return -1;
    const int done = REAL(rmdir)(path);
    die_if_torn();
    return done;
}

int mkdir(const char *path, mode_t mode)
{
    if (!is_our_path(path))
        return REAL(mkdir)(path, mode);
    if (counts("mkdir", path, ENOSPC))
        return -1;
    const int done = REAL(mkdir)(path, mode);
    die_if_torn();
    return done;
}
