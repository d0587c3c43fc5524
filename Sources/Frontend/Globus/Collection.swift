// Collection: what the S3 actions know of the storage behind a bucket.
//
// The actions see only this; behind it stand Transfer (status) and the collection's HTTPS server
// (bytes), and in unit tests a table in memory.

import Audit
import Reactor

/// What a request cost upstream, for its audit row.
@Loop final class UpstreamTrace {
  /// Whose they are, for the log.
  var requestID: RequestID?
  var host: String?
  var status: Int?
  var calls = 0
  /// Broken downloads that were gone on with, and that were not.
  var resumes = 0
  var refusedResumes = 0
  init() {}
}

/// A bucket's storage, opened for one request with one credential.
@Loop protocol Collection: AnyObject, Sendable {
  var id: CollectionID { get }

  /// The status of `path` (absolute, begins with "/"), perhaps some seconds old.
  func stat(_ path: String, trace: UpstreamTrace) async throws(GlobusError) -> FileStatus

  /// What `stat` would give without asking anybody, if it would.
  func remembered(_ path: String) -> RememberedFile?

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
