/* What the two halves of the head's parser share: http_parse.c, the lines, and http_fields.c, the
 * header lines. */
#pragma once

#include "http.h"

enum { HTTP_TOKEN = 1, HTTP_VALUE = 2, HTTP_TARGET = 4, HTTP_HOST = 8, HTTP_ANY = 15 };

extern const uint8_t http_byte_class[256];

static inline bool http_all_of(const char *bytes, size_t n, uint8_t class) {
  for (size_t i = 0; i < n; i++)
    if (!(http_byte_class[(uint8_t)bytes[i]] & class)) return false;
  return true;
}

static inline bool http_is_digit(char c) { return c >= '0' && c <= '9'; }

static inline char http_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

/* A host name or address, with or without a port: RFC 3986 3.2 without user information. */
bool http_is_authority(const char *value, uint32_t len);

/* Bits of head_parser.seen; further ones are those of headers that only must not come twice. */
enum { SEEN_HOST, SEEN_CONTENT_LENGTH, SEEN_TRANSFER_ENCODING, SEEN_EXPECT, SEEN_CONNECTION };

/* The header line at bytes + at, without its end; bytes: from the request line on. HTTP_MORE, or
 * HTTP_BAD as head_parse has it. */
int head_parse_field(head_parser *parser, const char *bytes, uint32_t at, uint32_t len);

/* Returns HTTP_BAD. */
int head_fail(head_parser *parser, int status, const char *reason);
