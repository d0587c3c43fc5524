/* listener.c: a listening socket and the connections that it accepted.
 *
 *   - Accepting is our own (accept.c, with uv_poll and accept4) because uv_listen can't be paused,
 *     and spins when descriptors run out and libuv's spare one is gone.
 *   - Before a socket of our own is closed, what waits in its backlog is accepted: it would be
 *     reset. A shared socket's backlog is left to whoever goes on listening.
 *   - The listener is freed when it is closing, both its handles are closed and its last
 *     connection is gone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"

static void listener_free(cr_listener *l) {
  if (l->fd >= 0) close(l->fd);
  if (l->reserve >= 0) close(l->reserve);
  cr_tls_free(l->tls);
  free(l->proxies);
  free(l->refusal);
  peers_free(&l->peers);
  free(l);
}

static void listener_on_closed(uv_handle_t *handle) {
  cr_listener *l = handle->data;
  if (--l->handles > 0) return;
  cr_server_callbacks callbacks = l->callbacks;
  listener_free(l);
  if (callbacks.on_closed) callbacks.on_closed(callbacks.context);
}

/* The timer is needed until the last connection is gone, and is closed with it. */
static void listener_end_if_unused(cr_listener *l) {
  if (!l->closing || l->connections > 0 || uv_is_closing((uv_handle_t *)&l->timer)) return;
  loop_remove_member(l->loop, &l->member);
  loop_cancel_deferred(l->loop, &l->turn);
  uv_close((uv_handle_t *)&l->timer, listener_on_closed);
}

void listener_remove(cr_conn *conn) {
  cr_listener *l = conn->listener;
  if (conn->previous) conn->previous->next = conn->next;
  else l->conns = conn->next;
  if (conn->next) conn->next->previous = conn->previous;
  peers_leave(conn);
  l->connections--;
  listener_resume(l);
  listener_end_if_unused(l);
}

/* Makes a socket of somebody else's as ours are. A negative errno when it does not listen. */
static int prepare_socket(int fd) {
  int on = 1, listens = 0;
  socklen_t length = sizeof listens;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length)) return -errno;
  if (!listens) return -EINVAL;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC) ||
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
    return -errno;
  return 0;
}

static int bind_and_listen(const struct addrinfo *address, int *out) {
  int on = 1;
  int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
      /* Accepted sockets inherit it, and so save a call each. */
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
      bind(fd, address->ai_addr, address->ai_addrlen) || listen(fd, LIMIT_BACKLOG)) {
    int error = errno;
    close(fd);
    return error;
  }
  *out = fd;
  return 0;
}

/* A listening socket on the first of the host's addresses that can be bound, or -1. */
static int open_socket(const char *host, uint16_t port, char *message) {
  char service[8];
  snprintf(service, sizeof service, "%u", port);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
  struct addrinfo *addresses = NULL;
  int failure = getaddrinfo(host, service, &hints, &addresses);
  if (failure) {
    snprintf(message, CR_MESSAGE_BYTES, "can't listen on %s:%u: %s", host, port,
             gai_strerror(failure));
    return -1;
  }
  int fd = -1, error = 0;
  for (struct addrinfo *a = addresses; a && fd < 0; a = a->ai_next)
    error = bind_and_listen(a, &fd);
  freeaddrinfo(addresses);
  if (fd < 0)
    snprintf(message, CR_MESSAGE_BYTES, "can't listen on %s:%u: %s", host, port,
             strerror(error));
  return fd;
}

