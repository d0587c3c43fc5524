/* request_body.c: the request's body, read on demand or dropped.
 *
 *   - Nothing is taken out of the connection's buffer before someone asks, or before the answer
 *     is out: the buffer's bound is what holds back a client.
 *   - body is READING only between cr_request_read_body and its result, OVER once the last byte
 *     was consumed, BROKEN when its end can't be found any more.
 */
#include <stdlib.h>
#include <string.h>

#include "conn.h"

void body_init(conn_request *r) {
  r->body = r->parser.head.has_body ? BODY_UNREAD : BODY_NONE;
  r->body_left = r->parser.head.content_length;
  chunked_init(&r->chunked);
}

bool body_is_over(const conn_request *r) { return r->body == BODY_NONE || r->body == BODY_OVER; }

bool body_forces_close(const cr_conn *conn) {
  const conn_request *r = conn->request;
  if (body_is_over(r)) return false;
  if (r->body == BODY_BROKEN) return true;
  /* A client that waits for 100 may or may not send the body after a final status. */
  if (r->parser.head.expects_continue && !r->continue_sent && conn->in_used == conn->in_at &&
      r->bytes_in == 0)
    return true;
  return !r->parser.head.chunked && r->body_left > LIMIT_DROPPED_BODY_BYTES;
}

static void body_settle(conn_request *r, int status) {
  r->body_status = status;
  r->body_due = r->body_asked;
}

void body_fail(cr_conn *conn, int status) {
  conn_request *r = conn->request;
  r->body = BODY_BROKEN;
  body_settle(r, status);
}

/* Takes the next body bytes that have come out of the buffer: HTTP_MORE with *n > 0 when there
 * are some; they stay valid until the buffer is written to. */
static int body_next(cr_conn *conn, const char **bytes, size_t *n) {
  conn_request *r = conn->request;
  const char *in = conn->in + conn->in_at;
  size_t available = conn->in_used - conn->in_at, used;
  int result = HTTP_MORE;
  *n = 0;
  if (available == 0) return HTTP_MORE;
  if (r->parser.head.chunked) {
    result = chunked_decode(&r->chunked, in, available, &used, bytes, n);
  } else {
    used = *n = available < r->body_left ? available : (size_t)r->body_left;
    *bytes = in;
    r->body_left -= used;
  }
  conn_consume(conn, used);
  return result;
}

static bool body_is_complete(const conn_request *r, int result) {
  return r->parser.head.chunked ? result == HTTP_DONE : r->body_left == 0;
}

static bool body_keep(conn_request *r, const char *bytes, size_t n) {
  if (n > r->body_capacity - r->body_len) {
    size_t capacity = r->body_capacity ? r->body_capacity * 2 : LIMIT_FIRST_READ_BYTES;
    while (capacity - r->body_len < n) capacity *= 2;
    uint8_t *grown = realloc(r->body_bytes, capacity);
    if (!grown) return false;
    r->body_bytes = grown;
    r->body_capacity = capacity;
  }
  memcpy(r->body_bytes + r->body_len, bytes, n);
  r->body_len += n;
  return true;
}

static bool body_is_too_slow(const cr_conn *conn) {
  const conn_request *r = conn->request;
  uint64_t ms = uv_now(&conn->listener->loop->uv) - r->body_since;
  uint32_t grace = conn->listener->waits[WAIT_BODY].ms;
  return grace > 0 && ms > grace && r->bytes_in < ms * LIMIT_BODY_BYTES_PER_SECOND / 1000;
}

static void body_read(cr_conn *conn) {
  conn_request *r = conn->request;
  const char *bytes;
  size_t n;
  int result;
  do {
    result = body_next(conn, &bytes, &n);
    r->bytes_in += n;
    if (n > r->body_max - r->body_len) {
      body_fail(conn, CR_ETOOLARGE);
      return;
    }
    if (n > 0 && !body_keep(r, bytes, n)) {
      body_fail(conn, CR_EMEMORY);
      return;
    }
  } while (result == HTTP_MORE && n > 0 && conn->in_used > conn->in_at);
  if (result == HTTP_BAD) {
    body_fail(conn, CR_EINVALID);
  } else if (body_is_complete(r, result)) {
    r->body = BODY_OVER;
    body_settle(r, CR_OK);
  } else if (conn->eof || conn->dead) {
    body_fail(conn, CR_ESTATE);
  } else if (body_is_too_slow(conn)) {
    body_fail(conn, CR_ETIMEOUT);
  }
}

bool body_step(cr_conn *conn) {
  conn_request *r = conn->request;
  if (!r->body_asked || r->body_told) return false;
  if (!r->body_due && r->body == BODY_READING && !r->finished) body_read(conn);
  if (!r->body_due && r->finished) body_settle(r, CR_ESTATE);
  if (!r->body_due) return false;
  r->body_due = false;
  r->body_told = true;
  bool ok = r->body_status == CR_OK;
  conn->listener->callbacks.on_body(r->user, r->body_status, ok ? r->body_bytes : NULL,
                                    ok ? r->body_len : 0);
  free(r->body_bytes);
  r->body_bytes = NULL;
  return true;
}

int body_drop(cr_conn *conn) {
  conn_request *r = conn->request;
  const char *bytes;
  size_t n;
  int result;
  if (r->body == BODY_BROKEN) return HTTP_BAD;
  do {
    result = body_next(conn, &bytes, &n);
    r->body_dropped += n;
    if (result == HTTP_BAD || r->body_dropped > LIMIT_DROPPED_BODY_BYTES) return HTTP_BAD;
    if (body_is_complete(r, result)) return HTTP_DONE;
  } while (n > 0 && conn->in_used > conn->in_at);
  return HTTP_MORE;
}

int cr_request_read_body(cr_conn *conn, size_t max) {
  static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
  conn_request *r = conn->request;
  if (conn->state != CONN_REQUEST || r->finished || r->body_asked ||
      r->parser.head.malformed_status)
    return CR_ESTATE;
  r->body_asked = true;
  r->body_max = max;
  if (r->body == BODY_NONE) {
    body_settle(r, CR_OK);
  } else if (r->body_left > max) {
    body_settle(r, CR_ETOOLARGE);
  } else {
    r->body = BODY_READING;
    r->body_since = uv_now(&conn->listener->loop->uv);
    if (r->parser.head.expects_continue && r->answer == ANSWER_NONE &&
        conn->in_used == conn->in_at) {
      r->continue_sent = true;
      uv_buf_t buf = uv_buf_init((char *)(uintptr_t)go_on, sizeof go_on - 1);
      conn_send(conn, &buf, 1, 0);
    }
  }
  conn_schedule(conn);
  return CR_OK;
}
