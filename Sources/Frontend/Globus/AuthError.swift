// Errors of Globus Auth (globus.md 1.3). Its descriptions of them are read by nobody here.

import FoundationEssentials
import Reactor

/// Why Auth did not do what was asked.
enum AuthError: Error, Equatable, Sendable {
  /// The code is used, expired or not ours.
  case invalidGrant
  /// Auth does not accept the client id and secret.
  case invalidClient
  /// Auth knows no such scope.
  case unknownScope
  /// Auth asks to slow down; seconds if it said how many.
  case slowDown(retryAfter: Int?)
  /// Not reachable, not understood, or faulty; the text is for the log.
  case unavailable(String)

  /// What an answer other than 200 means.
  init(status: Int, headers: Headers, body: [UInt8]) {
    let code = (try? JSONDecoder().decode(Document.self, from: Data(body)))?.error
    switch (status, code) {
    case (400...401, "invalid_grant"): self = .invalidGrant
    case (400...403, "unknown_scope_error"), (400...403, "invalid_scope_error"),
      (400...403, "invalid_scope"):
      self = .unknownScope
    case (400...401, "invalid_client"), (401, _), (400...403, "unauthorized_client"):
      self = .invalidClient
    case (429, _), (503, _): self = .slowDown(retryAfter: retryAfter(headers))
    default: self = .unavailable("Auth answered \(status)")
    }
  }

  private struct Document: Decodable { let error: String? }
}
