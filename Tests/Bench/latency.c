/* latency.c: what the cap on transfers without a head does near and far from the upstream.
 *
 * A child on one core answers each request over TLS after a delay; the parent, on another core,
 * keeps so many callers going that each asks again as soon as it was answered. A line tells the
 * answers a second, the CPU of one, and how long callers wait, queue included.
 *
 *   latency CERTIFICATE KEY DELAY_MS CALLERS CAP SECONDS     (CAP 0: adapts)
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CReactor.h"

enum { BODY_BYTES = 1024, MOST_SAMPLES = 1 << 20 };

static cr_loop *loop;
static char body[BODY_BYTES];

static void fail(const char *what, const char *message) {
  fprintf(stderr, "latency: %s %s\n", what, message);
  exit(1);
}

static void use_core(unsigned core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  (void)sched_setaffinity(0, sizeof cores, &cores); /* of a machine with one, that one */
}

/* ---- the upstream ---- */

typedef struct {
  cr_conn *conn; /* NULL once the client is gone */
  bool waits;
} answer;

static uint64_t delay_ms;

static void answer_now(answer *a) {
  cr_response response = {.status = 200, .body = body, .body_len = sizeof body};
  cr_respond(a->conn, &response);
}

static void on_delay_over(void *context, bool fired) {
  answer *a = context;
  a->waits = false;
  if (!a->conn) free(a);
  else if (fired) answer_now(a);
}

static void *on_request(void *context, cr_conn *conn, const cr_head *head) {
  (void)context;
  (void)head;
  answer *a = calloc(1, sizeof *a);
  if (!a) fail("no memory", "");
  a->conn = conn;
  cr_timer *timer;
  if (delay_ms == 0) answer_now(a);
  else if (cr_timer_start(loop, delay_ms, on_delay_over, a, &timer) != CR_OK) fail("timer", "");
  else a->waits = true;
  return a;
}

static void on_body(void *user, int status, const uint8_t *bytes, size_t len) {
  (void)user, (void)status, (void)bytes, (void)len;
}

static void on_room(void *user) { (void)user; }

static void on_sent(void *user, const cr_sent *sent) {
  (void)sent;
  answer *a = user;
  a->conn = NULL;
  if (!a->waits) free(a);
}

/* Writes its port to `out`, then serves until it is killed. */
static void serve(const char *certificate, const char *key, int out) {
  char message[CR_MESSAGE_BYTES];
  cr_tls *tls;
  cr_listener *listener;
  if (cr_loop_new((cr_loop_callbacks){0}, &loop) != CR_OK) fail("loop", "");
  if (cr_tls_new(certificate, key, 3600000, &tls, message) != CR_OK) fail("TLS:", message);
  cr_listener_config config = {.host = "127.0.0.1",
                               .tls = tls,
                               .head_timeout_ms = 60000,
                               .idle_timeout_ms = 600000,
                               .body_timeout_ms = 60000,
                               .write_stall_ms = 60000,
                               .max_connections = 8192};
  cr_server_callbacks callbacks = {NULL, on_request, on_body, on_room, on_sent, NULL, NULL};
  if (cr_listener_open(loop, &config, callbacks, &listener, message) != CR_OK)
    fail("listener:", message);
  uint16_t port = cr_listener_port(listener);
  if (write(out, &port, sizeof port) != sizeof port) exit(1);
  cr_loop_run(loop);
}

/* ---- the callers ---- */

typedef struct {
  cr_transfer *transfer;
  uint64_t started_us;
} caller;

static cr_client *client;
static char url[64];
static bool measures, stopping;
static uint32_t *waits_us;
static size_t answered, failed, running;

static void ask(caller *c);

static void on_head(void *user, const cr_transfer_head *head) {
  caller *c = user;
  if (head->status != 200) failed++;
  cr_transfer_collect(c->transfer, BODY_BYTES);
}

