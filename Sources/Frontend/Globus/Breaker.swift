// Breaker: a collection's server that can't be reached is not asked by everybody: after a few calls
// in a row that found nobody, further ones fail at once; from time to time one is let through, and
// the first that finds somebody ends it.
//
// Only failures to reach a server count. What a server answers, and certificates that don't hold,
// are told by each call itself.

import Reactor

@Loop final class Breaker {
  private struct State {
    var failures = 0
    /// When the next call is let through.
    var opensAt: UInt64 = 0
  }

  private var states: [String: State] = [:]
  private let now: () -> UInt64

  /// `now`: microseconds of a clock that never goes back.
  init(now: @escaping () -> UInt64 = { Loop.clockMicroseconds }) {
    self.now = now
  }

  /// Whether a call to `host` may be made. When it is the one that tries, others wait for its end.
  func admits(_ host: String) -> Bool {
    guard var state = states[host], state.failures >= GlobusLimits.breakerFailures else {
      return true
    }
    guard now() >= state.opensAt else { return false }
    state.opensAt = now() + GlobusLimits.breakerMicroseconds
    states[host] = state
    return true
  }

  func reached(_ host: String) {
    states[host] = nil
  }

  func notReached(_ host: String) {
    // Beyond the limit the breaker forgets: then servers are asked, as if there were none.
    if states[host] == nil, states.count >= GlobusLimits.breakerHosts { states.removeAll() }
    var state = states[host] ?? State()
    state.failures += 1
    state.opensAt = now() + GlobusLimits.breakerMicroseconds
    states[host] = state
  }
}
