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

  @Option(
    help: ArgumentHelp("Requests that began at this time or later.", valueName: "time"),
    transform: AuditQueryCommand.time)
  var since: Int64?

  @Option(
    help: ArgumentHelp("Requests that began before this time.", valueName: "time"),
    transform: AuditQueryCommand.time)
  var until: Int64?

  @Option(help: ArgumentHelp("Only this collection's rows.", valueName: "uuid"))
  var collection: String?

  func run() throws {
    var filter = QueryFilter()
    filter.since = since
    filter.until = until
    filter.collectionID = collection
    filter.limit = nil
    let noted: [String: NoteValue?] = [
      "since_us": since.map { .integer($0) }, "until_us": until.map { .integer($0) },
      "collection": collection.map { .text($0) }, "format": .text(format.rawValue),
    ]
    try database.read("export", noted) { reader in
      var output = AuditFormatOptions.output(format == .json ? .json : .csv)
      try reader.query(filter, &output)
    }
  }
}
