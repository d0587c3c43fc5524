import Audit
import Crypto
import FoundationEssentials
import Reactor
import Testing

@testable import Frontend

private let now: Int64 = 1_800_000_100
private let emptyHash = Hex.encode(SHA256.hash([]))

/// A GET of one object, signed with a secret that is right or not.
private struct Signing {
  enum Kind: String, CaseIterable, Sendable {
    case header4, presigned4, header2, presigned2
    var isPresigned: Bool { self == .presigned4 || self == .presigned2 }
  }

  let kind: Kind
  let accessKeyID: String
  let secret: Secret
  var region = "globus"
  var time = now

  func request() throws -> SignedRequest {
    let unsigned = try request(String(repeating: "0", count: 64))
    switch try Authorization(headers: unsigned.headers, query: unsigned.query) {
    case .version4(let signature):
      let text =
        "\(signature.timestamp)\n\(signature.scope.date)/\(signature.scope.region)/s3/aws4_request\n"
        + Hex.encode(SHA256.hash(unsigned.canonicalRequest(signature)))
      let code = signature.scope.signingKey(secret).withUnsafeBytes {
        HMACSHA256.authenticate("\(SignatureV4.algorithm)\n\(text)".utf8, key: $0)
      }
      return try request(Hex.encode(code))
    case .version2(let signature):
      let code = HMACSHA1.authenticate(
        unsigned.text(signature).utf8, key: secret.value.utf8)
      return try request(Data(code).base64EncodedString())
    case .anonymous: return unsigned
    }
  }

  private func request(_ signature: String) throws -> SignedRequest {
    let date = HTTPDate.format(time)
    let basic = try #require(SignatureTime(date)).basic
    let scope = "\(accessKeyID)/\(basic.prefix(8))/\(region)/s3/aws4_request"
    var query = ""
    var headers: [(name: String, value: String)] = [("Host", "localhost")]
    switch kind {
    case .header4:
      headers += [
        ("x-amz-date", basic),
        (
          "Authorization",
          "\(SignatureV4.algorithm) Credential=\(scope), SignedHeaders=host;x-amz-date, "
            + "Signature=\(signature)"
        ),
      ]
    case .presigned4:
      query =
        "X-Amz-Algorithm=\(SignatureV4.algorithm)&X-Amz-Credential=\(scope)&X-Amz-Date=\(basic)"
        + "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=\(signature)"
    case .header2:
      headers += [("Date", date), ("Authorization", "AWS \(accessKeyID):\(signature)")]
    case .presigned2:
      query =
        "AWSAccessKeyId=\(accessKeyID)&Expires=\(time + 60)&Signature="
        + PercentEncoding.component(signature)
    }
    return SignedRequest(
      method: "GET", path: "/bucket/key", query: try Query(query), headers: headers)
  }
}

@Suite(.onLoop) struct AuthenticatorTests {
  private let sealer = FrontendTests.sealer()

  private func sealed(isStrict: Bool = false) throws -> SealedCredential {
    var credential = credential()
    credential.isStrict = isStrict
    return try sealer.seal(credential)
  }

  @Loop private func authenticate(
    _ request: SignedRequest, _ authenticator: Authenticator, at time: Int64 = now
  ) -> Authenticator.Result {
    authenticator.authenticate(request, now: time, signInURL: "http://localhost/?auth")
  }

