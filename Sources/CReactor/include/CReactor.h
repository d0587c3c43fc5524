/* CReactor: an event-loop library for HTTP servers that relay from other HTTP servers.
 *
 * One libuv loop on one thread. On it: listeners for TCP and TLS, a strict HTTP/1.1 parser and
 * writer, transfers through libcurl's multi interface, the relay of transfers into a response,
 * timers, signals, and one inbox for other threads.
 *
 * Rules that hold everywhere
 *   - Everything is called on the loop's thread, except cr_loop_post, cr_loop_stop and the
 *     functions said to be pure. Calls before cr_loop_run are allowed from the thread that will
 *     run the loop or that hands it over.
 *   - Results: 0, or a negative cr_error. Nothing is changed when an error is returned.
 *   - Bytes given to a call are copied before it returns. Bytes given to a callback are valid
 *     until it returns, except a request's head, which is valid until its on_sent returns.
 *   - Every object is freed by the library after its last callback, which is named below and
 *     comes exactly once; the pointer must not be used after that callback returns. There is no
 *     other way to free one.
 *   - A callback may call any function of this header, unless its comment says otherwise.
 *   - Limits are in limits.h; what can differ between listeners is in the configurations here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#else
#define _Nullable
#define _Nonnull
#endif

typedef struct cr_loop cr_loop;
typedef struct cr_timer cr_timer;
typedef struct cr_signal cr_signal;
typedef struct cr_tls cr_tls;
typedef struct cr_listener cr_listener;
typedef struct cr_conn cr_conn;
typedef struct cr_client cr_client;
typedef struct cr_transfer cr_transfer;

typedef enum {
  CR_OK = 0,
  CR_EMEMORY = -1,   /* out of memory */
  CR_EINVALID = -2,  /* an argument is not of the form that is asked for */
  CR_ESTATE = -3,    /* not possible in the object's present state (answered already, gone) */
  CR_ESYSTEM = -4,   /* the operating system refused: see the message where there is one */
  CR_ETLS = -5,      /* certificate or key can't be used: see the message */
  CR_ETOOLARGE = -6, /* over a limit */
  CR_ETIMEOUT = -7,  /* the other side took too long */
} cr_error;

/* The longest message that a call writes into a caller's buffer, with its NUL. */
enum { CR_MESSAGE_BYTES = 256 };

/* ---------------------------------------------------------------------------------------------
 * Loop
 */

/* on_item: an item from cr_loop_post, in order of posting (per posting thread).
 * on_turn: called before and after each poll for events; true when work is left, and the loop
 * then polls without sleeping. Both run on the loop's thread. */
typedef struct {
  void *_Nullable context;
  void (*_Nullable on_item)(void *_Nullable context, void *item);
  bool (*_Nullable on_turn)(void *_Nullable context);
} cr_loop_callbacks;

int cr_loop_new(cr_loop_callbacks callbacks, cr_loop *_Nullable *_Nonnull out);

/* Takes the calling thread until cr_loop_stop; then closes what is still open (each object gets
 * its last callback), frees the loop and returns. */
void cr_loop_run(cr_loop *loop);

/* Has malloc keep up to some MiB of freed memory in place of giving it to the kernel and asking for
 * it again, which under load costs a system call and page faults in every fourth request. Holds for
 * the whole process, so it is the program's choice. */
void cr_keep_freed_memory(void);

/* Any thread. */
void cr_loop_stop(cr_loop *loop);
int cr_loop_post(cr_loop *loop, void *item);

/* True on the thread that is running this loop. Any thread. */
bool cr_loop_is_current(const cr_loop *loop);

/* Monotonic clock, microseconds. Any thread. */
uint64_t cr_clock_us(void);
/* Wall clock, microseconds since 1970, UTC. Any thread. */
int64_t cr_wall_clock_us(void);

/* Last callback: on_timer, once: fired is false when the timer was cancelled or the loop ended. */
typedef void (*cr_timer_callback)(void *_Nullable context, bool fired);
int cr_timer_start(cr_loop *loop, uint64_t delay_ms, cr_timer_callback on_timer,
                   void *_Nullable context, cr_timer *_Nullable *_Nonnull out);
