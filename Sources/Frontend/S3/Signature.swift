// Signature: verifies a signature of AWS version 4 (Authenticating Requests, Amazon S3 API
// Reference) over the bytes that were received.
//
// The path and the query are decoded once and encoded anew, nothing is normalised. Every `x-amz-*`
// header must be under the signature: an unsigned one could change what a presigned URL does.

import Crypto
import struct Reactor.RequestHeaders

/// What a signature covers of a request.
struct SignedRequest: Sendable {
  let method: String
  /// As received, percent-encoded.
  let path: String
  let query: Query
  let headers: RequestHeaders
  /// The bucket, when the host name and not the path names it.
  var virtualBucket: String?

  /// Verifies `signature` with the signing key of its scope, at `now` (Unix seconds).
  func verify(
    _ signature: SignatureV4, key: SecretBytes, now: Int64
  ) throws(SignatureFailure) {
    var hasher = SHA256()
    try verify(signature, key: KeyedHMACSHA256(key), hasher: &hasher, now: now)
  }

  /// Verifies `signature` with the signing key of its scope, at `now` (Unix seconds).
  func verify(
    _ signature: SignatureV4, key: KeyedHMACSHA256, hasher: inout SHA256, now: Int64
  ) throws(SignatureFailure) {
    var unsigned: [String] = []
    headers.visit { name, _ in
      guard Self.isAmazonHeader(name), !signature.covers(name) else { return }
      unsigned.append(name.string(name.indices).lowercased())
    }
    guard unsigned.isEmpty else { throw .unsignedHeaders(unsigned) }
    let code = textToSign(signature, &hasher).withUnsafeBytes { key.code(of: $0) }
    guard code.equals(signature.signature) else { throw .mismatch }
    // After the signature, so that the time is the signer's.
    if let expires = signature.expires {
      guard now < signature.time + expires else { throw .past }
      guard signature.time - Limits.clockSkewSeconds <= now else { throw .early }
    } else if abs(now - signature.time) > Limits.clockSkewSeconds {
      throw .skewed
    }
  }

  private static func isAmazonHeader(_ name: Span<UInt8>) -> Bool {
    let start = "x-amz-".utf8.span
    return name.count >= start.count
      && name.extracting(..<start.count).equalsIgnoringCase(start)
  }

  private func textToSign(_ signature: SignatureV4, _ hasher: inout SHA256) -> [UInt8] {
    let digest = canonicalRequest(signature).withUnsafeBytes { hasher.digest(of: $0) }
    var text: [UInt8] = []
    text.reserveCapacity(192)
    text.append(SignatureV4.algorithm)
    text.append("\n")
    text.append(signature.timestamp)
    text.append("\n")
    text.append(signature.scope.date)
    text.append("/")
    text.append(signature.scope.region)
    text.append("/s3/aws4_request\n")
    digest.appendHex(to: &text)
    return text
  }

