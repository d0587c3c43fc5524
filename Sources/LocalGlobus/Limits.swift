/// Every limit of this module.
enum Limits {
  /// An OAuth2 form: the scope parameter is most of it.
  static let formBytes = 64 * 1024
  /// A scope parameter; a hundred collections with data_access need about half.
  static let scopeBytes = 32 * 1024
  /// Brackets within brackets in a scope; Globus itself uses one or two.
  static let scopeDepth = 8
  /// Authorization codes that wait for their exchange.
  static let codes = 10_000
  /// RFC 6749 section 4.1.2 asks for at most ten minutes.
  static let codeLifetimeSeconds: Int64 = 60
  /// Access and refresh tokens alive, each.
  static let tokens = 100_000
  /// Transfer refuses to list a directory with more entries, and never returns more at once.
  static let listingEntries = 100_000
  /// Transfer returns at most this many collections of a search at once.
  static let searchPage = 100
  /// A path in a collection: Linux's own limit.
  static let pathBytes = 4096
  /// One read of a file that is being sent.
  static let readBytes = 256 * 1024
}
