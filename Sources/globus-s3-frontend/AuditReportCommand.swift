// AuditReportCommand: `audit report`: the questions that are asked again and again.
//
// The coverage goes below a table, and to stderr beside JSON and CSV.

import ArgumentParser
import Audit

extension Report: ExpressibleByArgument {}

struct AuditReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Answer a question about the record, and say how far the answer goes.",
    discussion: Report.allCases.map { "\($0.rawValue): \($0.summary)" }.joined(separator: "\n"))

  @OptionGroup var database: AuditDatabaseOptions
  @OptionGroup var format: AuditFormatOptions

  @Argument(help: "\(Report.allCases.map(\.rawValue).joined(separator: ", ")).")
  var report: Report?

  @Option(
    help: ArgumentHelp(
      """
      Write a page for browsers and paper instead, with pictures of what the reports tell, to a \
      file that is not there yet. It names persons: only you can read it.
      """, valueName: "file"))
  var html: String?

  @OptionGroup var span: AuditSpanOptions

  @Option(help: "What object keys begin with; case matters. Not for sums of hours.")
  var keyPrefix: String?

  @Option(help: "A username or the UUID of a Globus identity.")
  var user: String?

  @Option(help: "How many rows are shown at most.")
  var limit: Int = ReportFilter().limit

  func validate() throws {
    guard 1...QueryFilter.maximumLimit ~= limit else {
      throw ValidationError("--limit is a number from 1 to \(QueryFilter.maximumLimit)")
    }
    let names = Report.allCases.map(\.rawValue).joined(separator: ", ")
    guard (report == nil) != (html == nil) else {
      throw ValidationError(
        html == nil
          ? "name a report: \(names); or --html FILE"
          : "--html has all reports: leave '\(report?.rawValue ?? "")' out")
    }
    if html != nil, keyPrefix != nil || format.format != .table || limit != ReportFilter().limit {
      throw ValidationError("--key-prefix, --format and --limit do not go with --html")
    }
  }

  func run() throws {
    var filter = ReportFilter()
    filter.since = span.since
    filter.until = span.until
    filter.collectionID = span.collection
    filter.keyPrefix = keyPrefix
    filter.user = user
    filter.limit = limit
    try database.read("report", noted) { reader in
      if let html { try reader.writeHTMLReport(filter, to: html) }
      guard let report else { return }
      var output = format.output
      try reader.report(report, filter, &output)
      for line in try reader.coverage(report, filter) {
        if format.format == .table { print("# \(line)") } else { writeErrorLine(line) }
      }
    }
  }

  private var noted: [String: NoteValue?] {
    [
      "report": report.map { .text($0.rawValue) }, "html": html.map { .text($0) },
      "key_prefix": keyPrefix.map { .text($0) }, "user": user.map { _ in .text("given") },
    ].merging(span.noted) { $1 }
  }
}
