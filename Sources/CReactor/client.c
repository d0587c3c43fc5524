/* client.c: curl's multi interface on the loop, admission to it, the pool of handles.
 *
 *   - At most max_active transfers are in curl, and of these at most as many without a head as
 *     their host's cap allows. The others wait with their host (client_host.c), because curl's own
 *     list of pending transfers costs far more.
 *   - curl is called from uv callbacks and from deferred calls, never from its own callbacks.
 *   - Two timers serve all transfers: curl's, and one for the earliest of our own deadlines. A
 *     deadline that moves back is not moved in the timer; it is found out when the timer fires.
 *   - A proxy is a peer like any other: at a private address it needs to be in allowed_networks.
 *     What it connects to is its own affair.
 */
#include "client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void client_reap(cr_client *client);

void client_action(cr_client *client, curl_socket_t fd, int events) {
  int running;
  client->in_curl++;
  /* Its result tells of misuse and of lack of memory; the transfers' own results tell the rest. */
  (void)curl_multi_socket_action(client->multi, fd, events, &running);
  client->in_curl--;
  client_reap(client);
}

static void client_reap(cr_client *client) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(client->multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    client_handle *handle;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&handle);
    transfer_on_curl_done(handle->transfer, message->data.result);
  }
}

/* ---- handles ---- */

/* curl has OpenSSL free a connection's two buffers of 16 KiB whenever they are empty, which is after
 * every small answer. */
static CURLcode client_on_ssl_context(CURL *easy, void *context, void *user) {
  (void)easy;
  SSL_CTX_clear_mode(context, SSL_MODE_RELEASE_BUFFERS);
  client_records_expect(user, context);
  return CURLE_OK;
}

static bool client_set_up_handle(cr_client *client, client_handle *handle) {
  CURL *easy = handle->easy;
  CURLcode failed = CURLE_OK;
#define SET(option, value) \
  if (failed == CURLE_OK) failed = curl_easy_setopt(easy, option, value)
  SET(CURLOPT_PRIVATE, handle);
  SET(CURLOPT_ERRORBUFFER, handle->error);
  SET(CURLOPT_WRITEFUNCTION, transfer_on_body);
  SET(CURLOPT_WRITEDATA, handle);
  SET(CURLOPT_HEADERFUNCTION, transfer_on_header);
  SET(CURLOPT_HEADERDATA, handle);
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  SET(CURLOPT_OPENSOCKETFUNCTION, client_open_socket);
  SET(CURLOPT_OPENSOCKETDATA, handle);
  SET(CURLOPT_CLOSESOCKETFUNCTION, client_close_socket);
  SET(CURLOPT_CLOSESOCKETDATA, client);
  SET(CURLOPT_NOSIGNAL, 1L);
  /* A resolver's thread that hangs is left behind: the loop must not wait for it to end. */
  SET(CURLOPT_QUICK_EXIT, 1L);
  SET(CURLOPT_NOPROGRESS, 1L);
  SET(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  SET(CURLOPT_HTTP09_ALLOWED, 0L);
  SET(CURLOPT_PROTOCOLS_STR, client->allow_plain_http ? "https,http" : "https");
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
  SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  SET(CURLOPT_PATH_AS_IS, 1L);
  SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
  SET(CURLOPT_HTTP_TRANSFER_DECODING, 1L);
  SET(CURLOPT_TCP_NODELAY, 1L);
  SET(CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
  /* Allocated for each request over TLS, and at 64 KiB freeing it makes malloc tidy up its heap. */
  SET(CURLOPT_UPLOAD_BUFFERSIZE, 16L * 1024);
  SET(CURLOPT_SSL_CTX_FUNCTION, client_on_ssl_context);
  SET(CURLOPT_SSL_CTX_DATA, handle);
  SET(CURLOPT_SSL_VERIFYPEER, 1L);
  SET(CURLOPT_SSL_VERIFYHOST, 2L);
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  /* curl keeps the parsed certificates only when they come from one file and no folder. */
  SET(CURLOPT_CAPATH, NULL);
  if (client->ca_file) SET(CURLOPT_CAINFO, client->ca_file);
  if (!client->use_environment_proxy) {
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, ""); /* or curl asks the environment each time */
  }
  if (client->user_agent) SET(CURLOPT_USERAGENT, client->user_agent);
#undef SET
  return failed == CURLE_OK;
}

static client_handle *client_acquire(cr_client *client) {
  client_handle *handle = client->pool;
  if (handle) {
    client->pool = handle->next;
    handle->next = NULL;
    return handle;
  }
  handle = calloc(1, sizeof *handle);
  if (!handle) return NULL;
  handle->client = client;
  LIST_INIT(&handle->new_sockets);
  handle->easy = curl_easy_init();
  if (!handle->easy) goto fail;
  if (!client_set_up_handle(client, handle)) {
    curl_easy_cleanup(handle->easy);
    goto fail;
  }
  return handle;
fail:
  free(handle);
  return NULL;
}

static void client_pool(cr_client *client, client_handle *handle) {
  curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, NULL); /* the list dies with the transfer */
  handle->transfer = NULL;
  handle->next = client->pool;
  client->pool = handle;
}

