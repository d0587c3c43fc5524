// The algorithms fetched from libcrypto once: an implicit fetch per call costs more than hashing
// a short message.
//
// Every pointer here is written before it is shared and never freed; libcrypto's fetched objects
// are immutable and counted atomically, and `hmacSHA256` is only ever the source of a copy.

internal import COpenSSL

enum Library {
  nonisolated(unsafe) static let sha256 = fetched(EVP_MD_fetch(nil, "SHA256", nil))
  nonisolated(unsafe) static let aes256GCM = fetched(EVP_CIPHER_fetch(nil, "AES-256-GCM", nil))
  nonisolated(unsafe) static let aes256ECB = fetched(EVP_CIPHER_fetch(nil, "AES-256-ECB", nil))
  nonisolated(unsafe) static let hmacSHA256 = makeHMAC()

  private static func fetched(_ pointer: OpaquePointer?) -> OpaquePointer {
    guard let pointer else { fatalError("libcrypto lacks an algorithm of its default provider") }
    return pointer
  }

  private static func makeHMAC() -> OpaquePointer {
    let context = fetched(EVP_MAC_CTX_new(fetched(EVP_MAC_fetch(nil, "HMAC", nil))))
    var name = Array("SHA256".utf8CString)
    let configured = name.withUnsafeMutableBufferPointer { name in
      // The parameter keeps the address of its key, so the key must outlive the call.
      OSSL_MAC_PARAM_DIGEST.withCString { key in
        let parameters = [
          OSSL_PARAM_construct_utf8_string(key, name.baseAddress, 0), OSSL_PARAM_construct_end(),
        ]
        return EVP_MAC_CTX_set_params(context, parameters)
      }
    }
    guard configured == 1 else { fatalError("libcrypto has no HMAC with SHA-256") }
    return context
  }
}

extension Sequence<UInt8> {
  /// The bytes where they are, or a copy when they are not contiguous.
  func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    if let result = withContiguousStorageIfAvailable(body) { return result }
    return Array(self).withUnsafeBufferPointer(body)
  }
}
