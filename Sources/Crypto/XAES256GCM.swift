// XAES-256-GCM (https://c2sp.org/XAES-256-GCM): AES-256-GCM under a key derived from the key and
// the first half of a 24-byte nonce, so that nonces may be random without counting messages.

internal import COpenSSL

/// XAES-256-GCM under one key.
public struct XAES256GCM: Sendable {
  /// Bytes of a nonce.
  public static let nonceByteCount = 24

  private let key: SecretBytes
  /// CMAC's subkey K1 (NIST SP 800-38B section 6.1), the same for every message of a key.
  private let subkey: SecretBytes

  /// `key` has 32 bytes.
  public init(key: SecretBytes) throws(CryptoError) {
    guard key.count == AES256GCM.keyByteCount else { throw .wrongLength("key") }
    self.key = key
    var block = [UInt8](repeating: 0, count: 16)
    defer { cleanse(&block) }
    try Self.encryptBlocks(&block, key: key)
    let carry: UInt8 = block[0] & 0x80 == 0 ? 0 : 0b1000_0111
    for index in 0..<15 { block[index] = block[index] << 1 | block[index + 1] >> 7 }
    block[15] = block[15] << 1 ^ carry
    subkey = SecretBytes(block)
  }

  /// Encrypts `plaintext` and binds it to `aad`; the result is 16 bytes longer.
  public func seal(
    _ plaintext: [UInt8], nonce: [UInt8], aad: [UInt8] = []
  ) throws(CryptoError) -> [UInt8] {
    guard plaintext.count <= Limits.aeadMessageBytes else { throw .wrongLength("plaintext") }
    return try AES256GCM.run(
      plaintext[...], key: derivedKey(nonce[...]), nonce: nonce.suffix(12), aad: aad,
      sealing: true)
  }

  /// The plaintext of `sealed`, or `authenticationFailed`.
  public func open(
    _ sealed: ArraySlice<UInt8>, nonce: ArraySlice<UInt8>, aad: [UInt8] = []
  ) throws(CryptoError) -> [UInt8] {
    try AES256GCM.open(sealed, key: derivedKey(nonce), nonce: nonce.suffix(12), aad: aad)
  }

  private func derivedKey(_ nonce: ArraySlice<UInt8>) throws(CryptoError) -> SecretBytes {
    guard nonce.count == Self.nonceByteCount else { throw .wrongLength("nonce") }
    let context = nonce.prefix(12)
    var blocks: [UInt8] = [0, 1, 0x58, 0] + context + [0, 2, 0x58, 0] + context
    defer { cleanse(&blocks) }
    subkey.withUnsafeBytes { subkey in
      for index in blocks.indices { blocks[index] ^= subkey[index % 16] }
    }
    try Self.encryptBlocks(&blocks, key: key)
    return SecretBytes(blocks)
  }

  /// AES-256 of each 16-byte block by itself.
  private static func encryptBlocks(
    _ blocks: inout [UInt8], key: SecretBytes
  ) throws(CryptoError) {
    guard let context = EVP_CIPHER_CTX_new() else { throw .library("EVP_CIPHER_CTX_new") }
    defer { EVP_CIPHER_CTX_free(context) }
    let begun = key.withUnsafeBytes {
      EVP_EncryptInit_ex(context, Library.aes256ECB, nil, $0.baseAddress, nil)
    }
    var length: Int32 = 0
    let done = blocks.withUnsafeMutableBufferPointer { blocks in
      EVP_EncryptUpdate(
        context, blocks.baseAddress, &length, blocks.baseAddress, Int32(blocks.count))
    }
    guard begun == 1, done == 1, Int(length) == blocks.count else {
      throw .library("EVP_EncryptUpdate")
    }
  }
}
