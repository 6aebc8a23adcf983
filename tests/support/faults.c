/* Counts the calls that reach files below one folder, and lets them fail or kill the process: LD_PRELOAD=faults.so.
 *
 * The file that FAULTS names is shared with the test that steers it; its layout is that of `Control` in faults.py.
 * Without FAULTS nothing is done, so that a process may be forked from one that has loaded this long ago. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, RENAME = 4, TRUNCATE = 8, UNLINK = 16, CREATE = 32, READ = 64 };
enum { NOTHING, KILL, FAIL };

struct control {
    uint64_t kinds;              /* which calls count: a sum of the above */
    uint64_t first, last;        /* those that are hit, counted from 1 */
    _Atomic uint64_t action;
    uint64_t error;              /* errno of a failure; 0: none, the write is short and that is all */
    uint64_t is_torn;            /* the first write that is hit is done by half */
    _Atomic uint64_t count, hits;
    char what[32], where[PATH_MAX]; /* the last call that was hit */
    char root[PATH_MAX];
};

static struct control *_Atomic shared;

static struct control *control(void) {
    struct control *found = shared;
    const char *path = found ? NULL : getenv("FAULTS");
    if (!path) return found;
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int fd = real_open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) abort();
    found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (found == MAP_FAILED) abort();
    shared = found;
    return found;
}

static int is_below(const struct control *c, const char *path) {
    size_t length = strlen(c->root);
    return length && !strncmp(path, c->root, length) && (path[length] == '/' || !path[length]);
}

/* Gives the number of a call, or 0 when it does not count. */
static uint64_t counted(struct control *c, uint64_t kind, const char *what, const char *path) {
    if (!(c->kinds & kind) || !is_below(c, path)) return 0;
    uint64_t n = ++c->count;
    if (c->action == NOTHING || n < c->first || n > c->last) return 0;
    snprintf(c->what, sizeof c->what, "%s", what);
    snprintf(c->where, sizeof c->where, "%s", path);
    c->hits++;
    return n;
}

static void end_if_killed(const struct control *c) {
    if (c->action != KILL) return;
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Tells whether a call is to fail, with errno set; the process may not survive it. */
static int fails(uint64_t kind, const char *what, const char *path) {
    struct control *c = control();
    if (!c || !counted(c, kind, what, path)) return 0;
    end_if_killed(c);
    errno = (int)c->error;
    return c->error != 0;
}

static int names(char *path, int fd) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return length > 0;
}

static int fd_fails(uint64_t kind, const char *what, int fd) {
    int before = errno;
    char path[PATH_MAX];
    int failed = control() && names(path, fd) && fails(kind, what, path);
    if (!failed) errno = before;
    return failed;
}

/* Does a write as it should be, or by half, or not at all. */
#define WRITE_OR_FAIL(name, half)                                                    \
    char path[PATH_MAX];                                                             \
    int before = errno;                                                              \
    struct control *c = control();                                                   \
    uint64_t n = c && names(path, fd) ? counted(c, WRITE, #name, path) : 0;          \
    errno = before;                                                                  \
    if (n) {                                                                         \
        if (c->is_torn && n == c->first && size > 1) {                               \
            ssize_t done = half;                                                     \
            end_if_killed(c);                                                        \
            return done;                                                             \
        }                                                                            \
        end_if_killed(c);                                                            \
        if (c->error) return errno = (int)c->error, -1;                              \
    }

#define REAL(type, name, ...)                                    \
    static type (*real)(__VA_ARGS__);                            \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    WRITE_OR_FAIL(write, real(fd, data, size / 2))
    return real(fd, data, size);
}

#define PWRITE(name, offset_t)                                            \
    ssize_t name(int fd, const void *data, size_t size, offset_t at) {    \
        REAL(ssize_t, name, int, const void *, size_t, offset_t);         \
        WRITE_OR_FAIL(name, real(fd, data, size / 2, at))                 \
        return real(fd, data, size, at);                                  \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

/* How PostgreSQL makes a file longer; these are never done by half. */
#define PWRITEV(name, offset_t)                                                  \
    ssize_t name(int fd, const struct iovec *parts, int count, offset_t at) {    \
        REAL(ssize_t, name, int, const struct iovec *, int, offset_t);           \
        return fd_fails(WRITE, #name, fd) ? -1 : real(fd, parts, count, at);     \
    }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

#define ALLOCATION(name, offset_t)                                               \
    int name(int fd, offset_t at, offset_t size) {                               \
        REAL(int, name, int, offset_t, offset_t);                                \
        return fd_fails(WRITE, #name, fd) ? errno : real(fd, at, size);          \
    }
ALLOCATION(posix_fallocate, off_t)
ALLOCATION(posix_fallocate64, off64_t)

ssize_t read(int fd, void *data, size_t size) {
    REAL(ssize_t, read, int, void *, size_t);
    return fd_fails(READ, "read", fd) ? -1 : real(fd, data, size);
}

#define PREAD(name, offset_t)                                             \
    ssize_t name(int fd, void *data, size_t size, offset_t at) {          \
        REAL(ssize_t, name, int, void *, size_t, offset_t);               \
        return fd_fails(READ, #name, fd) ? -1 : real(fd, data, size, at); \
    }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

#define OF_FD(kind, name)                                \
    int name(int fd) {                                   \
        REAL(int, name, int);                            \
        return fd_fails(kind, #name, fd) ? -1 : real(fd); \
    }
OF_FD(SYNC, fsync)
OF_FD(SYNC, fdatasync)
OF_FD(SYNC, syncfs)

#define TRUNCATION(name, offset_t)                                       \
    int name(int fd, offset_t size) {                                    \
        REAL(int, name, int, offset_t);                                  \
        return fd_fails(TRUNCATE, #name, fd) ? -1 : real(fd, size);      \
    }
TRUNCATION(ftruncate, off_t)
TRUNCATION(ftruncate64, off64_t)

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    return fails(RENAME, "rename", to) ? -1 : real(from, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *);
    return fails(RENAME, "renameat", to) ? -1 : real(from_dir, from, to_dir, to);
}

int link(const char *from, const char *to) {
    REAL(int, link, const char *, const char *);
    return fails(CREATE, "link", to) ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    return fails(CREATE, "mkdir", path) ? -1 : real(path, mode);
}

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    return fails(UNLINK, "unlink", path) ? -1 : real(path);
}

#define MODE                             \
    mode_t mode = 0;                     \
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) { \
        va_list rest;                    \
        va_start(rest, flags);           \
        mode = va_arg(rest, mode_t);     \
        va_end(rest);                    \
    }

#define OPEN(name)                                                                  \
    int name(const char *path, int flags, ...) {                                    \
        REAL(int, name, const char *, int, ...);                                    \
        MODE return flags & O_CREAT && fails(CREATE, #name, path) ? -1 : real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                            \
    int name(int folder, const char *path, int flags, ...) {                                    \
        REAL(int, name, int, const char *, int, ...);                                           \
        MODE return flags & O_CREAT && fails(CREATE, #name, path) ? -1 : real(folder, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)
