import Crypto
import Testing

@testable import Frontend

let credentialOrigin = "https://s3.example.org"

/// Globus's access tokens are about 100 characters of the base64url alphabet.
func token(_ count: Int = 100, expiresAt: Int64 = 1_900_000_000) -> Token {
  Token(
    secret: Secret(String(Base64URL.encode(Random.bytes(count)).prefix(count))),
    expiresAt: expiresAt)
}

func grant(tokenLength: Int = 100) -> CollectionGrant {
  CollectionGrant(
    collection: CollectionID(
      bits: UUIDBits(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max))),
    rootFolder: nil, httpsHost: "g-1a2b3c.fd635.8443.data.globus.org", https: token(tokenLength))
}

func credential(collections: Int = 1, tokenLength: Int = 100) -> Credential {
  Credential(
    isStrict: false, issuedAt: 1_800_000_000, expiresAt: 1_800_172_800,
    sessionID: 0x0123_4567_89ab_cdef,
    identity: IdentityID("de305d54-75b4-431b-adb2-eb6b9e546014")!, username: "user@uni.example.edu",
    collections: (0..<collections).map { _ in grant(tokenLength: tokenLength) },
    transfer: token(tokenLength))
}

func sealer(_ keyring: Keyring = .random(), origin: String = credentialOrigin) -> CredentialSealer {
  try! CredentialSealer(keyring: keyring, origin: origin)
}

@Suite struct CredentialTests {
  @Test func opensWhatItSealed() throws {
    let sealer = sealer()
    var full = credential(collections: 3)
    full.isStrict = true
    full.username = "Müller@université.example"
    full.collections[0].rootFolder = RootFolder(String(repeating: "f", count: 1023))
    full.collections[1].rootFolder = RootFolder("/projects/climate ☂/")
    full.collections[1].httpsHost = "[::1]:8443"
    full.collections[1].httpsRefresh = token(expiresAt: 0)
    full.collections[2].https.secret = Secret("with.other~characters+/and=")
    full.transferRefresh = token(190, expiresAt: 0)
    full.expiresAt = Int64(UInt32.max)
    for credential in [credential(), full] {
      #expect(try sealer.open(sealer.seal(credential).accessKeyID) == credential)
    }
  }

  /// Every length modulo the packing's groups, and last characters that leave spare bits set.
  @Test func tokensOfEveryLength() throws {
    let sealer = sealer()
    for count in 1...70 {
      for character in ["_", "A", "x", "."] {
        var credential = credential()
        credential.transfer.secret = Secret(String(repeating: character, count: count))
        #expect(try sealer.open(sealer.seal(credential).accessKeyID) == credential)
      }
    }
  }

  @Test func textIsAlphanumericAndShort() throws {
    let sealed = try sealer().seal(credential())
    #expect(sealed.accessKeyID.hasPrefix("GS3A"))
    #expect(sealed.accessKeyID.utf8.allSatisfy(Base62.isDigit))
    #expect(350...460 ~= sealed.accessKeyID.utf8.count, "\(sealed.accessKeyID.utf8.count)")
    #expect(sealed.secretAccessKey.value.utf8.count == 40)
    #expect(sealed.secretAccessKey.value.utf8.allSatisfy(Base62.isDigit))
  }

  /// Also with host names of twice the usual length, and with refresh tokens.
  @Test func asManyCollectionsFitAsASignInMayName() throws {
    let sealer = sealer()
    var many = credential(collections: CredentialLimits.collections)
    for index in many.collections.indices {
      many.collections[index].httpsHost += String(repeating: "h", count: 35)
      many.collections[index].httpsRefresh = token(expiresAt: 0)
    }
    let sealed = try sealer.seal(many)
    #expect(sealed.accessKeyID.utf8.count <= 4096)
    #expect(try sealer.open(sealed.accessKeyID) == many)
  }

