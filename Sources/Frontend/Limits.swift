// Limits: every bound that the gateway and the S3 actions keep, in one place. Those of the sealed
// credential stand in `CredentialLimits`, of Globus and sign-in in `GlobusLimits`.

enum Limits {
  /// Bytes of a decoded key, as in S3.
  static let keyBytes = 1_024
  /// Keys and common prefixes in one page of a listing, as in S3.
  static let listedKeys = 1_000
  /// Levels of folders looked into for what follows a key that a listing begins with.
  static let listedLevels = 16
  /// Bytes of a body that are read of a request that has no use for one.
  static let unusedBodyBytes = 64 * 1024
  /// Parameters in a query; a request line holds thousands, no client sends thirty.
  static let queryParameters = 64
  /// Entity tags looked at in an If-Match or If-None-Match.
  static let entityTags = 64
  /// Headers that a signature may cover; the HTTP parser allows no more of them.
  static let signedHeaders = 100
  /// Bytes of an `Authorization` header: the longest access key id and a generous rest.
  static let authorizationBytes = 12_288
  /// Seconds by which a client's clock may differ, as in S3.
  static let clockSkewSeconds: Int64 = 900
  /// Seconds for which a presigned URL may be valid, as in S3: a week.
  static let presignedSeconds: Int64 = 604_800
  /// Unsealed credentials kept in memory, and for how many seconds each: as long as a status.
  static let openedCredentials = 256
  static let openedCredentialSeconds: Int64 = 5
  /// Signing keys kept in memory, for how many seconds each, and the longest region's bytes.
  static let signingKeys = 256
  static let signingKeySeconds: Int64 = 900
  static let signingKeyRegionBytes = 64
  /// Requests served at once, and of one credential; of a credential as many more wait so long.
  static let requestsInFlight: UInt32 = 4096
  static let requestsPerCredential: UInt32 = 256
  static let waitingPerCredential = 256
  static let admissionMilliseconds: UInt64 = 10_000
  /// Credentials whose requests are counted; more only while each of them has one in flight.
  static let admissionLines = 4096
  /// Seconds that a client is asked to wait when nobody upstream said how many.
  static let retryAfterSeconds = 5
  /// The longest wait in seconds that is passed on from upstream.
  static let longestRetryAfterSeconds = 3_600
  /// Times that a broken transfer is gone on with, and the longest pause before each.
  static let resumes = 3
  static let resumeMilliseconds: UInt64 = 300
  /// One line of the log in so many about connections without a usable PROXY header: a minute.
  static let refusedConnectionsLogMicroseconds: UInt64 = 60_000_000
  /// Hops looked at in X-Forwarded-For.
  static let forwardedHops = 32
}