  /// Where a signature counts and where not, for each way to sign.
  @Test @Loop func whereSignaturesCount() throws {
    for kind in Signing.Kind.allCases {
      for (policy, isStrict) in [
        (SignaturePolicy.any, false), (.any, true), (.verify, false), (.verify, true),
      ] {
        let authenticator = Authenticator(sealer: sealer, policy: policy)
        let sealed = try sealed(isStrict: isStrict)
        let right = Signing(
          kind: kind, accessKeyID: sealed.accessKeyID, secret: sealed.secretAccessKey)
        let wrong = Signing(kind: kind, accessKeyID: sealed.accessKeyID, secret: Secret("any"))
        let good = authenticate(try right.request(), authenticator)
        #expect(good.error == nil && good.result == .verified, "\(kind) \(policy) \(isStrict)")
        #expect(good.auth == (kind.isPresigned ? .presigned : .header))
        let bad = authenticate(try wrong.request(), authenticator)
        let counts = kind.isPresigned || isStrict || policy == .verify
        #expect(
          bad.error?.code == (counts ? .signatureDoesNotMatch : nil),
          "\(kind) \(policy) \(isStrict)")
        #expect(bad.result == (counts ? .badSignature : .unverified))
      }
    }
  }

  @Test @Loop func clocksAndEnds() throws {
    let authenticator = Authenticator(sealer: sealer, policy: .verify)
    let sealed = try sealed()
    for kind in Signing.Kind.allCases {
      var signing = Signing(
        kind: kind, accessKeyID: sealed.accessKeyID, secret: sealed.secretAccessKey)
      signing.time = now - 1_000
      let late = authenticate(try signing.request(), authenticator)
      #expect(late.error?.code == (kind.isPresigned ? .accessDenied : .requestTimeTooSkewed))
      #expect(late.result == .expired, "\(kind)")
      let end = credential().expiresAt
      signing.time = end
      let ended = authenticate(try signing.request(), authenticator, at: end)
      #expect(ended.error?.code == .expiredToken && ended.result == .expired, "\(kind)")
    }
  }

  /// The kept key is one credential's, day's and region's; under it a bad signature is still bad.
  @Test @Loop func aKeptKeyVerifiesNothingElse() throws {
    let authenticator = Authenticator(sealer: sealer, policy: .verify)
    let (one, other) = (try sealed(), try sealed())
    var signing = Signing(
      kind: .header4, accessKeyID: one.accessKeyID, secret: one.secretAccessKey)
    let wrong = Signing(kind: .header4, accessKeyID: one.accessKeyID, secret: Secret("any"))
    #expect(authenticate(try wrong.request(), authenticator).result == .badSignature)
    #expect(authenticator.opened.signingKeys.count == 0, "kept for nobody who lacks the secret")
    for _ in 0..<3 {
      #expect(authenticate(try signing.request(), authenticator).result == .verified)
      #expect(authenticate(try wrong.request(), authenticator).result == .badSignature)
    }
    #expect(authenticator.opened.signingKeys.count == 1)
    let swapped = Signing(
      kind: .header4, accessKeyID: other.accessKeyID, secret: one.secretAccessKey)
    #expect(authenticate(try swapped.request(), authenticator).result == .badSignature)
    signing.region = "us-east-1"
    #expect(authenticate(try signing.request(), authenticator).result == .verified)
    signing.time = now + 86_400
    let tomorrow = authenticate(try signing.request(), authenticator, at: now + 86_400)
    #expect(tomorrow.result == .verified)
    #expect(authenticator.opened.signingKeys.count == 1, "what had ended went")
  }

  @Test @Loop func credentialsAreUnsealedOnceInAMoment() async throws {
    let opened = OpenedCredentials(sealer)
    let first = try sealed().accessKeyID
    let one = try opened.open(first)
    #expect(try opened.open(first) === one)
    for _ in 0..<Limits.openedCredentials { _ = try opened.open(try sealed().accessKeyID) }
    #expect(opened.count == Limits.openedCredentials)
    #expect(try opened.open(first) !== one, "the oldest made room")
    #expect(throws: CredentialError.self) {
      try opened.open(first.dropLast() + (first.last == "0" ? "1" : "0"))
    }
    #expect(opened.count == Limits.openedCredentials, "what is no credential is not remembered")
    // Nobody asks any more: the tokens go all the same.
    for _ in 0..<200 where opened.count > 0 { await Loop.sleep(milliseconds: 100) }
    #expect(opened.count == 0)
  }

  @Test @Loop func malformedIsSaidAsSuch() throws {
    let authenticator = Authenticator(sealer: sealer, policy: .any)
    for (header, query, auth) in [
      ("AWS4-HMAC-SHA256 nonsense", "", Authentication.header), ("Bearer x", "", .header),
      (nil, "X-Amz-Signature=0", .presigned), (nil, "Signature=0", .presigned),
      ("AWS a:b", "Signature=0", .header),
    ] {
      let request = SignedRequest(
        method: "GET", path: "/b/k", query: try Query(query),
        headers: header.map { [(name: "Authorization", value: $0)] } ?? [])
      let found = authenticate(request, authenticator)
      #expect(found.auth == auth && found.result == .malformed && found.error != nil)
    }
  }
}

@Suite(.onLoop) struct SigningKeysTests {
  private let key = SecretBytes([1, 2, 3])

  private func name(_ number: Int, region: String = "globus") -> SigningKeys.Name {
    SigningKeys.Name(fingerprint: "\(number)", date: "20130524", region: region)
  }

  @Test @Loop func theOldestMakesRoom() {
    let keys = SigningKeys()
    for number in 0...Limits.signingKeys {
      keys.keep(key, for: name(number), until: .max, now: 0)
      keys.keep(key, for: name(number), until: .max, now: 0)
    }
    #expect(keys.count == Limits.signingKeys)
    #expect(keys.key(for: name(0), now: 0) == nil)
    #expect(keys.key(for: name(1), now: 0) == key)
    #expect(keys.key(for: name(Limits.signingKeys), now: 0) == key)
  }

  @Test @Loop func keysEnd() {
    let keys = SigningKeys()
    keys.keep(key, for: name(1), until: .max, now: 0)
    keys.keep(key, for: name(2), until: 10, now: 0)
    keys.keep(key, for: name(3), until: 10, now: 10)
    #expect(keys.count == 2, "a credential that has ended leaves nothing")
    #expect(keys.key(for: name(2), now: 9) == key)
    #expect(keys.key(for: name(2), now: 10) == nil && keys.count == 1)
    #expect(keys.key(for: name(1), now: Limits.signingKeySeconds - 1) == key)
    #expect(keys.key(for: name(9), now: Limits.signingKeySeconds) == nil && keys.count == 0)
    keys.keep(key, for: name(1), until: .max, now: Limits.signingKeySeconds)
    #expect(keys.key(for: name(1), now: Limits.signingKeySeconds) == key)
  }

  @Test @Loop func aLongRegionIsNotKept() {
    let keys = SigningKeys()
    for (count, isKept) in [
      (Limits.signingKeyRegionBytes, true), (Limits.signingKeyRegionBytes + 1, false),
    ] {
      let name = name(count, region: String(repeating: "r", count: count))
      keys.keep(key, for: name, until: .max, now: 0)
      #expect((keys.key(for: name, now: 0) != nil) == isKept)
    }
  }
}
