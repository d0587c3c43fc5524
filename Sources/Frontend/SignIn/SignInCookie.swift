// SignInCookie: the cookies that hold flows. Each flow has a cookie of its own name, so that two
// tabs don't disturb one another. Over https the name's prefix makes browsers refuse one that was
// set by another host or without TLS (RFC 6265bis section 4.1.3).
//
// SameSite is Lax, not Strict: the callback is a navigation that begins at another site.

import Crypto

struct SignInCookie: Sendable {
  private let keyring: Keyring
  private let isSecure: Bool

  init(keyring: Keyring, isSecure: Bool) {
    self.keyring = keyring
    self.isSecure = isSecure
  }

  /// The name of the cookie for `state`: its first six characters tell flows apart.
  func name(for state: String) -> String { prefix + state.prefix(6) }

  private var prefix: String { isSecure ? "__Host-gs3-" : "gs3-" }

  /// The Set-Cookie value that gives `flow` to the browser. Throws when it does not fit.
  func set(_ flow: SignInFlow, now: Int64) throws(CryptoError) -> String {
    let name = name(for: flow.state)
    let sealed = try keyring.sealCookie(flow.encoded(), context: name, now: now)
    guard name.utf8.count + sealed.utf8.count < CredentialLimits.cookieTextBytes else {
      throw .wrongLength("cookie")
    }
    return "\(name)=\(sealed); Max-Age=\(CredentialLimits.cookieSeconds)\(attributes)"
  }

  /// The Set-Cookie value that takes the cookie of that name away.
  func clear(_ name: String) -> String { "\(name)=; Max-Age=0\(attributes)" }

  private var attributes: String {
    "; Path=/; HttpOnly; SameSite=Lax" + (isSecure ? "; Secure" : "")
  }

  /// The flow of `state` among the request's Cookie headers; nil when this browser did not begin
  /// it, or began it too long ago.
  func flow(for state: String, in headers: [String], now: Int64) -> SignInFlow? {
    let name = name(for: state)
    for (candidate, value) in cookies(headers) where candidate == name {
      if let bytes = keyring.openCookie(value, context: name, now: now),
        let flow = SignInFlow(decoding: bytes),
        constantTimeEqual(flow.state.utf8, state.utf8)
      {
        return flow
      }
    }
    return nil
  }

  /// Names of flows' cookies that must go so that one more stays within the limit. Browsers send
  /// the oldest first (RFC 6265 section 5.4).
  func surplus(in headers: [String]) -> [String] {
    let names = cookies(headers).map(\.name).filter { $0.hasPrefix(prefix) && isOurs($0) }
    return Array(names.prefix(max(0, names.count + 1 - GlobusLimits.flowsPerBrowser)))
  }

  /// Only a name that we could have made is ever sent back.
  private func isOurs(_ name: String) -> Bool {
    let rest = name.dropFirst(prefix.count)
    return rest.utf8.count == 6 && rest.utf8.allSatisfy(Base64URL.isDigit)
  }

  private func cookies(_ headers: [String]) -> [(name: String, value: String)] {
    var room = GlobusLimits.cookieHeaderBytes
    var cookies: [(name: String, value: String)] = []
    for header in headers {
      let text = header.utf8.prefix(room)
      room -= text.count
      for pair in text.split(separator: UInt8(ascii: ";")) {
        let pair = pair.drop { $0 == UInt8(ascii: " ") }
        guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else { continue }
        cookies.append(
          (
            String(decoding: pair[..<equals], as: UTF8.self),
            String(decoding: pair[pair.index(after: equals)...], as: UTF8.self)
          ))
      }
    }
    return cookies
  }
}
