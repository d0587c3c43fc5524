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

/* How the bytes are cut at random: by themselves, so that a finding is repeated by its input alone. */
typedef struct {
  uint64_t state;
} cuts;

static inline cuts cuts_of(const uint8_t *bytes, size_t n, uint64_t seed) {
  cuts c = {0xcbf29ce484222325 ^ seed};
  for (size_t i = 0; i < n; i++) c.state = (c.state ^ bytes[i]) * 0x100000001b3;
  return c;
}

/* The length of the next piece, at least 1: mostly short, at times up to all that is left. */
static inline size_t cut_next(cuts *c, size_t left) {
  c->state ^= c->state << 13, c->state ^= c->state >> 7, c->state ^= c->state << 17;
  size_t most = c->state & 7 ? 1 + (c->state >> 8) % 40 : 1 + (c->state >> 8) % 20000;
  size_t n = 1 + (c->state >> 32) % most;
  return n < left ? n : left;
}

#define HOLDS(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                  \
    }                                                                           \
  } while (0)
