// RequiredScope: a scope that Globus names as missing, of the few kinds that a sign-in here may ask
// for. Any other is dropped: nobody's error message may widen what people are asked to consent to.

/// A scope of a collection, or Transfer's with the consents that it depends on.
struct RequiredScope: Hashable, Sendable {
  /// As Globus wrote it.
  let text: String
  /// Whose scope it is, or whose `data_access` Transfer is to have.
  let collections: Set<CollectionID>
  /// The collections among them whose `data_access` is meant.
  let dataAccess: Set<CollectionID>

  /// Nil unless it is `…/https` or `…/data_access` of a collection, or Transfer's `all`, alone or
  /// with `data_access` scopes in its brackets (globus.md 1.4).
  init?(_ text: String) {
    guard text.utf8.count <= GlobusLimits.requiredScopeBytes else { return nil }
    self.text = text
    if text == GlobusScopes.transfer {
      (collections, dataAccess) = ([], [])
    } else if text.hasPrefix(GlobusScopes.transfer + "["), text.hasSuffix("]") {
      var found: Set<CollectionID> = []
      let children = text.dropFirst(GlobusScopes.transfer.count + 1).dropLast()
      for child in children.split(separator: " ", omittingEmptySubsequences: false) {
        let name = child.hasPrefix("*") ? child.dropFirst() : child
        guard let id = Self.collection(name), name == GlobusScopes.dataAccess(id) else {
          return nil
        }
        found.insert(id)
      }
      (collections, dataAccess) = (found, found)
    } else {
      guard let id = Self.collection(text[...]) else { return nil }
      collections = [id]
      dataAccess = text == GlobusScopes.dataAccess(id) ? [id] : []
      guard !dataAccess.isEmpty || text == GlobusScopes.https(id) else { return nil }
    }
  }

  /// The collection in the middle of `https://auth.globus.org/scopes/<id>/<name>`.
  private static func collection(_ scope: Substring) -> CollectionID? {
    let parts = scope.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 6 ? CollectionID(parts[4]) : nil
  }
}
