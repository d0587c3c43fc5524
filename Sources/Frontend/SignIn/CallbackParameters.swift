// CallbackParameters: what Auth sends a browser back with (RFC 6749 section 4.1.2), read strictly:
// whatever could be understood in two ways is no callback.

/// The query of a callback.
struct CallbackParameters: Equatable, Sendable {
  enum Outcome: Equatable, Sendable {
    case code(Secret)
    case error(Refusal)
  }

  /// The errors that need different words.
  enum Refusal: Equatable, Sendable {
    case accessDenied
    /// Auth is not able to answer now.
    case unavailable
    case other
  }

  let state: String
  let outcome: Outcome

  /// Nil unless there is exactly one `state` and exactly one of `code` and `error`, none of them
  /// empty or overlong, nothing twice, and no issuer but `issuer` (RFC 9207).
  init?(_ parameters: [(name: String, value: String)], issuer: String) {
    var values: [String: String] = [:]
    for (name, value) in parameters {
      guard value.utf8.count <= GlobusLimits.callbackParameterBytes,
        values.updateValue(value, forKey: name) == nil
      else { return nil }
    }
    guard let state = values["state"], !state.isEmpty, values["iss"].map({ $0 == issuer }) ?? true
    else { return nil }
    self.state = state
    switch (values["code"], values["error"]) {
    case (let code?, nil) where !code.isEmpty: outcome = .code(Secret(code))
    case (nil, let error?):
      outcome =
        switch error {
        case "access_denied": .error(.accessDenied)
        case "temporarily_unavailable", "server_error": .error(.unavailable)
        default: .error(.other)
        }
    default: return nil
    }
  }
}
