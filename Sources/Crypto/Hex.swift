/// Bytes as pairs of hexadecimal digits.
public enum Hex {
  /// Two lower-case digits a byte.
  public static func encode(_ bytes: some Collection<UInt8>) -> String {
    encode(Array(bytes), bytes.count)
  }

  /// Two lower-case digits for each of the first `count` bytes.
  public static func encode(_ bytes: [UInt8], _ count: Int) -> String {
    String(unsafeUninitializedCapacity: count * 2) { buffer in
      for index in 0..<count {
        buffer[2 * index] = digit(bytes[index] >> 4)
        buffer[2 * index + 1] = digit(bytes[index] & 15)
      }
      return count * 2
    }
  }

  /// The lower-case digit of a value below 16.
  static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

  /// The bytes of an even number of digits of either case; nil for anything else.
  public static func decode(_ text: some StringProtocol) -> [UInt8]? {
    decode(Array(text.utf8)[...])
  }

  /// The bytes of an even number of ASCII digits of either case; nil for anything else.
  public static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    guard text.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2)
    var high: UInt8?
    for character in text {
      guard let digit = value(of: character) else { return nil }
      if let first = high {
        bytes.append(first << 4 | digit)
        high = nil
      } else {
        high = digit
      }
    }
    return bytes
  }

  /// The value of one ASCII digit of either case, or nil.
  public static func value(of character: UInt8) -> UInt8? {
    switch character {
    case 0x30...0x39: character - 0x30
    case 0x41...0x46: character - 0x41 + 10
    case 0x61...0x66: character - 0x61 + 10
    default: nil
    }
  }
}
