// XML: writes S3's answers. Whatever a text holds, the document is well-formed XML 1.0: markup is
// escaped, and characters that XML 1.0 cannot hold become U+FFFD.

struct XML {
  private(set) var bytes = Array(#"<?xml version="1.0" encoding="UTF-8"?>"#.utf8)

  /// An element around what `content` writes. Names are the program's own, never a client's.
  mutating func element(_ name: String, _ content: (inout XML) -> Void) {
    tag(name, "<")
    content(&self)
    tag(name, "</")
  }

  /// An element that holds a text.
  mutating func element(_ name: String, _ text: String) {
    element(name) { $0.text(text) }
  }

  /// The root element of one of S3's documents, in its namespace.
  mutating func document(_ name: String, _ content: (inout XML) -> Void) {
    element(name, attributes: "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"", content)
  }

  /// An element with attributes, which are the program's own and written as they are.
  mutating func element(
    _ name: String, attributes: String, _ content: (inout XML) -> Void
  ) {
    tag("\(name) \(attributes)", "<")
    content(&self)
    tag(name, "</")
  }

  private mutating func tag(_ name: String, _ open: String) {
    bytes.append(contentsOf: open.utf8)
    bytes.append(contentsOf: name.utf8)
    bytes.append(UInt8(ascii: ">"))
  }

  private mutating func text(_ text: String) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": bytes.append(contentsOf: "&amp;".utf8)
      case "<": bytes.append(contentsOf: "&lt;".utf8)
      case ">": bytes.append(contentsOf: "&gt;".utf8)
      case "\"": bytes.append(contentsOf: "&quot;".utf8)
      // A bare one would be read as a line feed.
      case "\r": bytes.append(contentsOf: "&#13;".utf8)
      case "\t", "\n": bytes.append(UInt8(scalar.value))
      case "\0"..."\u{1f}", "\u{fffe}", "\u{ffff}": bytes.append(contentsOf: "\u{fffd}".utf8)
      default: bytes.append(contentsOf: String(scalar).utf8)
      }
    }
  }
}