/* A kept connection that is found dead is replaced by curl, which counts that in the handle and never
 * forgets it: the sixth time, in whatever transfer, it gives up (7.88, lib/transfer.c). So a handle is
 * not used again after it made a connection, or ended without an answer. */
static bool client_may_have_retried(client_handle *handle) {
  long made = 0, status = 0;
  curl_easy_getinfo(handle->easy, CURLINFO_NUM_CONNECTS, &made);
  curl_easy_getinfo(handle->easy, CURLINFO_RESPONSE_CODE, &status);
  return made > 0 || status == 0;
}

static void client_free_handle(client_handle *handle) {
  curl_easy_cleanup(handle->easy);
  free(handle);
}

void client_release(cr_client *client, client_handle *handle) {
  client->in_curl++;
  curl_multi_remove_handle(client->multi, handle->easy);
  client->in_curl--;
  client_forget_new_sockets(handle);
  if (client_may_have_retried(handle))
    client_free_handle(handle);
  else
    client_pool(client, handle);
  client->active--;
  if (!TAILQ_EMPTY(&client->ready)) client_pump_later(client);
}

/* ---- admission ---- */

static void client_admit(cr_client *client, cr_transfer *transfer) {
  CURLcode code = CURLE_OUT_OF_MEMORY;
  client_handle *handle = client_acquire(client);
  if (!handle) {
    transfer_on_admission_failed(transfer, code);
    return;
  }
  handle->error[0] = 0;
  code = transfer_configure(transfer, handle);
  if (code == CURLE_OK && curl_multi_add_handle(client->multi, handle->easy) != CURLM_OK)
    code = CURLE_FAILED_INIT;
  if (code != CURLE_OK) {
    client_pool(client, handle);
    transfer_on_admission_failed(transfer, code);
    return;
  }
  handle->transfer = transfer;
  transfer->handle = handle;
  transfer->state = TRANSFER_ACTIVE;
  client->active++;
  host_count(transfer);
}

static void client_on_pump(cr_deferred *call) {
  cr_client *client = container_of(call, cr_client, pump);
  cr_transfer *transfer;
  bool is_any = false;
  while (client->active < client->max_active && (transfer = hosts_next(client))) {
    client_admit(client, transfer);
    is_any = true;
  }
  /* What was added starts at once instead of after a timer of 0 ms. */
  if (is_any) client_action(client, CURL_SOCKET_TIMEOUT, 0);
}

void client_pump_later(cr_client *client) { loop_defer(client->loop, &client->pump); }

/* ---- timers ---- */

