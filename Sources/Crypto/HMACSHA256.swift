// HMAC with SHA-256, and the key derivation that is made of it.

internal import COpenSSL

/// HMAC-SHA-256 (RFC 2104, FIPS 198-1).
public enum HMACSHA256 {
  /// The 32 bytes of the code of `message` under `key`, which may have any length.
  public static func authenticate(
    _ message: some Sequence<UInt8>, key: some Sequence<UInt8>
  ) -> [UInt8] {
    guard let context = EVP_MAC_CTX_dup(Library.hmacSHA256) else {
      fatalError("libcrypto could not begin HMAC: out of memory")
    }
    defer { EVP_MAC_CTX_free(context) }
    return [UInt8](unsafeUninitializedCapacity: SHA256.byteCount) { buffer, count in
      // A null key would mean "the key of before", so an empty one needs an address too.
      let keyed = key.withBytes {
        EVP_MAC_init(context, $0.baseAddress ?? UnsafePointer(buffer.baseAddress), $0.count, nil)
      }
      let updated = message.withBytes { EVP_MAC_update(context, $0.baseAddress, $0.count) }
      let finished = EVP_MAC_final(context, buffer.baseAddress, &count, SHA256.byteCount)
      precondition(keyed == 1 && updated == 1 && finished == 1 && count == SHA256.byteCount)
    }
  }
}

/// HMAC-SHA-256 under one key that is used again and again: its key schedule is made once. Holds the
/// key, which libcrypto overwrites when this goes. For one thread at a time.
public final class KeyedHMACSHA256 {
  private let context: OpaquePointer

  public init(_ key: SecretBytes) {
    guard let context = EVP_MAC_CTX_dup(Library.hmacSHA256) else {
      fatalError("libcrypto could not begin HMAC: out of memory")
    }
    self.context = context
    var unused: UInt8 = 0
    let keyed = key.withUnsafeBytes {
      // A null key would mean "the key of before", so an empty one needs an address too.
      let address = $0.baseAddress?.assumingMemoryBound(to: UInt8.self)
      return withUnsafePointer(to: &unused) { EVP_MAC_init(context, address ?? $0, key.count, nil) }
    }
    precondition(keyed == 1)
  }

  deinit { EVP_MAC_CTX_free(context) }

  /// The code of one message.
  public func code(of message: UnsafeRawBufferPointer) -> SHA256Digest {
    var code = SHA256Digest()
    var count = 0
    let finished = code.withUnsafeMutableBytes {
      EVP_MAC_init(context, nil, 0, nil) == 1
        && EVP_MAC_update(
          context, message.baseAddress?.assumingMemoryBound(to: UInt8.self), message.count) == 1
        && EVP_MAC_final(
          context, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), &count, $0.count) == 1
    }
    precondition(finished && count == SHA256.byteCount)
    return code
  }
}

/// HKDF with HMAC-SHA-256 (RFC 5869).
public enum HKDF {
  /// `count` bytes (1 to 8160) derived from `key`; `info` keeps purposes apart.
  public static func sha256(
    key: SecretBytes, salt: some Sequence<UInt8>, info: some Sequence<UInt8>, count: Int
  ) throws(CryptoError) -> SecretBytes {
    guard 1...Limits.hkdfOutputBytes ~= count else { throw .wrongLength("HKDF output") }
    var extracted = key.withUnsafeBytes { HMACSHA256.authenticate($0, key: salt) }
    let info = Array(info)
    var output: [UInt8] = []
    output.reserveCapacity(count + SHA256.byteCount)  // growing would leave copies behind
    var block: [UInt8] = []
    var counter: UInt8 = 1
    while output.count < count {
      block = HMACSHA256.authenticate(block + info + [counter], key: extracted)
      output += block
      counter &+= 1
    }
    defer {
      cleanse(&extracted)
      cleanse(&block)
      cleanse(&output)
    }
    return SecretBytes(output.prefix(count))
  }
}
