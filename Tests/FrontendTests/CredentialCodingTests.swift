import Testing

@testable import Frontend

@Suite struct CredentialCodingTests {
  @Test func decodingRefusesEveryPrefixAndAnyMore() throws {
    var credential = credential(collections: 2)
    credential.collections[0].rootFolder = RootFolder("/a/")
    credential.transferRefresh = token(expiresAt: 0)
    let bytes = try credential.encoded()
    for count in 0..<bytes.count {
      #expect(throws: CredentialError.malformed) {
        try Credential(decoding: Array(bytes.prefix(count)))
      }
    }
    #expect(throws: CredentialError.malformed) { try Credential(decoding: bytes + [0]) }
    #expect(try Credential(decoding: bytes) == credential)
  }

  /// Never a trap, whatever a holder of the key wrote; what decodes encodes to the same.
  @Test func decodingSurvivesAnyByte() throws {
    let bytes = try credential().encoded()
    for index in bytes.indices {
      for value: UInt8 in [0, 1, 0x7f, 0x80, 0xff, bytes[index] ^ 0x10] {
        var touched = bytes
        touched[index] = value
        guard let decoded = try? Credential(decoding: touched) else { continue }
        #expect(try decoded.encoded() == touched)
      }
    }
  }

  @Test(arguments: 1..<8)
  func reservedFlagsAreRefused(bit: Int) throws {
    var bytes = try credential().encoded()
    bytes[0] |= 1 << UInt8(bit)
    #expect(throws: CredentialError.malformed) { try Credential(decoding: bytes) }
  }

  @Test func limitsAreCrossed() throws {
    func expect(_ field: String, _ limit: Int, _ change: (inout Credential, Int) -> Void) throws {
      var credential = credential()
      change(&credential, limit)
      #expect(try Credential(decoding: credential.encoded()) == credential, "\(field)")
      change(&credential, limit + 1)
      #expect(throws: CredentialError.tooLong(field: field, limit: limit)) {
        try credential.encoded()
      }
    }
    func text(_ count: Int) -> String { String(repeating: "x", count: count) }
    try expect("username", 128) { $0.username = text($1) }
    try expect("https host", 255) { $0.collections[0].httpsHost = text($1) }
    try expect("token", 2048) { $0.transfer.secret = Secret(text($1)) }
    try expect("collections", 10) { credential, count in
      credential.collections = (0..<count).map { _ in grant() }
    }
  }

  @Test func whatCannotBeSealed() throws {
    func expect(_ field: String, _ change: (inout Credential) -> Void) {
      var credential = credential()
      change(&credential)
      #expect(throws: CredentialError.invalid(field: field)) { try credential.encoded() }
    }
    expect("issued") { $0.issuedAt = -1 }
    expect("expires") { $0.expiresAt = 1 << 32 }
    expect("token expiry") { $0.transfer.expiresAt = 1 << 32 }
    expect("token") { $0.transfer.secret = Secret("") }
    expect("token") { $0.transfer.secret = Secret("a\r\nX-Injected: 1") }
    expect("https host") { $0.collections[0].httpsHost = "" }
    expect("https host") { $0.collections[0].httpsHost = "host/path" }
    expect("collections") { $0.collections += $0.collections }
    var none = credential()
    none.collections = []
    #expect(throws: CredentialError.tooLong(field: "collections", limit: 10)) {
      try none.encoded()
    }
  }
}

@Suite struct CredentialIDTests {
  @Test func uuidTextBothWays() {
    let id = CollectionID("DE305D54-75b4-431B-adb2-eb6b9e546014")
    #expect(id?.description == "de305d54-75b4-431b-adb2-eb6b9e546014")
    #expect(id?.bits == UUIDBits(high: 0xde30_5d54_75b4_431b, low: 0xadb2_eb6b_9e54_6014))
    #expect(IdentityID("de305d54-75b4-431b-adb2-eb6b9e546014")?.bits == id?.bits)
  }

  @Test(arguments: [
    "", "de305d54-75b4-431b-adb2-eb6b9e54601", "de305d54-75b4-431b-adb2-eb6b9e5460145",
    "de305d5475b4431badb2eb6b9e546014", "{de305d54-75b4-431b-adb2-eb6b9e546014}",
    "de305d54-75b4-431b-adb2-eb6b9e54601g", "de305d547-5b4-431b-adb2-eb6b9e546014",
    "de305d54-75b4-431b-adb2 eb6b9e546014", "de305d54_75b4_431b_adb2_eb6b9e546014",
    "-e305d54-75b4-431b-adb2-eb6b9e546014", "dé305d54-75b4-431b-adb2-eb6b9e54601",
  ])
  func otherTextsAreNoUUID(text: String) {
    #expect(CollectionID(text) == nil)
  }
}
