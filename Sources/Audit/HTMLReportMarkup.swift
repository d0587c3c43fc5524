// HTMLReportMarkup: text of the page. What is interpolated into it is escaped, unless it is markup
// itself: names of the record, which strangers wrote, can't become anything but text.

/// A piece of HTML or SVG.
struct Markup: ExpressibleByStringInterpolation {
  private(set) var text: String

  init(stringLiteral text: String) {
    self.text = text
  }

  init(stringInterpolation: StringInterpolation) {
    text = stringInterpolation.text
  }

  struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    init(literalCapacity: Int, interpolationCount: Int) {
      text.reserveCapacity(literalCapacity)
    }

    mutating func appendLiteral(_ literal: String) { text += literal }
    mutating func appendInterpolation(_ markup: Markup) { text += markup.text }
    mutating func appendInterpolation(_ plain: String) { text += Markup.escaped(plain) }
    mutating func appendInterpolation(_ number: Int) { text += "\(number)" }
  }

  /// A name with what it belongs to on a line below.
  static func name(_ name: String, of owner: String?) -> Markup {
    guard let owner, owner != name else { return "\(name)" }
    return "\(name)<br><small>\(owner)</small>"
  }

  static func += (left: inout Markup, right: Markup) { left.text += right.text }

  /// `plain` as it may stand between tags and in quoted attributes; control and invisible
  /// characters are shown as \u{…}.
  static func escaped(_ plain: String) -> String {
    var escaped = ""
    escaped.reserveCapacity(plain.utf8.count)
    for scalar in QueryOutput.visible(plain).unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}

extension Sequence<Markup> {
  func joined() -> Markup { reduce(into: "") { $0 += $1 } }
}

/// A table with a caption for those who can't see the picture above it.
struct MarkupTable {
  enum Kind {
    /// Long, and broken where it has to be.
    case text
    /// Short, in one line.
    case word
    /// In one line, at the right.
    case number
  }

  struct Column {
    let title: String
    let kind: Kind
  }

  let caption: String
  let columns: [Column]
  let rows: [[Markup]]

  var markup: Markup {
    let head = columns.map { "<th scope=\"col\"\(style($0))>\($0.title)</th>" as Markup }
    let body = rows.map { row in
      let cells = zip(columns, row).map { "<td\(style($0))>\($1)</td>" as Markup }
      return "<tr>\(cells.joined())</tr>\n" as Markup
    }
    return """
      <div class="table" role="region" tabindex="0" aria-label="\(caption)">
      <table><caption>\(caption)</caption>
      <thead><tr>\(head.joined())</tr></thead>
      <tbody>
      \(body.joined())</tbody></table></div>

      """
  }

  private func style(_ column: Column) -> Markup {
    switch column.kind {
    case .text: ""
    case .word: " class=\"word\""
    case .number: " class=\"number\""
    }
  }
}
