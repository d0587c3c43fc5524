import Foundation
import GRDB
import Testing

@testable import Audit

@Suite struct ReportTests {
  private func lines(
    _ folder: Folder, _ report: Report, change: (inout ReportFilter) -> Void = { _ in }
  ) throws -> [[String: Any]] {
    var filter = ReportFilter()
    change(&filter)
    return try lines(QueryReader(path: folder.database), report, filter)
  }

  private func lines(
    _ reader: QueryReader, _ report: Report, _ filter: ReportFilter = ReportFilter()
  ) throws -> [[String: Any]] {
    var text = ""
    var output = QueryOutput(.json, width: nil, isTerminal: false) { text += $0 }
    try reader.report(report, filter, &output)
    return try text.split(separator: "\n").map {
      try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
    }
  }

  private func read(
    _ log: AuditLog, _ key: String, range: String?, status: Int, bytes: Int64, size: Int64? = 100
  ) {
    var end = Completion(outcome: .ok, status: status, durationMicroseconds: 1_000)
    end.bytesOut = bytes
    end.objectSize = size
    log.record(completion: end) {
      $0.objectKey = key
      $0.range = range
    }
  }

  @Test func readsAreGroupedByPersonAndObjectWithDistinctBytes() throws {
    let folder = try Folder()
    let log = try folder.open()
    read(log, "whole", range: nil, status: 200, bytes: 100)
    read(log, "whole", range: nil, status: 200, bytes: 100)
    read(log, "in parts", range: "bytes=0-49", status: 206, bytes: 50)
    read(log, "in parts", range: "bytes=40-99", status: 206, bytes: 60)
    read(log, "twice the same", range: "bytes=0-49", status: 206, bytes: 50)
    read(log, "twice the same", range: "bytes=0-49", status: 206, bytes: 50)
    read(log, "the end", range: "bytes=-10", status: 206, bytes: 10)
    read(log, "from the middle", range: "bytes=50-", status: 206, bytes: 20)
    read(log, "not at all", range: nil, status: 200, bytes: 0)
    read(log, "empty", range: nil, status: 200, bytes: 0, size: 0)
    read(log, "refused", range: nil, status: 403, bytes: 50)
    log.record { $0.operation = "HeadObject" }
    log.record(completion: Completion(outcome: .ok, status: 200, durationMicroseconds: 1)) {
      $0.operation = "ListObjectsV2"
      $0.objectKey = nil
      $0.identityID = nil
    }
    log.close()
    let rows = try lines(folder, .reads)
    let told = rows.map { row in
      "\(row["object_key"] as? String ?? "-"): \(row["what"]!) \(row["requests"]!) "
        + "\(row["bytes"] as? Int ?? -1)"
    }
    #expect(
      told == [
        "-: names 1 -1", "empty: complete 1 0", "from the middle: partial 1 20",
        "in parts: complete 2 100", "not at all: nothing 1 0", "the end: partial 1 10",
        "twice the same: partial 2 50", "whole: complete 2 100",
      ])
    #expect(try lines(folder, .reads) { $0.keyPrefix = "wh" }.count == 1)
    #expect(try lines(folder, .reads) { $0.user = "someone@example.org" }.count == 7)
    #expect(try lines(folder, .reads) { $0.user = "nobody" }.isEmpty)
    #expect(try lines(folder, .reads) { $0.limit = 2 }.count == 2)
  }

  /// Byte sets against the obvious way, with random ranges.
  @Test func byteSetsAreUnions() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix(state: seed)
    for _ in 0..<200 {
      var (set, bits) = (ByteSet(), Set<Int64>())
      for _ in 0..<Int.random(in: 0..<20, using: &random) {
        let first = Int64.random(in: 0..<60, using: &random)
        let range = first..<(first + Int64.random(in: 0..<12, using: &random))
        set.insert(range)
        bits.formUnion(range)
        #expect(set.count == Int64(bits.count), "seed \(seed)")
        #expect(
          zip(set.ranges, set.ranges.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound },
          "seed \(seed)")
      }
    }
  }

  @Test func byteSetsHaveALimit() {
    var set = ByteSet()
    for number in 0...Int64(Limits.rangesPerObject) { set.insert((number * 2)..<(number * 2 + 1)) }
    #expect(set.ranges.count == Limits.rangesPerObject)
    #expect(set.count == Int64(Limits.rangesPerObject) + 2)
  }

  @Test func sumsComeFromTheHours() throws {
    let folder = try Folder()
    let log = try folder.open()
    for _ in 0..<3 { log.record() }
    log.record(
      at: exampleTime + Rollup.hourMicroseconds,
      completion: Completion(outcome: .serverError, status: 503, durationMicroseconds: 1_000)
    ) { $0.username = "second@example.org" }
    log.close()
    let hours = try lines(folder, .hourly)
    #expect(
      hours.map { $0["hour"] as? String } == ["2026-11-22T11:00:00Z", "2026-11-22T10:00:00Z"])
    #expect(hours.map { $0["errors"] as? Int } == [1, 0])
    let top = try lines(folder, .top)
    #expect(top.first?["username"] as? String == "someone@example.org")
    #expect(top.first?["bytes_out"] as? Int == 300)
    let collections = try lines(folder, .collections)
    #expect(collections.count == 1 && collections[0]["requests"] as? Int == 4)
    #expect(
      try lines(folder, .collections) { $0.since = exampleTime + Rollup.hourMicroseconds }
        .first?["requests"] as? Int == 1)
  }

  @Test func failuresDeletesSlowAndClients() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record()
    var failed = Completion(outcome: .clientError, status: 404, durationMicroseconds: 9_000_000)
    failed.errorCode = "NoSuchKey"
    log.record(completion: failed) { $0.userAgent = "rclone" }
    log.record { $0.operation = "DeleteObject" }
    log.close()
    #expect(try lines(folder, .failures).map { $0["error_code"] as? String } == ["NoSuchKey"])
    #expect(try lines(folder, .deletes).count == 1)
    #expect(try lines(folder, .slow).first?["duration_ms"] as? Double == 9_000)
    #expect(
      Set(try lines(folder, .clients).map { $0["user_agent"] as? String ?? "" })
        == ["aws-cli/2.15", "rclone"])
  }

  @Test func aReportSaysHowFarItGoes() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 1)
    let held = log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime)))
    _ = log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime)))
    if let held { log.complete(held, exampleCompletion()) }
    log.close()
    let reader = try QueryReader(path: folder.database)
    let coverage = try reader.coverage(.reads, ReportFilter()).joined(separator: "\n")
    for part in [
      "through this gateway only", "Times are UTC", "1 gaps: 1 requests were not recorded",
      "1 of 1 requests had signatures that were not verified", "distinct bytes",
    ] {
      #expect(coverage.contains(part), "\(coverage)")
    }
    #expect(!coverage.contains("lost"))
  }

  @Test func severalDatabasesAreAskedAsOne() throws {
    let folders = try (0..<3).map { number in
      let folder = try Folder()
      let log = try folder.open()
      log.record(at: exampleTime + Int64(number)) { $0.objectKey = "of \(number)" }
      log.close()
      return folder
    }
    let reader = try QueryReader(paths: folders.map(\.database))
    #expect(
      try lines(reader, .reads).map { $0["object_key"] as? String } == ["of 0", "of 1", "of 2"])
    #expect(try lines(reader, .collections).first?["requests"] as? Int == 3)
    var text = ""
    var output = QueryOutput(.csv, width: nil, isTerminal: false) { text += $0 }
    var filter = QueryFilter()
    filter.limit = 2
    filter.outcome = .ok
    try reader.query(filter, &output)
    let rows = text.split(separator: "\r\n")
    #expect(rows.count == 3 && rows[1].contains("of 1") && rows[2].contains("of 2"))
    for view in Schema.sharedViews where !["rollups", "notes", "gaps"].contains(view) {
      text = ""
      try reader.sql("SELECT count(DISTINCT id) FROM \(view)", &output)
      #expect(text.hasSuffix("\r\n3\r\n"), "\(view): \(text)")
    }
    #expect(throws: QueryError.self) { try reader.sql("DELETE FROM requests", &output) }
    #expect(try reader.coverage(.slow, ReportFilter()).first?.contains("3 gateways") == true)
    #expect { try QueryReader(paths: Array(repeating: folders[0].database, count: 12)) } throws: {
      ($0 as? AuditError)?.description.contains("1 to 11") ?? false
    }
  }

  @Test func aRequestsStory() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record {
      $0.operation = "AuthCallback"
      $0.objectKey = nil
    }
    log.record { $0.authResult = .verified }
    let id = log.record()
    log.close()
    let story = try #require(try QueryReader(path: folder.database).story(id))
    #expect(
      story.joined(separator: " ").contains(
        """
        someone@example.org asked from 192.0.2.7, through the proxy 127.0.0.1 with aws-cli/2.15. \
        The request was GetObject of data/example.txt in the collection \(exampleCollection), \
        bytes=0-99; its signature was not verified, its access key id was genuine. Globus was \
        asked 2 times, at last m-1.data.example.org, which answered 206. The answer was 206, with \
        100 bytes after 12.345 ms; it was sent whole. The credential was given at \
        2026-11-22T10:00:00.000000Z to 192.0.2.7
        """), "\(story)")
    #expect(story.last == "1 other requests in the record are for this object, by 1 persons.")
    #expect(try QueryReader(path: folder.database).story(RequestID(value: 1)) == nil)
  }
}
