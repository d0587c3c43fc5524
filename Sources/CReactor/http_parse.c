/* http_parse.c: request heads, strictly (RFC 9112; where it leaves a choice, the one that no two
 * parsers can read differently).
 *
 *   - The bytes are searched for line ends once and parsed once, line by line, so a head that
 *     comes byte by byte costs linear time.
 *   - A line's limit is judged where it is crossed, not where the line ends: the verdict does not
 *     depend on how the bytes were cut.
 */
#include <string.h>

#include "http.h"

enum { TOKEN = 1, VALUE = 2, TARGET = 4, HOST = 8, ANY = 15 };

/* token: RFC 9110 5.6.2. value: field content and obs-text. target: visible ASCII but for bytes
 * that no URI holds and that other parsers treat as an end. host: unreserved, RFC 3986. */
static const uint8_t byte_class[256] = {
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['!'] = TOKEN | VALUE | TARGET,
    ['"'] = VALUE,
    ['#'] = TOKEN | VALUE,
    ['$' ... '\''] = TOKEN | VALUE | TARGET,
    ['(' ... ')'] = VALUE | TARGET,
    ['*' ... '+'] = TOKEN | VALUE | TARGET,
    [','] = VALUE | TARGET,
    ['-' ... '.'] = ANY,
    ['/'] = VALUE | TARGET,
    ['0' ... '9'] = ANY,
    [':' ... ';'] = VALUE | TARGET,
    ['<'] = VALUE,
    ['=' ... '@'] = VALUE | TARGET,
    ['A' ... 'Z'] = ANY,
    ['['] = VALUE | TARGET,
    ['\\'] = VALUE,
    [']'] = VALUE | TARGET,
    ['^'] = TOKEN | VALUE | TARGET,
    ['_'] = ANY,
    ['`'] = TOKEN | VALUE | TARGET,
    ['a' ... 'z'] = ANY,
    ['{'] = VALUE | TARGET,
    ['|'] = TOKEN | VALUE | TARGET,
    ['}'] = VALUE | TARGET,
    ['~'] = ANY,
    [0x80 ... 0xff] = VALUE,
};

