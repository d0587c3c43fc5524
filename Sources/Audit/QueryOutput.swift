// QueryOutput: rows as a table, as JSON lines or as CSV.
//
// Keys and user agents are written by strangers: in a table, and in CSV on a terminal, control
// and invisible characters are shown as \u{…}; JSON escapes them always. JSON and CSV (RFC 4180)
// are written row by row; a table measures its first rows and then goes on row by row, too.

import Foundation
import GRDB

/// A value of a result.
public enum QueryValue: Equatable, Sendable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
  case blob(Data)

  init(_ value: DatabaseValue) {
    self =
      switch value.storage {
      case .null: .null
      case .int64(let integer): .integer(integer)
      case .double(let real): .real(real)
      case .string(let text): .text(text)
      case .blob(let data): .blob(data)
      }
  }

  /// Text as people read it: nothing for NULL, hexadecimal for bytes.
  public var description: String {
    switch self {
    case .null: ""
    case .integer(let integer): "\(integer)"
    case .real(let real): "\(real)"
    case .text(let text): text
    case .blob(let data): data.map { String(format: "%02x", $0) }.joined()
    }
  }

  private var isNumber: Bool {
    switch self {
    case .integer, .real: true
    case .null, .text, .blob: false
    }
  }

  fileprivate var json: String {
    switch self {
    case .null: "null"
    case .integer(let integer): "\(integer)"
    case .real(let real): real.isFinite ? "\(real)" : "null"
    case .text, .blob: QueryOutput.jsonText(description)
    }
  }

  fileprivate func padded(to width: Int) -> String {
    let text = QueryOutput.visible(description)
    let isLong = TextWidth.columns(text) > width
    let cut = isLong ? TextWidth.prefix(text, columns: width - 1) + "…" : text
    let padding = String(repeating: " ", count: width - TextWidth.columns(cut))
    return isNumber ? padding + cut : cut + padding
  }
}

/// Prints a result in one of three formats.
public struct QueryOutput {
  public enum Format: String, Sendable, CaseIterable {
    case table, json, csv
  }

  public let format: Format
  /// Columns of the terminal; nil: as wide as it gets.
  private let width: Int?
  private let isTerminal: Bool
  private let write: (String) throws -> Void
  private var columns: [String] = []
  private var widths: [Int]?
  private var measured: [[QueryValue]] = []

  /// `write` gets whole lines with their ends.
  public init(
    _ format: Format, width: Int?, isTerminal: Bool, write: @escaping (String) throws -> Void
  ) {
    self.format = format
    self.width = width
    self.isTerminal = isTerminal
    self.write = write
  }

  mutating func begin(columns: [String]) throws {
    self.columns = columns
    if format == .csv { try write(csvLine(columns.map { .text($0) })) }
  }

  mutating func row(_ values: [QueryValue]) throws {
    switch format {
    case .json: try write(jsonLine(values))
    case .csv: try write(csvLine(values))
    case .table:
      if let widths {
        try write(tableLine(values, widths))
      } else {
        measured.append(values)
        if measured.count == Limits.rowsMeasured { try beginTable() }
      }
    }
  }

  mutating func end() throws {
    guard format == .table else { return }
    if widths == nil { try beginTable() }
    if let shown = widths?.count, shown < columns.count {
      try write("(\(columns.count - shown) more columns: --format json)\n")
    }
  }

  // MARK: Table

  private mutating func beginTable() throws {
    var wanted = columns.map { TextWidth.columns(Self.visible($0)) }
    for row in measured {
      for (column, value) in row.enumerated() {
        let columns = TextWidth.columns(Self.visible(value.description))
        wanted[column] = max(wanted[column], columns)
      }
    }
    let widths = Self.fit(wanted, width)
    self.widths = widths
    try write(tableLine(columns.map { .text($0) }, widths))
    for row in measured { try write(tableLine(row, widths)) }
    measured = []
  }

  /// Leaves the last columns out until the others fit when cut, then cuts the widest ones.
  static func fit(_ wanted: [Int], _ width: Int?) -> [Int] {
    guard let width else { return wanted }
    func excess(_ widths: [Int]) -> Int { widths.reduce(0, +) + 2 * (widths.count - 1) - width }
    var widths = wanted
    while widths.count > 1, excess(widths.map { min($0, Limits.narrowestColumn) }) > 0 {
      widths.removeLast()
    }
    widths = widths.map { min($0, max(1, width)) }
    while excess(widths) > 0, let widest = widths.max(), widest > 1,
      let column = widths.firstIndex(of: widest)
    {
      widths[column] -= 1
    }
    return widths
  }

  private func tableLine(_ values: [QueryValue], _ widths: [Int]) -> String {
    let line = zip(values, widths).map { $0.padded(to: $1) }.joined(separator: "  ")
    return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
  }

  /// Text that a terminal can't take for anything but text.
  public static func visible(_ text: String) -> String {
    if text.utf8.allSatisfy({ 0x20..<0x7F ~= $0 }) { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if isHidden(scalar) {
        result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate,
      .unassigned:
      true
    default: false
    }
  }

  // MARK: JSON and CSV

  private func jsonLine(_ values: [QueryValue]) -> String {
    let members = zip(columns, values).map { "\(Self.jsonText($0)):\($1.json)" }
    return "{\(members.joined(separator: ","))}\n"
  }

  fileprivate static func jsonText(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      if scalar == "\"" || scalar == "\\" {
        result += "\\"
        result.unicodeScalars.append(scalar)
      } else if isHidden(scalar) {
        for unit in UTF16.encode(scalar)! { result += String(format: "\\u%04x", Int(unit)) }
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private func csvLine(_ values: [QueryValue]) -> String {
    let fields = values.map { value in
      let text = isTerminal ? Self.visible(value.description) : value.description
      guard text.unicodeScalars.contains(where: { ",\"\r\n".unicodeScalars.contains($0) }) else {
        return text
      }
      return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
    return fields.joined(separator: ",") + "\r\n"
  }
}
