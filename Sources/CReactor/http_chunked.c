/* http_chunked.c: the chunked transfer coding, RFC 9112 7.1, without its liberties.
 *
 *   - A size is 1 to 16 hexadecimal digits and nothing else; extensions are ;name or ;name=value,
 *     both tokens, no quotes, no white space; every line ends in CRLF.
 *   - Trailers are checked like headers and dropped. Those that would change what the head said
 *     are refused.
 */
#include <string.h>

#include "http_fields.h"

enum {
  SIZE,
  NAME, /* of an extension: nothing of it yet, or a part */
  IN_NAME,
  VALUE,
  IN_VALUE,
  SIZE_LF,
  DATA,
  DATA_CR,
  DATA_LF,
  TRAILER,
  TRAILER_LF,
  OVER,
  BROKEN
};

enum { SIZE_DIGITS = 16 };

void chunked_init(chunked_decoder *d) { memset(d, 0, offsetof(chunked_decoder, field)); }

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool on_extension_byte(chunked_decoder *d, char c) {
  bool is_token = http_byte_class[(uint8_t)c] & HTTP_TOKEN;
  switch (d->phase) {
  case NAME: d->phase = IN_NAME; return is_token;
  case VALUE: d->phase = IN_VALUE; return is_token;
  default:
    if (c == ';') d->phase = NAME;
    else if (c == '=' && d->phase == IN_NAME) d->phase = VALUE;
    else return is_token;
    return true;
  }
}

/* The size, its extensions, and the CR after them. */
static bool on_size_byte(chunked_decoder *d, char c) {
  if (++d->line_len > LIMIT_CHUNK_LINE_BYTES) return false;
  if (c == '\r' && d->digits > 0 && d->phase != NAME && d->phase != VALUE) {
    d->phase = SIZE_LF;
    return true;
  }
  if (d->phase != SIZE) return on_extension_byte(d, c);
  int value = hex_value(c);
  if (value >= 0) {
    d->left = d->left << 4 | (uint64_t)value;
    return ++d->digits <= SIZE_DIGITS && d->left <= INT64_MAX;
  }
  d->phase = NAME;
  return c == ';' && d->digits > 0;
}

static bool on_size_end(chunked_decoder *d, char c) {
  d->phase = d->left > 0 ? DATA : TRAILER;
  d->line_len = 0;
  d->digits = 0;
  return c == '\n';
}

static bool is_forbidden_trailer(const char *name, size_t len) {
  return http_name_is(name, len, "content-length") ||
         http_name_is(name, len, "transfer-encoding") || http_name_is(name, len, "host") ||
         http_name_is(name, len, "authorization") ||
         (len >= 6 && http_name_is(name, 6, "x-amz-"));
}

/* Bytes up to a trailer line's CR. */
static bool on_trailer_byte(chunked_decoder *d, char c) {
  if (++d->trailer_len > LIMIT_TRAILER_BYTES) return false;
  if (c == '\r') {
    d->phase = TRAILER_LF;
    return true;
  }
  /* A line feed alone ends a line for others: it must not be waited on. */
  if (d->field_len == sizeof d->field || !(http_byte_class[(uint8_t)c] & HTTP_VALUE)) return false;
  d->field[d->field_len++] = c;
  return true;
}

static bool on_trailer_end(chunked_decoder *d, char c) {
  if (c != '\n') return false;
  d->trailer_len++;
  if (d->field_len == 0) {
    d->phase = OVER;
    return true;
  }
  cr_header header;
  if (http_parse_field(d->field, 0, d->field_len, &header)) return false;
  d->field_len = 0;
  d->phase = TRAILER;
  return !is_forbidden_trailer(d->field, header.name.len);
}

static bool on_byte(chunked_decoder *d, char c) {
  switch (d->phase) {
  case SIZE:
  case NAME:
  case IN_NAME:
  case VALUE:
  case IN_VALUE: return on_size_byte(d, c);
  case SIZE_LF: return on_size_end(d, c);
  case DATA_CR: d->phase = DATA_LF; return c == '\r';
  case DATA_LF: d->phase = SIZE; return c == '\n';
  case TRAILER: return on_trailer_byte(d, c);
  case TRAILER_LF: return on_trailer_end(d, c);
  default: return false;
  }
}

int chunked_decode(chunked_decoder *d, const char *bytes, size_t n, size_t *used,
                   const char **data, size_t *data_len) {
  size_t at = 0;
  *data = NULL;
  *data_len = 0;
  while (at < n && d->phase != OVER) {
    if (d->phase == DATA) {
      size_t take = n - at < d->left ? n - at : (size_t)d->left;
      *data = bytes + at;
      *data_len = take;
      d->left -= take;
      if (d->left == 0) d->phase = DATA_CR;
      *used = at + take;
      return HTTP_MORE;
    }
    if (!on_byte(d, bytes[at++])) {
      d->phase = BROKEN;
      break;
    }
  }
  *used = at;
  if (d->phase == BROKEN) return HTTP_BAD;
  return d->phase == OVER ? HTTP_DONE : HTTP_MORE;
}
