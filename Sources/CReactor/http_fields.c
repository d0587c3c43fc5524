/* http_fields.c: header lines, and what those may hold that frame a request or that must not be
 * read twice with two results.
 *
 *   - Each of them is judged on its own line; what they say together is judged at the head's end.
 */
#include <string.h>

#include "http_fields.h"

const char *http_parse_field(const char *bytes, uint32_t at, uint32_t len, cr_header *out) {
  const char *line = bytes + at;
  uint32_t name = 0;
  while (name < len && http_byte_class[(uint8_t)line[name]] & HTTP_TOKEN) name++;
  if (name == 0 && len > 0 && (line[0] == ' ' || line[0] == '\t'))
    return "a header line begins with white space";
  if (name == 0 || name == len || line[name] != ':')
    return "a header line is not of the form name: value";
  uint32_t from = name + 1, to = len;
  if (!http_all_of(line + from, to - from, HTTP_VALUE))
    return "a header value holds a control byte";
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
    if (!http_is_digit(value[i])) return head_fail(p, 400, "Content-Length is not a length");
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
    while (name_len < coding.len && http_byte_class[(uint8_t)name[name_len]] & HTTP_TOKEN)
      name_len++;
    if (name_len == 0 || (name_len < coding.len && name[name_len] != ';'))
      return head_fail(p, 400, "Transfer-Encoding is not a list of codings");
    if (chunked_before) return head_fail(p, 400, "chunked is not the last transfer coding");
    chunked_before = http_name_is(name, coding.len, "chunked");
  }
  return head_fail(p, 501, "the only transfer coding understood here is chunked");
}

static bool is_end_to_end(const char *name, uint32_t len);

/* A proxy in front drops the headers that Connection names: what a request says must not hang on
 * whether there was one. */
static int parse_connection(head_parser *p, const char *value, uint32_t len) {
  for (uint32_t at = 0; at <= len;) {
    cr_slice option = next_element(value, len, &at);
    if (is_end_to_end(value + option.at, option.len))
      return head_fail(p, 400, "the Connection header names a header that is not the connection's");
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

bool http_is_authority(const char *value, uint32_t len) {
  enum { HOST_BYTES = 255 };
  uint32_t host = 0;
  if (len > 0 && value[0] == '[') {
    for (host = 1; host < len && value[host] != ']'; host++)
      if (!strchr("0123456789abcdefABCDEF:.", value[host])) return false;
    if (host == len || host < 3) return false;
    host++;
  } else {
    while (host < len && http_byte_class[(uint8_t)value[host]] & HTTP_HOST) host++;
  }
  if (host == 0 || host > HOST_BYTES) return false;
  if (host == len) return true;
  uint32_t port = 0, digits = len - host - 1;
  if (value[host] != ':' || digits == 0 || digits > 5) return false;
  for (uint32_t i = host + 1; i < len; i++) {
    if (!http_is_digit(value[i])) return false;
    port = port * 10 + (uint32_t)(value[i] - '0');
  }
  return port <= 65535;
}

static int parse_host(head_parser *p, const char *value, uint32_t len) {
  if (http_is_authority(value, len)) return HTTP_MORE;
  return head_fail(p, 400, "the Host header is not a host name or address with a port");
}

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
    {"date", 4, NULL, false},
    {"if-match", 8, NULL, false},
    {"if-modified-since", 17, NULL, false},
    {"if-none-match", 13, NULL, false},
    {"if-range", 8, NULL, false},
    {"if-unmodified-since", 19, NULL, false},
    {"range", 5, NULL, false},
    {"x-amz-content-sha256", 20, NULL, false},
    {"x-amz-date", 10, NULL, false},
};

static bool is_end_to_end(const char *name, uint32_t len) {
  for (uint32_t i = 0; i < sizeof known / sizeof *known; i++)
    if (len == known[i].len && http_name_is(name, len, known[i].name)) return true;
  return http_name_is(name, len, "cookie") || (len > 2 && http_name_is(name, 2, "x-"));
}

int head_parse_field(head_parser *p, const char *bytes, uint32_t at, uint32_t len) {
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
    if (i == SEEN_HOST) p->host = header->value;
    /* White space that other parsers take for a part of the value. */
    bool is_framing = i == SEEN_CONTENT_LENGTH || i == SEEN_TRANSFER_ENCODING;
    if (is_framing && memchr(bytes + at, '\t', len))
      return head_fail(p, 400, "there is a tab in a framing header");
    if (!known[i].parse) return HTTP_MORE;
    return known[i].parse(p, bytes + header->value.at, header->value.len);
  }
  /* Servers behind CGI's naming take these for the real ones. */
  if (http_name_is(name, header->name.len, "content_length") ||
      http_name_is(name, header->name.len, "transfer_encoding"))
    return head_fail(p, 400, "a framing header is written with an underscore");
  return HTTP_MORE;
}
