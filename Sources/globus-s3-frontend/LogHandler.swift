// LogHandler: one line per event on stderr, as text or as JSON.
//
// What is logged is the caller's choice; this only makes sure that an event is one line, whatever
// its values hold.

import FoundationEssentials
import Logging

enum LogFormat: String, CaseIterable { case text, json }

struct LineLogHandler: LogHandler {
  let label: String
  let format: LogFormat
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  init(label: String, format: LogFormat) {
    self.label = label
    self.format = format
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    let time = Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    let line =
      switch format {
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
