// HTMLReportFacts: what the page tells, read in one transaction. Every list has a limit, and what
// is read for it is summed by SQLite or in a histogram, so memory doesn't grow with the record.
//
// Sums over time, by collection and by person come from the hours, which outlive pruned rows. The
// span is therefore of whole hours, for the other parts too, so that all figures agree.

import GRDB

struct HTMLReportFacts {
  struct Sums: Equatable {
    var requests: Int64 = 0
    var errors: Int64 = 0
    var bytesOut: Int64 = 0
    var bytesIn: Int64 = 0

    var bytes: Int64 { bytesOut.addingReportingOverflow(bytesIn).partialValue }
  }

  /// A collection, a person or an object.
  struct Named {
    let name: String?
    /// The identity of a person, the collection of an object.
    var of: String?
    let sums: Sums
    var persons: Int64 = 0
    /// Microseconds since 1970; for sums, that of the hour.
    var last: Int64 = 0
  }

  struct Failure {
    let code: String
    let status: Int64?
    let outcome: String
    let requests: Int64
    let persons: Int64
    /// Microseconds since 1970.
    let last: Int64
  }

  let from: Int64
  let to: Int64
  let buckets: ChartBuckets
  private(set) var total = Sums()
  private(set) var persons: Int64 = 0
  private(set) var collectionCount: Int64 = 0
  private(set) var overTime: [Sums]
  private(set) var collections: [Named] = []
  private(set) var people: [Named] = []
  private(set) var objects: [Named] = []
  private(set) var failures: [Failure] = []
  private(set) var latencies: [Latency] = []

  private init(from: Int64, to: Int64) {
    (self.from, self.to) = (from, to)
    buckets = ChartBuckets(from: from, to: to)
    overTime = Array(repeating: Sums(), count: buckets.count)
  }

  /// Reads everything; `now` ends the span when the filter doesn't.
  static func read(_ filter: ReportFilter, now: Int64, _ db: Database) throws -> HTMLReportFacts {
    let (from, to) = try span(filter, now: now, db)
    var filter = filter
    (filter.since, filter.until) = (from, to)
    var facts = HTMLReportFacts(from: from, to: to)
    filter.keyPrefix = nil
    let hours = filter.conditionsOfHours()
    let rows = filter.conditions(isJoined: false)
    try facts.readHours(hours.sql, hours.arguments, db)
    guard facts.total.requests > 0 else { return facts }
    try facts.readNames(hours.sql, hours.arguments, db)
    try facts.readObjects(rows.sql, rows.arguments, db)
    try facts.readFailures(rows.sql, rows.arguments, db)
    facts.latencies = try Latency.all(rows.sql, rows.arguments, db)
    return facts
  }

  /// Whole hours from the record's first to the last that has ended or goes on.
  private static func span(
    _ filter: ReportFilter, now: Int64, _ db: Database
  ) throws -> (from: Int64, to: Int64) {
    let hour = Rollup.hourMicroseconds
    let ends = try Row.fetchOne(
      db, sql: "SELECT min(hour_us) AS first, max(hour_us) AS last FROM rollups")
    let first: Int64 = ends?["first"] ?? now
    // Rows of the future are there after a clock was set back.
    let last = max(now, ((ends?["last"] as Int64?) ?? now) + hour)
    let from = max(filter.since ?? first, first) / hour * hour
    let to = (min(filter.until ?? last, last) + hour - 1) / hour * hour
    return (from, max(from + hour, to))
  }

  private static func sums(_ row: Row) -> Sums {
    Sums(
      requests: row["requests"] ?? 0, errors: row["errors"] ?? 0, bytesOut: row["bytes_out"] ?? 0,
      bytesIn: row["bytes_in"] ?? 0)
  }

  private static let sumColumns = """
    sum(requests) AS requests, sum(errors) AS errors, sum(bytes_out) AS bytes_out,
    sum(bytes_in) AS bytes_in
    """

