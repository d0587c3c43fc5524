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
    lines.append(contentsOf: name.utf8)
    append(Self.colon, Self.space)
    let start = lines.count
    lines.append(contentsOf: value.utf8)
    replaceControls(from: start)
    append(Self.carriageReturn, Self.lineFeed)
  }

  /// All fields in order, names as they were given or received.
  public var fields: [(name: String, value: String)] {
    var fields: [(name: String, value: String)] = []
    forEachLine { name, value in
      fields.append(
        (
          String(decoding: lines[name], as: UTF8.self),
          String(decoding: lines[value], as: UTF8.self)
        ))
      return true
    }
    return fields
  }

  /// The first value of that name; nil when there is none.
  public subscript(name: String) -> String? {
    var found: String?
    forEachLine { range, value in
      guard equalIgnoringCase(lines[range], name.utf8) else { return true }
      found = String(decoding: lines[value], as: UTF8.self)
      return false
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

  /// Reads "Name: value\r\n" lines.
  init(lines text: UnsafeBufferPointer<UInt8>) {
    lines.reserveCapacity(text.count)
    var start = 0
    while start < text.count {
      let end = text[start...].firstIndex(of: Self.lineFeed) ?? text.count
      addLine(UnsafeBufferPointer(rebasing: text[start..<end]))
      start = end + 1
    }
  }

  private mutating func addLine(_ line: UnsafeBufferPointer<UInt8>) {
    guard let colon = line.firstIndex(of: Self.colon) else { return }
    var (first, end) = (colon + 1, line.count)
    while first < end, Self.isSpace(line[first]) { first += 1 }
    while end > first, Self.isSpace(line[end - 1]) { end -= 1 }
    let start = lines.count
    lines.append(contentsOf: line[..<colon])
    append(Self.colon, Self.space)
    lines.append(contentsOf: line[first..<end])
    replaceControls(from: start)
    append(Self.carriageReturn, Self.lineFeed)
  }

  private mutating func append(_ first: UInt8, _ second: UInt8) {
    lines.append(first)
    lines.append(second)
  }

  private mutating func replaceControls(from start: Int) {
    lines.withUnsafeMutableBufferPointer { lines in
      for at in start..<lines.count where lines[at] < 0x20 || lines[at] == 0x7f {
        lines[at] = Self.space
      }
    }
  }

  /// Calls `body` with where each name and value is, until it says false.
  private func forEachLine(_ body: (_ name: Range<Int>, _ value: Range<Int>) -> Bool) {
    lines.withUnsafeBufferPointer { lines in
      var start = 0
      while start < lines.count {
        // Every line has a colon after its name, and a CR that no value holds at its end.
        var colon = start
        while lines[colon] != Self.colon { colon += 1 }
        var end = colon
        while lines[end] != Self.carriageReturn { end += 1 }
        guard body(start..<colon, colon + 2..<end) else { return }
        start = end + 2
      }
    }
  }

  /// What the heads of most answers fit in.
  private static let usualBytes = 448
  private static let (colon, space) = (UInt8(ascii: ":"), UInt8(ascii: " "))
  private static let (carriageReturn, lineFeed) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == space || byte == 0x09 || byte == carriageReturn
  }
}

/// ASCII comparison without regard to case.
func equalIgnoringCase(
  _ a: some Collection<UInt8>, _ b: some Collection<UInt8>
) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { lowered($0) == lowered($1) }
}

@inline(__always) private func lowered(_ byte: UInt8) -> UInt8 {
  byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}
