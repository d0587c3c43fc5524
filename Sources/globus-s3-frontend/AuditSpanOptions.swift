// AuditSpanOptions: which time and collection a command of `audit` is about.

import ArgumentParser
import Audit

struct AuditSpanOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Requests that began at this time or later.", valueName: "time"),
    transform: AuditSpanOptions.time)
  var since: Int64?

  @Option(
    help: ArgumentHelp("Requests that began before this time.", valueName: "time"),
    transform: AuditSpanOptions.time)
  var until: Int64?

  @Option(help: ArgumentHelp("Only requests for this collection.", valueName: "uuid"))
  var collection: String?

  /// What was given, for the note in the record.
  var noted: [String: NoteValue?] {
    [
      "since_us": since.map { .integer($0) }, "until_us": until.map { .integer($0) },
      "collection": collection.map { .text($0) },
    ]
  }

  static func time(_ text: String) throws -> Int64 {
    guard let time = QueryFilter.time(text, now: AuditLog.wallMicroseconds()) else {
      throw ValidationError("not a time: 24h, 7d, 2026-11-22 or 2026-11-22T10:30:00Z is expected")
    }
    return time
  }
}
