// The identifiers of Globus: UUIDs that are compared as numbers and printed in lower case.

import Crypto

/// Which collection, as a bucket's name has it.
struct CollectionID: Hashable, Sendable, CustomStringConvertible {
  let bits: UUIDBits

  init(bits: UUIDBits) { self.bits = bits }

  /// The 8-4-4-4-12 form in either case; nil for anything else.
  init?(_ text: some StringProtocol) {
    guard let bits = UUIDBits(text) else { return nil }
    self.bits = bits
  }

  /// The lower-case 8-4-4-4-12 form.
  var description: String { bits.description }
}

/// Which person, as Globus Auth's `sub` has it.
struct IdentityID: Hashable, Sendable, CustomStringConvertible {
  let bits: UUIDBits

  init(bits: UUIDBits) { self.bits = bits }

  /// The 8-4-4-4-12 form in either case; nil for anything else.
  init?(_ text: some StringProtocol) {
    guard let bits = UUIDBits(text) else { return nil }
    self.bits = bits
  }

  /// The lower-case 8-4-4-4-12 form.
  var description: String { bits.description }
}

/// The 128 bits of a UUID (RFC 9562 section 4), of any version.
struct UUIDBits: Hashable, Sendable, CustomStringConvertible {
  let high: UInt64
  let low: UInt64

  init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  init?(_ text: some StringProtocol) {
    self.init(String(text).utf8.span)
  }

  private init?(_ text: Span<UInt8>) {
    guard text.count == 36 else { return nil }
    var (high, low): (UInt64, UInt64) = (0, 0)
    for position in text.indices {
      let character = text[position]
      if Self.isHyphen(position) {
        guard character == UInt8(ascii: "-") else { return nil }
        continue
      }
      guard let digit = Hex.value(of: character) else { return nil }
      if position < 18 { high = high << 4 | UInt64(digit) } else { low = low << 4 | UInt64(digit) }
    }
    self.init(high: high, low: low)
  }

  var description: String {
    String(unsafeUninitializedCapacity: 36) { output in
      var shift: UInt64 = 64
      for position in 0..<36 {
        if Self.isHyphen(position) {
          output[position] = UInt8(ascii: "-")
          continue
        }
        shift = shift == 0 ? 60 : shift - 4
        let digit = UInt8((position < 18 ? high : low) >> shift & 15)
        output[position] = digit < 10 ? 0x30 + digit : 0x61 + digit - 10
      }
      return 36
    }
  }

  private static func isHyphen(_ position: Int) -> Bool {
    position == 8 || position == 13 || position == 18 || position == 23
  }
}
