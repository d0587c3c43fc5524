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
  /// The bucket, when the host name and not the path names it.
  var virtualBucket: String?

  /// Verifies `signature` with `secret`, at `now` (Unix seconds).
  func verify(
    _ signature: SignatureV4, secret: Secret, now: Int64
  ) throws(SignatureFailure) {
    let unsigned = headers.map { $0.name.lowercased() }
      .filter { $0.hasPrefix("x-amz-") && !signature.signedHeaders.contains($0) }
    guard unsigned.isEmpty else { throw .unsignedHeaders(unsigned) }
    let text = canonicalText(signature)
    let key = signingKey(secret, signature.scope)
    let toSign =
      "\(SignatureV4.algorithm)\n\(signature.timestamp)\n\(signature.scope.text)\n"
      + Hex.encode(SHA256.hash(text.utf8))
    guard
      constantTimeEqual(HMACSHA256.authenticate(toSign.utf8, key: key), signature.signature)
    else { throw .mismatch }
    // After the signature, so that the time is the signer's.
    if let expires = signature.expires {
      guard now < signature.time + expires else { throw .past }
      guard signature.time - Limits.clockSkewSeconds <= now else { throw .early }
    } else if abs(now - signature.time) > Limits.clockSkewSeconds {
      throw .skewed
    }
  }

  /// The canonical request.
  func canonicalText(_ signature: SignatureV4) -> String {
    let decoded = PercentEncoding.decode(path.utf8).map { String(decoding: $0, as: UTF8.self) }
    let uri = PercentEncoding.path(decoded ?? path)
    let parameters = query.parameters.filter { $0.name != "X-Amz-Signature" }
      .map {
        (PercentEncoding.component($0.name), PercentEncoding.component($0.value))
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

/// Why a signature does not count.
enum SignatureFailure: Error, Sendable, Equatable {
  case mismatch
  case unsignedHeaders([String])
  /// A presigned URL whose time is over, or has not come.
  case past, early
  /// A request whose time is too far from the server's.
  case skewed
}

extension S3Error {
  init(_ failure: SignatureFailure) {
    switch failure {
    case .mismatch: self.init(.signatureDoesNotMatch)
    case .unsignedHeaders(let names):
      self.init(
        .accessDenied, "There were headers present in the request which were not signed",
        details: [("HeadersNotSigned", names.joined(separator: ", "))])
    case .past: self.init(.accessDenied, "Request has expired: ask for a new link.")
    case .early:
      self.init(.accessDenied, "Request is not valid yet: the signer's clock may be wrong.")
    case .skewed: self.init(.requestTimeTooSkewed)
    }
  }
}
