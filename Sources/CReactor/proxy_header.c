/* proxy_header.c: the PROXY protocol, versions 1 and 2, as HAProxy's proxy-protocol.txt has it.
 *
 *   - The verdict does not depend on how the bytes come, and is given as soon as a byte is wrong:
 *     a client that speaks something else is not waited for.
 *   - What the protocol lets a receiver ignore is ignored (LOCAL, UNKNOWN, families without an IP
 *     address); what it leaves no liberty with is refused: addresses and ports in another form,
 *     vectors that do not fill the header, a checksum that is not the header's.
 */
#include "proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { LINE_BYTES = 107, V2_BYTES = 16 };

static int bad(proxy_header *out, const char *reason) {
  out->reason = reason;
  return HTTP_BAD;
}

/* ---- version 1: a line ---- */

static const char line_begin[] = "PROXY ";

/* The text between two single spaces, or behind the last one, NUL-terminated; false: there is none
 * or it is longer than any that could be right. */
static bool next_field(const char **at, const char *end, char field[INET6_ADDRSTRLEN]) {
  if (*at == end || **at != ' ') return false;
  const char *from = *at + 1;
  const char *to = memchr(from, ' ', (size_t)(end - from));
  if (!to) to = end;
  size_t len = (size_t)(to - from);
  if (len == 0 || len >= INET6_ADDRSTRLEN || memchr(from, 0, len)) return false;
  memcpy(field, from, len);
  field[len] = 0;
  *at = to;
  return true;
}

static bool next_address(const char **at, const char *end, int family, address *out) {
  char field[INET6_ADDRSTRLEN];
  uint8_t raw[16];
  if (!next_field(at, end, field) || inet_pton(family, field, raw) != 1) return false;
  *out = address_from_bytes(raw, family == AF_INET);
  return true;
}

static bool next_port(const char **at, const char *end) {
  char field[INET6_ADDRSTRLEN];
  unsigned port;
  return next_field(at, end, field) && decimal_parse(field, UINT16_MAX, &port);
}

static int parse_line(const char *bytes, const char *end, proxy_header *out) {
  static const char unknown[] = "UNKNOWN";
  const char *at = bytes + sizeof line_begin - 1;
  size_t left = (size_t)(end - at);
  bool is_unknown = left >= sizeof unknown - 1 && !memcmp(at, unknown, sizeof unknown - 1);
  if (is_unknown && (left == sizeof unknown - 1 || at[sizeof unknown - 1] == ' ')) return HTTP_DONE;

  int family = left < 4                  ? 0
               : !memcmp(at, "TCP4", 4) ? AF_INET
               : !memcmp(at, "TCP6", 4) ? AF_INET6
                                        : 0;
  if (!family) return bad(out, "a PROXY line of an unknown protocol");
  at += 4;
  address destination;
  if (!next_address(&at, end, family, &out->source) ||
      !next_address(&at, end, family, &destination))
    return bad(out, "a PROXY line with a malformed address");
  if (!next_port(&at, end) || !next_port(&at, end) || at != end)
    return bad(out, "a PROXY line with a malformed port");
  out->has_source = true;
  return HTTP_DONE;
}

static int find_line(const char *bytes, size_t n, proxy_header *out) {
  size_t longest = n < LINE_BYTES ? n : LINE_BYTES;
  const char *end = bytes;
  while (end < bytes + longest && *end != '\r' && *end != '\n') end++;
  size_t len = (size_t)(end - bytes);
  if (len + 2 > LINE_BYTES) return bad(out, "a PROXY line that does not end");
  if (len == n || (len + 1 == n && *end == '\r')) return HTTP_MORE;
  if (*end == '\n' || end[1] != '\n') return bad(out, "a PROXY line that does not end in CRLF");
  out->len = (uint32_t)len + 2;
  return parse_line(bytes, end, out);
}

