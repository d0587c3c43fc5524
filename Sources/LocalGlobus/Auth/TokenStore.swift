// TokenStore: authorization codes and tokens, in memory.
//
// Invariants: a code is used up by the first attempt to redeem it, whether that succeeds or not; an
// access token dies with the refresh token that it came with. The time is always handed in.

import Crypto

/// What a user approved, to be exchanged by the app that asked.
struct Authorization: Sendable {
  var redirectURI: String
  var scopes: [Scope]
  var identity: LocalGlobusConfiguration.Identity
  /// Refresh tokens were asked for.
  var offline: Bool
  var state: String?
  var nonce: String?
  /// base64url of the verifier's SHA-256 (RFC 7636 section 4.2).
  var codeChallenge: String?
  var session = SessionParameters.none
}

struct AccessToken: Sendable {
  let resourceServer: String
  let scopes: [Scope]
  let identity: LocalGlobusConfiguration.Identity
  /// What the sign-in asked for, which a refresh does not change.
  let session: SessionParameters
  let issued, expires: Int64
  fileprivate let refreshToken: String?

  func has(_ scope: String) -> Bool { scopes.contains { $0.name == scope } }
}

/// A token on its way to the app.
struct IssuedToken {
  let accessToken: String
  let refreshToken: String?
  let record: AccessToken
}

struct TokenStore {
  /// No room for another code or token.
  struct Full: Error {}

  private let accessTokenLifetime: Int64
  private let accessTokenBytes: Int
  private let capacity: (codes: Int, tokens: Int)
  private var codes: [String: (authorization: Authorization, expires: Int64)] = [:]
  private var accessTokens: [String: AccessToken] = [:]
  private var refreshTokens: [String: RefreshGrant] = [:]

  private struct RefreshGrant {
    let resourceServer: String
    let scopes: [Scope]
    let identity: LocalGlobusConfiguration.Identity
    let session: SessionParameters
  }

  /// `capacity`: codes that wait, and access and refresh tokens alive, each.
  init(
    accessTokenLifetime: Int64, accessTokenBytes: Int = LocalGlobusConfiguration.tokenBytes,
    capacity: (codes: Int, tokens: Int) = (Limits.codes, Limits.tokens)
  ) {
    self.accessTokenLifetime = accessTokenLifetime
    self.accessTokenBytes = accessTokenBytes
    self.capacity = capacity
  }

  mutating func makeCode(for authorization: Authorization, now: Int64) throws(Full) -> String {
    if codes.count >= capacity.codes { codes = codes.filter { $0.value.expires > now } }
    guard codes.count < capacity.codes else { throw Full() }
    let code = TokenStore.randomText(32)
    codes[code] = (authorization, now + Limits.codeLifetimeSeconds)
    return code
  }

  /// Nil unless code, redirect URI and verifier belong together and the code is fresh.
  mutating func redeem(
    _ code: String, redirectURI: String, verifier: String?, now: Int64
  ) -> Authorization? {
    guard let (authorization, expires) = codes.removeValue(forKey: code), expires > now,
      authorization.redirectURI == redirectURI,
      verifier.map({ Base64URL.encode(SHA256.hash($0.utf8)) }) == authorization.codeChallenge
    else { return nil }
    return authorization
  }

  mutating func issue(
    resourceServer: String, scopes: [Scope], identity: LocalGlobusConfiguration.Identity,
    session: SessionParameters = .none, offline: Bool, now: Int64
  ) throws(Full) -> IssuedToken {
    guard refreshTokens.count < capacity.tokens else { throw Full() }
    let refreshToken = offline ? TokenStore.randomToken() : nil
    let grant = RefreshGrant(
      resourceServer: resourceServer, scopes: scopes, identity: identity, session: session)
    let issued = try issueAccessToken(grant, refreshToken: refreshToken, now: now)
    if let refreshToken { refreshTokens[refreshToken] = grant }
    return issued
  }

  /// A new access token; the refresh token stays the same, unless it is to be replaced. Nil when
  /// there is no such token.
  mutating func refresh(
    _ refreshToken: String, rotate: Bool = false, now: Int64
  ) throws(Full) -> IssuedToken? {
    guard let grant = refreshTokens[refreshToken] else { return nil }
    guard rotate else { return try issueAccessToken(grant, refreshToken: refreshToken, now: now) }
    revoke(refreshToken)
    let next = TokenStore.randomToken()
    let issued = try issueAccessToken(grant, refreshToken: next, now: now)
    refreshTokens[next] = grant
    return issued
  }

  /// The token's record while it is valid.
  func accessToken(_ token: String, now: Int64) -> AccessToken? {
    guard let record = accessTokens[token], record.expires > now else { return nil }
    return record
  }

  mutating func revoke(_ token: String) {
    accessTokens[token] = nil
    if refreshTokens.removeValue(forKey: token) != nil {
      accessTokens = accessTokens.filter { $0.value.refreshToken != token }
    }
  }

  private mutating func issueAccessToken(
    _ grant: RefreshGrant, refreshToken: String?, now: Int64
  ) throws(Full) -> IssuedToken {
    if accessTokens.count >= capacity.tokens {
      accessTokens = accessTokens.filter { $0.value.expires > now }
    }
    guard accessTokens.count < capacity.tokens else { throw Full() }
    let record = AccessToken(
      resourceServer: grant.resourceServer, scopes: grant.scopes, identity: grant.identity,
      session: grant.session, issued: now, expires: now + accessTokenLifetime,
      refreshToken: refreshToken)
    let token = TokenStore.randomToken(accessTokenBytes)
    accessTokens[token] = record
    return IssuedToken(accessToken: token, refreshToken: refreshToken, record: record)
  }

  /// Opaque and about as long as Globus's own, which start with "Ag".
  private static func randomToken(_ bytes: Int = LocalGlobusConfiguration.tokenBytes) -> String {
    "Ag" + randomText(bytes)
  }

  static func randomText(_ bytes: Int) -> String {
    String(decoding: Base62.encode(Random.bytes(bytes)), as: UTF8.self)
  }
}
