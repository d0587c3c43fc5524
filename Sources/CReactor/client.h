/* What client.c and transfer.c share. A client owns one curl multi handle and the transfers in it;
 * a transfer borrows a curl easy handle from the client's pool while curl works on it. */
#pragma once

#include <curl/curl.h>
#include <netinet/in.h>
#include <openssl/types.h>
#include <sys/queue.h>

#include "address.h"
#include "internal.h"
#include "limits.h"

typedef struct client_socket client_socket;
typedef struct client_records client_records;

typedef struct client_handle {
  struct client_handle *next; /* in the pool */
  cr_client *client;
  cr_transfer *transfer; /* NULL in the pool */
  CURL *easy;
  bool is_plain; /* as a plain GET left it */
  LIST_HEAD(, client_socket) new_sockets; /* opened for it, without TLS so far */
  char error[CURL_ERROR_SIZE];
} client_handle;

/* A descriptor that curl wants to be told about. See client_socket_* in client_socket.c. */
struct client_socket {
  uv_poll_t poll;
  cr_client *client;
  curl_socket_t fd; /* curl's */
  int polled_fd;    /* our duplicate of it, which nobody else can close */
  bool opened_here; /* by client_open_socket, so that its close is announced */
  int wanted;       /* UV_READABLE | UV_WRITABLE: what curl waits for */
  int armed;        /* what uv_poll watches */
  client_handle *opener; /* in whose list of new ones it is; NULL: in none */
  LIST_ENTRY(client_socket) new_link;
  client_records *records; /* what reads it; NULL: curl alone */
};

TAILQ_HEAD(transfer_list, cr_transfer);

/* How many transfers to a host may wait for their heads. See client_cap.c. */
typedef struct {
  uint32_t limit;
  bool adapts;
  bool held_back;        /* in this round transfers had to wait because of it */
  uint32_t round;        /* how often it has moved */
  uint32_t answers;      /* of this round */
  uint32_t before_probe; /* what it goes back to; 0: this is no probe */
  uint64_t sum_us;       /* of this round's latencies */
  uint64_t base_us;      /* latency with few transfers; 0: not known yet */
  uint64_t base_at_ms;   /* of the last round at LIMIT_CAP_LEAST */
} client_cap;

/* See client_host.c. */
typedef struct client_host {
  TAILQ_ENTRY(client_host) bucket_link;
  TAILQ_ENTRY(client_host) turn_link; /* in the client's ready list, or in its idle one */
  struct transfer_list queue;         /* those that wait for a place in curl */
  uint32_t transfers;                 /* that point here */
  uint32_t unanswered;                /* of these, those that count against the cap */
  bool is_ready, is_idle;
  client_cap cap;
  CURLU *url; /* parsed once; NULL: curl can't make anything of it */
  uint32_t bucket;
  size_t origin_len;
  char origin[]; /* "https://host:port", in lower case */
} client_host;

TAILQ_HEAD(host_list, client_host);

struct cr_client {
  cr_loop *loop;
  cr_loop_member member;
  CURLM *multi;
  unsigned in_curl; /* depth of calls into curl, from whose callbacks curl must not be called */
  uv_timer_t curl_timer;
  uv_timer_t deadline_timer;
  uint64_t deadline_ms; /* when deadline_timer fires; UINT64_MAX: not armed */
  cr_deferred pump;
  client_socket **sockets; /* by descriptor */
  size_t socket_capacity;
  client_handle *pool;
  struct transfer_list all; /* every transfer that is not freed */
  struct host_list buckets[LIMIT_HOST_BUCKETS];
  struct host_list ready; /* the hosts of which a transfer may be admitted, whose turn it is first */
  client_host *last_host; /* that was asked for; NULL: none */
  struct host_list idle;  /* without transfers, longest first */
  uint32_t idle_count;
  uint32_t active, max_active, max_unanswered;
  bool closing;
  unsigned open_timers; /* uv handles whose close callbacks are awaited */
  bool use_environment_proxy, allow_plain_http, allow_any_address;
  address_network *allowed;
  int allowed_count;
  char *ca_file, *user_agent;
};

/* A request's copy, in one block: free() frees all of it. */
typedef struct {
  const char *method, *url, *target; /* the target is the URL's end */
  const void *body;
  size_t body_len;
  struct curl_slist *headers; /* inside the block as well: not for curl_slist_free_all */
} transfer_request;

typedef enum {
  TRANSFER_QUEUED,   /* waits for a place in curl */
  TRANSFER_ACTIVE,   /* in curl */
  TRANSFER_FINISHED, /* out of curl, code and message are set; on_done may have to wait */
} transfer_state;

typedef enum { CONSUMER_NONE, CONSUMER_COLLECT, CONSUMER_SINK } transfer_consumer;

struct cr_transfer {
  cr_client *client;
  client_host *host;
  TAILQ_ENTRY(cr_transfer) all_link, queue_link;
  cr_deferred turn; /* the next callback */
  cr_transfer_callbacks callbacks;
  void *user;
  transfer_state state;
  client_handle *handle; /* while active */
  transfer_request *request;
  uint32_t connect_timeout_ms, first_byte_timeout_ms, stall_timeout_ms;
  bool fresh_connection, close_on_error;
  address_network *avoided; /* to be freed */
  int avoided_count;
  bool is_counted;      /* among its host's unanswered ones */
  uint32_t round;       /* of the host's cap, when it was admitted */
  uint64_t admitted_ms; /* to curl */
  bool cancelled;
  bool ending; /* on_done is being called */
  bool paused;        /* by us, so that curl reads nothing */
  bool resume_wanted; /* from inside curl, so not possible at once */
  uint64_t start_ms, progress_ms;

