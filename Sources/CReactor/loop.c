/* loop.c: the libuv loop, its end, and calls put off to the next turn.
 *
 *   - on_turn runs in uv_prepare and uv_check, that is before and after every poll, and after it
 *     the deferred calls; while either leaves work, an idle handle keeps the poll from sleeping.
 *   - At the end members are told first (they close their handles), then the loop runs on until
 *     every handle is closed: no callback is lost, and the last ones still find the loop.
 */
#include "internal.h"
#include "limits.h"

#include <curl/curl.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static _Thread_local const cr_loop *current_loop;

bool cr_loop_is_current(const cr_loop *loop) { return current_loop == loop; }

uint64_t cr_clock_us(void) { return uv_hrtime() / 1000; }

int64_t cr_wall_clock_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void loop_add_member(cr_loop *loop, cr_loop_member *member,
                     void (*on_loop_end)(cr_loop_member *)) {
  member->on_loop_end = on_loop_end;
  member->previous = NULL;
  member->next = loop->members;
  if (loop->members) loop->members->previous = member;
  loop->members = member;
}

void loop_remove_member(cr_loop *loop, cr_loop_member *member) {
  if (member->previous) member->previous->next = member->next;
  else if (loop->members == member) loop->members = member->next;
  else return; /* removed already */
  if (member->next) member->next->previous = member->previous;
  member->next = member->previous = NULL;
}

void loop_defer(cr_loop *loop, cr_deferred *call) {
  if (call->queued) return;
  call->queued = true;
  call->next = NULL;
  if (loop->deferred_tail) loop->deferred_tail->next = call;
  else loop->deferred_head = call;
  loop->deferred_tail = call;
}

void loop_cancel_deferred(cr_loop *loop, cr_deferred *call) {
  if (!call->queued) return;
  cr_deferred **link = &loop->deferred_head, *last = NULL;
  while (*link != call) {
    last = *link;
    link = &last->next;
  }
  *link = call->next;
  if (loop->deferred_tail == call) loop->deferred_tail = last;
  call->queued = false;
}

/* Runs the calls that are queued now; those that they queue wait for the next turn. */
static void loop_run_deferred(cr_loop *loop) {
  cr_deferred *last = loop->deferred_tail;
  while (loop->deferred_head && last) {
    cr_deferred *call = loop->deferred_head;
    loop->deferred_head = call->next;
    if (!loop->deferred_head) loop->deferred_tail = NULL;
    call->queued = false;
    bool was_last = call == last;
    call->run(call); /* may free call */
    if (was_last) break;
  }
}

static void on_idle(uv_idle_t *idle) { (void)idle; }

static void loop_turn(cr_loop *loop) {
  bool more = loop->callbacks.on_turn && loop->callbacks.on_turn(loop->callbacks.context);
  loop_run_deferred(loop);
  /* A deferred call may have given the caller work that only on_turn knows of. */
  if (!more && loop->callbacks.on_turn)
    more = loop->callbacks.on_turn(loop->callbacks.context);
  if (more || loop->deferred_head) {
    if (!uv_is_active((uv_handle_t *)&loop->idle) && !uv_is_closing((uv_handle_t *)&loop->idle))
      uv_idle_start(&loop->idle, on_idle);
  } else {
    uv_idle_stop(&loop->idle);
  }
}

static void on_prepare(uv_prepare_t *prepare) { loop_turn(prepare->data); }
static void on_check(uv_check_t *check) { loop_turn(check->data); }

static void loop_end_members(cr_loop *loop) {
  loop->stopping = true;
  while (loop->members) {
    cr_loop_member *member = loop->members;
    loop_remove_member(loop, member);
    member->on_loop_end(member);
  }
  uv_close((uv_handle_t *)&loop->inbox_ready, NULL);
  uv_unref((uv_handle_t *)&loop->prepare);
  uv_unref((uv_handle_t *)&loop->check);
  uv_unref((uv_handle_t *)&loop->idle);
}

