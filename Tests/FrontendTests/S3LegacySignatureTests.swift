import Crypto
import FoundationEssentials
import Testing

@testable import Frontend

/// Signature version 2. The secret and the published examples are those of AWS's documentation
/// ("Signing and Authenticating REST Requests", first edition of the bucket's name).
@Suite struct S3LegacySignatureTests {
  private let secret = Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")

  private func request(
    _ query: String = "", headers: [(String, String)] = [], bucket: String? = "johnsmith",
    method: String = "GET", path: String = "/photos/puppy.jpg"
  ) throws -> (SignedRequest, SignatureV2) {
    let query = try Query(query)
    let headers = headers.map { (name: $0.0, value: $0.1) }
    guard case .version2(let signature) = try Authorization(headers: headers, query: query) else {
      throw CancellationError()
    }
    return (
      SignedRequest(
        method: method, path: path, query: query, headers: headers, virtualBucket: bucket),
      signature
    )
  }

  /// The same with the signature that is right for it.
  private func signed(
    _ query: String, headers: [(String, String)]
  ) throws -> (SignedRequest, SignatureV2) {
    let unsigned = try request(query, headers: headers + [("Authorization", "AWS k:c2ln")])
    let code = HMACSHA1.authenticate(unsigned.0.text(unsigned.1).utf8, key: secret.value.utf8)
    return try request(
      query, headers: headers + [("Authorization", "AWS k:\(Data(code).base64EncodedString())")])
  }

  /// The query of a finished link.
  private func signedLink(expires: Int64) throws -> String {
    let unsigned = try request("AWSAccessKeyId=k&Signature=c2ln&Expires=\(expires)")
    let code = HMACSHA1.authenticate(unsigned.0.text(unsigned.1).utf8, key: secret.value.utf8)
    let text = PercentEncoding.component(Data(code).base64EncodedString())
    return "AWSAccessKeyId=k&Signature=\(text)&Expires=\(expires)"
  }

  private struct Published: Sendable {
    var method = "GET"
    var path = "/photos/puppy.jpg"
    var query = ""
    var bucket: String? = "johnsmith"
    var headers: [(String, String)] = []
    /// In Unix seconds.
    let time: Int64
    let signature: String
  }

  private static let published = [
    Published(
      headers: [("Date", "Tue, 27 Mar 2007 19:36:42 +0000")], time: 1_175_024_202,
      signature: "bWq2s1WEIj+Ydj0vQ697zp+IXMU="),
    Published(
      method: "PUT",
      headers: [
        ("Content-Type", "image/jpeg"), ("Content-Length", "94328"),
        ("Date", "Tue, 27 Mar 2007 21:15:45 +0000"),
      ], time: 1_175_030_145, signature: "MyyxeRY7whkBe+bq8fHCL/2kKUg="),
    Published(
      path: "/", query: "prefix=photos&max-keys=50&marker=puppy",
      headers: [("User-Agent", "Mozilla/5.0"), ("Date", "Tue, 27 Mar 2007 19:42:41 +0000")],
      time: 1_175_024_561, signature: "htDYFYduRNen8P9ZfE/s9SuKy0U="),
    Published(
      path: "/", query: "acl", headers: [("Date", "Tue, 27 Mar 2007 19:44:46 +0000")],
      time: 1_175_024_686, signature: "c2WLPFtWHVgbEmeEG93a4cG37dM="),
    Published(
      method: "DELETE", path: "/johnsmith/photos/puppy.jpg", bucket: nil,
      headers: [("Date", "Tue, 27 Mar 2007 21:20:26 +0000")], time: 1_175_030_426,
      signature: "lx3byBScXR6KzyMaifNkardMwNk="),
    Published(
      method: "PUT", path: "/db-backup.dat.gz", bucket: "static.johnsmith.net",
      headers: [
        ("User-Agent", "curl/7.15.5"), ("Date", "Tue, 27 Mar 2007 21:06:08 +0000"),
        ("x-amz-acl", "public-read"), ("content-type", "application/x-download"),
        ("Content-MD5", "4gJE4saaMU4BqNR0kLY+lw=="), ("X-Amz-Meta-ReviewedBy", "joe@johnsmith.net"),
        ("X-Amz-Meta-ReviewedBy", "jane@johnsmith.net"),
        ("X-Amz-Meta-FileChecksum", "0x02661779"), ("X-Amz-Meta-ChecksumAlgorithm", "crc32"),
        ("Content-Disposition", "attachment; filename=database.dat"),
        ("Content-Encoding", "gzip"), ("Content-Length", "5913339"),
      ], time: 1_175_029_568, signature: "ilyl83RwaSoYIEdixDQcA4OnAnc="),
    Published(
      path: "/", bucket: nil, headers: [("Date", "Wed, 28 Mar 2007 01:29:59 +0000")],
      time: 1_175_045_399, signature: "qGdzdERIC03wnaRNKh6OqZehG9s="),
    Published(
      path: "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re", bucket: nil,
      headers: [("Date", "Wed, 28 Mar 2007 01:49:49 +0000")], time: 1_175_046_589,
      signature: "DNEZGsoieTZ92F3bUfSPQcbGmlM="),
  ]

