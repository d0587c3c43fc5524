/* request.c: one request, from the first byte of its head to on_sent.
 *
 *   - The user's callbacks are called from here and request_body.c only, always from conn_work.
 *   - on_request, then on_body if it was asked for, then on_sent: a body still asked for when the
 *     answer is over is told of it first.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"

bool request_make(cr_conn *conn) {
  conn_request *r = malloc(sizeof *r);
  if (!r) return false;
  memset(r, 0, offsetof(conn_request, peer));
  r->peer[0] = r->client[0] = '\0';
  r->head_mark = UINT64_MAX;
  head_init(&r->parser);
  conn->request = r;
  return true;
}

void request_free(cr_conn *conn) {
  conn_request *r = conn->request;
  if (!r) return;
  conn->request = NULL;
  free(r->bytes);
  free(r->body_bytes);
  free(r->held);
  free(r);
}

bool request_is_out(const cr_conn *conn) { return conn->sent_total > conn->request->head_mark; }

void request_finish(cr_conn *conn, cr_sent_outcome outcome) {
  conn_request *r = conn->request;
  if (!r->finished) {
    r->finished = true;
    r->outcome = outcome;
  }
  conn_schedule(conn);
}

/* The request takes the buffer with its head, which so stays where it is; what came after the
 * head gets a buffer of its own. */
static bool request_take_bytes(cr_conn *conn) {
  conn_request *r = conn->request;
  const cr_head *head = &r->parser.head;
  uint32_t received = conn->in_used - conn->in_at;
  uint32_t taken = head->malformed_status ? received : r->parser.start + head->len;
  uint32_t rest = received - taken, capacity = 0;
  char *next = NULL;
  if (rest > 0) {
    capacity = rest > LIMIT_FIRST_READ_BYTES ? rest : LIMIT_FIRST_READ_BYTES;
    next = malloc(capacity);
    if (!next) return false;
    memcpy(next, conn->in + conn->in_at + taken, rest);
  }
  r->bytes = conn->in;
  r->parser.head.base = r->bytes + conn->in_at + r->parser.start;
  conn->in = next;
  conn->in_at = 0;
  conn->in_used = rest;
  conn->in_capacity = capacity;
  return true;
}

void request_begin(cr_conn *conn) {
  conn_request *r = conn->request;
  if (!request_take_bytes(conn)) {
    conn_close(conn);
    return;
  }
  if (!r->received_us) r->received_us = cr_clock_us();
  body_init(r);
  if (conn->requests < LIMIT_REQUESTS_PER_CONNECTION) conn->requests++;
  conn->state = CONN_REQUEST;
  wait_set(conn, WAIT_NONE);
  const cr_server_callbacks *callbacks = &conn->listener->callbacks;
  bool was_working = conn->working;
  conn->working = true; /* what the callback calls is seen by the steps after it */
  r->user = callbacks->on_request(callbacks->context, conn, &r->parser.head);
  conn->working = was_working;
}

bool head_step(cr_conn *conn) {
  uint32_t n = conn->in_used - conn->in_at;
  if (turn_is_due(conn)) return false;
  int result = HTTP_MORE;
  if (n > 0) result = head_parse(&conn->request->parser, conn->in + conn->in_at, n);
  if (result != HTTP_MORE) {
    request_begin(conn);
    return conn->state != CONN_CLOSING;
  }
  conn->state = n > 0 && n > conn->request->parser.start ? CONN_HEAD : CONN_IDLE;
  if (n > 0) conn->request->received_us = 0; /* it came in parts */
  if (conn->eof) conn_end(conn, false);
  return false;
}

/* ---- the end ---- */

static void request_tell_sent(cr_conn *conn) {
  conn_request *r = conn->request;
  if (r->feeder && r->outcome != CR_SENT_OK) {
    const conn_feeder *feeder = r->feeder;
    r->feeder = NULL;
    feeder->on_gone(r->feeder_user);
  }
  out_settle(conn);
  bool out = request_is_out(conn);
  cr_sent sent = {
      .outcome = r->outcome,
      .status = out ? r->status : 0,
      .body_bytes = r->body_sent,
      .bytes_in = r->bytes_in,
      .first_byte_us = r->first_byte_us,
      .last_byte_us = r->last_byte_us,
  };
  conn->listener->callbacks.on_sent(r->user, &sent);
}

static void request_end(cr_conn *conn) {
  conn_request *r = conn->request;
  request_tell_sent(conn);
  if (r->outcome != CR_SENT_OK) {
    /* The client must see that the answer is cut, also one that reads until the end. */
    conn->reset = request_is_out(conn) && r->outcome != CR_SENT_CLIENT_GONE;
    conn_close(conn);
  } else if (r->close || conn->dead) { /* not when the listener closes: who was told otherwise */
    bool may_send = r->parser.head.malformed_status || !body_is_over(r);
    conn_end(conn, may_send);
  } else if (!body_is_over(r)) {
    conn->state = CONN_DROPPING;
  } else {
    request_free(conn);
    conn->state = CONN_IDLE;
  }
}

bool request_step(cr_conn *conn) {
  conn_request *r = conn->request;
  if (body_step(conn)) return true;
  if (r->finished) {
    request_end(conn);
    return conn->state != CONN_CLOSING;
  }
  if (!r->room_due) return false;
  r->room_due = false;
  if (r->feeder) r->feeder->on_room(r->feeder_user);
  else conn->listener->callbacks.on_room(r->user);
  return true;
}

/* ---- what the user asks ---- */

const char *cr_conn_peer(const cr_conn *conn) {
  char *peer = conn->request->peer;
  if (!peer[0]) inet_ntop(conn->peer_family, conn->peer_address, peer, INET6_ADDRSTRLEN);
  return peer;
}

const char *cr_conn_client(const cr_conn *conn) {
  if (!conn->has_client) return cr_conn_peer(conn);
  char *client = conn->request->client;
  if (!client[0]) address_text(&conn->client, client, INET6_ADDRSTRLEN);
  return client;
}

bool cr_conn_is_tls(const cr_conn *conn) { return conn->tls != NULL; }

uint64_t cr_conn_received_us(const cr_conn *conn) { return conn->request->received_us; }
uint32_t cr_conn_number(const cr_conn *conn) { return conn->number; }
cr_loop *conn_loop(const cr_conn *conn) { return conn->listener->loop; }
