/* client_cap.c: how many transfers to one host may be in curl without a head, learnt from how long
 * the heads take. Pure.
 *
 * Each transfer in curl costs CPU in all the others, so there should be no more than it takes to
 * keep the host busy; by Little's law that is its rate times its latency, so the cap has to follow
 * the latency. It is looked at round by round. A round is some answers to transfers that were
 * admitted after the cap last moved; its latency is the mean from request to first byte.
 *
 *   - The first round's latency sets the cap to what LIMIT_CAP_RATE requests a second need.
 *   - Then the cap moves only while it keeps transfers waiting. It grows by half while the latency
 *     is at most 3/2 of the base, the latency with few in curl: nothing queues up yet, here or
 *     there. Above twice the base it shrinks in proportion, because then what is over the cap only
 *     waits elsewhere. It so comes to rest between 3/2 and twice what the path holds at the base
 *     latency, or, where LIMIT_CAP_LEAST is more than the path holds, at no more than twice that.
 *   - The base is the latency of the last round at LIMIT_CAP_LEAST, or a lower one seen since. Such a
 *     round is made when the last is LIMIT_CAP_BASE_MS past and 64 times the base, so that neither a
 *     path that has become longer nor a queue that never drains deceives for long, and that the
 *     rounds, which take about twice the base, cost at most a thirtieth of the time. The first comes
 *     soon: the first latencies are those of a time in which connections were made.
 */
#include "client.h"

static uint32_t clamp(uint64_t limit) {
  if (limit < LIMIT_CAP_LEAST) return LIMIT_CAP_LEAST;
  return limit > LIMIT_CAP_MOST ? LIMIT_CAP_MOST : (uint32_t)limit;
}

void cap_init(client_cap *cap, uint32_t fixed) {
  *cap = (client_cap){.limit = fixed ? fixed : LIMIT_CAP_FIRST, .adapts = fixed == 0};
}

static void cap_learn_base(client_cap *cap, uint64_t mean_us, uint64_t now_ms) {
  bool is_low = cap->limit == LIMIT_CAP_LEAST;
  if (is_low || cap->base_us == 0 || mean_us < cap->base_us) cap->base_us = mean_us;
  if (is_low) cap->base_at_ms = now_ms;
}

static bool cap_is_due(const client_cap *cap, uint64_t now_ms) {
  uint64_t interval_ms = cap->base_us * 64 / 1000;
  if (interval_ms < LIMIT_CAP_BASE_MS) interval_ms = LIMIT_CAP_BASE_MS;
  return now_ms >= cap->base_at_ms + interval_ms;
}

static uint32_t cap_next(client_cap *cap, uint64_t mean_us, uint64_t now_ms) {
  uint32_t limit = cap->limit;
  if (cap->before_probe) {
    limit = cap->before_probe;
    cap->before_probe = 0;
    return limit;
  }
  if (!cap->held_back) return limit;
  if (cap_is_due(cap, now_ms)) {
    cap->before_probe = limit;
    return LIMIT_CAP_LEAST;
  }
  if (mean_us * 2 <= cap->base_us * 3) return clamp(limit + limit / 2);
  if (mean_us > cap->base_us * 2) return clamp(limit * 2 * cap->base_us / mean_us);
  return limit;
}

void cap_on_answer(client_cap *cap, uint32_t round, uint64_t latency_us, uint64_t now_ms) {
  if (!cap->adapts || round != cap->round) return;
  bool is_first = cap->base_us == 0;
  uint32_t enough = cap->limit < LIMIT_CAP_ROUND ? cap->limit : LIMIT_CAP_ROUND;
  if (is_first) enough = LIMIT_CAP_LEAST;
  cap->sum_us += latency_us;
  if (++cap->answers < enough) return;
  uint64_t mean_us = cap->sum_us / cap->answers + 1; /* not 0 */
  cap_learn_base(cap, mean_us, now_ms);
  if (is_first) cap->base_at_ms = now_ms + LIMIT_CAP_FIRST_MS - LIMIT_CAP_BASE_MS;
  uint32_t next = is_first ? clamp(mean_us * LIMIT_CAP_RATE / 1000000)
                           : cap_next(cap, mean_us, now_ms);
  if (next != cap->limit) cap->round++;
  cap->limit = next;
  cap->answers = 0;
  cap->sum_us = 0;
  cap->held_back = false;
}
