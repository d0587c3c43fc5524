// Event: what is recorded of a request: an intent before any effect, a completion at the end.
//
// There are deliberately no fields for tokens, access key ids, signatures or query strings.
// The names of the cases are the record's own words, part of the contract of the view `requests`.

/// How a request carried its credential.
public enum Authentication: UInt8, Sendable, CaseIterable {
  case header, presigned, anonymous, none

  public var name: String {
    switch self {
    case .header: "header"
    case .presigned: "presigned"
    case .anonymous: "anonymous"
    case .none: "none"
    }
  }
}

/// What became of a request's credential.
public enum AuthenticationResult: UInt8, Sendable, CaseIterable {
  case verified, unverified, expired, revoked, badSignature, malformed, none

  public var name: String {
    switch self {
    case .verified: "verified"
    case .unverified: "unverified"
    case .expired: "expired"
    case .revoked: "revoked"
    case .badSignature: "bad_signature"
    case .malformed: "malformed"
    case .none: "none"
    }
  }
}

/// How a request ended, apart from its status: a 200 whose body was cut is not `ok`.
public enum Outcome: UInt8, Sendable, CaseIterable {
  case ok, clientError, serverError, clientAbort, upstreamAbort, timeout
  /// The server stopped before the end: the action may or may not have happened.
  case lost

  public var name: String {
    switch self {
    case .ok: "ok"
    case .clientError: "client_error"
    case .serverError: "server_error"
    case .clientAbort: "client_abort"
    case .upstreamAbort: "upstream_abort"
    case .timeout: "timeout"
    case .lost: "lost"
    }
  }

  public init?(name: String) {
    guard let outcome = Outcome.allCases.first(where: { $0.name == name }) else { return nil }
    self = outcome
  }
}

/// What a request is about to do, as far as it is known.
public struct Intent: Equatable, Sendable {
  public var requestID: RequestID
  /// Wall clock, microseconds since 1970, UTC.
  public var startMicroseconds: Int64
  public var method: String
  /// The S3 action's name, or `AuthStart`, `AuthCallback`, `Malformed`, `Unknown`.
  public var operation: String
  public var auth: Authentication = .none
  public var authResult: AuthenticationResult = .none
  /// The client's address; the peer's is that of a trusted proxy, or the same.
  public var remoteIP: String
  public var peerIP: String
  public var userAgent: String
  public var host: String?
  /// Lower-case UUID.
  public var collectionID: String?
  /// Decoded, without a leading `/`.
  public var objectKey: String?
  public var range: String?
  /// Lower-case UUID of the Globus identity.
  public var identityID: String?
  public var username: String?
  public var credentialFingerprint: String?

  public init(
    requestID: RequestID, startMicroseconds: Int64, method: String, operation: String,
    remoteIP: String, peerIP: String, userAgent: String
  ) {
    self.requestID = requestID
    self.startMicroseconds = startMicroseconds
    self.method = method
    self.operation = operation
    self.remoteIP = remoteIP
    self.peerIP = peerIP
    self.userAgent = userAgent
  }
}

/// How a request ended.
public struct Completion: Equatable, Sendable {
  public var outcome: Outcome
  /// The status sent; nil if the connection was closed without one.
  public var status: Int?
  public var errorCode: String?
  public var errorDetail: String?
  /// Body bytes received.
  public var bytesIn: Int64 = 0
  /// Body bytes handed to the kernel.
  public var bytesOut: Int64 = 0
  /// Monotonic clock.
  public var durationMicroseconds: Int64
  public var timeToFirstByteMicroseconds: Int64?
  public var objectSize: Int64?
  public var upstreamHost: String?
  public var upstreamStatus: Int?
  public var upstreamCalls: Int = 0
  /// These replace what the intent said: a sign-in learns them at its end.
  public var authResult: AuthenticationResult?
  public var identityID: String?
  public var username: String?
  public var credentialFingerprint: String?
  /// The collections that a sign-in opened; the first is the row's if its intent names none.
  public var collectionIDs: [String] = []

  public init(outcome: Outcome, status: Int?, durationMicroseconds: Int64) {
    self.outcome = outcome
    self.status = status
    self.durationMicroseconds = durationMicroseconds
  }
}

/// An intent with its completion; none: the request is lost.
struct Record: Equatable, Sendable {
  var intent: Intent
  var completion: Completion?
  /// Whether any text was longer than its limit and cut.
  var isTruncated = false
}
