/// Why an operation of this module was refused.
///
/// Carries no key, plaintext or token, so it may be logged.
public enum CryptoError: Error, Equatable, Sendable {
  /// The tag or signature does not belong to this key, nonce, additional data and text.
  case authenticationFailed
  /// An input is shorter or longer than the algorithm or `Limits` allows; names the input.
  case wrongLength(String)
  /// A name or address cannot stand in a certificate; names the input.
  case invalidName(String)
  /// libcrypto refused; the name of its function, never its arguments.
  case library(String)
}
