// Authenticator: from a signed request to the credential that it names.
//
// Invariant: a presigned URL, a strict credential and everything under `--signatures verify` has a
// verified signature before the credential is used. The secret is derived, nothing is looked up.

import Audit
import Crypto
import Reactor

struct Authenticator: Sendable {
  let sealer: CredentialSealer
  let policy: SignaturePolicy
  let opened: OpenedCredentials

  init(sealer: CredentialSealer, policy: SignaturePolicy) {
    self.sealer = sealer
    self.policy = policy
    opened = OpenedCredentials(sealer)
  }

  /// What is known of who asks, also when the request is refused.
  @Loop final class Result {
    let auth: Authentication
    fileprivate(set) var result: AuthenticationResult
    fileprivate(set) var signer: OpenedCredential?
    /// Why the request is refused; nil: it is not.
    fileprivate(set) var error: S3Error?

    fileprivate init(auth: Authentication, result: AuthenticationResult, error: S3Error? = nil) {
      self.auth = auth
      self.result = result
      self.error = error
    }
  }

  /// `now` are Unix seconds; `signInURL` goes into the messages.
  @Loop func authenticate(
    _ request: SignedRequest, now: Int64, signInURL: @autoclosure () -> String
  ) -> Result {
    let authorization: Authorization
    do throws(S3Error) {
      authorization = try Authorization(headers: request.headers, query: request.query)
    } catch {
      let isHeader = request.headers["authorization"] != nil
      return Result(auth: isHeader ? .header : .presigned, result: .malformed, error: error)
    }
    let accessKeyID: String
    let isPresigned: Bool
    switch authorization {
    case .anonymous:
      return Result(
        auth: .anonymous, result: .none,
        error: S3Error(
          .accessDenied, "The request is not signed. Get a credential at \(signInURL())"))
    case .version4(let signature):
      (accessKeyID, isPresigned) = (signature.accessKeyID, signature.expires != nil)
    case .version2(let signature):
      (accessKeyID, isPresigned) = (signature.accessKeyID, signature.expires != nil)
    }
    let result = Result(auth: isPresigned ? .presigned : .header, result: .malformed)
    do throws(CredentialError) {
      let signer = try opened.open(accessKeyID)
      result.signer = signer
      let failure = try verify(authorization, of: request, by: signer, now: now)
      result.result = failure.map(Self.result) ?? .verified
      result.error = failure.map { S3Error($0) }
      let mustVerify = isPresigned || policy == .verify || signer.credential.isStrict
      if !mustVerify, result.error != nil {
        result.result = .unverified
        result.error = nil
      }
      if result.error == nil, signer.credential.isExpired(at: now) {
        result.result = .expired
        result.error = .expired(signInURL: signInURL())
      }
    } catch .cryptography {
      result.error = S3Error(.internalError, cause: "libcrypto failed")
    } catch {
      result.error = S3Error(
        .invalidAccessKeyId,
        "This access key id was not issued here, or is incomplete. Get a new one at \(signInURL())")
    }
    return result
  }

  /// Why the signature does not count; nil: it does.
  @Loop private func verify(
    _ authorization: Authorization, of request: SignedRequest, by signer: OpenedCredential,
    now: Int64
  ) throws(CredentialError) -> SignatureFailure? {
    switch authorization {
    case .anonymous: return .mismatch
    case .version2(let signature):
      let secret = try sealer.secretAccessKey(for: signature.accessKeyID)
      do throws(SignatureFailure) {
        try request.verify(signature, secret: secret, now: now)
      } catch {
        return error
      }
    case .version4(let signature):
      let key = try opened.key(of: signature.accessKeyID, signer, in: signature.scope, now: now)
      do throws(SignatureFailure) {
        try request.verify(signature, key: key.keyed, hasher: &opened.hasher, now: now)
      } catch {
        return error
      }
      opened.keep(key, of: signer, now: now)
    }
    return nil
  }

  private static func result(_ failure: SignatureFailure) -> AuthenticationResult {
    switch failure {
    case .mismatch, .unsignedHeaders, .unsignedParameters: .badSignature
    case .past, .early, .skewed: .expired
    case .tooLong, .noDate: .malformed
    }
  }
}
