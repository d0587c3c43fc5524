// A credential as the access key id that a user pastes, and back.
//
//   text   "GS3A", body in base62, CRC-32 of all before in base62 (6 characters): [A-Za-z0-9] only
//   body   key id 4, nonce 24, ciphertext, tag 16: XAES-256-GCM, which derives a key per nonce
//   AAD    "gs3-credential-v1", 0, origin, 0, "GS3A", key id
//
// The key is chosen by the key id, never by trial. One credential text has one fingerprint: every
// character is under the tag or under the checksum, and base62 here has no second spelling.

import Crypto

/// The two values that a user is shown.
struct SealedCredential: Equatable, Sendable {
  /// The sealed credential; a bearer of it may hold tokens, so it is logged by fingerprint only.
  let accessKeyID: String
  /// What requests are signed with: 40 characters of [A-Za-z0-9].
  let secretAccessKey: Secret
}

extension SealedCredential: CustomStringConvertible, CustomReflectable {
  var description: String { "<credential \(CredentialSealer.fingerprint(of: accessKeyID))>" }
  var customMirror: Mirror { Mirror(self, children: []) }
}

/// Seals and opens credentials for one service with the keys of one keyring.
struct CredentialSealer: Sendable {
  private let primary: SealingKey
  /// All that open, the primary among them.
  private let accepted: [SealingKey]

  /// `origin` is the base URL: a credential opens at the service that it was made for.
  init(keyring: Keyring, origin: String) throws(CryptoError) {
    primary = try SealingKey(keyring.primary, origin: origin)
    var accepted: [SealingKey] = []
    for key in keyring.keys where key.state != .retired {
      accepted.append(try SealingKey(key, origin: origin))
    }
    self.accepted = accepted
  }

  /// The access key id and secret of `credential`.
  func seal(_ credential: Credential) throws(CredentialError) -> SealedCredential {
    var plaintext = try credential.encoded()
    defer { cleanse(&plaintext) }
    let nonce = Random.bytes(XAES256GCM.nonceByteCount)
    var body = primary.idBytes + nonce
    do throws(CryptoError) {
      body += try primary.cipher.seal(plaintext, nonce: nonce, aad: primary.aad)
    } catch {
      throw .cryptography
    }
    var text = Envelope.prefix + Base62.encode(body)
    text += Envelope.checksum(of: text[...])
    guard text.count <= CredentialLimits.accessKeyIDBytes else {
      throw .tooLong(field: "access key id", limit: CredentialLimits.accessKeyIDBytes)
    }
    return SealedCredential(
      accessKeyID: String(decoding: text, as: UTF8.self),
      secretAccessKey: Secret(try primary.secretAccessKey(nonce: nonce[...], text: text)))
  }

  /// The credential sealed in `accessKeyID`, expired or not.
  func open(_ accessKeyID: String) throws(CredentialError) -> Credential {
    let envelope = try Envelope(accessKeyID)
    let key = try key(of: envelope)
    var plaintext: [UInt8]
    do throws(CryptoError) {
      plaintext = try key.cipher.open(envelope.sealed, nonce: envelope.nonce, aad: key.aad)
    } catch {
      throw error == .authenticationFailed ? .forged : .cryptography
    }
    defer { cleanse(&plaintext) }
    return try Credential(decoding: plaintext)
  }

  /// The secret that was issued with `accessKeyID`. Says nothing on whether that one opens.
  func secretAccessKey(for accessKeyID: String) throws(CredentialError) -> Secret {
    let envelope = try Envelope(accessKeyID)
    return Secret(
      try key(of: envelope).secretAccessKey(nonce: envelope.nonce, text: envelope.text))
  }

  /// What stands for an access key id in the audit: 128 bits of its SHA-256, in base32.
  static func fingerprint(of accessKeyID: String) -> String {
    Base32.encode(SHA256.hash(accessKeyID.utf8).prefix(16))
  }

  private func key(of envelope: Envelope) throws(CredentialError) -> SealingKey {
    guard let key = accepted.first(where: { envelope.keyID.elementsEqual($0.idBytes) }) else {
      throw .unknownKey
    }
    return key
  }
}

/// What a key of the keyring needs here, made once.
private struct SealingKey: Sendable {
  let idBytes: [UInt8]
  let cipher: XAES256GCM
  let aad: [UInt8]
  private let secretKey: SecretBytes

  init(_ key: Keyring.Key, origin: String) throws(CryptoError) {
    idBytes = key.id.bytes
    cipher = try XAES256GCM(key: key.subkey(.seal))
    aad =
      Array("gs3-credential-v1".utf8) + [0] + Array(origin.utf8) + [0] + Envelope.prefix + idBytes
    secretKey = key.subkey(.s3Secret)
  }

  func secretAccessKey(
    nonce: ArraySlice<UInt8>, text: [UInt8]
  ) throws(CredentialError) -> String {
    let info = Array("gs3-s3-secret-v1".utf8) + SHA256.hash(text)
    do throws(CryptoError) {
      let derived = try HKDF.sha256(key: secretKey, salt: nonce, info: info, count: 32)
      return derived.withUnsafeBytes {
        String(decoding: Base62.encode($0).prefix(40), as: UTF8.self)
      }
    } catch {
      throw .cryptography
    }
  }
}

/// The parts of an access key id whose form and checksum are right.
private struct Envelope {
  static let prefix = Array("GS3A".utf8)
  private static let keyIDBytes = 4
  private static let checksumCount = 6
  private static let leastBody = keyIDBytes + XAES256GCM.nonceByteCount + AES256GCM.tagByteCount

  let text: [UInt8]
  private let body: [UInt8]

  var keyID: ArraySlice<UInt8> { body.prefix(Self.keyIDBytes) }
  var nonce: ArraySlice<UInt8> {
    body.dropFirst(Self.keyIDBytes).prefix(XAES256GCM.nonceByteCount)
  }
  var sealed: ArraySlice<UInt8> {
    body.dropFirst(Self.keyIDBytes + XAES256GCM.nonceByteCount)
  }

  init(_ accessKeyID: String) throws(CredentialError) {
    let count = accessKeyID.utf8.count
    guard count <= CredentialLimits.accessKeyIDBytes else { throw .malformed }
    text = Array(accessKeyID.utf8)
    let checked = text.dropLast(Self.checksumCount)
    guard text.starts(with: Self.prefix), checked.count >= Self.prefix.count,
      Self.checksum(of: checked).elementsEqual(text.suffix(Self.checksumCount))
    else {
      let isOurs = text.starts(with: Self.prefix) && text.allSatisfy(Base62.isDigit)
      throw isOurs ? .truncated : .malformed
    }
    guard let body = Base62.decode(checked.dropFirst(Self.prefix.count)),
      body.count >= Self.leastBody
    else { throw .malformed }
    self.body = body
  }

  static func checksum(of text: ArraySlice<UInt8>) -> [UInt8] {
    let sum = CRC32.checksum(text)
    return Base62.encode((0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32(24 - 8 * $0)) })
  }
}
