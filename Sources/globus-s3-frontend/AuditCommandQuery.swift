// AuditCommandQuery: `audit query`: the newest rows that pass the filters, oldest first.

import ArgumentParser
import Audit

struct AuditQueryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "query",
    abstract: "Show the newest requests that pass all filters, oldest first.",
    discussion: """
      TIME is an age (90s, 30m, 24h, 7d, 2w), a day (2026-11-22: midnight UTC) or an RFC 3339 \
      time (2026-11-22T10:30:00Z).
      """)

  @OptionGroup var database: AuditDatabaseOptions
  @OptionGroup var format: AuditFormatOptions
  @OptionGroup var span: AuditSpanOptions

  @Option(help: "An S3 action such as GetObject; or AuthStart, AuthCallback, Malformed, Unknown.")
  var operation: String?

  @Option(help: "What object keys begin with; case matters.")
  var keyPrefix: String?

  @Option(help: "A username or the UUID of a Globus identity.")
  var user: String?

  @Option(
    help: """
      \(Outcome.allCases.map(\.name).joined(separator: ", ")).
      """,
    transform: { text in
      guard let outcome = Outcome(name: text) else {
        throw ValidationError(
          "one of \(Outcome.allCases.map(\.name).joined(separator: ", ")) is expected")
      }
      return outcome
    })
  var outcome: Outcome?

  @Option(help: "How many requests are shown at most.")
  var limit: Int = QueryFilter.defaultLimit

  func validate() throws {
    guard 1...QueryFilter.maximumLimit ~= limit else {
      throw ValidationError("--limit is a number from 1 to \(QueryFilter.maximumLimit)")
    }
  }

  func run() throws {
    var filter = QueryFilter()
    filter.since = span.since
    filter.until = span.until
    filter.operation = operation
    filter.collectionID = span.collection
    filter.keyPrefix = keyPrefix
    filter.user = user
    filter.outcome = outcome
    filter.limit = limit
    try database.read("query", noted) { reader in
      var output = format.output
      try reader.query(filter, &output)
    }
  }

  /// The filters that were given.
  private var noted: [String: NoteValue?] {
    [
      "operation": operation.map { .text($0) },
      "key_prefix": keyPrefix.map { .text($0) }, "user": user.map { _ in .text("given") },
      "outcome": outcome.map { .text($0.name) }, "limit": .integer(Int64(limit)),
    ].merging(span.noted) { $1 }
  }
}
