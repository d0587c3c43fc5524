/* address.c: addresses and networks, and which an upstream may have. Pure.
 *
 *   - Every address is compared in its 16-byte form, so a v4-mapped one can't pass for another.
 *   - Of IPv6 only 2000::/3 is handed out as global unicast: what lies outside is not public.
 */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
enum { MAPPED_BITS = 96 };

typedef struct {
  uint8_t bytes[4];
  unsigned bits;
} ipv4_network;

static const ipv4_network ipv4_special[] = {
    {{0, 0, 0, 0}, 8},       {{10, 0, 0, 0}, 8},     {{100, 64, 0, 0}, 10},
    {{127, 0, 0, 0}, 8},     {{169, 254, 0, 0}, 16}, {{172, 16, 0, 0}, 12},
    {{192, 0, 0, 0}, 24},    {{192, 0, 2, 0}, 24},   {{192, 88, 99, 0}, 24},
    {{192, 168, 0, 0}, 16},  {{198, 18, 0, 0}, 15},  {{198, 51, 100, 0}, 24},
    {{203, 0, 113, 0}, 24},  {{224, 0, 0, 0}, 3},
};

static const address_network ipv6_global = {{{0x20}}, 3};
static const address_network ipv6_special[] = {
    {{{0x20, 0x01}}, 23},             /* protocol assignments, Teredo among them */
    {{{0x20, 0x01, 0x0d, 0xb8}}, 32}, /* documentation */
    {{{0x20, 0x02}}, 16},             /* 6to4 */
    {{{0x3f, 0xff}}, 20},             /* documentation */
};

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits) {
  unsigned whole = bits / 8, rest = bits % 8;
  if (memcmp(a, b, whole) != 0) return false;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static void address_map(const void *ipv4, address *out) {
  memcpy(out->bytes, mapped_prefix, sizeof mapped_prefix);
  memcpy(out->bytes + sizeof mapped_prefix, ipv4, 4);
}

address address_from_bytes(const void *bytes, bool is_ipv4) {
  address out;
  if (is_ipv4) address_map(bytes, &out);
  else memcpy(out.bytes, bytes, sizeof out.bytes);
  return out;
}

static bool is_mapped(const address *a) {
  return memcmp(a->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

bool address_from_sockaddr(const struct sockaddr *from, address *out) {
  if (from->sa_family == AF_INET) {
    struct sockaddr_in ipv4;
    memcpy(&ipv4, from, sizeof ipv4);
    address_map(&ipv4.sin_addr, out);
    return true;
  }
  if (from->sa_family == AF_INET6) {
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, from, sizeof ipv6);
    memcpy(out->bytes, &ipv6.sin6_addr, sizeof out->bytes);
    return true;
  }
  return false;
}

bool address_in_network(const address *a, const address_network *network) {
  return same_prefix(a->bytes, network->prefix.bytes, network->bits);
}

bool address_in_networks(const address *a, const address_network *networks, int count) {
  for (int i = 0; i < count; i++)
    if (address_in_network(a, &networks[i])) return true;
  return false;
}

bool address_is_public(const address *a) {
  if (is_mapped(a)) {
    for (size_t i = 0; i < sizeof ipv4_special / sizeof *ipv4_special; i++)
      if (same_prefix(a->bytes + sizeof mapped_prefix, ipv4_special[i].bytes,
                      ipv4_special[i].bits))
        return false;
    return true;
  }
  if (!address_in_network(a, &ipv6_global)) return false;
  for (size_t i = 0; i < sizeof ipv6_special / sizeof *ipv6_special; i++)
    if (address_in_network(a, &ipv6_special[i])) return false;
  return true;
}

void address_text(const address *a, char *text, size_t size) {
  const char *done = is_mapped(a)
                         ? inet_ntop(AF_INET, a->bytes + sizeof mapped_prefix, text,
                                     (socklen_t)size)
                         : inet_ntop(AF_INET6, a->bytes, text, (socklen_t)size);
  if (!done && size > 0) text[0] = 0;
}

bool decimal_parse(const char *text, unsigned max, unsigned *out) {
  unsigned value = 0;
  if (!*text || (*text == '0' && text[1])) return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9') return false;
    value = value * 10 + (unsigned)(*text - '0');
    if (value > max) return false;
  }
  *out = value;
  return true;
}

static bool parse_network(const char *text, size_t len, address_network *out) {
  char copy[INET6_ADDRSTRLEN + 4];
  if (len >= sizeof copy) return false;
  memcpy(copy, text, len);
  copy[len] = 0;
  char *slash = strchr(copy, '/');
  if (slash) *slash = 0;

  uint8_t raw[16];
  if (inet_pton(AF_INET, copy, raw) == 1) {
    address_map(raw, &out->prefix);
    out->bits = 32;
    if (slash && !decimal_parse(slash + 1, 32, &out->bits)) return false;
    out->bits += MAPPED_BITS;
    return true;
  }
  if (inet_pton(AF_INET6, copy, raw) != 1) return false;
  memcpy(out->prefix.bytes, raw, sizeof raw);
  out->bits = 128;
  return !slash || decimal_parse(slash + 1, 128, &out->bits);
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

int address_networks_parse(const char *text, address_network **out, const char **bad,
                           size_t *bad_len) {
  *out = NULL;
  size_t capacity = 1;
  for (const char *c = text; *c; c++) capacity += *c == ',';
  address_network *networks = calloc(capacity, sizeof *networks);
  if (!networks) return -2;

  int count = 0;
  for (const char *item = text; item;) {
    const char *comma = strchr(item, ',');
    const char *end = comma ? comma : item + strlen(item);
    while (item < end && is_blank(*item)) item++;
    while (end > item && is_blank(end[-1])) end--;
    if (end > item && !parse_network(item, (size_t)(end - item), &networks[count++])) {
      *bad = item;
      *bad_len = (size_t)(end - item);
      free(networks);
      return -1;
    }
    item = comma ? comma + 1 : NULL;
  }
  *out = networks;
  return count;
}
