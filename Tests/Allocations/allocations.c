/* Fails each allocation of the reactor in turn, while it serves requests of every kind, plain and in
 * TLS: a client's connection or request ends then, and nothing else. What must hold each time: every
 * client sees an end, the loop ends, and all that was allocated is freed.
 *
 *   - The linker leads CReactor's calls here (--wrap); those of libraries are not failed: libuv
 *     aborts without memory.
 *   - Server, upstream and client share the loop's thread; the clients are a thread of blocking
 *     sockets that allocates nothing by these calls.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "CReactor.h"

#define HOLDS(condition) \
  ((condition) ? (void)0 : (fprintf(stderr, "allocation %ld: %s\n", fail_at, #condition), abort()))

/* ---- allocations ---- */

static long count, fail_at, outstanding;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);

static void *taken(void *p) {
  if (p) outstanding++;
  return p;
}
static int fails(void) { return ++count == fail_at; }

void *__wrap_malloc(size_t n) { return fails() ? NULL : taken(__real_malloc(n)); }
void *__wrap_calloc(size_t n, size_t size) {
  return fails() ? NULL : taken(__real_calloc(n, size));
}
void *__wrap_realloc(void *p, size_t n) {
  if (fails()) return NULL;
  void *grown = __real_realloc(p, n);
  return p ? grown : taken(grown);
}
char *__wrap_strdup(const char *text) {
  char *copy = __wrap_malloc(strlen(text) + 1);
  return copy ? strcpy(copy, text) : NULL;
}
void __wrap_free(void *p) {
  if (p) outstanding--;
  __real_free(p);
}

/* ---- server and upstream ---- */

enum { BODY_BYTES = 300 * 1000 };
static char body[BODY_BYTES];
static cr_loop *loop;
static cr_listener *front, *upstream;
static cr_client *client;
static int in_flight;

typedef struct {
  cr_conn *conn; /* NULL: free, or the answer is over */
  cr_transfer *transfer;
} request;
static request requests[16];

static void give_up(request *r) {
  if (r->conn) cr_respond_abort(r->conn);
}

static void on_head(void *user, const cr_transfer_head *head) {
  request *r = user;
  cr_response response = {.status = head->status, .content_length = head->content_length};
  if (!r->conn || cr_respond_begin(r->conn, &response) != CR_OK ||
      cr_respond_relay(r->conn, r->transfer, 0, 0) != CR_OK) {
    cr_transfer_cancel(r->transfer);
    give_up(r);
  }
}

static void on_done(void *user, const cr_transfer_result *result) {
  request *r = user;
  r->transfer = NULL;
  if (result->code != CR_TRANSFER_OK) give_up(r);
}

static void relay_from_upstream(request *r) {
  static char url[64];
  snprintf(url, sizeof url, "http://127.0.0.1:%u/body", cr_listener_port(upstream));
  static const char headers[] = "X-One: 1\0X-Two: 2";
  cr_transfer_request asked = {.method = "GET", .url = url, .headers = headers,
                               .headers_len = sizeof headers, .connect_timeout_ms = 5000,
                               .first_byte_timeout_ms = 5000, .stall_timeout_ms = 5000};
  cr_transfer_callbacks callbacks = {on_head, on_done};
  if (cr_transfer_start(client, &asked, callbacks, r, &r->transfer) != CR_OK) give_up(r);
}

static int target_is(const cr_head *head, const char *text) {
  return head->target.len == strlen(text) && !memcmp(head->base + head->target.at, text, strlen(text));
}

static void *on_request(void *context, cr_conn *conn, const cr_head *head) {
  (void)context;
  request *r = requests;
  while (r->conn || r->transfer) r++;
  HOLDS(r < requests + 16);
  r->conn = conn;
  in_flight++;
  cr_response response = {.status = 200, .body = body, .body_len = 5};
  if (target_is(head, "/relay")) relay_from_upstream(r);
  else if (target_is(head, "/echo")) {
    if (cr_request_read_body(conn, BODY_BYTES) != CR_OK) give_up(r);
  } else {
    if (target_is(head, "/body")) response.body_len = BODY_BYTES;
    if (head->malformed_status) response.status = head->malformed_status;
    if (cr_respond(conn, &response) != CR_OK) give_up(r);
  }
  return r;
}

static void on_body(void *user, int status, const uint8_t *bytes, size_t n) {
  request *r = user;
  cr_response response = {.status = status == CR_OK ? 200 : 503, .body = bytes, .body_len = n};
  if (cr_respond(r->conn, &response) != CR_OK) give_up(r);
}

