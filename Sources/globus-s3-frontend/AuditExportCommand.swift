// AuditExportCommand: `audit export`: every row that passes, in a form for other programs.

import ArgumentParser
import Audit

struct AuditExportCommand: ParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case json, csv
  }

  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Print all rows, whole or of one collection, as JSON lines or CSV, oldest first.")

  @OptionGroup var database: AuditDatabaseOptions

  @Option(help: "json (one object per line) or csv.")
  var format: Format = .json

  @OptionGroup var span: AuditSpanOptions

  func run() throws {
    var filter = QueryFilter()
    filter.since = span.since
    filter.until = span.until
    filter.collectionID = span.collection
    filter.limit = nil
    let noted = span.noted.merging(["format": .text(format.rawValue)]) { $1 }
    try database.read("export", noted) { reader in
      var output = AuditFormatOptions.output(format == .json ? .json : .csv)
      try reader.query(filter, &output)
    }
  }
}
