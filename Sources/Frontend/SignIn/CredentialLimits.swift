/// Every limit of the sealed credential and of the key file. Sizes in bytes of UTF-8.
enum CredentialLimits {
  /// An access key id: with it a request line or header stays below the 8 KiB of common proxies.
  static let accessKeyIDBytes = 4096
  static let usernameBytes = 128
  /// A host name (RFC 1035: 253) cannot come near it, even with a port.
  static let httpsHostBytes = 255
  static let rootFolderBytes = 1024
  static let tokenBytes = 2048
  static let collections = 64
  /// A cookie's content before sealing; browsers hold 4,096 bytes of cookie.
  static let cookieBytes = 2048
  static let cookieTextBytes = 4096
  /// How long a sign-in may take, in seconds.
  static let cookieSeconds: Int64 = 600
  static let keyFileBytes = 64 << 10
}
