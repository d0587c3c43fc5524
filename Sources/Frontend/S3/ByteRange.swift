// ByteRange: the one range of a Range header (RFC 9110 section 14.1.2) and what it comes to.
//
// As in S3 a header that is malformed, of another unit or of several ranges counts as none.

enum ByteRange: Sendable, Equatable {
  /// `bytes=first-`
  case from(UInt64)
  /// `bytes=first-last`, both inclusive
  case between(UInt64, UInt64)
  /// `bytes=-count`: the last so many
  case suffix(UInt64)

  /// The range of a Range header's value; nil when the header is to be ignored.
  init?(_ header: String) {
    let bytes = header.utf8
    guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")),
      header[..<equals].lowercased() == "bytes"
    else { return nil }
    let rest = bytes[bytes.index(after: equals)...]
    guard let hyphen = rest.firstIndex(of: UInt8(ascii: "-")) else { return nil }
    let (first, last) = (rest[..<hyphen], rest[rest.index(after: hyphen)...])
    switch (first.isEmpty, last.isEmpty) {
    case (true, true): return nil
    case (true, false):
      guard let count = Self.number(last) else { return nil }
      self = .suffix(count)
    case (false, true):
      guard let first = Self.number(first) else { return nil }
      self = .from(first)
    case (false, false):
      guard let first = Self.number(first), let last = Self.number(last), first <= last else {
        return nil
      }
      self = .between(first, last)
    }
  }

  /// The bytes meant, of an object of `size` bytes; nil when there are none (416).
  func resolve(size: UInt64) -> ClosedRange<UInt64>? {
    switch self {
    case .from(let first): first < size ? first...(size - 1) : nil
    case .between(let first, let last): first < size ? first...min(last, size - 1) : nil
    case .suffix(let count): count > 0 && size > 0 ? (size - min(count, size))...(size - 1) : nil
    }
  }

  /// A decimal number; one that is too large is the largest there is, which lies behind every end.
  private static func number(_ digits: Substring.UTF8View) -> UInt64? {
    var value: UInt64 = 0
    for digit in digits {
      guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= digit else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
      value = overflow || carry ? .max : sum
    }
    return value
  }
}
