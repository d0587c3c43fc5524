// SigningKeys: the signing keys of version 4 that were used lately, so that a client's next request
// costs neither the derivation of its secret nor the steps from there to the key.
//
// Invariants: a key comes in only after a signature by it has verified, so nobody who lacks the
// secret can fill this; it goes after `Limits.signingKeySeconds`, with its credential's end or to
// make room, whichever is first. What has ended is overwritten when the next request looks.

import Crypto
import Reactor

@Loop final class SigningKeys {
  struct Name: Hashable, Sendable {
    /// Of the access key id, which is itself no thing to keep.
    let fingerprint: String
    let date, region: String
  }

  private struct Entry {
    let key: SecretBytes
    let ends: Int64
  }

  private var entries: [Name: Entry] = [:]
  /// From the oldest to the newest.
  private var order: [Name] = []
  private var nextEnd = Int64.max

  nonisolated init() {}

  var count: Int { entries.count }

  /// The key of `name` at `now` (Unix seconds), if it is held.
  func key(for name: Name, now: Int64) -> SecretBytes? {
    if now >= nextEnd { removeEnded(now) }
    return entries[name]?.key
  }

  /// Keeps a key under which a signature has verified, at most until `end` (Unix seconds).
  func keep(_ key: SecretBytes, for name: Name, until end: Int64, now: Int64) {
    guard name.region.utf8.count <= Limits.signingKeyRegionBytes, entries[name] == nil else {
      return
    }
    let ends = min(end, now + Limits.signingKeySeconds)
    guard ends > now else { return }
    if order.count == Limits.signingKeys { entries[order.removeFirst()] = nil }
    order.append(name)
    entries[name] = Entry(key: key, ends: ends)
    nextEnd = min(nextEnd, ends)
  }

  private func removeEnded(_ now: Int64) {
    entries = entries.filter { now < $0.value.ends }
    order.removeAll { entries[$0] == nil }
    nextEnd = entries.values.map(\.ends).min() ?? .max
  }
}
