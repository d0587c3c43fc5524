// DataServerClient: the HTTPS servers of collections (globus.md 3). The only code that sends a
// collection's token, and only to the host that stands beside it in the grant.
//
// One name stands for several nodes, and a faulty node sticks to its connection: a doubtful answer
// is asked for again on a fresh connection to another node. What stays doubtful is `unavailable`,
// and Transfer's `stat` decides about missing.

import Reactor

/// One collection's server, and the token for it.
final class DataServerAccess: Sendable {
  /// With `:port` unless it is 443.
  fileprivate let host: String
  fileprivate let origin: String
  fileprivate let headers: Headers

  init(_ grant: CollectionGrant) {
    host = grant.httpsHost
    origin = "https://\(host)"
    headers = [
      "Authorization": "Bearer \(grant.https.secret.value)",
      // Asks for machine-readable refusals in place of a redirect to a sign-in page.
      "X-Requested-With": "XMLHttpRequest",
    ]
  }
}

@Loop final class DataServerClient {
  private let http: HTTPClient
  private let silenceMilliseconds: UInt32
  private let breaker: Breaker
  private let metrics: UpstreamMetrics

  init(
    _ configuration: Configuration, metrics: UpstreamMetrics = UpstreamMetrics(),
    breaker: Breaker? = nil
  ) throws(ReactorError) {
    self.metrics = metrics
    self.breaker = breaker ?? Breaker()
    silenceMilliseconds = configuration.upstreamSilenceMilliseconds
    http = try HTTPClient(.collections(configuration))
  }

  /// Starts reading `path`, which begins with "/". The answer is 200, or 206 with bytes of `range`.
  func read(
    _ path: String, range: ClosedRange<UInt64>?, over connection: TransferRequest.Connection,
    by access: DataServerAccess, trace: UpstreamTrace
  ) async throws(GlobusError) -> Transfer {
    var request = TransferRequest(
      "GET", access.origin + PercentEncoding.path(path), headers: access.headers)
    if let range { request.headers.add("Range", "bytes=\(range.lowerBound)-\(range.upperBound)") }
    request.firstByteTimeoutMilliseconds = silenceMilliseconds
    request.stallTimeoutMilliseconds = silenceMilliseconds
    request.connectTimeoutMilliseconds = GlobusLimits.connectMilliseconds
    request.connection = connection
    request.closesOnError = true
    guard breaker.admits(access.host) else {
      throw .unavailable("the collection's server could not be reached just now")
    }
    var retries = Retries(limit: GlobusLimits.readRetries)
    while true {
      switch await attempt(request, range: range, at: access.host, trace) {
      case .object(let transfer): return transfer
      case .refused(let error): throw error
      case .doubtful(let error, let cause, let address):
        guard let pause = retries.pause(after: cause), await Loop.sleep(milliseconds: pause)
        else {
          if case .notReached = cause { breaker.notReached(access.host) }
          throw error
        }
        metrics.retried(.collection)
        // Whoever asks to slow down is not evaded.
        if case .busy = cause { continue }
        request.connection = request.connection.avoiding(address)
      }
    }
  }

  private enum Attempt {
    case object(Transfer)
    case refused(GlobusError)
    /// What to throw if it is not tried again, why it could be, and the node.
    case doubtful(GlobusError, Retries.Cause, at: String)
  }

