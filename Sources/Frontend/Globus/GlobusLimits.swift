/// Every limit of the Globus clients and of the sign-in.
enum GlobusLimits {
  /// A document of Auth or Transfer; the largest asked for is a collection's, of a few KiB.
  static let documentBytes = 256 << 10
  /// A folder's listing: the most that Transfer gives, at some 300 bytes an entry.
  static let listingEntries = 100_000
  static let listingBytes = 64 << 20
  /// How long Transfer may take to list a folder.
  static let listingMilliseconds: UInt32 = 120_000
  /// Folders whose entries are remembered, and up to how many entries each.
  static let listings = 64
  static let rememberedEntries = 5_000
  /// What is read of a collection's error body; the known ones are shorter than 1 KiB.
  static let faultBytes = 16 << 10
  /// What is read and dropped before the bytes asked for, when a server answers a range with the whole.
  static let skippedBytes: UInt64 = 64 << 20
  /// Times that a call to a collection's server, or to Transfer, is made again. Before the first of
  /// them the pause is at most so long, before the second twice that, and so on.
  static let readRetries = 3
  static let transferRetries = 2
  static let retryMilliseconds: UInt64 = 200
  /// How long finding and connecting to Transfer or a collection's server may take, all addresses
  /// of the name included: a name that does not resolve is a 503 within five seconds.
  static let connectMilliseconds: UInt32 = 4_500
  /// Calls in a row that could not reach a collection's server, after which it is left alone; for
  /// how long until the next try; and how many servers are so remembered.
  static let breakerFailures = 5
  static let breakerMicroseconds: UInt64 = 1_000_000
  static let breakerHosts = 1024
  /// How long a collection's server may take to begin its answer, its queue here included.
  static let firstByteMilliseconds: UInt32 = 60_000
  /// Seconds of a Retry-After that are waited for; longer ones the client is told.
  static let awaitedSeconds = 2
  /// A host name (RFC 1035 section 2.3.4).
  static let hostBytes = 253
  /// Seconds of a Retry-After that are believed.
  static let retryAfterSeconds = 3600
  /// Seconds that a token may be said to live; Globus says 172,800.
  static let tokenSeconds = 1...31_536_000
  /// Seconds before its end in which the service's own token is not used any more.
  static let renewalSeconds: Int64 = 60
  /// Tokens in one answer of Auth: Auth's own, Transfer's and one per collection.
  static let tokensPerAnswer = 2 + CredentialLimits.collections
  /// Requests under way at once; others wait in order. A slow client holds a data transfer, and with
  /// it two descriptors: how many of a host's wait for their heads is bounded apart.
  static let authCalls: UInt32 = 16
  static let transferCalls: UInt32 = 64
  static let dataTransfers: UInt32 = 4096
  /// Paths whose status is remembered, and for how long.
  static let statEntries = 8192
  static let statMicroseconds: UInt64 = 5_000_000
  /// What an error of Globus, or the link of a sign-in, may ask for: values of one parameter, bytes
  /// of them with their commas, and bytes of the text for people. All of it, with a root folder of
  /// the longest, fits the flow's cookie.
  static let requirementValues = 6
  static let requirementBytes = 256
  static let requirementMessageBytes = 128
  /// Of one scope: Transfer's with the consents of two collections.
  static let requiredScopeBytes = 256
  /// Without an answer from Auth for so long it is asked whether it is there; how long that may take.
  static let authProbeMilliseconds: UInt64 = 20_000
  static let authProbeTimeoutMilliseconds: UInt32 = 15_000
  /// Without an answer from Auth for so long the service is not ready.
  static let authPatienceMilliseconds: UInt64 = 60_000
  /// Sign-ins that one browser may have open.
  static let flowsPerBrowser = 5
  /// What Auth may send back as `code`, `state` and the like.
  static let callbackParameterBytes = 2048
  /// Of a Cookie header; what is beyond is not looked at. Room for every flow at its longest.
  static let cookieHeaderBytes = 24 << 10
  /// Of an Accept header; what is beyond is not looked at.
  static let acceptHeaderBytes = 4096
  /// Of a collection's name, for the page.
  static let displayNameBytes = 80
}
