// FileStatus: what is known of one path of a collection.

/// One path of a collection as Transfer's `stat` describes it.
struct FileStatus: Sendable, Equatable {
  enum Kind: Sendable { case file, directory, other }
  var kind: Kind
  /// Bytes; meaningless for a directory.
  var size: UInt64
  /// Seconds since 1970, UTC; Globus knows no fractions.
  var modified: Int64
}
