// Report: the questions that a data steward asks, each as one SELECT on the views of the record.
//
// The conditions are on columns that have an index behind the view, at least on the time. Sums come
// from `rollups`, which outlive pruned rows; they are of whole hours.
//
// A sum over requests is made of a subquery with LIMIT -1: SQLite then leaves out those of the
// view's tables of which no column is asked.

import Foundation
import GRDB

/// A question of `audit report`.
public enum Report: String, Sendable, CaseIterable {
  case reads, failures, top, slow, hourly, deletes, clients, collections

  /// What it tells, in a line.
  public var summary: String {
    switch self {
    case .reads: "who read which object: times, requests, distinct bytes, complete or partial"
    case .failures: "what did not work, and why"
    case .top: "which collections and persons moved the most bytes"
    case .slow: "which requests took longest"
    case .hourly: "requests, errors and bytes by hour"
    case .deletes: "what was deleted, and by whom"
    case .clients: "addresses and programs, and which of them are new"
    case .collections: "each collection's requests, errors, bytes and persons"
    }
  }

  /// Whether it is made of sums per hour, which know neither keys nor outcomes.
  var isOfHours: Bool { [.top, .hourly, .collections].contains(self) }
}

/// What a report is limited to.
public struct ReportFilter: Sendable {
  /// Microseconds since 1970; `since` is included, `until` is not.
  public var since: Int64?
  public var until: Int64?
  public var collectionID: String?
  public var keyPrefix: String?
  /// A username or an identity's UUID.
  public var user: String?
  /// Rows of the result.
  public var limit = Limits.reportRows

  public init() {}

  /// Conditions on a view of requests, of one database or of several.
  ///
  /// With a time a collection is not looked up in its index, which would be read whole (`+` keeps
  /// SQLite from it), unless there is a prefix, which that index serves.
  func conditions(isJoined: Bool) -> (sql: String, arguments: StatementArguments) {
    var all = Conditions()
    if let since { all.add("start_us >= ?", since) }
    if let until { all.add("start_us < ?", until) }
    if let collectionID {
      let isOfTime = keyPrefix == nil && (since != nil || until != nil)
      all.add("\(isOfTime ? "+" : "")collection_id = ?", collectionID.lowercased())
    }
    if let user { all.add(user: user) }
    if let keyPrefix { all.add(keyPrefix: keyPrefix, everywhere: collectionID == nil && !isJoined) }
    return all.both
  }

  /// Conditions on `rollups`: hours that begin in the time.
  func conditionsOfHours() -> (sql: String, arguments: StatementArguments) {
    func hour(_ time: Int64) -> Int64 {
      time / Rollup.hourMicroseconds + (time % Rollup.hourMicroseconds > 0 ? 1 : 0)
    }
    var all = Conditions()
    if let since { all.add("hour_number >= ?", hour(since)) }
    if let until { all.add("hour_number < ?", hour(until)) }
    if let collectionID { all.add("collection_id = ?", collectionID.lowercased()) }
    if let user { all.add(user: user) }
    return all.both
  }
}

/// Conditions that all must hold.
private struct Conditions {
  private var conditions: [String] = []
  private var arguments: StatementArguments = []

  var both: (sql: String, arguments: StatementArguments) {
    (conditions.isEmpty ? "1" : conditions.joined(separator: " AND "), arguments)
  }

  mutating func add(_ condition: String, _ values: any DatabaseValueConvertible...) {
    conditions.append(condition)
    arguments += StatementArguments(values)
  }

  /// An identity's UUID is no username, so that one index answers, not two.
  mutating func add(user: String) {
    if UUID(uuidString: user) != nil {
      add("identity_id = ?", user.lowercased())
    } else {
      add("username = ?", user)
    }
  }

