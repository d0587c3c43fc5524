/* disk_faults: a disk that fails on demand, put before libc with LD_PRELOAD. Concerns the files whose
 * path contains "audit.db". FAULTS_FILE names a file that says what happens now: empty or none:
 * nothing; "error N": writes and syncs fail with errno N; "hang": syncs wait until it changes.
 * FAULTS_EXIT_AT=N ends the process in the middle of its Nth write, or before its Nth sync,
 * truncation or removal. FAULTS_COUNT names a file to which the number of such calls is written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static int is_audit(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return 0;
  path[n] = 0;
  return strstr(path, "audit.db") != NULL;
}

/* What FAULTS_FILE says. */
static void order(char *text, size_t size) {
  text[0] = 0;
  const char *file = getenv("FAULTS_FILE");
  int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  ssize_t n = read(fd, text, size - 1);
  text[n > 0 ? n : 0] = 0;
  close(fd);
}

/* The errno with which this call fails; 0: it doesn't. */
static int failure(void) {
  char text[64];
  order(text, sizeof text);
  return strncmp(text, "error ", 6) == 0 ? atoi(text + 6) : 0;
}

/* Counts a call; whether the process ends with it. */
static int is_last(void) {
  long number = atomic_fetch_add(&calls, 1) + 1;
  const char *at = getenv("FAULTS_EXIT_AT"), *file = getenv("FAULTS_COUNT");
  if (file) {
    FILE *out = fopen(file, "w");
    if (out) fprintf(out, "%ld", number), fclose(out);
  }
  return at && number >= atol(at);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  if (is_audit(fd)) {
    if (is_last()) {
      NEXT(pwrite64)(fd, bytes, count / 2, offset);
      _exit(137);
    }
    if ((errno = failure())) return -1;
  }
  return NEXT(pwrite64)(fd, bytes, count, offset);
}

static int sync_of(int fd, int (*next)(int)) {
  if (is_audit(fd)) {
    char text[64];
    if (is_last()) _exit(137);
    for (order(text, sizeof text); strncmp(text, "hang", 4) == 0; order(text, sizeof text))
      usleep(10000);
    if ((errno = failure())) return -1;
  }
  return next(fd);
}

int fdatasync(int fd) { return sync_of(fd, NEXT(fdatasync)); }
int fsync(int fd) { return sync_of(fd, NEXT(fsync)); }

int ftruncate64(int fd, off64_t size) {
  if (is_audit(fd)) {
    if (is_last()) _exit(137);
    if ((errno = failure())) return -1;
  }
  return NEXT(ftruncate64)(fd, size);
}

int unlink(const char *path) {
  if (strstr(path, "audit.db") && is_last()) _exit(137);
  return NEXT(unlink)(path);
}
