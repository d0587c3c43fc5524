/* client_socket.c: the descriptors that curl waits for, on uv_poll.
 *
 *   - libuv polls a duplicate: curl closes a socket that is still connecting, or the resolver's,
 *     without a word, and libuv aborts (or goes deaf on the number's next use) when the descriptor
 *     of an armed poll is closed.
 *   - curl says "remove" at each request's end and "in" at the next one's start. A poll that waits
 *     for reading alone stays armed in between, which saves two system calls a request; it is
 *     stopped when something arrives that nobody waits for.
 *   - That is safe only for sockets whose close is announced, those of client_open_socket.
 *   - Which of the sockets that were opened for it a connection has come to be on, curl tells by the
 *     local port alone; the others are those of addresses that were slower.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

static client_socket *client_socket_at(cr_client *client, curl_socket_t fd) {
  return (size_t)fd < client->socket_capacity ? client->sockets[fd] : NULL;
}

static void client_socket_on_closed(uv_handle_t *handle) { free(handle->data); }

static void client_socket_leave_opener(client_socket *s) {
  if (s->opener) LIST_REMOVE(s, new_link);
  s->opener = NULL;
}

static void client_socket_free(client_socket *s) {
  s->client->sockets[s->fd] = NULL;
  client_socket_leave_opener(s);
  if (s->records) client_records_detach(s->records);
  uv_close((uv_handle_t *)&s->poll, client_socket_on_closed);
  close(s->polled_fd); /* uv_close has taken it out of epoll */
}

static void client_socket_on_event(uv_poll_t *poll, int status, int events);

static void client_socket_arm(client_socket *s) {
  if (s->armed == s->wanted) return;
  s->armed = uv_poll_start(&s->poll, s->wanted, client_socket_on_event) == 0 ? s->wanted : 0;
}

static int client_make_room(cr_client *client, curl_socket_t fd) {
  size_t capacity = client->socket_capacity ? client->socket_capacity : 64;
  while (capacity <= (size_t)fd) capacity *= 2;
  if (capacity == client->socket_capacity) return CR_OK;
  client_socket **grown = realloc(client->sockets, capacity * sizeof *grown);
  if (!grown) return CR_EMEMORY;
  memset(grown + client->socket_capacity, 0,
         (capacity - client->socket_capacity) * sizeof *grown);
  client->sockets = grown;
  client->socket_capacity = capacity;
  return CR_OK;
}

static client_socket *client_socket_new(cr_client *client, curl_socket_t fd, bool opened_here) {
  if (client_make_room(client, fd) != CR_OK) return NULL;
  /* Closed without a word, and its number is used again: as curl sees it nothing has changed, so
   * it won't repeat what it waits for. */
  client_socket *stale = client_socket_at(client, fd);
  int wanted = stale ? stale->wanted : 0;
  if (stale) client_socket_free(stale);
  client_socket *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->client = client;
  s->fd = fd;
  s->opened_here = opened_here;
  s->polled_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (s->polled_fd < 0) goto fail;
  if (uv_poll_init(&client->loop->uv, &s->poll, s->polled_fd) != 0) {
    close(s->polled_fd);
    goto fail;
  }
  s->poll.data = s;
  s->wanted = wanted;
  client->sockets[fd] = s;
  if (wanted) client_socket_arm(s);
  return s;
fail:
  free(s);
  return NULL;
}

static void client_socket_on_event(uv_poll_t *poll, int status, int events) {
  client_socket *s = poll->data;
  cr_client *client = s->client;
  curl_socket_t fd = s->fd;
  if (status < 0) s->armed = 0; /* libuv stops a poll that it reports an error for */
  if (!s->wanted) {
    if (s->armed) uv_poll_stop(poll);
    s->armed = 0;
    return;
  }
  /* Told of an error, curl ends the transfer; asked to read, it takes what had come before, finds
   * the error itself, and repeats the request when a connection of its pool had died. */
  if (status < 0) events = s->wanted;
  int flags = 0;
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  client_action(client, fd, flags);
  s = client_socket_at(client, fd); /* curl may have closed it */
  if (s && s->wanted && !s->armed) client_socket_arm(s);
}

int client_on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused) {
  (void)easy;
  (void)unused;
  cr_client *client = context;
  client_socket *s = client_socket_at(client, fd);
  if (what == CURL_POLL_REMOVE) {
    if (!s) return 0;
    s->wanted = 0;
    if (!s->opened_here || s->armed != UV_READABLE) client_socket_free(s);
    return 0;
  }
  /* Failing here would make curl give up on every transfer. Without a poll it still looks at the
   * resolver's descriptor from time to time; a socket's poll exists since it was opened. */
  if (!s) s = client_socket_new(client, fd, false);
  if (!s) return 0;
  s->wanted = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  client_socket_arm(s);
  return 0;
}

static bool client_allows(const cr_client *client, const address *a) {
  return client->allow_any_address || address_is_public(a) ||
         address_in_networks(a, client->allowed, client->allowed_count);
}

curl_socket_t client_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to) {
  (void)purpose;
  client_handle *handle = context;
  cr_client *client = handle->client;
  address a;
  if (!address_from_sockaddr(&to->addr, &a)) return CURL_SOCKET_BAD;
  if (transfer_passes_over(handle->transfer, &a, client_allows(client, &a))) return CURL_SOCKET_BAD;
  curl_socket_t fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  client_socket *s = client_socket_new(client, fd, true);
  if (!s) {
    close(fd);
    return CURL_SOCKET_BAD;
  }
  s->opener = handle;
  LIST_INSERT_HEAD(&handle->new_sockets, s, new_link);
  return fd;
}

static long client_socket_local_port(const client_socket *s) {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } local = {.any.sa_family = AF_UNSPEC};
  socklen_t len = sizeof local;
  if (getsockname(s->polled_fd, &local.any, &len) != 0) return -1;
  return ntohs(local.any.sa_family == AF_INET6 ? local.v6.sin6_port : local.v4.sin_port);
}

client_socket *client_take_new_socket(client_handle *handle) {
  long port = 0;
  client_socket *s, *found = NULL;
  curl_easy_getinfo(handle->easy, CURLINFO_LOCAL_PORT, &port);
  LIST_FOREACH(s, &handle->new_sockets, new_link) {
    if (client_socket_local_port(s) != port) continue;
    if (found) return NULL; /* of both families */
    found = s;
  }
  if (found) client_socket_leave_opener(found);
  return found;
}

void client_forget_new_sockets(client_handle *handle) {
  client_socket *s;
  while ((s = LIST_FIRST(&handle->new_sockets))) client_socket_leave_opener(s);
}

int client_close_socket(void *context, curl_socket_t fd) {
  client_socket *s = client_socket_at(context, fd);
  if (s) client_socket_free(s);
  return close(fd);
}

void client_close_sockets(cr_client *client) {
  for (size_t i = 0; i < client->socket_capacity; i++)
    if (client->sockets[i]) client_socket_free(client->sockets[i]);
  free(client->sockets);
  client->sockets = NULL;
  client->socket_capacity = 0;
}
