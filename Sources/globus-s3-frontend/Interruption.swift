// Interruption: the end of a serving command.

import Glibc
import Reactor

/// SIGINT, SIGTERM, or SIGHUP of a terminal that was closed; noticed from the start on.
@Loop final class Interruption {
  private var deliveries = 0
  private var waiter: CheckedContinuation<Void, Never>?

  init() {
    for signal in [SIGINT, SIGTERM, SIGHUP] { Loop.onSignal(signal) { self.deliver() } }
  }

  /// Whoever asks twice wants the end now.
  var isRepeated: Bool { deliveries > 1 }

  func wait() async {
    if deliveries > 0 { return }
    await withCheckedContinuation { waiter = $0 }
  }

  private func deliver() {
    deliveries += 1
    waiter?.resume()
    waiter = nil
  }
}
