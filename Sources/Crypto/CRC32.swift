/// CRC-32 as in zlib and RFC 1952: detects accidents, never malice.
public enum CRC32 {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in
      value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xEDB8_8320
    }
  }

  /// The checksum of `bytes`.
  public static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    bytes.withBytes { bytes in
      table.withUnsafeBufferPointer { table in
        ~bytes.reduce(~0) { value, byte in
          value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ byte)]
        }
      }
    }
  }
}
