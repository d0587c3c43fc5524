/* relay.c: a transfer's body becomes the body of a connection's answer.
 *
 *   - The last byte declared is held back until the transfer has ended well, so that a client that
 *     was given every byte may take the answer for complete. It counts as relayed when it is sent.
 *   - Pieces are gathered: curl gives 16 KiB at most, and a write costs more than a copy. What has
 *     gathered goes out at the turn's end, or when it is LIMIT_RELAY_GATHER_BYTES; what ends with
 *     the last byte waits with it, so that a small body leaves in one write. The transfer pauses
 *     while the connection has no room.
 *   - A relay that takes a part ends the transfer where the part ends: what follows is not waited
 *     for, since it could prove nothing about the bytes before it.
 *   - The relay goes with the transfer's end; the connection may go before it.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "limits.h"

typedef struct {
  cr_conn *conn; /* NULL once the answer has ended */
  cr_transfer *transfer;
  cr_loop *loop;
  cr_deferred flush;
  uint64_t skip; /* bytes still to be dropped */
  uint64_t take; /* bytes still to be taken; UINT64_MAX: all that come */
  uint64_t relayed_bytes;
  uint8_t *held; /* gathered, not appended yet */
  size_t held_len, held_capacity;
} relay;

static int relay_append(relay *r, size_t n) {
  if (n == 0) return CR_OK;
  int result = conn_body_append(r->conn, r->held, n);
  if (result == CR_OK) r->relayed_bytes += n;
  r->held_len = 0;
  return result;
}

static void relay_free_held(relay *r) {
  free(r->held);
  r->held = NULL;
  r->held_len = r->held_capacity = 0;
}

/* A body of one piece needs no more room than that. */
static bool relay_make_room(relay *r, size_t n, bool is_last) {
  if (r->held_len + n <= r->held_capacity) return true;
  if (r->held && relay_append(r, r->held_len) != CR_OK) return false;
  if (n <= r->held_capacity) return true;
  size_t capacity = is_last || n > LIMIT_RELAY_GATHER_BYTES ? n : LIMIT_RELAY_GATHER_BYTES;
  relay_free_held(r);
  r->held = malloc(capacity);
  if (!r->held) return false;
  r->held_capacity = capacity;
  return true;
}

static bool relay_gather(relay *r, const uint8_t *bytes, size_t n, bool is_last) {
  if (n == 0) return true;
  if (!relay_make_room(r, n, is_last)) return false;
  memcpy(r->held + r->held_len, bytes, n);
  r->held_len += n;
  if (is_last) loop_cancel_deferred(r->loop, &r->flush);
  else loop_defer(r->loop, &r->flush);
  return true;
}

static void relay_on_flush(cr_deferred *call) {
  relay *r = container_of(call, relay, flush);
  if (!r->conn) return;
  if (relay_append(r, r->held_len) != CR_OK) cr_transfer_cancel(r->transfer);
  if (conn_body_room(r->conn) == 0) relay_free_held(r); /* it pauses: a slow client */
}

/* Of the held bytes, those that may go out after such an end. */
static size_t relay_releasable(const relay *r, cr_transfer_code code) {
  if (code == CR_TRANSFER_OK || r->held_len < conn_body_remaining(r->conn)) return r->held_len;
  return code == CR_TRANSFER_TOO_LARGE || r->held_len == 0 ? 0 : r->held_len - 1;
}

static ssize_t relay_on_bytes(void *sink, const uint8_t *bytes, size_t n) {
  relay *r = sink;
  uint64_t remaining = r->conn ? conn_body_remaining(r->conn) : 0;
  if (remaining == 0) { /* the answer has ended, whether on_gone has said so yet or not */
    cr_transfer_cancel(r->transfer);
    return 0;
  }
  remaining -= r->held_len;
  size_t skipped = r->skip < n ? (size_t)r->skip : n, fresh = n - skipped;
  bool is_enough = fresh >= r->take;
  if (is_enough) fresh = (size_t)r->take;
  if (fresh > remaining) return SINK_TOO_MUCH;
  if (fresh > 0 && conn_body_room(r->conn) == 0) return 0;
  if (!relay_gather(r, bytes + skipped, fresh, fresh == remaining)) {
    cr_transfer_cancel(r->transfer);
    return 0;
  }
  r->skip -= skipped;
  if (r->take != UINT64_MAX) r->take -= fresh;
  return is_enough ? SINK_ENOUGH : (ssize_t)n;
}

static void relay_on_end(void *sink, cr_transfer_result *result) {
  relay *r = sink;
  loop_cancel_deferred(r->loop, &r->flush);
  if (r->conn) {
    bool gone = conn_body_remaining(r->conn) == 0; /* the held bytes would remain */
    size_t n = gone ? 0 : relay_releasable(r, result->code);
    conn_set_feeder(r->conn, NULL, NULL); /* first: the last byte ends the answer */
    if (!gone) gone = relay_append(r, n) != CR_OK;
    if (gone) result->code = CR_TRANSFER_CANCELLED;
  }
  result->relayed_bytes = r->relayed_bytes;
  free(r->held);
  free(r);
}

static const transfer_sink relay_sink = {.on_bytes = relay_on_bytes, .on_end = relay_on_end};

static void relay_on_room(void *feeder) {
  relay *r = feeder;
  transfer_resume(r->transfer);
}

static void relay_on_gone(void *feeder) {
  relay *r = feeder;
  r->conn = NULL;
  cr_transfer_cancel(r->transfer);
}

static const conn_feeder relay_feeder = {.on_room = relay_on_room, .on_gone = relay_on_gone};

int cr_respond_relay(cr_conn *conn, cr_transfer *transfer, uint64_t skip, uint64_t take) {
  relay *r = calloc(1, sizeof *r);
  if (!r) return CR_EMEMORY;
  r->conn = conn;
  r->transfer = transfer;
  r->loop = conn_loop(conn);
  r->flush.run = relay_on_flush;
  r->skip = skip;
  r->take = take ? take : UINT64_MAX;
  int result = conn_set_feeder(conn, &relay_feeder, r);
  if (result != CR_OK) {
    free(r);
    return result;
  }
  result = transfer_set_sink(transfer, &relay_sink, r);
  if (result != CR_OK) {
    conn_set_feeder(conn, NULL, NULL);
    free(r);
  }
  return result;
}
