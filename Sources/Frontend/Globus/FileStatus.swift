// FileStatus: what is known of one path of a collection.

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

/// A status that is remembered, with what answers say because of it.
@Loop final class RememberedFile {
  let status: FileStatus
  /// Made when it is first asked for.
  var description: FileDescription?

  init(_ status: FileStatus) { self.status = status }
}

/// What all answers say of a file.
struct FileDescription: Sendable {
  let etag: ETag
  /// ETag, Last-Modified and Accept-Ranges.
  let headers: Headers
}