void cr_timer_cancel(cr_timer *timer); /* on_timer(false) comes in a later turn */

/* on_signal for each delivery, until the loop ends. The object lives as long as the loop. */
int cr_signal_start(cr_loop *loop, int number, void (*on_signal)(void *_Nullable context, int),
                    void *_Nullable context);

/* ---------------------------------------------------------------------------------------------
 * Server: listener, connection, request, response
 *
 * A connection carries one request at a time; the next one is parsed after on_sent of the one
 * before. For each request, exactly in this order: on_request once; at most one on_body for each
 * cr_request_read_body; on_sent once. on_sent may come early, before any answer, when the client
 * vanished; every cr_respond_* then returns CR_ESTATE. It never comes from inside a cr_* call.
 */

typedef struct {
  uint32_t at, len;
} cr_slice; /* into cr_head.base */

typedef struct {
  cr_slice name, value; /* value without the white space around it */
} cr_header;

/* A parsed request head. When malformed_status is not 0 the bytes could not be taken for a
 * request: only base, len, method and target (as far as they were read) are set, and the
 * connection closes after the answer, whatever the answer says. */
typedef struct {
  const char *base; /* the head's bytes, from the request line on */
  uint32_t len;
  cr_slice method, target;
  /* Of a target in absolute form, "http://authority/path", of which target is the path; the same as
   * the Host header, if there is one. Else empty. */
  cr_slice authority;
  uint8_t minor_version; /* HTTP/1.minor: 0 or 1 */
  bool keep_alive;
  bool expects_continue;
  bool has_body;           /* content_length > 0 or chunked */
  bool chunked;
  uint64_t content_length; /* 0 when chunked */
  const cr_header *headers;
  uint32_t header_count;
  int malformed_status;                  /* 0, or 400, 405, 408, 413, 414, 417, 431, 501, 505 */
  const char *_Nullable malformed_reason; /* static text: what is wrong with it */
} cr_head;

typedef enum {
  CR_SENT_OK = 0,       /* every byte of the answer was handed to the kernel */
  CR_SENT_CLIENT_GONE,  /* the client reset or closed before the answer was out */
  CR_SENT_TIMEOUT,      /* the client did not take bytes for write_stall_ms */
  CR_SENT_ABORTED,      /* cr_respond_abort, or the loop ended */
} cr_sent_outcome;

typedef struct {
  cr_sent_outcome outcome;
  int status;           /* the status that was sent, 0 when no byte of a head went out */
  uint64_t body_bytes;  /* body bytes handed to the kernel */
  uint64_t bytes_in;    /* body bytes read from the client */
  uint64_t first_byte_us, last_byte_us; /* cr_clock_us when the head went out, and the last byte; 0: never */
} cr_sent;

typedef struct {
  void *_Nullable context; /* given to on_request */
  /* A request, or bytes that are none (head->malformed_status). Returns the user pointer that the
   * other callbacks of this request are given. */
  void *_Nullable (*_Nonnull on_request)(void *_Nullable context, cr_conn *conn, const cr_head *head);
  /* The body asked for with cr_request_read_body: status CR_OK, CR_ETOOLARGE (over max),
   * CR_EINVALID (bad chunks), CR_ETIMEOUT (body_timeout_ms), CR_ESTATE (it ended early). */
  void (*on_body)(void *_Nullable user, int status, const uint8_t *_Nullable bytes, size_t len);
  /* There is room for more body: only after cr_respond_write returned 1. */
  void (*on_room)(void *_Nullable user);
  void (*on_sent)(void *_Nullable user, const cr_sent *sent); /* the last one */
  /* A connection was reset before any request, for what came in place of a PROXY header: from
   * whom, and static text. Both are for logs; it is given the listener's context. */
  void (*_Nullable on_refused)(void *_Nullable context, const char *peer, const char *reason);
  /* The listener is closed and its last connection gone: its own last callback. */
  void (*_Nullable on_closed)(void *_Nullable context);
} cr_server_callbacks;

