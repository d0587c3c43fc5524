internal import COpenSSL
import Crypto
import Testing

struct AEADVector: Sendable {
  var key: String
  var nonce: String
  var aad = ""
  var plaintext = ""
  var sealed: String
}

private let key16 = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
private let text16 =
  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
  + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
private let sealed16 =
  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
  + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
private let zeroKey = String(repeating: "0", count: 64)
private let zeroNonce = String(repeating: "0", count: 24)

/// "The Galois/Counter Mode of Operation", as submitted to NIST, appendix B, cases 13 to 16.
private let gcmVectors = [
  AEADVector(key: zeroKey, nonce: zeroNonce, sealed: "530f8afbc74536b9a963b4f1c4cb738b"),
  AEADVector(
    key: zeroKey, nonce: zeroNonce, plaintext: String(repeating: "0", count: 32),
    sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
  AEADVector(
    key: key16, nonce: "cafebabefacedbaddecaf888", plaintext: text16 + "1aafd255",
    sealed: sealed16 + "898015ad" + "b094dac5d93471bdec1a502270e3cc6c"),
  AEADVector(
    key: key16, nonce: "cafebabefacedbaddecaf888",
    aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2", plaintext: text16,
    sealed: sealed16 + "76fc6ece0f4e1768cddf8853bb2d551b"),
]

@Test(arguments: gcmVectors)
func gcm(vector: AEADVector) throws {
  let key = SecretBytes(bytes(vector.key))
  let (nonce, aad) = (bytes(vector.nonce), bytes(vector.aad))
  let sealed = try AES256GCM.seal(bytes(vector.plaintext), key: key, nonce: nonce, aad: aad)
  #expect(Hex.encode(sealed) == vector.sealed)
  #expect(
    try Hex.encode(AES256GCM.open(sealed, key: key, nonce: nonce, aad: aad)) == vector.plaintext)
}

@Test func gcmOpensNothingThatWasTouched() throws {
  let vector = gcmVectors[3]
  let key = SecretBytes(bytes(vector.key))
  let (nonce, aad, sealed) = (bytes(vector.nonce), bytes(vector.aad), bytes(vector.sealed))
  func refuses(_ sealed: [UInt8], nonce: [UInt8], aad: [UInt8]) {
    #expect(throws: CryptoError.authenticationFailed) {
      try AES256GCM.open(sealed, key: key, nonce: nonce, aad: aad)
    }
  }
  for index in sealed.indices {
    var touched = sealed
    touched[index] ^= 1
    refuses(touched, nonce: nonce, aad: aad)
  }
  refuses(sealed.dropLast(), nonce: nonce, aad: aad)
  refuses(sealed, nonce: nonce.reversed(), aad: aad)
  refuses(sealed, nonce: nonce, aad: aad.dropLast())
  refuses(sealed, nonce: nonce, aad: [])
}

@Test func gcmChecksLengths() {
  let key = SecretBytes(count: 32) { _ in }
  let nonce = [UInt8](repeating: 0, count: 12)
  #expect(throws: CryptoError.wrongLength("key")) {
    try AES256GCM.seal([], key: SecretBytes(count: 31) { _ in }, nonce: nonce)
  }
  #expect(throws: CryptoError.wrongLength("nonce")) {
    try AES256GCM.seal([], key: key, nonce: nonce + [0])
  }
  #expect(throws: CryptoError.wrongLength("sealed text")) {
    try AES256GCM.open([UInt8](repeating: 0, count: 15), key: key, nonce: nonce)
  }
  let tooLong = [UInt8](repeating: 0, count: 16 << 20 | 1)
  #expect(throws: CryptoError.wrongLength("plaintext")) {
    try AES256GCM.seal(tooLong, key: key, nonce: nonce)
  }
  #expect(throws: CryptoError.wrongLength("sealed text")) {
    try AES256GCM.open(
      tooLong + [UInt8](repeating: 0, count: 16), key: key, nonce: nonce)
  }
}

/// C2SP XAES-256-GCM, "Test vectors": one for each value of the subkey's carry.
@Test(arguments: [
  ("01", "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
  (
    "03", "c2sp.org/XAES-256-GCM",
    "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"
  ),
])
func xaes(keyByte: String, aad: String, sealed: String) throws {
  let cipher = try XAES256GCM(
    key: SecretBytes(bytes(String(repeating: keyByte, count: 32))))
  let nonce = Array("ABCDEFGHIJKLMNOPQRSTUVWX".utf8)
  let text = Array("XAES-256-GCM".utf8)
  #expect(try Hex.encode(cipher.seal(text, nonce: nonce, aad: Array(aad.utf8))) == sealed)
  #expect(try cipher.open(bytes(sealed)[...], nonce: nonce[...], aad: Array(aad.utf8)) == text)
}

/// C2SP XAES-256-GCM, "Accumulated randomized tests": 10,000 messages read from SHAKE-128.
@Test func xaesAccumulated() throws {
  var stream = shake128([], count: 4 << 20)[...]
  #expect(Hex.encode(stream.prefix(16)) == "7f9c2ba4e88f827d616045507605853e")
  func take(_ count: Int) -> [UInt8] {
    defer { stream = stream.dropFirst(count) }
    return Array(stream.prefix(count))
  }
  var sealed: [UInt8] = []
  for _ in 0..<10_000 {
    let cipher = try XAES256GCM(key: SecretBytes(take(32)))
    let nonce = take(24)
    let text = take(Int(take(1)[0]))
    let aad = take(Int(take(1)[0]))
    let message = try cipher.seal(text, nonce: nonce, aad: aad)
    #expect(try cipher.open(message[...], nonce: nonce[...], aad: aad) == text)
    sealed += message
  }
  #expect(
    Hex.encode(shake128(sealed, count: 32))
      == "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939")
}

@Test func xaesChecksLengths() throws {
  #expect(throws: CryptoError.wrongLength("key")) {
    try XAES256GCM(key: SecretBytes(count: 16) { _ in })
  }
  let cipher = try XAES256GCM(key: SecretBytes(count: 32) { _ in })
  #expect(throws: CryptoError.wrongLength("nonce")) {
    try cipher.seal([], nonce: [UInt8](repeating: 0, count: 12))
  }
  #expect(throws: CryptoError.wrongLength("plaintext")) {
    try cipher.seal(
      [UInt8](repeating: 0, count: 16 << 20 | 1), nonce: [UInt8](repeating: 0, count: 24))
  }
}

private func shake128(_ message: [UInt8], count: Int) -> [UInt8] {
  let context = EVP_MD_CTX_new()
  defer { EVP_MD_CTX_free(context) }
  var output = [UInt8](repeating: 0, count: count)
  EVP_DigestInit_ex(context, EVP_shake128(), nil)
  EVP_DigestUpdate(context, message, message.count)
  EVP_DigestFinalXOF(context, &output, count)
  return output
}
