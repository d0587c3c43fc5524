/* Chunked bodies. What must hold for any bytes: all at once, byte by byte, cut in two at any place
 * and cut at random give the same body, the same end and the same verdict; nothing behind the bytes
 * is read. */
#include "guard.h"
#include "http.h"

typedef struct {
  int result;
  size_t used, len;
  uint8_t body[GUARD_BYTES];
} outcome;

static void feed(chunked_decoder *decoder, outcome *out, const uint8_t *data, size_t size) {
  const char *bytes = guarded(data, size);
  size_t at = 0;
  while (at < size && out->result == HTTP_MORE) {
    size_t used, n;
    const char *piece;
    out->result = chunked_decode(decoder, bytes + at, size - at, &used, &piece, &n);
    HOLDS(used > 0 && used <= size - at);
    HOLDS(n == 0 || (piece >= bytes + at && piece + n <= bytes + at + used));
    if (n) memcpy(out->body + out->len, piece, n);
    out->len += n;
    out->used += used;
    at += used;
  }
}

static void hold_same(const outcome *a, const outcome *b) {
  HOLDS(a->result == b->result && a->used == b->used && a->len == b->len);
  HOLDS(!memcmp(a->body, b->body, a->len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static outcome once, cut;
  enum { SMALL = 512 };
  if (size > GUARD_BYTES) return 0;
  chunked_decoder decoder;
  chunked_init(&decoder);
  once.result = HTTP_MORE, once.used = once.len = 0;
  feed(&decoder, &once, data, size);

  chunked_init(&decoder);
  cut.result = HTTP_MORE, cut.used = cut.len = 0;
  for (size_t i = 0; i < size; i++) feed(&decoder, &cut, data + i, 1);
  hold_same(&once, &cut);

  for (uint64_t seed = 0; seed < 4; seed++) {
    cuts at_random = cuts_of(data, size, seed);
    chunked_init(&decoder);
    cut.result = HTTP_MORE, cut.used = cut.len = 0;
    for (size_t at = 0, n; at < size; at += n) {
      n = cut_next(&at_random, size - at);
      feed(&decoder, &cut, data + at, n);
    }
    hold_same(&once, &cut);
  }

  size_t step = size > SMALL ? size / 64 : 1;
  for (size_t first = 0; first < size; first += step) {
    chunked_init(&decoder);
    cut.result = HTTP_MORE, cut.used = cut.len = 0;
    feed(&decoder, &cut, data, first);
    feed(&decoder, &cut, data + first, size - first);
    hold_same(&once, &cut);
  }
  return 0;
}
