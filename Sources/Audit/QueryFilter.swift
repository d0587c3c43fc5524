// QueryFilter: which rows `audit query` shows, as one SELECT on the view `requests`.
//
// The conditions stand on the base table, where the indexes are; values are always bound. A key
// prefix is a range of keys, so it is exact and case matters.

import Foundation
import GRDB

/// The filters of `audit query`; each nil one lets everything pass.
public struct QueryFilter: Sendable {
  /// Microseconds since 1970; `since` is included, `until` is not.
  public var since: Int64?
  public var until: Int64?
  public var operation: String?
  public var collectionID: String?
  public var keyPrefix: String?
  /// A username or an identity's UUID.
  public var user: String?
  public var outcome: Outcome?
  /// The newest rows that are shown, oldest first; nil: all.
  public var limit: Int? = Limits.defaultRows

  public init() {}

  /// The `limit` of a query that gives none.
  public static let defaultLimit = Limits.defaultRows

  /// The greatest `limit`.
  public static let maximumLimit = Limits.maximumRows

  /// The SELECT of these columns of the view.
  func statement(columns: [String]) -> (sql: String, arguments: StatementArguments) {
    var conditions: [String] = []
    var arguments: [(any DatabaseValueConvertible)?] = []
    func add(_ condition: String, _ values: any DatabaseValueConvertible...) {
      conditions.append(condition)
      arguments.append(contentsOf: values)
    }
    if let since { add("start_us >= ?", since) }
    if let until { add("start_us < ?", until) }
    if let operation { add("operation = ?", operation) }
    if let collectionID {
      add(
        "collection_pk = (SELECT collection_pk FROM collection WHERE collection_id = ?)",
        collectionID.lowercased())
    } else if keyPrefix != nil {
      add("collection_pk IN (SELECT collection_pk FROM collection)")
    }
    if let keyPrefix {
      add("object_key >= ?", keyPrefix)
      if let end = Self.successor(ofPrefix: keyPrefix) { add("object_key < ?", end) }
    }
    if let user {
      add(
        "principal_pk IN (SELECT principal_pk FROM principal WHERE username = ? "
          + "OR identity_id = ?)", user, user.lowercased())
    }
    if let outcome { add("outcome = ?", outcome.name) }
    let condition = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
    guard let limit else {
      return (
        """
        SELECT \(columns.joined(separator: ", ")) FROM requests WHERE id IN (
          SELECT id FROM request \(condition))
        ORDER BY start_us, id
        """, StatementArguments(arguments)
      )
    }
    arguments.append(limit)
    return (
      """
      SELECT \(columns.joined(separator: ", ")) FROM requests WHERE id IN (
        SELECT id FROM request \(condition) ORDER BY start_us DESC, id DESC LIMIT ?)
      ORDER BY start_us, id
      """, StatementArguments(arguments)
    )
  }

  /// The same on the view alone, for several databases behind it.
  func joinedStatement(columns: [String]) -> (sql: String, arguments: StatementArguments) {
    var report = ReportFilter()
    report.since = since
    report.until = until
    report.collectionID = collectionID
    report.keyPrefix = keyPrefix
    report.user = user
    var (condition, arguments) = report.conditions(isJoined: true)
    for (column, value) in [("operation", operation), ("outcome", outcome?.name)] {
      guard let value else { continue }
      condition += " AND \(column) = ?"
      arguments += [value]
    }
    return (
      """
      SELECT \(columns.joined(separator: ", ")) FROM (
        SELECT * FROM requests WHERE \(condition) ORDER BY start_us DESC, id DESC LIMIT ?)
      ORDER BY start_us, id
      """, arguments + [limit ?? -1]
    )
  }

  /// The first text behind everything that begins with `prefix`; nil if there is none.
  static func successor(ofPrefix prefix: String) -> String? {
    var scalars = Array(prefix.unicodeScalars)
    while let last = scalars.popLast() {
      // Behind U+D7FF the surrogates are no characters.
      let next = last.value == 0xD7FF ? 0xE000 : last.value + 1
      if let scalar = Unicode.Scalar(next) {
        return String(String.UnicodeScalarView(scalars + [scalar]))
      }
    }
    return nil
  }
}

extension QueryFilter {
  /// A point in time as people write it: `90s`, `30m`, `24h`, `7d` or `2w` before `now`,
  /// `YYYY-MM-DD` (midnight, UTC) or RFC 3339. Microseconds since 1970; nil for anything else.
  public static func time(_ text: String, now: Int64) -> Int64? {
    ago(text).map { now - $0 } ?? date(text)
  }

  private static func ago(_ text: String) -> Int64? {
    let seconds: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800]
    guard let unit = text.last.flatMap({ seconds[$0] }), text.utf8.count <= 7,
      text.dropLast().allSatisfy({ $0.isASCII && $0.isNumber }),
      let count = Int64(text.dropLast())
    else { return nil }
    return count * unit * 1_000_000
  }

  private static func date(_ text: String) -> Int64? {
    let upper = text.uppercased()
    guard isWellFormed(upper) else { return nil }
    // The parser lets a day that the month doesn't have overflow into the next one.
    let day = Date.ISO8601FormatStyle().year().month().day()
    guard let midnight = try? day.parse(String(upper.prefix(10))),
      midnight.formatted(day) == upper.prefix(10)
    else { return nil }
    guard upper.contains("T") else { return microseconds(midnight) }
    let style = Date.ISO8601FormatStyle(includingFractionalSeconds: upper.contains("."))
    return (try? style.parse(upper)).map(microseconds)
  }

  private static func microseconds(_ date: Date) -> Int64 {
    Int64((date.timeIntervalSince1970 * 1_000_000).rounded())
  }

  /// The grammar of RFC 3339, without leap seconds.
  private static func isWellFormed(_ text: String) -> Bool {
    let time = /([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)/
    let day = text.prefix(10)
    return day.wholeMatch(of: /\d{4}-\d\d-\d\d/) != nil
      && (text.count == 10
        || text.dropFirst(10).first == "T" && text.dropFirst(11).wholeMatch(of: time) != nil)
  }
}