typedef struct {
  const char *host; /* IPv4 or IPv6 address, or a name that resolves to one */
  uint16_t port;    /* 0: one that is free */
  /* With use_fd, a TCP socket that listens already, in place of host and port. It is taken over:
   * closing the listener closes this descriptor, and leaves what is still to be accepted to whoever
   * else has the socket. */
  bool use_fd;
  int fd;
  cr_tls *_Nullable tls; /* NULL: plain HTTP */
  uint32_t head_timeout_ms;    /* from the first byte of a head to its last */
  uint32_t idle_timeout_ms;    /* between requests; before the first one the shorter of both */
  uint32_t body_timeout_ms;    /* between two reads of a request's body; after so long in all it
                                * must have come with 1 KiB a second on average, too */
  uint32_t write_stall_ms;     /* while the client takes nothing */
  uint32_t max_connections;    /* over it the longest idle one is closed, else accepting pauses */
  uint32_t max_connections_per_address; /* 0: any number; IPv6 counts by /64 */
  /* CIDR texts, comma-separated, that the limit per address does not hold for. */
  const char *_Nullable shared_networks;
  /* A whole answer, head and body, for clients that are turned away by that limit or for want of
   * descriptors, which is before their request is read; none over TLS. Copied. */
  const void *_Nullable refusal;
  size_t refusal_len;
  /* Networks (CIDR texts, comma-separated) whose connections must begin with a header of the PROXY
   * protocol, version 1 or 2, before TLS, within head_timeout_ms. From others none is taken. */
  const char *_Nullable proxy_networks;
} cr_listener_config;

/* Connections that a limit cost, so far. */
typedef struct {
  uint64_t evicted; /* idle ones that were closed for others */
  uint64_t refused_by_address;
  uint64_t refused_without_descriptor;
} cr_listener_counts;

/* message: CR_MESSAGE_BYTES long, filled when the result is not CR_OK. */
int cr_listener_open(cr_loop *loop, const cr_listener_config *config, cr_server_callbacks callbacks,
                     cr_listener *_Nullable *_Nonnull out, char *message);
uint16_t cr_listener_port(const cr_listener *listener);
/* Open connections, those that are ending included. */
uint32_t cr_listener_connections(const cr_listener *listener);
/* Accepted since it was opened; modulo 2^32. */
uint32_t cr_listener_accepted(const cr_listener *listener);
cr_listener_counts cr_listener_count(const cr_listener *listener);
/* From now on `config` holds, but for host, port and fd: TLS for new connections, times also for
 * those that are waiting, from when they began to (from now on where that was for ever). Not once
 * it is closed: CR_ESTATE. */
int cr_listener_reconfigure(cr_listener *listener, const cr_listener_config *config,
                            char *message);
/* Stops accepting, after what came through until now. Every answer from now on closes its
 * connection; idle ones close when they have been idle for a moment, most of them at once. The
 * listener is freed when the last of them is closed. */
void cr_listener_close(cr_listener *listener);

/* Certificate chain and private key, PEM files. TLS 1.2 and 1.3. Reference-counted: free with
 * cr_tls_free any time after cr_listener_open. Session tickets are sealed with one key for
 * ticket_key_ms; after that clients with older tickets shake hands in full. */
int cr_tls_new(const char *certificate_file, const char *key_file, uint64_t ticket_key_ms,
               cr_tls *_Nullable *_Nonnull out, char *message);
void cr_tls_free(cr_tls *tls);
/* When the certificate ends, Unix seconds. */
int64_t cr_tls_expiry(const cr_tls *tls);

/* The peer's numeric address without port, NUL-terminated; valid until on_sent returns. */
const char *cr_conn_peer(const cr_conn *conn);
/* The client's, as the PROXY header names it; the peer's when there was none or it names none. */
const char *cr_conn_client(const cr_conn *conn);
bool cr_conn_is_tls(const cr_conn *conn);
/* The how-manieth connection of its listener it is, from 0; modulo 2^32. */
uint32_t cr_conn_number(const cr_conn *conn);
/* When the request's head had come, on cr_clock_us: before on_request by the time that it waited for
 * its turn. Valid as cr_conn_peer. */
