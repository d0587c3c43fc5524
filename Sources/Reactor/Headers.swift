// Headers: header fields of a message, as an ordered list of names and values.
//
// Invariants: no value holds a control byte, so nothing that comes from outside can end a line. The
// fields are kept as the lines that go over the wire: most are only written and sent.

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
    name.utf8.span.withUnsafeBufferPointer { wanted in
      forEachLine { name, value in
        guard equalIgnoringCase(name, wanted) else { return true }
        found = String(decoding: value, as: UTF8.self)
        return false
      }
    }
    return found
  }

  /// "Name: value" texts, each ended by a NUL, as the C client takes them.
  var nulSeparated: [UInt8] {
    // No other byte of a line is a CR, so each stands for a line's end.
    [UInt8](unsafeUninitializedCapacity: lines.count) { bytes, count in
      for byte in lines where byte != Self.lineFeed {
        bytes[count] = byte == Self.carriageReturn ? 0 : byte
        count += 1
      }
    }
  }

  /// Reads "Name: value\r\n" lines; what has no colon is left out.
  init(lines text: UnsafeBufferPointer<UInt8>) {
    // Of ":\n" become ": \r\n".
    lines = [UInt8](capacity: 2 * text.count + 2) { lines in
      var start = 0
      while start < text.count {
        let end = text[start...].firstIndex(of: Self.lineFeed) ?? text.count
        let line = UnsafeBufferPointer(rebasing: text[start..<end])
        start = end + 1
        guard let colon = line.firstIndex(of: Self.colon) else { continue }
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
        var colon = start
        while lines[colon] != Self.colon { colon += 1 }
        var end = colon
        while lines[end] != Self.carriageReturn { end += 1 }
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

/// ASCII comparison without regard to case.
func equalIgnoringCase(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
  guard a.count == b.count else { return false }
  for at in 0..<a.count where lowered(a[at]) != lowered(b[at]) { return false }
  return true
}

@inline(__always) private func lowered(_ byte: UInt8) -> UInt8 {
  byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}
