// DataServerClient: the HTTPS servers of collections (globus.md 3). The only code that sends a
// collection's token, and only to the host that stands beside it in the grant.
//
// A faulty node sticks to its connection, so a doubtful answer is asked for once more on a fresh
// one; what is doubtful then is `unavailable`, and Transfer's `stat` decides about missing.

import Reactor

@Loop final class DataServerClient {
  private let http: HTTPClient

  init(_ configuration: Configuration) throws(ReactorError) {
    http = try HTTPClient(.collections(configuration))
  }

  /// Starts reading `path`, which begins with "/". The answer is 200, or 206 with bytes of `range`.
  func read(
    _ path: String, range: ClosedRange<UInt64>?, grant: CollectionGrant, trace: UpstreamTrace
  ) async throws(GlobusError) -> Transfer {
    var request = TransferRequest(
      "GET", "https://\(grant.httpsHost)\(PercentEncoding.path(path))",
      headers: [
        "Authorization": "Bearer \(grant.https.secret.value)",
        // Asks for machine-readable refusals in place of a redirect to a sign-in page.
        "X-Requested-With": "XMLHttpRequest",
      ])
    if let range { request.headers.add("Range", "bytes=\(range.lowerBound)-\(range.upperBound)") }
    switch await attempt(request, range: range, at: grant.httpsHost, trace) {
    case .object(let transfer): return transfer
    case .refused(let error): throw error
    case .doubtful: break
    }
    request.freshConnection = true
    switch await attempt(request, range: range, at: grant.httpsHost, trace) {
    case .object(let transfer): return transfer
    case .refused(let error): throw error
    case .doubtful(let why): throw .unavailable(why)
    }
  }

  private enum Attempt {
    case object(Transfer)
    case refused(GlobusError)
    case doubtful(String)
  }

  private func attempt(
    _ request: TransferRequest, range: ClosedRange<UInt64>?, at host: String,
    _ trace: UpstreamTrace
  ) async -> Attempt {
    trace.reads(host)
    do throws(TransferError) {
      let transfer = try await http.start(request)
      let head = transfer.head
      trace.answered(head.status, by: host)
      if DataServerAnswer.isObject(head, range: range) { return .object(transfer) }
      // A body that is too long, such as a sign-in page's, or that breaks leaves the status to judge.
      let body =
        (200...299).contains(head.status)
        ? [] : (try? await transfer.collect(limit: GlobusLimits.faultBytes)) ?? []
      return DataServerAnswer.meaning(status: head.status, headers: head.headers, body: body)
        .map { .refused($0) } ?? .doubtful("the collection's server answered \(head.status)")
    } catch {
      switch error.code {
      case .addressRefused, .cancelled, .invalid, .timeout:
        return .refused(GlobusError(error, from: "the collection's server"))
      case .resolveFailed, .connectFailed, .tlsFailed, .stalled, .broken, .protocolError, .tooLarge:
        return .doubtful("the collection's server: \(error)")
      }
    }
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
