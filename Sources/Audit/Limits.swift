// Limits: every bound of the record, in one place.
//
// Text lengths are bytes of UTF-8; longer text is cut at a character's border and ends in "…".
// `Spool.swift` sizes its slots from these, so that the longest record always fits.

enum Limits {
  // Text of an intent.
  static let method = 16
  static let operation = 48
  static let address = 46
  static let userAgent = 256
  static let host = 255
  static let collectionID = 36
  static let objectKey = 1_024
  static let range = 64
  static let identityID = 36
  static let username = 254
  static let credential = 32

  // Text of a completion.
  static let errorCode = 64
  static let errorDetail = 256
  static let upstreamHost = 255
  /// Collections that one sign-in may open.
  static let collections = 16

  // Spool.
  static let slotBytes = 8_192
  static let defaultSlots = 8_192
  static let maximumSlots = 65_536

  /// A part of the slots that strangers can't take: one in so many.
  static let reservedShare = 4

  // Floods.
  /// Rows for an address and a minute, of requests without a genuine credential.
  static let strangersRowsPerMinute = 6_000
  static let meteredAddresses = 8_192
  static let openFloods = 64

  // Writer.
  /// Pages of indexes are written once for each transaction: larger ones cost less for each row.
  static let rowsPerTransaction = 2_048
  static let pollMilliseconds = 25
  static let firstBackoffMilliseconds = 100
  static let longestBackoffMilliseconds = 1_000
  static let busySeconds = 1.0
  static let closeSeconds = 5.0
  /// A round of the writer that takes longer waits for a disk that hangs.
  static let stalledMilliseconds: Int64 = 5_000
  /// Polls between two looks at whether the database's file is still the one that is open.
  static let pollsPerFileCheck = 20
  /// A longer time without records becomes several rows.
  static let longestGapMicroseconds: Int64 = 1_000_000
  /// Rows of collections, principals, credentials and clients remembered by the writer, each.
  static let rememberedNames = 4_096
  static let walBytesKept = 16 * 1_024 * 1_024
  /// Of 4 KiB: then the log goes into the database.
  static let walPagesPerCheckpoint: Int32 = 4_000
  /// Keeps the inner pages of the indexes. 16 MiB would save 2 % of a row's CPU at a million rows, 11 %
  /// with keys at random.
  static let pageCacheKiB = 2 * 1_024

  // Disk.
  /// Given back when the disk is full: room for the rows of a full spool and for pruning.
  static let ballastBytes: Int64 = 32 * 1_024 * 1_024
  /// With less than this free, requests are refused.
  static let lowWaterBytes: Int64 = 64 * 1_024 * 1_024
  /// With less than this free, SQLite's next commit may fail.
  static let fullDiskBytes: Int64 = 1_024 * 1_024
  /// A disk that damages one file after the other must not be filled with them.
  static let secondsBetweenReplacements = 60.0

  // Reports.
  static let reportRows = 1_000
  /// Ranges of one object read by one person that are told apart.
  static let rangesPerObject = 10_000
  /// Collections, persons, objects and error codes on a page, each; and those in its pictures.
  static let reportNames = 20
  static let chartNames = 10
  /// Operations on a page; the others are one.
  static let reportOperations = 40
  /// Bars of a picture over time.
  static let chartBuckets = 240
  /// Characters of a name in a picture.
  static let chartNameCharacters = 36
  /// Databases that are asked as one: SQLite attaches ten to the first.
  static let databases = 11

  // Stewards.
  static let problemsShown = 100
  /// How long a pruning holds the write lock at once.
  static let pruneLockSeconds = 0.02
  static let firstPruneChunk = 200
  static let smallestPruneChunk = 10
  static let largestPruneChunk = 2_000
  static let pausePruneMicroseconds: UInt32 = 5_000
  static let pagesPerVacuum = 500
  static let rowsPerForgetting = 200
  /// A server with a retention looks this often for rows that have come of age.
  static let secondsPerRetention = 3_600.0
  /// How long a command waits for the lock: one that changes the record, and one that only notes
  /// that it was read.
  static let stewardBusySeconds = 10.0
  static let readerBusySeconds = 1.0

  // The chain.
  /// Hides names in a digest from whoever tries names.
  static let saltBytes = 16
  static let saltsAtOnce = 64
  static let leavesPerStatement = 16
  static let leavesPerCheckpoint = 1_000
  static let secondsPerCheckpoint = 60.0
  /// Heads go to the log at most this often; each vouches for all before it.
  static let secondsPerLoggedHead = 60.0

  // Queries.
  static let defaultRows = 100
  static let maximumRows = 10_000_000
  /// Rows that decide the widths of a table's columns.
  static let rowsMeasured = 1_000
  /// Columns are not cut below this; those that don't fit are left out.
  static let narrowestColumn = 19
}
