/* What the server's files share: a listener, its connections, and each one's request.
 *
 * A connection between requests is kept small; what only a request needs is in conn_request,
 * which exists from the first byte of a head until its answer is out and its body is over.
 */
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>

#include "address.h"
#include "http.h"
#include "internal.h"

typedef enum {
  CONN_PROXY,     /* no whole PROXY header, of a peer that must send one */
  CONN_HANDSHAKE, /* TLS, until the client is through */
  CONN_IDLE,      /* no byte of a head, or none that was looked at: see turn.c */
  CONN_HEAD,      /* some bytes of one */
  CONN_REQUEST,   /* from on_request to on_sent */
  CONN_DROPPING,  /* after on_sent: the rest of a body that nobody wanted */
  CONN_LINGERING, /* the answer is out, the client may still be sending */
  CONN_CLOSING,   /* uv_close was called */
} conn_state;

/* What a connection waits for, each with one duration per listener. */
typedef enum {
  WAIT_NONE,
  WAIT_TURN, /* for its request to be begun; without a deadline, since it is we who are late */
  WAIT_PROXY,
  WAIT_HANDSHAKE,
  WAIT_FIRST, /* for a first request */
  WAIT_IDLE,  /* for a further one */
  WAIT_HEAD,
  WAIT_BODY,
  WAIT_STALL,
  WAIT_DROP,
  WAIT_LINGER,
  WAIT_KINDS,
} wait_kind;

typedef struct {
  cr_conn *first, *last; /* by deadline, as all have the same duration */
  uint32_t ms;           /* 0: for ever */
} wait_list;

typedef struct peer_count peer_count;
typedef struct {
  uint32_t most; /* connections of an address; 0: any number, and none is counted */
  int shared_count;
  address_network *shared; /* whose addresses are those of many clients */
  peer_count **buckets;
  uint64_t seed; /* so that nobody can choose addresses of one bucket */
} peer_limit;

struct cr_tls {
  SSL_CTX *context;
  BIO_METHOD *bio;
  uint32_t references; /* the creator's, and one for each listener and connection */
  uint64_t ticket_key_ms, ticket_key_until; /* on uv_now; 0: no connection yet */
};

struct cr_listener {
  cr_loop_member member;
  cr_loop *loop;
  uv_poll_t poll;
  uv_timer_t timer;
  int fd;      /* -1 once closed */
  int reserve; /* a descriptor to be given up when there is no other; -1: none */
  uint16_t port;
  bool closing, accept_paused;
  bool is_shared;           /* somebody else may have the socket too */
  bool without_descriptors; /* clients have waited for one already */
  uint8_t handles;          /* poll and timer, until both are closed */
  uint32_t connections, max_connections;
  uint32_t accepted; /* may overflow */
  cr_listener_counts counts;
  char *refusal;
  size_t refusal_len;
  peer_limit peers;
  cr_conn *conns;
  cr_tls *tls;
  address_network *proxies; /* that send a PROXY header */
  int proxy_count;
  cr_server_callbacks callbacks;
  wait_list waits[WAIT_KINDS];
  cr_deferred turn;         /* of those in waits[WAIT_TURN] */
  uint64_t timer_at;        /* when the timer fires, 0: it does not */
  uint64_t accept_retry_at; /* when accepting is tried again, 0: it is not paused by an error */
  char scratch[LIMIT_SCRATCH_BYTES]; /* ciphertext and lingering bytes, during one read */
};

/* Bytes for the kernel. Body bytes come last in it; of a TLS record they count when all of it is
 * out, because the client can't read a part. */
typedef struct out_chunk {
  struct out_chunk *next;
  uv_write_t write;
  uint32_t at, len, capacity;
  uint32_t submitted; /* by the write in flight, 0: none */
  uint32_t body;
  bool is_record;
  char data[];
} out_chunk;

typedef enum { BODY_NONE, BODY_UNREAD, BODY_READING, BODY_OVER, BODY_BROKEN } body_phase;
typedef enum { ANSWER_NONE, ANSWER_BEGUN, ANSWER_COMPLETE } answer_phase;

