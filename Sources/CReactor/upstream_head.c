/* upstream_head.c: judges the head of an upstream's answer. Pure.
 *
 *   - Stricter than curl where curl would pick one of several meanings: the length of a body is
 *     told in one way, or the answer is not taken.
 */
#include <string.h>
#include <strings.h>

#include "client.h"

typedef struct {
  const char *bytes;
  size_t len;
} text;

/* The line at *at without its end, and *at moved behind it. */
static text next_line(const char **at, const char *end) {
  const char *newline = memchr(*at, '\n', (size_t)(end - *at));
  text line = {*at, (size_t)((newline ? newline : end) - *at)};
  *at = newline ? newline + 1 : end;
  if (line.len > 0 && line.bytes[line.len - 1] == '\r') line.len--;
  return line;
}

/* "HTTP/1.1 200 OK": the status, or 0. */
static int parse_status_line(text line) {
  if (line.len < 12 || memcmp(line.bytes, "HTTP/1.", 7) != 0) return 0;
  if (line.bytes[7] != '0' && line.bytes[7] != '1') return 0;
  if (line.bytes[8] != ' ' || (line.len > 12 && line.bytes[12] != ' ')) return 0;
  int status = 0;
  for (int i = 9; i < 12; i++) {
    if (line.bytes[i] < '0' || line.bytes[i] > '9') return 0;
    status = status * 10 + (line.bytes[i] - '0');
  }
  return status >= 100 && status <= 599 ? status : 0;
}

static bool name_is(text line, const char *name, text *value) {
  size_t len = strlen(name);
  if (line.len <= len || line.bytes[len] != ':' || strncasecmp(line.bytes, name, len) != 0)
    return false;
  text found = {line.bytes + len + 1, line.len - len - 1};
  while (found.len > 0 && (*found.bytes == ' ' || *found.bytes == '\t')) {
    found.bytes++;
    found.len--;
  }
  while (found.len > 0 &&
         (found.bytes[found.len - 1] == ' ' || found.bytes[found.len - 1] == '\t'))
    found.len--;
  *value = found;
  return true;
}

static bool parse_length(text value, uint64_t *out) {
  uint64_t length = 0;
  if (value.len == 0 || value.len > 18) return false; /* 10^18 fits, with room to spare */
  for (size_t i = 0; i < value.len; i++) {
    if (value.bytes[i] < '0' || value.bytes[i] > '9') return false;
    length = length * 10 + (uint64_t)(value.bytes[i] - '0');
  }
  *out = length;
  return true;
}

const char *upstream_head_parse(const char *bytes, size_t len, cr_transfer_head *out) {
  const char *at = bytes, *end = bytes + len;
  memset(out, 0, sizeof *out);
  out->status = parse_status_line(next_line(&at, end));
  if (!out->status) return "malformed status line";
  if (out->status == 101) return "switched protocols unasked";

  out->headers = at;
  bool chunked = false;
  while (at < end) {
    const char *line_start = at;
    text line = next_line(&at, end), value;
    if (line.len == 0) {
      out->headers_len = (size_t)(line_start - out->headers);
      break;
    }
    if (name_is(line, "content-length", &value)) {
      uint64_t length;
      if (!parse_length(value, &length)) return "malformed Content-Length";
      if (out->has_content_length && length != out->content_length)
        return "several Content-Lengths";
      out->has_content_length = true;
      out->content_length = length;
    }
    chunked = chunked || name_is(line, "transfer-encoding", &value);
  }
  if (chunked && out->has_content_length) return "Content-Length and Transfer-Encoding";
  return NULL;
}
