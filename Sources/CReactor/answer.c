/* answer.c: the answer to a request, at once, in pieces, or fed by a relay.
 *
 *   - Nothing here calls the user or the feeder: outcomes are noted and conn_work tells them.
 *   - A begun answer's head is held back until the first body bytes, and goes out with them.
 *   - The answer is complete when answer_left is 0, and finished when the kernel has it all.
 */
#include <stdlib.h>
#include <string.h>

#include "conn.h"

static bool answer_can(const cr_conn *conn, answer_phase phase) {
  return conn->state == CONN_REQUEST && !conn->request->finished && !conn->dead &&
         conn->request->answer == phase;
}

static bool answer_is_valid(const cr_response *response) {
  size_t n = response->headers_len;
  return response->status >= 200 && response->status <= 599 &&
         (n == 0 || (n > 4 && !memcmp(response->headers + n - 2, "\r\n", 2)));
}

static bool request_is_head(const conn_request *r) {
  const cr_head *head = &r->parser.head;
  return head->method.len == 4 && !memcmp(head->base + head->method.at, "HEAD", 4);
}

typedef struct {
  char status[HTTP_STATUS_LINE_BYTES], last[HTTP_LAST_LINES_BYTES];
  uv_buf_t bufs[4]; /* the head's three parts, and room for a body */
} answer_head;

/* Settles whether the connection closes, and writes the head. */
static void answer_write_head(cr_conn *conn, const cr_response *response, uint64_t length,
                              answer_head *out) {
  conn_request *r = conn->request;
  const cr_head *head = &r->parser.head;
  r->status = response->status;
  r->close = response->close || !head->keep_alive || conn->listener->closing ||
             conn->requests >= LIMIT_REQUESTS_PER_CONNECTION || body_forces_close(conn);
  http_connection connection = HTTP_CONNECTION_UNSAID;
  if (r->close) connection = HTTP_CONNECTION_CLOSE;
  else if (head->minor_version == 0) connection = HTTP_CONNECTION_KEEP;
  size_t status_len = http_write_status(out->status, response->status);
  size_t last_len = http_write_last_lines(out->last, response->status, length, connection);
  out->bufs[0] = uv_buf_init(out->status, (unsigned)status_len);
  out->bufs[1] = uv_buf_init((char *)(uintptr_t)response->headers, 0);
  out->bufs[1].len = response->headers_len;
  out->bufs[2] = uv_buf_init(out->last, (unsigned)last_len);
}

static void answer_send(cr_conn *conn, const uv_buf_t *bufs, unsigned count, size_t body) {
  conn->request->head_mark = conn->sent_total + conn->out_bytes;
  conn_send(conn, bufs, count, body);
}

/* A begun answer gives way as long as its head is held back and nobody feeds it. */
static bool answer_can_give_way(const cr_conn *conn) {
  return answer_can(conn, ANSWER_BEGUN) && conn->request->held && !conn->request->feeder;
}

int cr_respond(cr_conn *conn, const cr_response *response) {
  if (!answer_can(conn, ANSWER_NONE) && !answer_can_give_way(conn)) return CR_ESTATE;
  if (!answer_is_valid(response)) return CR_EINVALID;
  conn_request *r = conn->request;
  free(r->held);
  r->held = NULL;
  r->answer_left = 0;
  bool is_head = request_is_head(r);
  bool has_body = !is_head && http_status_has_body(response->status);
  answer_head head;
  answer_write_head(conn, response, is_head ? response->content_length : response->body_len,
                    &head);
  head.bufs[3] = uv_buf_init((char *)(uintptr_t)response->body, 0);
  head.bufs[3].len = has_body ? response->body_len : 0;
  r->answer = ANSWER_COMPLETE;
  answer_send(conn, head.bufs, 4, head.bufs[3].len);
  return CR_OK;
}

int cr_respond_begin(cr_conn *conn, const cr_response *response) {
  if (!answer_can(conn, ANSWER_NONE)) return CR_ESTATE;
  if (!answer_is_valid(response)) return CR_EINVALID;
  conn_request *r = conn->request;
  answer_head head;
  answer_write_head(conn, response, response->content_length, &head);
  if (response->content_length == 0 || request_is_head(r) ||
      !http_status_has_body(response->status)) {
    r->answer = ANSWER_COMPLETE;
    answer_send(conn, head.bufs, 3, 0);
    return CR_OK;
  }
  r->held_len = head.bufs[0].len + head.bufs[1].len + head.bufs[2].len;
  r->held = malloc(r->held_len);
  if (!r->held) return CR_EMEMORY;
  char *to = r->held;
  for (int i = 0; i < 3; i++) {
    if (head.bufs[i].len) memcpy(to, head.bufs[i].base, head.bufs[i].len);
    to += head.bufs[i].len;
  }
  r->answer = ANSWER_BEGUN;
  r->answer_left = response->content_length;
  return CR_OK;
}

int conn_body_append(cr_conn *conn, const void *bytes, size_t n) {
  if (!answer_can(conn, ANSWER_BEGUN)) return CR_ESTATE;
  conn_request *r = conn->request;
  if (n > r->answer_left) return CR_ETOOLARGE;
  if (n == 0) return CR_OK;
  r->answer_left -= n;
  if (r->answer_left == 0) r->answer = ANSWER_COMPLETE;
  uv_buf_t bufs[2] = {uv_buf_init(r->held, 0), uv_buf_init((char *)(uintptr_t)bytes, 0)};
  bufs[0].len = r->held_len;
  bufs[1].len = n;
  if (r->held) {
    char *held = r->held;
    r->held = NULL;
    answer_send(conn, bufs, 2, n);
    free(held);
  } else {
    conn_send(conn, bufs + 1, 1, n);
  }
  if (conn->out_bytes >= LIMIT_WRITE_HIGH_BYTES) r->room_wanted = true;
  return CR_OK;
}

int cr_respond_write(cr_conn *conn, const void *bytes, size_t len) {
  if (answer_can(conn, ANSWER_BEGUN) && conn->request->feeder) return CR_ESTATE;
  int result = conn_body_append(conn, bytes, len);
  if (result != CR_OK) return result;
  const conn_request *r = conn->request;
  return r->room_wanted && r->answer == ANSWER_BEGUN && !r->finished ? 1 : 0;
}

void cr_respond_abort(cr_conn *conn) {
  if (conn->state == CONN_REQUEST) request_finish(conn, CR_SENT_ABORTED);
}

/* ---- for the relay ---- */

uint64_t conn_body_remaining(const cr_conn *conn) {
  return answer_can(conn, ANSWER_BEGUN) ? conn->request->answer_left : 0;
}

size_t conn_body_room(const cr_conn *conn) {
  if (!answer_can(conn, ANSWER_BEGUN) || conn->request->room_wanted) return 0;
  /* Over it by what TLS said by itself: nobody would tell when there is room again. */
  if (conn->out_bytes >= LIMIT_WRITE_HIGH_BYTES) return 1;
  return LIMIT_WRITE_HIGH_BYTES - conn->out_bytes;
}

int conn_set_feeder(cr_conn *conn, const conn_feeder *callbacks, void *feeder) {
  if (callbacks && (!answer_can(conn, ANSWER_BEGUN) || conn->request->feeder)) return CR_ESTATE;
  if (!conn->request) return CR_OK;
  conn->request->feeder = callbacks;
  conn->request->feeder_user = feeder;
  return CR_OK;
}
