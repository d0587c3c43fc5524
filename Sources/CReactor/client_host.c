/* client_host.c: a client's hosts, the transfers that wait for each, and whose turn it is.
 *
 *   - A host is a scheme with the authority as it is spelt. Its transfers go in order; hosts take
 *     turns, so none waits for another's queue.
 *   - A transfer counts against its host's cap until its head has come, or until it has taken so
 *     much longer than others that it must be waiting for something of its own (a tape, say):
 *     neither paused readers nor files that hang keep a small one from being asked for.
 *   - A host stays while it has transfers. Of the others some are kept, for what was learnt.
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"

size_t url_origin_len(const char *url) {
  const char *authority = strstr(url, "://") + 3; /* there: transfer_request.c looks */
  return (size_t)(authority - url) + strcspn(authority, "/?#");
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* FNV-1a */
static uint32_t hash_origin(const char *origin, size_t len) {
  uint32_t hash = 2166136261;
  for (size_t i = 0; i < len; i++) hash = (hash ^ (uint8_t)lower(origin[i])) * 16777619;
  return hash;
}

static bool is_origin(const client_host *host, const char *origin, size_t len) {
  if (host->origin_len != len) return false;
  for (size_t i = 0; i < len; i++)
    if (host->origin[i] != lower(origin[i])) return false;
  return true;
}

static void host_free(cr_client *client, client_host *host) {
  if (client->last_host == host) client->last_host = NULL;
  TAILQ_REMOVE(&client->buckets[host->bucket], host, bucket_link);
  curl_url_cleanup(host->url);
  free(host);
}

static CURLU *parse_origin(const char *origin) {
  CURLU *url = curl_url();
  if (url && curl_url_set(url, CURLUPART_URL, origin, CURLU_DISALLOW_USER) == CURLUE_OK) return url;
  curl_url_cleanup(url);
  return NULL;
}

static client_host *host_new(cr_client *client, const char *origin, size_t len, uint32_t bucket) {
  client_host *host = calloc(1, sizeof *host + len + 1);
  if (!host) return NULL;
  for (size_t i = 0; i < len; i++) host->origin[i] = lower(origin[i]);
  host->origin_len = len;
  host->url = parse_origin(host->origin);
  host->bucket = bucket;
  TAILQ_INIT(&host->queue);
  cap_init(&host->cap, client->max_unanswered);
  TAILQ_INSERT_HEAD(&client->buckets[bucket], host, bucket_link);
  return host;
}

void hosts_init(cr_client *client) {
  for (size_t i = 0; i < LIMIT_HOST_BUCKETS; i++) TAILQ_INIT(&client->buckets[i]);
  TAILQ_INIT(&client->ready);
  TAILQ_INIT(&client->idle);
}

void hosts_free(cr_client *client) {
  for (size_t i = 0; i < LIMIT_HOST_BUCKETS; i++)
    while (!TAILQ_EMPTY(&client->buckets[i])) host_free(client, TAILQ_FIRST(&client->buckets[i]));
}

static client_host *host_find(cr_client *client, const char *url) {
  size_t len = url_origin_len(url);
  client_host *host = client->last_host; /* most often the same one again */
  if (host && host->origin_len == len && memcmp(host->origin, url, len) == 0) return host;
  uint32_t bucket = hash_origin(url, len) % LIMIT_HOST_BUCKETS;
  TAILQ_FOREACH(host, &client->buckets[bucket], bucket_link)
    if (is_origin(host, url, len)) return host;
  return host_new(client, url, len, bucket);
}

client_host *host_acquire(cr_client *client, const char *url) {
  client_host *host = host_find(client, url);
  if (!host) return NULL;
  if (host->is_idle) {
    TAILQ_REMOVE(&client->idle, host, turn_link);
    client->idle_count--;
    host->is_idle = false;
  }
  host->transfers++;
  client->last_host = host;
  return host;
}

void host_release(cr_client *client, client_host *host) {
  if (--host->transfers > 0) return;
  host->is_idle = true;
  TAILQ_INSERT_TAIL(&client->idle, host, turn_link);
  if (++client->idle_count <= LIMIT_IDLE_HOSTS) return;
  host = TAILQ_FIRST(&client->idle);
  TAILQ_REMOVE(&client->idle, host, turn_link);
  client->idle_count--;
  host_free(client, host);
}

