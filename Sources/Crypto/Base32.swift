/// Base32 without padding (RFC 4648 section 6).
public enum Base32 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

  /// The upper-case text of `bytes`.
  public static func encode(_ bytes: some Collection<UInt8>) -> String {
    String(unsafeUninitializedCapacity: (bytes.count * 8 + 4) / 5) { output in
      var written = 0
      var bits: UInt32 = 0
      var held = 0
      for byte in bytes {
        bits = bits << 8 | UInt32(byte)
        held += 8
        while held >= 5 {
          held -= 5
          output[written] = alphabet[Int(bits >> UInt32(held) & 31)]
          written += 1
        }
      }
      if held > 0 {
        output[written] = alphabet[Int(bits << UInt32(5 - held) & 31)]
        written += 1
      }
      return written
    }
  }
}
