/* What the server's own parser makes of the bytes of one request: for the comparison with other
 * parsers. Built as a library with CReactor's http_parse.c, http_fields.c and http_chunked.c. */
#include <string.h>

#include "http.h"

enum { HEAD_BAD, HEAD_MORE, BODY_BAD, BODY_MORE, WHOLE };

typedef struct {
  int32_t kind, status;
  uint32_t method_at, method_len, target_at, target_len;
  int32_t minor_version, keep_alive;
  uint64_t used, body_len;
} verdict;

/* body: room for n bytes. */
void verdict_of(const char *bytes, size_t n, verdict *out, char *body) {
  static head_parser parser;
  memset(out, 0, sizeof *out);
  head_init(&parser);
  int result = head_parse(&parser, bytes, n);
  const cr_head *head = &parser.head;
  out->status = head->malformed_status;
  out->method_at = parser.start + head->method.at;
  out->method_len = head->method.len;
  out->target_at = parser.start + head->target.at;
  out->target_len = head->target.len;
  out->minor_version = head->minor_version;
  out->keep_alive = head->keep_alive;
  out->kind = result == HTTP_BAD ? HEAD_BAD : HEAD_MORE;
  if (result != HTTP_DONE) return;
  size_t at = parser.start + head->len;
  if (head->chunked) {
    static chunked_decoder decoder;
    chunked_init(&decoder);
    result = HTTP_MORE;
    while (at < n && result == HTTP_MORE) {
      size_t used, len;
      const char *data;
      result = chunked_decode(&decoder, bytes + at, n - at, &used, &data, &len);
      if (len) memcpy(body + out->body_len, data, len);
      out->body_len += len;
      at += used;
    }
    out->kind = result == HTTP_DONE ? WHOLE : result == HTTP_BAD ? BODY_BAD : BODY_MORE;
  } else {
    size_t len = n - at < head->content_length ? n - at : (size_t)head->content_length;
    memcpy(body, bytes + at, len);
    out->body_len = len;
    at += len;
    out->kind = len == head->content_length ? WHOLE : BODY_MORE;
  }
  out->used = at;
}
