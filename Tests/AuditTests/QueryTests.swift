import Foundation
import GRDB
import Testing

@testable import Audit

@Suite struct QueryTests {
  /// Five requests, a minute apart.
  private func example() throws -> Folder {
    let folder = try Folder()
    let log = try folder.open()
    let keys = ["a/1", "a/2", "b/1", "A/1", "a/\u{10FFFF}x"]
    for (index, key) in keys.enumerated() {
      log.record(
        at: exampleTime + Int64(index) * 60_000_000,
        completion: Completion(
          outcome: index == 2 ? .clientError : .ok, status: 200, durationMicroseconds: 1)
      ) {
        $0.objectKey = key
        if index == 1 { $0.operation = "HeadObject" }
        if index == 3 { $0.collectionID = exampleIdentity }
        if index == 4 {
          $0.identityID = exampleCollection
          $0.username = "other@example.org"
        }
      }
    }
    log.close()
    return folder
  }

  private func lines(
    _ folder: Folder, _ format: QueryOutput.Format = .json, width: Int? = nil,
    isTerminal: Bool = false, _ body: (QueryReader, inout QueryOutput) throws -> Void
  ) throws -> String {
    let sink = Sink()
    var output = QueryOutput(format, width: width, isTerminal: isTerminal) { sink.text += $0 }
    try body(try QueryReader(path: folder.database), &output)
    return sink.text
  }

  private func keys(_ folder: Folder, _ change: (inout QueryFilter) -> Void) throws -> [String] {
    var filter = QueryFilter()
    change(&filter)
    let text = try lines(folder) { try $0.query(filter, &$1) }
    return try text.split(separator: "\n").map { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return object?["object_key"] as? String ?? ""
    }
  }

