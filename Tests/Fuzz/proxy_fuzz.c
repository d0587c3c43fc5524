/* PROXY headers. What must hold for any bytes: all at once, byte by byte and cut at any place give
 * the same verdict; nothing behind the bytes is read, and nothing behind the header looked at; what
 * is a header ends as one of its version does. */
#include "guard.h"
#include "proxy_header.h"

static void hold_same(const proxy_header *a, const proxy_header *b) {
  HOLDS(a->len == b->len && a->has_source == b->has_source && a->reason == b->reason);
  HOLDS(!a->has_source || !memcmp(&a->source, &b->source, sizeof a->source));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  proxy_header once, cut;
  if (size > GUARD_BYTES) return 0;
  int result = proxy_header_parse(guarded(data, size), size, &once);

  size_t n = 0;
  int part = HTTP_MORE;
  while (part == HTTP_MORE && n < size) {
    n++;
    part = proxy_header_parse(guarded(data, n), n, &cut);
  }
  HOLDS(part == result);
  if (result == HTTP_MORE) {
    HOLDS(size < LIMIT_PROXY_HEADER_BYTES);
    return 0;
  }
  hold_same(&once, &cut);
  HOLDS((result == HTTP_BAD) == (once.reason != NULL));
  if (result == HTTP_BAD) return 0;
  HOLDS(n == once.len && n >= 15 && n <= LIMIT_PROXY_HEADER_BYTES);
  HOLDS(data[0] == 'P' ? n <= 107 && !memcmp(data + n - 2, "\r\n", 2) : n >= 16);
  return 0;
}
