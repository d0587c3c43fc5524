// Interruption: the end of a serving command.

import Glibc
import Reactor

/// SIGINT or SIGTERM, noticed from the start on.
@Loop final class Interruption {
  private var happened = false
  private var waiter: CheckedContinuation<Void, Never>?

  init() {
    for signal in [SIGINT, SIGTERM] { Loop.onSignal(signal) { self.deliver() } }
  }

  func wait() async {
    if happened { return }
    await withCheckedContinuation { waiter = $0 }
  }

  private func deliver() {
    happened = true
    waiter?.resume()
    waiter = nil
  }
}