static uint16_t bound_port(int fd) {
  struct sockaddr_storage address = {0};
  socklen_t length = sizeof address;
  getsockname(fd, (struct sockaddr *)&address, &length); /* a bound socket of ours: can't fail */
  if (address.ss_family == AF_INET6)
    return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
  return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

static void listener_stop_accepting(cr_listener *l) {
  if (l->closing) return;
  l->closing = true;
  l->accept_retry_at = 0;
  uv_close((uv_handle_t *)&l->poll, listener_on_closed);
  close(l->fd);
  l->fd = -1;
}

static void listener_for_all(cr_listener *l, void (*act)(cr_conn *)) {
  for (cr_conn *conn = l->conns, *next; conn; conn = next) {
    next = conn->next; /* act may close conn, which leaves the list in a later turn */
    act(conn);
  }
}

void cr_listener_close(cr_listener *l) {
  if (!l->closing && !l->is_shared) accept_connections(l, LIMIT_BACKLOG);
  listener_stop_accepting(l);
  uint32_t idle_ms = l->waits[WAIT_IDLE].ms;
  if (idle_ms == 0 || idle_ms > LIMIT_RETIRED_IDLE_MS)
    wait_change(l, WAIT_IDLE, LIMIT_RETIRED_IDLE_MS);
  listener_for_all(l, conn_schedule); /* some wait for something else from now on */
  listener_end_if_unused(l);
}

static void listener_on_loop_end(cr_loop_member *member) {
  cr_listener *l = container_of(member, cr_listener, member);
  listener_stop_accepting(l);
  listener_for_all(l, conn_abandon);
  listener_end_if_unused(l);
}

static int take_networks(const char *text, address_network **networks, int *count,
                         char *message) {
  const char *bad = "";
  size_t bad_len = 0;
  *count = address_networks_parse(text ? text : "", networks, &bad, &bad_len);
  if (*count >= 0) return CR_OK;
  if (*count == -2) return CR_EMEMORY;
  snprintf(message, CR_MESSAGE_BYTES, "not an IP network: \"%.*s\"",
           (int)(bad_len < 100 ? bad_len : 100), bad);
  return CR_EINVALID;
}

/* What of a configuration needs memory; made whole before anything is changed. */
typedef struct {
  address_network *proxies, *shared;
  int proxy_count, shared_count;
  char *refusal;
} listener_parts;

static int parts_make(listener_parts *parts, const cr_listener_config *config, char *message) {
  int result = take_networks(config->proxy_networks, &parts->proxies, &parts->proxy_count, message);
  if (result != CR_OK) return result;
  result = take_networks(config->shared_networks, &parts->shared, &parts->shared_count, message);
  if (result != CR_OK || config->refusal_len == 0) return result;
  parts->refusal = malloc(config->refusal_len);
  if (!parts->refusal) return CR_EMEMORY;
  memcpy(parts->refusal, config->refusal, config->refusal_len);
  return CR_OK;
}

static void parts_free(listener_parts *parts) {
  free(parts->proxies);
  free(parts->shared);
  free(parts->refusal);
}

static void listener_set_waits(cr_listener *l, const cr_listener_config *config) {
  uint32_t head = config->head_timeout_ms, idle = config->idle_timeout_ms;
  wait_change(l, WAIT_PROXY, head);
  wait_change(l, WAIT_HANDSHAKE, LIMIT_TLS_HANDSHAKE_MS);
  wait_change(l, WAIT_FIRST, head && (head < idle || !idle) ? head : idle);
  wait_change(l, WAIT_IDLE, idle);
  wait_change(l, WAIT_HEAD, head);
  wait_change(l, WAIT_DROP, head);
  wait_change(l, WAIT_BODY, config->body_timeout_ms);
  wait_change(l, WAIT_STALL, config->write_stall_ms);
  wait_change(l, WAIT_LINGER, LIMIT_LINGER_MS);
}

static int listener_configure(cr_listener *l, const cr_listener_config *config, char *message) {
  listener_parts parts = {0};
  int result = parts_make(&parts, config, message);
  if (result == CR_OK) result = peers_limit(&l->peers, config->max_connections_per_address);
  if (result != CR_OK) {
    if (result == CR_EMEMORY) snprintf(message, CR_MESSAGE_BYTES, "out of memory");
    parts_free(&parts);
    return result;
  }
  listener_parts old = {.proxies = l->proxies, .shared = l->peers.shared, .refusal = l->refusal};
  parts_free(&old);
  l->proxies = parts.proxies;
  l->proxy_count = parts.proxy_count;
  l->peers.shared = parts.shared;
  l->peers.shared_count = parts.shared_count;
  l->refusal = parts.refusal;
  l->refusal_len = config->refusal_len;
  l->max_connections = config->max_connections;
  cr_tls *before = l->tls;
  l->tls = config->tls;
  if (l->tls) l->tls->references++;
  cr_tls_free(before);
  listener_set_waits(l, config);
  return CR_OK;
}

/* Who waited for ever may have a time now. */
static void conn_schedule_timeless(cr_conn *conn) {
  if (conn->wait == WAIT_NONE) conn_schedule(conn);
}

int cr_listener_reconfigure(cr_listener *l, const cr_listener_config *config, char *message) {
  message[0] = '\0';
  if (l->closing) {
    snprintf(message, CR_MESSAGE_BYTES, "the listener is closed");
    return CR_ESTATE;
  }
  int result = listener_configure(l, config, message);
  if (result != CR_OK) return result;
  listener_for_all(l, conn_schedule_timeless);
  listener_resume(l);
  return CR_OK;
}

static int listener_take_socket(cr_listener *l, const cr_listener_config *config, char *message) {
  l->is_shared = config->use_fd;
  l->fd = l->is_shared ? config->fd : open_socket(config->host, config->port, message);
  if (l->fd < 0) return CR_ESYSTEM;
  int error = l->is_shared ? prepare_socket(l->fd) : 0;
  if (!error) error = uv_poll_init(&l->loop->uv, &l->poll, l->fd);
  if (!error) return CR_OK;
  snprintf(message, CR_MESSAGE_BYTES, "can't listen on %s:%u: %s", config->host, config->port,
           uv_strerror(error));
  if (l->is_shared) l->fd = -1; /* it stays its owner's */
  return CR_ESYSTEM;
}

int cr_listener_open(cr_loop *loop, const cr_listener_config *config,
                     cr_server_callbacks callbacks, cr_listener **out, char *message) {
  message[0] = '\0';
  if (loop->stopping) {
    snprintf(message, CR_MESSAGE_BYTES, "the loop has ended");
    return CR_ESTATE;
  }
  cr_listener *l = calloc(1, sizeof *l);
  if (!l) {
    snprintf(message, CR_MESSAGE_BYTES, "out of memory");
    return CR_EMEMORY;
  }
  l->loop = loop;
  l->turn.run = turn_on_deferred;
  l->fd = l->reserve = -1;
  uv_timer_init(&loop->uv, &l->timer);
  l->poll.data = l->timer.data = l;
  int result = listener_configure(l, config, message);
  if (result == CR_OK) result = listener_take_socket(l, config, message);
  if (result != CR_OK) {
    l->handles = 1;
    uv_close((uv_handle_t *)&l->timer, listener_on_closed);
    return result;
  }
  /* A write to a socket that the client reset is an error to us, not a signal. */
  signal(SIGPIPE, SIG_IGN);
  accept_keep_reserve(l);
  l->handles = 2;
  l->port = bound_port(l->fd);
  l->callbacks = callbacks;
  loop_add_member(loop, &l->member, listener_on_loop_end);
  listener_start(l);
  *out = l;
  return CR_OK;
}

uint16_t cr_listener_port(const cr_listener *l) { return l->port; }
uint32_t cr_listener_connections(const cr_listener *l) { return l->connections; }
uint32_t cr_listener_accepted(const cr_listener *l) { return l->accepted; }
cr_listener_counts cr_listener_count(const cr_listener *l) { return l->counts; }
