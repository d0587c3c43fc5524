// Bytes as [0-9A-Za-z], in blocks of 8 bytes (a big-endian number) to 11 characters, so that a
// machine word suffices. A last block of n < 8 bytes takes the fewest characters that hold it.
// Each byte string has exactly one text and every other text is refused.

/// The base62 block code.
public enum Base62 {
  private static let alphabet = Array(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
  private static let invalid: UInt8 = 0xFF
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: invalid, count: 256)
    for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
    return values
  }()
  /// Characters of a block by its bytes, and the reverse (0: no block has that length).
  private static let characterCounts = [0, 2, 3, 5, 6, 7, 9, 10, 11]
  private static let byteCounts = [0, 0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8]

  /// Characters that `byteCount` bytes become.
  public static func encodedCount(_ byteCount: Int) -> Int {
    byteCount / 8 * 11 + characterCounts[byteCount % 8]
  }

  /// Whether `character` is an ASCII letter or digit.
  @inlinable
  public static func isDigit(_ character: UInt8) -> Bool {
    switch character {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: false
    }
  }

  /// The text of `bytes`, as ASCII.
  public static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
    let count = encodedCount(bytes.count)
    return bytes.withBytes { bytes in
      [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
        var read = 0
        var written = 0
        while read < bytes.count {
          let size = min(8, bytes.count - read)
          var number: UInt64 = 0
          for offset in 0..<size { number = number << 8 | UInt64(bytes[read + offset]) }
          let characters = characterCounts[size]
          for offset in stride(from: characters - 1, through: 0, by: -1) {
            output[written + offset] = alphabet[Int(number % 62)]
            number /= 62
          }
          read += size
          written += characters
        }
        initialized = written
      }
    }
  }

  /// The bytes that `encode` makes this ASCII text of, or nil when there are none.
  public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    let last = byteCounts[text.count % 11]
    guard text.count % 11 == 0 || last > 0 else { return nil }
    let count = text.count / 11 * 8 + last
    var valid = true
    let bytes = text.withBytes { text in
      [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
        var read = 0
        while read < text.count, valid {
          let characters = min(11, text.count - read)
          let size = byteCounts[characters]
          let block = UnsafeBufferPointer(rebasing: text[read..<read + characters])
          guard let number = number(of: block), size == 8 || number >> UInt64(size * 8) == 0
          else {
            valid = false
            break
          }
          for offset in 0..<size {
            output[initialized + offset] = UInt8(
              truncatingIfNeeded: number >> UInt64((size - 1 - offset) * 8))
          }
          initialized += size
          read += characters
        }
      }
    }
    return valid ? bytes : nil
  }

  /// Ten digits can't exceed a word, so only an eleventh is checked.
  private static func number(of block: UnsafeBufferPointer<UInt8>) -> UInt64? {
    values.withUnsafeBufferPointer { values in
      var number: UInt64 = 0
      var worst: UInt8 = 0
      for character in block.prefix(10) {
        let value = values[Int(character)]
        worst = max(worst, value)
        number = number &* 62 &+ UInt64(value)
      }
      guard worst != invalid else { return nil }
      guard block.count == 11 else { return number }
      let value = values[Int(block[10])]
      let (product, overflow) = number.multipliedReportingOverflow(by: 62)
      let (sum, carry) = product.addingReportingOverflow(UInt64(value))
      return value == invalid || overflow || carry ? nil : sum
    }
  }
}
