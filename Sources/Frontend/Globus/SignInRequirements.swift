// SignInRequirements: what Globus wants of the next sign-in, beyond what every sign-in asks for
// (globus.md 1.2, 1.6, 2.7): the session_required_* parameters, the prompt and the missing scopes.
//
// Invariant: every value is one of its kind (a UUID, a domain, a scope that RequiredScope knows),
// of bounded number and length, whether it came from Globus or from the link of a sign-in.

/// Parameters for Auth's authorize endpoint.
struct SignInRequirements: Equatable, Sendable {
  /// Text that Globus shows; pages here never do, since a link may have been made by anybody.
  var message: String?
  var identities: [IdentityID] = []
  var domains: [String] = []
  var policies: [UUIDBits] = []
  var needsMFA = false
  /// `prompt=login`: signing in anew even in a browser that is signed in.
  var promptsLogin = false
  var scopes: [RequiredScope] = []

  static let none = SignInRequirements()

  /// Globus is not content with the session, whatever else it said.
  var isAboutSession: Bool {
    !identities.isEmpty || !domains.isEmpty || !policies.isEmpty || needsMFA || promptsLogin
  }

  /// Without scopes of other collections: those are nothing that a sign-in to these asks for.
  func limited(to collections: some Sequence<CollectionID>) -> SignInRequirements {
    var limited = self
    let known = Set(collections)
    limited.scopes = scopes.filter { $0.collections.isSubset(of: known) }
    return limited
  }

  /// Names and values for Auth's authorize endpoint, scopes excepted.
  var sessionParameters: [(name: String, value: String)] {
    var parameters: [(name: String, value: String)] = []
    let lists = [
      (Name.identities, identities.map(\.description)), (Name.domains, domains),
      (Name.policies, policies.map(\.description)),
    ]
    for (name, values) in lists where !values.isEmpty {
      parameters.append((name, values.joined(separator: ",")))
    }
    if needsMFA { parameters.append((Name.mfa, "true")) }
    if promptsLogin { parameters.append((Name.prompt, "login")) }
    if let message { parameters.append((Name.message, message)) }
    return parameters
  }

  /// All of it, as the link of a sign-in has it.
  var parameters: [(name: String, value: String)] {
    guard !scopes.isEmpty else { return sessionParameters }
    return sessionParameters + [(Name.scopes, scopes.map(\.text).joined(separator: ","))]
  }

  /// `parameters` behind the others of a link's query; empty when there are none.
  var querySuffix: String {
    guard isAboutSession || message != nil || !scopes.isEmpty else { return "" }
    return "&" + PercentEncoding.query(parameters)
  }

  enum Name {
    static let message = "session_message"
    static let identities = "session_required_identities"
    static let domains = "session_required_single_domain"
    static let policies = "session_required_policies"
    static let mfa = "session_required_mfa"
    static let prompt = "prompt"
    static let scopes = "required_scopes"
    static let all = [message, identities, domains, policies, mfa, prompt, scopes]
  }
}

// From a link: whatever `parameters` would not have made is refused.
extension SignInRequirements {
  /// Nil when a parameter of these stands twice or has a value that is not of its kind, or too many.
  init?(link query: [(name: String, value: String)]) {
    var given: [String: String] = [:]
    for (name, value) in query where Name.all.contains(name) {
      guard given.updateValue(value, forKey: name) == nil else { return nil }
    }
    func list<Value>(_ name: String, _ parse: (String) -> Value?) -> [Value]? {
      guard let text = given[name] else { return [] }
      let parts = text.split(separator: ",", omittingEmptySubsequences: false)
      let values = parts.compactMap { parse(String($0)) }
      return values.count == parts.count && parts.count <= GlobusLimits.requirementValues
        && text.utf8.count <= GlobusLimits.requirementBytes ? values : nil
    }
    guard let identities = list(Name.identities, IdentityID.init),
      let domains = list(Name.domains, Self.domain),
      let policies = list(Name.policies, UUIDBits.init),
      let scopes = list(Name.scopes, RequiredScope.init),
      given[Name.mfa].map({ ["true", "True"].contains($0) }) ?? true,
      given[Name.prompt].map({ $0 == "login" }) ?? true,
      given[Name.message].map({ Self.message($0) == $0 }) ?? true
    else { return nil }
    message = given[Name.message]
    self.identities = identities
    self.domains = domains
    self.policies = policies
    self.scopes = scopes
    needsMFA = given[Name.mfa] != nil
    promptsLogin = given[Name.prompt] != nil
  }

  /// Lower case; nil unless it is a host name of at least two labels (RFC 1123 section 2.1).
  static func domain(_ text: String) -> String? {
    guard let url = BaseURL("https://\(text)"), url.port == nil, url.host == text.lowercased(),
      text.contains(".")
    else { return nil }
    return url.host
  }

  /// One line of plain text; nil when nothing is left.
  static func message(_ text: String) -> String? {
    let plain = plainText(text, bytes: GlobusLimits.requirementMessageBytes)
    return plain.isEmpty ? nil : plain
  }
}
