// Authenticator: from a signed request to the credential that it names.
//
// Invariant: a presigned URL, a strict credential and everything under `--signatures verify` has a
// verified signature before the credential is used. The secret is derived, nothing is looked up.

import Audit

struct Authenticator: Sendable {
  let sealer: CredentialSealer
  let policy: SignaturePolicy

  /// What is known of who asks, also when the request is refused.
  struct Result: Sendable {
    var auth: Authentication
    var result: AuthenticationResult
    var fingerprint: String?
    var credential: Credential?
    /// Why the request is refused; nil: it is not.
    var error: S3Error?
  }

  /// `now` are Unix seconds; `signInURL` goes into the messages.
  func authenticate(_ request: SignedRequest, now: Int64, signInURL: String) -> Result {
    let authorization: Authorization
    do throws(S3Error) {
      authorization = try Authorization(headers: request.headers, query: request.query)
    } catch {
      let isHeader = request.headers.contains { $0.name.lowercased() == "authorization" }
      return Result(auth: isHeader ? .header : .presigned, result: .malformed, error: error)
    }
    let accessKeyID: String
    let isPresigned: Bool
    switch authorization {
    case .anonymous:
      return Result(
        auth: .anonymous, result: .none,
        error: S3Error(
          .accessDenied, "The request is not signed. Get a credential at \(signInURL)"))
    case .version4(let signature):
      (accessKeyID, isPresigned) = (signature.accessKeyID, signature.expires != nil)
    case .version2(let signature):
      (accessKeyID, isPresigned) = (signature.accessKeyID, signature.expires != nil)
    }
    var result = Result(auth: isPresigned ? .presigned : .header, result: .malformed)
    do throws(CredentialError) {
      let credential = try sealer.open(accessKeyID)
      let secret = try sealer.secretAccessKey(for: accessKeyID)
      result.credential = credential
      result.fingerprint = CredentialSealer.fingerprint(of: accessKeyID)
      verify(authorization, of: request, secret: secret, now: now, &result)
      let mustVerify = isPresigned || policy == .verify || credential.isStrict
      if !mustVerify, result.error != nil {
        result.result = .unverified
        result.error = nil
      }
      if result.error == nil, credential.isExpired(at: now) {
        result.result = .expired
        result.error = .expired(signInURL: signInURL)
      }
    } catch .cryptography {
      result.error = S3Error(.internalError, cause: "libcrypto failed")
    } catch {
      result.error = S3Error(
        .invalidAccessKeyId,
        "This access key id was not issued here, or is incomplete. Get a new one at \(signInURL)")
    }
    return result
  }

  /// Sets what became of the signature, and the error that holds where it counts.
  private func verify(
    _ authorization: Authorization, of request: SignedRequest, secret: Secret, now: Int64,
    _ result: inout Result
  ) {
    do throws(SignatureFailure) {
      switch authorization {
      case .version4(let signature): try request.verify(signature, secret: secret, now: now)
      case .version2(let signature): try request.verify(signature, secret: secret, now: now)
      case .anonymous: throw .mismatch
      }
      result.result = .verified
    } catch {
      result.error = S3Error(error)
      switch error {
      case .mismatch, .unsignedHeaders: result.result = .badSignature
      case .past, .early, .skewed: result.result = .expired
      }
    }
  }
}
