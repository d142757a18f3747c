/* Loaded in front of libc by LD_PRELOAD: a clock that is wrong and a disk that does not sync.
   FAULTS_ORDERS names a file of two 64-bit integers, read anew at every call: nanoseconds to
   add to the wall clock, and the errno with which fsync and fdatasync fail (0: they work). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t nothing[2];
static const volatile int64_t *orders = nothing;

__attribute__((constructor)) static void open_orders(void) {
    const char *name = getenv("FAULTS_ORDERS");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof nothing, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) orders = mapped;
    close(file);
}

static int sync_with(long number, int file) {
    if (orders[1]) {
        errno = (int)orders[1];
        return -1;
    }
    return (int)syscall(number, file);
}

int fsync(int file) { return sync_with(SYS_fsync, file); }

int fdatasync(int file) { return sync_with(SYS_fdatasync, file); }

int clock_gettime(clockid_t clock, struct timespec *found) {
    int failed = (int)syscall(SYS_clock_gettime, clock, found);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t now = found->tv_sec * INT64_C(1000000000) + found->tv_nsec + orders[0];
        found->tv_sec = now / INT64_C(1000000000);
        found->tv_nsec = now % INT64_C(1000000000);
    }
    return failed;
}

int gettimeofday(struct timeval *found, void *zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *found) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found) *found = now.tv_sec;
    return now.tv_sec;
}
