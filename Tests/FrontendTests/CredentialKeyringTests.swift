import Crypto
import FoundationEssentials
import Glibc
import Testing

@testable import Frontend

/// A folder of its own for each test, removed at its end.
final class CredentialFolder {
  let path: String

  init() {
    path = FileManager.default.temporaryDirectory.path + "/keyring-" + Hex.encode(Random.bytes(8))
    try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var file: String { path + "/keyring" }

  func write(_ text: String, mode: UInt32 = 0o600) {
    try! Data(text.utf8).write(to: URL(filePath: file))
    chmod(file, mode)
  }

  var text: String { try! String(contentsOf: URL(filePath: file), encoding: .utf8) }

  var mode: UInt32 {
    var status = stat()
    stat(file, &status)
    return status.st_mode & 0o7777
  }
}

private let key1 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
private let key2 = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="
private let line1 = "00000001 primary 2026-11-23T08:00:00Z \(key1)"
private let line2 = "0000000a accept 2026-11-23T08:00:00Z \(key2)"

@Suite struct CredentialKeyringTests {
  @Test func readsAFile() throws {
    let folder = CredentialFolder()
    folder.write("# keys\n\n\(line1)\n0000000A accept 2026-11-23T08:00:00Z  \(key2)")
    let keyring = try Keyring(file: folder.file)
    #expect(keyring.primary.id.description == "00000001")
    #expect(keyring.keys.map(\.state) == [.primary, .accept])
    #expect(keyring.key(id: KeyID("0000000a")!)?.state == .accept)
    #expect(keyring.key(id: KeyID("0000000b")!) == nil)
  }

