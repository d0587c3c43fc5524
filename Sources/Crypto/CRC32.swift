/// CRC-32 as in zlib and RFC 1952: detects accidents, never malice.
public enum CRC32 {
  /// Eight tables of 256: table t holds what a byte does to the sum when t bytes follow it, so
  /// that eight bytes need no result of one another.
  private static let tables: [UInt32] = {
    var tables: [UInt32] = []
    for index: UInt32 in 0..<256 {
      var value = index
      for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xEDB8_8320 }
      tables.append(value)
    }
    for index in 256..<2048 {
      let before = tables[index - 256]
      tables.append(before >> 8 ^ tables[Int(before & 0xFF)])
    }
    return tables
  }()

  /// The checksum of `bytes`.
  public static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    bytes.withBytes { bytes in
      tables.withUnsafeBufferPointer { tables in
        var sum: UInt32 = ~0
        var rest = UnsafeRawBufferPointer(bytes)
        while rest.count >= 8 {
          let word = UInt64(littleEndian: rest.loadUnaligned(as: UInt64.self)) ^ UInt64(sum)
          sum = 0
          for position in 0..<8 {
            let byte = Int(truncatingIfNeeded: word >> UInt64(8 * position)) & 0xFF
            sum ^= tables[(7 - position) << 8 | byte]
          }
          rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(8))
        }
        for byte in rest {
          sum = sum >> 8 ^ tables[Int(UInt8(truncatingIfNeeded: sum) ^ byte)]
        }
        return ~sum
      }
    }
  }
}
