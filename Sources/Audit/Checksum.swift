// Checksum: CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes at a step.

/// The tables of CRC-32C; made once for each spool and never freed before it.
struct Checksum: @unchecked Sendable {  // the tables are written in `init` only
  private let table: UnsafeMutablePointer<UInt32>

  init() {
    table = .allocate(capacity: 8 * 256)
    for byte in 0..<256 {
      var crc = UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
      table[byte] = crc
    }
    for byte in 256..<(8 * 256) {
      let previous = table[byte - 256]
      table[byte] = previous >> 8 ^ table[Int(previous & 0xFF)]
    }
  }

  func deallocate() {
    table.deallocate()
  }

  func callAsFunction(_ start: UnsafeRawPointer, count: Int) -> UInt32 {
    var crc: UInt32 = ~0
    var offset = 0
    while offset &+ 8 <= count {
      let word =
        UInt64(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        ^ UInt64(crc)
      crc =
        lookup(7, word) ^ lookup(6, word >> 8) ^ lookup(5, word >> 16) ^ lookup(4, word >> 24)
        ^ lookup(3, word >> 32) ^ lookup(2, word >> 40) ^ lookup(1, word >> 48)
        ^ lookup(0, word >> 56)
      offset &+= 8
    }
    while offset < count {
      let byte = start.load(fromByteOffset: offset, as: UInt8.self)
      crc = crc >> 8 ^ table[Int(truncatingIfNeeded: (crc ^ UInt32(byte)) & 0xFF)]
      offset &+= 1
    }
    return ~crc
  }

  @inline(__always)
  private func lookup(_ slice: Int, _ word: UInt64) -> UInt32 {
    table[slice &* 256 &+ Int(truncatingIfNeeded: word & 0xFF)]
  }
}
