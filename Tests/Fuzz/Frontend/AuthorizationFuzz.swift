// A request's signature: the first line is its Authorization header, one that begins with "?" its
// query, the others its headers.
//   - What is taken has every part in its form, and is the same when its header is written anew.
//   - No signature verifies that was not made with the secret.

import Crypto
import Reactor

@testable import Frontend

private let secret = Secret("a secret that nobody signed with")

func fuzzAuthorization(_ input: [UInt8]) {
  guard let text = String(validating: input, as: UTF8.self) else { return }
  var headers: [(name: String, value: String)] = []
  var query = ""
  for line in text.utf8.split(separator: 10, omittingEmptySubsequences: false) {
    let line = String(Substring(line))
    if line.utf8.first == UInt8(ascii: "?") {
      query = String(line.dropFirst())
    } else if headers.isEmpty {
      headers.append(("Authorization", line))
    } else if let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) {
      headers.append((String(line[..<colon]), String(line[line.utf8.index(after: colon)...])))
    }
  }
  guard let query = try? Query(query) else { return }
  let others = headers.dropFirst()
  for headers in [headers, Array(others)] {
    guard let authorization = try? Authorization(headers: RequestHeaders(headers), query: query)
    else { continue }
    switch authorization {
    case .anonymous: holds(headers.count == others.count, "a header is not overlooked")
    case .version4(let signature): check(signature, headers, query)
    case .version2(let signature): check(signature, headers, query)
    }
  }
}

private func check(
  _ signature: SignatureV4, _ headers: [(name: String, value: String)], _ query: Query
) {
  holds(!signature.accessKeyID.isEmpty && signature.signature.count == 32, "its parts")
  holds(signature.timestamp.utf8.count == 16, "its time")
  holds(signature.timestamp.utf8.starts(with: signature.scope.date.utf8), "its day")
  holds(signature.signedHeaders.contains("host"), "host is signed")
  holds(Set(signature.signedHeaders).count == signature.signedHeaders.count, "each header once")
  holds(signature.signedHeaders.count <= Limits.signedHeaders, "so many headers")
  if let expires = signature.expires { holds(1...Limits.presignedSeconds ~= expires, "its end") }
  let request = SignedRequest(
    method: "GET", path: "/a%20b", query: query, headers: RequestHeaders(headers))
  do {
    try request.verify(signature, key: signature.scope.signingKey(secret), now: signature.time)
    holds(false, "nobody made this signature")
  } catch {
    holds([.mismatch].contains(error) || isAboutHeaders(error), "it is not the secret's")
  }
  guard signature.expires == nil else { return }
  let anew =
    "\(SignatureV4.algorithm) Credential=\(signature.accessKeyID)/\(scope(signature)), "
    + "SignedHeaders=\(signature.signedHeaders.joined(separator: ";")), "
    + "Signature=\(Hex.encode(signature.signature))"
  let replaced = [("Authorization", anew)] + headers.filter { !isHeader($0.name, "authorization") }
  guard
    case .version4(let again) = try? Authorization(headers: RequestHeaders(replaced), query: query)
  else {
    return holds(anew.utf8.count > Limits.authorizationBytes, "taken when written anew")
  }
  holds(again.accessKeyID == signature.accessKeyID, "its key anew")
  holds(scope(again) == scope(signature), "its scope anew")
  holds(again.signedHeaders == signature.signedHeaders, "its headers anew")
  holds(again.signature == signature.signature && again.time == signature.time, "its rest anew")
}

private func scope(_ signature: SignatureV4) -> String {
  "\(signature.scope.date)/\(signature.scope.region)/s3/aws4_request"
}

private func isAboutHeaders(_ failure: SignatureFailure) -> Bool {
  if case .unsignedHeaders = failure { true } else { false }
}

private func check(
  _ signature: SignatureV2, _ headers: [(name: String, value: String)], _ query: Query
) {
  holds(!signature.accessKeyID.isEmpty && !signature.signature.isEmpty, "its parts")
  let request = SignedRequest(
    method: "GET", path: "/a", query: query, headers: RequestHeaders(headers))
  holds(
    (try? request.verify(signature, secret: secret, now: 1_800_000_000)) == nil,
    "nobody made this signature")
}