  @Test func tooManyForTheTextIsSaidWhenSealing() {
    #expect(throws: CredentialError.tooLong(field: "access key id", limit: 4096)) {
      try sealer().seal(credential(collections: 10, tokenLength: 400))
    }
  }

  @Test func anyTouchedCharacterIsNoticed() throws {
    let sealer = sealer()
    let text = Array(try sealer.seal(credential()).accessKeyID.utf8)
    for index in text.indices {
      var touched = text
      touched[index] = text[index] == UInt8(ascii: "7") ? UInt8(ascii: "8") : UInt8(ascii: "7")
      let expected: CredentialError = index < 4 ? .malformed : .truncated
      #expect(throws: expected) { try sealer.open(String(decoding: touched, as: UTF8.self)) }
    }
  }

  /// As an attacker would: the checksum is made right again, so only the tag stands in the way.
  @Test func anyTouchedByteIsForged() throws {
    let sealer = sealer()
    let body = try body(of: sealer.seal(credential()).accessKeyID)
    for index in body.indices {
      for mask: UInt8 in [1, 0x80] {
        var touched = body
        touched[index] ^= mask
        let expected: CredentialError = index < 4 ? .unknownKey : .forged
        #expect(throws: expected, "byte \(index)") { try sealer.open(text(of: touched)) }
      }
    }
    #expect(throws: CredentialError.forged) { try sealer.open(text(of: body.dropLast())) }
    #expect(throws: CredentialError.forged) { try sealer.open(text(of: body + [0])) }
    #expect(throws: CredentialError.malformed) { try sealer.open(text(of: Array(body.prefix(43)))) }
    #expect(throws: Never.self) { try sealer.open(text(of: body)) }
  }

  @Test func truncatedAtAnyLength() throws {
    let sealer = sealer()
    let text = try sealer.seal(credential()).accessKeyID
    for count in 4..<text.utf8.count {
      #expect(throws: CredentialError.truncated) { try sealer.open(String(text.prefix(count))) }
    }
    #expect(throws: CredentialError.truncated) { try sealer.open("GS3A" + text.dropFirst(9)) }
  }

  @Test(arguments: [
    "", "GS3", "AKIAIOSFODNN7EXAMPLE", "gs3a00000000", "GS3B0000000000", "GS3A0000-0000000000",
    "GS3A 0000000000000", "GS3Aé00000000000", "GS3A" + String(repeating: "0", count: 4093),
  ])
  func otherTextsAreMalformed(text: String) {
    #expect(throws: CredentialError.malformed) { try sealer().open(text) }
    #expect(throws: CredentialError.malformed) { try sealer().secretAccessKey(for: text) }
  }

  @Test func keyAndOriginMatter() throws {
    let keyring = Keyring.random()
    let text = try sealer(keyring).seal(credential()).accessKeyID
    #expect(throws: CredentialError.unknownKey) { try sealer().open(text) }
    #expect(throws: CredentialError.forged) {
      try sealer(keyring, origin: "https://other.example").open(text)
    }
    #expect(throws: Never.self) { try sealer(keyring).open(text) }
  }

  @Test func secretBelongsToTheKeyIDAndTheKey() throws {
    let keyring = Keyring.random()
    let sealer = sealer(keyring)
    let credential = credential()
    let (first, second) = (try sealer.seal(credential), try sealer.seal(credential))
    #expect(first.accessKeyID != second.accessKeyID)
    #expect(first.secretAccessKey != second.secretAccessKey)
    #expect(try sealer.secretAccessKey(for: first.accessKeyID) == first.secretAccessKey)
    #expect(throws: CredentialError.unknownKey) {
      try otherSealer().secretAccessKey(for: first.accessKeyID)
    }
    var touched = try body(of: first.accessKeyID)
    touched[60] ^= 1
    #expect(try sealer.secretAccessKey(for: text(of: touched)) != first.secretAccessKey)
  }

  /// printf GS3Aexample | sha256sum, the first 16 bytes in base32.
  @Test func fingerprint() throws {
    #expect(CredentialSealer.fingerprint(of: "GS3Aexample") == "WPIERK3FCAGIKEP36EK52JKGPA")
    #expect(try sealer().seal(credential()).description.count == "<credential >".count + 26)
  }

  @Test func nothingPrintsASecret() throws {
    var credential = credential()
    credential.transfer.secret = Secret("marker")
    credential.collections[0].https.secret = Secret("marker")
    let sealed = try sealer().seal(credential)
    var dumped = ""
    dump(credential, to: &dumped)
    dump(sealed, to: &dumped)
    for text in [
      dumped, "\(credential)", String(reflecting: credential), "\(sealed)",
      String(reflecting: sealed),
    ] {
      #expect(!text.contains("marker"))
      #expect(!text.contains(sealed.accessKeyID) && !text.contains(sealed.secretAccessKey.value))
    }
    #expect("\(credential.transfer)".contains("<secret>"))
  }

  @Test func expiry() {
    let credential = credential()
    #expect(!credential.isExpired(at: credential.expiresAt - 1))
    #expect(credential.isExpired(at: credential.expiresAt))
  }

  @Test func grantsAreFound() {
    let credential = credential(collections: 3)
    #expect(
      credential.grant(for: credential.collections[2].collection) == credential.collections[2])
    #expect(credential.grant(for: grant().collection) == nil)
  }
}

private func otherSealer() -> CredentialSealer { sealer() }

private func body(of text: String) throws -> [UInt8] {
  try #require(Base62.decode(text.utf8.dropFirst(4).dropLast(6).map { $0 }))
}

private func text(of body: [UInt8]) -> String {
  let text = Array("GS3A".utf8) + Base62.encode(body)
  let sum = CRC32.checksum(text)
  let end = Base62.encode(withUnsafeBytes(of: sum.bigEndian) { Array($0) })
  return String(decoding: text + end, as: UTF8.self)
}