static void client_on_curl_timer(uv_timer_t *timer) {
  client_action(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int client_on_timeout(CURLM *multi, long timeout_ms, void *context) {
  (void)multi;
  cr_client *client = context;
  if (uv_is_closing((uv_handle_t *)&client->curl_timer)) return 0;
  if (timeout_ms < 0) uv_timer_stop(&client->curl_timer);
  else uv_timer_start(&client->curl_timer, client_on_curl_timer, (uint64_t)timeout_ms, 0);
  return 0;
}

static void client_on_deadline(uv_timer_t *timer) {
  cr_client *client = timer->data;
  uint64_t now_ms = uv_now(&client->loop->uv), earliest_ms = UINT64_MAX;
  cr_transfer *transfer;
  client->deadline_ms = UINT64_MAX;
  TAILQ_FOREACH(transfer, &client->all, all_link) {
    uint64_t deadline_ms = transfer_check_deadline(transfer, now_ms);
    if (deadline_ms < earliest_ms) earliest_ms = deadline_ms;
    deadline_ms = host_check_stuck(transfer, now_ms);
    if (deadline_ms < earliest_ms) earliest_ms = deadline_ms;
  }
  if (earliest_ms != UINT64_MAX) client_watch_deadline(client, earliest_ms);
}

void client_watch_deadline(cr_client *client, uint64_t at_ms) {
  if (at_ms >= client->deadline_ms) return;
  uint64_t now_ms = uv_now(&client->loop->uv);
  client->deadline_ms = at_ms;
  uv_timer_start(&client->deadline_timer, client_on_deadline, at_ms > now_ms ? at_ms - now_ms : 0,
                 0);
}

/* ---- life ---- */

static uv_once_t curl_initialised = UV_ONCE_INIT;
static CURLcode curl_initialisation;
static void initialise_curl(void) { curl_initialisation = curl_global_init(CURL_GLOBAL_DEFAULT); }

static void client_free_texts(cr_client *client) {
  free(client->allowed);
  free(client->ca_file);
  free(client->user_agent);
}

static void client_on_timer_closed(uv_handle_t *handle) {
  cr_client *client = handle->data;
  if (--client->open_timers > 0) return;
  client_free_texts(client);
  free(client);
}

/* All transfers are gone. The client's memory goes with its last timer. */
static void client_destroy(cr_client *client) {
  loop_cancel_deferred(client->loop, &client->pump);
  while (client->pool) {
    client_handle *handle = client->pool;
    client->pool = handle->next;
    client_free_handle(handle);
  }
  curl_multi_cleanup(client->multi);
  client_close_sockets(client);
  hosts_free(client);
  uv_close((uv_handle_t *)&client->curl_timer, client_on_timer_closed);
  uv_close((uv_handle_t *)&client->deadline_timer, client_on_timer_closed);
}

void client_transfer_gone(cr_client *client) {
  if (client->closing && TAILQ_EMPTY(&client->all)) client_destroy(client);
}

void cr_client_close(cr_client *client) {
  if (client->closing) return;
  client->closing = true;
  loop_remove_member(client->loop, &client->member);
  cr_transfer *transfer;
  TAILQ_FOREACH(transfer, &client->all, all_link) cr_transfer_cancel(transfer);
  client_transfer_gone(client);
}

static void client_on_loop_end(cr_loop_member *member) {
  cr_client_close(container_of(member, cr_client, member));
}

static bool client_set_up_multi(cr_client *client) {
  client->multi = curl_multi_init();
  if (!client->multi) return false;
  CURLMcode failed = CURLM_OK;
#define SET(option, value) \
  if (failed == CURLM_OK) failed = curl_multi_setopt(client->multi, option, value)
  SET(CURLMOPT_SOCKETFUNCTION, client_on_socket);
  SET(CURLMOPT_SOCKETDATA, client);
  SET(CURLMOPT_TIMERFUNCTION, client_on_timeout);
  SET(CURLMOPT_TIMERDATA, client);
  SET(CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
  /* Those in use count: below the number of transfers curl would close connections that are about
   * to be used again. At it, the longest idle go first when other hosts are in use. */
  SET(CURLMOPT_MAXCONNECTS, (long)client->max_active);
#undef SET
  if (failed == CURLM_OK) return true;
  curl_multi_cleanup(client->multi);
  return false;
}

static char *copy_text(const char *text, bool *failed) {
  char *copy = text ? strdup(text) : NULL;
  *failed = *failed || (text && !copy);
  return copy;
}

static int client_check_ca_file(const char *ca_file, char *message) {
  X509_STORE *store = X509_STORE_new();
  if (!store) return CR_EMEMORY;
  bool usable = X509_STORE_load_file(store, ca_file) == 1;
  X509_STORE_free(store);
  ERR_clear_error();
  if (usable) return CR_OK;
  snprintf(message, CR_MESSAGE_BYTES, "no PEM certificate can be read from %s", ca_file);
  return CR_ETLS;
}

static int client_configure(cr_client *client, const cr_client_config *config, char *message) {
  if (config->max_active == 0 || config->max_active > INT32_MAX / 2) {
    snprintf(message, CR_MESSAGE_BYTES, "max_active has to be between 1 and 2^30");
    return CR_EINVALID;
  }
  if (config->user_agent && !header_value_is_valid(config->user_agent, strlen(config->user_agent))) {
    snprintf(message, CR_MESSAGE_BYTES, "control byte in the user agent");
    return CR_EINVALID;
  }
  if (config->ca_file) {
    int result = client_check_ca_file(config->ca_file, message);
    if (result != CR_OK) return result;
  }
  const char *bad = "";
  size_t bad_len = 0;
  client->allowed_count = address_networks_parse(
      config->allowed_networks ? config->allowed_networks : "", &client->allowed, &bad, &bad_len);
  if (client->allowed_count == -1) {
    snprintf(message, CR_MESSAGE_BYTES, "not an IP network: \"%.*s\"",
             (int)(bad_len < 100 ? bad_len : 100), bad);
    return CR_EINVALID;
  }
  bool short_of_memory = client->allowed_count < 0;
  client->ca_file = copy_text(config->ca_file, &short_of_memory);
  client->user_agent = copy_text(config->user_agent, &short_of_memory);
  client->max_active = config->max_active;
  client->max_unanswered = config->max_unanswered;
  client->use_environment_proxy = config->use_environment_proxy;
  client->allow_plain_http = config->allow_plain_http;
  client->allow_any_address = config->allow_any_address;
  return short_of_memory ? CR_EMEMORY : CR_OK;
}

int cr_client_new(cr_loop *loop, const cr_client_config *config, cr_client **out, char *message) {
  message[0] = 0;
  if (loop->stopping) return CR_ESTATE;
  uv_once(&curl_initialised, initialise_curl);
  if (curl_initialisation != CURLE_OK) return CR_ESYSTEM;
  cr_client *client = calloc(1, sizeof *client);
  if (!client) return CR_EMEMORY;
  client->loop = loop;
  client->deadline_ms = UINT64_MAX;
  client->pump.run = client_on_pump;
  TAILQ_INIT(&client->all);
  hosts_init(client);
  int result = client_configure(client, config, message);
  if (result == CR_OK && !client_set_up_multi(client)) result = CR_EMEMORY;
  if (result != CR_OK) {
    client_free_texts(client);
    free(client);
    return result;
  }
  uv_timer_init(&loop->uv, &client->curl_timer);
  uv_timer_init(&loop->uv, &client->deadline_timer);
  client->curl_timer.data = client->deadline_timer.data = client;
  client->open_timers = 2;
  loop_add_member(loop, &client->member, client_on_loop_end);
  *out = client;
  return CR_OK;
}
