import Foundation
import GRDB
import Testing

@testable import Audit

@Suite struct SchemaDocumentationTests {
  @Test func everyTableViewAndColumnIsDocumentedInTheRecord() throws {
    let folder = try Folder()
    try folder.open().close()
    let columns = try folder.rows(
      """
      SELECT m.name AS name, c.name AS column FROM sqlite_master m, pragma_table_info(m.name) c
      WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
      UNION SELECT name, '' FROM sqlite_master
      WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
      """)
    let documented = try folder.rows("SELECT name, column FROM documentation")
    let name = { (row: [String: String]) in "\(row["name"]!).\(row["column"]!)" }
    #expect(Set(columns.map(name)) == Set(documented.map(name)))
    #expect(documented.count == columns.count)
    #expect(try folder.rows("SELECT * FROM documentation WHERE length(meaning) < 4").isEmpty)
  }

  /// A number says what it counts.
  @Test func unitsAreWhatTheNamesSay() {
    for line in Schema.documentation {
      if line.column.hasSuffix("_us") { #expect(line.unit == "us", "\(line)") }
      if line.column.hasSuffix("_ms") { #expect(line.unit == "ms", "\(line)") }
      if line.column.hasPrefix("bytes_") { #expect(line.unit == "bytes", "\(line)") }
    }
  }

  @Test func aRecordOfTheFirstVersionIsDocumentedWhenItIsBroughtUpToDate() throws {
    let folder = try Folder()
    let queue = try DatabaseQueue(path: folder.database)
    try Schema.migrator.migrate(queue, upTo: "1 requests")
    try queue.close()
    try folder.open().close()
    #expect(
      try folder.rows("SELECT count(*) AS n FROM documentation").first?["n"]
        == "\(Schema.documentation.count)")
  }
}
