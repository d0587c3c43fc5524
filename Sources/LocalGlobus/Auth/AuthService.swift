// AuthService: Globus Auth's OAuth2 endpoints: authorize (with the consent form), token, revoke,
// introspect and userinfo.
//
// The consent form is a plain POST of the authorize request's own parameters, beside them
// `decision=approve` or `decision=deny` and, optionally, `identity=USERNAME`. It wants no cookie,
// so a test approves by posting the query string that it was sent to.

import Reactor

@Loop struct AuthService {
  let deployment: Deployment

  func answer(_ request: Request) -> Reply {
    switch (request.method, request.path) {
    case ("GET", "/v2/oauth2/authorize"), ("HEAD", "/v2/oauth2/authorize"):
      return authorize(request.query, decision: nil)
    case ("POST", "/v2/oauth2/authorize"):
      return authorize(request.form, decision: request.form["decision"] ?? "")
    case ("POST", "/v2/oauth2/token"):
      return asClient(request, token)
    case ("POST", "/v2/oauth2/token/revoke"):
      return asClient(request, revoke)
    case ("POST", "/v2/oauth2/token/introspect"):
      return asClient(request, introspect)
    case ("GET", "/v2/oauth2/userinfo"), ("POST", "/v2/oauth2/userinfo"):
      return userinfo(request)
    case (_, "/v2/oauth2/authorize"), (_, "/v2/oauth2/userinfo"), (_, "/v2/oauth2/token"),
      (_, "/v2/oauth2/token/revoke"), (_, "/v2/oauth2/token/introspect"):
      return AuthService.error(405, "METHOD_NOT_ALLOWED", "Method Not Allowed", "Wrong method")
    default:
      return AuthService.error(404, "NOT_FOUND", "Not Found", "No such resource")
    }
  }

  /// Tokens are for the registered app only (HTTP Basic, RFC 6749 section 2.3.1).
  private func asClient(_ request: Request, _ act: (Parameters) -> Reply) -> Reply {
    guard deployment.isClient(request.basicCredentials) else {
      var reply = Reply(401, json: ["error": "invalid_client"])
      reply.headers.add("WWW-Authenticate", "Basic realm=\"auth.globus.org\"")
      return reply
    }
    return act(request.form)
  }

  private func revoke(_ form: Parameters) -> Reply {
    guard let token = form["token"] else { return Reply(400, json: ["error": "invalid_request"]) }
    deployment.tokens.revoke(token)
    return Reply(200, json: ["active": false])
  }

  private func introspect(_ form: Parameters) -> Reply {
    guard let token = form["token"] else { return Reply(400, json: ["error": "invalid_request"]) }
    guard let record = deployment.tokens.accessToken(token, now: deployment.now) else {
      return Reply(200, json: ["active": false])
    }
    let clientID = deployment.configuration.clientID
    return Reply(
      200,
      json: [
        "active": true, "token_type": "Bearer", "client_id": .string(clientID),
        "scope": .string(record.scopes.map(\.name).joined(separator: " ")),
        "sub": .string(record.identity.id), "username": .string(record.identity.username),
        "name": .string(record.identity.name), "email": .string(record.identity.email),
        "exp": .int(record.expires), "iat": .int(record.issued), "nbf": .int(record.issued),
        "aud": [.string(record.resourceServer), .string(clientID)],
        "iss": .string(deployment.authURL),
      ])
  }

  private func userinfo(_ request: Request) -> Reply {
    guard let token = request.bearerToken,
      let record = deployment.tokens.accessToken(token, now: deployment.now)
    else {
      return AuthService.error(401, "UNAUTHORIZED", "Unauthorized", "Call must be authenticated")
    }
    guard record.has("openid") else {
      return AuthService.error(
        403, "FORBIDDEN", "Forbidden", "Token not valid for 'openid' scope")
    }
    return Reply(200, json: .object(claims(record)))
  }

  /// What the token's scopes let the app know of the user (OpenID Connect Core section 5.4).
  func claims(_ record: AccessToken) -> [String: JSON] {
    let identity = record.identity
    var claims: [String: JSON] = [
      "sub": .string(identity.id), "last_authentication": .int(record.issued),
    ]
    let profile: [String: JSON] = [
      "preferred_username": .string(identity.username), "name": .string(identity.name),
      "organization": .string(identity.organization),
      "identity_provider": "927d7238-f917-4eb2-9ace-c523fa9ba34e",
      "identity_provider_display_name": "Local stand-in for Globus",
    ]
    if record.has("profile") { claims.merge(profile) { $1 } }
    if record.has("email") { claims["email"] = .string(identity.email) }
    if record.has(Scope.viewIdentitySet) {
      claims["identity_set"] = [
        .object(
          profile.merging(["sub": .string(identity.id), "email": .string(identity.email)]) { $1 })
      ]
    }
    return claims
  }

  /// The shape of Globus Auth's API errors.
  static func error(_ status: Int, _ code: String, _ title: String, _ detail: String) -> Reply {
    Reply(
      status,
      json: [
        "errors": [
          [
            "status": .string(String(status)), "id": .string(randomUUID()), "code": .string(code),
            "title": .string(title), "detail": .string(detail),
          ]
        ],
        "error": .string(code.lowercased()), "error_description": .string(title),
      ])
  }
}
