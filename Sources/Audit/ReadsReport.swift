// ReadsReport: who read which object, and how much of it: distinct bytes are the union of the ranges
// that were delivered, so that a file read twice in part is told from one read whole. A listing is
// not a read: it counts as names seen.

import GRDB

/// Byte ranges without overlaps, in order.
struct ByteSet: Equatable {
  private(set) var ranges: [Range<Int64>] = []

  var count: Int64 { ranges.reduce(0) { $0 + Int64($1.count) } }

  mutating func insert(_ range: Range<Int64>) {
    guard !range.isEmpty else { return }
    // Readers go forward: most ranges join the last one or follow it.
    let first = ranges.lastIndex { $0.upperBound < range.lowerBound }.map { $0 + 1 } ?? 0
    var (merged, end) = (range, first)
    while end < ranges.count, ranges[end].lowerBound <= merged.upperBound {
      merged =
        min(
          merged.lowerBound, ranges[end].lowerBound)..<max(
          merged.upperBound, ranges[end].upperBound)
      end += 1
    }
    ranges.replaceSubrange(first..<end, with: [merged])
    // Beyond the limit the nearest two become one: the count is then too great, never too small.
    if ranges.count > Limits.rangesPerObject {
      ranges.replaceSubrange(0..<2, with: [ranges[0].lowerBound..<ranges[1].upperBound])
    }
  }

  /// What one answer delivered: its first byte follows from the Range header (RFC 9110, 14.1.2).
  static func delivered(
    status: Int64?, header: String?, bytes: Int64, size: Int64?
  ) -> Range<Int64> {
    guard bytes > 0, status == 200 || status == 206 else { return 0..<0 }
    guard status == 206, let spec = header?.split(separator: "=").last?.split(separator: ",").first
    else { return 0..<bytes }
    let ends = spec.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    if let first = ends.first.flatMap({ Int64($0) }) {
      return first..<(first.addingReportingOverflow(bytes).partialValue)
    }
    let suffix = ends.last.flatMap { Int64($0) } ?? bytes
    let first = max(0, (size ?? suffix) - suffix)
    return first..<(first + bytes)
  }
}

extension QueryReader {
  private static let readColumns = [
    "username", "collection_id", "object_key", "what", "requests", "bytes", "size", "first",
    "last", "unverified", "identity_id",
  ]

  func reads(_ filter: ReportFilter, _ output: inout QueryOutput) throws {
    try translating { try printReads(filter, &output) }
  }

  private func printReads(_ filter: ReportFilter, _ output: inout QueryOutput) throws {
    let (condition, arguments) = filter.conditions(isJoined: databases > 1)
    let sql = """
      SELECT identity_id, username, collection_id, object_key, operation, status, range, bytes_out,
        object_size, time, auth_result
      FROM reads WHERE \(condition) ORDER BY collection_id, object_key, identity_id, start_us
      """
    try queue.read { db in
      try output.begin(columns: Self.readColumns)
      var group: ReadGroup?
      var shown = 0
      let rows = try Row.fetchCursor(db, sql: sql, arguments: arguments)
      while shown < filter.limit, let row = try rows.next() {
        if let ended = group, !ended.includes(row) {
          try output.row(ended.values)
          shown += 1
          group = nil
        }
        if group == nil { group = ReadGroup(row) }
        group?.add(row)
      }
      if let group, shown < filter.limit { try output.row(group.values) }
      try output.end()
    }
  }
}

/// The reads of one object by one person.
private struct ReadGroup {
  private let identity: String?
  private let username: String?
  private let collection: String?
  private let key: String?
  private let isListing: Bool
  private var bytes = ByteSet()
  private var size: Int64?
  private var requests: Int64 = 0
  private var unverified: Int64 = 0
  private let first: String
  private var last = ""

  init(_ row: Row) {
    identity = row["identity_id"]
    username = row["username"]
    collection = row["collection_id"]
    key = row["object_key"]
    isListing = Self.isListing(row)
    first = row["time"]
  }

  private static func isListing(_ row: Row) -> Bool { (row["operation"] as String) != "GetObject" }

  func includes(_ row: Row) -> Bool {
    identity == row["identity_id"] && username == row["username"]
      && collection == row["collection_id"] && key == row["object_key"]
      && isListing == Self.isListing(row)
  }

  mutating func add(_ row: Row) {
    requests += 1
    last = row["time"]
    if (row["auth_result"] as String) != "verified" { unverified += 1 }
    guard !isListing else { return }
    let status: Int64? = row["status"]
    let header: String? = row["range"]
    let delivered: Int64 = row["bytes_out"]
    let objectSize: Int64? = row["object_size"]
    if let objectSize { size = objectSize }
    bytes.insert(
      ByteSet.delivered(status: status, header: header, bytes: delivered, size: objectSize))
  }

  private var what: String {
    if isListing { return "names" }
    guard let size else { return bytes.count > 0 ? "partial" : "nothing" }
    return bytes.count >= size ? "complete" : bytes.count > 0 ? "partial" : "nothing"
  }

  var values: [QueryValue] {
    [
      Self.text(username), Self.text(collection), Self.text(key), Self.text(what),
      Self.integer(requests), Self.integer(isListing ? nil : bytes.count), Self.integer(size),
      Self.text(first), Self.text(last), Self.integer(unverified), Self.text(identity),
    ]
  }

  private static func text(_ text: String?) -> QueryValue { text.map { .text($0) } ?? .null }

  private static func integer(_ integer: Int64?) -> QueryValue {
    integer.map { .integer($0) } ?? .null
  }
}
