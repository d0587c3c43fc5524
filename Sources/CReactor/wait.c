/* wait.c: the deadlines of a listener's connections, with one timer.
 *
 *   - A connection waits for one thing at a time. All that wait for the same thing have the same
 *     duration, so a list in order of arrival is in order of deadline: setting one costs two
 *     pointer moves, and the timer looks at the lists' first members only.
 *   - Who waits for ever is in no list. Who waits for its turn is in one, but has no deadline.
 *   - The timer is never moved to a later time; when it fires early it is armed anew.
 */
#include "conn.h"

void listener_arm(cr_listener *l, uint64_t deadline) {
  if (l->timer_at && l->timer_at <= deadline) return;
  uint64_t now = uv_now(&l->loop->uv);
  l->timer_at = deadline;
  uv_timer_start(&l->timer, listener_on_timer, deadline > now ? deadline - now : 0, 0);
}

static void wait_remove(cr_conn *conn) {
  wait_list *list = &conn->listener->waits[conn->wait];
  if (conn->wait_previous) conn->wait_previous->wait_next = conn->wait_next;
  else list->first = conn->wait_next;
  if (conn->wait_next) conn->wait_next->wait_previous = conn->wait_previous;
  else list->last = conn->wait_previous;
  conn->wait_next = conn->wait_previous = NULL;
  conn->wait = WAIT_NONE;
}

void wait_set(cr_conn *conn, wait_kind kind) {
  if (conn->wait != WAIT_NONE) wait_remove(conn);
  wait_list *list = &conn->listener->waits[kind];
  if (kind == WAIT_NONE || (kind != WAIT_TURN && list->ms == 0)) return;
  conn->wait = (uint8_t)kind;
  conn->wait_previous = list->last;
  if (list->last) list->last->wait_next = conn;
  else list->first = conn;
  list->last = conn;
  if (kind == WAIT_TURN) return;
  conn->deadline = uv_now(&conn->listener->loop->uv) + list->ms;
  listener_arm(conn->listener, conn->deadline);
}

void wait_change(cr_listener *l, wait_kind kind, uint32_t ms) {
  wait_list *list = &l->waits[kind];
  while (list->first && ms == 0) wait_remove(list->first);
  for (cr_conn *conn = list->first; conn; conn = conn->wait_next)
    conn->deadline = conn->deadline - list->ms + ms;
  list->ms = ms;
  if (list->first) listener_arm(l, list->first->deadline);
}

void listener_on_timer(uv_timer_t *timer) {
  cr_listener *l = timer->data;
  uint64_t now = uv_now(&l->loop->uv);
  l->timer_at = 0;
  for (int kind = WAIT_TURN + 1; kind < WAIT_KINDS; kind++) {
    wait_list *list = &l->waits[kind];
    while (list->first && list->first->deadline <= now) {
      cr_conn *conn = list->first;
      wait_remove(conn);
      conn_on_timeout(conn, (wait_kind)kind);
    }
    if (list->first) listener_arm(l, list->first->deadline);
  }
  if (l->accept_retry_at && l->accept_retry_at <= now) {
    l->accept_retry_at = 0;
    listener_resume(l);
  } else if (l->accept_retry_at) {
    listener_arm(l, l->accept_retry_at);
  }
}
