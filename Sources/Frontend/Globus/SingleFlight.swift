// SingleFlight: callers that want the same thing at the same time share one call for it.
//
// The call runs in a task of its own, so it outlives the caller that began it; it is cancelled when
// nobody waits for it any more. Each waiter is resumed exactly once: by the call's end or by its
// own cancellation.

import Reactor

@Loop final class SingleFlight<Key: Hashable & Sendable, Value: Sendable> {
  typealias Outcome = Result<Value, GlobusError>

  private final class Flight {
    var waiters: [UInt64: CheckedContinuation<Outcome, Never>] = [:]
    var task: Task<Void, Never>?
  }

  private var flights: [Key: Flight] = [:]
  private var lastWaiter: UInt64 = 0

  init() {}

  /// The value of the call under way for `key`, or else of `call`.
  func value(
    for key: Key, _ call: @escaping @Loop @Sendable () async -> Outcome
  ) async throws(GlobusError) -> Value {
    lastWaiter += 1
    let waiter = lastWaiter
    let outcome = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        join(key, waiter, continuation, call)
      }
    } onCancel: {
      Loop.perform { self.leave(key, waiter) }
    }
    return try outcome.get()
  }

  private func join(
    _ key: Key, _ waiter: UInt64, _ continuation: CheckedContinuation<Outcome, Never>,
    _ call: @escaping @Loop @Sendable () async -> Outcome
  ) {
    guard !Task.isCancelled else { return continuation.resume(returning: .failure(.cancelled)) }
    if let flight = flights[key] {
      flight.waiters[waiter] = continuation
      return
    }
    let flight = Flight()
    flight.waiters[waiter] = continuation
    flights[key] = flight
    flight.task = Loop.start {
      let outcome = await call()
      self.land(key, flight, outcome)
    }
  }

  private func land(_ key: Key, _ flight: Flight, _ outcome: Outcome) {
    if flights[key] === flight { flights[key] = nil }
    for continuation in flight.waiters.values { continuation.resume(returning: outcome) }
    flight.waiters = [:]
  }

  private func leave(_ key: Key, _ waiter: UInt64) {
    guard let flight = flights[key],
      let continuation = flight.waiters.removeValue(forKey: waiter)
    else { return }
    continuation.resume(returning: .failure(.cancelled))
    if flight.waiters.isEmpty {
      flights[key] = nil
      flight.task?.cancel()
    }
  }
}

extension GlobusError {
  /// The client that asked has gone.
  static let cancelled = GlobusError.unavailable("cancelled")
}
