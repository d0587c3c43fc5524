internal import COpenSSL

/// Ed25519 signatures (RFC 8032).
public enum Ed25519 {
  /// The 32-byte seed of a signing key.
  public struct PrivateKey: Sendable {
    /// The seed, to be stored; 32 bytes.
    public let seed: SecretBytes
    /// The key that others verify with; 32 bytes.
    public let publicKey: [UInt8]

    /// A new random key.
    public init() throws(CryptoError) {
      try self.init(seed: SecretBytes(count: 32) { Random.fill($0) })
    }

    /// The key of a stored seed of 32 bytes.
    public init(seed: SecretBytes) throws(CryptoError) {
      guard seed.count == 32 else { throw .wrongLength("seed") }
      self.seed = seed
      let key = try Self.load(seed)
      defer { EVP_PKEY_free(key) }
      var count = 32
      var bytes = [UInt8](repeating: 0, count: count)
      guard EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1, count == 32 else {
        throw .library("EVP_PKEY_get_raw_public_key")
      }
      publicKey = bytes
    }

    /// The 64-byte signature of `message`.
    public func sign(_ message: some Sequence<UInt8>) throws(CryptoError) -> [UInt8] {
      let key = try Self.load(seed)
      defer { EVP_PKEY_free(key) }
      guard let context = EVP_MD_CTX_new() else { throw .library("EVP_MD_CTX_new") }
      defer { EVP_MD_CTX_free(context) }
      var signature = [UInt8](repeating: 0, count: 64)
      var count = signature.count
      let signed = message.withBytes { message in
        EVP_DigestSignInit(context, nil, nil, nil, key) == 1
          && EVP_DigestSign(context, &signature, &count, message.baseAddress, message.count) == 1
      }
      guard signed, count == 64 else { throw .library("EVP_DigestSign") }
      return signature
    }

    private static func load(_ seed: SecretBytes) throws(CryptoError) -> OpaquePointer {
      let key = seed.withUnsafeBytes {
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, $0.baseAddress, $0.count)
      }
      guard let key else { throw .library("EVP_PKEY_new_raw_private_key") }
      return key
    }
  }

  /// Whether `signature` (64 bytes) is that of `message` by the holder of `publicKey` (32 bytes).
  public static func verify(
    _ signature: [UInt8], of message: some Sequence<UInt8>, publicKey: [UInt8]
  ) -> Bool {
    guard signature.count == 64, publicKey.count == 32,
      let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, publicKey, publicKey.count)
    else { return false }
    defer { EVP_PKEY_free(key) }
    guard let context = EVP_MD_CTX_new() else { return false }
    defer {
      EVP_MD_CTX_free(context)
      ERR_clear_error()
    }
    return message.withBytes { message in
      EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
        && EVP_DigestVerify(
          context, signature, signature.count, message.baseAddress, message.count) == 1
    }
  }
}
