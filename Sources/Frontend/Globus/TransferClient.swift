// TransferClient: the Transfer API (globus.md 2). The only code that sends a Transfer token.

import Reactor

/// An access token for Transfer.
struct TransferToken: Sendable {
  let secret: Secret
}

@Loop final class TransferClient {
  private let base: String
  private let host: String
  private let http: HTTPClient

  init(_ configuration: Configuration) throws(ReactorError) {
    base = configuration.transferURL + "/v0.10"
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
    if let milliseconds { request.firstByteTimeoutMilliseconds = milliseconds }
    trace.asks(host)
    let answer: (head: ResponseHead, body: [UInt8])
    do throws(TransferError) {
      answer = try await http.fetch(request, limit: limit)
    } catch {
      throw GlobusError(error, from: "Transfer")
    }
    trace.answered(answer.head.status, by: host)
    guard answer.head.status == 200 else {
      throw TransferFault.error(
        status: answer.head.status, headers: answer.head.headers, body: answer.body)
    }
    return answer.body
  }
}
