/* timer.c: one-shot timers and signal handlers.
 *
 *   - on_timer comes exactly once: in order of time when the timer fires, else from uv_close's
 *     callback, so never inside cr_timer_cancel.
 */
#include <stdlib.h>

#include "internal.h"

struct cr_timer {
  cr_loop_member member;
  uv_timer_t uv;
  cr_loop *loop;
  cr_timer_callback on_timer;
  void *context;
  bool fired;
};

static void timer_on_closed(uv_handle_t *handle) {
  cr_timer *timer = handle->data;
  if (!timer->fired) timer->on_timer(timer->context, false);
  free(timer);
}

static void timer_close(cr_timer *timer) {
  loop_remove_member(timer->loop, &timer->member);
  uv_close((uv_handle_t *)&timer->uv, timer_on_closed);
}

/* Told here and not when closed: libuv closes the handles of one turn in reverse order. */
static void timer_on_fire(uv_timer_t *uv) {
  cr_timer *timer = uv->data;
  timer->fired = true;
  timer->on_timer(timer->context, true);
  timer_close(timer);
}

static void timer_on_loop_end(cr_loop_member *member) {
  timer_close(container_of(member, cr_timer, member));
}

int cr_timer_start(cr_loop *loop, uint64_t delay_ms, cr_timer_callback on_timer, void *context,
                   cr_timer **out) {
  if (loop->stopping) return CR_ESTATE;
  cr_timer *timer = calloc(1, sizeof *timer);
  if (!timer) return CR_EMEMORY;
  timer->loop = loop;
  timer->on_timer = on_timer;
  timer->context = context;
  uv_timer_init(&loop->uv, &timer->uv);
  timer->uv.data = timer;
  uv_update_time(&loop->uv);
  uv_timer_start(&timer->uv, timer_on_fire, delay_ms, 0);
  loop_add_member(loop, &timer->member, timer_on_loop_end);
  *out = timer;
  return CR_OK;
}

void cr_timer_cancel(cr_timer *timer) {
  if (!timer->fired && !uv_is_closing((uv_handle_t *)&timer->uv)) timer_close(timer);
}

struct cr_signal {
  cr_loop_member member;
  uv_signal_t uv;
  cr_loop *loop;
  void (*on_signal)(void *, int);
  void *context;
};

static void signal_on_closed(uv_handle_t *handle) { free(handle->data); }

static void signal_on_loop_end(cr_loop_member *member) {
  cr_signal *signal = container_of(member, cr_signal, member);
  uv_close((uv_handle_t *)&signal->uv, signal_on_closed);
}

static void signal_on_delivery(uv_signal_t *uv, int number) {
  cr_signal *signal = uv->data;
  signal->on_signal(signal->context, number);
}

int cr_signal_start(cr_loop *loop, int number, void (*on_signal)(void *, int), void *context) {
  if (loop->stopping) return CR_ESTATE;
  cr_signal *signal = calloc(1, sizeof *signal);
  if (!signal) return CR_EMEMORY;
  signal->loop = loop;
  signal->on_signal = on_signal;
  signal->context = context;
  uv_signal_init(&loop->uv, &signal->uv);
  signal->uv.data = signal;
  loop_add_member(loop, &signal->member, signal_on_loop_end);
  if (uv_signal_start(&signal->uv, signal_on_delivery, number)) {
    loop_remove_member(loop, &signal->member);
    uv_close((uv_handle_t *)&signal->uv, signal_on_closed);
    return CR_ESYSTEM;
  }
  return CR_OK;
}
