/* http_parse.c: request heads, strictly (RFC 9112; where it leaves a choice, the one that no two
 * parsers can read differently).
 *
 *   - The bytes are searched for line ends once and parsed once, line by line, so a head that
 *     comes byte by byte costs linear time.
 *   - A line's limit is judged where it is crossed, not where the line ends: the verdict does not
 *     depend on how the bytes were cut.
 */
#include <string.h>

#include "http_fields.h"

/* token: RFC 9110 5.6.2. value: field content and obs-text. target: visible ASCII but for bytes
 * that no URI holds and that other parsers treat as an end. host: unreserved, RFC 3986. */
const uint8_t http_byte_class[256] = {
    ['\t'] = HTTP_VALUE,
    [' '] = HTTP_VALUE,
    ['!'] = HTTP_TOKEN | HTTP_VALUE | HTTP_TARGET,
    ['"'] = HTTP_VALUE,
    ['#'] = HTTP_TOKEN | HTTP_VALUE,
    ['$' ... '\''] = HTTP_TOKEN | HTTP_VALUE | HTTP_TARGET,
    ['(' ... ')'] = HTTP_VALUE | HTTP_TARGET,
    ['*' ... '+'] = HTTP_TOKEN | HTTP_VALUE | HTTP_TARGET,
    [','] = HTTP_VALUE | HTTP_TARGET,
    ['-' ... '.'] = HTTP_ANY,
    ['/'] = HTTP_VALUE | HTTP_TARGET,
    ['0' ... '9'] = HTTP_ANY,
    [':' ... ';'] = HTTP_VALUE | HTTP_TARGET,
    ['<'] = HTTP_VALUE,
    ['=' ... '@'] = HTTP_VALUE | HTTP_TARGET,
    ['A' ... 'Z'] = HTTP_ANY,
    ['['] = HTTP_VALUE | HTTP_TARGET,
    ['\\'] = HTTP_VALUE,
    [']'] = HTTP_VALUE | HTTP_TARGET,
    ['^'] = HTTP_TOKEN | HTTP_VALUE | HTTP_TARGET,
    ['_'] = HTTP_ANY,
    ['`'] = HTTP_TOKEN | HTTP_VALUE | HTTP_TARGET,
    ['a' ... 'z'] = HTTP_ANY,
    ['{'] = HTTP_VALUE | HTTP_TARGET,
    ['|'] = HTTP_TOKEN | HTTP_VALUE | HTTP_TARGET,
    ['}'] = HTTP_VALUE | HTTP_TARGET,
    ['~'] = HTTP_ANY,
    [0x80 ... 0xff] = HTTP_VALUE,
};

bool http_name_is(const char *name, size_t len, const char *lower) {
  for (size_t i = 0; i < len; i++) {
    char c = http_lower(name[i]);
    if (c != lower[i] || !c) return false;
  }
  return lower[len] == '\0';
}

int head_fail(head_parser *p, int status, const char *reason) {
  p->head.malformed_status = status;
  p->head.malformed_reason = reason;
  return HTTP_BAD;
}

void head_init(head_parser *p) {
  memset(p, 0, offsetof(head_parser, headers));
  p->head.headers = p->headers;
}

/* ---- request line ---- */

enum { METHOD_BYTES = 32 };

/* Those of RFC 9110, PATCH, and WebDAV's, each between spaces. Of others nobody knows how a proxy
 * in front frames them. */
static const char methods[] =
    " GET HEAD POST PUT DELETE OPTIONS TRACE PATCH"
    " PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK ";

static int parse_method(head_parser *p, const char *method, uint32_t len) {
  char spaced[METHOD_BYTES + 3] = " ";
  memcpy(spaced + 1, method, len);
  spaced[len + 1] = ' ';
  if (strstr(methods, spaced)) return HTTP_MORE;
  if (http_name_is(method, len, "connect")) return head_fail(p, 405, "this is not a proxy");
  return head_fail(p, 501, "the request method is not known here");
}

/* absolute-form, RFC 9112 3.2.2: what a client sends that takes us for a proxy. The authority must
 * be what Host says (`finish`), and the target is the rest. */
static int parse_absolute_target(head_parser *p, const char *target, uint32_t scheme) {
  uint32_t at = p->head.target.at + scheme, len = p->head.target.len - scheme;
  const char *path = memchr(target + scheme, '/', len);
  uint32_t authority = path ? (uint32_t)(path - target) - scheme : len;
  if (!http_is_authority(target + scheme, authority) || !path)
    return head_fail(p, 400, "the request target is not a path, nor a URL with one");
  p->head.authority = (cr_slice){at, authority};
  p->head.target = (cr_slice){at + authority, len - authority};
  return HTTP_MORE;
}

static int parse_target(head_parser *p, const char *target, uint32_t len, bool is_options) {
  if (len == 0) return head_fail(p, 400, "the request line has no target");
  if (!http_all_of(target, len, HTTP_TARGET))
    return head_fail(p, 400, "the request target holds a byte that must be percent-encoded");
  /* * is about the server as a whole, RFC 9112 3.2.4. */
  if (target[0] == '/' || (is_options && len == 1 && target[0] == '*')) return HTTP_MORE;
  if (len > 7 && http_name_is(target, 7, "http://")) return parse_absolute_target(p, target, 7);
  if (len > 8 && http_name_is(target, 8, "https://")) return parse_absolute_target(p, target, 8);
  return head_fail(p, 400, "the request target does not begin with /");
}

