// Retries: whether an idempotent call that failed is made again, and after which pause.
//
// Few, and with jitter, so that a collection in trouble is not kept there by us. A value belongs to
// one call with all its repetitions.

struct Retries {
  enum Cause: Sendable {
    /// Something broke that may be different elsewhere, or a moment later.
    case fault
    /// Nobody could be connected to. When that took all the time there is, it is not tried again:
    /// the connection's time is spread over the name's addresses already.
    case notReached(inTime: Bool)
    /// No answer in time. Another minute may be worth a try, a third one is not.
    case timeout
    /// The server asked to come back after so many seconds.
    case busy(seconds: Int)
  }

  private let limit: Int
  private var made = 0
  private var hasTimedOut = false
  private var hasWaited = false

  init(limit: Int) { self.limit = limit }

  /// Milliseconds after which to try again; nil: not at all.
  mutating func pause(after cause: Cause) -> UInt64? {
    guard made < limit else { return nil }
    made += 1
    let jitter = UInt64.random(in: 1...(GlobusLimits.retryMilliseconds * UInt64(made)))
    switch cause {
    case .fault, .notReached(inTime: true):
      return jitter
    case .notReached(inTime: false):
      return nil
    case .timeout:
      defer { hasTimedOut = true }
      return hasTimedOut ? nil : jitter
    case .busy(let seconds):
      defer { hasWaited = true }
      guard !hasWaited, seconds <= GlobusLimits.awaitedSeconds else { return nil }
      return UInt64(seconds) * 1000 + jitter
    }
  }
}