static bool all_of(const char *bytes, size_t n, uint8_t class) {
  for (size_t i = 0; i < n; i++)
    if (!(byte_class[(uint8_t)bytes[i]] & class)) return false;
  return true;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool http_name_is(const char *name, size_t len, const char *lower) {
  for (size_t i = 0; i < len; i++) {
    char c = name[i];
    if (c >= 'A' && c <= 'Z') c = (char)(c | 0x20);
    if (c != lower[i] || !c) return false;
  }
  return lower[len] == '\0';
}

static int head_fail(head_parser *p, int status, const char *reason) {
  p->head.malformed_status = status;
  p->head.malformed_reason = reason;
  return HTTP_BAD;
}

void head_init(head_parser *p) {
  memset(p, 0, offsetof(head_parser, headers));
  p->head.headers = p->headers;
}

/* ---- request line ---- */

static int parse_target(head_parser *p, const char *target, size_t len, bool is_options) {
  if (len == 0) return head_fail(p, 400, "the request line has no target");
  if (!all_of(target, len, TARGET))
    return head_fail(p, 400, "the request target holds a byte that must be percent-encoded");
  /* * is about the server as a whole, RFC 9112 3.2.4. */
  if (target[0] == '/' || (is_options && len == 1 && target[0] == '*')) return HTTP_MORE;
  return head_fail(p, 400, "the request target does not begin with /");
}

static int parse_request_line(head_parser *p, const char *line, uint32_t len) {
  enum { METHOD_BYTES = 32, VERSION_BYTES = 8 };
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
      !is_digit(version[5]) || version[6] != '.' || !is_digit(version[7]))
    return head_fail(p, 400, "the request line does not end in an HTTP version");
  if (version[5] != '1' || version[7] > '1')
    return head_fail(p, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  p->head.minor_version = (uint8_t)(version[7] - '0');

  bool is_options = method == 7 && !memcmp(line, "OPTIONS", 7);
  return parse_target(p, target, target_len, is_options);
}

/* ---- header lines ---- */

const char *http_parse_field(const char *bytes, uint32_t at, uint32_t len, cr_header *out) {
  const char *line = bytes + at;
  uint32_t name = 0;
  while (name < len && byte_class[(uint8_t)line[name]] & TOKEN) name++;
  if (name == 0 && len > 0 && (line[0] == ' ' || line[0] == '\t'))
    return "a header line begins with white space";
  if (name == 0 || name == len || line[name] != ':')
    return "a header line is not of the form name: value";
  uint32_t from = name + 1, to = len;
  if (!all_of(line + from, to - from, VALUE)) return "a header value holds a control byte";
  while (from < to && (line[from] == ' ' || line[from] == '\t')) from++;
  while (to > from && (line[to - 1] == ' ' || line[to - 1] == '\t')) to--;
  out->name = (cr_slice){at, name};
  out->value = (cr_slice){at + from, to - from};
  return NULL;
}

static int parse_content_length(head_parser *p, const char *value, uint32_t len) {
  enum { DIGITS = 19 };
  uint64_t n = 0;
  if (len == 0 || len > DIGITS) return head_fail(p, 400, "Content-Length is not a length");
  for (uint32_t i = 0; i < len; i++) {
    if (!is_digit(value[i])) return head_fail(p, 400, "Content-Length is not a length");
    n = n * 10 + (uint64_t)(value[i] - '0'); /* 19 digits fit 64 bits */
  }
  if (n > INT64_MAX) return head_fail(p, 400, "Content-Length is not a length");
  p->head.content_length = n;
  return HTTP_MORE;
}

/* One element of a comma-separated list, RFC 9110 5.6.1; *at moves behind it. */
static cr_slice next_element(const char *value, uint32_t len, uint32_t *at) {
  uint32_t from = *at, to = from;
  while (to < len && value[to] != ',') to++;
  *at = to + 1;
  while (from < to && (value[from] == ' ' || value[from] == '\t')) from++;
  while (to > from && (value[to - 1] == ' ' || value[to - 1] == '\t')) to--;
  return (cr_slice){from, to - from};
}

static int parse_transfer_encoding(head_parser *p, const char *value, uint32_t len) {
  if (http_name_is(value, len, "chunked")) {
    p->head.chunked = true;
    return HTTP_MORE;
  }
  bool chunked_before = false;
  for (uint32_t at = 0; at <= len;) {
    cr_slice coding = next_element(value, len, &at);
    const char *name = value + coding.at;
    uint32_t name_len = 0;
    while (name_len < coding.len && byte_class[(uint8_t)name[name_len]] & TOKEN) name_len++;
    if (name_len == 0 || (name_len < coding.len && name[name_len] != ';'))
      return head_fail(p, 400, "Transfer-Encoding is not a list of codings");
    if (chunked_before) return head_fail(p, 400, "chunked is not the last transfer coding");
    chunked_before = http_name_is(name, coding.len, "chunked");
  }
  return head_fail(p, 501, "the only transfer coding understood here is chunked");
}

static int parse_connection(head_parser *p, const char *value, uint32_t len) {
  for (uint32_t at = 0; at <= len;) {
    cr_slice option = next_element(value, len, &at);
    p->connection_close |= http_name_is(value + option.at, option.len, "close");
    p->connection_keep_alive |= http_name_is(value + option.at, option.len, "keep-alive");
  }
  return HTTP_MORE;
}

static int parse_expect(head_parser *p, const char *value, uint32_t len) {
  if (!http_name_is(value, len, "100-continue"))
    return head_fail(p, 417, "the only expectation understood here is 100-continue");
  p->head.expects_continue = p->head.minor_version == 1; /* RFC 9110 10.1.1: not in 1.0 */
  return HTTP_MORE;
}

static int parse_host(head_parser *p, const char *value, uint32_t len) {
  enum { HOST_BYTES = 255 };
  static const char *const reason = "the Host header is not a host name or address with a port";
  uint32_t host = 0;
  if (len > 0 && value[0] == '[') {
    for (host = 1; host < len && value[host] != ']'; host++)
      if (!strchr("0123456789abcdefABCDEF:.", value[host])) return head_fail(p, 400, reason);
    if (host == len || host < 3) return head_fail(p, 400, reason);
    host++;
  } else {
    while (host < len && byte_class[(uint8_t)value[host]] & HOST) host++;
  }
  if (host == 0 || host > HOST_BYTES) return head_fail(p, 400, reason);
  if (host == len) return HTTP_MORE;
  uint32_t port = 0, digits = len - host - 1;
  if (value[host] != ':' || digits == 0 || digits > 5) return head_fail(p, 400, reason);
  for (uint32_t i = host + 1; i < len; i++) {
    if (!is_digit(value[i])) return head_fail(p, 400, reason);
    port = port * 10 + (uint32_t)(value[i] - '0');
  }
  return port <= 65535 ? HTTP_MORE : head_fail(p, 400, reason);
}

/* Headers that frame the request or that must not be read twice with two results. */
enum { SEEN_HOST, SEEN_CONTENT_LENGTH, SEEN_TRANSFER_ENCODING, SEEN_EXPECT, SEEN_CONNECTION };

static const struct {
  const char *name;
  uint32_t len;
  int (*parse)(head_parser *, const char *value, uint32_t len);
  bool repeatable;
} known[] = {
    [SEEN_HOST] = {"host", 4, parse_host, false},
    [SEEN_CONTENT_LENGTH] = {"content-length", 14, parse_content_length, false},
    [SEEN_TRANSFER_ENCODING] = {"transfer-encoding", 17, parse_transfer_encoding, false},
    [SEEN_EXPECT] = {"expect", 6, parse_expect, false},
    [SEEN_CONNECTION] = {"connection", 10, parse_connection, true},
    {"authorization", 13, NULL, false},
    {"content-md5", 11, NULL, false},
    {"content-type", 12, NULL, false},
    {"range", 5, NULL, false},
    {"x-amz-content-sha256", 20, NULL, false},
    {"x-amz-date", 10, NULL, false},
};

static int parse_header_line(head_parser *p, const char *bytes, uint32_t at, uint32_t len) {
  if (p->head.header_count == LIMIT_HEADERS) return head_fail(p, 431, "too many header lines");
  cr_header *header = &p->headers[p->head.header_count];
  const char *wrong = http_parse_field(bytes, at, len, header);
  if (wrong) return head_fail(p, 400, wrong);
  p->head.header_count++;

  const char *name = bytes + header->name.at;
  for (uint32_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (header->name.len != known[i].len || !http_name_is(name, known[i].len, known[i].name))
      continue;
    if (p->seen & 1u << i && !known[i].repeatable)
      return head_fail(p, 400, "a header that can come only once came twice");
    p->seen |= 1u << i;
    if (!known[i].parse) return HTTP_MORE;
    return known[i].parse(p, bytes + header->value.at, header->value.len);
  }
  /* Servers behind CGI's naming take these for the real ones. */
  if (http_name_is(name, header->name.len, "content_length") ||
      http_name_is(name, header->name.len, "transfer_encoding"))
    return head_fail(p, 400, "a framing header is written with an underscore");
  return HTTP_MORE;
}

static int finish(head_parser *p) {
  cr_head *head = &p->head;
  bool has_length = p->seen & 1u << SEEN_CONTENT_LENGTH;
  if (head->chunked && has_length)
    return head_fail(p, 400, "both Content-Length and Transfer-Encoding");
  if (head->chunked && head->minor_version == 0)
    return head_fail(p, 400, "Transfer-Encoding in an HTTP/1.0 request");
  if (head->minor_version == 1 && !(p->seen & 1u << SEEN_HOST))
    return head_fail(p, 400, "no Host header");
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
    else if (len > 1) result = parse_header_line(p, bytes + p->start, at - p->start, len - 1);
    else result = finish(p);
  }
  p->head.len = (result == HTTP_MORE ? n : p->line_start) - p->start;
  if (result == HTTP_MORE && n < p->start) p->head.len = 0;
  return result;
}
