/* For LD_PRELOAD: names under .example.org that resolve as a test wants it, without a DNS server.
 *
 *   moving.   127.0.0.2 the first time, 127.0.0.1 from then on
 *   both.     127.0.0.2 and 127.0.0.1, in this order
 *   failing.  the servers fail
 *   slow.     no answer for a minute
 *   others    there is no such name
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static atomic_int moving;

static int is(const char *name, const char *host) {
  return !strcmp(name, host);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
  resolver *real = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
  size_t n = name ? strlen(name) : 0;
  if (n < 12 || strcmp(name + n - 12, ".example.org")) return real(name, service, hints, found);
  if (is(name, "moving.example.org"))
    return real(atomic_fetch_add(&moving, 1) ? "127.0.0.1" : "127.0.0.2", service, hints, found);
  if (is(name, "both.example.org")) {
    struct addrinfo *second;
    int failed = real("127.0.0.2", service, hints, found);
    if (failed || real("127.0.0.1", service, hints, &second)) return failed;
    struct addrinfo *last = *found;
    while (last->ai_next) last = last->ai_next;
    last->ai_next = second;
    return 0;
  }
  if (is(name, "slow.example.org")) sleep(60);
  return is(name, "failing.example.org") ? EAI_AGAIN : EAI_NONAME;
}
