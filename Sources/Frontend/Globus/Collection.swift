// Collection: what the S3 actions know of the storage behind a bucket.
//
// The actions see only this; behind it stand Transfer (status) and the collection's HTTPS server
// (bytes), and in unit tests a table in memory.

import Reactor

/// One path of a collection as Transfer's `stat` describes it.
struct FileStatus: Sendable, Equatable {
  enum Kind: Sendable { case file, directory, other }
  var kind: Kind
  /// Bytes; meaningless for a directory.
  var size: UInt64
  /// Seconds since 1970, UTC; Globus knows no fractions.
  var modified: Int64
}

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
  /// wrong kind.
  case signInRequired(SignInRequirements)
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

/// What a request cost upstream, for its audit row.
@Loop final class UpstreamTrace {
  var host: String?
  var status: Int?
  var calls = 0
  init() {}
}

/// A bucket's storage, opened for one request with one credential.
@Loop protocol Collection: AnyObject, Sendable {
  var id: CollectionID { get }

  /// The status of `path` (absolute, begins with "/"), perhaps some seconds old.
  func stat(_ path: String, trace: UpstreamTrace) async throws(GlobusError) -> FileStatus

  /// What `stat` would give without asking anybody, if it would.
  func rememberedStat(_ path: String) -> FileStatus?

  /// Like `stat`, but asked anew.
  func freshStat(_ path: String, trace: UpstreamTrace) async throws(GlobusError) -> FileStatus

  /// The entries of the folder `path`, in no order. `notFound` also when it is a file.
  func list(_ path: String, trace: UpstreamTrace) async throws(GlobusError) -> [FolderEntry]

  /// Starts reading `path`: the whole of it, or the bytes of `range` (first and last, inclusive).
  /// `connection` is for the first attempt; after a fault further ones avoid where it was met.
  /// The transfer's head has status 200 or 206, checked to be the object's own bytes as far as a
  /// head can tell; everything else is thrown.
  func read(
    _ path: String, range: ClosedRange<UInt64>?, over connection: TransferRequest.Connection,
    trace: UpstreamTrace
  ) async throws(GlobusError) -> Transfer
}

extension Collection {
  /// Starts reading `path` over whatever connection there is.
  func read(
    _ path: String, range: ClosedRange<UInt64>?, trace: UpstreamTrace
  ) async throws(GlobusError) -> Transfer {
    try await read(path, range: range, over: .any, trace: trace)
  }
}