  char *head_bytes; /* the head that is coming in; freed once on_head was given it */
  size_t head_len, head_capacity, head_total; /* total: all 1xx heads and trailers as well */
  bool head_complete, head_delivered;
  cr_transfer_head head;

  transfer_consumer consumer;
  uint8_t *early; /* a small body, or its beginning, that came before the consumer */
  size_t early_len;
  uint8_t *collected;
  size_t collected_len, collected_capacity, collect_max;
  transfer_sink sink_callbacks;
  void *sink;

  uint64_t body_bytes;
  unsigned addresses_refused, addresses_avoided, sockets_opened; /* of this attempt to connect */
  bool refusal; /* code and message were set by a callback of curl's, which then broke it off */
  cr_transfer_code code;
  char message[CR_MESSAGE_BYTES];
  char address[INET6_ADDRSTRLEN];
};

/* ---- client.c ---- */

/* Admits waiting transfers in a later turn. */
void client_pump_later(cr_client *client);
/* One curl_multi_socket_action, then what it finished. Not from curl's callbacks. */
void client_action(cr_client *client, curl_socket_t fd, int events);
/* Takes a handle out of curl and gives it back to the pool; a place in curl is free then. */
void client_release(cr_client *client, client_handle *handle);
/* Has the deadlines looked at no later than at_ms (uv_now's clock). */
void client_watch_deadline(cr_client *client, uint64_t at_ms);
/* After its last transfer is gone, when it is closing. */
void client_transfer_gone(cr_client *client);

/* ---- client_cap.c ---- */

/* fixed: the limit for good; 0: it adapts. */
void cap_init(client_cap *cap, uint32_t fixed);
/* A head has come, to a transfer that was admitted in that round of the cap. */
void cap_on_answer(client_cap *cap, uint32_t round, uint64_t latency_us, uint64_t now_ms);

/* ---- client_host.c ---- */

/* Bytes of a URL's scheme and authority. */
size_t url_origin_len(const char *url);

void hosts_init(cr_client *client);
void hosts_free(cr_client *client);
/* The URL's host, for a transfer that will point to it. NULL: out of memory. */
client_host *host_acquire(cr_client *client, const char *url);
void host_release(cr_client *client, client_host *host);
/* first: it has waited before. */
void host_enqueue(cr_transfer *transfer, bool first);
void host_dequeue(cr_transfer *transfer);
/* Takes the transfer out of its queue that may be admitted next; NULL: none. */
cr_transfer *hosts_next(cr_client *client);
/* It is in curl now. */
void host_count(cr_transfer *transfer);
/* Its head has come. */
void host_on_answer(cr_transfer *transfer);
/* It leaves curl, with or without a head. */
void host_uncount(cr_transfer *transfer);
/* Stops counting it when it takes too long; else the time when it will, UINT64_MAX for never. */
uint64_t host_check_stuck(cr_transfer *transfer, uint64_t now_ms);

/* ---- client_socket.c ---- */

int client_on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket);
curl_socket_t client_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to);
int client_close_socket(void *context, curl_socket_t fd);
void client_close_sockets(cr_client *client);
/* The new socket that the handle's connection has come to be on, which is new no longer. NULL: that
 * is not clear. */
client_socket *client_take_new_socket(client_handle *handle);
/* The handle leaves curl. */
void client_forget_new_sockets(client_handle *handle);

/* ---- client_records.c ---- */

/* A connection of the handle's is about to shake hands in this context, which is that one's alone. */
void client_records_expect(client_handle *handle, SSL_CTX *context);
/* The socket is about to be closed. */
void client_records_detach(client_records *records);

/* ---- transfer.c ---- */

void transfer_on_admission_failed(cr_transfer *transfer, CURLcode code);
void transfer_on_curl_done(cr_transfer *transfer, CURLcode code);
/* Ends it when its time is over; else the time when it will be, UINT64_MAX for never. */
uint64_t transfer_check_deadline(cr_transfer *transfer, uint64_t now_ms);
size_t transfer_on_header(char *line, size_t size, size_t count, void *handle);
/* From curl's callbacks: the transfer will end with this code, whatever curl calls it. */
void transfer_refuse(cr_transfer *transfer, cr_transfer_code code, const char *message);
void transfer_set_result(cr_transfer *transfer, cr_transfer_code code, const char *message);
void transfer_progressed(cr_transfer *transfer);
void transfer_watch_deadline(cr_transfer *transfer);
void transfer_turn_later(cr_transfer *transfer);

/* ---- transfer_body.c ---- */

size_t transfer_on_body(char *bytes, size_t size, size_t count, void *handle);

/* ---- transfer_peer.c ---- */

/* Numeric addresses, comma-separated, that are the last to be connected to. */
int transfer_avoid(cr_transfer *transfer, const char *_Nullable addresses);
/* Whether it leaves an address out: because it must, being not allowed, or because it avoids it. */
bool transfer_passes_over(cr_transfer *transfer, const address *a, bool allowed);

/* ---- transfer_code.c ---- */

cr_transfer_code transfer_code(const cr_transfer *transfer, CURLcode code);

/* ---- upstream_head.c ---- */

/* Judges a complete head (status line, header lines, empty line). NULL, or what is wrong. */
const char *upstream_head_parse(const char *bytes, size_t len, cr_transfer_head *out);

/* ---- transfer_request.c ---- */

int transfer_request_copy(const cr_transfer_request *from, transfer_request **out);
/* Hands the request to the easy handle, which is added to curl next. */
CURLcode transfer_configure(cr_transfer *transfer, client_handle *handle);
/* No control byte in it; a horizontal tab is allowed. */
bool header_value_is_valid(const char *value, size_t len);