  /// The canonical request.
  func canonicalRequest(_ signature: SignatureV4) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(768)
    text.append(method)
    text.append("\n")
    PercentEncoding.appendAnew(path, to: &text)
    text.append("\n")
    appendParameters(to: &text)
    text.append("\n")
    for name in signature.signedHeaders {
      text.append(name)
      text.append(":")
      appendCanonicalValue(of: name, to: &text)
      text.append("\n")
    }
    text.append("\n")
    for (index, name) in signature.signedHeaders.enumerated() {
      if index > 0 { text.append(";") }
      text.append(name)
    }
    text.append("\n")
    appendPayloadHash(signature, to: &text)
    return text
  }

  /// The parameters but for the signature, encoded anew and sorted.
  private func appendParameters(to text: inout [UInt8]) {
    guard !query.parameters.isEmpty else { return }
    let parameters = query.parameters.filter { $0.name != "X-Amz-Signature" }
      .map { (PercentEncoding.component($0.name), PercentEncoding.component($0.value)) }
      .sorted { $0 < $1 }
      .map { "\($0.0)=\($0.1)" }
    text.append(parameters.joined(separator: "&"))
  }

  /// The word for the body: what the client says it is, and is held to where bodies are read.
  private func appendPayloadHash(_ signature: SignatureV4, to text: inout [UInt8]) {
    let isSaid: Void? = headers.withValue(of: "x-amz-content-sha256") { value in
      value.withUnsafeBufferPointer { text.append(contentsOf: $0) }
    }
    guard isSaid == nil else { return }
    text.append(
      signature.expires == nil
        ? Self.emptyHash : query["X-Amz-Content-Sha256"] ?? "UNSIGNED-PAYLOAD")
  }

  /// All values of a header, trimmed, spaces and tabs collapsed, joined by commas.
  private func appendCanonicalValue(of name: String, to text: inout [UInt8]) {
    var isFirst = true
    headers.visit { other, value in
      guard isHeader(other, name) else { return }
      if !isFirst { text.append(",") }
      isFirst = false
      text.append(addingCapacity: value.count) { Self.appendTrimmed(value, to: &$0) }
    }
  }

  private static func appendTrimmed(_ value: Span<UInt8>, to text: inout OutputSpan<UInt8>) {
    let start = text.count
    var isSpaced = false
    for at in value.indices {
      let byte = value[at]
      if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
        isSpaced = true
        continue
      }
      if isSpaced, text.count > start { text.append(UInt8(ascii: " ")) }
      isSpaced = false
      text.append(byte)
    }
  }

  private static let emptyHash = Hex.encode(SHA256.hash([]))
}

extension SignatureV4.Scope {
  /// The key that signs within this scope, in four steps from the secret.
  func signingKey(_ secret: Secret) -> SecretBytes {
    var key = Array("AWS4\(secret.value)".utf8)
    defer { cleanse(&key) }
    for step in [date, region, "s3", "aws4_request"] {
      let next = HMACSHA256.authenticate(step.utf8, key: key)
      cleanse(&key)
      key = next
    }
    return SecretBytes(key)
  }
}

/// Why a signature does not count.
enum SignatureFailure: Error, Sendable, Equatable {
  case mismatch
  case unsignedHeaders([String])
  /// Of version 2: parameters that choose the action and that it doesn't cover.
  case unsignedParameters([String])
  /// A presigned URL whose time is over, or has not come, or that is valid for too long.
  case past, early, tooLong
  /// A request whose time is too far from the server's.
  case skewed
  /// A request of version 2 that doesn't say when it was signed.
  case noDate
}

extension S3Error {
  init(_ failure: SignatureFailure) {
    switch failure {
    case .mismatch: self.init(.signatureDoesNotMatch)
    case .unsignedHeaders(let names):
      self.init(
        .accessDenied, "There were headers present in the request which were not signed",
        details: [("HeadersNotSigned", names.joined(separator: ", "))])
    case .unsignedParameters(let names):
      self.init(
        .accessDenied,
        "Version 2 of the signature does not cover the query parameter "
          + names.map { "\"\($0)\"" }.joined(separator: ", ")
          + ": sign with version 4 (\(SignatureV4.algorithm)).")
    case .past: self.init(.accessDenied, "Request has expired: ask for a new link.")
    case .early:
      self.init(.accessDenied, "Request is not valid yet: the signer's clock may be wrong.")
    case .tooLong:
      self.init(
        .authorizationQueryParametersError,
        "Expires is more than \(Limits.presignedSeconds) seconds (7 days) ahead: sign the link for "
          + "a shorter time.")
    case .skewed: self.init(.requestTimeTooSkewed)
    case .noDate:
      self.init(
        .accessDenied,
        "A signed request must have an x-amz-date or Date header, such as "
          + "\"Tue, 27 Mar 2007 19:36:42 GMT\".")
    }
  }
}