  /// Computed with Python's cryptography: HKDF of bytes 0 to 31, info "gs3-subkey-v1\\0" + purpose.
  @Test func subkeysDifferByPurpose() throws {
    let folder = CredentialFolder()
    folder.write(line1)
    let key = try Keyring(file: folder.file).primary
    #expect(
      key.subkey(.seal)
        == SecretBytes(
          Hex.decode("dce6155c2b3031965aeedd911d57f9b0d66d970737a2e43b2495f37e8eead6a8")!))
    #expect(
      try Keyring(file: folder.file).auditSigningSeed
        == SecretBytes(
          Hex.decode("ac19f50a4e0bdfb2b14a27ba590b2ffb11cf32ce06ad1fafc7a0b01d679e03f0")!))
    let subkeys = Keyring.Purpose.allCases.map { key.subkey($0).withUnsafeBytes { Array($0) } }
    #expect(Set(subkeys).count == Keyring.Purpose.allCases.count)
  }

  /// Made by an independent program (Python, cryptography): the format is a promise.
  @Test func openedForever() throws {
    let folder = CredentialFolder()
    folder.write(line1)
    let sealer = try CredentialSealer(
      keyring: Keyring(file: folder.file), origin: credentialOrigin)
    let text =
      "GS3A000006Wefyx8xmRuh4Vhkt9eX01Aljt0JALHY7fe9BK78tOk9mFBpxVGbhMwcqRnN20As64SGzSC"
      + "iKfcyZz7SUoP1u1DcTEfb2ADQaWHNY51nVIOzxLxcct6eAfF8yZaApL0FjID562xMykL080XX8tmcxDD"
      + "UVcFDLLoD47vgWKlqJjp0swDgf7QCeJ4Zx5xAvFgvJBwGCzrGY8vQCbLcEdNGOhVHwNpv7QtZxJArusP"
      + "t53pT7CHBpAdRAHgA0NxZrL5d5t1GETEN"
    let credential = try sealer.open(text)
    #expect(credential.username == "user@uni.example.edu")
    #expect(
      credential.collections.map(\.collection.description) == [
        "de305d54-75b4-431b-adb2-eb6b9e546014"
      ])
    #expect(
      credential.transfer == Token(secret: Secret("transfer-token_1"), expiresAt: 1_800_172_800))
    #expect(
      try sealer.secretAccessKey(for: text).value == "FEWGQ7aaQbk6KDFy1NEjCy2JDeFOR3NBVBET9qcs")
  }

  @Test(arguments: [
    "xyzzy", "0000001 primary 2026-11-23T08:00:00Z \(key1)", "\(line1) x",
    "00000001 main 2026-11-23T08:00:00Z \(key1)", "00000001 primary yesterday \(key1)",
    "00000001 primary 2026-11-23T08:00:00Z \(key1.dropLast(4))",
    "00000001 primary 2026-11-23T08:00:00Z \(key1.dropLast())", "\(line1)\r", "  \(line1)\t",
  ])
  func malformedLinesAreNamedNotShown(line: String) {
    let folder = CredentialFolder()
    folder.write("# one\n\(line2)\n\(line)\n")
    let error = #expect(throws: KeyringError.self) { try Keyring(file: folder.file) }
    #expect(error == .malformed(folder.file, line: 3))
    #expect(error?.description.contains(line) == false)
    #expect(error?.description.contains("line 3") == true)
  }

  @Test func filesWithoutOnePrimary() {
    let folder = CredentialFolder()
    let cases: [(String, KeyringError)] = [
      ("", .empty(folder.file)), ("# nothing\n", .empty(folder.file)),
      (line2, .noPrimary(folder.file)),
      (
        "\(line1)\n00000002 primary 2026-11-23T08:00:00Z \(key2)\n",
        .twoPrimaries(folder.file, line: 2)
      ),
      ("\(line1)\n\(line1.replacing("primary", with: "accept"))", .duplicate(folder.file, line: 2)),
      (String(repeating: "#", count: 65_537), .tooLarge(folder.file)),
    ]
    for (text, expected) in cases {
      folder.write(text)
      #expect(throws: expected) { try Keyring(file: folder.file) }
    }
    folder.write(line1 + "\n" + String(repeating: "#", count: 65_536 - line1.utf8.count - 1))
    #expect(throws: Never.self) { try Keyring(file: folder.file) }
  }

  @Test(arguments: [0o640, 0o604, 0o610, 0o601, 0o660, 0o644] as [UInt32])
  func filesOfOthersAreRefused(mode: UInt32) throws {
    let folder = CredentialFolder()
    folder.write(line1, mode: mode)
    #expect(throws: KeyringError.notPrivate(folder.file, mode: mode)) {
      try Keyring(file: folder.file)
    }
    let link = folder.path + "/link"
    symlink(folder.file, link)
    #expect(throws: KeyringError.notPrivate(link, mode: mode)) { try Keyring(file: link) }
    chmod(folder.file, 0o400)
    #expect(throws: Never.self) { try Keyring(file: link) }
  }

  @Test func otherKindsOfFile() {
    let folder = CredentialFolder()
    let missing = #expect(throws: KeyringError.self) { try Keyring(file: folder.file) }
    #expect(missing == .missing(folder.file))
    #expect(
      missing?.description.contains("globus-s3-frontend key generate \(folder.file)") == true)
    #expect(throws: KeyringError.notRegular(folder.path)) { try Keyring(file: folder.path) }
    mkfifo(folder.file, 0o600)
    #expect(throws: KeyringError.notRegular(folder.file)) { try Keyring(file: folder.file) }
  }

  @Test func generatesOnceAndPrivately() throws {
    let folder = CredentialFolder()
    let id = try Keyring.generate(file: folder.file)
    #expect(folder.mode == 0o600)
    let keyring = try Keyring(file: folder.file)
    #expect(keyring.keys.count == 1 && keyring.primary.id == id)
    let before = folder.text
    #expect(throws: KeyringError.exists(folder.file)) { try Keyring.generate(file: folder.file) }
    #expect(folder.text == before)
  }

  @Test func rotation() throws {
    let folder = CredentialFolder()
    let first = try Keyring.generate(file: folder.file)
    func sealer() throws -> CredentialSealer {
      try CredentialSealer(keyring: Keyring(file: folder.file), origin: credentialOrigin)
    }
    let old = try sealer().seal(credential())
    let second = try Keyring.add(file: folder.file)
    #expect(try sealer().open(old.accessKeyID).username == credential().username)
    try Keyring.promote(second, file: folder.file)
    #expect(try Keyring.list(file: folder.file).map(\.id) == [first, second])
    #expect(try Keyring.list(file: folder.file).map(\.state) == [.accept, .primary])
    let new = try sealer().seal(credential())
    #expect(try sealer().open(old.accessKeyID).username == credential().username)
    #expect(try sealer().secretAccessKey(for: old.accessKeyID) == old.secretAccessKey)
    try Keyring.retire(first, file: folder.file)
    #expect(throws: CredentialError.unknownKey) { try sealer().open(old.accessKeyID) }
    #expect(throws: CredentialError.unknownKey) {
      try sealer().secretAccessKey(for: old.accessKeyID)
    }
    #expect(throws: Never.self) { try sealer().open(new.accessKeyID) }
    #expect(folder.mode == 0o600)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["keyring"])
  }

  @Test func changesKeepRemarksAndLinks() throws {
    let folder = CredentialFolder()
    folder.write("# ours, é\n\n\(line1)\n\(line2)\n# end\n")
    let link = folder.path + "/link"
    symlink(folder.file, link)
    try Keyring.promote(KeyID("0000000a")!, file: link)
    #expect(
      folder.text
        == "# ours, é\n\n\(line1.replacing("primary", with: "accept"))\n"
        + "\(line2.replacing("accept", with: "primary"))\n# end\n")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == folder.file)
  }

  @Test func changesThatMakeNoSense() throws {
    let folder = CredentialFolder()
    folder.write("\(line1)\n\(line2)\n")
    let (first, second) = (KeyID("00000001")!, KeyID("0000000a")!)
    #expect(throws: KeyringError.unknownKey(folder.file, id: "0000000b")) {
      try Keyring.retire(KeyID("0000000b")!, file: folder.file)
    }
    let isPrimary = KeyringError.wrongState(
      folder.file, id: "00000001", state: .primary, needed: "accept")
    #expect(throws: isPrimary) { try Keyring.promote(first, file: folder.file) }
    #expect(throws: isPrimary) { try Keyring.retire(first, file: folder.file) }
    try Keyring.retire(second, file: folder.file)
    #expect(throws: KeyringError.self) { try Keyring.promote(second, file: folder.file) }
    #expect(throws: KeyringError.missing("none")) { try Keyring.add(file: "none") }
    chmod(folder.file, 0o644)
    #expect(throws: KeyringError.notPrivate(folder.file, mode: 0o644)) {
      try Keyring.add(file: folder.file)
    }
  }

  @Test func oneChangeAtATime() throws {
    let folder = CredentialFolder()
    folder.write(line1)
    let descriptor = open(folder.file, O_RDONLY)
    #expect(flock(descriptor, LOCK_EX) == 0)
    #expect(throws: KeyringError.busy(folder.file)) { try Keyring.add(file: folder.file) }
    close(descriptor)
    #expect(throws: Never.self) { try Keyring.add(file: folder.file) }
  }
}

