// Admission: how many requests are served at once, in all and of one credential.
//
//   - Above its own limit a credential's requests wait in order, so many and so long, and are then
//     told to slow down; those of others pass them by.
//   - A place is held from `enter` to `leave`, that is until the answer is out, and goes from one
//     request to the next without becoming free between.
//   - Credentials without a request are forgotten when too many are remembered.

import Reactor

@Loop final class Admission {
  /// The requests of one credential.
  @Loop final class Line {
    fileprivate var inFlight = 0
    fileprivate var waiting: [Waiter] = []
    fileprivate var most: Int {
      didSet { fill() }
    }

    nonisolated fileprivate init(most: Int) { self.most = most }

    /// Gives the place that `enter` gave to who waits longest.
    func leave() {
      inFlight -= 1
      fill()
    }

    private func fill() {
      while inFlight < most, !waiting.isEmpty {
        if waiting.removeFirst().end(true) { inFlight += 1 }
      }
    }
  }

  private var inFlight: Int
  private var perCredential: Int
  private let waitMilliseconds: UInt64
  private var lines: [String: Line] = [:]
  private(set) var waited = 0
  private(set) var refused = 0

  convenience init(_ configuration: Configuration) {
    self.init(
      inFlight: Int(configuration.maxRequestsInFlight),
      perCredential: Int(configuration.maxRequestsPerCredential))
  }

  /// Holds from now on: for who waits, too, and where fewer are allowed than have a place, as soon
  /// as enough have left theirs.
  func limit(as configuration: Configuration) {
    inFlight = Int(configuration.maxRequestsInFlight)
    perCredential = Int(configuration.maxRequestsPerCredential)
    for line in lines.values { line.most = perCredential }
  }

  /// Credentials that are remembered.
  var remembered: Int { lines.count }

  init(
    inFlight: Int, perCredential: Int,
    waitMilliseconds: UInt64 = Limits.admissionMilliseconds
  ) {
    self.inFlight = inFlight
    self.perCredential = perCredential
    self.waitMilliseconds = waitMilliseconds
  }

  /// Throws when the service has more than its number of requests, this one included.
  func requireRoom(for requests: Int) throws(S3Error) {
    guard requests > inFlight else { return }
    refused += 1
    throw .slowDown("The service has too many requests under way.")
  }

  /// A place for a request of the credential, if there is one now, to be left when its answer is over.
  func place(for fingerprint: String) -> Line? {
    let line = line(of: fingerprint)
    guard line.inFlight < line.most else { return nil }
    line.inFlight += 1
    return line
  }

  /// A place as `place(for:)` gives it, waited for if need be.
  func enter(_ fingerprint: String) async throws(S3Error) -> Line {
    if let line = place(for: fingerprint) { return line }
    let line = line(of: fingerprint)
    if line.waiting.count < Limits.waitingPerCredential {
      waited += 1
      let waiter = Waiter()
      line.waiting.append(waiter)
      if await waiter.wait(milliseconds: waitMilliseconds) { return line }
      line.waiting.removeAll { $0 === waiter }
    }
    if !Task.isCancelled { refused += 1 }
    throw .slowDown(
      "This credential has \(perCredential) requests under way, and others that wait.")
  }

  private func line(of fingerprint: String) -> Line {
    if let line = lines[fingerprint] { return line }
    if lines.count >= Limits.admissionLines {
      lines = lines.filter { $0.value.inFlight > 0 }
    }
    let line = Line(most: perCredential)
    lines[fingerprint] = line
    return line
  }
}

/// A request that waits for its place: until it gets it, its time is over, or its client is gone.
@Loop private final class Waiter {
  private var hasPlace: Bool?
  private var continuation: CheckedContinuation<Bool, Never>?

  nonisolated init() {}

  /// Whether a place came.
  func wait(milliseconds: UInt64) async -> Bool {
    let alarm = Loop.start {
      if await Loop.sleep(milliseconds: milliseconds) { _ = self.end(false) }
    }
    defer { alarm.cancel() }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        if let hasPlace {
          continuation.resume(returning: hasPlace)
        } else {
          self.continuation = continuation
        }
      }
    } onCancel: {
      Loop.perform { _ = self.end(false) }
    }
  }

  /// False: the waiting was over already.
  func end(_ hasPlace: Bool) -> Bool {
    guard self.hasPlace == nil else { return false }
    self.hasPlace = hasPlace
    continuation?.resume(returning: hasPlace)
    continuation = nil
    return true
  }
}

extension Gateway {
  /// The answer to a client that is turned away before its request is read: head and body.
  public nonisolated static var connectionRefusal: [UInt8] {
    let body = S3Error(.slowDown).body(resource: "", requestID: "")
    let head = """
      HTTP/1.1 503 Service Unavailable\r
      Content-Type: application/xml\r
      Content-Length: \(body.count)\r
      Retry-After: \(Limits.retryAfterSeconds)\r
      Connection: close\r
      \r

      """
    return Array(head.utf8) + body
  }
}

extension Admission {
  func write(to text: inout MetricsText) {
    text.single(
      "requests_waited_total", "counter", "Requests over their credential's number.", waited)
    text.single(
      "requests_refused_total", "counter", "Requests told to slow down, of these too.", refused)
  }
}