static int parse_request_line(head_parser *p, const char *line, uint32_t len) {
  enum { VERSION_BYTES = 8 };
  uint32_t method = 0;
  while (method < len && line[method] >= 'A' && line[method] <= 'Z') method++;
  p->head.method.len = method;
  if (method == 0 || method == len || line[method] != ' ' || method > METHOD_BYTES)
    return head_fail(p, 400, "the request method is not a word of capital letters");

  const char *target = line + method + 1;
  uint32_t rest = len - method - 1;
  const char *space = memchr(target, ' ', rest);
  uint32_t target_len = space ? (uint32_t)(space - target) : rest;
  p->head.target = (cr_slice){method + 1, target_len};
  if (!space) return head_fail(p, 400, "the request line has no HTTP version");

  const char *version = space + 1;
  if (rest - target_len - 1 != VERSION_BYTES || memcmp(version, "HTTP/", 5) ||
      !http_is_digit(version[5]) || version[6] != '.' || !http_is_digit(version[7]))
    return head_fail(p, 400, "the request line does not end in an HTTP version");
  if (version[5] != '1' || version[7] > '1')
    return head_fail(p, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  p->head.minor_version = (uint8_t)(version[7] - '0');

  int result = parse_method(p, line, method);
  if (result != HTTP_MORE) return result;
  bool is_options = method == 7 && !memcmp(line, "OPTIONS", 7);
  return parse_target(p, target, target_len, is_options);
}

/* ---- the end of the head ---- */

static bool same_name(const char *bytes, cr_slice a, cr_slice b) {
  if (a.len != b.len) return false;
  for (uint32_t i = 0; i < a.len; i++)
    if (http_lower(bytes[a.at + i]) != http_lower(bytes[b.at + i])) return false;
  return true;
}

/* bytes: from the request line on. */
static int finish(head_parser *p, const char *bytes) {
  cr_head *head = &p->head;
  bool has_length = p->seen & 1u << SEEN_CONTENT_LENGTH;
  bool has_host = p->seen & 1u << SEEN_HOST;
  if (head->chunked && has_length)
    return head_fail(p, 400, "both Content-Length and Transfer-Encoding");
  if (head->chunked && head->minor_version == 0)
    return head_fail(p, 400, "Transfer-Encoding in an HTTP/1.0 request");
  if (head->minor_version == 1 && !has_host) return head_fail(p, 400, "no Host header");
  /* RFC 9112 3.2.2 would have Host ignored: two names for one request are one too many. */
  if (has_host && head->authority.len > 0 && !same_name(bytes, head->authority, p->host))
    return head_fail(p, 400, "the Host header is not the host of the request target");
  head->has_body = head->chunked || head->content_length > 0;
  head->expects_continue &= head->has_body;
  head->keep_alive =
      !p->connection_close && (head->minor_version == 1 || p->connection_keep_alive);
  return HTTP_DONE;
}

/* ---- lines ---- */

/* An empty line before the request line is skipped, RFC 9112 2.2; and what does not begin like a
 * request is refused at its first byte. */
static int parse_beginning(head_parser *p, const char *bytes, uint32_t n) {
  if (p->start == 0 && n > 0 && bytes[0] == '\r') {
    if (bytes[1] != '\n') return head_fail(p, 400, "a carriage return without a line feed");
    p->start = p->line_start = p->searched = 2;
  }
  if (n > p->start && (bytes[p->start] < 'A' || bytes[p->start] > 'Z'))
    return head_fail(p, 400, "the request method is not a word of capital letters");
  return HTTP_MORE;
}

/* The line that begins at line_start does not end before `end`. */
static int over_limit(head_parser *p, const char *bytes, uint32_t end, bool in_request_line) {
  uint32_t at = p->line_start;
  p->line_start = end;
  if (!in_request_line) return head_fail(p, 431, "a header line or the head is too long");
  (void)parse_request_line(p, bytes + at, end - at); /* for method and target */
  return head_fail(p, 414, "the request line is too long");
}

int head_parse(head_parser *p, const char *bytes, size_t count) {
  uint32_t n = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
  int result = HTTP_MORE;
  if (n == 1 && bytes[0] == '\r') return HTTP_MORE; /* perhaps of an empty line */
  if (p->searched <= p->start) result = parse_beginning(p, bytes, n);
  while (result == HTTP_MORE) {
    bool in_request_line = p->line_start == p->start;
    uint32_t end = p->line_start + (in_request_line ? LIMIT_REQUEST_LINE_BYTES
                                                    : LIMIT_HEADER_LINE_BYTES);
    if (end > p->start + LIMIT_HEAD_BYTES) end = p->start + LIMIT_HEAD_BYTES;
    uint32_t to = n < end ? n : end;
    const char *feed =
        to > p->searched ? memchr(bytes + p->searched, '\n', to - p->searched) : NULL;
    if (!feed) {
      if (n >= end) result = over_limit(p, bytes, end, in_request_line);
      else if (to > p->searched) p->searched = to;
      break;
    }
    uint32_t at = p->line_start, len = (uint32_t)(feed - bytes) - at;
    p->line_start = p->searched = at + len + 1;
    if (len == 0 || bytes[at + len - 1] != '\r')
      result = head_fail(p, 400, "a line ends without a carriage return");
    else if (in_request_line) result = parse_request_line(p, bytes + at, len - 1);
    else if (len > 1) result = head_parse_field(p, bytes + p->start, at - p->start, len - 1);
    else result = finish(p, bytes + p->start);
  }
  p->head.len = (result == HTTP_MORE ? n : p->line_start) - p->start;
  if (result == HTTP_MORE && n < p->start) p->head.len = 0;
  return result;
}