static void on_inbox(uv_async_t *async) {
  cr_loop *loop = async->data;
  uv_mutex_lock(&loop->inbox_lock);
  void **items = loop->inbox;
  size_t count = loop->inbox_count;
  loop->inbox = NULL;
  loop->inbox_count = loop->inbox_capacity = 0;
  bool stop = loop->stop_requested;
  uv_mutex_unlock(&loop->inbox_lock);

  for (size_t i = 0; i < count; i++)
    if (loop->callbacks.on_item) loop->callbacks.on_item(loop->callbacks.context, items[i]);
  free(items);
  if (stop && !loop->stopping) loop_end_members(loop);
}

int cr_loop_new(cr_loop_callbacks callbacks, cr_loop **out) {
  cr_loop *loop = calloc(1, sizeof *loop);
  if (!loop) return CR_EMEMORY;
  loop->callbacks = callbacks;
  if (uv_mutex_init(&loop->inbox_lock)) {
    free(loop);
    return CR_ESYSTEM;
  }
  if (uv_loop_init(&loop->uv)) {
    uv_mutex_destroy(&loop->inbox_lock);
    free(loop);
    return CR_ESYSTEM;
  }
  if (uv_async_init(&loop->uv, &loop->inbox_ready, on_inbox)) {
    uv_loop_close(&loop->uv);
    uv_mutex_destroy(&loop->inbox_lock);
    free(loop);
    return CR_ESYSTEM;
  }
  uv_prepare_init(&loop->uv, &loop->prepare);
  uv_check_init(&loop->uv, &loop->check);
  uv_idle_init(&loop->uv, &loop->idle);
  loop->inbox_ready.data = loop->prepare.data = loop->check.data = loop;
  uv_prepare_start(&loop->prepare, on_prepare);
  uv_check_start(&loop->check, on_check);
  *out = loop;
  return CR_OK;
}

void cr_loop_run(cr_loop *loop) {
  current_loop = loop;
  /* uv_run returns when stopping has closed or unreferenced every handle. Deferred calls and the
   * caller's last work may open and close others, so it is run until nothing is left. */
  do {
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop_turn(loop);
  } while (loop->deferred_head || uv_loop_alive(&loop->uv));
  uv_close((uv_handle_t *)&loop->prepare, NULL);
  uv_close((uv_handle_t *)&loop->check, NULL);
  uv_close((uv_handle_t *)&loop->idle, NULL);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  current_loop = NULL;
  uv_loop_close(&loop->uv);
  uv_mutex_destroy(&loop->inbox_lock);
  free(loop->inbox);
  free(loop);
}

void cr_keep_freed_memory(void) {
  mallopt(M_TRIM_THRESHOLD, LIMIT_FREED_BYTES);
  mallopt(M_TOP_PAD, LIMIT_FREED_BYTES / 4);
}

static int inbox_push(cr_loop *loop, void *item) {
  if (loop->inbox_count == loop->inbox_capacity) {
    size_t capacity = loop->inbox_capacity ? loop->inbox_capacity * 2 : 64;
    void **grown = realloc(loop->inbox, capacity * sizeof *grown);
    if (!grown) return CR_EMEMORY;
    loop->inbox = grown;
    loop->inbox_capacity = capacity;
  }
  loop->inbox[loop->inbox_count++] = item;
  return CR_OK;
}

int cr_loop_post(cr_loop *loop, void *item) {
  uv_mutex_lock(&loop->inbox_lock);
  bool was_empty = loop->inbox_count == 0;
  int result = inbox_push(loop, item);
  uv_mutex_unlock(&loop->inbox_lock);
  if (result == CR_OK && was_empty) uv_async_send(&loop->inbox_ready);
  return result;
}

void cr_loop_stop(cr_loop *loop) {
  uv_mutex_lock(&loop->inbox_lock);
  loop->stop_requested = true;
  uv_mutex_unlock(&loop->inbox_lock);
  uv_async_send(&loop->inbox_ready);
}

const char *cr_library_versions(void) {
  static char text[CR_MESSAGE_BYTES];
  curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
  snprintf(text, sizeof text, "libuv %s, libcurl %s, %s", uv_version_string(), curl->version,
           OpenSSL_version(OPENSSL_VERSION));
  return text;
}