/* ---- turns ---- */

static void host_hold_back(cr_client *client, client_host *host) {
  host->cap.held_back = true;
  if (host->cap.adapts)
    client_watch_deadline(client, uv_now(&client->loop->uv) + LIMIT_CAP_STUCK_MS);
}

/* Puts the host among those whose turn comes, or takes it out. */
static void host_update(cr_client *client, client_host *host) {
  bool is_waited_for = !TAILQ_EMPTY(&host->queue);
  bool has_place = host->unanswered < host->cap.limit;
  if (is_waited_for && !has_place) host_hold_back(client, host);
  if ((is_waited_for && has_place) == host->is_ready) return;
  host->is_ready = !host->is_ready;
  if (host->is_ready) TAILQ_INSERT_TAIL(&client->ready, host, turn_link);
  else TAILQ_REMOVE(&client->ready, host, turn_link);
}

void host_enqueue(cr_transfer *t, bool first) {
  client_host *host = t->host;
  t->state = TRANSFER_QUEUED;
  if (first) TAILQ_INSERT_HEAD(&host->queue, t, queue_link);
  else TAILQ_INSERT_TAIL(&host->queue, t, queue_link);
  host_update(t->client, host);
  if (host->is_ready) client_pump_later(t->client);
}

void host_dequeue(cr_transfer *t) {
  TAILQ_REMOVE(&t->host->queue, t, queue_link);
  host_update(t->client, t->host);
}

cr_transfer *hosts_next(cr_client *client) {
  client_host *host = TAILQ_FIRST(&client->ready);
  if (!host) return NULL;
  cr_transfer *t = TAILQ_FIRST(&host->queue);
  TAILQ_REMOVE(&client->ready, host, turn_link);
  TAILQ_INSERT_TAIL(&client->ready, host, turn_link);
  host_dequeue(t);
  return t;
}

/* ---- the count ---- */

void host_count(cr_transfer *t) {
  client_host *host = t->host;
  t->is_counted = true;
  t->round = host->cap.round;
  t->admitted_ms = uv_now(&t->client->loop->uv);
  host->unanswered++;
  host_update(t->client, host);
}

void host_uncount(cr_transfer *t) {
  if (!t->is_counted) return;
  t->is_counted = false;
  t->host->unanswered--;
  host_update(t->client, t->host);
  if (t->host->is_ready) client_pump_later(t->client);
}

void host_on_answer(cr_transfer *t) {
  curl_off_t sent_us = 0, answered_us = 0;
  if (t->host->cap.adapts) {
    curl_easy_getinfo(t->handle->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
    curl_easy_getinfo(t->handle->easy, CURLINFO_STARTTRANSFER_TIME_T, &answered_us);
    if (answered_us < sent_us) answered_us = sent_us;
    cap_on_answer(&t->host->cap, t->round, (uint64_t)(answered_us - sent_us),
                  uv_now(&t->client->loop->uv));
  }
  if (t->is_counted) {
    host_uncount(t);
    return;
  }
  host_update(t->client, t->host); /* the cap may have moved all the same */
  if (t->host->is_ready) client_pump_later(t->client);
}

uint64_t host_check_stuck(cr_transfer *t, uint64_t now_ms) {
  const client_host *host = t->host;
  if (!t->is_counted || !host->cap.adapts || TAILQ_EMPTY(&host->queue)) return UINT64_MAX;
  uint64_t patience_ms = host->cap.base_us * 4 / 1000;
  if (patience_ms < LIMIT_CAP_STUCK_MS) patience_ms = LIMIT_CAP_STUCK_MS;
  uint64_t at_ms = t->admitted_ms + patience_ms;
  if (at_ms <= now_ms) {
    host_uncount(t);
    return UINT64_MAX;
  }
  /* Not looked at more often than this, since each look goes over all transfers. */
  return at_ms < now_ms + LIMIT_CAP_LOOK_MS ? now_ms + LIMIT_CAP_LOOK_MS : at_ms;
}