typedef struct {
  char *bytes; /* the head; NULL while it is still in the connection's buffer */
  void *user;

  body_phase body;
  bool body_asked;             /* cr_request_read_body was called */
  bool body_due;               /* on_body is to come */
  bool body_told;              /* on_body was called */
  bool continue_sent;
  int body_status;
  uint8_t *body_bytes;
  size_t body_len, body_capacity, body_max;
  uint64_t body_left;          /* of Content-Length */
  uint64_t body_dropped;
  uint64_t body_since;         /* uv_now when it began to be read */
  uint64_t bytes_in;

  answer_phase answer;
  bool close;                  /* after the answer */
  bool finished;               /* on_sent is to come, with outcome */
  bool room_wanted, room_due;
  cr_sent_outcome outcome;
  int status;
  char *held;                  /* the head of a begun answer, until body bytes come */
  size_t held_len;
  uint64_t answer_left;        /* body bytes that the caller still owes */
  uint64_t head_mark;          /* sent_total above it: a byte of the head is out */
  uint64_t body_sent;
  uint64_t received_us;        /* when the head had come */
  uint64_t first_byte_us, last_byte_us;
  const conn_feeder *feeder;
  void *feeder_user;

  /* From here on not cleared when a request is made: see request_make. */
  char peer[INET6_ADDRSTRLEN], client[INET6_ADDRSTRLEN];
  chunked_decoder chunked;
  head_parser parser;
} conn_request;

typedef struct {
  cr_tls *identity;
  SSL *ssl;
  const char *in; /* ciphertext that OpenSSL may read now */
  size_t in_len;
  char *saved;    /* what is left of it when the plaintext found no room */
  bool more;      /* stopped for lack of room */
} conn_tls;

struct cr_conn {
  uv_tcp_t tcp;
  cr_listener *listener;
  cr_conn *next, *previous;           /* in listener->conns */
  cr_conn *wait_next, *wait_previous; /* in listener->waits[wait] */
  uint64_t deadline;   /* in WAIT_TURN when it began to wait, on cr_clock_us */
  uint64_t sent_total; /* bytes that the kernel took */
  char *in;            /* received bytes, in[in_at .. in_used) are not consumed yet */
  uint32_t in_at, in_used, in_capacity;
  uint32_t lingered; /* bytes read while lingering */
  conn_request *request;
  conn_tls *tls;
  peer_count *peer; /* NULL: not counted */
  out_chunk *out_first, *out_last;
  size_t out_bytes;
  cr_deferred work;
  uint8_t state, wait;
  bool working;       /* conn_work is on the stack */
  bool reading;
  bool eof;           /* the client sent all it will send */
  bool dead;          /* a read or write failed: nothing can be sent any more */
  bool shut;          /* our side is shut down */
  bool write_pending;
  bool reset;         /* close with RST */
  uint8_t peer_family;
  uint16_t requests; /* begun so far */
  uint8_t peer_address[16];
  bool has_client; /* the PROXY header named one */
  address client;
  uint32_t number; /* the how-manieth of its listener's, from 0 */
};

/* conn.c */
void conn_accept(cr_listener *listener, int fd, const struct sockaddr *peer);
void conn_work(cr_conn *conn);
void conn_schedule(cr_conn *conn);
/* A read or write failed: what is in flight ends with CR_SENT_CLIENT_GONE. */
void conn_lost(cr_conn *conn);
void conn_on_timeout(cr_conn *conn, wait_kind kind);
void conn_abandon(cr_conn *conn); /* the loop ends */
void conn_evict(cr_conn *conn);   /* closes an idle one at once */
/* Whether bytes have come that nobody has looked at: closing would lose a request. */
bool conn_has_unread(const cr_conn *conn);
/* Closes in good order: close_notify, then lingering when the client may still be sending. */
void conn_end(cr_conn *conn, bool client_may_send);
void conn_close(cr_conn *conn);

/* conn_proxy.c: the PROXY header, before everything else */
bool proxy_is_due(const cr_listener *listener, const cr_conn *conn);
/* True when the header is over. */
bool proxy_step(cr_conn *conn);
/* Resets the connection, and tells the user why. */
void proxy_refuse(cr_conn *conn, const char *reason);

