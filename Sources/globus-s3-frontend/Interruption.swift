// Interruption: the signals that end a serving command, or have it reload.

import Glibc
import Reactor

/// The end that somebody asked for by a signal; noticed from the start on.
@Loop final class Interruption {
  private var deliveries = 0
  private var waiter: CheckedContinuation<Void, Never>?

  init(_ signals: [Int32]) {
    for signal in signals { Loop.onSignal(signal) { self.deliver() } }
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

/// SIGHUP: somebody has changed files. One that comes before there is anybody to tell is kept.
@Loop final class Hangup {
  private var isDue = false
  private var action: (@Loop () -> Void)?

  init() {
    Loop.onSignal(SIGHUP) {
      self.isDue = self.action == nil
      self.action?()
    }
  }

  func whenDelivered(_ action: @escaping @Loop () -> Void) {
    self.action = action
    if isDue { action() }
  }
}
