// The plaintext of a credential, version A. Numbers are big-endian; text is UTF-8.
//
//   flags u8 (bit 0 strict; the others are reserved and 0), issued u32, expires u32,
//   session u64, identity 16, username (u8 length), number of grants u8, grants,
//   transfer tokens
//   grant   collection 16, https host (u8 length), root folder (u16 length, 0xFFFF: none), tokens
//   tokens  number u8, each: kind in the low and coding in the high half of a u8, expires u32,
//           characters u16, bytes
//
// Kinds: 1 https, 2 transfer, 3 refresh (always after the access token that it renews).
// Codings: 0 the characters; 1 six bits a character, for tokens of the base64url alphabet, which
// makes up for writing the sealed bytes as base62.
// Decoding refuses every credential that encoding refuses.

import Crypto

private enum TokenKind: UInt8 {
  case https = 1
  case transfer = 2
  case refresh = 3
}

private enum TokenCoding: UInt8 {
  case raw = 0
  case sixBits = 1
}

private let strictFlag: UInt8 = 1
private let noRootFolder = UInt16.max

extension Credential {
  /// The plaintext; throws `tooLong` or `invalid` for what the form can't hold.
  func encoded() throws(CredentialError) -> [UInt8] {
    guard 1...CredentialLimits.collections ~= collections.count else {
      throw .tooLong(field: "collections", limit: CredentialLimits.collections)
    }
    guard Set(collections.map(\.collection)).count == collections.count else {
      throw .invalid(field: "collections")
    }
    var writer = Writer()
    writer.integer(isStrict ? strictFlag : 0)
    try writer.time(issuedAt, field: "issued")
    try writer.time(expiresAt, field: "expires")
    writer.integer(sessionID)
    writer.uuid(identity.bits)
    try writer.text(
      username, length: UInt8.self, limit: CredentialLimits.usernameBytes, field: "username")
    writer.integer(UInt8(collections.count))
    for grant in collections { try writer.grant(grant) }
    try writer.tokens(transfer, .transfer, refresh: transferRefresh)
    return writer.bytes
  }

  /// The credential of a plaintext; throws `malformed` for what `encoded` never makes.
  init(decoding bytes: [UInt8]) throws(CredentialError) {
    var reader = Reader(rest: bytes[...])
    let flags = try reader.integer(UInt8.self)
    guard flags & ~strictFlag == 0 else { throw .malformed }
    isStrict = flags & strictFlag != 0
    issuedAt = Int64(try reader.integer(UInt32.self))
    expiresAt = Int64(try reader.integer(UInt32.self))
    sessionID = try reader.integer(UInt64.self)
    identity = IdentityID(bits: try reader.uuid())
    username = try reader.text(length: UInt8.self, limit: CredentialLimits.usernameBytes)
    let count = Int(try reader.integer(UInt8.self))
    guard 1...CredentialLimits.collections ~= count else { throw .malformed }
    var grants: [CollectionGrant] = []
    for _ in 0..<count { grants.append(try reader.grant()) }
    guard count == 1 || Set(grants.map(\.collection)).count == count else { throw .malformed }
    collections = grants
    (transfer, transferRefresh) = try reader.tokens(.transfer)
    guard reader.rest.isEmpty else { throw .malformed }
  }
}

private struct Writer {
  private(set) var bytes: [UInt8] = []

  mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func time(_ seconds: Int64, field: String) throws(CredentialError) {
    guard let seconds = UInt32(exactly: seconds) else { throw .invalid(field: field) }
    integer(seconds)
  }

  mutating func uuid(_ uuid: UUIDBits) {
    integer(uuid.high)
    integer(uuid.low)
  }

  mutating func text<Length: FixedWidthInteger>(
    _ text: String, length: Length.Type, limit: Int, field: String
  ) throws(CredentialError) {
    let count = text.utf8.count
    guard count <= limit else { throw .tooLong(field: field, limit: limit) }
    integer(Length(count))
    bytes.append(contentsOf: text.utf8)
  }

  mutating func grant(_ grant: CollectionGrant) throws(CredentialError) {
    uuid(grant.collection.bits)
    guard isHost(grant.httpsHost) else {
      throw .invalid(field: "https host")
    }
    try text(
      grant.httpsHost, length: UInt8.self, limit: CredentialLimits.httpsHostBytes,
      field: "https host")
    if let folder = grant.rootFolder {
      try text(
        folder.description, length: UInt16.self, limit: CredentialLimits.rootFolderBytes,
        field: "root folder")
    } else {
      integer(noRootFolder)
    }
    try tokens(grant.https, .https, refresh: grant.httpsRefresh)
  }

  mutating func tokens(
    _ access: Token, _ kind: TokenKind, refresh: Token?
  ) throws(CredentialError) {
    integer(UInt8(refresh == nil ? 1 : 2))
    try token(access, kind)
    if let refresh { try token(refresh, .refresh) }
  }

