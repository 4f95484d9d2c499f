/* Answers writes to files below $NO_SPACE_BELOW with ENOSPC while the file $NO_SPACE_WHILE exists, as a full disk does.
 * Loaded before the C library by the tests of the server; never part of the product. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int full(void) {
    const char *mark = getenv("NO_SPACE_WHILE");
    return mark && access(mark, F_OK) == 0;
}

static int below(const char *path) {
    const char *root = getenv("NO_SPACE_BELOW");
    return root && strncmp(path, root, strlen(root)) == 0;
}

static int refuses(int fd) {
    char link[64], path[PATH_MAX];
    struct stat about;
    if (!full() || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return below(path);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define REFUSE(condition) if (condition) { errno = ENOSPC; return -1; }

ssize_t write(int fd, const void *bytes, size_t count) { REAL(write); REFUSE(refuses(fd)) return real(fd, bytes, count); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { REAL(pwrite); REFUSE(refuses(fd)) return real(fd, bytes, count, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { REAL(pwrite64); REFUSE(refuses(fd)) return real(fd, bytes, count, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) { REAL(writev); REFUSE(refuses(fd)) return real(fd, parts, count); }
int fallocate(int fd, int mode, off_t at, off_t length) { REAL(fallocate); REFUSE(refuses(fd)) return real(fd, mode, at, length); }
int mkdir(const char *path, mode_t mode) { REAL(mkdir); REFUSE(full() && below(path) && access(path, F_OK) != 0) return real(path, mode); }

/* A new file needs a directory entry, and that needs space too. */
#define CREATES(path, flags) (((flags) & O_CREAT) && full() && below(path) && access(path, F_OK) != 0)

int open(const char *path, int flags, ...) {
    REAL(open); va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);
    REFUSE(CREATES(path, flags)) return real(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    REAL(open64); va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);
    REFUSE(CREATES(path, flags)) return real(path, flags, mode);
}
