// Signature: verifies a signature of AWS version 4 (Authenticating Requests, Amazon S3 API
// Reference) over the bytes that were received.
//
// The path and the query are decoded once and encoded anew, nothing is normalised. Every `x-amz-*`
// header must be under the signature: an unsigned one could change what a presigned URL does.

import Crypto

/// What a signature covers of a request.
struct SignedRequest: Sendable {
  let method: String
  /// As received, percent-encoded.
  let path: String
  let query: Query
  /// All of the request's, in order, names as received.
  let headers: [(name: String, value: String)]

  /// Verifies `signature` with `secret`, at `now` (Unix seconds). Throws what the client is told:
  /// SignatureDoesNotMatch, AccessDenied for an unsigned header or a URL past its time, or
  /// RequestTimeTooSkewed.
  func verify(_ signature: SignatureV4, secret: Secret, now: Int64) throws(S3Error) {
    let unsigned = headers.map { $0.name.lowercased() }
      .filter { $0.hasPrefix("x-amz-") && !signature.signedHeaders.contains($0) }
    guard unsigned.isEmpty else {
      throw S3Error(
        .accessDenied, "There were headers present in the request which were not signed",
        details: [("HeadersNotSigned", unsigned.joined(separator: ", "))])
    }
    let text = canonicalText(signature)
    let key = signingKey(secret, signature.scope)
    let toSign =
      "\(SignatureV4.algorithm)\n\(signature.timestamp)\n\(signature.scope.text)\n"
      + Hex.encode(SHA256.hash(text.utf8))
    guard
      constantTimeEqual(HMACSHA256.authenticate(toSign.utf8, key: key), signature.signature)
    else { throw S3Error(.signatureDoesNotMatch) }
    // After the signature, so that the time is the signer's.
    if let expires = signature.expires {
      guard now < signature.time + expires else {
        throw S3Error(.accessDenied, "Request has expired: this link's time is over.")
      }
      guard signature.time - Limits.clockSkewSeconds <= now else {
        throw S3Error(.accessDenied, "Request is not valid yet: check the signer's clock.")
      }
    } else if abs(now - signature.time) > Limits.clockSkewSeconds {
      throw S3Error(.requestTimeTooSkewed)
    }
  }

  /// The canonical request.
  func canonicalText(_ signature: SignatureV4) -> String {
    let uri = PercentEncoding.encode(
      PercentEncoding.decode(path.utf8) ?? Array(path.utf8), keepingSlash: true)
    let parameters = query.parameters.filter { $0.name != "X-Amz-Signature" }
      .map {
        (PercentEncoding.encode($0.name.utf8), PercentEncoding.encode($0.value.utf8))
      }
      .sorted { $0 < $1 }
      .map { "\($0.0)=\($0.1)" }
    var text = "\(method)\n\(uri)\n\(parameters.joined(separator: "&"))\n"
    for name in signature.signedHeaders { text += "\(name):\(canonicalValue(of: name))\n" }
    text += "\n\(signature.signedHeaders.joined(separator: ";"))\n\(payloadHash(signature))"
    return text
  }

  /// The word for the body: what the client says it is, and is held to where bodies are read.
  private func payloadHash(_ signature: SignatureV4) -> String {
    if let header = headers.first(where: { $0.name.lowercased() == "x-amz-content-sha256" }) {
      return header.value
    }
    if signature.expires != nil { return query["X-Amz-Content-Sha256"] ?? "UNSIGNED-PAYLOAD" }
    return Self.emptyHash
  }

  /// All values of a header, trimmed, spaces collapsed, joined by commas.
  private func canonicalValue(of name: String) -> String {
    headers.filter { $0.name.lowercased() == name }
      .map { $0.value.split(separator: " ").joined(separator: " ") }
      .joined(separator: ",")
  }

  private func signingKey(_ secret: Secret, _ scope: SignatureV4.Scope) -> [UInt8] {
    let date = HMACSHA256.authenticate(scope.date.utf8, key: "AWS4\(secret.value)".utf8)
    let region = HMACSHA256.authenticate(scope.region.utf8, key: date)
    let service = HMACSHA256.authenticate("s3".utf8, key: region)
    return HMACSHA256.authenticate("aws4_request".utf8, key: service)
  }

  private static let emptyHash = Hex.encode(SHA256.hash([]))
}
