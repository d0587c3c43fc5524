/* process.c: what the process is, and what it uses, for an operator's eyes. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "CReactor.h"

#ifndef CR_BUILD_COMMIT
#define CR_BUILD_COMMIT ""
#endif

const char *cr_build_commit(void) { return CR_BUILD_COMMIT; }

static uint64_t microseconds(struct timeval t) {
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

/* The second number of statm, in pages; 0 where /proc is not to be had. */
static uint64_t resident_bytes(void) {
  unsigned long size = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  if (!file) return 0;
  if (fscanf(file, "%lu %lu", &size, &resident) != 2) resident = 0;
  fclose(file);
  return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

cr_process_usage cr_process_usage_now(void) {
  struct rusage usage = {0};
  getrusage(RUSAGE_SELF, &usage);
  return (cr_process_usage){
      .cpu_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime),
      .resident_bytes = resident_bytes(),
  };
}
