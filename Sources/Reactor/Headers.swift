// Headers: header fields of a message, as an ordered list of names and values.
//
// Invariants: no value holds a control byte, so nothing that comes from outside can end a line. The
// fields are kept as the lines that go over the wire: most are only written and sent.

internal import Glibc

/// Header fields in order, each name and value a line, several of one name allowed:
/// `["Content-Type": "text/plain", "ETag": "\"1\""]`. Names compare without regard to case.
public struct Headers: Sendable, ExpressibleByDictionaryLiteral {
  /// "Name: value\r\n" lines.
  private(set) var lines: [UInt8] = []

  public init() {}

  public init(dictionaryLiteral elements: (String, String)...) {
    for (name, value) in elements { add(name, value) }
  }

  /// Appends a field. Control bytes in the value become spaces, so that no value begins another line;
  /// the name is the caller's own and sent as it stands.
  public mutating func add(_ name: String, _ value: String) {
    let added = name.utf8.count + value.utf8.count + 4
    if lines.isEmpty { lines.reserveCapacity(max(added, Self.usualBytes)) }
    name.utf8.span.withUnsafeBufferPointer { name in
      value.utf8.span.withUnsafeBufferPointer { value in
        lines.append(addingCapacity: added) { Self.write(name, value, to: &$0) }
      }
    }
  }

  /// Appends all fields of `others`.
  public mutating func add(_ others: Headers) {
    if lines.isEmpty { lines.reserveCapacity(max(others.lines.count, Self.usualBytes)) }
    lines.append(contentsOf: others.lines)
  }

  /// All fields in order, names as they were given or received.
  public var fields: [(name: String, value: String)] {
    var fields: [(name: String, value: String)] = []
    forEachLine { name, value in
      fields.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
      return true
    }
    return fields
  }

  /// The first value of that name; nil when there is none.
  public subscript(name: String) -> String? {
    var found: String?
    let wanted = name.utf8.span
    forEachLine { name, value in
      guard equalIgnoringCase(name.span, wanted) else { return true }
      found = String(decoding: value, as: UTF8.self)
      return false
    }
    return found
  }

  /// "Name: value" texts, each ended by a NUL, as the C client takes them.
  var nulSeparated: [UInt8] {
    [UInt8](capacity: lines.count) { texts in
      lines.withUnsafeBufferPointer { lines in
        var start = 0
        while start < lines.count {
          // No other byte of a line is a CR.
          let end = lines.index(of: Self.carriageReturn, from: start)
          texts.withUnsafeMutableBufferPointer { bytes, count in
            count = bytes[count...].update(fromContentsOf: lines[start..<end])
            bytes[count] = 0
            count += 1
          }
          start = end + 2
        }
      }
    }
  }

  /// Reads "Name: value\r\n" lines; what has no colon is left out.
  init(lines text: UnsafeBufferPointer<UInt8>) {
    // Of ":\n" become ": \r\n".
    lines = [UInt8](capacity: 2 * text.count + 2) { lines in
      var start = 0
      while start < text.count {
        let end = text.index(of: Self.lineFeed, from: start)
        let line = UnsafeBufferPointer(rebasing: text[start..<end])
        start = end + 1
        let colon = line.index(of: Self.colon, from: 0)
        guard colon < line.count else { continue }
        var (first, last) = (colon + 1, line.count)
        while first < last, Self.isSpace(line[first]) { first += 1 }
        while last > first, Self.isSpace(line[last - 1]) { last -= 1 }
        Self.write(
          UnsafeBufferPointer(rebasing: line[..<colon]),
          UnsafeBufferPointer(rebasing: line[first..<last]), to: &lines)
      }
    }
  }

  /// Appends a line, for which there is room.
  private static func write(
    _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>,
    to lines: inout OutputSpan<UInt8>
  ) {
    lines.withUnsafeMutableBufferPointer { bytes, count in
      count = bytes[count...].update(fromContentsOf: name)
      bytes[count] = colon
      bytes[count + 1] = space
      count += 2
      let start = count
      count = bytes[count...].update(fromContentsOf: value)
      for at in start..<count where bytes[at] < 0x20 || bytes[at] == 0x7f { bytes[at] = space }
      bytes[count] = carriageReturn
      bytes[count + 1] = lineFeed
      count += 2
    }
  }

  /// Calls `body` with each name and value, until it says false.
  private func forEachLine(
    _ body: (_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Bool
  ) {
    lines.withUnsafeBufferPointer { lines in
      var start = 0
      while start < lines.count {
        // Every line has a colon after its name, and a CR that no value holds at its end.
        let colon = lines.index(of: Self.colon, from: start)
        let end = lines.index(of: Self.carriageReturn, from: colon)
        guard
          body(
            UnsafeBufferPointer(rebasing: lines[start..<colon]),
            UnsafeBufferPointer(rebasing: lines[colon + 2..<end]))
        else { return }
        start = end + 2
      }
    }
  }

  /// What the heads of most answers fit in.
  private static let usualBytes = 448
  // Computed ones: a stored constant may be made at its first use, which each use would ask about.
  private static var colon: UInt8 { UInt8(ascii: ":") }
  private static var space: UInt8 { UInt8(ascii: " ") }
  private static var carriageReturn: UInt8 { UInt8(ascii: "\r") }
  private static var lineFeed: UInt8 { UInt8(ascii: "\n") }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == space || byte == 0x09 || byte == carriageReturn
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Where `byte` is first found from `start` on; else the end.
  fileprivate func index(of byte: UInt8, from start: Int) -> Int {
    guard start < count, let base = baseAddress else { return count }
    guard let found = memchr(base + start, Int32(byte), count - start) else { return count }
    return UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }
}
