internal import COpenSSL

/// SHA-256 (FIPS 180-4) of one message after another.
///
/// Owns its libcrypto context alone and may move between threads, hence `@unchecked Sendable`.
public struct SHA256: ~Copyable, @unchecked Sendable {
  /// Length of a digest in bytes.
  public static let byteCount = 32

  private let context: OpaquePointer

  /// Begins an empty message.
  public init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, Library.sha256, nil) == 1
    else { fatalError("libcrypto could not begin SHA-256: out of memory") }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Appends `bytes` to the message.
  public mutating func update(_ bytes: some Sequence<UInt8>) {
    let status = bytes.withBytes { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
    precondition(status == 1)
  }

  /// The digest of the message; the next `update` begins another message.
  public mutating func finalize() -> [UInt8] {
    let digest = [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
      precondition(EVP_DigestFinal_ex(context, buffer.baseAddress, nil) == 1)
      count = Self.byteCount
    }
    precondition(EVP_DigestInit_ex(context, Library.sha256, nil) == 1)
    return digest
  }

  /// The digest of one message.
  public static func hash(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      let status = bytes.withBytes {
        EVP_Digest($0.baseAddress, $0.count, buffer.baseAddress, nil, Library.sha256, nil)
      }
      precondition(status == 1)
      count = byteCount
    }
  }
}
