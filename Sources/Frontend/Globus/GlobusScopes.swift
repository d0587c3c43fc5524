// The scopes of Globus Auth that a sign-in asks for (globus.md 1.4).
//
// A scope that a collection does not have ends the sign-in on a page of Globus, from which nobody
// comes back: `data_access` is asked for only where the collection's document says it exists.

enum GlobusScopes {
  /// Who it is, for the audit.
  static let identity = ["openid", "profile", "email"]
  static let transfer = "urn:globus:auth:scope:transfer.api.globus.org:all"
  /// Resource servers by which tokens are told apart.
  static let authServer = "auth.globus.org"
  static let transferServer = "transfer.api.globus.org"

  static func https(_ id: CollectionID) -> String {
    "https://auth.globus.org/scopes/\(id)/https"
  }

  static func dataAccess(_ id: CollectionID) -> String {
    "https://auth.globus.org/scopes/\(id)/data_access"
  }

  /// Transfer alone: enough to read the documents of collections that only this person sees.
  static let lookup = (identity + [transfer]).joined(separator: " ")

  /// Everything that requests to these collections need, in one consent. Transfer must have
  /// `data_access` as an optional dependency, the HTTPS server must have it directly.
  static func access(_ targets: [(id: CollectionID, needsDataAccess: Bool)]) -> String {
    let dependencies = targets.filter(\.needsDataAccess).map { "*" + dataAccess($0.id) }
    let forTransfer =
      dependencies.isEmpty ? transfer : "\(transfer)[\(dependencies.joined(separator: " "))]"
    let direct = targets.flatMap {
      $0.needsDataAccess ? [https($0.id), dataAccess($0.id)] : [https($0.id)]
    }
    return (identity + [forTransfer] + direct).joined(separator: " ")
  }
}