/* turn.c: whose request begins next */
/* Whether a request's first bytes have come and wait for their turn. */
bool turn_is_due(const cr_conn *conn);
void turn_wait(cr_conn *conn); /* after wait_set(conn, WAIT_TURN) */
void turn_on_deferred(cr_deferred *turn);

/* request.c: from the first byte of a head to on_sent */
/* Makes conn->request, in its turn; false: no memory. */
bool request_make(cr_conn *conn);
void request_free(cr_conn *conn);
/* Parses what has come; true when on_request was called. */
bool head_step(cr_conn *conn);
/* Gives the head to the user, whole or malformed. */
void request_begin(cr_conn *conn);
/* Calls what is due of on_body, on_room and on_sent; true when something was. */
bool request_step(cr_conn *conn);
/* on_sent comes soon, and the answer is over, for the better or the worse. */
void request_finish(cr_conn *conn, cr_sent_outcome outcome);
bool request_is_out(const cr_conn *conn); /* a byte of the answer at least */

/* conn_read.c: the socket's bytes into conn->in */
void conn_update_reading(cr_conn *conn);
/* At least one byte of room behind in_used; false: no memory, or full. */
bool conn_make_room(cr_conn *conn);
bool conn_in_is_full(const cr_conn *conn);
void conn_consume(cr_conn *conn, size_t n);

/* request_body.c: the request's body out of conn->in */
void body_init(conn_request *request);
/* Consumes what has come; true when on_body was called. */
bool body_step(cr_conn *conn);
void body_fail(cr_conn *conn, int status);
/* Reads on without keeping. HTTP_MORE, HTTP_DONE, or HTTP_BAD: broken or over the limit. */
int body_drop(cr_conn *conn);
bool body_is_over(const conn_request *request);
/* Whether the connection can't be kept because of what the client may still send of the body. */
bool body_forces_close(const cr_conn *conn);

/* conn_write.c */
void conn_send(cr_conn *conn, const uv_buf_t *bufs, unsigned count, size_t body);
/* Appends to the queue; as_record: a chunk of its own. */
bool out_append(cr_conn *conn, const char *bytes, size_t n, size_t body, bool as_record);
void conn_flush(cr_conn *conn);
void out_free(cr_conn *conn);
/* Counts what the kernel took of the write in flight so far; true when there was something. */
bool out_settle(cr_conn *conn);

/* wait.c */
void wait_set(cr_conn *conn, wait_kind kind); /* a new deadline, also when the kind is the same */
/* Another duration for all that wait, from when they began to; those that waited for ever have to
 * be asked by conn_work what they wait for. */
void wait_change(cr_listener *listener, wait_kind kind, uint32_t ms);
void listener_arm(cr_listener *listener, uint64_t deadline);
void listener_on_timer(uv_timer_t *timer);

/* listener.c */
void listener_remove(cr_conn *conn);

/* accept.c */
void listener_start(cr_listener *listener);
void accept_connections(cr_listener *listener, int limit);
void listener_resume(cr_listener *listener);
/* Answers a connection that can't be kept, as far as that goes without waiting, and closes it. */
void accept_refuse(cr_listener *listener, int fd);
void accept_keep_reserve(cr_listener *listener);

/* peers.c */
typedef enum { PEER_WELCOME, PEER_OVER_LIMIT, PEER_NO_MEMORY } peer_verdict;
/* Holds for connections from now on. */
int peers_limit(peer_limit *limit, uint32_t most);
void peers_free(peer_limit *limit);
peer_verdict peers_enter(cr_conn *conn);
void peers_leave(cr_conn *conn);

/* tls.c */
bool tls_attach(cr_conn *conn);
void tls_detach(cr_conn *conn);
bool tls_has_begun(const cr_conn *conn); /* a part of the handshake has come */
void tls_input(cr_conn *conn, const char *bytes, size_t n);
/* Goes on after room was made in conn->in. */
bool tls_can_continue(const cr_conn *conn);
void tls_continue(cr_conn *conn);
void tls_send(cr_conn *conn, const uv_buf_t *bufs, unsigned count, size_t body);
void tls_close_notify(cr_conn *conn);