/* ---- version 2: binary ---- */

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };
enum { FAMILY_UNSPECIFIED, FAMILY_IPV4, FAMILY_IPV6, FAMILY_UNIX, FAMILIES };
enum { TRANSPORT_UNSPECIFIED, TRANSPORT_STREAM, TRANSPORT_DATAGRAM, TRANSPORTS };
enum { VECTOR_HEAD_BYTES = 3, VECTOR_CHECKSUM = 3, CHECKSUM_BYTES = 4 };

/* Both addresses and both ports. */
static const uint8_t family_bytes[FAMILIES] = {0, 12, 36, 216};

/* CRC32c (RFC 4960, appendix B) of the header, the checksum's own bytes taken as 0. */
static uint32_t checksum(const uint8_t *bytes, size_t n, size_t own) {
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < n; i++) {
    crc ^= i >= own && i < own + CHECKSUM_BYTES ? 0 : bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

/* Type, length, value; again and again, to the header's end. */
static int check_vectors(const uint8_t *bytes, size_t at, proxy_header *out) {
  while (at < out->len) {
    if (out->len - at < VECTOR_HEAD_BYTES) return bad(out, "a PROXY header with a cut vector");
    uint8_t type = bytes[at];
    size_t value = (size_t)bytes[at + 1] << 8 | bytes[at + 2];
    at += VECTOR_HEAD_BYTES;
    if (value > out->len - at) return bad(out, "a PROXY header with a cut vector");
    if (type == VECTOR_CHECKSUM) {
      const uint8_t *sum = bytes + at;
      if (value != CHECKSUM_BYTES ||
          checksum(bytes, out->len, at) !=
              ((uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | sum[3]))
        return bad(out, "a PROXY header with a wrong checksum");
    }
    at += value;
  }
  return HTTP_DONE;
}

static int parse_binary(const uint8_t *bytes, size_t n, proxy_header *out) {
  if (n > 12 && bytes[12] != COMMAND_LOCAL && bytes[12] != COMMAND_PROXY)
    return bad(out, "a PROXY header of an unknown version or command");
  if (n > 13 && bytes[12] == COMMAND_PROXY &&
      (bytes[13] >> 4 >= FAMILIES || (bytes[13] & 15) >= TRANSPORTS))
    return bad(out, "a PROXY header of an unknown family or transport");
  if (n < V2_BYTES) return HTTP_MORE;
  uint32_t len = V2_BYTES + ((uint32_t)bytes[14] << 8 | bytes[15]);
  uint8_t family = bytes[13] >> 4, transport = bytes[13] & 15;
  if (len > LIMIT_PROXY_HEADER_BYTES) return bad(out, "a PROXY header over the limit");
  bool is_local = bytes[12] == COMMAND_LOCAL;
  if (!is_local && len < V2_BYTES + (uint32_t)family_bytes[family])
    return bad(out, "a PROXY header without room for its addresses");
  if (n < len) return HTTP_MORE;
  out->len = len;
  if (is_local || family == FAMILY_UNSPECIFIED || transport == TRANSPORT_UNSPECIFIED)
    return HTTP_DONE;
  if (family != FAMILY_UNIX) {
    out->source = address_from_bytes(bytes + V2_BYTES, family == FAMILY_IPV4);
    out->has_source = true;
  }
  return check_vectors(bytes, V2_BYTES + (size_t)family_bytes[family], out);
}

/* ---- either ---- */

static bool begins(const char *bytes, size_t n, const char *with, size_t len) {
  return !memcmp(bytes, with, n < len ? n : len);
}

int proxy_header_parse(const char *bytes, size_t n, proxy_header *out) {
  enum { LINE_BEGIN = sizeof line_begin - 1, SIGNATURE = sizeof signature - 1 };
  memset(out, 0, sizeof *out);
  if (n == 0) return HTTP_MORE;
  if (begins(bytes, n, line_begin, LINE_BEGIN))
    return n < LINE_BEGIN ? HTTP_MORE : find_line(bytes, n, out);
  if (begins(bytes, n, signature, SIGNATURE))
    return n < SIGNATURE ? HTTP_MORE : parse_binary((const uint8_t *)bytes, n, out);
  return bad(out, "no PROXY header");
}
