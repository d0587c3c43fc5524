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

  /// The digest of `bytes`, which are a message of their own, without allocating memory.
  public mutating func digest(of bytes: UnsafeRawBufferPointer) -> SHA256Digest {
    var digest = SHA256Digest()
    let finished = digest.withUnsafeMutableBytes {
      EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1
        && EVP_DigestFinal_ex(context, $0.baseAddress, nil) == 1
        && EVP_DigestInit_ex(context, Library.sha256, nil) == 1
    }
    precondition(finished)
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

/// 32 bytes: a SHA-256 digest, or an HMAC made with it.
public struct SHA256Digest: Hashable, Sendable {
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  init() {}

  mutating func withUnsafeMutableBytes<Result>(
    _ body: (UnsafeMutableRawBufferPointer) -> Result
  ) -> Result {
    Swift.withUnsafeMutableBytes(of: &words) { body($0) }
  }

  /// The bytes, valid inside `body` only.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    Swift.withUnsafeBytes(of: words, body)
  }

  /// Spread evenly whoever chose the message, and so are its first bits.
  public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

  public static func == (left: SHA256Digest, right: SHA256Digest) -> Bool {
    left.words == right.words
  }
}

extension SHA256Digest {
  /// Two lower-case hexadecimal digits a byte, appended to `text`.
  public func appendHex(to text: inout [UInt8]) {
    withUnsafeBytes { bytes in
      text.append(addingCapacity: 2 * bytes.count) { text in
        for byte in bytes {
          text.append(Hex.digit(byte >> 4))
          text.append(Hex.digit(byte & 15))
        }
      }
    }
  }

  /// Whether `bytes` are the same, in time that does not depend on where they differ.
  public func equals(_ bytes: [UInt8]) -> Bool {
    withUnsafeBytes { mine in
      bytes.withUnsafeBytes {
        $0.count == mine.count && CRYPTO_memcmp(mine.baseAddress, $0.baseAddress, mine.count) == 0
      }
    }
  }
}