static void on_room(void *user) { (void)user; }

static void on_sent(void *user, const cr_sent *sent) {
  request *r = user;
  (void)sent;
  r->conn = NULL;
  in_flight--;
}

/* ---- clients ---- */

static SSL_CTX *trust;

static int connect_to(uint16_t port) {
  struct timeval patience = {.tv_sec = 10};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  HOLDS(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return fd;
}

/* Says it, ends its side, and reads to the end, which must come. */
static void converse(const char *said, size_t n) {
  static char got[1 << 16];
  int fd = connect_to(cr_listener_port(front));
  SSL *ssl = trust ? SSL_new(trust) : NULL;
  if (ssl) {
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) == 1 && SSL_write(ssl, said, (int)n) > 0)
      while (SSL_read(ssl, got, sizeof got) > 0) {
      }
    SSL_free(ssl);
  } else {
    ssize_t read;
    ssize_t sent = 1;
    for (size_t at = 0; at < n && sent > 0; at += (size_t)sent)
      sent = send(fd, said + at, n - at, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    while ((read = recv(fd, got, sizeof got, 0)) > 0) {
    }
    HOLDS(read == 0 || errno != EAGAIN);
  }
  close(fd);
}

static void *act_as_clients(void *unused) {
  (void)unused;
  static char sized[64 * 1024], chunked[] =
      "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
      "5\r\nhello\r\n0\r\n\r\n";
  static const char relayed[] = "GET /relay HTTP/1.1\r\nHost: a\r\n\r\n"
                                "GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  static const char bad[] = "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
  size_t head = (size_t)snprintf(
      sized, sizeof sized,
      "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\nConnection: close\r\n\r\n");
  converse(relayed, sizeof relayed - 1);
  converse(chunked, sizeof chunked - 1);
  converse(sized, head + 50000);
  converse(bad, sizeof bad - 1);
  cr_loop_stop(loop);
  return NULL;
}

/* ---- rounds ---- */

static int open_all(const char *certificate, const char *key) {
  char message[CR_MESSAGE_BYTES];
  cr_server_callbacks callbacks = {.on_request = on_request, .on_body = on_body,
                                   .on_room = on_room, .on_sent = on_sent};
  cr_listener_config config = {.host = "127.0.0.1", .fd = -1, .head_timeout_ms = 5000,
                               .idle_timeout_ms = 5000, .body_timeout_ms = 5000,
                               .write_stall_ms = 5000, .max_connections = 100,
                               .max_connections_per_address = 50, .refusal = "busy",
                               .refusal_len = 4, .proxy_networks = "192.0.2.0/24",
                               .shared_networks = "192.0.2.0/24"};
  cr_client_config calls = {.allow_plain_http = true, .allow_any_address = true,
                            .max_active = 10, .user_agent = "allocations"};
  int result = cr_listener_open(loop, &config, callbacks, &upstream, message);
  if (result == CR_OK && certificate)
    result = cr_tls_new(certificate, key, 3600 * 1000, &config.tls, message);
  if (result == CR_OK) result = cr_listener_open(loop, &config, callbacks, &front, message);
  cr_tls_free(config.tls);
  if (result == CR_OK) result = cr_client_new(loop, &calls, &client, message);
  return result;
}

/* Whether the allocation was reached. */
static int play(const char *certificate, const char *key) {
  pthread_t clients;
  cr_loop_callbacks callbacks = {0};
  count = outstanding = in_flight = 0;
  memset(requests, 0, sizeof requests);
  int result = cr_loop_new(callbacks, &loop);
  if (result != CR_OK) {
    HOLDS(outstanding == 0);
    return 1;
  }
  result = open_all(certificate, key);
  if (result == CR_OK) pthread_create(&clients, NULL, act_as_clients, NULL);
  else cr_loop_stop(loop);
  cr_loop_run(loop);
  if (result == CR_OK) pthread_join(clients, NULL);
  HOLDS(in_flight == 0 && outstanding == 0);
  return count >= fail_at;
}

int main(int argc, char **argv) {
  HOLDS(argc == 3); /* certificate and key */
  for (int tls = 0; tls < 2; tls++) {
    if (tls) trust = SSL_CTX_new(TLS_client_method());
    for (fail_at = 1; play(tls ? argv[1] : NULL, argv[2]); fail_at++) {
    }
    printf("%s: each of %ld allocations failed once\n", tls ? "TLS" : "plain", count);
  }
  SSL_CTX_free(trust);
  return 0;
}
