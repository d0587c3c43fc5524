/* What CReactor's files share with each other. CReactor.h is the contract with everybody else. */
#pragma once

#include <uv.h>

#include "CReactor.h"

/* Nullability is stated in the public header, for Swift; in here it would be noise. */
#pragma clang diagnostic ignored "-Wnullability-completeness"

struct cr_loop {
  uv_loop_t uv;
  uv_async_t inbox_ready;
  uv_prepare_t prepare;
  uv_check_t check;
  uv_idle_t idle; /* armed while on_turn says that work is left, so that the poll does not sleep */
  cr_loop_callbacks callbacks;
  uv_mutex_t inbox_lock;
  void **inbox; /* under inbox_lock, as are its two counts */
  size_t inbox_count, inbox_capacity;
  bool stop_requested; /* under inbox_lock */
  bool stopping;
  struct cr_loop_member *members;
  struct cr_deferred *deferred_head, *deferred_tail;
};

/* An object that must be told when the loop ends (listeners, connections, clients, timers). */
typedef struct cr_loop_member {
  struct cr_loop_member *next, *previous;
  void (*on_loop_end)(struct cr_loop_member *);
} cr_loop_member;

void loop_add_member(cr_loop *loop, cr_loop_member *member, void (*on_loop_end)(cr_loop_member *));
void loop_remove_member(cr_loop *loop, cr_loop_member *member);

/* A call put off to the loop's next turn, so that callbacks never run inside a cr_* call.
 * Embedded in its owner; queued at most once at a time; cancel before freeing the owner. */
typedef struct cr_deferred {
  struct cr_deferred *next;
  void (*run)(struct cr_deferred *);
  bool queued;
} cr_deferred;

void loop_defer(cr_loop *loop, cr_deferred *call);
void loop_cancel_deferred(cr_loop *loop, cr_deferred *call);

#define container_of(pointer, type, member) \
  ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

/* ---- connection (conn.c), as the relay (relay.c) sees it ---- */

cr_loop *conn_loop(const cr_conn *conn);

/* Body bytes that the answer still lacks, of those declared with cr_respond_begin. */
uint64_t conn_body_remaining(const cr_conn *conn);

/* Bytes that may be appended before the feeder should pause; 0 when it should pause now. */
size_t conn_body_room(const cr_conn *conn);

/* Appends body bytes to what is to be written; n is at most conn_body_remaining. */
int conn_body_append(cr_conn *conn, const void *bytes, size_t n);

/* Who feeds the answer now. on_room: room again after there was none. on_gone: the answer has
 * ended early (client vanished, stall, abort): the feeder lets go of the connection at once. The
 * feeder is removed with NULL. Fails with CR_ESTATE when no begun answer is waiting for bytes. */
typedef struct {
  void (*on_room)(void *feeder);
  void (*on_gone)(void *feeder);
} conn_feeder;
int conn_set_feeder(cr_conn *conn, const conn_feeder *callbacks, void *feeder);

/* ---- transfer (transfer.c), as the relay sees it ---- */

/* Where a transfer's body goes. on_bytes: returns how many of n bytes it took: all or none (0
 * pauses the transfer until transfer_resume), or a sink_end to break it off. on_end: once, just before the transfer's on_done, with its result, whose
 * relayed_bytes (and code) it may set. */
typedef enum {
  SINK_TOO_MUCH = -1, /* the transfer ends with CR_TRANSFER_TOO_LARGE */
  SINK_ENOUGH = -2,   /* the transfer ends with CR_TRANSFER_OK */
} sink_end;
typedef struct {
  ssize_t (*on_bytes)(void *sink, const uint8_t *bytes, size_t n);
  void (*on_end)(void *sink, cr_transfer_result *result);
} transfer_sink;
int transfer_set_sink(cr_transfer *transfer, const transfer_sink *callbacks, void *sink);
void transfer_resume(cr_transfer *transfer);
