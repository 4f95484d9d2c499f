/* Appends one byte to $COUNT_FILE whenever a file is asked to reach the disk. Loaded before the C library by a test of
 * the store; never part of the product. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void count(void) {
    const char *path = getenv("COUNT_FILE");
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0) return;
    if (write(fd, "x", 1) != 1) abort();
    close(fd);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* Counted once it has succeeded. */
#define COUNTED(call) do { int result = call; if (result == 0) count(); return result; } while (0)

int fsync(int fd) { REAL(fsync); COUNTED(real(fd)); }
int fdatasync(int fd) { REAL(fdatasync); COUNTED(real(fd)); }
int msync(void *start, size_t length, int flags) { int (*real)(void *, size_t, int) = dlsym(RTLD_NEXT, "msync"); COUNTED(real(start, length, flags)); }
