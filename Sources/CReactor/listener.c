/* listener.c: a listening socket and the connections that it accepted.
 *
 *   - Accepting is our own (uv_poll and accept4) because uv_listen can't be paused, and spins
 *     when descriptors run out and libuv's spare one is gone.
 *   - Paused by max_connections it resumes when one closes; paused by an error (EMFILE …) when a
 *     timer fires. The kernel's backlog holds clients meanwhile.
 *   - Before a socket of our own is closed, what waits in its backlog is accepted: it would be
 *     reset. A shared socket's backlog is left to whoever goes on listening.
 *   - The listener is freed when it is closing, both its handles are closed and its last
 *     connection is gone.
 */
#define _GNU_SOURCE 1 /* accept4 */
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
  cr_tls_free(l->tls);
  free(l->proxies);
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
  uv_close((uv_handle_t *)&l->timer, listener_on_closed);
}

void listener_remove(cr_conn *conn) {
  cr_listener *l = conn->listener;
  if (conn->previous) conn->previous->next = conn->next;
  else l->conns = conn->next;
  if (conn->next) conn->next->previous = conn->previous;
  l->connections--;
  if (l->accept_paused && !l->accept_retry_at) listener_resume(l);
  listener_end_if_unused(l);
}

static void listener_pause(cr_listener *l) {
  l->accept_paused = true;
  uv_poll_stop(&l->poll);
}

static void listener_accept(cr_listener *l, int limit) {
  for (int i = 0; i < limit; i++) {
    if (l->max_connections && l->connections >= l->max_connections) {
      listener_pause(l);
      return;
    }
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      conn_accept(l, fd, (struct sockaddr *)&peer);
      if (l->closing) return;
      continue;
    }
    if (errno == EAGAIN) return; /* another that has the socket was faster, or no more */
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
      continue; /* that client's trouble, not ours: ECONNABORTED, EPROTO … */
    listener_pause(l);
    l->accept_retry_at = uv_now(&l->loop->uv) + LIMIT_ACCEPT_RETRY_MS;
    listener_arm(l, l->accept_retry_at);
    return;
  }
}

static void listener_on_readable(uv_poll_t *poll, int status, int events) {
  (void)events;
  if (status >= 0) listener_accept(poll->data, LIMIT_ACCEPTS_PER_TURN);
}

void listener_resume(cr_listener *l) {
  if (l->closing || !l->accept_paused) return;
  if (l->max_connections && l->connections >= l->max_connections) return;
  l->accept_paused = false;
  uv_poll_start(&l->poll, UV_READABLE, listener_on_readable);
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
  if (!l->closing && !l->is_shared) listener_accept(l, LIMIT_BACKLOG);
  listener_stop_accepting(l);
  listener_for_all(l, conn_retire);
  listener_end_if_unused(l);
}

static void listener_on_loop_end(cr_loop_member *member) {
  cr_listener *l = container_of(member, cr_listener, member);
  listener_stop_accepting(l);
  listener_for_all(l, conn_abandon);
  listener_end_if_unused(l);
}

/* Makes another configuration hold, or, with an error, changes nothing. */
static int listener_configure(cr_listener *l, const cr_listener_config *config, char *message) {
  const char *networks = config->proxy_networks ? config->proxy_networks : "", *bad = "";
  size_t bad_len = 0;
  address_network *proxies = NULL;
  int count = address_networks_parse(networks, &proxies, &bad, &bad_len);
  if (count == -1)
    snprintf(message, CR_MESSAGE_BYTES, "not an IP network: \"%.*s\"",
             (int)(bad_len < 100 ? bad_len : 100), bad);
  else if (count < 0) snprintf(message, CR_MESSAGE_BYTES, "out of memory");
  if (count < 0) return count == -1 ? CR_EINVALID : CR_EMEMORY;
  free(l->proxies);
  l->proxies = proxies;
  l->proxy_count = count;
  cr_tls *old = l->tls;
  l->tls = config->tls;
  if (l->tls) l->tls->references++;
  cr_tls_free(old);
  l->max_connections = config->max_connections;
  wait_change(l, WAIT_HANDSHAKE, LIMIT_TLS_HANDSHAKE_MS);
  wait_change(l, WAIT_IDLE, config->idle_timeout_ms);
  wait_change(l, WAIT_PROXY, config->head_timeout_ms);
  wait_change(l, WAIT_HEAD, config->head_timeout_ms);
  wait_change(l, WAIT_DROP, config->head_timeout_ms);
  wait_change(l, WAIT_BODY, config->body_timeout_ms);
  wait_change(l, WAIT_STALL, config->write_stall_ms);
  wait_change(l, WAIT_LINGER, LIMIT_LINGER_MS);
  wait_change(l, WAIT_RETIRED, LIMIT_RETIRED_MS);
  return CR_OK;
}

int cr_listener_reconfigure(cr_listener *l, const cr_listener_config *config, char *message) {
  message[0] = '\0';
  int failure = listener_configure(l, config, message);
  if (!failure && !l->accept_retry_at) listener_resume(l);
  return failure;
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
  l->is_shared = config->use_fd;
  int refused = listener_configure(l, config, message);
  if (refused) {
    free(l);
    return refused;
  }
  l->fd = l->is_shared ? config->fd : open_socket(config->host, config->port, message);
  if (l->fd < 0) {
    listener_free(l);
    return CR_ESYSTEM;
  }
  int error = l->is_shared ? prepare_socket(l->fd) : 0;
  if (!error) error = uv_poll_init(&loop->uv, &l->poll, l->fd);
  if (error) {
    snprintf(message, CR_MESSAGE_BYTES, "can't listen on %s:%u: %s", config->host, config->port,
             uv_strerror(error));
    if (!l->is_shared) close(l->fd);
    listener_free(l);
    return CR_ESYSTEM;
  }
  /* A write to a socket that the client reset is an error to us, not a signal. */
  signal(SIGPIPE, SIG_IGN);
  uv_timer_init(&loop->uv, &l->timer);
  l->poll.data = l->timer.data = l;
  l->handles = 2;
  l->port = bound_port(l->fd);
  l->callbacks = callbacks;
  loop_add_member(loop, &l->member, listener_on_loop_end);
  uv_poll_start(&l->poll, UV_READABLE, listener_on_readable);
  *out = l;
  return CR_OK;
}

uint16_t cr_listener_port(const cr_listener *l) { return l->port; }
uint32_t cr_listener_connections(const cr_listener *l) { return l->connections; }
uint32_t cr_listener_accepted(const cr_listener *l) { return l->accepted; }
