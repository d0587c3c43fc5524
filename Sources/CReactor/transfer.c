/* transfer.c: one request to an upstream, from cr_transfer_start to on_done.
 *
 * States: QUEUED -> ACTIVE -> FINISHED -> freed; from QUEUED straight to FINISHED as well.
 *   - on_head and on_done come from transfer_on_turn alone, a deferred call: never from inside a
 *     cr_* call or one of curl's callbacks. on_done is followed by the free, and by nothing else.
 *   - Body bytes reach nobody before on_head was delivered and a consumer was named
 *     (transfer_body.c); a transfer that finishes meanwhile keeps its end.
 *   - Inside curl's callbacks nothing is removed or freed: they note why they broke it off.
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"

static bool transfer_end_is_due(const cr_transfer *t) {
  if (t->state != TRANSFER_FINISHED) return false;
  return t->cancelled || !t->head_complete ||
         (t->head_delivered && t->consumer != CONSUMER_NONE && !t->early);
}

void transfer_turn_later(cr_transfer *t) { loop_defer(t->client->loop, &t->turn); }

/* snprintf's "%s", for a tenth of the price. */
static void set_text(char *to, size_t size, const char *from) {
  size_t len = strlen(from);
  if (len >= size) len = size - 1;
  memcpy(to, from, len);
  to[len] = 0;
}

