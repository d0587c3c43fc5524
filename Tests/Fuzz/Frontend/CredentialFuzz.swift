// Access key ids and what is sealed in them. The first byte says what the others are:
//   t  a text to open: it is none, unless it is a genuine one unchanged;
//   e  edits of a genuine text, as pairs of a place and a byte: what is changed does not open;
//   b  a body under the right prefix and checksum: nobody sealed it;
//   p  a plaintext, as if sealed by us: what is decoded is what encodes to these bytes;
//   c  a cookie's text: it opens to nothing;
//   6  a text in base62 and base64url: it has one spelling.

import Crypto

@testable import Frontend

private let keyring = Keyring.random()
private let sealer = try! CredentialSealer(keyring: keyring, origin: "https://s3.example.org")
private let genuine: Credential = {
  let token = Token(secret: Secret("AgGenuine"), expiresAt: 1_900_000_000)
  let grant = CollectionGrant(
    collection: CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!, rootFolder: RootFolder("/a"),
    httpsHost: "g-1.data.globus.org", https: token)
  return Credential(
    isStrict: false, issuedAt: 1_800_000_000, expiresAt: 1_900_000_000, sessionID: 1,
    identity: IdentityID("de305d54-75b4-431b-adb2-eb6b9e546014")!, username: "user@example.org",
    collections: [grant], transfer: token)
}()
private let sealed = Array(try! sealer.seal(genuine).accessKeyID.utf8)

func fuzzCredential(_ input: [UInt8]) {
  guard let kind = input.first else { return }
  let rest = Array(input.dropFirst())
  switch kind {
  case UInt8(ascii: "t"): open(rest)
  case UInt8(ascii: "e"): open(edited(rest))
  case UInt8(ascii: "b"):
    let text = Array("GS3A".utf8) + Base62.encode(rest)
    let sum = CRC32.checksum(text)
    open(text + Base62.encode((0..<4).map { UInt8(truncatingIfNeeded: sum >> (24 - 8 * $0)) }))
  case UInt8(ascii: "p"): decode(rest)
  case UInt8(ascii: "c"):
    let text = String(decoding: rest, as: UTF8.self)
    holds(keyring.openCookie(text, context: "gs3-a", now: 1_800_000_000) == nil, "a cookie opens")
  case UInt8(ascii: "6"): spell(rest)
  default: break
  }
}

private func open(_ bytes: [UInt8]) {
  guard let text = String(validating: bytes, as: UTF8.self) else { return }
  let credential = try? sealer.open(text)
  holds((credential != nil) == (bytes == sealed), "only what was sealed opens")
  if let credential { holds(credential == genuine, "what was sealed is what opens") }
}

private func edited(_ edits: [UInt8]) -> [UInt8] {
  var text = sealed
  for index in stride(from: 0, to: edits.count - 1, by: 2) {
    text[Int(edits[index]) * text.count / 256] = edits[index + 1]
  }
  return text
}

private func decode(_ plaintext: [UInt8]) {
  guard let credential = try? Credential(decoding: plaintext) else { return }
  holds(1...CredentialLimits.collections ~= credential.collections.count, "how many collections")
  holds((try? credential.encoded()) == plaintext, "what is decoded encodes to the same")
}

private func spell(_ text: [UInt8]) {
  holds(Base62.decode(Base62.encode(text)) == text, "base62 and back")
  holds(Base64URL.decode(Base64URL.encode(text)) == text, "base64url and back")
  if let bytes = Base62.decode(text) {
    holds(Base62.encode(bytes) == text, "base62's one spelling")
  }
  let string = String(decoding: text, as: UTF8.self)
  if let bytes = Base64URL.decode(string) {
    holds(Base64URL.encode(bytes) == string, "base64url's one spelling")
  }
}