@Suite struct CredentialCookieTests {
  private let keyring = Keyring.random()
  private let value = Array("state and verifier".utf8)

  @Test func opensUntilItsEnd() throws {
    let text = try keyring.sealCookie(value, context: "a", now: 1000)
    #expect(text.utf8.allSatisfy(Base64URL.isDigit))
    #expect(keyring.openCookie(text, context: "a", now: 1000) == value)
    #expect(keyring.openCookie(text, context: "a", now: 1599) == value)
    #expect(keyring.openCookie(text, context: "a", now: 1600) == nil)
    #expect(keyring.openCookie(text, context: "a", now: -1) == nil)
  }

  @Test func opensOnlyAsItWasSealed() throws {
    let text = try keyring.sealCookie(value, context: "a", now: 1000)
    #expect(keyring.openCookie(text, context: "b", now: 1000) == nil)
    #expect(Keyring.random().openCookie(text, context: "a", now: 1000) == nil)
    let bytes = try #require(Base64URL.decode(text))
    for index in bytes.indices {
      var touched = bytes
      touched[index] ^= 1
      #expect(keyring.openCookie(Base64URL.encode(touched), context: "a", now: 1000) == nil)
    }
    for count in 0..<text.utf8.count {
      #expect(keyring.openCookie(String(text.prefix(count)), context: "a", now: 1000) == nil)
    }
  }

  @Test func limits() throws {
    let largest = [UInt8](repeating: 7, count: CredentialLimits.cookieBytes)
    let text = try keyring.sealCookie(largest, context: "", now: 0)
    #expect(text.utf8.count <= 4096)
    #expect(keyring.openCookie(text, context: "", now: 0) == largest)
    #expect(throws: CryptoError.wrongLength("cookie")) {
      try keyring.sealCookie(largest + [7], context: "", now: 0)
    }
    #expect(
      keyring.openCookie(String(repeating: "A", count: 4097), context: "", now: 0) == nil)
  }
}
