// The token endpoint's answer (globus.md 1.3): one token per resource server, in no order.

import FoundationEssentials

/// A token with the scopes that it has.
struct GrantedToken: Sendable {
  let token: Token
  let scopes: Set<String>
}

/// Tokens by resource server.
struct AuthTokens: Sendable {
  private let byServer: [String: GrantedToken]

  /// Reads the answer to a grant that was asked for at `now` (Unix seconds).
  init(_ body: [UInt8], now: Int64) throws(AuthError) {
    guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)) else {
      throw .unavailable("Auth's tokens are not what they are documented to be")
    }
    let documents = [answer.first] + answer.others
    guard documents.count <= GlobusLimits.tokensPerAnswer else {
      throw .unavailable("Auth gave \(documents.count) tokens")
    }
    var byServer: [String: GrantedToken] = [:]
    for document in documents {
      byServer[document.resourceServer.lowercased()] = try document.granted(now)
    }
    self.byServer = byServer
  }

  /// For userinfo; nil unless `openid` was granted.
  var identity: IdentityToken? {
    guard let granted = byServer[GlobusScopes.authServer], granted.scopes.contains("openid") else {
      return nil
    }
    return IdentityToken(secret: granted.token.secret)
  }

  /// For Transfer; nil unless everything there was granted.
  var transfer: Token? {
    guard let granted = byServer[GlobusScopes.transferServer],
      granted.scopes.contains(GlobusScopes.transfer)
    else { return nil }
    return granted.token
  }

  /// For the HTTPS server of a collection; nil unless each scope that it needs was granted.
  func https(_ id: CollectionID, needsDataAccess: Bool) -> Token? {
    guard let granted = byServer[id.description], granted.scopes.contains(GlobusScopes.https(id)),
      !needsDataAccess || granted.scopes.contains(GlobusScopes.dataAccess(id))
    else { return nil }
    return granted.token
  }
}

/// The first token stands at the top of the answer, the others in a list beside it.
private struct Answer: Decodable {
  let first: TokenDocument
  let others: [TokenDocument]

  private enum CodingKeys: String, CodingKey { case others = "other_tokens" }

  init(from decoder: any Decoder) throws {
    first = try TokenDocument(from: decoder)
    others =
      try decoder.container(keyedBy: CodingKeys.self)
      .decodeIfPresent([TokenDocument].self, forKey: .others) ?? []
  }
}

private struct TokenDocument: Decodable {
  let accessToken: String
  let expiresIn: Int
  let resourceServer: String
  let scope: String
  let tokenType: String?

  private enum CodingKeys: String, CodingKey {
    case scope
    case accessToken = "access_token"
    case expiresIn = "expires_in"
    case resourceServer = "resource_server"
    case tokenType = "token_type"
  }

  func granted(_ now: Int64) throws(AuthError) -> GrantedToken {
    guard (1...CredentialLimits.tokenBytes).contains(accessToken.utf8.count),
      accessToken.utf8.allSatisfy(TokenDocument.isTokenByte),
      GlobusLimits.tokenSeconds.contains(expiresIn),
      tokenType.map({ $0.lowercased() == "bearer" }) ?? true
    else { throw .unavailable("Auth gave a token that can't be used") }
    return GrantedToken(
      token: Token(secret: Secret(accessToken), expiresAt: now + Int64(expiresIn)),
      scopes: Set(scope.split(separator: " ").map(String.init)))
  }

  /// RFC 6750 section 2.1, `b64token`.
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "-._~+/=".utf8.contains(byte)
    }
  }
}