  @Test func filters() throws {
    let folder = try example()
    let last = "a/\u{10FFFF}x"
    #expect(try keys(folder) { _ in } == ["a/1", "a/2", "b/1", "A/1", last])
    #expect(try keys(folder) { $0.limit = 2 } == ["A/1", last])
    #expect(try keys(folder) { $0.since = exampleTime + 180_000_000 } == ["A/1", last])
    #expect(try keys(folder) { $0.until = exampleTime + 60_000_000 } == ["a/1"])
    #expect(try keys(folder) { $0.operation = "HeadObject" } == ["a/2"])
    #expect(try keys(folder) { $0.collectionID = exampleIdentity.uppercased() } == ["A/1"])
    #expect(try keys(folder) { $0.keyPrefix = "a/" } == ["a/1", "a/2", last])
    #expect(try keys(folder) { $0.keyPrefix = "a/\u{10FFFF}" } == [last])
    #expect(try keys(folder) { $0.keyPrefix = "%" } == [])
    #expect(try keys(folder) { $0.user = "other@example.org" } == [last])
    #expect(try keys(folder) { $0.user = exampleCollection } == [last])
    #expect(try keys(folder) { $0.outcome = .clientError } == ["b/1"])
    #expect(
      try keys(folder) {
        $0.keyPrefix = "a/"
        $0.operation = "GetObject"
        $0.user = exampleIdentity
      } == ["a/1"])
    #expect(try keys(folder) { $0.operation = "' OR 1=1 --" } == [])
  }

  @Test func prefixesAndTimesUseTheIndexes() throws {
    let folder = try example()
    func plan(_ change: (inout QueryFilter) -> Void) throws -> String {
      var filter = QueryFilter()
      change(&filter)
      let (sql, arguments) = filter.statement(columns: Schema.viewColumns)
      return try DatabaseQueue(path: folder.database).read { db in
        try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + sql, arguments: arguments)
          .map { $0["detail"] as String }.joined(separator: "\n")
      }
    }
    #expect(try plan { $0.keyPrefix = "a/" }.contains("request_object"))
    #expect(
      try plan {
        $0.keyPrefix = "a/"
        $0.collectionID = exampleCollection
      }.contains("request_object (collection_pk=? AND object_key>? AND object_key<?)"))
    #expect(try plan { $0.since = 1 }.contains("request_time (start_us>?)"))
    #expect(try plan { $0.user = "u" }.contains("request_principal"))
  }

  @Test(
    arguments: [
      ("90s", exampleTime - 90_000_000), ("30m", exampleTime - 1_800_000_000),
      ("24h", exampleTime - 86_400_000_000), ("7d", exampleTime - 604_800_000_000),
      ("2w", exampleTime - 1_209_600_000_000),
      ("2026-11-22", exampleTime - 36_000_000_000), ("2026-11-22T10:00:00Z", exampleTime),
      ("2026-11-22t12:00:00+02:00", exampleTime),
      ("2026-11-22T10:00:00.25Z", exampleTime + 250_000),
      ("1970-01-01", 0),
    ] as [(String, Int64)])
  func readsTimes(text: String, expected: Int64) {
    #expect(QueryFilter.time(text, now: exampleTime) == expected)
  }

  @Test(arguments: [
    "", "h", "24", "24x", "-1h", "99999999h", "٢h", "yesterday", "2026-13-01", "2026-11-22T10:00",
    "2026-11-22 junk", "2026-11-22T10:00:00Zjunk", "2026-11-31", "2026-11-22T25:00:00Z",
  ])
  func refusesWhatIsNoTime(text: String) {
    #expect(QueryFilter.time(text, now: exampleTime) == nil)
  }

  @Test(arguments: [
    ("a", "b"), ("a/", "a0"), ("é", "ê"), ("a\u{10FFFF}", "b"), ("\u{D7FF}", "\u{E000}"),
  ])
  func knowsWhatFollowsAPrefix(prefix: String, next: String) {
    #expect(QueryFilter.successor(ofPrefix: prefix) == next)
    #expect(QueryFilter.successor(ofPrefix: "\u{10FFFF}") == nil)
  }

  @Test func jsonHasEveryColumnInOrder() throws {
    let folder = try Folder()
    let log = try folder.open()
    let id = log.record { $0.objectKey = "a\u{1B}[31m\"\\\n\u{202E}\u{9B}é" }
    log.close()
    let text = try lines(folder) { try $0.query(QueryFilter(), &$1) }
    #expect(text.hasPrefix("{\"request_id\":\"\(id)\",\"time\":\"2026-11-22T10:00:00.000000Z\","))
    #expect(text.hasSuffix("\"start_us\":\(exampleTime),\"id\":\(id.value)}\n"))
    #expect(text.contains("\"error_code\":null") && text.contains("\"duration_ms\":12.345"))
    #expect(text.contains(#""a\u001b[31m\"\\\u000a\u202e\u009bé""#))
    #expect(text.split(separator: "\n").count == 1)
  }

  @Test func csvIsRFC4180() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record { $0.objectKey = "a,\"b\"\r\nc\u{1B}" }
    log.close()
    let sql = "SELECT object_key AS \"k,1\", status, error_code FROM requests"
    let file = try lines(folder, .csv) { try $0.sql(sql, &$1) }
    #expect(file == "\"k,1\",status,error_code\r\n\"a,\"\"b\"\"\r\nc\u{1B}\",206,\r\n")
    let terminal = try lines(folder, .csv, isTerminal: true) { try $0.sql(sql, &$1) }
    #expect(terminal.hasSuffix("\"a,\"\"b\"\"\\u{D}\\u{A}c\\u{1B}\",206,\r\n"))
  }

  @Test func tableFitsTheTerminalAndIsHarmless() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record { $0.objectKey = "\u{1B}]0;evil\u{7}\u{202E}" + String(repeating: "k", count: 500) }
    log.close()
    for width in [10, 20, 40, 80, 120, 200] {
      let text = try lines(folder, .table, width: width) { try $0.query(QueryFilter(), &$1) }
      let rows = text.split(separator: "\n").filter {
        !$0.hasSuffix("more columns: --format json)")
      }
      #expect(rows.count == 2 && rows.allSatisfy { $0.count <= width })
      #expect(width < 20 || rows[1].hasPrefix("2026-11-22 10:00:00"))
      #expect(
        text.unicodeScalars.allSatisfy {
          $0 == "\n" || $0.value >= 0x20 && !$0.properties.isDefaultIgnorableCodePoint
        })
    }
    let wide = try lines(folder, .table) { try $0.query(QueryFilter(), &$1) }
    #expect(wide.contains(#"\u{1B}]0;evil\u{7}\u{202E}kkk"#))
    #expect(wide.contains(String(repeating: "k", count: 500)))
  }

  @Test(
    arguments: [
      ([5, 5], 80, [5, 5]), ([50, 30], 40, [19, 19]), ([50, 10], 40, [28, 10]),
      ([50, 40, 10], 84, [35, 35, 10]), ([30, 30, 30], 45, [21, 22]), ([30], 10, [10]),
      ([100, 3], 0, [1]),
    ] as [([Int], Int, [Int])])
  func columnsAreCutOrLeftOut(wanted: [Int], width: Int, expected: [Int]) {
    #expect(QueryOutput.fit(wanted, width) == expected)
    #expect(QueryOutput.fit(wanted, nil) == wanted)
  }

  @Test func tableGoesOnBeyondTheMeasuredRows() throws {
    let folder = try example()
    let sql = """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT \
      \(Limits.rowsMeasured + 50)) SELECT i FROM n
      """
    let rows = try lines(folder, .table) { try $0.sql(sql, &$1) }.split(separator: "\n")
    #expect(rows.count == Limits.rowsMeasured + 51)
    #expect(rows[0] == "i" && rows[1] == "   1" && rows.last == "1050")
  }

  @Test(arguments: [
    "SELECT 1 AS one", "  -- comment\n/* another */ select 1 AS one", "VALUES (1)",
    "WITH one AS (SELECT 1) SELECT * FROM one;", "EXPLAIN SELECT 1",
  ])
  func sqlReads(statement: String) throws {
    let folder = try example()
    #expect(try lines(folder, .csv) { try $0.sql(statement, &$1) }.contains("1"))
  }

  @Test(arguments: [
    "DELETE FROM request", "UPDATE request SET status = 1", "DROP VIEW requests",
    "ATTACH '/etc/passwd' AS p", "PRAGMA user_version = 5", "PRAGMA journal_mode = DELETE",
    "VACUUM INTO 'copy.db'", "BEGIN IMMEDIATE", "SELECT 1; DELETE FROM request", "",
    "WITH x AS (SELECT 1) DELETE FROM request", "/* SELECT", "SELECT nonsense FROM requests",
    "INSERT INTO gap VALUES (1, 1, 1, 1, 'x')", "SELECT load_extension('x')",
  ])
  func sqlRefusesEverythingElse(statement: String) throws {
    let folder = try example()
    #expect(throws: QueryError.self) { try lines(folder) { try $0.sql(statement, &$1) } }
    #expect(try folder.rows("SELECT * FROM request").count == 5)
  }

  @Test func readsWhileAServerRunsAndAfterACrash() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record()
    log.flush()
    #expect(try keys(folder) { _ in }.count == 1)
    #expect(try keys(try folder.copyAsAfterCrash()) { _ in }.count == 1)
    log.record()
    #expect(log.flush())
    #expect(try keys(folder) { _ in }.count == 2)
    log.close()
    #expect(try keys(folder) { _ in }.count == 2)
  }

  @Test func showsOneRequest() throws {
    let folder = try Folder()
    let log = try folder.open()
    let id = log.record()
    log.close()
    let reader = try QueryReader(path: folder.database)
    let fields = try #require(try reader.show(id))
    #expect(fields.map(\.column) == Schema.viewColumns)
    #expect(fields.first?.value == .text("\(id)"))
    #expect(try reader.show(RequestID(value: 1)) == nil)
  }

  @Test func aMissingDatabaseIsNotMade() throws {
    let folder = try Folder()
    #expect { try QueryReader(path: folder.database) } throws: {
      ($0 as? AuditError)?.code == .unusable
    }
    #expect(!FileManager.default.fileExists(atPath: folder.database))
  }
}

private final class Sink {
  var text = ""
}