void transfer_set_result(cr_transfer *t, cr_transfer_code code, const char *message) {
  t->code = code;
  set_text(t->message, sizeof t->message, message);
  for (char *c = t->message; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
}

static void transfer_note_peer(cr_transfer *t) {
  const char *peer = NULL;
  curl_easy_getinfo(t->handle->easy, CURLINFO_PRIMARY_IP, &peer);
  set_text(t->address, sizeof t->address, peer ? peer : "");
}

static void transfer_leave_curl(cr_transfer *t) {
  client_handle *handle = t->handle;
  t->handle = NULL;
  host_uncount(t);
  client_release(t->client, handle);
}

static void transfer_finish(cr_transfer *t, cr_transfer_code code, const char *message) {
  if (t->state == TRANSFER_QUEUED) host_dequeue(t);
  if (t->state == TRANSFER_ACTIVE) {
    if (!t->head_complete) transfer_note_peer(t);
    transfer_leave_curl(t);
  }
  t->state = TRANSFER_FINISHED;
  t->paused = false;
  if (t->cancelled) transfer_set_result(t, CR_TRANSFER_CANCELLED, "cancelled");
  else transfer_set_result(t, code, message);
  transfer_turn_later(t);
}

/* ---- the end, as curl tells it ---- */

/* Where only avoided addresses are left, they are connected to after all. */
static bool transfer_connect_to_avoided(cr_transfer *t, cr_transfer_code code) {
  if (t->addresses_avoided == 0 || t->cancelled) return false;
  if (code != CR_TRANSFER_CONNECT_FAILED && code != CR_TRANSFER_ADDRESS_REFUSED) return false;
  transfer_leave_curl(t);
  t->avoided_count = 0;
  t->addresses_avoided = t->addresses_refused = t->sockets_opened = 0;
  t->message[0] = 0;
  host_enqueue(t, true);
  return true;
}

void transfer_on_curl_done(cr_transfer *t, CURLcode code) {
  char message[CURL_ERROR_SIZE];
  if (t->refusal) {
    char refused[CR_MESSAGE_BYTES];
    memcpy(refused, t->message, sizeof refused);
    transfer_finish(t, t->code, refused);
    return;
  }
  if (code == CURLE_OK) {
    transfer_finish(t, CR_TRANSFER_OK, "");
    return;
  }
  cr_transfer_code mapped = transfer_code(t, code);
  if (transfer_connect_to_avoided(t, mapped)) return;
  const char *text = t->handle->error[0] ? t->handle->error : curl_easy_strerror(code);
  if (mapped == CR_TRANSFER_ADDRESS_REFUSED) text = t->message;
  set_text(message, sizeof message, text);
  transfer_finish(t, mapped, message);
}

void transfer_on_admission_failed(cr_transfer *t, CURLcode code) {
  t->state = TRANSFER_FINISHED; /* it is out of the queue already */
  transfer_finish(t, CR_TRANSFER_INVALID, curl_easy_strerror(code));
}

/* From curl's callbacks: the transfer will end with this code, whatever curl calls it. */
void transfer_refuse(cr_transfer *t, cr_transfer_code code, const char *message) {
  if (t->refusal) return;
  t->refusal = true;
  transfer_set_result(t, code, message);
}

/* ---- deadlines ---- */

static uint64_t transfer_deadline(const cr_transfer *t) {
  if (t->state == TRANSFER_FINISHED) return UINT64_MAX;
  if (!t->head_complete)
    return t->first_byte_timeout_ms ? t->start_ms + t->first_byte_timeout_ms : UINT64_MAX;
  return t->stall_timeout_ms && !t->paused && !t->early ? t->progress_ms + t->stall_timeout_ms : UINT64_MAX;
}

uint64_t transfer_check_deadline(cr_transfer *t, uint64_t now_ms) {
  uint64_t deadline_ms = transfer_deadline(t);
  if (deadline_ms > now_ms) return deadline_ms;
  if (t->head_complete) transfer_finish(t, CR_TRANSFER_STALLED, "no body byte in time");
  else transfer_finish(t, CR_TRANSFER_TIMEOUT, "no answer in time");
  return UINT64_MAX;
}

void transfer_progressed(cr_transfer *t) {
  t->progress_ms = uv_now(&t->client->loop->uv);
}

void transfer_watch_deadline(cr_transfer *t) {
  client_watch_deadline(t->client, transfer_deadline(t));
}

/* ---- the head ---- */

static bool transfer_append_head(cr_transfer *t, const char *line, size_t len) {
  if (t->head_len + len > t->head_capacity) {
    size_t capacity = t->head_capacity ? t->head_capacity : 1024;
    while (capacity < t->head_len + len) capacity *= 2;
    char *grown = realloc(t->head_bytes, capacity);
    if (!grown) return false;
    t->head_bytes = grown;
    t->head_capacity = capacity;
  }
  memcpy(t->head_bytes + t->head_len, line, len);
  t->head_len += len;
  return true;
}

/* The empty line has come. */
static bool transfer_complete_head(cr_transfer *t) {
  const char *wrong = upstream_head_parse(t->head_bytes, t->head_len, &t->head);
  if (wrong) {
    transfer_refuse(t, CR_TRANSFER_PROTOCOL, wrong);
    return false;
  }
  if (t->head.status < 200) {
    t->head_len = 0;
    return true;
  }
  t->head_complete = true;
  transfer_note_peer(t);
  t->head.address = t->address;
  if (t->close_on_error && t->head.status >= 400) {
    (void)curl_easy_setopt(t->handle->easy, CURLOPT_FORBID_REUSE, 1L);
    t->handle->is_plain = false;
  }
  transfer_progressed(t);
  transfer_watch_deadline(t);
  transfer_turn_later(t); /* before others are admitted: its own callbacks come first */
  host_on_answer(t);
  return true;
}

size_t transfer_on_header(char *line, size_t size, size_t count, void *context) {
  client_handle *handle = context;
  cr_transfer *t = handle->transfer;
  size_t len = size * count;
  t->head_total += len;
  if (t->cancelled) return 0;
  if (t->head_total > LIMIT_UPSTREAM_HEAD_BYTES) {
    transfer_refuse(t, CR_TRANSFER_PROTOCOL, "head over the limit");
    return 0;
  }
  if (t->head_complete) return len; /* a trailer */
  if (!transfer_append_head(t, line, len)) {
    transfer_refuse(t, CR_TRANSFER_BROKEN, "out of memory");
    return 0;
  }
  bool is_last = len > 0 && (line[0] == '\n' || (len > 1 && line[0] == '\r' && line[1] == '\n'));
  return !is_last || transfer_complete_head(t) ? len : 0;
}

/* ---- the callbacks ---- */

static void transfer_free(cr_transfer *t) {
  cr_client *client = t->client;
  loop_cancel_deferred(client->loop, &t->turn);
  TAILQ_REMOVE(&client->all, t, all_link);
  host_release(client, t->host);
  free(t->head_bytes);
  free(t->early);
  free(t->collected);
  free(t->request);
  free(t->avoided);
  free(t);
  client_transfer_gone(client);
}

static void transfer_end(cr_transfer *t) {
  t->ending = true;
  cr_transfer_result result = {.code = t->code,
                               .message = t->message,
                               .address = t->address,
                               .body = t->collected,
                               .body_len = t->collected_len,
                               .body_bytes = t->body_bytes};
  if (t->consumer == CONSUMER_SINK) t->sink_callbacks.on_end(t->sink, &result);
  t->callbacks.on_done(t->user, &result);
  transfer_free(t);
}

static void transfer_on_turn(cr_deferred *call) {
  cr_transfer *t = container_of(call, cr_transfer, turn);
  if (t->cancelled && t->state != TRANSFER_FINISHED)
    transfer_finish(t, CR_TRANSFER_CANCELLED, "cancelled");
  if (t->head_complete && !t->head_delivered && !t->cancelled) {
    t->head_delivered = true;
    t->callbacks.on_head(t->user, &t->head);
    free(t->head_bytes);
    t->head_bytes = NULL;
    return; /* what follows from it has put off another turn */
  }
  if (transfer_end_is_due(t)) {
    transfer_end(t);
    return;
  }
  if (t->resume_wanted) {
    t->resume_wanted = false;
    transfer_resume(t);
  }
}

void cr_transfer_cancel(cr_transfer *t) {
  if (t->cancelled || t->ending || transfer_end_is_due(t)) return;
  t->cancelled = true;
  if (t->state == TRANSFER_FINISHED)
    transfer_set_result(t, CR_TRANSFER_CANCELLED, "cancelled");
  transfer_turn_later(t);
}

/* ---- the start ---- */

int cr_transfer_start(cr_client *client, const cr_transfer_request *request,
                      cr_transfer_callbacks callbacks, void *user, cr_transfer **out) {
  if (client->closing || client->loop->stopping) return CR_ESTATE;
  cr_transfer *t = calloc(1, sizeof *t);
  if (!t) return CR_EMEMORY;
  int result = transfer_request_copy(request, &t->request);
  if (result == CR_OK) result = transfer_avoid(t, request->avoid);
  if (result == CR_OK && !(t->host = host_acquire(client, request->url))) result = CR_EMEMORY;
  if (result != CR_OK) {
    free(t->request);
    free(t->avoided);
    free(t);
    return result;
  }
  uv_update_time(&client->loop->uv);
  t->client = client;
  t->callbacks = callbacks;
  t->user = user;
  t->turn.run = transfer_on_turn;
  t->connect_timeout_ms = request->connect_timeout_ms;
  t->first_byte_timeout_ms = request->first_byte_timeout_ms;
  t->stall_timeout_ms = request->stall_timeout_ms;
  t->fresh_connection = request->fresh_connection;
  t->close_on_error = request->close_on_error;
  t->start_ms = uv_now(&client->loop->uv);
  TAILQ_INSERT_TAIL(&client->all, t, all_link);
  host_enqueue(t, false);
  transfer_watch_deadline(t);
  *out = t;
  return CR_OK;
}
