/* relay.c: a transfer's body becomes the body of a connection's answer.
 *
 *   - The last byte declared is held back until the transfer has ended well, so that a client that
 *     was given every byte may take the answer for complete. It counts as relayed when it is sent.
 *   - The piece that it came in waits with it: most transfers end at once, and a small body then
 *     leaves in one write. Nothing else is buffered here: the transfer pauses while the connection
 *     has no room.
 *   - A relay that takes a part ends the transfer where the part ends: what follows is not waited
 *     for, since it could prove nothing about the bytes before it.
 *   - The relay goes with the transfer's end; the connection may go before it.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

typedef struct {
  cr_conn *conn; /* NULL once the answer has ended */
  cr_transfer *transfer;
  uint64_t skip; /* bytes still to be dropped */
  uint64_t take; /* bytes still to be taken; UINT64_MAX: all that come */
  uint64_t relayed_bytes;
  uint8_t *held; /* the body's last piece */
  size_t held_len;
} relay;

static int relay_append(relay *r, const uint8_t *bytes, size_t n) {
  if (n == 0) return CR_OK;
  int result = conn_body_append(r->conn, bytes, n);
  if (result == CR_OK) r->relayed_bytes += n;
  return result;
}

static int relay_hold(relay *r, const uint8_t *bytes, size_t n) {
  r->held = malloc(n);
  if (!r->held) return CR_EMEMORY;
  memcpy(r->held, bytes, n);
  r->held_len = n;
  return CR_OK;
}

/* Of the held bytes, those that may go out after such an end. */
static size_t relay_releasable(const relay *r, cr_transfer_code code) {
  if (code == CR_TRANSFER_OK) return r->held_len;
  return code == CR_TRANSFER_TOO_LARGE || r->held_len == 0 ? 0 : r->held_len - 1;
}

static ssize_t relay_on_bytes(void *sink, const uint8_t *bytes, size_t n) {
  relay *r = sink;
  uint64_t remaining = r->conn ? conn_body_remaining(r->conn) : 0;
  if (remaining == 0) { /* the answer has ended, whether on_gone has said so yet or not */
    cr_transfer_cancel(r->transfer);
    return 0;
  }
  size_t skipped = r->skip < n ? (size_t)r->skip : n, fresh = n - skipped;
  bool is_enough = fresh >= r->take;
  if (is_enough) fresh = (size_t)r->take;
  if (fresh > remaining - r->held_len) return SINK_TOO_MUCH;
  if (fresh > 0 && conn_body_room(r->conn) == 0) return 0;

  int result = fresh == remaining ? relay_hold(r, bytes + skipped, fresh)
                                  : relay_append(r, bytes + skipped, fresh);
  if (result != CR_OK) {
    cr_transfer_cancel(r->transfer);
    return 0;
  }
  r->skip -= skipped;
  if (r->take != UINT64_MAX) r->take -= fresh;
  return is_enough ? SINK_ENOUGH : (ssize_t)n;
}

static void relay_on_end(void *sink, cr_transfer_result *result) {
  relay *r = sink;
  if (r->conn) {
    bool gone = conn_body_remaining(r->conn) == 0; /* the held bytes would remain */
    conn_set_feeder(r->conn, NULL, NULL);          /* first: the last byte ends the answer */
    if (!gone) gone = relay_append(r, r->held, relay_releasable(r, result->code)) != CR_OK;
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
