// TextSpan: text of a request looked at where it lies, as bytes. Every request is parsed by these;
// slices of arrays and of strings cost a reference count each.

import Glibc

extension Span<UInt8> {
  /// Where `byte` is first found, from `start` on.
  func index(of byte: UInt8, from start: Int = 0) -> Int? {
    guard start < count else { return nil }
    return withUnsafeBytes { bytes in
      let first = bytes.baseAddress!
      return memchr(first + start, Int32(byte), count - start).map { UnsafeRawPointer($0) - first }
    }
  }

  /// Where `byte` is last found before `end`.
  func lastIndex(of byte: UInt8, before end: Int) -> Int? {
    var at = end
    while at > 0 {
      at -= 1
      if self[at] == byte { return at }
    }
    return nil
  }

  /// Whether the bytes are those of `text`.
  func equals(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    for at in indices where self[at] != text.utf8Start[at] { return false }
    return true
  }

  /// Whether the bytes, ASCII letters among them in either case, are those of `lowercased`.
  func equalsIgnoringCase(_ lowercased: Span<UInt8>) -> Bool {
    guard count == lowercased.count else { return false }
    for at in indices where !isSame(self[at], lowercased[at]) { return false }
    return true
  }

  func contains(_ byte: UInt8) -> Bool { index(of: byte) != nil }

  /// The bytes as text; what is not UTF-8 in them is replaced.
  func string(_ range: Range<Int>) -> String {
    extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
  }
}

extension [UInt8] {
  /// Appends the text's UTF-8.
  mutating func append(_ text: String) {
    text.utf8.span.withUnsafeBufferPointer { append(contentsOf: $0) }
  }
}

/// Whether a header of that name is the one called `lowercased`.
func isHeader(_ name: Span<UInt8>, _ lowercased: String) -> Bool {
  name.equalsIgnoringCase(lowercased.utf8.span)
}

/// Whether a header of that name is the one called `lowercased`.
func isHeader(_ name: String, _ lowercased: String) -> Bool {
  isHeader(name.utf8.span, lowercased)
}

/// Whether a byte of ASCII is the lower-case one, in either case.
func isSame(_ byte: UInt8, _ lowercased: UInt8) -> Bool {
  (UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte) == lowercased
}
