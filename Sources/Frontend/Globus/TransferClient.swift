// TransferClient: the Transfer API (globus.md 2). The only code that sends a Transfer token.
//
// Every call is a GET, and made again when Transfer itself failed; never when its 502 says what the
// storage said.

import Reactor

/// An access token for Transfer.
struct TransferToken: Sendable {
  let secret: Secret
}

@Loop final class TransferClient {
  private let base: String
  private let host: String
  private let http: HTTPClient
  private let silenceMilliseconds: UInt32
  private let metrics: UpstreamMetrics

  init(
    _ configuration: Configuration, metrics: UpstreamMetrics = UpstreamMetrics()
  ) throws(ReactorError) {
    self.metrics = metrics
    base = configuration.transferURL + "/v0.10"
    silenceMilliseconds = configuration.upstreamSilenceMilliseconds
    host = BaseURL(configuration.transferURL)?.host ?? GlobusScopes.transferServer
    http = try HTTPClient(
      .service(
        at: configuration.transferURL, configuration, maxActive: GlobusLimits.transferCalls))
  }

  /// The collection's document. `collectionNotFound` for one that this token's holder can't see.
  func collection(
    _ id: CollectionID, token: TransferToken, trace: UpstreamTrace
  ) async throws(GlobusError) -> CollectionDocument {
    do throws(GlobusError) {
      let body = try await get("/endpoint/\(id)", token, trace)
      return try GlobusJSON.decode(CollectionDocument.self, from: body, "a collection's document")
    } catch .notFound {
      throw .collectionNotFound
    }
  }

  /// The status of `path`.
  func stat(
    _ path: String, in id: CollectionID, token: TransferToken, trace: UpstreamTrace
  ) async throws(GlobusError) -> FileStatus {
    let query = "path=\(PercentEncoding.path(path))"
    let body = try await get("/operation/endpoint/\(id)/stat?\(query)", token, trace)
    return try GlobusJSON.decode(FileDocument.self, from: body, "Transfer's stat").status()
  }

  /// The entries of the folder `path`, hidden ones too, from one call.
  func list(
    _ path: String, in id: CollectionID, token: TransferToken, trace: UpstreamTrace
  ) async throws(GlobusError) -> [FolderEntry] {
    let query =
      "path=\(PercentEncoding.path(path))&show_hidden=1&limit=\(GlobusLimits.listingEntries)"
    let body = try await get(
      "/operation/endpoint/\(id)/ls?\(query)", token, trace, limit: GlobusLimits.listingBytes,
      milliseconds: GlobusLimits.listingMilliseconds)
    return try GlobusJSON.decode(FolderDocument.self, from: body, "Transfer's listing").entries()
  }

  private func get(
    _ path: String, _ token: TransferToken, _ trace: UpstreamTrace,
    limit: Int = GlobusLimits.documentBytes, milliseconds: UInt32? = nil
  ) async throws(GlobusError) -> [UInt8] {
    var request = TransferRequest(
      "GET", base + path,
      headers: ["Authorization": "Bearer \(token.secret.value)", "Accept": "application/json"])
    request.connectTimeoutMilliseconds = GlobusLimits.connectMilliseconds
    request.firstByteTimeoutMilliseconds = milliseconds ?? silenceMilliseconds
    request.stallTimeoutMilliseconds = silenceMilliseconds
    var retries = Retries(limit: GlobusLimits.transferRetries)
    while true {
      switch await attempt(request, limit: limit, trace) {
      case .document(let body): return body
      case .refused(let error): throw error
      case .failed(let error, let cause):
        guard let pause = retries.pause(after: cause), await Loop.sleep(milliseconds: pause)
        else { throw error }
        metrics.retried(.transfer)
        request.connection = .fresh(avoiding: [])
      }
    }
  }

  private enum Attempt {
    case document([UInt8])
    case refused(GlobusError)
    /// What to throw if it is not tried again, and why it could be.
    case failed(GlobusError, Retries.Cause)
  }

  private func attempt(
    _ request: TransferRequest, limit: Int, _ trace: UpstreamTrace
  ) async -> Attempt {
    trace.asks(host)
    do throws(TransferError) {
      let (head, body) = try await http.fetch(request, limit: limit, metrics, .transfer)
      trace.answered(head.status, by: host)
      if head.status == 200 { return .document(body) }
      let error = TransferFault.error(status: head.status, headers: head.headers, body: body)
      switch error {
      case .slowDown(let seconds?): return .failed(error, .busy(seconds: seconds))
      case .slowDown(nil) where head.status == 503: return .failed(error, .fault)
      case .unavailable where head.status >= 500 && !Self.isStoragesWord(body):
        return .failed(error, .fault)
      default: return .refused(error)
      }
    } catch {
      let meaning = GlobusError(error, from: "Transfer")
      switch error.code {
      case .addressRefused, .cancelled, .invalid, .timeout, .tooLarge: return .refused(meaning)
      case .resolveFailed, .connectFailed, .tlsFailed, .stalled, .broken, .protocolError:
        return .failed(meaning, .fault)
      }
    }
  }

  /// Whether an error comes from behind Transfer, which Globus's own SDK never asks for again.
  private static func isStoragesWord(_ body: [UInt8]) -> Bool {
    body.contains(Array("ExternalError".utf8)) || body.contains(Array("EndpointError".utf8))
  }
}
