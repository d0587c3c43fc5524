import Crypto
import Foundation
import GRDB
import Testing

@testable import Audit

@Suite struct HTMLReportTests {
  private let hostile = "</svg></style><script>alert(1)</script>\"'&\u{1B}\u{202E}"

  private func page(
    _ folder: Folder, now: Int64 = exampleTime + 60_000_000,
    change: (inout ReportFilter) -> Void = { _ in }
  ) throws -> String {
    var filter = ReportFilter()
    change(&filter)
    return try QueryReader(path: folder.database).htmlReport(filter, now: now)
  }

  @Test func namesFromTheRecordStayText() throws {
    let folder = try Folder()
    let log = try folder.open()
    var failed = Completion(outcome: .clientError, status: 404, durationMicroseconds: 5)
    failed.errorCode = hostile
    log.record(completion: failed) {
      $0.objectKey = hostile
      $0.username = hostile
      $0.operation = "<b>\"op\"</b>"
      $0.userAgent = hostile
      $0.identityID = "<i>identity</i>"
      $0.collectionID = "<u>collection</u>"
    }
    log.close()
    let page = try page(folder) { $0.user = nil }
    for mark in ["<script", "<b>", "<i>", "<u>", "\u{1B}", "\u{202E}"] {
      #expect(!page.contains(mark), "\(mark)")
    }
    #expect(page.components(separatedBy: "</style>").count == 2)
    #expect(page.contains(#"&lt;/svg&gt;&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;"#))
    #expect(page.contains(#"&quot;&#39;&amp;\u{1B}\u{202E}"#))
    let filtered = try self.page(folder) { $0.user = hostile }
    #expect(!filtered.contains("<script") && filtered.contains("Only the person"))
  }

