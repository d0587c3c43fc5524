// UserInfo: Auth's answer to who somebody is (OpenID Connect Core section 5.3).

import FoundationEssentials

/// An access token for Auth's own userinfo.
struct IdentityToken: Sendable {
  let secret: Secret
}

/// Who signed in.
struct UserInfo: Equatable, Sendable {
  var identity: IdentityID
  var username: String
}

extension UserInfo {
  private struct Claims: Decodable {
    let sub: String
    let username: String?

    enum CodingKeys: String, CodingKey {
      case sub
      case username = "preferred_username"
    }
  }

  /// Reads the userinfo document. A username too long for the credential is cut.
  init(_ body: [UInt8]) throws(AuthError) {
    guard let claims = try? JSONDecoder().decode(Claims.self, from: Data(body)),
      let identity = IdentityID(claims.sub)
    else { throw .unavailable("Auth's userinfo is not what it is documented to be") }
    self.identity = identity
    username = plainText(
      claims.username ?? claims.sub, bytes: CredentialLimits.usernameBytes)
  }
}

/// `text` without control characters, cut after a whole character to at most `bytes` of UTF-8.
func plainText(_ text: String, bytes limit: Int) -> String {
  var plain = ""
  var count = 0
  for scalar in text.unicodeScalars where scalar.properties.generalCategory != .control {
    count += UTF8.width(scalar)
    if count > limit { break }
    plain.unicodeScalars.append(scalar)
  }
  return plain
}