uint64_t cr_conn_received_us(const cr_conn *conn);

/* Reads the request's whole body, at most max bytes, then calls on_body once, never from inside
 * this call. Sends "100 Continue" when the client waits for it. A body that is not asked for is
 * read and dropped (up to a limit) or the connection is closed after the answer. */
int cr_request_read_body(cr_conn *conn, size_t max);

typedef struct {
  int status;
  /* "Name: value\r\n" lines, without Content-Length, Date and Connection, which the writer adds.
   * The caller vouches that no value holds a control byte. */
  const char *_Nullable headers;
  size_t headers_len;
  const void *_Nullable body; /* cr_respond only */
  size_t body_len;
  /* Body length declared: for cr_respond_begin the bytes that will follow; for cr_respond to a
   * HEAD the length that a GET would have. Ignored by cr_respond otherwise. */
  uint64_t content_length;
  bool close; /* close the connection after this answer */
} cr_response;

/* The whole answer at once. To a HEAD, and with status 204 or 304, no body is sent. It replaces an
 * answer that was begun and of which nothing is out yet. */
int cr_respond(cr_conn *conn, const cr_response *response);

/* The answer's head; content_length body bytes follow by cr_respond_write or cr_respond_relay.
 * The head goes out with the first of them. */
int cr_respond_begin(cr_conn *conn, const cr_response *response);

/* Appends body bytes: 0, or 1 when the caller should wait for on_room before the next call
 * (the bytes are taken all the same), or an error (CR_ETOOLARGE: more than was declared). */
int cr_respond_write(cr_conn *conn, const void *bytes, size_t len);

/* Gives up on the answer. Before a byte of it is out: the connection closes. After: it is reset,
 * so that the client sees that the length can't be kept. on_sent follows. */
void cr_respond_abort(cr_conn *conn);

/* Feeds a transfer's body into the answer that cr_respond_begin started, inside the library: the
 * transfer is paused while the client is slow. Whatever happens, the transfer's on_done tells how
 * many bytes were relayed and why it ended; the answer stays open for the next transfer unless it
 * is complete. The last byte declared is held back until the transfer has ended well at exactly
 * the declared length. skip: bytes of the transfer's body to drop first. take: after so many more
 * the transfer is ended as if it had ended well there, and its connection closed unless the whole
 * body had come already; 0: to its end. */
int cr_respond_relay(cr_conn *conn, cr_transfer *transfer, uint64_t skip, uint64_t take);

/* ---------------------------------------------------------------------------------------------
 * Client: transfers through libcurl
 */

typedef struct {
  const char *_Nullable ca_file; /* PEM; NULL: the system's */
  bool use_environment_proxy;    /* HTTPS_PROXY, NO_PROXY */
  bool allow_plain_http;         /* http:// URLs as well; else https only */
  /* When false, addresses that are private, loopback, link-local or otherwise not public are
   * refused after resolution, but for those in allowed_networks (CIDR texts, comma-separated). */
  bool allow_any_address;
  const char *_Nullable allowed_networks;
  uint32_t max_active;           /* transfers handed to curl at once, paused ones included */
  /* Of these, those to one host (scheme and authority) that wait for their heads. The others wait
   * in order, hosts in turn. 0: the number follows the host's latency. */
  uint32_t max_unanswered;
  const char *_Nullable user_agent;
} cr_client_config;

int cr_client_new(cr_loop *loop, const cr_client_config *config, cr_client *_Nullable *_Nonnull out,
                  char *message);
/* Cancels its transfers (each gets on_done) and frees it after the last of them. */
void cr_client_close(cr_client *client);

