// GlobusError: how Globus and collections fail, in the few kinds that people are told apart by.

/// Why Globus or a collection did not do what was asked. What a person must do about it is
/// decided in `S3Error(_: GlobusError)`.
enum GlobusError: Error, Sendable, Equatable {
  /// The path does not exist.
  case notFound
  /// The collection itself does not exist, or is not visible to this person.
  case collectionNotFound
  /// The collection has no HTTPS server (Connect Personal, lapsed subscription).
  case noHTTPS
  /// The storage or Globus refuses this person this path.
  case denied
  /// The access token is not accepted any more (401, or a redirect to a sign-in).
  case expired
  /// Globus wants a new sign-in, with these: missing consent, or a session that is too old or of the
  /// wrong kind. Indirect, because every await that may throw an error keeps room for the largest.
  indirect case signInRequired(SignInRequirements)
  /// The storage has no account for this person, which no sign-in changes.
  case noAccount
  /// Globus or the collection asks to slow down; seconds if it said how many.
  case slowDown(retryAfter: Int?)
  /// Not reachable, not understood, or faulty; the text is for the log and the audit.
  case unavailable(String)
  /// The collection's HTTPS server is at an address that is refused; the text names it.
  case addressRefused(String)
  /// The range asked for is not satisfiable.
  case invalidRange
  /// More entries in a folder than Transfer lists.
  case folderTooLarge
}
