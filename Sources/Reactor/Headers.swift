// Headers: header fields of a message, as an ordered list of names and values.
//
// Invariant: no value holds a control byte, so nothing that comes from outside can end a line.

/// Header fields in order. Names compare without regard to case.
public struct Headers: Sendable, ExpressibleByDictionaryLiteral {
  public private(set) var fields: [(name: String, value: String)] = []

  public init() {}

  public init(dictionaryLiteral elements: (String, String)...) {
    for (name, value) in elements { add(name, value) }
  }

  /// Appends a field. Control bytes in the value become spaces.
  public mutating func add(_ name: String, _ value: String) {
    if value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
      let bytes = value.utf8.map { $0 < 0x20 || $0 == 0x7f ? 0x20 : $0 }
      fields.append((name, String(decoding: bytes, as: UTF8.self)))
    } else {
      fields.append((name, value))
    }
  }

  /// The first value of that name.
  public subscript(name: String) -> String? {
    fields.first { equalIgnoringCase($0.name.utf8, name.utf8) }?.value
  }

  /// "Name: value\r\n" lines.
  var lines: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 })
    for (name, value) in fields {
      bytes.append(contentsOf: name.utf8)
      bytes.append(0x3a)
      bytes.append(0x20)
      bytes.append(contentsOf: value.utf8)
      bytes.append(0x0d)
      bytes.append(0x0a)
    }
    return bytes
  }

  /// "Name: value" texts, each ended by a NUL, as the C client takes them.
  var nulSeparated: [UInt8] {
    var bytes: [UInt8] = []
    for (name, value) in fields {
      bytes.append(contentsOf: name.utf8)
      bytes.append(contentsOf: ": ".utf8)
      bytes.append(contentsOf: value.utf8)
      bytes.append(0)
    }
    return bytes
  }

  /// Reads "Name: value\r\n" lines.
  init(lines: UnsafeBufferPointer<UInt8>) {
    for line in lines.split(separator: 0x0a) {
      guard let colon = line.firstIndex(of: 0x3a) else { continue }
      let value = line[line.index(after: colon)...]
      let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0d }
      let trimmed = value.drop(while: isSpace)
      let end = trimmed.lastIndex { !isSpace($0) }.map { trimmed.index(after: $0) }
      add(
        String(decoding: line[..<colon], as: UTF8.self),
        String(decoding: trimmed[..<(end ?? trimmed.startIndex)], as: UTF8.self))
    }
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
