// AuthorizationParameters: the `authorization_parameters` of an error of Globus (a GARE, globus.md
// 2.7) as requirements. Lists may be comma-separated texts; what is not of its kind is dropped.
//
// Transfer has them at the top of its error document or only inside of the message, where the JSON
// of the storage's reply may be cut off: there every name is looked for by itself.

import FoundationEssentials

/// An object with the fields of `authorization_parameters`.
struct AuthorizationParameters: Decodable {
  private(set) var requirements = SignInRequirements.none

  private struct AnyName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: AnyName.self)
    for name in SignInRequirements.Name.all {
      let key = AnyName(stringValue: name)
      let values =
        (try? fields.decode([String].self, forKey: key))
        ?? (try? fields.decode(String.self, forKey: key)).map { [$0] }
        ?? (try? fields.decode(Bool.self, forKey: key)).map { ["\($0)"] }
      requirements.add(values ?? [], of: name)
    }
  }
}

extension SignInRequirements {
  /// The fields of a JSON document with `authorization_parameters` or `required_scopes` at its top,
  /// or, when it is none, what its text names.
  init(json body: [UInt8]) {
    struct Document: Decodable {
      let authorizationParameters: AuthorizationParameters?
      let requiredScopes: [String]?

      enum CodingKeys: String, CodingKey {
        case authorizationParameters = "authorization_parameters"
        case requiredScopes = "required_scopes"
      }
    }
    guard let document = try? JSONDecoder().decode(Document.self, from: Data(body)) else {
      self.init(message: String(decoding: body, as: UTF8.self))
      return
    }
    self = document.authorizationParameters?.requirements ?? .none
    if scopes.isEmpty { add(document.requiredScopes ?? [], of: Name.scopes) }
  }

  /// What is found in a message that quotes the storage's JSON, whole or cut off.
  init(message: String) {
    let part = String(decoding: message.utf8.prefix(GlobusLimits.faultBytes), as: UTF8.self)
    let text = Array(part.replacing("\\\"", with: "\"").replacing("\\/", with: "/").utf8)
    for name in Name.all {
      guard let found = text.firstRange(of: Array("\"\(name)\"".utf8)) else { continue }
      add(Self.values(text[found.upperBound...]), of: name)
    }
  }

  /// The strings of the JSON value behind a name: a list's, or one; `true` as a string.
  private static func values(_ text: ArraySlice<UInt8>) -> [String] {
    var rest = text.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: ":") }
    if rest.starts(with: "true".utf8) { return ["true"] }
    let isList = rest.first == UInt8(ascii: "[")
    if isList { rest.removeFirst() }
    var values: [String] = []
    while values.count <= GlobusLimits.requirementValues {
      rest = rest.drop { " ,\n".utf8.contains($0) }
      guard rest.first == UInt8(ascii: "\"") else { break }
      rest.removeFirst()
      // A value that is cut off is none.
      guard let end = rest.firstIndex(of: UInt8(ascii: "\"")) else { break }
      values.append(String(decoding: rest[..<end], as: UTF8.self))
      rest = rest[(end + 1)...]
      if !isList { break }
    }
    return values
  }

  /// Takes in those values that are of the kind of `name`, as far as there is room.
  fileprivate mutating func add(_ values: [String], of name: String) {
    let parts = values.flatMap { $0.split(separator: ",").map(String.init) }
    switch name {
    case Name.message: message = values.first.flatMap(Self.message)
    case Name.identities: identities = Self.first(parts.compactMap(IdentityID.init))
    case Name.domains: domains = Self.first(parts.compactMap(Self.domain))
    case Name.policies: policies = Self.first(parts.compactMap(UUIDBits.init))
    case Name.scopes: scopes = Self.first(parts.compactMap(RequiredScope.init)) { $0.text }
    case Name.mfa: needsMFA = values.first?.lowercased() == "true"
    default: promptsLogin = parts.contains("login")
    }
  }

  /// As many as a link takes.
  private static func first<Value>(
    _ values: [Value], _ text: (Value) -> String = { "\($0)" }
  ) -> [Value] {
    var kept: [Value] = []
    var bytes = -1
    for value in values.prefix(GlobusLimits.requirementValues) {
      bytes += text(value).utf8.count + 1
      guard bytes <= GlobusLimits.requirementBytes else { break }
      kept.append(value)
    }
    return kept
  }
}
