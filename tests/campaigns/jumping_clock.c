// The wall clock of the program that this is preloaded into, off by what $MMA_CLOCK says: a file of 8 bytes,
// nanoseconds.
// All else, first of all the clock that only goes on, is as it was.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *off;

__attribute__((constructor)) static void open_it(void) {
    const char *path = getenv("MMA_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = file < 0 ? MAP_FAILED : mmap(0, sizeof *off, PROT_READ, MAP_SHARED, file, 0);
    off = at == MAP_FAILED ? 0 : at;
    if (file >= 0) {
        close(file);
    }
}

int clock_gettime(clockid_t clock, struct timespec *to) {
    long error = syscall(SYS_clock_gettime, clock, to);
    if (!error && off && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        long long time = to->tv_sec * 1000000000ll + to->tv_nsec + *off;
        to->tv_sec = time / 1000000000;
        to->tv_nsec = time % 1000000000;
    }
    return (int)error;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone) {
    struct timespec now;
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    to->tv_sec = now.tv_sec;
    to->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *to) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (to) {
        *to = now.tv_sec;
    }
    return now.tv_sec;
}
