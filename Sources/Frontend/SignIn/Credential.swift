// What a sealed access key id says: who signed in, to which collections, with which tokens, and
// from when until when. The frontend keeps none of it anywhere else.

/// An authenticated sign-in. All times are Unix seconds.
struct Credential: Equatable, Sendable {
  /// Whether every request must be signed with the issued secret, whatever the server's policy.
  var isStrict: Bool
  var issuedAt: Int64
  /// The earliest end of its tokens, or sooner.
  var expiresAt: Int64
  /// Random; links credentials that renew one another.
  var sessionID: UInt64
  var identity: IdentityID
  var username: String
  /// At least one; no collection twice.
  var collections: [CollectionGrant]
  /// For the Transfer API alone.
  var transfer: Token
  var transferRefresh: Token?

  /// Whether the credential has ended at `now`; its last second is the one before `expiresAt`.
  func isExpired(at now: Int64) -> Bool { now >= expiresAt }

  /// The grant for `collection`, if the credential opens it.
  func grant(for collection: CollectionID) -> CollectionGrant? {
    collections.first { $0.collection == collection }
  }
}

/// One collection that a credential opens.
struct CollectionGrant: Equatable, Sendable {
  var collection: CollectionID
  /// The folder that the bucket shows, or nil for all of the collection.
  var rootFolder: RootFolder?
  /// Host of the collection's HTTPS server, with `:port` unless it is 443.
  var httpsHost: String
  /// For that host alone.
  var https: Token
  var httpsRefresh: Token?
}

/// A token of Globus Auth and when it ends. A refresh token's end is 0: Globus names none.
struct Token: Equatable, Sendable {
  var secret: Secret
  var expiresAt: Int64
}

/// Why a text is no credential, or a credential can't become a text.
///
/// Clients learn only that the access key id is not valid; the audit has the case.
enum CredentialError: Error, Equatable {
  /// Not our prefix, alphabet or form, or too long.
  case malformed
  /// Ours, but characters are missing or changed, as by an incomplete paste.
  case truncated
  /// Sealed with a key that this server does not have, or no longer accepts.
  case unknownKey
  /// Not sealed by the key that it names, or for another service.
  case forged
  /// A field exceeds its limit in bytes (or number); found when sealing.
  case tooLong(field: String, limit: Int)
  /// A field can't be sealed as it is.
  case invalid(field: String)
  /// libcrypto failed, as when memory ends.
  case cryptography
}
