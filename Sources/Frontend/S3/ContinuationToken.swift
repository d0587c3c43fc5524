// ContinuationToken: the last key of a page, so that any instance with the same keyring goes on.
//
// A token is a key with a MAC: it can't be made up, which keeps clients from building on its form.

import Crypto

struct ContinuationToken: Sendable {
  private let keys: [SecretBytes]

  /// The first key makes tokens, all of them open.
  init(keys: [SecretBytes]) { self.keys = keys }

  func seal(_ last: String) -> String {
    Base64URL.encode(mac(last, keys[0]) + Array(last.utf8))
  }

  /// Nil when the token was not made with one of the keys.
  func open(_ token: String) -> String? {
    guard let bytes = Base64URL.decode(token), bytes.count >= Self.macBytes,
      let last = String(validating: bytes.dropFirst(Self.macBytes), as: UTF8.self)
    else { return nil }
    let given = Array(bytes.prefix(Self.macBytes))
    return keys.contains { constantTimeEqual(mac(last, $0), given) } ? last : nil
  }

  private static let macBytes = 16

  private func mac(_ last: String, _ key: SecretBytes) -> [UInt8] {
    key.withUnsafeBytes {
      Array(HMACSHA256.authenticate(Array(last.utf8), key: $0).prefix(Self.macBytes))
    }
  }
}

extension ContinuationToken {
  /// Tokens of every instance that shares the keyring.
  init(_ keyring: Keyring) {
    let others = keyring.keys.filter { $0.state == .accept }
    self.init(keys: ([keyring.primary] + others).map { $0.subkey(.listToken) })
  }
}
