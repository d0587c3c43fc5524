/* Request heads. What must hold for any bytes:
 *   - all at once, byte by byte, cut in two at any place and cut at random give the same result;
 *   - nothing behind the bytes is read;
 *   - every slice lies in the head, and holds only bytes that its kind may hold;
 *   - a head that was taken is whole without the bytes behind it, and framed in one way.
 */
#include "guard.h"
#include "http.h"

static bool same_slice(cr_slice a, cr_slice b) { return a.at == b.at && a.len == b.len; }

static void hold_same(const head_parser *a, const head_parser *b) {
  const cr_head *x = &a->head, *y = &b->head;
  HOLDS(a->start == b->start && x->len == y->len);
  HOLDS(same_slice(x->method, y->method) && same_slice(x->target, y->target));
  HOLDS(x->minor_version == y->minor_version && x->keep_alive == y->keep_alive);
  HOLDS(x->expects_continue == y->expects_continue && x->has_body == y->has_body);
  HOLDS(same_slice(x->authority, y->authority));
  HOLDS(x->chunked == y->chunked && x->content_length == y->content_length);
  HOLDS(x->malformed_status == y->malformed_status);
  HOLDS(x->malformed_reason == y->malformed_reason);
  HOLDS(x->header_count == y->header_count);
  for (uint32_t i = 0; i < x->header_count; i++) {
    HOLDS(same_slice(x->headers[i].name, y->headers[i].name));
    HOLDS(same_slice(x->headers[i].value, y->headers[i].value));
  }
}

static void hold_in(const cr_head *head, cr_slice slice, bool is_value) {
  HOLDS(slice.at <= head->len && slice.len <= head->len - slice.at);
  for (uint32_t i = 0; i < slice.len; i++) {
    uint8_t c = (uint8_t)head->base[slice.at + i];
    HOLDS(is_value ? (c >= 0x20 || c == '\t') && c != 0x7f : c > 0x20 && c < 0x7f);
  }
}

static void hold_sound(const head_parser *p, const char *bytes) {
  const cr_head *head = &p->head;
  HOLDS(head->malformed_status == 0 && head->len >= 4 && head->len <= LIMIT_HEAD_BYTES);
  HOLDS(!memcmp(head->base + head->len - 4, "\r\n\r\n", 4));
  HOLDS(head->method.len > 0 && head->target.len > 0);
  HOLDS(!(head->chunked && head->content_length > 0));
  HOLDS(head->has_body == (head->chunked || head->content_length > 0));
  hold_in(head, head->method, false);
  hold_in(head, head->target, false);
  hold_in(head, head->authority, false);
  HOLDS(head->base[head->target.at] == '/' || (head->target.len == 1 && !head->authority.len));
  for (uint32_t i = 0; i < head->header_count; i++) {
    HOLDS(head->headers[i].name.len > 0);
    hold_in(head, head->headers[i].name, false);
    hold_in(head, head->headers[i].value, true);
  }
  head_parser alone;
  head_init(&alone);
  uint32_t whole = p->start + head->len;
  HOLDS(head_parse(&alone, guarded((const uint8_t *)bytes, whole), whole) == HTTP_DONE);
  hold_same(p, &alone);
}

static int parse_cut(head_parser *p, const uint8_t *data, size_t size, size_t first, size_t step) {
  head_init(p);
  int result = HTTP_MORE;
  for (size_t n = first; result == HTTP_MORE; n += step) {
    if (n > size) n = size;
    result = head_parse(p, guarded(data, n), n);
    if (n == size) break;
  }
  return result;
}

static int parse_at_random(head_parser *p, const uint8_t *data, size_t size, uint64_t seed) {
  cuts at_random = cuts_of(data, size, seed);
  head_init(p);
  int result = HTTP_MORE;
  for (size_t n = 0; n < size && result == HTTP_MORE;) {
    n += cut_next(&at_random, size - n);
    result = head_parse(p, guarded(data, n), n);
  }
  return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static head_parser once, cut;
  enum { SMALL = 512 };
  if (size > LIMIT_HEAD_BYTES + 100) return 0;
  head_init(&once);
  int result = head_parse(&once, guarded(data, size), size);

  /* Moving the bytes to the guard makes byte-at-a-time quadratic: in full for small ones only. */
  size_t step = size > SMALL ? size / 64 : 1;
  HOLDS(parse_cut(&cut, data, size, step, step) == result);
  if (result != HTTP_MORE) hold_same(&once, &cut);
  for (size_t first = 0; first < size; first += step) {
    HOLDS(parse_cut(&cut, data, size, first, size) == result);
    if (result != HTTP_MORE) hold_same(&once, &cut);
  }
  for (uint64_t seed = 0; seed < 4; seed++) {
    HOLDS(parse_at_random(&cut, data, size, seed) == result);
    if (result != HTTP_MORE) hold_same(&once, &cut);
  }
  if (result == HTTP_DONE) {
    once.head.base = (const char *)data + once.start;
    hold_sound(&once, (const char *)data);
  }
  HOLDS(result != HTTP_BAD || (once.head.malformed_status >= 400 && once.head.malformed_reason));
  return 0;
}