  private mutating func token(_ token: Token, _ kind: TokenKind) throws(CredentialError) {
    let text = token.secret.value
    let count = text.utf8.count
    guard count <= CredentialLimits.tokenBytes else {
      throw .tooLong(field: "token", limit: CredentialLimits.tokenBytes)
    }
    guard isToken(text) else { throw .invalid(field: "token") }
    let packs = packs(text)
    integer(kind.rawValue | (packs ? TokenCoding.sixBits : .raw).rawValue << 4)
    try time(token.expiresAt, field: "token expiry")
    integer(UInt16(count))
    if packs {
      // Whole groups of four have no spare bits, whatever the last characters are.
      let padded = text + String(repeating: "A", count: -count & 3)
      bytes.append(contentsOf: (Base64URL.decode(padded) ?? []).prefix((count * 6 + 7) / 8))
    } else {
      bytes.append(contentsOf: text.utf8)
    }
  }
}

private struct Reader {
  var rest: ArraySlice<UInt8>

  mutating func take(_ count: Int) throws(CredentialError) -> ArraySlice<UInt8> {
    guard count <= rest.count else { throw .malformed }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(
    _ type: Value.Type
  ) throws(CredentialError) -> Value {
    var value: UInt64 = 0
    for byte in try take(Value.bitWidth / 8) { value = value << 8 | UInt64(byte) }
    return Value(truncatingIfNeeded: value)
  }

  mutating func uuid() throws(CredentialError) -> UUIDBits {
    UUIDBits(high: try integer(UInt64.self), low: try integer(UInt64.self))
  }

  mutating func text<Length: FixedWidthInteger & UnsignedInteger>(
    length: Length.Type, limit: Int
  ) throws(CredentialError) -> String {
    try text(count: Int(try integer(Length.self)), limit: limit)
  }

  mutating func text(count: Int, limit: Int) throws(CredentialError) -> String {
    guard count <= limit, let text = String(validating: try take(count), as: UTF8.self) else {
      throw .malformed
    }
    return text
  }

  mutating func grant() throws(CredentialError) -> CollectionGrant {
    let collection = CollectionID(bits: try uuid())
    let host = try text(length: UInt8.self, limit: CredentialLimits.httpsHostBytes)
    guard isHost(host) else { throw .malformed }
    let count = try integer(UInt16.self)
    var folder: RootFolder?
    if count != noRootFolder {
      let text = try text(count: Int(count), limit: CredentialLimits.rootFolderBytes)
      folder = RootFolder(text)
      guard folder?.description.utf8.elementsEqual(text.utf8) == true else { throw .malformed }
    }
    let (https, refresh) = try tokens(.https)
    return CollectionGrant(
      collection: collection, rootFolder: folder, httpsHost: host, https: https,
      httpsRefresh: refresh)
  }

  mutating func tokens(_ kind: TokenKind) throws(CredentialError) -> (Token, refresh: Token?) {
    let count = try integer(UInt8.self)
    guard 1...2 ~= count else { throw .malformed }
    let access = try token(kind)
    return (access, count == 2 ? try token(.refresh) : nil)
  }

  private mutating func token(_ kind: TokenKind) throws(CredentialError) -> Token {
    let head = try integer(UInt8.self)
    guard head & 15 == kind.rawValue, let coding = TokenCoding(rawValue: head >> 4) else {
      throw .malformed
    }
    let expiresAt = Int64(try integer(UInt32.self))
    let count = Int(try integer(UInt16.self))
    guard 1...CredentialLimits.tokenBytes ~= count else { throw .malformed }
    let value: String
    switch coding {
    case .raw:
      value = try text(count: count, limit: CredentialLimits.tokenBytes)
      guard isToken(value), !packs(value) else { throw .malformed }
    case .sixBits:
      let packed = try take((count * 6 + 7) / 8)
      let spareBits = packed.count * 8 - count * 6
      guard let last = packed.last, last & (1 << spareBits - 1) == 0 else { throw .malformed }
      let text = Base64URL.encode(packed)
      // By bytes: walking characters costs as much as the decryption.
      value = String(text[..<text.utf8.index(text.startIndex, offsetBy: count)])
    }
    return Token(secret: Secret(value), expiresAt: expiresAt)
  }
}

/// RFC 6750 section 2.1, b64token: safe in a header.
private func isToken(_ text: String) -> Bool {
  !text.isEmpty && text.utf8.allSatisfy { Base62.isDigit($0) || "-._~+/=".utf8.contains($0) }
}

/// Whether a token is written with six bits a character.
private func packs(_ token: String) -> Bool { token.utf8.allSatisfy(Base64URL.isDigit) }

private func isHost(_ text: String) -> Bool {
  !text.isEmpty && text.utf8.allSatisfy { Base62.isDigit($0) || "-.:[]".utf8.contains($0) }
}