  /// All of AWS's, and that a quarter of an hour is the most by which a clock may be off.
  @Test(arguments: published.indices) func awssPublishedExamples(_ index: Int) throws {
    let example = Self.published[index]
    let (request, signature) = try request(
      example.query,
      headers: example.headers + [
        ("Authorization", "AWS AKIAIOSFODNN7EXAMPLE:\(example.signature)")
      ],
      bucket: example.bucket, method: example.method, path: example.path)
    for offset: Int64 in [-900, 0, 900] {
      try request.verify(signature, secret: secret, now: example.time + offset)
    }
    for offset: Int64 in [-901, 901] {
      #expect(throws: SignatureFailure.skewed) {
        try request.verify(signature, secret: secret, now: example.time + offset)
      }
    }
  }

  @Test func aTimeIsNeeded() throws {
    for headers in [[], [("Date", "today")], [("Date", "20070327T193642Z"), ("x-amz-date", "")]] {
      let (request, signature) = try signed("", headers: headers)
      #expect(throws: SignatureFailure.noDate) {
        try request.verify(signature, secret: secret, now: 0)
      }
    }
  }

  /// boto3 signs a bucket with a slash behind it and sends it without; never more than that.
  @Test(arguments: [
    ("/bucket", "/bucket", true), ("/bucket", "/bucket/", true), ("/bucket/", "/bucket/", true),
    ("/bucket/", "/bucket", false), ("/bucket/key", "/bucket/key/", false), ("/", "//", false),
  ])
  func aBucketMayBeSignedWithItsSlash(_ path: String, _ signedPath: String, _ isGood: Bool) throws {
    let query = "AWSAccessKeyId=k&Expires=1000&Signature="
    let unsigned = try request(query + "c2ln", bucket: nil, path: signedPath)
    let code = HMACSHA1.authenticate(unsigned.0.text(unsigned.1).utf8, key: secret.value.utf8)
    let (request, signature) = try request(
      query + PercentEncoding.component(Data(code).base64EncodedString()), bucket: nil, path: path)
    var found: SignatureFailure?
    do throws(SignatureFailure) {
      try request.verify(signature, secret: secret, now: 999)
    } catch {
      found = error
    }
    #expect(found == (isGood ? nil : .mismatch))
  }

  /// A client signs what it sends: an empty value with its "=", none without.
  @Test func anEmptyValueIsNotNone() throws {
    for (query, resource) in [
      ("acl", "?acl"), ("acl=", "?acl="), ("uploads&acl=", "?acl=&uploads"),
    ] {
      let (request, signature) = try request(query, headers: [("Authorization", "AWS k:c2ln")])
      #expect(request.text(signature).hasSuffix("/johnsmith/photos/puppy.jpg\(resource)"))
    }
  }

  /// Whatever chooses an action can't be added to a finished link: it is signed or refused.
  @Test(arguments: Action.subresources.sorted())
  func noSubresourceCanBeAdded(_ name: String) throws {
    let link = try signedLink(expires: 1_000)
    for added in [name, "\(name)=", "\(name)=1"] {
      let (request, signature) = try request("\(link)&\(added)")
      var found: SignatureFailure?
      do throws(SignatureFailure) {
        try request.verify(signature, secret: secret, now: 999)
      } catch {
        found = error
      }
      let isSigned = SignedRequest.signedParameters.contains(name)
      #expect(found == (isSigned ? .mismatch : .unsignedParameters([name])))
    }
  }

  @Test func theMessageNamesTheParameter() {
    let error = S3Error(SignatureFailure.unsignedParameters(["attributes"]))
    #expect(error.code == .accessDenied)
    #expect(error.message.contains("\"attributes\"") && error.message.contains("version 4"))
    let tooLong = S3Error(SignatureFailure.tooLong)
    #expect(tooLong.code == .authorizationQueryParametersError)
    #expect(tooLong.message.contains("7 days"))
  }

  @Test func headersAndSubresourcesAreSigned() throws {
    let (request, signature) = try request(
      "prefix=x&versionId=null&response-expires=a%20b",
      headers: [
        ("X-Amz-Meta-B", "2"), ("x-amz-date", "Tue, 27 Mar 2007 21:20:26 GMT"),
        ("X-Amz-Meta-B", "1"), ("Content-Type", "text/plain"), ("Date", "ignored"),
        ("Authorization", "AWS key:c2ln"),
      ], bucket: nil)
    #expect(
      request.text(signature)
        == "GET\n\ntext/plain\n\nx-amz-date:Tue, 27 Mar 2007 21:20:26 GMT\nx-amz-meta-b:2,1\n"
        + "/photos/puppy.jpg?response-expires=a b&versionId=null")
  }

  @Test(
    arguments: [
      (1_000, 999, nil), (1_000, 1_000, .past), (1_000_000, 1_000, .tooLong),
      (1_000 + 604_800 + 900, 1_000, nil), (1_000 + 604_800 + 901, 1_000, .tooLong),
    ] as [(Int64, Int64, SignatureFailure?)])
  func presignedURLsEnd(expires: Int64, now: Int64, failure: SignatureFailure?) throws {
    let (request, signature) = try request(signedLink(expires: expires))
    var found: SignatureFailure?
    do throws(SignatureFailure) {
      try request.verify(signature, secret: secret, now: now)
    } catch {
      found = error
    }
    #expect(found == failure)
    #expect(throws: SignatureFailure.mismatch) {
      try request.verify(signature, secret: Secret("another"), now: now)
    }
  }
}
