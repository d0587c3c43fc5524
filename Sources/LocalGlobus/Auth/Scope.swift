// Scope: the scope strings of Globus Auth: `parent[child *child[grandchild]]`, separated by blanks.
//
// A child is a dependency: what the parent's service may ask for on the user's behalf. `*` marks a
// child whose consent can be withdrawn on its own.

struct Scope: Hashable, Sendable {
  let name: String
  var optional = false
  var dependencies: [Scope] = []

  struct SyntaxError: Error, Equatable { let reason: String }

  /// The scopes of a `scope` parameter; those of equal name become one.
  static func parse(_ text: String) throws(SyntaxError) -> [Scope] {
    guard text.utf8.count <= Limits.scopeBytes else { throw SyntaxError(reason: "too long") }
    var parser = Parser(rest: Array(text.utf8)[...])
    let scopes = try parser.scopes(depth: 0)
    guard parser.rest.isEmpty else { throw SyntaxError(reason: "unexpected ]") }
    return scopes
  }

  private struct Parser {
    var rest: ArraySlice<UInt8>

    /// Up to the end or a closing bracket, which is left.
    mutating func scopes(depth: Int) throws(SyntaxError) -> [Scope] {
      guard depth <= Limits.scopeDepth else { throw SyntaxError(reason: "nested too deeply") }
      var found: [Scope] = []
      var places: [String: Int] = [:]
      while true {
        rest = rest.drop { $0 == UInt8(ascii: " ") }
        guard let first = rest.first, first != UInt8(ascii: "]") else { return found }
        let scope = try self.scope(depth: depth)
        if let place = places[scope.name] {
          found[place].merge(scope)
        } else {
          places[scope.name] = found.count
          found.append(scope)
        }
      }
    }

    private mutating func scope(depth: Int) throws(SyntaxError) -> Scope {
      let optional = rest.first == UInt8(ascii: "*")
      if optional { rest.removeFirst() }
      guard !optional || depth > 0 else { throw SyntaxError(reason: "* outside of brackets") }
      let name = rest.prefix { !" []*".utf8.contains($0) }
      guard !name.isEmpty else { throw SyntaxError(reason: "a scope without a name") }
      rest = rest[name.endIndex...]
      var scope = Scope(name: String(decoding: name, as: UTF8.self), optional: optional)
      guard rest.first == UInt8(ascii: "[") else { return scope }
      rest.removeFirst()
      scope.dependencies = try scopes(depth: depth + 1)
      guard rest.popFirst() == UInt8(ascii: "]") else { throw SyntaxError(reason: "missing ]") }
      return scope
    }
  }

  private mutating func merge(_ other: Scope) {
    for dependency in other.dependencies where !dependencies.contains(dependency) {
      dependencies.append(dependency)
    }
  }

  /// This scope and all that it depends on.
  var allNames: [String] { [name] + dependencies.flatMap(\.allNames) }
}

extension Scope {
  static let transfer = "urn:globus:auth:scope:transfer.api.globus.org:all"
  static let viewIdentitySet = "urn:globus:auth:scope:auth.globus.org:view_identity_set"
  /// The scopes of Globus Auth itself.
  static let auth = ["openid", "profile", "email", viewIdentitySet]

  static func https(_ collection: String) -> String {
    "https://auth.globus.org/scopes/\(collection)/https"
  }

  static func dataAccess(_ collection: String) -> String {
    "https://auth.globus.org/scopes/\(collection)/data_access"
  }
}
