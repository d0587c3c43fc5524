/* conn_write.c: bytes to the kernel, and the queue of those that it did not take.
 *
 *   - Written at once when nothing is queued; the rest is copied. One uv_write at most is in
 *     flight, of the first chunk; it tells when the socket takes bytes again, and what follows is
 *     then written by uv_try_write, many chunks at a time.
 *   - sent_total and body_sent count what the kernel took, to the byte. Only of a write that ends
 *     in an error what was taken of one chunk since the last look is not known, and not counted.
 */
#include <stdlib.h>
#include <string.h>

#include "conn.h"

enum { BUFS_PER_WRITE = 16 };

static void conn_count_sent(cr_conn *conn, size_t n, size_t body) {
  conn->sent_total += n;
  if (n == 0 || conn->state != CONN_REQUEST) return;
  conn_request *r = conn->request;
  r->body_sent += body;
  if (!request_is_out(conn)) return;
  r->last_byte_us = cr_clock_us();
  if (!r->first_byte_us) r->first_byte_us = r->last_byte_us;
}

/* Body bytes among the n bytes after chunk->at. */
static size_t chunk_body_of(const out_chunk *chunk, size_t n) {
  size_t to = chunk->at + n;
  if (chunk->is_record) return to == chunk->len ? chunk->body : 0;
  size_t body_at = chunk->len - chunk->body;
  if (to <= body_at) return 0;
  return to - (chunk->at > body_at ? chunk->at : body_at);
}

/* The kernel took n more bytes of the queue. */
static void out_take(cr_conn *conn, size_t n) {
  while (n > 0) {
    out_chunk *chunk = conn->out_first;
    size_t part = chunk->len - chunk->at;
    if (part > n) part = n;
    conn->out_bytes -= part;
    conn_count_sent(conn, part, chunk_body_of(chunk, part));
    chunk->at += (uint32_t)part;
    n -= part;
    if (chunk->at < chunk->len) return;
    conn->out_first = chunk->next;
    if (!conn->out_first) conn->out_last = NULL;
    free(chunk);
  }
}

bool out_settle(cr_conn *conn) {
  if (!conn->write_pending) return false;
  out_chunk *chunk = conn->out_first;
  size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp);
  if (left >= chunk->submitted) return false;
  size_t taken = chunk->submitted - left;
  conn->out_bytes -= taken;
  conn_count_sent(conn, taken, chunk_body_of(chunk, taken));
  chunk->at += (uint32_t)taken;
  chunk->submitted -= (uint32_t)taken;
  return true;
}

static out_chunk *out_grow(cr_conn *conn, size_t n, bool exact) {
  size_t capacity = exact || n > LIMIT_WRITE_CHUNK_BYTES ? n : LIMIT_WRITE_CHUNK_BYTES;
  out_chunk *chunk = malloc(sizeof *chunk + capacity);
  if (!chunk) return NULL;
  memset(chunk, 0, sizeof *chunk);
  chunk->capacity = (uint32_t)capacity;
  if (conn->out_last) conn->out_last->next = chunk;
  else conn->out_first = chunk;
  conn->out_last = chunk;
  return chunk;
}

bool out_append(cr_conn *conn, const char *bytes, size_t n, size_t body, bool as_record) {
  enum { CHUNK_MOST = 1 << 20 };
  while (n > 0) {
    out_chunk *chunk = conn->out_last;
    bool fits = chunk && !as_record && !chunk->is_record && chunk->len < chunk->capacity &&
                (chunk->body == 0 || body >= n);
    if (!fits) chunk = out_grow(conn, n < CHUNK_MOST ? n : CHUNK_MOST, as_record);
    if (!chunk) return false;
    size_t part = chunk->capacity - chunk->len;
    if (part > n) part = n;
    memcpy(chunk->data + chunk->len, bytes, part);
    size_t before_body = n - body;
    chunk->len += (uint32_t)part;
    if (part > before_body) chunk->body += (uint32_t)(part - before_body);
    if (part > before_body) body -= part - before_body;
    chunk->is_record = as_record;
    conn->out_bytes += part;
    bytes += part;
    n -= part;
  }
  return true;
}

