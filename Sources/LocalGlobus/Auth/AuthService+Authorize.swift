// The authorize endpoint. What is wrong with the app or its scopes strands the user on a page of
// Auth's, as with Globus; only what is wrong beyond that goes back to the app.

import Reactor

extension AuthService {
  /// `decision` is nil for a request to be shown the consent form.
  func authorize(_ parameters: Parameters, decision: String?) -> Reply {
    let configuration = deployment.configuration
    guard parameters["client_id"] == configuration.clientID else {
      return Pages.error("OAUTH_AUTH_REQUEST_FAILURE", "Unknown client id.")
    }
    guard let redirectURI = parameters["redirect_uri"],
      deployment.redirectURIs.contains(redirectURI)
    else { return Pages.error("OAUTH_AUTH_REQUEST_FAILURE", "Mismatching redirect URI.") }
    let scopes: [Scope]
    do {
      scopes = try Scope.parse(parameters["scope"] ?? "")
    } catch {
      return Pages.error("INVALID_SCOPE_ERROR", "Malformed scopes: \(error.reason).")
    }
    let unknown = deployment.unknownScopes(in: scopes)
    guard unknown.isEmpty, !scopes.isEmpty else {
      return Pages.error(
        "UNKNOWN_SCOPE_ERROR", "Requested unknown scopes: \(unknown.joined(separator: " "))")
    }
    let back = Callback(redirectURI: redirectURI, state: parameters["state"])
    guard parameters["response_type"] == "code" else {
      return back.error("unsupported_response_type", "response_type must be code")
    }
    let challenge = parameters["code_challenge"]
    guard challenge == nil || parameters["code_challenge_method"] == "S256" else {
      return back.error("invalid_request", "code_challenge_method must be S256")
    }
    switch decision {
    case nil:
      return Pages.consent(parameters, scopes: scopes, deployment: deployment)
    case "approve":
      let username = parameters["identity"]
      let users = configuration.users
      guard
        let identity = username == nil
          ? users.first : users.first(where: { $0.username == username })
      else { return Pages.error("UNKNOWN_IDENTITY", "Nobody of that name can sign in here.") }
      return approve(
        Authorization(
          redirectURI: redirectURI, scopes: scopes, identity: identity,
          offline: parameters["access_type"] == "offline", state: parameters["state"],
          nonce: parameters["nonce"], codeChallenge: challenge,
          session: SessionParameters(parameters)), back)
    case "deny":
      return back.error("access_denied", "The user refused consent.")
    default:
      return Pages.error("OAUTH_AUTH_REQUEST_FAILURE", "The decision is neither approve nor deny.")
    }
  }

  private func approve(_ authorization: Authorization, _ back: Callback) -> Reply {
    do {
      let code = try deployment.tokens.makeCode(for: authorization, now: deployment.now)
      return back.code(code)
    } catch {
      return back.error("temporarily_unavailable", "Too many sign-ins at once.")
    }
  }
}

/// The way back to the app (RFC 6749 sections 4.1.2 and 4.1.2.1).
private struct Callback {
  let redirectURI: String
  let state: String?

  func code(_ code: String) -> Reply { redirect(redirectURI.addingQuery(["code": code])) }

  func error(_ error: String, _ description: String) -> Reply {
    redirect(redirectURI.addingQuery(["error": error, "error_description": description]))
  }

  private func redirect(_ location: String) -> Reply {
    .redirect(to: state.map { location.addingQuery(["state": $0]) } ?? location)
  }
}
