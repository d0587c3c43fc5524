// PlanTests: the statements that reports and stories run, asked of SQLite how it would answer them.
// Without statistics in the file the answer is the same for one row and for a million.

import Foundation
import GRDB
import Testing

@testable import Audit

@Suite struct PlanTests {
  /// The plans of all statements that `body` runs.
  private func plans(_ body: (QueryReader) throws -> Void) throws -> [String] {
    let folder = try Folder()
    let log = try folder.open()
    log.record {
      $0.operation = "AuthCallback"
      $0.objectKey = nil
    }
    log.record()
    log.close()
    let reader = try QueryReader(path: folder.database)
    let seen = Sink()
    reader.queue.inDatabase { db in
      db.trace { event in
        if case .statement(let statement) = event { seen.lines.append(statement.expandedSQL) }
      }
    }
    try body(reader)
    return try reader.queue.inDatabase { db in
      db.trace(options: [])
      return try seen.lines.filter { $0.hasPrefix("SELECT") || $0.hasPrefix("WITH") }.map { sql in
        try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + sql)
          .map { $0["detail"] as String }.joined(separator: "\n")
      }
    }
  }

  private func plans(
    _ report: Report, _ change: (inout ReportFilter) -> Void
  ) throws -> [String] {
    var filter = ReportFilter()
    change(&filter)
    return try plans { reader in
      var output = QueryOutput(.json, width: nil, isTerminal: false) { _ in }
      try reader.report(report, filter, &output)
    }
  }

  /// Reads every row of `request`, in whatever order.
  private func isScan(_ plan: String) -> Bool {
    plan.split(separator: "\n").contains { $0.hasPrefix("SCAN r") && !$0.hasPrefix("SCAN reads") }
  }

  @Test(
    arguments: [
      (.reads, "request_time (start_us>?)"), (.failures, "request_failed (start_us>?)"),
      (.slow, "request_time (start_us>?)"), (.deletes, "request_deleted_time (start_us>?)"),
      (.clients, "request_time (start_us>?)"), (.top, "SEARCH h USING PRIMARY KEY (hour>?)"),
      (.hourly, "SEARCH h USING PRIMARY KEY (hour>?)"),
      (.collections, "SEARCH h USING PRIMARY KEY (hour>?)"),
    ] as [(Report, String)])
  func aReportSinceSomeTimeReadsAnIndex(report: Report, index: String) throws {
    for collection in [nil, exampleCollection] {
      let plans = try plans(report) {
        $0.since = exampleTime
        $0.collectionID = collection
      }
      #expect(plans.count == 1 && plans[0].contains(index), "\(plans)")
      #expect(!isScan(plans.joined()))
    }
  }

  @Test(arguments: [Report.reads, .failures, .slow, .clients])
  func aReportOfAPersonReadsTheirRows(report: Report) throws {
    for user in ["someone@example.org", exampleIdentity] {
      let plans = try plans(report) {
        $0.since = exampleTime
        $0.user = user
      }
      #expect(plans[0].contains("request_principal (principal_pk=? AND start_us>?)"), "\(plans)")
      #expect(!isScan(plans.joined()))
    }
  }

  @Test(arguments: [nil, exampleCollection])
  func aReportOfAPrefixReadsItsKeys(collection: String?) throws {
    for report in [Report.reads, .slow, .clients] {
      let plans = try plans(report) {
        $0.keyPrefix = "data/"
        $0.collectionID = collection
      }
      #expect(
        plans[0].contains("request_object (collection_pk=? AND object_key>? AND object_key<?)"),
        "\(plans)")
      #expect(!isScan(plans.joined()))
    }
    let plans = try plans(.deletes) {
      $0.keyPrefix = "data/"
      $0.collectionID = exampleCollection
    }
    #expect(plans[0].contains("request_deleted (collection_pk=?"), "\(plans)")
  }

  @Test func sumsDoNotReadTheRequests() throws {
    for report in Report.allCases where report.isOfHours {
      #expect(try !plans(report) { _ in }.joined().contains("request_"), "\(report)")
    }
  }

  @Test func whatNeedsFewRowsReadsAnIndexOfTheseEvenWithoutATime() throws {
    #expect(try plans(.failures) { _ in }[0].contains("request_failed"))
    #expect(try plans(.deletes) { _ in }[0].contains("request_deleted_time"))
  }

  @Test func aStoryAndACoverageReadIndexes() throws {
    let plans = try plans { reader in
      let last = try reader.queue.read { db in
        try Int64.fetchOne(db, sql: "SELECT max(id) FROM request")
      }
      _ = try reader.story(RequestID(value: last ?? 0))
      var filter = ReportFilter()
      (filter.since, filter.until) = (exampleTime, exampleTime + 1)
      _ = try reader.coverage(.slow, filter)
    }
    let all = plans.joined(separator: "\n")
    #expect(!isScan(all), "\(all)")
    for index in [
      "request_sign_in (credential_pk=?)", "request_object (collection_pk=? AND object_key=?)",
      "request_time (start_us>? AND start_us<?)",
    ] {
      #expect(all.contains(index), "\(all)")
    }
  }
}

private final class Sink {
  var lines: [String] = []
}
