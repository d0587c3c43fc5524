// HMAC with SHA-1, which AWS signature version 2 is made of and nothing else here.

internal import COpenSSL

/// HMAC-SHA-1 (RFC 2104, FIPS 198-1). SHA-1's known weaknesses do not reach HMAC.
public enum HMACSHA1 {
  /// The 20 bytes of the code of `message` under `key`, which may have any length.
  public static func authenticate(
    _ message: some Sequence<UInt8>, key: some Sequence<UInt8>
  ) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 20) { buffer, count in
      var written: UInt32 = 0
      let result = key.withBytes { key in
        message.withBytes {
          HMAC(
            EVP_sha1(), key.baseAddress ?? UnsafePointer(buffer.baseAddress), Int32(key.count),
            $0.baseAddress, $0.count, buffer.baseAddress, &written)
        }
      }
      precondition(result != nil && written == 20)
      count = 20
    }
  }
}