  /// `everywhere`: in all collections of this database.
  mutating func add(keyPrefix: String, everywhere: Bool) {
    let end = QueryFilter.successor(ofPrefix: keyPrefix)
    let isLess = end == nil ? "" : " AND object_key < ?"
    let range = StatementArguments([keyPrefix, end].compactMap { $0 })
    conditions.append(
      everywhere
        ? """
        id IN (SELECT id FROM request WHERE collection_pk IN (SELECT collection_pk FROM collection)
          AND object_key >= ?\(isLess))
        """ : "object_key >= ?\(isLess)")
    arguments += range
  }
}

extension Report {
  /// The SELECT; nil: the report is more than one (`reads`).
  func statement(
    _ filter: ReportFilter, isJoined: Bool
  ) -> (sql: String, arguments: StatementArguments)? {
    let (condition, values) =
      isOfHours ? filter.conditionsOfHours() : filter.conditions(isJoined: isJoined)
    guard let sql = sql(condition) else { return nil }
    let limits = self == .slow ? [filter.limit, filter.limit] : [filter.limit]
    return (sql + " LIMIT ?", values + StatementArguments(limits))
  }

  private func sql(_ condition: String) -> String? {
    switch self {
    case .reads: nil
    case .failures:
      """
      SELECT time, username, operation, status, error_code, outcome, auth_result, collection_id,
        object_key, remote_ip, upstream_status, request_id
      FROM requests WHERE outcome <> 'ok' AND \(condition) ORDER BY start_us DESC
      """
    case .slow:
      """
      SELECT duration_ms, time, operation, status, outcome, bytes_out, upstream_calls, username,
        collection_id, object_key, request_id
      FROM requests WHERE id IN (
        SELECT id FROM requests WHERE \(condition) ORDER BY duration_ms DESC LIMIT ?)
      ORDER BY duration_ms DESC
      """
    case .deletes:
      """
      SELECT time, username, outcome, status, collection_id, object_key, remote_ip, request_id
      FROM requests WHERE operation IN ('DeleteObject', 'DeleteObjects') AND \(condition)
      ORDER BY start_us DESC
      """
    case .clients:
      """
      SELECT remote_ip, user_agent, count(*) AS requests, count(DISTINCT identity_id) AS persons,
        sum(outcome <> 'ok') AS errors,
        \(Schema.time("min(start_us)")) AS first, \(Schema.time("max(start_us)")) AS last
      FROM (SELECT remote_ip, user_agent, identity_id, outcome, start_us
        FROM requests WHERE \(condition) LIMIT -1)
      GROUP BY remote_ip, user_agent ORDER BY first DESC
      """
    case .top:
      """
      SELECT collection_id, username, sum(bytes_out) AS bytes_out, sum(bytes_in) AS bytes_in,
        sum(requests) AS requests, sum(errors) AS errors
      FROM rollups WHERE \(condition) GROUP BY collection_id, identity_id, username
      ORDER BY sum(bytes_out) + sum(bytes_in) DESC
      """
    case .hourly:
      """
      SELECT hour, sum(requests) AS requests, sum(errors) AS errors, sum(bytes_out) AS bytes_out,
        sum(bytes_in) AS bytes_in,
        round(sum(duration_us) / 1000.0 / max(sum(requests), 1), 1) AS mean_ms
      FROM rollups WHERE \(condition) GROUP BY hour ORDER BY hour DESC
      """
    case .collections:
      """
      SELECT collection_id, sum(requests) AS requests, sum(errors) AS errors,
        sum(bytes_out) AS bytes_out, sum(bytes_in) AS bytes_in,
        count(DISTINCT identity_id) AS persons, min(hour) AS first_hour, max(hour) AS last_hour
      FROM rollups WHERE collection_id IS NOT NULL AND \(condition)
      GROUP BY collection_id ORDER BY requests DESC
      """
    }
  }
}

extension QueryReader {
  /// Prints a report.
  public func report(
    _ report: Report, _ filter: ReportFilter, _ output: inout QueryOutput
  ) throws {
    if let (sql, arguments) = report.statement(filter, isJoined: databases > 1) {
      try print(sql, arguments, &output)
    } else {
      try reads(filter, &output)
    }
  }
}
