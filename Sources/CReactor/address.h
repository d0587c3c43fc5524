/* address.c: addresses and networks, and which an upstream may have. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

/* IPv6 form; an IPv4 address is v4-mapped (::ffff:a.b.c.d), its prefixes 96 bits longer. */
typedef struct {
  uint8_t bytes[16];
} address;

typedef struct {
  address prefix;
  unsigned bits;
} address_network;

/* From a socket's address; false when it is neither IPv4 nor IPv6. */
bool address_from_sockaddr(const struct sockaddr *from, address *out);

/* From the 4 or 16 bytes of the network's order. */
address address_from_bytes(const void *bytes, bool is_ipv4);

/* "10.0.0.0/8, fd00::/8, 192.0.2.7": networks or single addresses, comma-separated. Returns their
 * number, with *out to be freed; -1 when one is malformed, *bad and *bad_len then tell which; -2
 * when memory is short. */
int address_networks_parse(const char *text, address_network **out, const char **bad,
                           size_t *bad_len);

bool address_in_network(const address *a, const address_network *network);
bool address_in_networks(const address *a, const address_network *networks, int count);

/* Globally reachable unicast: not private, shared, loopback, link-local, multicast, reserved, for
 * documentation, nor IPv6 that wraps an IPv4 address (6to4, NAT64, Teredo); v4-mapped addresses
 * are judged by the IPv4 address inside. Source: IANA special-purpose address registries. */
bool address_is_public(const address *a);

/* Numeric text without port; size at least INET6_ADDRSTRLEN. */
void address_text(const address *a, char *text, size_t size);

/* Decimal digits of at most max, without leading zeros, and nothing else. */
bool decimal_parse(const char *text, unsigned max, unsigned *out);