  private mutating func readHours(
    _ condition: String, _ arguments: StatementArguments, _ db: Database
  ) throws {
    let all = try Row.fetchOne(
      db,
      sql: """
        SELECT \(Self.sumColumns), count(DISTINCT identity_id) AS persons,
          count(DISTINCT collection_id) AS collections
        FROM rollups WHERE \(condition)
        """, arguments: arguments)
    guard let all else { return }
    total = Self.sums(all)
    (persons, collectionCount) = (all["persons"], all["collections"])
    let parts = try Row.fetchCursor(
      db,
      sql: """
        SELECT (hour_us - \(buckets.start)) / \(buckets.width) AS bucket, \(Self.sumColumns)
        FROM rollups WHERE \(condition) GROUP BY bucket
        """, arguments: arguments)
    while let row = try parts.next() {
      let bucket: Int = row["bucket"]
      if overTime.indices.contains(bucket) { overTime[bucket] = Self.sums(row) }
    }
  }

  private mutating func readNames(
    _ condition: String, _ arguments: StatementArguments, _ db: Database
  ) throws {
    collections = try Row.fetchAll(
      db,
      sql: """
        SELECT collection_id, \(Self.sumColumns), count(DISTINCT identity_id) AS persons,
          max(hour_us) AS last
        FROM rollups WHERE collection_id IS NOT NULL AND \(condition) GROUP BY collection_id
        ORDER BY sum(bytes_out) + sum(bytes_in) DESC, requests DESC LIMIT ?
        """, arguments: arguments + [Limits.reportNames]
    ).map { row in
      Named(
        name: row["collection_id"], sums: Self.sums(row), persons: row["persons"], last: row["last"]
      )
    }
    people = try Row.fetchAll(
      db,
      sql: """
        SELECT identity_id, max(username) AS username, \(Self.sumColumns),
          max(hour_us) AS last
        FROM rollups WHERE \(condition) GROUP BY identity_id
        ORDER BY sum(bytes_out) + sum(bytes_in) DESC, requests DESC LIMIT ?
        """, arguments: arguments + [Limits.reportNames]
    ).map { row in
      Named(
        name: row["username"], of: row["identity_id"], sums: Self.sums(row), last: row["last"])
    }
  }

  private mutating func readObjects(
    _ condition: String, _ arguments: StatementArguments, _ db: Database
  ) throws {
    objects = try Row.fetchAll(
      db,
      sql: """
        SELECT collection_id, object_key, count(*) AS requests, sum(outcome <> 'ok') AS errors,
          sum(bytes_out) AS bytes_out, sum(bytes_in) AS bytes_in,
          count(DISTINCT identity_id) AS persons, max(start_us) AS last
        FROM requests WHERE object_key IS NOT NULL AND \(condition)
        GROUP BY collection_id, object_key
        ORDER BY sum(bytes_out) + sum(bytes_in) DESC, requests DESC LIMIT ?
        """, arguments: arguments + [Limits.reportNames]
    ).map { row in
      Named(
        name: row["object_key"], of: row["collection_id"], sums: Self.sums(row),
        persons: row["persons"], last: row["last"])
    }
  }

  private mutating func readFailures(
    _ condition: String, _ arguments: StatementArguments, _ db: Database
  ) throws {
    failures = try Row.fetchAll(
      db,
      sql: """
        SELECT coalesce(error_code, outcome) AS code, status, outcome, count(*) AS requests,
          count(DISTINCT identity_id) AS persons, max(start_us) AS last
        FROM requests WHERE outcome <> 'ok' AND \(condition)
        GROUP BY code, status, outcome ORDER BY count(*) DESC, code LIMIT ?
        """, arguments: arguments + [Limits.reportNames]
    ).map { row in
      Failure(
        code: row["code"], status: row["status"], outcome: row["outcome"],
        requests: row["requests"], persons: row["persons"], last: row["last"])
    }
  }
}
