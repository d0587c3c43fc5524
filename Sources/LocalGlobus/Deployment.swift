// Deployment: what Auth, Transfer and the data servers have in common: the app, the people, the
// collections and the tokens. It lives in memory; a restart forgets every token.

import Crypto
import Reactor

/// A collection that is being served.
struct HostedCollection: Sendable {
  var configuration: LocalGlobusConfiguration.Collection
  let folder: LocalFolder
  /// Base URL of its HTTPS server, without trailing slash.
  var httpsServer: String?
  /// What is different about it for now.
  var fault: CollectionFault?

  var id: String { configuration.id }
  var displayName: String { configuration.displayName }
  var hasDataAccess: Bool { configuration.kind == .mapped && !configuration.highAssurance }

  var isServed: Bool { configuration.kind != .connectPersonal }

  /// What a token for its HTTPS server has to hold.
  var httpsScopes: [String] {
    [Scope.https(id)] + (hasDataAccess ? [Scope.dataAccess(id)] : [])
  }

  var entityType: String {
    switch configuration.kind {
    case .mapped: "GCSv5_mapped_collection"
    case .guest: "GCSv5_guest_collection"
    case .connectPersonal: "GCP_mapped_collection"
    }
  }

  /// With what is different about it for now.
  func with(_ fault: CollectionFault?) -> HostedCollection {
    guard let fault else { return self }
    var collection = self
    collection.fault = fault
    if let kind = fault.kind { collection.configuration.kind = kind }
    if let server = fault.httpsServer { collection.httpsServer = server }
    if fault.subscriptionLapsed == true || !collection.isServed { collection.httpsServer = nil }
    return collection
  }
}

@Loop final class Deployment {
  let configuration: LocalGlobusConfiguration
  /// As they are set up.
  var hosted: [HostedCollection] = []
  let faults = Faults()
  /// Base URLs without trailing slash.
  var authURL = "", transferURL = ""
  var redirectURIs: Set<String>
  var tokens: TokenStore

  init(_ configuration: LocalGlobusConfiguration) {
    self.configuration = configuration
    redirectURIs = Set(configuration.redirectURIs)
    tokens = TokenStore(
      accessTokenLifetime: configuration.accessTokenLifetimeSeconds,
      accessTokenBytes: configuration.accessTokenBytes)
  }

  /// Seconds since 1970.
  var now: Int64 { Loop.wallClockMicroseconds / 1_000_000 }

  /// As they are for now.
  var collections: [HostedCollection] { hosted.map { $0.with(faults.collection($0.id)) } }

  func collection(_ id: some StringProtocol) -> HostedCollection? {
    let id = id.lowercased()
    return hosted.first { $0.id == id }.map { $0.with(faults.collection(id)) }
  }

  /// Who issues tokens of that scope; nil when there is no such scope.
  func resourceServer(of scope: String) -> String? {
    if Scope.auth.contains(scope) { return "auth.globus.org" }
    if scope == Scope.transfer { return "transfer.api.globus.org" }
    return collections.first {
      $0.isServed && scope == Scope.https($0.id)
        || $0.hasDataAccess && scope == Scope.dataAccess($0.id)
    }?.id
  }

  /// The scopes and their dependencies that don't exist.
  func unknownScopes(in scopes: [Scope]) -> [String] {
    scopes.flatMap(\.allNames).filter { resourceServer(of: $0) == nil }
  }

  /// One list of scopes for each resource server, in the order in which they were asked for.
  func byResourceServer(_ scopes: [Scope]) -> [(resourceServer: String, scopes: [Scope])] {
    var groups: [(resourceServer: String, scopes: [Scope])] = []
    for scope in scopes {
      guard let server = resourceServer(of: scope.name) else { continue }
      if let place = groups.firstIndex(where: { $0.resourceServer == server }) {
        groups[place].scopes.append(scope)
      } else {
        groups.append((server, [scope]))
      }
    }
    return groups
  }

  func isClient(_ credentials: (user: String, password: String)?) -> Bool {
    guard let credentials else { return false }
    return credentials.user == configuration.clientID
      && SHA256.hash(credentials.password.utf8) == SHA256.hash(configuration.clientSecret.utf8)
  }

  /// The app itself as an identity, as client credentials make it act.
  var clientIdentity: LocalGlobusConfiguration.Identity {
    let id = configuration.clientID
    return .init(
      id: id, username: "\(id)@clients.auth.globus.org", name: "Local app",
      email: "\(id)@clients.auth.globus.org", organization: "")
  }
}
