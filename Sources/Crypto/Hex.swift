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
    decode(Array(text.utf8).span)
  }

  /// The bytes of an even number of ASCII digits of either case; nil for anything else.
  public static func decode(_ text: Span<UInt8>) -> [UInt8]? {
    guard text.count.isMultiple(of: 2) else { return nil }
    let bytes = [UInt8](capacity: text.count / 2) { bytes in
      for at in stride(from: 0, to: text.count, by: 2) {
        guard let high = value(of: text[at]), let low = value(of: text[at + 1]) else { return }
        bytes.append(high << 4 | low)
      }
    }
    return bytes.count == text.count / 2 ? bytes : nil
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