typedef struct {
  const char *method; /* "GET", "HEAD", "POST", "PUT", "DELETE" */
  const char *url;    /* absolute; the path is sent as it stands, not normalised */
  /* "Name: value" texts, each ended by a NUL, one after the other. */
  const char *_Nullable headers;
  size_t headers_len;
  const void *_Nullable body;
  size_t body_len;
  uint32_t connect_timeout_ms;
  uint32_t first_byte_timeout_ms; /* from start (queue included) to the final head; 0: none */
  uint32_t stall_timeout_ms;      /* no body byte received while not paused by us; 0: none */
  bool fresh_connection;          /* a new connection, after a new look-up of the name */
  /* With fresh_connection: numeric addresses, comma-separated, that are connected to only when
   * none of the name's others can be. */
  const char *_Nullable avoid;
  bool close_on_error;            /* after an answer of status 400 and up */
} cr_transfer_request;

typedef struct {
  int status;
  /* The final head's header lines as received, "Name: value\r\n"…, without the status line. */
  const char *headers;
  size_t headers_len;
  bool has_content_length;
  uint64_t content_length;
  const char *address; /* the peer's numeric address */
} cr_transfer_head;

typedef enum {
  CR_TRANSFER_OK = 0,
  CR_TRANSFER_CANCELLED,       /* cr_transfer_cancel, the relay's client vanished, or the loop ended */
  CR_TRANSFER_INVALID,         /* URL or header not usable, scheme not allowed */
  CR_TRANSFER_RESOLVE_FAILED,
  CR_TRANSFER_ADDRESS_REFUSED, /* only non-public addresses; message names them */
  CR_TRANSFER_CONNECT_FAILED,
  CR_TRANSFER_TLS_FAILED,      /* handshake or certificate */
  CR_TRANSFER_TIMEOUT,         /* no head in time */
  CR_TRANSFER_STALLED,         /* no body byte in time */
  CR_TRANSFER_BROKEN,          /* reset, or ended before its length */
  CR_TRANSFER_PROTOCOL,        /* not HTTP that can be understood, or a head over the limit */
  CR_TRANSFER_TOO_LARGE,       /* more than cr_transfer_collect's max, or than the answer declared */
} cr_transfer_code;

typedef struct {
  cr_transfer_code code;
  const char *message;          /* for logs: no URL, no header */
  const char *address;          /* the peer's numeric address, "" when never connected */
  const uint8_t *_Nullable body; /* what cr_transfer_collect gathered */
  size_t body_len;
  uint64_t body_bytes;          /* body bytes received */
  uint64_t relayed_bytes;       /* of these, bytes that the answer took */
} cr_transfer_result;

typedef struct {
  /* The final head (not 1xx), once, unless the transfer ends before it. The body then waits until
   * cr_transfer_collect, cr_respond_relay or cr_transfer_cancel is called, from here or later;
   * the transfer does not end before that. */
  void (*on_head)(void *_Nullable user, const cr_transfer_head *head);
  void (*on_done)(void *_Nullable user, const cr_transfer_result *result); /* the last one */
} cr_transfer_callbacks;

/* Neither callback comes from inside a cr_* call. */
int cr_transfer_start(cr_client *client, const cr_transfer_request *request,
                      cr_transfer_callbacks callbacks, void *_Nullable user,
                      cr_transfer *_Nullable *_Nonnull out);
/* Gathers the body in memory; on_done carries it. Over max: CR_TRANSFER_TOO_LARGE. */
int cr_transfer_collect(cr_transfer *transfer, size_t max);
/* on_done(CANCELLED) follows in a later turn. Harmless when it is ending already. */
void cr_transfer_cancel(cr_transfer *transfer);

/* libuv, libcurl and OpenSSL as loaded, "libuv 1.44.2, libcurl 7.88.1, …". Pure. */
const char *cr_library_versions(void);
/* The commit that CR_BUILD_COMMIT named when this was compiled, else "". Pure. */
const char *cr_build_commit(void);

typedef struct {
  uint64_t cpu_us, resident_bytes;
} cr_process_usage;
/* Of the whole process. Any thread. */
cr_process_usage cr_process_usage_now(void);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
