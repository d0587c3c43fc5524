// ByteRange: the Range header of a request for a file (RFC 9110 section 14.2).

enum ByteRange: Equatable {
  /// No range, or one that a server may ignore: malformed, several, or of another unit.
  case whole
  /// The last bytes.
  case suffix(UInt64)
  /// From `first` to `last`, or to the end.
  case from(UInt64, last: UInt64?)

  init(_ header: String?) {
    self = header.flatMap(ByteRange.parse) ?? .whole
  }

  private static func parse(_ header: String) -> ByteRange? {
    let parts = header.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].lowercased() == "bytes" else { return nil }
    let ends = parts[1].split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2, ends.allSatisfy({ $0.utf8.allSatisfy { 0x30...0x39 ~= $0 } })
    else { return nil }
    switch (UInt64(ends[0]), UInt64(ends[1])) {
    case (nil, let count?) where ends[0].isEmpty: return .suffix(count)
    case (let first?, nil) where ends[1].isEmpty: return .from(first, last: nil)
    case (let first?, let last?) where first <= last: return .from(first, last: last)
    default: return nil
    }
  }

  /// The bytes of a file of that size; nil when there are none, for a 416.
  func bytes(ofSize size: UInt64) -> Range<UInt64>? {
    switch self {
    case .whole: return 0..<size
    case .suffix(let count): return count == 0 || size == 0 ? nil : size - min(count, size)..<size
    case .from(let first, let last):
      guard first < size else { return nil }
      return first..<min(last ?? size, size - 1) + 1
    }
  }
}
