// Coverage: how far a report can be trusted, said with every report: what it can't have seen, what
// is known to be missing, and how sure the names in it are.

import GRDB

extension QueryReader {
  /// Lines that go with a report of that time; nil: with the page that has all of them.
  public func coverage(_ report: Report?, _ filter: ReportFilter) throws -> [String] {
    try translating { try queue.read { db in try coverage(report, filter, db) } }
  }

  private func coverage(
    _ report: Report?, _ filter: ReportFilter, _ db: Database
  ) throws -> [String] {
    var filter = filter
    if report?.isOfHours != false { filter.keyPrefix = nil }
    let (condition, arguments) = filter.conditions(isJoined: databases > 1)
    let facts = try Row.fetchOne(
      db,
      sql: """
        SELECT count(*) AS requests, sum(outcome = 'lost') AS lost,
          sum(auth_result = 'unverified') AS unverified, min(start_us) AS first_us
        FROM (SELECT outcome, auth_result, start_us FROM requests WHERE \(condition) LIMIT -1)
        """, arguments: arguments)
    let gaps = try Row.fetchOne(
      db,
      sql: """
        SELECT count(*) AS gaps, sum(records) AS records FROM gaps
        WHERE from_us >= ? AND from_us < ?
        """, arguments: [filter.since ?? 0, filter.until ?? Int64.max])
    let prunings = try Int64.fetchOne(
      db, sql: "SELECT count(*) FROM notes WHERE command = 'prune'")
    return lines(report, facts, gaps, prunings: prunings ?? 0)
  }

  private func lines(
    _ report: Report?, _ facts: Row?, _ gaps: Row?, prunings: Int64
  ) -> [String] {
    func number(_ row: Row?, _ column: String) -> Int64 { (row?[column] as Int64?) ?? 0 }
    func figure(_ row: Row?, _ column: String) -> String { Figure.count(number(row, column)) }
    let requests = figure(facts, "requests")
    var lines = [
      "Covers requests through \(databases == 1 ? "this gateway" : "these \(databases) gateways") "
        + "only: Globus's own logs have the rest. Times are UTC."
    ]
    if report?.isOfHours != false {
      lines.append("Sums are of whole hours, those of pruned rows included.")
    }
    if report == .reads {
      lines.append("Bytes are distinct bytes of answers sent; whether they arrived is not known.")
    }
    if number(gaps, "gaps") > 0 {
      lines.append(
        "\(figure(gaps, "gaps")) gaps: \(figure(gaps, "records")) requests were not recorded "
          + "(SELECT * FROM gaps).")
    }
    if number(facts, "lost") > 0 {
      lines.append(
        "\(figure(facts, "lost")) of \(requests) requests are lost: the server ended before they "
          + "did, and whether they took effect is not known.")
    }
    if number(facts, "unverified") > 0 {
      lines.append(
        "\(figure(facts, "unverified")) of \(requests) requests had signatures that were not "
          + "verified: whoever had the access key id may have made them.")
    }
    if prunings > 0, let first = facts?["first_us"] as Int64?, report?.isOfHours != true {
      lines.append(
        "Older rows were pruned; the first that is left is of \(ChartTime.minute(first)).")
    }
    return lines
  }
}
