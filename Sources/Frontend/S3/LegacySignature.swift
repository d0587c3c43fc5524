// Verifies a signature of AWS version 2 (Signing and Authenticating REST Requests, Amazon S3
// Developer Guide): what old clients send, and `aws s3 presign` without a region.
//
// All `x-amz-*` headers are under it by construction; of the query, only the parameters that AWS
// lists are (`signedParameters`). Another can be added to a finished link. Invariant: that is
// never a sub-resource; one that `Action` knows and the list lacks is refused.

import Crypto
import FoundationEssentials

extension SignedRequest {
  /// Verifies `signature` with `secret`, at `now` (Unix seconds).
  func verify(
    _ signature: SignatureV2, secret: Secret, now: Int64
  ) throws(SignatureFailure) {
    let unsigned = query.parameters.map(\.name)
      .filter { Action.subresources.contains($0) && !Self.signedParameters.contains($0) }
    guard unsigned.isEmpty else { throw .unsignedParameters(unsigned) }
    // boto3 signs "/bucket/" and sends "/bucket": S3 and we mean the same by both.
    let isBareBucket = virtualBucket == nil && path != "/" && !path.dropFirst().contains("/")
    let texts = [text(signature)] + (isBareBucket ? [text(signature, path: path + "/")] : [])
    guard let given = Data(base64Encoded: signature.signature),
      texts.contains(where: {
        constantTimeEqual(HMACSHA1.authenticate($0.utf8, key: secret.value.utf8), Array(given))
      })
    else { throw .mismatch }
    if let expires = signature.expires {
      guard now < expires else { throw .past }
      // The link doesn't say when it was signed: the signer's clock may be ahead.
      guard expires - now <= Limits.presignedSeconds + Limits.clockSkewSeconds else {
        throw .tooLong
      }
    } else {
      let time = (header("x-amz-date") ?? header("date")).flatMap { SignatureTime($0) }
      guard let time else { throw .noDate }
      guard abs(now - time.seconds) <= Limits.clockSkewSeconds else { throw .skewed }
    }
  }

  /// The string to sign; `path` stands for the request's own.
  func text(_ signature: SignatureV2, path: String? = nil) -> String {
    let date =
      signature.expires.map { "\($0)" }
      ?? (header("x-amz-date") == nil ? header("date") ?? "" : "")
    return """
      \(method)
      \(header("content-md5") ?? "")
      \(header("content-type") ?? "")
      \(date)
      \(amazonHeaders)\(resource(path ?? self.path))
      """
  }

  private func header(_ name: String) -> String? {
    headers[name]
  }

  /// "name:value\n" lines, by name, with all values of a name.
  private var amazonHeaders: String {
    var values: [String: [String]] = [:]
    for header in headers.fields where header.name.lowercased().hasPrefix("x-amz-") {
      values[header.name.lowercased(), default: []].append(header.value)
    }
    return values.sorted { $0.key < $1.key }
      .map { "\($0.key):\($0.value.joined(separator: ","))\n" }.joined()
  }

  /// The path, with the bucket before it when that came in the host name, and the
  /// parameters that choose what is answered.
  private func resource(_ path: String) -> String {
    let parameters = query.parameters.filter { Self.signedParameters.contains($0.name) }
      .sorted { $0.name < $1.name }
      .map { $0.hasEquals ? "\($0.name)=\($0.value)" : $0.name }
    return (virtualBucket.map { "/\($0)" } ?? "") + path
      + (parameters.isEmpty ? "" : "?" + parameters.joined(separator: "&"))
  }

  /// AWS's list, and what botocore's signer adds to it.
  static let signedParameters: Set<String> = [
    "accelerate", "acl", "analytics", "cors", "delete", "inventory", "lifecycle", "location",
    "logging", "metrics", "notification", "object-lock", "partNumber", "policy", "replication",
    "requestPayment", "response-cache-control", "response-content-disposition",
    "response-content-encoding", "response-content-language", "response-content-type",
    "response-expires", "restore", "select", "select-type", "tagging", "torrent", "uploadId",
    "uploads", "versionId", "versioning", "versions", "website",
  ]
}
