// AuthClient: Globus Auth (globus.md 1). The only code that sends the client's secret, an
// authorization code or an identity token.

import Crypto
import FoundationEssentials
import Reactor

/// PKCE (RFC 7636): what binds a code to whoever asked for it.
struct CodeVerifier: Equatable, Sendable {
  /// 43 to 128 unreserved characters (section 4.1).
  let secret: Secret

  /// 256 random bits.
  static func random() -> CodeVerifier {
    CodeVerifier(secret: Secret(Base64URL.encode(Random.bytes(32))))
  }

  /// Method S256 (section 4.2).
  var challenge: String { Base64URL.encode(SHA256.hash(secret.value.utf8)) }
}

@Loop final class AuthClient {
  /// Auth's URL, which is also its issuer identifier.
  let issuer: String
  /// Registered with the app, byte for byte.
  let redirectURI: String
  private let clientID: String
  private let authorization: Secret
  private let host: String
  private let http: HTTPClient
  private let metrics: UpstreamMetrics

  init(
    _ configuration: Configuration, metrics: UpstreamMetrics = UpstreamMetrics()
  ) throws(ReactorError) {
    self.metrics = metrics
    issuer = configuration.authURL
    redirectURI = "\(configuration.baseURL)/?auth-callback"
    clientID = configuration.clientID
    authorization = AuthClient.basic(configuration.clientID, configuration.clientSecret)
    host = BaseURL(configuration.authURL)?.host ?? GlobusScopes.authServer
    http = try HTTPClient(
      .service(at: configuration.authURL, configuration, maxActive: GlobusLimits.authCalls))
  }

  /// Where a browser is sent to ask for `scope`, and for `session` beside it.
  func authorizeURL(
    scope: String, state: String, verifier: CodeVerifier,
    session: [(name: String, value: String)] = []
  ) -> String {
    let query = PercentEncoding.query(
      [
        ("response_type", "code"), ("client_id", clientID), ("redirect_uri", redirectURI),
        ("scope", scope), ("state", state), ("access_type", "online"),
        ("code_challenge", verifier.challenge), ("code_challenge_method", "S256"),
      ] + session)
    return "\(issuer)/v2/oauth2/authorize?\(query)"
  }

  /// The tokens for an authorization code (RFC 6749 section 4.1.3).
  func exchange(
    code: String, verifier: CodeVerifier, trace: UpstreamTrace
  ) async throws(AuthError) -> AuthTokens {
    try await grant(
      [
        ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirectURI),
        ("code_verifier", verifier.secret.value),
      ], trace)
  }

  /// The app's own token for Transfer (RFC 6749 section 4.4).
  func clientCredentials(trace: UpstreamTrace) async throws(AuthError) -> Token {
    let tokens = try await grant(
      [("grant_type", "client_credentials"), ("scope", GlobusScopes.transfer)], trace)
    guard let token = tokens.transfer else {
      throw .unavailable("Auth gave the app no token for Transfer")
    }
    return token
  }

  /// Who a token's holder is (OpenID Connect Core section 5.3).
  func userInfo(
    _ token: IdentityToken, trace: UpstreamTrace
  ) async throws(AuthError) -> UserInfo {
    let request = TransferRequest(
      "GET", "\(issuer)/v2/oauth2/userinfo",
      headers: ["Authorization": "Bearer \(token.secret.value)", "Accept": "application/json"])
    return try UserInfo(await send(request, trace))
  }

  private func grant(
    _ form: [(name: String, value: String)], _ trace: UpstreamTrace
  ) async throws(AuthError) -> AuthTokens {
    let request = TransferRequest(
      "POST", "\(issuer)/v2/oauth2/token",
      headers: [
        "Authorization": authorization.value, "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
      ],
      body: Array(PercentEncoding.query(form).utf8))
    // The tokens' time runs from before the question, so that they never end before we think.
    let now = Loop.wallClockMicroseconds / 1_000_000
    return try AuthTokens(await send(request, trace), now: now)
  }

  private func send(
    _ request: TransferRequest, _ trace: UpstreamTrace
  ) async throws(AuthError) -> [UInt8] {
    trace.asks(host)
    let answer: (head: ResponseHead, body: [UInt8])
    do throws(TransferError) {
      answer = try await http.fetch(
        request, limit: GlobusLimits.documentBytes, metrics, .auth)
    } catch {
      throw .unavailable("Auth: \(error)")
    }
    trace.answered(answer.head.status, by: host)
    guard answer.head.status == 200 else {
      throw AuthError(
        status: answer.head.status, headers: answer.head.headers, body: answer.body)
    }
    return answer.body
  }

  /// RFC 7617. Not form-encoded first, as RFC 6749 section 2.3.1 has it: Globus's own SDK does not.
  nonisolated static func basic(_ id: String, _ secret: String) -> Secret {
    Secret("Basic " + Data("\(id):\(secret)".utf8).base64EncodedString())
  }
}