  private func attempt(
    _ request: TransferRequest, range: ClosedRange<UInt64>?, at host: String,
    _ trace: UpstreamTrace
  ) async -> Attempt {
    trace.reads(host)
    let began = Loop.clockMicroseconds
    metrics.began(.collection)
    do throws(TransferError) {
      let transfer = try await http.start(request)
      let head = transfer.head
      metrics.answered(.collection, head.status, since: began)
      breaker.reached(host)
      trace.answered(head.status, by: host)
      if DataServerAnswer.isObject(head, range: range) { return .object(transfer) }
      // A body that is too long, such as a sign-in page's, or that breaks leaves the status to judge.
      let body =
        (200...299).contains(head.status)
        ? [] : (try? await transfer.collect(limit: GlobusLimits.faultBytes)) ?? []
      switch DataServerAnswer.meaning(status: head.status, headers: head.headers, body: body) {
      case .slowDown(let seconds?):
        return .doubtful(
          .slowDown(retryAfter: seconds), .busy(seconds: seconds), at: head.address)
      case let error?: return .refused(error)
      case nil:
        return .doubtful(
          .unavailable("the collection's server answered \(head.status)"), .fault,
          at: head.address)
      }
    } catch {
      let meaning = GlobusError(error, from: "the collection's server")
      metrics.failed(.collection, error.code)
      switch error.code {
      case .addressRefused, .cancelled, .invalid: return .refused(meaning)
      case .timeout: return .doubtful(meaning, .timeout, at: error.address)
      case .resolveFailed, .connectFailed:
        let spent = Loop.clockMicroseconds - began
        let isInTime = spent < UInt64(GlobusLimits.connectMilliseconds) * 1_000
        return .doubtful(meaning, .notReached(inTime: isInTime), at: error.address)
      case .tlsFailed, .stalled, .broken, .protocolError, .tooLarge:
        return .doubtful(meaning, .fault, at: error.address)
      }
    }
  }
}

extension TransferRequest.Connection {
  /// A fresh one that avoids `address` as well; "" when it isn't known.
  func avoiding(_ address: String) -> TransferRequest.Connection {
    var addresses: [String] = []
    if case .fresh(let avoided) = self { addresses = avoided }
    if !address.isEmpty, !addresses.contains(address) { addresses.append(address) }
    return .fresh(avoiding: addresses)
  }
}

/// What answers of a collection's HTTPS server mean, as far as they tell by themselves.
enum DataServerAnswer {
  /// Whether the body is the object, or the bytes of it that were asked for. A server may answer a
  /// range with the whole; a range's end beyond the object's is cut.
  static func isObject(_ head: ResponseHead, range: ClosedRange<UInt64>?) -> Bool {
    isObject(
      status: head.status, contentRange: head.headers["Content-Range"],
      length: head.contentLength, range: range)
  }

  static func isObject(
    status: Int, contentRange: String?, length: UInt64?, range: ClosedRange<UInt64>?
  ) -> Bool {
    guard status == 206 else { return status == 200 }
    guard let range, let given = contentRange.flatMap(bounds),
      given.lowerBound == range.lowerBound, given.upperBound <= range.upperBound
    else { return false }
    let (count, overflow) = (given.upperBound - given.lowerBound).addingReportingOverflow(1)
    return !overflow && length.map { $0 == count } ?? true
  }

  /// The error that an answer other than the object certainly is; nil: may be a fault.
  static func meaning(status: Int, headers: Headers, body: [UInt8]) -> GlobusError? {
    let verdict = FaultTriage.verdict(body)
    switch status {
    case 300...399: return .expired
    case 401:
      // The body always names the scope; only demands on the session are more than expiry.
      let requirements = SignInRequirements(json: body)
      return requirements.isAboutSession ? .signInRequired(requirements) : .expired
    case 416: return .invalidRange
    case 429: return .slowDown(retryAfter: retryAfter(headers))
    case 503 where headers["Retry-After"] != nil: return .slowDown(retryAfter: retryAfter(headers))
    case 200...299: return nil
    default: break
    }
    return switch verdict {
    case .signIn: .signInRequired(SignInRequirements(json: body))
    case .noAccount: .noAccount
    case .missing, .directory: .notFound
    case .denied: .denied
    case .full, .ambiguous: status == 403 ? .denied : nil
    }
  }

  /// First and last of `bytes 0-499/1234`; the total is `*` at Globus (RFC 9110 section 14.4).
  private static func bounds(_ text: String) -> ClosedRange<UInt64>? {
    guard text.hasPrefix("bytes ") else { return nil }
    let range = text.dropFirst("bytes ".count).prefix { $0 != "/" }
    let parts = range.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let first = UInt64(parts[0]), let last = UInt64(parts[1]),
      first <= last
    else { return nil }
    return first...last
  }
}
