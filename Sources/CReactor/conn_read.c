/* conn_read.c: from the socket into the connection's buffer.
 *
 *   - The buffer holds a head and what follows it, at most BUFFER_BYTES; when it is full the
 *     socket is not read. It may move: a request in flight has taken its head's buffer along.
 *   - While a request is in flight reading goes on, to notice a client that vanishes.
 */
#include <stdlib.h>
#include <string.h>

#include "conn.h"

/* A head of the longest kind, and the empty line that may come before it. */
enum { BUFFER_BYTES = LIMIT_HEAD_BYTES + 2 };

bool conn_in_is_full(const cr_conn *conn) {
  return conn->in_used - conn->in_at >= BUFFER_BYTES;
}

bool conn_make_room(cr_conn *conn) {
  if (conn->in_used < conn->in_capacity) return true;
  if (conn->in_at > 0) {
    memmove(conn->in, conn->in + conn->in_at, conn->in_used - conn->in_at);
    conn->in_used -= conn->in_at;
    conn->in_at = 0;
    return true;
  }
  if (conn_in_is_full(conn)) return false;
  uint32_t capacity = conn->in_capacity ? conn->in_capacity * 2 : LIMIT_FIRST_READ_BYTES;
  if (capacity > BUFFER_BYTES) capacity = BUFFER_BYTES;
  char *grown = realloc(conn->in, capacity);
  if (!grown) return false;
  conn->in = grown;
  conn->in_capacity = capacity;
  return true;
}

void conn_consume(cr_conn *conn, size_t n) {
  conn->in_at += (uint32_t)n;
  if (conn->in_at == conn->in_used) conn->in_at = conn->in_used = 0;
}

static void conn_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)suggested;
  cr_conn *conn = handle->data;
  if (conn->tls || conn->state == CONN_LINGERING)
    *buf = uv_buf_init(conn->listener->scratch, sizeof conn->listener->scratch);
  else if (conn_make_room(conn))
    *buf = uv_buf_init(conn->in + conn->in_used, conn->in_capacity - conn->in_used);
  else *buf = uv_buf_init(NULL, 0); /* read ends with UV_ENOBUFS */
}

static void conn_on_eof(cr_conn *conn) {
  conn->eof = true;
  if (conn->state == CONN_HANDSHAKE || conn->state == CONN_LINGERING) conn_close(conn);
}

static void conn_on_bytes(cr_conn *conn, const char *bytes, size_t n) {
  if (conn->state == CONN_LINGERING) {
    conn->lingered += (uint32_t)n;
    if (conn->lingered > LIMIT_LINGER_BYTES) conn_close(conn);
    return;
  }
  if (conn->wait == WAIT_BODY) wait_set(conn, WAIT_BODY);
  if (conn->tls) tls_input(conn, bytes, n);
  else conn->in_used += (uint32_t)n;
}

static void conn_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  cr_conn *conn = stream->data;
  if (n == 0) return;
  if (n > 0) conn_on_bytes(conn, buf->base, (size_t)n);
  else if (n == UV_EOF) conn_on_eof(conn);
  else conn_lost(conn);
  conn_work(conn);
}

void conn_update_reading(cr_conn *conn) {
  bool wanted = !conn->eof && !conn->dead && conn->state != CONN_CLOSING;
  if (conn->state != CONN_LINGERING) {
    wanted &= !conn_in_is_full(conn);
    /* OpenSSL answers some messages by itself: a client that only asks must not fill our queue. */
    wanted &= !conn->tls || (!conn->tls->saved && conn->out_bytes < 2 * LIMIT_WRITE_HIGH_BYTES);
  }
  if (wanted == conn->reading) return;
  conn->reading = wanted;
  if (!wanted) uv_read_stop((uv_stream_t *)&conn->tcp);
  else if (uv_read_start((uv_stream_t *)&conn->tcp, conn_on_alloc, conn_on_read)) conn_lost(conn);
}
