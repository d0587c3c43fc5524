// LogHandler: one line per event on stderr, as text or as JSON.
//
// What is logged is the caller's choice; this only makes sure that an event is one line, whatever
// its values hold.

import FoundationEssentials
import Frontend
import Glibc
import Logging
import Synchronization

enum LogFormat: String, CaseIterable { case text, json }

/// The form of all lines from now on; any thread.
final class LogForm: Sendable {
  private let current: Mutex<LogFormat>
  init(_ format: LogFormat) { current = Mutex(format) }

  var format: LogFormat {
    get { current.withLock { $0 } }
    set { current.withLock { $0 = newValue } }
  }

  func makeLogger() -> Logger {
    Logger(label: "globus-s3-frontend") { LineLogHandler(label: $0, form: self) }
  }
}

struct LineLogHandler: LogHandler {
  let label: String
  let form: LogForm
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  init(label: String, form: LogForm) {
    self.label = label
    self.form = form
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let time = HTTPDate.formatISO(
      Int64(now.tv_sec), milliseconds: Int64(now.tv_nsec) / 1_000_000)
    let line =
      switch form.format {
      case .text: text(time, event, fields)
      case .json: json(time, event, fields)
      }
    writeErrorLine(line)
  }

  private func text(
    _ time: String, _ event: LogEvent, _ fields: [(key: String, value: Logger.MetadataValue)]
  ) -> String {
    let values = fields.map { " \($0.key)=\($0.value)" }.joined()
    return "\(time) \(event.level) \(event.message)\(values)"
  }

  private func json(
    _ time: String, _ event: LogEvent, _ fields: [(key: String, value: Logger.MetadataValue)]
  ) -> String {
    var object = [
      "time": time, "level": event.level.rawValue, "message": "\(event.message)",
    ]
    for (key, value) in fields { object[key] = "\(value)" }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // A dictionary of strings always encodes.
    return (try? encoder.encode(object)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}
