/* The floor of moving bytes: takes connections at a port, opens one to another port for each, and
 * copies both ways with read and write until either ends; one at a time, no event loop.
 *
 *   relay PORT UPSTREAM-PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024 };
static char buffer[CHUNK];

static struct sockaddr_in loopback(const char *port) {
  return (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi(port)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Moves what has come; 0 at the end. */
static int move(int from, int to) {
  ssize_t count = read(from, buffer, CHUNK);
  for (ssize_t sent = 0; sent < count;) {
    ssize_t more = write(to, buffer + sent, (size_t)(count - sent));
    if (more <= 0) return 0;
    sent += more;
  }
  return count > 0;
}

static void relay(int client, const struct sockaddr_in *upstream) {
  int server = socket(AF_INET, SOCK_STREAM, 0);
  if (!connect(server, (const struct sockaddr *)upstream, sizeof *upstream)) {
    struct pollfd ends[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    while (poll(ends, 2, -1) > 0) {
      if (ends[1].revents && !move(server, client)) break;
      if (ends[0].revents && !move(client, server)) break;
    }
  }
  close(server);
}

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  struct sockaddr_in own = loopback(argv[1]), upstream = loopback(argv[2]);
  int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (const struct sockaddr *)&own, sizeof own) || listen(listener, 8)) {
    perror("relay");
    return 1;
  }
  for (int client; (client = accept(listener, NULL, NULL)) >= 0; close(client))
    relay(client, &upstream);
  return 1;
}
