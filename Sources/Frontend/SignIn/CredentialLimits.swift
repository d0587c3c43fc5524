/// Every limit of the sealed credential and of the key file. Sizes in bytes of UTF-8.
enum CredentialLimits {
  /// An access key id: with it a request line or header stays below the 8 KiB of common proxies.
  static let accessKeyIDBytes = 4096
  static let usernameBytes = 128
  /// A host name (RFC 1035: 253) cannot come near it, even with a port.
  static let httpsHostBytes = 255
  static let rootFolderBytes = 1024
  static let tokenBytes = 2048
  /// Collections of one sign-in and its credential: their scopes must fit the URL of Globus's
  /// consent page (8 KiB with common servers), their names a cookie, their tokens the access key id.
  static let collections = 10
  /// A cookie's content before sealing: with it name, text and attributes stay within the 4,096
  /// bytes that browsers hold (RFC 6265 section 6.1).
  static let cookieBytes = 2944
  static let cookieTextBytes = 4096
  /// How long a sign-in may take, in seconds.
  static let cookieSeconds: Int64 = 600
  static let keyFileBytes = 64 << 10
}
