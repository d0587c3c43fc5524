import Crypto
import Testing

func bytes(_ hex: String) -> [UInt8] { Hex.decode(hex)! }

/// NIST's example values for FIPS 180-4.
@Test(arguments: [
  ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
  ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
  (
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
  ),
  (
    String(repeating: "a", count: 1_000_000),
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
  ),
])
func sha256(message: String, digest: String) {
  #expect(Hex.encode(SHA256.hash(message.utf8)) == digest)
  var hash = SHA256()
  for piece in Array(message.utf8).chunks(of: 977) { hash.update(piece) }
  #expect(Hex.encode(hash.finalize()) == digest)
  #expect(hash.finalize() == SHA256.hash([]), "finalize leaves an empty message")
}

@Test func sha256OfBytesThatAreNotContiguous() {
  #expect(SHA256.hash((0..<200).lazy.map { UInt8($0) }) == SHA256.hash(Array(0..<200)))
}

struct MACVector: Sendable {
  var key: [UInt8]
  var message: [UInt8]
  var code: String
}

/// RFC 4231 section 4, cases 1 to 4, 6 and 7 (5 is about truncation).
@Test(arguments: [
  MACVector(
    key: .init(repeating: 0x0b, count: 20), message: Array("Hi There".utf8),
    code: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
  MACVector(
    key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8),
    code: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
  MACVector(
    key: .init(repeating: 0xaa, count: 20), message: .init(repeating: 0xdd, count: 50),
    code: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
  MACVector(
    key: Array(0x01...0x19), message: .init(repeating: 0xcd, count: 50),
    code: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
  MACVector(
    key: .init(repeating: 0xaa, count: 131),
    message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
    code: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
  MACVector(
    key: .init(repeating: 0xaa, count: 131),
    message: Array(
      ("This is a test using a larger than block-size key and a larger than block-size data."
        + " The key needs to be hashed before being used by the HMAC algorithm.").utf8),
    code: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
])
func hmac(vector: MACVector) {
  #expect(Hex.encode(HMACSHA256.authenticate(vector.message, key: vector.key)) == vector.code)
}

/// RFC 2202 section 3, cases 1, 2 and 6.
@Test(
  arguments: [
    (Array(repeating: 0x0b, count: 20), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
    (
      Array("Jefe".utf8), "what do ya want for nothing?",
      "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    ),
    (
      Array(repeating: 0xaa, count: 80), "Test Using Larger Than Block-Size Key - Hash Key First",
      "aa4ae5e15272d00e95705637ce8a3b55ed402112"
    ),
  ] as [([UInt8], String, String)])
func hmacSHA1(key: [UInt8], message: String, code: String) {
  #expect(Hex.encode(HMACSHA1.authenticate(message.utf8, key: key)) == code)
}

/// The empty key is a key: it must not stand for the key of an earlier call.
@Test func hmacOfNothingUnderTheEmptyKey() {
  _ = HMACSHA256.authenticate([1], key: [2])
  #expect(
    Hex.encode(HMACSHA256.authenticate([], key: []))
      == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
}

struct HKDFVector: Sendable {
  var key: String
  var salt: String
  var info: String
  var output: String
}

/// RFC 5869 appendix A, the three cases with SHA-256.
@Test(arguments: [
  HKDFVector(
    key: "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", salt: "000102030405060708090a0b0c",
    info: "f0f1f2f3f4f5f6f7f8f9",
    output:
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"),
  HKDFVector(
    key: Hex.encode(Array(0x00...0x4f)), salt: Hex.encode(Array(0x60...0xaf)),
    info: Hex.encode(Array(0xb0...0xff)),
    output: "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
      + "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
      + "cc30c58179ec3e87c14c01d5c1f3434f1d87"),
  HKDFVector(
    key: "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", salt: "", info: "",
    output:
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
])
func hkdf(vector: HKDFVector) throws {
  let output = bytes(vector.output)
  let derived = try HKDF.sha256(
    key: SecretBytes(bytes(vector.key)), salt: bytes(vector.salt), info: bytes(vector.info),
    count: output.count)
  #expect(derived == SecretBytes(output))
}

@Test func hkdfOutputHasALimit() throws {
  let key = SecretBytes([1])
  #expect(try HKDF.sha256(key: key, salt: [], info: [], count: 8160).count == 8160)
  for count in [-1, 0, 8161] {
    #expect(throws: CryptoError.wrongLength("HKDF output")) {
      try HKDF.sha256(key: key, salt: [], info: [], count: count)
    }
  }
}

extension Array {
  func chunks(of size: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
  }
}
