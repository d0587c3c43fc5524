/// Base64 with the URL-safe alphabet and no padding (RFC 4648 section 5).
public enum Base64URL {
  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  private static let invalid: UInt8 = 0xFF
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: invalid, count: 256)
    for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
    return values
  }()

  /// Whether `character` is of the alphabet.
  public static func isDigit(_ character: UInt8) -> Bool { values[Int(character)] != invalid }

  /// The text of `bytes`.
  public static func encode(_ bytes: some Collection<UInt8>) -> String {
    bytes.withBytes { bytes in
      String(unsafeUninitializedCapacity: (bytes.count * 4 + 2) / 3) { output in
        alphabet.withUnsafeBufferPointer { encode(bytes, alphabet: $0, into: output) }
      }
    }
  }

  /// Whole groups of three bytes first, then the one or two that are left.
  private static func encode(
    _ bytes: UnsafeBufferPointer<UInt8>, alphabet: UnsafeBufferPointer<UInt8>,
    into output: UnsafeMutableBufferPointer<UInt8>
  ) -> Int {
    var (read, written) = (0, 0)
    while bytes.count - read >= 3 {
      let bits =
        Int(bytes[read]) << 16 | Int(bytes[read + 1]) << 8 | Int(bytes[read + 2])
      output[written] = alphabet[bits >> 18]
      output[written + 1] = alphabet[bits >> 12 & 63]
      output[written + 2] = alphabet[bits >> 6 & 63]
      output[written + 3] = alphabet[bits & 63]
      read += 3
      written += 4
    }
    let left = bytes.count - read
    guard left > 0 else { return written }
    let bits = Int(bytes[read]) << 16 | (left == 2 ? Int(bytes[read + 1]) << 8 : 0)
    for shift in [18, 12, 6].prefix(left + 1) {
      output[written] = alphabet[bits >> shift & 63]
      written += 1
    }
    return written
  }

  /// The bytes that `encode` makes this text of; nil for any other text.
  public static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count * 3 / 4)
    var bits: UInt32 = 0
    var held = 0
    for character in text.utf8 {
      let value = values[Int(character)]
      guard value != invalid else { return nil }
      bits = bits << 6 | UInt32(value)
      held += 6
      if held >= 8 {
        held -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
      }
    }
    guard held < 6, bits & (1 << UInt32(held) - 1) == 0 else { return nil }
    return bytes
  }
}
