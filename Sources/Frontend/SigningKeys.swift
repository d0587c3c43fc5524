// SigningKeys: the signing keys of version 4 that were used lately, so that a client's next request
// costs neither the derivation of its secret nor the steps from there to the key.
//
// Invariants: a key comes in only after a signature by it has verified, so nobody who lacks the
// secret can fill this; it goes after `Limits.signingKeySeconds`, with its credential's end or to
// make room, whichever is first.

import Crypto
import Reactor

@Loop final class SigningKeys {
  struct Name: Hashable, Sendable {
    /// Of the access key id, which is itself no thing to keep.
    let fingerprint: String
    let date, region: String
  }

  private var keys = KeptValues<Name, SecretBytes>(capacity: Limits.signingKeys)

  nonisolated init() {}

  var count: Int { keys.count }

  /// The key of `name` at `now` (Unix seconds), if it is held.
  func key(for name: Name, now: Int64) -> SecretBytes? { keys.value(for: name, now: now) }

  /// Keeps a key under which a signature has verified, at most until `end` (Unix seconds).
  func keep(_ key: SecretBytes, for name: Name, until end: Int64, now: Int64) {
    guard name.region.utf8.count <= Limits.signingKeyRegionBytes else { return }
    keys.keep(key, for: name, until: min(end, now + Limits.signingKeySeconds), now: now)
  }
}
