/* transfer_body.c: a transfer's body to its consumer: collected here, or a sink's.
 *
 *   - Before the consumer was named a small body waits here, so that curl is done with the transfer
 *     and goes on to the next; curl is paused at the first byte of a larger one.
 *   - Later curl is paused while the sink takes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"

static bool transfer_grow_collected(cr_transfer *t, size_t needed) {
  if (needed <= t->collected_capacity) return true;
  size_t capacity = t->collected_capacity ? t->collected_capacity * 2 : 4096;
  if (t->collected_capacity == 0 && t->head.has_content_length &&
      t->head.content_length <= t->collect_max)
    capacity = (size_t)t->head.content_length;
  if (capacity < needed) capacity = needed;
  uint8_t *grown = realloc(t->collected, capacity);
  if (!grown) return false;
  t->collected = grown;
  t->collected_capacity = capacity;
  return true;
}

static bool transfer_collect_bytes(cr_transfer *t, const uint8_t *bytes, size_t n) {
  if (n > t->collect_max - t->collected_len) {
    transfer_refuse(t, CR_TRANSFER_TOO_LARGE, "body over the limit");
    return false;
  }
  if (!transfer_grow_collected(t, t->collected_len + n)) {
    transfer_refuse(t, CR_TRANSFER_BROKEN, "out of memory");
    return false;
  }
  memcpy(t->collected + t->collected_len, bytes, n);
  t->collected_len += n;
  return true;
}

/* The consumer's share of n bytes: all, or 0: none yet, or -1: the transfer is to be broken off. */
static ssize_t transfer_give(cr_transfer *t, const uint8_t *bytes, size_t n) {
  ssize_t taken = (ssize_t)n;
  if (t->consumer == CONSUMER_COLLECT && !transfer_collect_bytes(t, bytes, n)) return -1;
  if (t->consumer == CONSUMER_SINK) taken = t->sink_callbacks.on_bytes(t->sink, bytes, n);
  if (taken == SINK_TOO_MUCH)
    transfer_refuse(t, CR_TRANSFER_TOO_LARGE, "more body than was declared");
  if (taken == SINK_ENOUGH) {
    t->body_bytes += n;
    transfer_refuse(t, CR_TRANSFER_OK, "");
  }
  if (taken > 0) {
    t->body_bytes += n;
    transfer_progressed(t);
  }
  return taken < 0 ? -1 : taken;
}

/* Keeps bytes for a consumer that has not come yet; false: curl has to keep them. */
static bool transfer_keep_early(cr_transfer *t, const char *bytes, size_t n) {
  if (!t->head.has_content_length || t->head.content_length > LIMIT_EARLY_BODY_BYTES) return false;
  size_t capacity = (size_t)t->head.content_length;
  if (n > capacity - t->early_len) return false;
  if (!t->early && !(t->early = malloc(capacity))) return false;
  memcpy(t->early + t->early_len, bytes, n);
  t->early_len += n;
  return true;
}

size_t transfer_on_body(char *bytes, size_t size, size_t count, void *context) {
  client_handle *handle = context;
  cr_transfer *t = handle->transfer;
  size_t n = size * count;
  if (n == 0 || t->cancelled) return 0;
  if (t->consumer == CONSUMER_NONE && transfer_keep_early(t, bytes, n)) return n;
  ssize_t taken = 0;
  if (t->consumer != CONSUMER_NONE && !t->early)
    taken = transfer_give(t, (const uint8_t *)bytes, n);
  if (taken < 0) return 0;
  if (taken == 0) {
    t->paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  return n;
}

/* Gives the consumer what was kept for it; false: it takes nothing yet, or the transfer ends. */
static bool transfer_give_early(cr_transfer *t) {
  ssize_t taken = transfer_give(t, t->early, t->early_len);
  if (taken == 0) return false;
  free(t->early);
  t->early = NULL;
  if (t->state == TRANSFER_FINISHED) transfer_turn_later(t);
  else if (taken < 0) transfer_on_curl_done(t, CURLE_WRITE_ERROR);
  else transfer_watch_deadline(t);
  return t->state == TRANSFER_ACTIVE;
}

/* Lets curl read again. Outside curl only; what curl holds back is delivered in here. */
static void transfer_unpause(cr_transfer *t) {
  cr_client *client = t->client;
  t->paused = false;
  transfer_progressed(t);
  client->in_curl++;
  CURLcode code = curl_easy_pause(t->handle->easy, CURLPAUSE_CONT);
  client->in_curl--;
  if (code != CURLE_OK) { /* broken off by transfer_on_body: curl does not report that again */
    transfer_on_curl_done(t, code);
    return;
  }
  if (!t->paused) transfer_watch_deadline(t);
  client_action(client, CURL_SOCKET_TIMEOUT, 0);
}

void transfer_resume(cr_transfer *t) {
  if ((!t->paused && !t->early) || t->cancelled) return;
  if (t->client->in_curl) {
    t->resume_wanted = true;
    transfer_turn_later(t);
    return;
  }
  if (t->early && !transfer_give_early(t)) return;
  if (t->paused) transfer_unpause(t);
}

static int transfer_set_consumer(cr_transfer *t, transfer_consumer consumer) {
  if (!t->head_delivered || t->cancelled || t->ending || t->consumer != CONSUMER_NONE)
    return CR_ESTATE;
  t->consumer = consumer;
  if (t->state == TRANSFER_FINISHED) transfer_turn_later(t);
  return CR_OK;
}

int transfer_set_sink(cr_transfer *t, const transfer_sink *callbacks, void *sink) {
  int result = transfer_set_consumer(t, CONSUMER_SINK);
  if (result != CR_OK) return result;
  t->sink_callbacks = *callbacks;
  t->sink = sink;
  transfer_resume(t);
  return CR_OK;
}

int cr_transfer_collect(cr_transfer *t, size_t max) {
  int result = transfer_set_consumer(t, CONSUMER_COLLECT);
  if (result != CR_OK) return result;
  t->collect_max = max;
  transfer_resume(t);
  return CR_OK;
}
