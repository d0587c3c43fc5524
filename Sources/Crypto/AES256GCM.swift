// AES-256-GCM (NIST SP 800-38D) with 12-byte nonces and 16-byte tags.
//
// Sealed text is ciphertext then tag. Nothing of a text that fails its tag leaves this file.

internal import COpenSSL

/// AES-256-GCM; the caller never repeats a nonce under one key.
public enum AES256GCM {
  /// Bytes of a key.
  public static let keyByteCount = 32
  /// Bytes of a nonce.
  public static let nonceByteCount = 12
  /// Bytes of the tag at the end of a sealed text.
  public static let tagByteCount = 16

  /// Encrypts `plaintext` and binds it to `aad`; the result is 16 bytes longer.
  public static func seal(
    _ plaintext: [UInt8], key: SecretBytes, nonce: [UInt8], aad: [UInt8] = []
  ) throws(CryptoError) -> [UInt8] {
    guard plaintext.count <= Limits.aeadMessageBytes else { throw .wrongLength("plaintext") }
    return try run(plaintext[...], key: key, nonce: nonce[...], aad: aad, sealing: true)
  }

  /// The plaintext of `sealed`, or `authenticationFailed`.
  public static func open(
    _ sealed: some Collection<UInt8>, key: SecretBytes, nonce: [UInt8], aad: [UInt8] = []
  ) throws(CryptoError) -> [UInt8] {
    try open(Array(sealed)[...], key: key, nonce: nonce[...], aad: aad)
  }

  static func open(
    _ sealed: ArraySlice<UInt8>, key: SecretBytes, nonce: ArraySlice<UInt8>, aad: [UInt8]
  ) throws(CryptoError) -> [UInt8] {
    guard tagByteCount...Limits.aeadMessageBytes + tagByteCount ~= sealed.count else {
      throw .wrongLength("sealed text")
    }
    return try run(sealed, key: key, nonce: nonce, aad: aad, sealing: false)
  }

  /// `input` is the plaintext when sealing, else ciphertext and tag.
  static func run(
    _ input: ArraySlice<UInt8>, key: SecretBytes, nonce: ArraySlice<UInt8>, aad: [UInt8],
    sealing: Bool
  ) throws(CryptoError) -> [UInt8] {
    guard key.count == keyByteCount else { throw .wrongLength("key") }
    guard nonce.count == nonceByteCount else { throw .wrongLength("nonce") }
    guard let context = EVP_CIPHER_CTX_new() else { throw .library("EVP_CIPHER_CTX_new") }
    defer { EVP_CIPHER_CTX_free(context) }
    let begun = key.withUnsafeBytes { key in
      nonce.withUnsafeBytes { nonce in
        EVP_CipherInit_ex(
          context, Library.aes256GCM, nil, key.baseAddress, nonce.baseAddress, sealing ? 1 : 0)
      }
    }
    var length: Int32 = 0
    guard begun == 1,
      aad.isEmpty || EVP_CipherUpdate(context, nil, &length, aad, Int32(aad.count)) == 1
    else { throw .library("EVP_CipherInit_ex") }
    let textCount = sealing ? input.count : input.count - tagByteCount
    var succeeded = false
    var output = [UInt8](unsafeUninitializedCapacity: textCount + tagByteCount) { output, count in
      succeeded = input.withUnsafeBufferPointer { input in
        finish(context, input: input, textCount: textCount, output: output, sealing: sealing)
      }
      count = sealing ? textCount + tagByteCount : textCount
    }
    guard succeeded else {
      cleanse(&output)
      throw .authenticationFailed
    }
    return output
  }

  private static func finish(
    _ context: OpaquePointer, input: UnsafeBufferPointer<UInt8>, textCount: Int,
    output: UnsafeMutableBufferPointer<UInt8>, sealing: Bool
  ) -> Bool {
    // The capacity includes a tag's room, so neither base address is nil unless nothing is read.
    guard let out = output.baseAddress else { return false }
    out.initialize(repeating: 0, count: output.count)
    var length: Int32 = 0
    if textCount > 0 {
      guard EVP_CipherUpdate(context, out, &length, input.baseAddress, Int32(textCount)) == 1
      else { return false }
    }
    let tagSize = Int32(tagByteCount)
    if !sealing {
      let tag = UnsafeMutablePointer(mutating: input.baseAddress.map { $0 + textCount })
      guard EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tagSize, tag) == 1 else {
        return false
      }
    }
    guard EVP_CipherFinal_ex(context, out + textCount, &length) == 1 else { return false }
    return !sealing
      || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tagSize, out + textCount) == 1
  }
}
