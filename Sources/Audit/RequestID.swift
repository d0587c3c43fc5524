// RequestID: 64 bits that name a request, in order of time.
//
// Microseconds since 2020-01-01T00:00:00Z shifted left by 10, plus a counter. The generator never
// repeats or goes back, whatever the clock does: it starts above every id of the record, and
// counts on from the last one while the clock is behind it.

/// The name of a request: what the client sees as `x-amz-request-id` and the record's primary key.
public struct RequestID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The integer under which the record has the request; never negative.
  public let value: Int64

  /// An id read back from the record or the spool.
  public init(value: Int64) {
    self.value = value
  }

  /// An id as people paste it: up to 16 hexadecimal digits, in either case; nil for anything else.
  public init?(_ text: some StringProtocol) {
    guard !text.isEmpty, text.utf8.count <= 16, text.utf8.allSatisfy(Self.isHexDigit),
      let value = Int64(text, radix: 16)
    else { return nil }
    self.value = value
  }

  /// 16 upper-case hexadecimal digits.
  public var description: String {
    String(unsafeUninitializedCapacity: 16) { buffer in
      for index in 0..<16 {
        let digit = UInt8(truncatingIfNeeded: value >> Int64(60 - 4 * index)) & 0xF
        buffer[index] = digit < 10 ? 0x30 + digit : 0x37 + digit
      }
      return 16
    }
  }

  public static func < (left: RequestID, right: RequestID) -> Bool {
    left.value < right.value
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }
}

/// Gives out request ids; one for each record, used on one thread.
struct RequestIDGenerator {
  static let epochMicroseconds: Int64 = 1_577_836_800_000_000
  /// The year 2162: a clock beyond it counts as standing there, so that ids can still grow.
  private static let latest: Int64 = (1 << 52) - 1

  private var last: Int64

  /// A generator whose first id is greater than `last`.
  init(after last: Int64) {
    self.last = max(last, 0)
  }

  /// The least id of a request that starts at that time by a clock that was never set back.
  static func first(atMicroseconds now: Int64) -> Int64 {
    min(max(now &- epochMicroseconds, 0), latest) << 10
  }

  /// The next id, for a request that starts `nowMicroseconds` after 1970.
  mutating func next(nowMicroseconds: Int64) -> RequestID {
    last = max(Self.first(atMicroseconds: nowMicroseconds), last + 1)
    return RequestID(value: last)
  }
}
