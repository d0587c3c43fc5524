// OpenedCredentials: unseals access key ids, and remembers for some seconds what it unsealed, so that
// a client's requests in quick succession unseal their credential once.
//
// Invariants: an access key id is remembered by its digest only; what it holds (tokens) goes within
// `Limits.openedCredentialSeconds` of being unsealed, asked for again or not; nothing forged or
// malformed is remembered.

import Crypto
import Reactor

/// A credential that was unsealed, with what was derived from it since.
@Loop final class OpenedCredential {
  nonisolated let credential: Credential
  nonisolated let fingerprint: String
  /// Who signed in, as text.
  nonisolated let identityID: String
  /// The signing key that was used last, proved or not.
  fileprivate var lastKey: SigningKey?
  private var buckets: [CollectionID: OpenedBucket] = [:]

  nonisolated init(_ credential: Credential, fingerprint: String) {
    self.credential = credential
    self.fingerprint = fingerprint
    identityID = credential.identity.description
  }

  /// The bucket of a collection, if the credential opens it; made by `collections` when it is first
  /// asked for.
  func bucket(_ id: CollectionID, in collections: any CollectionOpening) -> OpenedBucket? {
    if let bucket = buckets[id] { return bucket }
    guard let grant = credential.grant(for: id) else { return nil }
    let bucket = OpenedBucket(
      name: id.description, root: grant.rootFolder?.description ?? "",
      collection: collections.open(id, credential: credential, fingerprint: fingerprint))
    buckets[id] = bucket
    return bucket
  }
}

/// A collection as a credential opens it.
@Loop final class OpenedBucket {
  /// The collection's UUID in lower case.
  let name: String
  /// The folder that the bucket shows, absolute; "": all of the collection.
  let root: String
  let collection: any Collection

  fileprivate init(name: String, root: String, collection: any Collection) {
    self.name = name
    self.root = root
    self.collection = collection
  }
}

/// A signing key, ready to be used.
@Loop final class SigningKey {
  fileprivate let name: SigningKeys.Name
  fileprivate let secret: SecretBytes
  fileprivate var isKept = false
  let keyed: KeyedHMACSHA256

  fileprivate init(_ name: SigningKeys.Name, _ secret: SecretBytes) {
    self.name = name
    self.secret = secret
    keyed = KeyedHMACSHA256(secret)
  }
}

@Loop final class OpenedCredentials {
  private let sealer: CredentialSealer
  /// For one message after another.
  var hasher = SHA256()
  private var opened = KeptValues<SHA256Digest, OpenedCredential>(
    capacity: Limits.openedCredentials)
  private var isSweeping = false
  /// What outlives a credential's few seconds here: keys that have proved good.
  nonisolated let signingKeys = SigningKeys()

  nonisolated init(_ sealer: CredentialSealer) { self.sealer = sealer }

  var count: Int { opened.count }

  /// The credential sealed in `accessKeyID`, expired or not.
  func open(_ accessKeyID: String) throws(CredentialError) -> OpenedCredential {
    let digest = accessKeyID.utf8.span.withUnsafeBytes { hasher.digest(of: $0) }
    let now = Self.now
    if let known = opened.value(for: digest, now: now) { return known }
    let credential = OpenedCredential(
      try sealer.open(accessKeyID), fingerprint: CredentialSealer.fingerprint(of: accessKeyID))
    opened.keep(credential, for: digest, until: now + Limits.openedCredentialSeconds, now: now)
    sweepLater()
    return credential
  }

  /// The key that signs within `scope` for the credential; `now` are Unix seconds.
  func key(
    of accessKeyID: String, _ opened: OpenedCredential, in scope: SignatureV4.Scope, now: Int64
  ) throws(CredentialError) -> SigningKey {
    if let last = opened.lastKey, last.name.date == scope.date, last.name.region == scope.region {
      return last
    }
    let name = SigningKeys.Name(
      fingerprint: opened.fingerprint, date: scope.date, region: scope.region)
    var secret = signingKeys.key(for: name, now: now)
    if secret == nil { secret = scope.signingKey(try sealer.secretAccessKey(for: accessKeyID)) }
    let key = SigningKey(name, secret!)
    opened.lastKey = key
    return key
  }

  /// A signature under the key has verified: it may be kept for longer.
  func keep(_ key: SigningKey, of opened: OpenedCredential, now: Int64) {
    guard !key.isKept else { return }
    key.isKept = true
    signingKeys.keep(key.secret, for: key.name, until: opened.credential.expiresAt, now: now)
  }

  /// Seconds of a clock that nobody sets.
  private static var now: Int64 { Int64(Loop.clockMicroseconds / 1_000_000) }

  /// Milliseconds until the next of them ends; nil: there is none.
  private var pause: UInt64? {
    guard opened.count > 0 else { return nil }
    let now = Int64(Loop.clockMicroseconds / 1_000)
    return UInt64(max(opened.nextEnd * 1_000 - now, 1))
  }

  /// Lets go of what has ended, also when no request comes any more.
  private func sweepLater() {
    guard !isSweeping else { return }
    isSweeping = true
    Loop.start { [weak self] in
      // Not held while it sleeps: whoever replaces this lets go of it, its credentials and clients.
      while let pause = self?.pause, await Loop.sleep(milliseconds: pause) {
        self?.opened.removeEnded(Self.now)
      }
      self?.isSweeping = false
    }
  }
}
