// The token endpoint: one token per resource server, the first at top level and the others in
// `other_tokens`, which is there even when it is empty.

import Crypto
import Reactor

extension AuthService {
  func token(_ form: Parameters) -> Reply {
    do {
      switch form["grant_type"] {
      case "authorization_code": return try authorizationCode(form)
      case "refresh_token": return try refreshToken(form)
      case "client_credentials": return try clientCredentials(form)
      default: return Reply(400, json: ["error": "unsupported_grant_type"])
      }
    } catch {
      return Reply(503, json: ["error": "temporarily_unavailable"])
    }
  }

  private func authorizationCode(_ form: Parameters) throws(TokenStore.Full) -> Reply {
    let authorization = deployment.tokens.redeem(
      form["code"] ?? "", redirectURI: form["redirect_uri"] ?? "",
      verifier: form["code_verifier"], now: deployment.now)
    guard let authorization else { return Reply(401, json: ["error": "invalid_grant"]) }
    let issued = try issue(
      authorization.scopes, authorization.identity, session: authorization.session,
      offline: authorization.offline)
    var document = document(issued)
    if let state = authorization.state { document["state"] = .string(state) }
    if let token = issued.first(where: { $0.record.has("openid") }) {
      document["id_token"] = .string(idToken(token.record, nonce: authorization.nonce))
    }
    return Reply(200, json: .object(document))
  }

  private func refreshToken(_ form: Parameters) throws(TokenStore.Full) -> Reply {
    let token = form["refresh_token"] ?? ""
    let issued = try deployment.tokens.refresh(
      token, rotate: deployment.faults.rotatesRefreshTokens, now: deployment.now)
    guard let issued else {
      return Reply(401, json: ["error": "invalid_grant"])
    }
    return Reply(200, json: .object(document([issued])))
  }

  private func clientCredentials(_ form: Parameters) throws(TokenStore.Full) -> Reply {
    let scopes: [Scope]
    do {
      scopes = try Scope.parse(form["scope"] ?? "")
    } catch {
      return Reply(
        400, json: ["error": "invalid_scope_error", "error_description": .string(error.reason)])
    }
    let unknown = deployment.unknownScopes(in: scopes)
    guard unknown.isEmpty, !scopes.isEmpty else {
      let names = unknown.joined(separator: " ")
      return Reply(
        400, json: ["error": "unknown_scope_error", "error_description": .string(names)])
    }
    let issued = try issue(scopes, deployment.clientIdentity, offline: false)
    return Reply(200, json: .object(document(issued)))
  }

  private func issue(
    _ scopes: [Scope], _ identity: LocalGlobusConfiguration.Identity,
    session: SessionParameters = .none, offline: Bool
  ) throws(TokenStore.Full) -> [IssuedToken] {
    var issued: [IssuedToken] = []
    for (resourceServer, scopes) in deployment.byResourceServer(scopes) {
      issued.append(
        try deployment.tokens.issue(
          resourceServer: resourceServer, scopes: scopes, identity: identity, session: session,
          offline: offline, now: deployment.now))
    }
    return issued
  }

  private func document(_ issued: [IssuedToken]) -> [String: JSON] {
    let documents = issued.map { token in
      var document: [String: JSON] = [
        "access_token": .string(token.accessToken), "token_type": "Bearer",
        "scope": .string(token.record.scopes.map(\.name).joined(separator: " ")),
        "expires_in": .int(token.record.expires - token.record.issued),
        "resource_server": .string(token.record.resourceServer),
      ]
      if let refreshToken = token.refreshToken { document["refresh_token"] = .string(refreshToken) }
      return document
    }
    var document = documents.first ?? [:]
    document["other_tokens"] = .array(documents.dropFirst().map { .object($0) })
    return document
  }

  /// A JWT signed with the app's secret (HS256, OpenID Connect Core section 3.1.3.7).
  private func idToken(_ record: AccessToken, nonce: String?) -> String {
    var claims = claims(record)
    claims["iss"] = .string(deployment.authURL)
    claims["aud"] = .string(deployment.configuration.clientID)
    claims["iat"] = .int(record.issued)
    claims["exp"] = .int(record.expires)
    if let nonce { claims["nonce"] = .string(nonce) }
    let header: JSON = ["alg": "HS256", "typ": "JWT"]
    let signed = Base64URL.encode(header.bytes) + "." + Base64URL.encode(JSON.object(claims).bytes)
    let signature = HMACSHA256.authenticate(
      signed.utf8, key: deployment.configuration.clientSecret.utf8)
    return signed + "." + Base64URL.encode(signature)
  }
}
