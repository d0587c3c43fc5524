/* conn.c: one client connection, from accept to close.
 *
 *   [PROXY ->] [HANDSHAKE ->] IDLE -> HEAD -> REQUEST -> [DROPPING] -> IDLE … -> [LINGERING] -> CLOSING -> freed.
 *
 *   - Every event ends in conn_work, which takes the steps that have become possible and then
 *     settles what is read and waited for. Calls from outside only change state and schedule it.
 *   - uv_close is called by conn_close only, and never between on_request and on_sent.
 *   - Between requests neither buffer nor request exists.
 */
#include "conn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void conn_on_deferred(cr_deferred *work) { conn_work(container_of(work, cr_conn, work)); }

void conn_schedule(cr_conn *conn) {
  if (!conn->working && conn->state != CONN_CLOSING)
    loop_defer(conn->listener->loop, &conn->work);
}

static void conn_set_peer(cr_conn *conn, const struct sockaddr *peer) {
  static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
  conn->peer_family = (uint8_t)peer->sa_family;
  if (peer->sa_family == AF_INET) {
    memcpy(conn->peer_address, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    return;
  }
  memcpy(conn->peer_address, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
  if (memcmp(conn->peer_address, mapped, sizeof mapped)) return;
  conn->peer_family = AF_INET; /* an IPv4 client of a socket for both */
  memmove(conn->peer_address, conn->peer_address + sizeof mapped, 4);
}

void conn_accept(cr_listener *l, int fd, const struct sockaddr *peer) {
  cr_conn *conn = calloc(1, sizeof *conn);
  if (!conn) {
    close(fd);
    return;
  }
  conn->listener = l;
  conn_set_peer(conn, peer);
  peer_verdict verdict = peers_enter(conn);
  if (verdict != PEER_WELCOME) {
    free(conn);
    if (verdict == PEER_OVER_LIMIT) l->counts.refused_by_address++;
    accept_refuse(l, fd);
    return;
  }
  uv_tcp_init(&l->loop->uv, &conn->tcp);
  conn->tcp.data = conn;
  conn->work.run = conn_on_deferred;
  conn->next = l->conns;
  if (l->conns) l->conns->previous = conn;
  l->conns = conn;
  l->connections++;
  conn->number = l->accepted++;
  if (uv_tcp_open(&conn->tcp, fd)) {
    close(fd);
    conn_close(conn);
    return;
  }
  conn->state = proxy_is_due(l, conn) ? CONN_PROXY : l->tls ? CONN_HANDSHAKE : CONN_IDLE;
  if (conn->state == CONN_HANDSHAKE && !tls_attach(conn)) conn_close(conn);
  else conn_work(conn);
}

static void conn_on_closed(uv_handle_t *handle) {
  cr_conn *conn = handle->data;
  request_free(conn);
  tls_detach(conn);
  out_free(conn);
  free(conn->in);
  listener_remove(conn);
  free(conn);
}

void conn_close(cr_conn *conn) {
  if (conn->state == CONN_CLOSING) return;
  conn->state = CONN_CLOSING;
  wait_set(conn, WAIT_NONE);
  loop_cancel_deferred(conn->listener->loop, &conn->work);
  if (!conn->reset || uv_tcp_close_reset(&conn->tcp, conn_on_closed))
    uv_close((uv_handle_t *)&conn->tcp, conn_on_closed);
}

static void conn_shut(cr_conn *conn) {
  uv_os_fd_t fd;
  conn->shut = true;
  if (uv_fileno((uv_handle_t *)&conn->tcp, &fd) || shutdown(fd, SHUT_WR)) conn_close(conn);
}

void conn_end(cr_conn *conn, bool client_may_send) {
  client_may_send |= conn->in_used > conn->in_at;
  request_free(conn);
  conn->state = CONN_LINGERING;
  conn->in_at = conn->in_used = 0;
  if (conn->tls && !conn->dead) tls_close_notify(conn);
  if (conn->state == CONN_CLOSING) return;
  /* Closing with bytes unread would reset the connection, and the client lose the answer. */
  bool lingers = client_may_send || conn->out_bytes > 0;
  if (!lingers || conn->eof || conn->dead || conn->listener->loop->stopping) conn_close(conn);
  else if (conn->out_bytes == 0) conn_shut(conn);
}

void conn_lost(cr_conn *conn) {
  conn->dead = true;
  if (conn->state == CONN_REQUEST) request_finish(conn, CR_SENT_CLIENT_GONE);
  else conn_close(conn);
}

bool conn_has_unread(const cr_conn *conn) {
  uv_os_fd_t fd;
  char byte;
  return conn->work.queued || (!uv_fileno((const uv_handle_t *)&conn->tcp, &fd) &&
                               recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0);
}

void conn_abandon(cr_conn *conn) {
  if (conn->state == CONN_REQUEST) request_finish(conn, CR_SENT_ABORTED);
  else conn_close(conn);
}

void conn_evict(cr_conn *conn) {
  conn_end(conn, false);
  conn_close(conn); /* also when close_notify finds no room */
}

/* ---- steps ---- */

static bool dropping_step(cr_conn *conn) {
  switch (body_drop(conn)) {
  case HTTP_DONE:
    request_free(conn);
    conn->state = CONN_IDLE;
    return true;
  case HTTP_BAD: conn_end(conn, true); return false;
  default:
    if (conn->eof) conn_end(conn, false);
    return false;
  }
}

static bool lingering_step(cr_conn *conn) {
  if (conn->out_bytes == 0 && !conn->shut) conn_shut(conn);
  return false;
}

static bool conn_step(cr_conn *conn) {
  if (tls_can_continue(conn)) tls_continue(conn);
  switch (conn->state) {
  case CONN_PROXY: return proxy_step(conn);
  case CONN_IDLE:
  case CONN_HEAD: return head_step(conn);
  case CONN_REQUEST: return request_step(conn);
  case CONN_DROPPING: return dropping_step(conn);
  case CONN_LINGERING: return lingering_step(conn);
  default: return false;
  }
}

static wait_kind conn_waits_for(const cr_conn *conn) {
  bool closing = conn->listener->closing;
  switch (conn->state) {
  case CONN_PROXY: return closing && conn->in_used == 0 ? WAIT_IDLE : WAIT_PROXY;
  case CONN_HANDSHAKE: return closing && !tls_has_begun(conn) ? WAIT_IDLE : WAIT_HANDSHAKE;
  case CONN_IDLE:
    if (turn_is_due(conn)) return WAIT_TURN;
    return closing || conn->requests ? WAIT_IDLE : WAIT_FIRST;
  case CONN_HEAD: return WAIT_HEAD;
  case CONN_DROPPING: return WAIT_DROP;
  case CONN_LINGERING: return WAIT_LINGER;
  case CONN_REQUEST:
    if (conn->request->finished) return WAIT_NONE;
    if (conn->write_pending) return WAIT_STALL;
    return conn->request->body == BODY_READING ? WAIT_BODY : WAIT_NONE;
  default: return WAIT_NONE;
  }
}

void conn_work(cr_conn *conn) {
  if (conn->working || conn->state == CONN_CLOSING) return;
  conn->working = true;
  while (conn_step(conn) || tls_can_continue(conn)) continue;
  conn->working = false;
  if (conn->state == CONN_CLOSING) return;
  if (conn->state == CONN_IDLE && conn->in_used == conn->in_at) {
    free(conn->in);
    conn->in = NULL;
    conn->in_at = conn->in_used = conn->in_capacity = 0;
  }
  conn_update_reading(conn);
  wait_kind kind = conn_waits_for(conn);
  if (kind == conn->wait) return;
  wait_set(conn, kind);
  if (kind == WAIT_TURN) turn_wait(conn);
  listener_resume(conn->listener); /* it may be an idle one that can give way */
}

void conn_on_timeout(cr_conn *conn, wait_kind kind) {
  switch (kind) {
  case WAIT_PROXY: proxy_refuse(conn, "no PROXY header in time"); break;
  case WAIT_HEAD:
    conn->request->parser.head.malformed_status = 408;
    conn->request->parser.head.malformed_reason = "the request's head did not come in time";
    request_begin(conn);
    break;
  case WAIT_BODY: body_fail(conn, CR_ETIMEOUT); break;
  case WAIT_STALL:
    if (!out_settle(conn)) request_finish(conn, CR_SENT_TIMEOUT);
    break;
  case WAIT_FIRST:
  case WAIT_IDLE:
    if (!conn_has_unread(conn)) conn_end(conn, false);
    break;
  default: conn_close(conn); break;
  }
  conn_work(conn);
}