void out_free(cr_conn *conn) {
  while (conn->out_first) {
    out_chunk *chunk = conn->out_first;
    conn->out_first = chunk->next;
    free(chunk);
  }
}

/* What follows from bytes having gone out. */
static void conn_after_sending(cr_conn *conn) {
  if (conn->state != CONN_REQUEST) return;
  conn_request *r = conn->request;
  if (r->answer == ANSWER_COMPLETE && conn->out_bytes == 0) request_finish(conn, CR_SENT_OK);
  if (r->room_wanted && conn->out_bytes <= LIMIT_WRITE_LOW_BYTES) {
    r->room_wanted = false;
    r->room_due = r->answer == ANSWER_BEGUN;
  }
}

static void conn_on_written(uv_write_t *write, int status) {
  cr_conn *conn = write->handle->data;
  if (conn->state == CONN_CLOSING) return; /* freed with the queue */
  conn->write_pending = false;
  if (status < 0) {
    conn_lost(conn);
  } else {
    out_take(conn, conn->out_first->submitted);
    if (conn->wait == WAIT_STALL) wait_set(conn, WAIT_STALL);
    conn_flush(conn);
  }
  conn_work(conn);
}

static void out_submit(cr_conn *conn) {
  out_chunk *chunk = conn->out_first;
  chunk->submitted = chunk->len - chunk->at;
  uv_buf_t buf = uv_buf_init(chunk->data + chunk->at, chunk->submitted);
  conn->write_pending = true;
  if (uv_write(&chunk->write, (uv_stream_t *)&conn->tcp, &buf, 1, conn_on_written)) {
    conn->write_pending = false;
    conn_lost(conn);
  } else if (conn->wait != WAIT_STALL) {
    conn_schedule(conn); /* conn_work sets the deadline */
  }
}

void conn_flush(cr_conn *conn) {
  while (conn->out_first && !conn->write_pending && !conn->dead) {
    uv_buf_t bufs[BUFS_PER_WRITE];
    unsigned count = 0;
    size_t total = 0;
    for (out_chunk *c = conn->out_first; c && count < BUFS_PER_WRITE; c = c->next) {
      bufs[count++] = uv_buf_init(c->data + c->at, c->len - c->at);
      total += c->len - c->at;
    }
    int taken = uv_try_write((uv_stream_t *)&conn->tcp, bufs, count);
    if (taken == UV_EAGAIN) taken = 0;
    if (taken < 0) {
      conn_lost(conn);
      return;
    }
    out_take(conn, (size_t)taken);
    if ((size_t)taken < total) out_submit(conn);
  }
  conn_after_sending(conn);
}

/* Queues the bufs but for their first `done` bytes; the last `body` bytes of all are body. */
static bool out_append_rest(cr_conn *conn, const uv_buf_t *bufs, unsigned count, size_t total,
                            size_t done, size_t body) {
  size_t behind = total; /* bytes from the current buf on */
  for (unsigned i = 0; i < count; i++) {
    size_t skip = done < bufs[i].len ? done : bufs[i].len;
    size_t n = bufs[i].len - skip, after = behind - bufs[i].len;
    size_t body_here = body > after ? body - after : 0;
    if (body_here > n) body_here = n;
    if (n > 0 && !out_append(conn, bufs[i].base + skip, n, body_here, false)) return false;
    done -= skip;
    behind = after;
  }
  return true;
}

void conn_send(cr_conn *conn, const uv_buf_t *bufs, unsigned count, size_t body) {
  if (conn->dead) return;
  if (conn->tls) {
    tls_send(conn, bufs, count, body);
    return;
  }
  size_t total = 0, done = 0;
  for (unsigned i = 0; i < count; i++) total += bufs[i].len;
  if (!conn->out_first) {
    int taken = uv_try_write((uv_stream_t *)&conn->tcp, bufs, count);
    if (taken < 0 && taken != UV_EAGAIN) {
      conn_lost(conn);
      return;
    }
    done = taken > 0 ? (size_t)taken : 0;
    conn_count_sent(conn, done, done > total - body ? done - (total - body) : 0);
  }
  if (done < total && !out_append_rest(conn, bufs, count, total, done, body)) {
    conn_lost(conn);
    return;
  }
  conn_flush(conn);
}
