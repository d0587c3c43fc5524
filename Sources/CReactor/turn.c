/* turn.c: whose request begins next.
 *
 * A request that was begun has tens of KiB of state, which leaves the processor's caches when
 * hundreds are begun before the first is finished. So no more than LIMIT_REQUESTS_PER_TURN of a
 * listener are begun in one turn of the loop; between turns those under way go on.
 *
 *   - A connection waits with its first bytes in its buffer, read but not looked at. Those who wait
 *     are in waits[WAIT_TURN], in the order in which their bytes were read; a request that was sent
 *     ahead waits anew, behind whoever came meanwhile.
 *   - Turns are counted, not ends: a request that waits for a slow upstream holds nobody back.
 *   - While somebody waits a call is deferred, so that the poll doesn't sleep.
 *   - All else goes on at once: handshakes, the rest of a head whose beginning had its turn, bodies,
 *     answers, and the end of a connection, which may come while it waits.
 */
#include "conn.h"

bool turn_is_due(const cr_conn *conn) { return !conn->request && conn->in_used > conn->in_at; }

void turn_wait(cr_conn *conn) {
  conn->deadline = cr_clock_us();
  loop_defer(conn->listener->loop, &conn->listener->turn);
}

static void turn_take(cr_conn *conn) {
  uint64_t since_us = conn->deadline;
  wait_set(conn, WAIT_NONE);
  if (!request_make(conn)) {
    conn_close(conn);
    return;
  }
  conn->request->received_us = since_us;
  conn_work(conn);
}

void turn_on_deferred(cr_deferred *turn) {
  cr_listener *l = container_of(turn, cr_listener, turn);
  wait_list *waiting = &l->waits[WAIT_TURN];
  for (int i = 0; i < LIMIT_REQUESTS_PER_TURN && waiting->first; i++) turn_take(waiting->first);
  if (waiting->first) loop_defer(l->loop, &l->turn);
}