  @Test func thePolicyAllowsTheStyleAndNothingElse() throws {
    let folder = try Folder()
    try folder.open().close()
    let page = try page(folder)
    let style = try #require(page.firstMatch(of: /<style>((?s:.*?))<\/style>/)).1
    let hash = Data(SHA256.hash(style.utf8)).base64EncodedString()
    #expect(
      page.contains(
        """
        content="default-src &#39;none&#39;; style-src &#39;sha256-\(hash)&#39;; \
        base-uri &#39;none&#39;; form-action &#39;none&#39;"
        """))
    for loads in ["http:", "https:", "url(", "@import", "<script", "<link", "<img", "style=\""] {
      #expect(!page.contains(loads), "\(loads)")
    }
  }

  @Test func anEmptyRecordSaysSo() throws {
    let folder = try Folder()
    try folder.open().close()
    let page = try page(folder)
    #expect(page.contains("The record has no request in this time."))
    #expect(page.contains("through this gateway only") && !page.contains("<svg"))
    let log = try folder.open()
    log.record()
    log.close()
    #expect(try self.page(folder).contains("<svg"))
    let narrow = try self.page(folder) { $0.collectionID = exampleIdentity }
    #expect(narrow.contains("no request in this time that passes the filter"))
    #expect(try !self.page(folder) { $0.since = exampleTime * 2 }.contains("<svg"))
  }

  @Test func tellsWhatTheRecordHas() throws {
    let folder = try Folder()
    let log = try folder.open()
    for number in 0..<3 {
      log.record(at: exampleTime + Int64(number) * Rollup.hourMicroseconds)
    }
    log.record(
      completion: Completion(outcome: .timeout, status: 503, durationMicroseconds: 9_000_000)
    ) { $0.operation = "HeadObject" }
    log.close()
    let facts = try QueryReader(path: folder.database).queue.read {
      try HTMLReportFacts.read(
        ReportFilter(), now: exampleTime + 2 * Rollup.hourMicroseconds + 1, $0)
    }
    #expect(facts.total.requests == 4 && facts.total.errors == 1 && facts.total.bytesOut == 300)
    #expect(facts.overTime.map(\.requests) == [2, 1, 1])
    #expect(facts.collections.map(\.name) == [exampleCollection])
    #expect(facts.people.map(\.name) == ["someone@example.org"])
    #expect(facts.objects.map(\.sums.requests) == [4])
    #expect(facts.failures.map(\.code) == ["timeout"])
    #expect(facts.latencies.map(\.operation) == ["GetObject", "HeadObject"])
    #expect(facts.latencies.map(\.longest) == [12_345, 9_000_000])
    let page = try page(folder, now: facts.to - 1)
    for part in [
      "22 November 2026, 10:00 to 22 November 2026, 12:59 UTC", "someone@example.org", "300 B",
      "given up after too long a wait", "9 s", "12.3 ms", "1 <small>25 %</small>",
    ] {
      #expect(page.contains(part), "\(part)")
    }
    #expect(page.components(separatedBy: "role=\"img\"").count == 8)
    #expect(page.components(separatedBy: "<title id=").count == 8)
    #expect(page.components(separatedBy: "<table>").count == 8)
  }

  @Test func coverageCountsOnlyWhatPasses() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record()
    log.record { $0.collectionID = exampleIdentity }
    log.close()
    let reader = try QueryReader(path: folder.database)
    var filter = ReportFilter()
    #expect(try reader.coverage(nil, filter).last?.hasPrefix("2 of 2 requests had") == true)
    filter.collectionID = exampleIdentity
    #expect(try reader.coverage(nil, filter).last?.hasPrefix("1 of 1 requests had") == true)
    try Steward(path: folder.database).note("prune", [:])
    #expect(
      try reader.coverage(nil, filter).last
        == "Older rows were pruned; the first that is left is of 2026-11-22 10:00.")
    #expect(try reader.coverage(nil, filter)[1].hasPrefix("Sums are of whole hours"))
  }

  @Test func listsHaveLimits() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 256)
    for number in 0..<(Limits.reportNames + 5) {
      var end = Completion(outcome: .clientError, status: 400, durationMicroseconds: 1)
      end.errorCode = "Code\(number)"
      log.record(completion: end) {
        $0.objectKey = "key \(number)"
        $0.operation = "Operation\(number)"
        $0.identityID = UUID().uuidString
        $0.collectionID = UUID().uuidString
      }
    }
    for number in 0..<Limits.reportOperations {
      log.record { $0.operation = "More\(number)" }
    }
    log.close()
    let facts = try QueryReader(path: folder.database).queue.read {
      try HTMLReportFacts.read(ReportFilter(), now: exampleTime, $0)
    }
    #expect(facts.objects.count == Limits.reportNames)
    #expect(facts.people.count == Limits.reportNames)
    #expect(facts.collections.count == Limits.reportNames)
    #expect(facts.failures.count == Limits.reportNames)
    #expect(facts.latencies.count == Limits.reportOperations + 1)
    #expect(facts.latencies.first { $0.operation == "other operations" }?.requests == 25)
    let page = try page(folder)
    #expect(page.components(separatedBy: "<g><title>key ").count == Limits.chartNames)
  }

  @Test func theFileIsPrivateAndReplacesNone() throws {
    let folder = try Folder()
    try folder.open().close()
    let path = folder.path + "/page.html"
    let reader = try QueryReader(path: folder.database)
    try reader.writeHTMLReport(ReportFilter(), to: path)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect { try reader.writeHTMLReport(ReportFilter(), to: path) } throws: {
      ($0 as? AuditError)?.description.contains("choose another file") ?? false
    }
    let link = folder.path + "/link.html"
    try FileManager.default.createSymbolicLink(
      atPath: link, withDestinationPath: folder.path + "/target.html")
    #expect(throws: AuditError.self) { try reader.writeHTMLReport(ReportFilter(), to: link) }
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/target.html"))
    try DatabaseQueue(path: folder.database).write { try $0.execute(sql: "DROP VIEW gaps") }
    let second = folder.path + "/second.html"
    #expect(throws: QueryError.self) { try reader.writeHTMLReport(ReportFilter(), to: second) }
    #expect(!FileManager.default.fileExists(atPath: second))
  }
}