static void on_done(void *user, const cr_transfer_result *result) {
  caller *c = user;
  running--;
  if (result->code != CR_TRANSFER_OK) failed++;
  else if (measures && answered < MOST_SAMPLES)
    waits_us[answered++] = (uint32_t)(cr_clock_us() - c->started_us);
  if (!stopping) ask(c);
  else if (running == 0) cr_loop_stop(loop);
}

static void ask(caller *c) {
  cr_transfer_request request = {.method = "GET",
                                 .url = url,
                                 .connect_timeout_ms = 60000,
                                 .first_byte_timeout_ms = 60000,
                                 .stall_timeout_ms = 60000};
  c->started_us = cr_clock_us();
  if (cr_transfer_start(client, &request, (cr_transfer_callbacks){on_head, on_done}, c,
                        &c->transfer) != CR_OK)
    fail("a transfer did not start", "");
  running++;
}

static double cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double cpu_at_start, cpu_used;
static uint64_t clock_at_start, clock_used, seconds;

static void on_end(void *context, bool fired) {
  (void)context, (void)fired;
  cpu_used = cpu_us() - cpu_at_start;
  clock_used = cr_clock_us() - clock_at_start;
  measures = false;
  stopping = true;
}

/* Connections stand and the cap has settled. */
static void on_warm(void *context, bool fired) {
  (void)context, (void)fired;
  cr_timer *timer;
  cpu_at_start = cpu_us();
  clock_at_start = cr_clock_us();
  measures = true;
  if (cr_timer_start(loop, seconds * 1000, on_end, NULL, &timer) != CR_OK) fail("timer", "");
}

static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void measure(const char *certificate, uint16_t port, size_t callers, uint32_t cap) {
  char message[CR_MESSAGE_BYTES];
  cr_timer *timer;
  snprintf(url, sizeof url, "https://127.0.0.1:%u/object", port);
  if (cr_loop_new((cr_loop_callbacks){0}, &loop) != CR_OK) fail("loop", "");
  cr_client_config config = {.ca_file = certificate,
                             .allow_any_address = true,
                             .max_active = 4096,
                             .max_unanswered = cap};
  if (cr_client_new(loop, &config, &client, message) != CR_OK) fail("client:", message);
  caller *all = calloc(callers, sizeof *all);
  waits_us = calloc(MOST_SAMPLES, sizeof *waits_us);
  if (!all || !waits_us) fail("no memory", "");
  for (size_t i = 0; i < callers; i++) ask(&all[i]);
  if (cr_timer_start(loop, 4000, on_warm, NULL, &timer) != CR_OK) fail("timer", "");
  cr_loop_run(loop);
  free(all);
  if (answered == 0) fail("nothing was answered", "");
  qsort(waits_us, answered, sizeof *waits_us, by_value);
  printf("%.0f %.1f %.2f %.2f %zu\n", (double)answered * 1e6 / (double)clock_used,
         cpu_used / (double)answered, waits_us[answered / 2] / 1e3,
         waits_us[answered * 99 / 100] / 1e3, failed);
  free(waits_us);
}

int main(int argc, char **argv) {
  if (argc != 7) fail("usage: latency CERTIFICATE KEY DELAY_MS CALLERS CAP SECONDS", "");
  delay_ms = strtoull(argv[3], NULL, 10);
  seconds = strtoull(argv[6], NULL, 10);
  signal(SIGPIPE, SIG_IGN);
  int port_pipe[2];
  if (pipe(port_pipe) != 0) fail("pipe", "");
  pid_t child = fork();
  if (child == 0) {
    use_core(1);
    serve(argv[1], argv[2], port_pipe[1]);
    return 0;
  }
  uint16_t port;
  use_core(0);
  if (read(port_pipe[0], &port, sizeof port) != sizeof port) fail("no upstream", "");
  measure(argv[1], port, strtoull(argv[4], NULL, 10), (uint32_t)strtoul(argv[5], NULL, 10));
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  return failed > 0;
}
