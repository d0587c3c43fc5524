// Who may read. Without a valid token of its own a collection sends a browser to Auth, and tells a
// program that says `X-Requested-With: XMLHttpRequest` in JSON which scopes it wants.

import Reactor

extension DataService {
  /// The answer to a request that may not read; nil for one that may. A token of another resource
  /// server is none: introspection tells a server about its own tokens only.
  func refusal(_ request: Request, _ collection: HostedCollection) -> Reply? {
    let token = request.bearerToken.flatMap {
      deployment.tokens.accessToken($0, now: deployment.now)
    }
    guard let token, token.resourceServer == collection.id else {
      return isScript(request)
        ? scopesWanted(401, "unauthorized", "Authentication is required", collection)
        : signIn(request, collection)
    }
    let isLax = collection.fault?.httpsWithoutDataAccess == true || !behaviour.requiresDataAccess
    let wanted = isLax ? [Scope.https(collection.id)] : collection.httpsScopes
    guard wanted.allSatisfy(token.has) else {
      return isScript(request)
        ? scopesWanted(403, "permission_denied", "The token lacks a scope", collection)
        : DataService.text(403, "Permission denied")
    }
    guard let session = collection.fault?.session, !session.isMet(by: token.session) else {
      return nil
    }
    return session.usesPage == true ? .stepUpPage : .sessionRequired(session)
  }

  private func isScript(_ request: Request) -> Bool {
    request[header: "X-Requested-With"] == "XMLHttpRequest"
  }

  private func scopesWanted(
    _ status: Int, _ code: String, _ detail: String, _ collection: HostedCollection
  ) -> Reply {
    let json: JSON = [
      "DATA_TYPE": "result#1.1.0", "code": .string(code), "detail": .string(detail),
      "message": .string(detail), "has_next_page": false, "http_response_code": .int(Int64(status)),
      "authorization_parameters": [
        "required_scopes": .array(collection.httpsScopes.map { .string($0) })
      ],
    ]
    var headers = DataService.headers
    headers.add("Content-Type", "application/json")
    return Reply(status, headers: headers, body: json.bytes)
  }

  /// The collection is an app of its own at Auth; this one has no way to come back.
  private func signIn(_ request: Request, _ collection: HostedCollection) -> Reply {
    let location = "\(deployment.authURL)/v2/oauth2/authorize".addingQuery([
      "client_id": collection.id, "response_type": "code",
      "redirect_uri": "\(collection.httpsServer ?? "")/oidc_redirect",
      "scope": collection.httpsScopes.joined(separator: " "),
      "state": TokenStore.randomText(16),
    ])
    var headers = DataService.headers
    headers.add("Location", location)
    return Reply(302, headers: headers)
  }
}
