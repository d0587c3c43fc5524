import Crypto
import Testing

@testable import Frontend

// "Examples: Signature Calculations", Amazon S3 API Reference: headers and presigned URL.
private let accessKeyID = "AKIAIOSFODNN7EXAMPLE"
private let secret = Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
private let day = "20130524/us-east-1/s3/aws4_request"
private let time: Int64 = 1_369_353_600
private let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

private struct Example: Sendable {
  var method = "GET"
  var path = "/"
  var query = ""
  var headers: [(name: String, value: String)] = [
    ("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", emptyHash),
    ("x-amz-date", "20130524T000000Z"),
  ]
  var signed = "host;x-amz-content-sha256;x-amz-date"
  var signature = ""

  func request() throws -> SignedRequest {
    let field =
      "AWS4-HMAC-SHA256 Credential=\(accessKeyID)/\(day),SignedHeaders=\(signed),"
      + "Signature=\(signature)"
    return SignedRequest(
      method: method, path: path, query: try Query(query),
      headers: signature.isEmpty ? headers : headers + [("Authorization", field)])
  }
}

private let published = [
  Example(
    path: "/test.txt",
    headers: [
      ("Host", "examplebucket.s3.amazonaws.com"), ("Range", "bytes=0-9"),
      ("x-amz-content-sha256", emptyHash), ("x-amz-date", "20130524T000000Z"),
    ], signed: "host;range;x-amz-content-sha256;x-amz-date",
    signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
  Example(
    method: "PUT", path: "/test$file.text",
    headers: [
      ("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("Host", "examplebucket.s3.amazonaws.com"),
      ("x-amz-date", "20130524T000000Z"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
      (
        "x-amz-content-sha256",
        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
      ),
    ], signed: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
    signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
  Example(
    query: "lifecycle",
    signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
  Example(
    query: "max-keys=2&prefix=J",
    signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
]

let publishedPresignedQuery =
  "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1"
  + "%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
  + "&X-Amz-SignedHeaders=host&X-Amz-Signature="
  + "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

private func failure(
  _ request: SignedRequest, secret: Secret = secret, now: Int64 = time
) throws -> SignatureFailure? {
  guard
    case .version4(let signature) = try Authorization(
      headers: request.headers, query: request.query)
  else {
    Issue.record("not a signature of version 4")
    return nil
  }
  do throws(SignatureFailure) {
    try request.verify(signature, key: signature.scope.signingKey(secret), now: now)
    return nil
  } catch {
    return error
  }
}

@Suite struct S3SignatureTests {
  @Test(arguments: published.indices) func publishedExamples(_ index: Int) throws {
    #expect(try failure(published[index].request()) == nil)
  }

  /// As botocore signs them, for the region `globus`.
  @Test(arguments: [
    (
      "GET", "/b/a%20b/%C3%BC%2Bx%3Dy", "x-id=GetObject&versionId=null",
      "874ab71bb14a54c12f9b37a2f3123b5f6e76cc81b19a47cc2f1bd4661b50d27c"
    ),
    (
      "HEAD", "/b/~a/%281%29%27%21%2A.txt", "partNumber=1",
      "25eabe13dfffa7359bf3c37a59fc151a498670c5805f3a9f3caf791fcb093838"
    ),
    (
      "GET", "/b", "list-type=2&prefix=a%20b%2Fc%2B&delimiter=%2F&encoding-type=url",
      "0686bf996be4004d6335ba8199731eaf67c507e3ab2aecb1e3582e7a0d7fe8c1"
    ),
  ])
  func botocoreAgrees(
    _ method: String, _ path: String, _ query: String, _ signature: String
  ) throws {
    let request = SignedRequest(
      method: method, path: path, query: try Query(query),
      headers: [
        ("Host", "h.example:8000"), ("X-Amz-Date", "20130524T000000Z"),
        ("X-Amz-Content-SHA256", emptyHash),
        (
          "Authorization",
          "AWS4-HMAC-SHA256 Credential=\(accessKeyID)/20130524/globus/s3/aws4_request, "
            + "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=\(signature)"
        ),
      ])
    #expect(try failure(request) == nil)
  }

  @Test func botocoreAgreesOnPresigned() throws {
    let request = SignedRequest(
      method: "GET", path: "/b/a%20b",
      query: try Query(
        "response-content-type=a%2Fb&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
          + "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fglobus%2Fs3%2Faws4_request"
          + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host"
          + "&X-Amz-Signature="
          + "63eadec5ba37d5ba9d5dcec4ef6884221c2754496a99bb9dea0d749b59a10413"),
      headers: [("Host", "h.example:8000")])
    #expect(try failure(request) == nil)
  }

  @Test func anythingChangedIsFound() throws {
    var changes = Array(repeating: published[0], count: 5)
    changes[0].method = "HEAD"
    changes[1].path = "/test.txt2"
    changes[2].query = "acl"
    changes[3].headers[1].value = "bytes=0-8"
    changes[4].headers[0].value = "other.s3.amazonaws.com"
    for change in changes { #expect(try failure(change.request()) == .mismatch) }
    let request = try published[0].request()
    #expect(try failure(request, secret: Secret("another")) == .mismatch)
  }

  @Test func everyAmzHeaderMustBeSigned() throws {
    var example = published[0]
    example.headers.append(("X-Amz-Copy-Source", "a/b"))
    #expect(try failure(example.request()) == .unsignedHeaders(["x-amz-copy-source"]))
    example.headers[example.headers.count - 1] = ("x-amzfoo", "1")
    #expect(try failure(example.request()) == nil)
  }

  /// AWS publishes no example with the Date header alone: the signature was computed apart.
  @Test(arguments: [
    "Fri, 24 May 2013 00:00:00 GMT", "Fri, 24 May 2013 00:00:00 +0000",
    "Fri, 24 May 2013 00:00:00 -0000", "20130524T000000Z",
  ])
  func theDateHeaderWillDo(_ date: String) throws {
    var example = published[0]
    example.headers = [("Host", "h.example:8000"), ("Date", date)]
    example.path = "/b/k"
    example.signed = "host"
    example.signature = "b3bce9454203d27c02635996b2db1ff3c5175dee2f5d032c12619b12cbdb8778"
    #expect(try failure(example.request()) == nil)
    #expect(try failure(example.request(), now: time + 901) == .skewed)
    example.headers[1].value = "20130524T000001Z"
    #expect(try failure(example.request()) == .mismatch)
  }

  @Test func xAmzDateWins() throws {
    var example = published[0]
    example.headers.append(("Date", "Thu, 01 Jan 1970 00:00:00 GMT"))
    #expect(try failure(example.request()) == nil)
  }

  @Test func clocksMayDifferByAQuarter() throws {
    let request = try published[0].request()
    for offset: Int64 in [-900, 900] { #expect(try failure(request, now: time + offset) == nil) }
    for offset: Int64 in [-901, 901] {
      #expect(try failure(request, now: time + offset) == .skewed)
    }
  }

  @Test func presigned() throws {
    var example = Example(path: "/test.txt", query: publishedPresignedQuery)
    example.headers = [("Host", "examplebucket.s3.amazonaws.com")]
    #expect(try failure(example.request()) == nil)
    #expect(try failure(example.request(), now: time + 86_399) == nil)
    #expect(try failure(example.request(), now: time + 86_400) == .past)
    #expect(try failure(example.request(), now: time - 901) == .early)
    example.query = publishedPresignedQuery.replacing("Expires=86400", with: "Expires=604800")
    #expect(try failure(example.request()) == .mismatch)
    example.query = publishedPresignedQuery + "&response-content-type=text%2Fhtml"
    #expect(try failure(example.request()) == .mismatch)
    example.query = publishedPresignedQuery
    example.method = "HEAD"
    #expect(try failure(example.request()) == .mismatch)
  }

  @Test func canonicalForms() throws {
    var example = published[2]
    example.path = "/a%2fb/%7e~/c+d/e%20f/../."
    example.query = "b=2&a=%2F&a%20=1&B=x+y&%C3%A9"
    example.headers.append(("X-Two", "  a \t  b "))
    example.headers.append(("x-two", "c"))
    example.signed = "host;x-amz-content-sha256;x-amz-date;x-two"
    let request = try example.request()
    guard
      case .version4(let signature) = try Authorization(
        headers: request.headers, query: request.query)
    else {
      Issue.record("not a signature of version 4")
      return
    }
    #expect(
      String(decoding: request.canonicalRequest(signature), as: UTF8.self) == """
        GET
        /a/b/~~/c%2Bd/e%20f/../.
        %C3%A9=&B=x%2By&a=%2F&a%20=1&b=2
        host:examplebucket.s3.amazonaws.com
        x-amz-content-sha256:\(emptyHash)
        x-amz-date:20130524T000000Z
        x-two:a b,c

        host;x-amz-content-sha256;x-amz-date;x-two
        \(emptyHash)
        """)
  }
}
