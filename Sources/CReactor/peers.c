/* peers.c: how many connections each client address has, where a listener limits them.
 *
 *   - An IPv6 client counts with its /64, of which every host has all addresses.
 *   - Without a limit nothing is counted. An address without a connection takes no memory.
 */
#include <stdlib.h>
#include <string.h>

#include "conn.h"

enum { BUCKETS = 1024, SHARED_PREFIX = 8 /* bytes */ };

struct peer_count {
  peer_count *next; /* in its bucket */
  address key;
  uint32_t connections;
};

static address peer_address(const cr_conn *conn) {
  static const address mapped = {{[10] = 0xff, [11] = 0xff}};
  address a = mapped;
  if (conn->peer_family == AF_INET) memcpy(a.bytes + 12, conn->peer_address, 4);
  else memcpy(a.bytes, conn->peer_address, sizeof a.bytes);
  return a;
}

static peer_count **peers_bucket(const peer_limit *limit, const address *key) {
  uint64_t high, low;
  memcpy(&high, key->bytes, sizeof high);
  memcpy(&low, key->bytes + sizeof high, sizeof low);
  uint64_t hash = (high ^ limit->seed) * 0x9e3779b97f4a7c15;
  hash = (hash ^ (hash >> 32) ^ low) * 0x9e3779b97f4a7c15;
  return &limit->buckets[hash >> 54];
}

int peers_limit(peer_limit *limit, uint32_t most) {
  if (most > 0 && !limit->buckets) {
    limit->buckets = calloc(BUCKETS, sizeof *limit->buckets);
    if (!limit->buckets) return CR_EMEMORY;
    limit->seed = uv_hrtime() ^ (uintptr_t)limit;
  }
  limit->most = most;
  return CR_OK;
}

void peers_free(peer_limit *limit) {
  free(limit->shared);
  free(limit->buckets); /* empty: the last connection is gone */
}

peer_verdict peers_enter(cr_conn *conn) {
  peer_limit *limit = &conn->listener->peers;
  if (limit->most == 0) return PEER_WELCOME;
  address key = peer_address(conn);
  if (address_in_networks(&key, limit->shared, limit->shared_count)) return PEER_WELCOME;
  if (conn->peer_family != AF_INET)
    memset(key.bytes + SHARED_PREFIX, 0, sizeof key.bytes - SHARED_PREFIX);
  peer_count **bucket = peers_bucket(limit, &key), *peer = *bucket;
  while (peer && memcmp(&peer->key, &key, sizeof key)) peer = peer->next;
  if (peer && peer->connections >= limit->most) return PEER_OVER_LIMIT;
  if (!peer) {
    peer = calloc(1, sizeof *peer);
    if (!peer) return PEER_NO_MEMORY;
    peer->key = key;
    peer->next = *bucket;
    *bucket = peer;
  }
  peer->connections++;
  conn->peer = peer;
  return PEER_WELCOME;
}

void peers_leave(cr_conn *conn) {
  peer_count *peer = conn->peer;
  if (!peer || --peer->connections > 0) return;
  peer_count **link = peers_bucket(&conn->listener->peers, &peer->key);
  while (*link != peer) link = &(*link)->next;
  *link = peer->next;
  free(peer);
}
