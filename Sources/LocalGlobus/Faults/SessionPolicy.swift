// SessionPolicy: what a collection demands of the sign-in behind a token (globus.md 1.6), and how it
// says so. Only a sign-in that asked for it meets it; a refreshed token is no newer.

import Reactor

struct SessionPolicy: Decodable, Sendable {
  /// Where the demand is told: beside the message, in it only, or in it and cut off.
  enum Form: String, Decodable, Sendable {
    case topLevel = "top_level"
    case embedded, truncated
  }

  var domain: String?
  var identities, policies: [String]?
  var mfa: Bool?
  /// The last sign-in is too long ago: `prompt=login` is what helps.
  var expired: Bool?
  var form: Form?
  /// The HTTPS server answers 200 and a page in place of a refusal.
  var usesPage: Bool?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case domain, identities, policies, mfa, expired, form
    case usesPage = "page"
  }

  func isMet(by session: SessionParameters) -> Bool {
    (domain.map { session.domains.contains($0) } ?? true)
      && session.identities.isSuperset(of: identities ?? [])
      && session.policies.isSuperset(of: policies ?? [])
      && (mfa != true || session.mfa) && (expired != true || session.freshLogin)
  }

  /// The `authorization_parameters` of an error; `policiesAsText` as Transfer itself has them.
  func parameters(policiesAsText: Bool = false) -> [String: JSON] {
    var parameters: [String: JSON] = [
      "session_message": "Session reauthentication required (Globus Transfer)"
    ]
    let list = { (values: [String]) in JSON.array(values.map { .string($0) }) }
    if let domain { parameters["session_required_single_domain"] = list([domain]) }
    if let identities { parameters["session_required_identities"] = list(identities) }
    if let policies {
      parameters["session_required_policies"] =
        policiesAsText ? .string(policies.joined(separator: ",")) : list(policies)
    }
    if let mfa { parameters["session_required_mfa"] = .bool(mfa) }
    if expired == true { parameters["prompt"] = "login" }
    return parameters
  }
}

/// What an authorize request said of the session (globus.md 1.2).
struct SessionParameters: Equatable, Sendable {
  var domains, identities, policies: Set<String>
  var mfa, freshLogin: Bool

  init(_ parameters: Parameters) {
    let list = { (name: String) in
      Set((parameters[name] ?? "").split(separator: ",").map(String.init))
    }
    domains = list("session_required_single_domain")
    identities = list("session_required_identities")
    policies = list("session_required_policies")
    // The Python SDK writes True, the JavaScript one true.
    mfa = parameters["session_required_mfa"]?.lowercased() == "true"
    freshLogin = parameters["prompt"] == "login"
  }

  /// One that asked for nothing.
  static let none = SessionParameters(Parameters(""))
}

extension TransferError {
  /// A sign-in that does not do: policies are Transfer's own matter, the rest is a 502 of the storage's.
  static func session(_ policy: SessionPolicy, _ collection: HostedCollection) -> TransferError {
    if policy.policies != nil {
      var error = TransferError(
        status: 403, code: "AuthPolicyFailed",
        message: "The collection's authentication policy is not satisfied")
      error.authorizationParameters = policy.parameters(policiesAsText: true)
      return error
    }
    let result: JSON = [
      "DATA_TYPE": "result#1.1.0", "code": "permission_denied", "http_response_code": 403,
      "authorization_parameters": .object(policy.parameters()),
      "detail": [
        "DATA_TYPE": policy.domain == nil
          ? "session_timeout#1.0.0" : "not_from_allowed_domain#1.0.0"
      ],
    ]
    var embedded = String(decoding: result.bytes, as: UTF8.self)
    if policy.form == .truncated { embedded.removeLast(embedded.count / 3) }
    var error = loginFailed(
      "None of your authenticated identities satisfy the resource's policies", embedded, collection)
    if policy.form ?? .topLevel == .topLevel {
      error.authorizationParameters = policy.parameters()
    }
    return error
  }

  /// The storage knows nobody of that name: no sign-in helps.
  static func noAccount(_ collection: HostedCollection) -> TransferError {
    let detail: JSON = [
      "DATA_TYPE": "result#1.1.0", "code": "permission_denied", "http_response_code": 403,
      "detail": ["DATA_TYPE": "invalid_user#1.0.0"],
    ]
    return loginFailed(
      "The identity researcher@example.org does not map to a valid username",
      String(decoding: detail.bytes, as: UTF8.self), collection)
  }

  private static func loginFailed(
    _ text: String, _ result: String, _ collection: HostedCollection
  ) -> TransferError {
    storage(
      "ExternalError.DirListingFailed.LoginFailed", "Login Failed",
      #"530-Login incorrect. : GlobusError: v=1 c=LOGIN_DENIED\r\n530-GridFTP-Message: "#
        + text + #"\r\n530-GridFTP-JSON-Result: "# + result + #"\r\n530 End.\r\n"#,
      collection, command: "login")
  }
}

extension Reply {
  /// The HTTPS server's refusal for programs.
  @Loop static func sessionRequired(_ policy: SessionPolicy) -> Reply {
    var reply = Reply(
      403,
      json: [
        "DATA_TYPE": "result#1.1.0", "code": "permission_denied", "http_response_code": 403,
        "message": "Session reauthentication required", "has_next_page": false,
        "authorization_parameters": .object(policy.parameters()),
      ])
    for (name, value) in DataService.headers.fields where name != "Content-Type" {
      reply.headers.add(name, value)
    }
    return reply
  }
}
