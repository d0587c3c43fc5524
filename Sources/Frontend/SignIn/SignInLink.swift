// SignInLink: what a sign-in is for, as the query of `?auth` says it, read strictly: a link may have
// been made by anybody, and what it says goes on to Globus and into a credential.

/// The content of the link that starts a sign-in.
struct SignInLink: Equatable, Sendable {
  var collections: [CollectionID]
  /// `&strict`
  var isStrict = false
  /// `&root=/folder`: what the bucket shows of its collection; for a single collection only.
  var root: RootFolder?
  /// What Globus wants beyond the scopes of the collections.
  var requirements = SignInRequirements.none
  /// `&private`: to be looked up in the person's name when the app can't see it.
  var mayBePrivate = false

  init(collections: [CollectionID], isStrict: Bool = false) {
    self.collections = collections
    self.isStrict = isStrict
  }

  /// For a credential that opens the same as `credential`.
  init(renewing credential: Credential) {
    self.init(collections: credential.collections.map(\.collection), isStrict: credential.isStrict)
    if collections.count == 1 { root = credential.collections.first?.rootFolder }
  }

  /// Throws what is wrong with a request's query; parameters of other names are ignored.
  init(
    _ parameters: [(name: String, value: String)], collections: [CollectionID], isStrict: Bool
  ) throws(SignInError) {
    let values = { (name: String) in parameters.filter { $0.name == name }.map(\.value) }
    self.init(collections: collections, isStrict: isStrict)
    mayBePrivate = !values("private").isEmpty
    guard values("collection").allSatisfy({ CollectionID($0) != nil }) else {
      throw .noSuchCollection
    }
    guard !collections.isEmpty else { throw .noCollectionNamed }
    guard collections.count <= CredentialLimits.collections else { throw .tooManyCollections }
    let roots = values("root")
    if let text = roots.first {
      guard collections.count == 1 else { throw .rootOfSeveral }
      root = RootFolder(text)
      guard roots.count == 1, root != nil || text == "/" else { throw .invalidRoot }
    }
    guard let requirements = SignInRequirements(link: parameters),
      requirements == requirements.limited(to: collections)
    else { throw .invalidLink }
    self.requirements = requirements
  }

  /// `<base-url>/<collection>/?auth…`, or `<base-url>/?auth&collection=…` for several.
  func url(at base: BaseURL) -> String {
    var url =
      collections.count == 1
      ? "\(base)/\(collections[0])/?auth"
      : "\(base)/?auth\(collections.map { "&collection=\($0)" }.joined())"
    if isStrict { url += "&strict" }
    if let root { url += "&root=\(PercentEncoding.path(root.description))" }
    if mayBePrivate { url += "&private" }
    return url + requirements.querySuffix
  }
}

enum SignInURL {
  /// Whether a Host header (lower case) is the base URL's own.
  static func isBase(_ host: String, _ base: BaseURL) -> Bool {
    host == base.authority || base.port == nil && host == "\(base.host):\(base.isSecure ? 443 : 80)"
  }
}
