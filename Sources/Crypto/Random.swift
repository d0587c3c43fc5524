internal import COpenSSL

/// Randomness fit for keys, from libcrypto's generator.
public enum Random {
  /// `count` random bytes. A process without randomness ends here: nothing it does would be safe.
  public static func bytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      fill(UnsafeMutableRawBufferPointer(buffer))
      initialized = count
    }
  }

  /// Fills `memory`, at most 2 GiB, with random bytes.
  public static func fill(_ memory: UnsafeMutableRawBufferPointer) {
    let start = memory.assumingMemoryBound(to: UInt8.self).baseAddress
    guard memory.isEmpty || RAND_bytes(start, Int32(memory.count)) == 1 else {
      fatalError("libcrypto has no randomness")
    }
  }
}
