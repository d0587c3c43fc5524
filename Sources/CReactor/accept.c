/* accept.c: which connections a listener takes, and what gives way when there are too many.
 *
 *   - At max_connections the longest idle connection is closed for a new one. Is none idle,
 *     accepting pauses until one closes; the kernel's backlog holds clients meanwhile.
 *   - Without a descriptor the longest idle one gives way, too. Is none idle, clients wait a moment;
 *     if that does not help they are told: a descriptor kept in reserve is closed, so that one
 *     client can be accepted, refused and closed.
 *   - A connection with bytes of a request in the kernel is not idle, though we have not read them.
 */
#define _GNU_SOURCE 1 /* accept4 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"

/* How many idle connections are looked at for one that can go. */
enum { EVICTION_LOOKS = 16 };

static void accept_pause(cr_listener *l) {
  l->accept_paused = true;
  uv_poll_stop(&l->poll);
}

static void accept_pause_for_a_moment(cr_listener *l) {
  accept_pause(l);
  l->accept_retry_at = uv_now(&l->loop->uv) + LIMIT_ACCEPT_RETRY_MS;
  listener_arm(l, l->accept_retry_at);
}

static uint64_t conn_idle_since(const cr_conn *conn) {
  return conn->deadline - conn->listener->waits[conn->wait].ms;
}

/* Closes the connection that is idle for longest; false: none is. */
static bool accept_evict(cr_listener *l) {
  cr_conn *fresh = l->waits[WAIT_FIRST].first, *used = l->waits[WAIT_IDLE].first;
  for (int i = 0; i < EVICTION_LOOKS && (fresh || used); i++) {
    bool is_used = !fresh || (used && conn_idle_since(used) < conn_idle_since(fresh));
    cr_conn *conn = is_used ? used : fresh;
    if (is_used) used = conn->wait_next;
    else fresh = conn->wait_next;
    if (conn_has_unread(conn)) continue;
    l->counts.evicted++;
    conn_evict(conn);
    return true;
  }
  return false;
}

void accept_refuse(cr_listener *l, int fd) {
  if (!l->tls && l->refusal_len > 0) {
    /* With bytes unread the kernel would reset the connection, and the answer be lost. */
    (void)!recv(fd, l->scratch, sizeof l->scratch, MSG_DONTWAIT);
    (void)!send(fd, l->refusal, l->refusal_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
  }
  close(fd);
}

void accept_keep_reserve(cr_listener *l) {
  if (l->reserve < 0) l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Takes one client by the reserved descriptor, to refuse it; false: that did not work either. */
static bool accept_by_reserve(cr_listener *l) {
  accept_keep_reserve(l);
  if (l->reserve < 0) return false;
  close(l->reserve);
  l->reserve = -1;
  int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    l->counts.refused_without_descriptor++;
    accept_refuse(l, fd);
  }
  accept_keep_reserve(l);
  return fd >= 0;
}

/* After accept4 failed; whether to try again at once. */
static bool accept_recover(cr_listener *l, int error) {
  switch (error) {
  case EAGAIN: return false;
  case EMFILE:
  case ENFILE:
    if (accept_evict(l)) return true;
    if (l->without_descriptors && accept_by_reserve(l)) return true;
    l->without_descriptors = true;
    accept_pause_for_a_moment(l);
    return false;
  case ENOBUFS:
  case ENOMEM: accept_pause_for_a_moment(l); return false;
  default: return true; /* that client's trouble, not ours: ECONNABORTED, EPROTO … */
  }
}

void accept_connections(cr_listener *l, int limit) {
  for (int i = 0; i < limit; i++) {
    if (l->max_connections && l->connections >= l->max_connections) {
      if (i > 0) return; /* whether somebody still waits, the next event tells */
      if (!accept_evict(l)) {
        accept_pause(l);
        return;
      }
    }
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (!accept_recover(l, errno)) return;
      continue;
    }
    l->without_descriptors = false;
    conn_accept(l, fd, (struct sockaddr *)&peer);
    if (l->closing) return;
  }
}

static void accept_on_readable(uv_poll_t *poll, int status, int events) {
  (void)events;
  if (status >= 0) accept_connections(poll->data, LIMIT_ACCEPTS_PER_TURN);
}

void listener_resume(cr_listener *l) {
  if (l->closing || !l->accept_paused || l->accept_retry_at) return;
  bool is_full = l->max_connections && l->connections >= l->max_connections;
  if (is_full && !l->waits[WAIT_FIRST].first && !l->waits[WAIT_IDLE].first) return;
  l->accept_paused = false;
  listener_start(l);
}

void listener_start(cr_listener *l) { uv_poll_start(&l->poll, UV_READABLE, accept_on_readable); }
