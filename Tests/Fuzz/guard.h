/* Bytes that end where the address space does: the page behind them can't be touched, so that
 * reading one byte too many is a crash, with or without sanitizers. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GUARD_BYTES = 128 * 1024 };

static const char *guard_end(void) {
  static char *end;
  if (end) return end;
  char *map = mmap(NULL, GUARD_BYTES + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
  if (map == MAP_FAILED || mprotect(map + GUARD_BYTES, 4096, PROT_NONE)) abort();
  return end = map + GUARD_BYTES;
}

/* The first n bytes, moved to the end of the page. */
static const char *guarded(const uint8_t *bytes, size_t n) {
  char *to = (char *)(uintptr_t)guard_end() - n;
  if (n) memcpy(to, bytes, n);
  return to;
}

#define HOLDS(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                  \
    }                                                                           \
  } while (0)
