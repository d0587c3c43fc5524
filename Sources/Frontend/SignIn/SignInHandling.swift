// SignInHandling: what the gateway asks of the sign-in flow, and what it records of the answer.
//
// The flow never sees the connection: it gets the parsed request and returns a whole answer, which
// the gateway sends and records. Nothing of `parameters` is ever stored or logged.

import Reactor

/// A request to `?auth` or `?auth-callback`.
struct SignInRequest: Sendable {
  /// For cookies, `Accept` and the like.
  let head: RequestHead
  /// `Host` as the client sent it, lower case, with port; empty when there is none.
  let host: String
  /// The query, decoded, in order; a parameter without "=" has an empty value.
  let parameters: [(name: String, value: String)]
  /// The collections asked for: from the path, the host name or the `collection` parameters, in
  /// order and each once. Empty for the callback.
  let collections: [CollectionID]
  /// `?auth&strict`: the credential's signatures are always to be verified.
  let isStrict: Bool
  /// `x-amz-request-id` of this request, for error pages.
  let requestID: String

  /// The first value of that query parameter.
  func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
}

/// A whole answer, and what the audit keeps of it.
struct SignInReply: Sendable {
  var status: Int
  var headers: Headers
  var body: [UInt8]
  /// A short name for what went wrong, for the audit's `error_code`; nil when nothing did.
  var errorCode: String?
  /// Who signed in, once that is known.
  var identityID: String?
  var username: String?
  /// The fingerprint of the credential that was minted.
  var credentialFingerprint: String?
  /// The root folder of the credential's bucket, which goes into the row as its key.
  var rootFolder: RootFolder?
  /// The collections that the flow is about; the first one goes into the audit row.
  var collections: [CollectionID] = []

  init(status: Int, headers: Headers = [:], body: [UInt8] = [], errorCode: String? = nil) {
    self.status = status
    self.headers = headers
    self.body = body
    self.errorCode = errorCode
  }
}

/// The OAuth2 sign-in. Both functions answer every request, errors included.
@Loop protocol SignInHandling: AnyObject {
  /// `?auth`: begins a flow, or says why it can't.
  func start(_ request: SignInRequest, trace: UpstreamTrace) async -> SignInReply
  /// `?auth-callback`: ends the flow with a credential, or says why it can't.
  func callback(_ request: SignInRequest, trace: UpstreamTrace) async -> SignInReply
}
