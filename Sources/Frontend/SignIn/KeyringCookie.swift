// Small values that a browser carries between two requests of a sign-in, sealed so that only
// this service reads or makes them.
//
//   text       base64url of: key id 4, nonce 24, ciphertext, tag 16 (XAES-256-GCM)
//   plaintext  end in Unix seconds (u64), then the value
//   AAD        "gs3-state-cookie-v1", 0, key id, context

import Crypto

extension Keyring {
  /// Seals at most `cookieBytes` until `cookieSeconds` after `now` (Unix seconds). `context` (the
  /// cookie's name, say) is not inside and must be the same when opening.
  func sealCookie(
    _ bytes: [UInt8], context: String, now: Int64
  ) throws(CryptoError) -> String {
    guard bytes.count <= CredentialLimits.cookieBytes else { throw .wrongLength("cookie") }
    let end = UInt64(max(0, now) + CredentialLimits.cookieSeconds)
    let plaintext = withUnsafeBytes(of: end.bigEndian) { Array($0) } + bytes
    let nonce = Random.bytes(XAES256GCM.nonceByteCount)
    let sealed = try XAES256GCM(key: primary.subkey(.stateCookie)).seal(
      plaintext, nonce: nonce, aad: Self.cookieAAD(primary.id.bytes, context))
    return Base64URL.encode(primary.id.bytes + nonce + sealed)
  }

  /// What `sealCookie` sealed, or nil: another text, key or context, or past its end.
  func openCookie(_ text: String, context: String, now: Int64) -> [UInt8]? {
    guard text.utf8.count <= CredentialLimits.cookieTextBytes,
      let body = Base64URL.decode(text), body.count > 4 + XAES256GCM.nonceByteCount,
      let key = key(id: KeyID(bytes: Array(body.prefix(4)))), key.state != .retired,
      let plaintext = try? XAES256GCM(key: key.subkey(.stateCookie)).open(
        body.dropFirst(4 + XAES256GCM.nonceByteCount),
        nonce: body.dropFirst(4).prefix(XAES256GCM.nonceByteCount),
        aad: Self.cookieAAD(key.id.bytes, context)),
      plaintext.count >= 8
    else { return nil }
    let end = plaintext.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return now >= 0 && UInt64(now) < end ? Array(plaintext.dropFirst(8)) : nil
  }

  private static func cookieAAD(_ id: [UInt8], _ context: String) -> [UInt8] {
    Array("gs3-state-cookie-v1".utf8) + [0] + id + Array(context.utf8)
  }
}
