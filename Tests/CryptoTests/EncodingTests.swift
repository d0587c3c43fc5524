import Crypto
import Testing

@Test func hexBothWays() {
  #expect(Hex.encode([0x00, 0x9f, 0xff]) == "009fff")
  #expect(Hex.decode("009FfF") == [0x00, 0x9f, 0xff])
  for wrong in ["0", "0g", "0x00", " 00", "０0", "-1"] { #expect(Hex.decode(wrong) == nil) }
}

/// RFC 4648 section 10.
@Test(arguments: [
  ("", "", ""), ("f", "MY", "Zg"), ("fo", "MZXQ", "Zm8"), ("foo", "MZXW6", "Zm9v"),
  ("foob", "MZXW6YQ", "Zm9vYg"), ("fooba", "MZXW6YTB", "Zm9vYmE"),
  ("foobar", "MZXW6YTBOI", "Zm9vYmFy"),
])
func rfc4648(text: String, base32: String, base64: String) {
  #expect(Base32.encode(Array(text.utf8)) == base32)
  #expect(Base64URL.encode(Array(text.utf8)) == base64)
  #expect(Base64URL.decode(base64) == Array(text.utf8))
}

@Test func base64URLRefusesOtherTexts() {
  #expect(Base64URL.encode([0xfb, 0xff, 0xfe]) == "-__-")
  #expect(Base64URL.decode("-__-") == [0xfb, 0xff, 0xfe])
  for wrong in ["Z", "Zg==", "Zh", "Zm9", "+/+/", "Zm 9", "Zm9vY", "é"] {
    #expect(Base64URL.decode(wrong) == nil, "\(wrong)")
  }
}

@Test(arguments: [
  ([], ""), ([0], "00"), ([0xff], "47"), ([0xff, 0xff], "H31"),
  ([0, 0, 0, 0, 0, 0, 0, 0], "00000000000"),
  ([0, 0, 0, 0, 0, 0, 0, 62], "00000000010"),
  ([UInt8](repeating: 0xff, count: 8), "LygHa16AHYF"),
  ([UInt8](repeating: 0xff, count: 9), "LygHa16AHYF47"),
])
func base62(bytes: [UInt8], text: String) {
  #expect(String(decoding: Base62.encode(bytes), as: UTF8.self) == text)
  #expect(Base62.decode(Array(text.utf8)) == bytes)
}

@Test func base62BothWaysAtEveryLength() {
  for count in 0...64 {
    let bytes = Random.bytes(count)
    let text = Base62.encode(bytes)
    #expect(text.count == Base62.encodedCount(count))
    #expect(Base62.decode(text) == bytes, "bytes \(Hex.encode(bytes))")
  }
}

/// One text a byte string: out of range, of no block's length or of another alphabet is refused.
@Test(arguments: [
  "48", "zz", "H32", "LygHa16AHYG", "zzzzzzzzzzz", "0", "0000", "00000000", "000000000000",
  "0-", "0000000000_", "000000000 0", "é",
])
func base62Refuses(text: String) {
  #expect(Base62.decode(Array(text.utf8)) == nil)
}

/// The check value of the CRC catalogue (CRC-32/ISO-HDLC) and two of zlib's.
@Test(
  arguments: [
    ("123456789", 0xCBF4_3926), ("", 0),
    ("The quick brown fox jumps over the lazy dog", 0x414F_A339),
  ] as [(String, UInt32)])
func crc32(text: String, checksum: UInt32) {
  #expect(CRC32.checksum(text.utf8) == checksum)
}

@Test func secretsArePrintedNowhere() throws {
  let secret = SecretBytes(Array("marker".utf8))
  var dumped = ""
  dump(secret, to: &dumped)
  for text in ["\(secret)", String(reflecting: secret), dumped, "\([secret])"] {
    #expect(!text.contains("marker") && !text.contains("109"), "\(text)")
    #expect(text.contains("<secret>"))
  }
  #expect(try "\(Ed25519.PrivateKey())".contains("seed: <secret>"))
}

@Test func comparesAllBytes() {
  #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
  #expect(constantTimeEqual([UInt8](), []))
  for other in [[], [1, 2], [1, 2, 4], [0, 2, 3], [1, 2, 3, 0]] as [[UInt8]] {
    #expect(!constantTimeEqual([1, 2, 3], other))
  }
}

@Test func cleanseOverwrites() {
  var secret: [UInt8] = [1, 2, 3]
  cleanse(&secret)
  #expect(secret == [0, 0, 0])
}

@Test func randomBytesDiffer() {
  #expect(Random.bytes(0) == [])
  #expect(Random.bytes(32) != Random.bytes(32))
  #expect(Random.bytes(33).count == 33)
}
