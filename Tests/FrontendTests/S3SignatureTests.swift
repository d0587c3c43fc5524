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

private let presignedQuery =
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
    try request.verify(signature, secret: secret, now: now)
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

  @Test func clocksMayDifferByAQuarter() throws {
    let request = try published[0].request()
    for offset: Int64 in [-900, 900] { #expect(try failure(request, now: time + offset) == nil) }
    for offset: Int64 in [-901, 901] {
      #expect(try failure(request, now: time + offset) == .skewed)
    }
  }

  @Test func presigned() throws {
    var example = Example(path: "/test.txt", query: presignedQuery)
    example.headers = [("Host", "examplebucket.s3.amazonaws.com")]
    #expect(try failure(example.request()) == nil)
    #expect(try failure(example.request(), now: time + 86_399) == nil)
    #expect(try failure(example.request(), now: time + 86_400) == .past)
    #expect(try failure(example.request(), now: time - 901) == .early)
    example.query = presignedQuery.replacing("Expires=86400", with: "Expires=604800")
    #expect(try failure(example.request()) == .mismatch)
    example.query = presignedQuery + "&response-content-type=text%2Fhtml"
    #expect(try failure(example.request()) == .mismatch)
    example.query = presignedQuery
    example.method = "HEAD"
    #expect(try failure(example.request()) == .mismatch)
  }

  @Test func canonicalForms() throws {
    var example = published[2]
    example.path = "/a%2fb/%7e~/c+d/e%20f/../."
    example.query = "b=2&a=%2F&a%20=1&B=x+y&%C3%A9"
    example.headers.append(("X-Two", "  a   b "))
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
      request.canonicalText(signature) == """
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

@Suite struct S3AuthorizationTests {
  private static let zeros = String(repeating: "0", count: 64)
  private static let good =
    "AWS4-HMAC-SHA256 Credential=a/b+c=/20130524//s3/aws4_request, SignedHeaders=host,"
    + " Signature=\(zeros)"

  private func parse(
    _ fields: [String], query: String = "", date: String? = "20130524T000000Z"
  ) throws -> Authorization {
    let headers = fields.map { (name: "Authorization", value: $0) }
    return try Authorization(
      headers: headers + (date.map { [(name: "X-Amz-Date", value: $0)] } ?? []),
      query: try Query(query))
  }

  @Test func theKeyIsFoundFromTheRight() throws {
    guard case .version4(let signature) = try parse([Self.good]) else {
      Issue.record("not version 4")
      return
    }
    #expect(signature.accessKeyID == "a/b+c=" && signature.scope.region == "")
    #expect(signature.expires == nil && signature.time == 1_369_353_600)
  }

  @Test(arguments: [
    "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Credential=a", "Bearer x", "",
    good + ", Extra=1", good.replacing("Signature", with: "SignedHeaders"),
    good.replacing("/s3/", with: "/ec2/"), good.replacing("aws4_request", with: "aws4"),
    good.replacing("a/b+c=/", with: ""), good.replacing("a/b+c=/", with: "/"),
    good.replacing("20130524/", with: "20130525/"), good.replacing("20130524/", with: "2013/"),
    good.replacing("=host", with: "="), good.replacing("=host", with: "=date"),
    good.replacing("=host", with: "=Host"), good.replacing("=host", with: "=host;host"),
    good.replacing("=host", with: "=host;"), String(good.dropLast()), good + "0",
    String(good.dropLast()) + "g", String(good.dropLast()) + "A", "AWS :", "AWS a:", "AWS :b",
    "AWS a b:c", "AWS4-HMAC-SHA256 " + String(repeating: "a", count: Limits.authorizationBytes),
    good.replacing("=host", with: "=host" + String(repeating: ";a", count: 1) + ";a"),
  ])
  func malformedHeaders(_ field: String) {
    let code = code { () throws(S3Error) in
      _ = try Authorization(
        headers: [("authorization", field), ("x-amz-date", "20130524T000000Z")],
        query: try Query(""))
    }
    #expect(code == .authorizationHeaderMalformed)
  }

  @Test func signedHeadersAreCounted() throws {
    let names = { (count: Int) in
      "=host" + (1..<count).map { ";h\($0)" }.joined()
    }
    _ = try parse([Self.good.replacing("=host", with: names(Limits.signedHeaders))])
    #expect(throws: S3Error.self) {
      try parse([Self.good.replacing("=host", with: names(Limits.signedHeaders + 1))])
    }
  }

  @Test(arguments: [nil, "", "2013-05-24T00:00:00Z", "Fri, 24 May 2013 00:00:00 GMT"])
  func aTimeIsNeeded(_ date: String?) {
    #expect(throws: S3Error.self) { try parse([Self.good], date: date) }
  }

  @Test func onePlaceOnly() {
    for (fields, query) in [
      ([Self.good, Self.good], ""), ([Self.good], presignedQuery),
      ([Self.good], "AWSAccessKeyId=a&Signature=b&Expires=1"),
      ([], presignedQuery + "&Signature=b"),
    ] {
      #expect(throws: S3Error.self) { try parse(fields, query: query) }
    }
  }

  @Test(arguments: [
    ("X-Amz-Expires=86400", "X-Amz-Expires=604801"), ("X-Amz-Expires=86400", "X-Amz-Expires=0"),
    ("X-Amz-Expires=86400", "X-Amz-Expires=-1"), ("X-Amz-Expires=86400", "X-Amz-Expires=%2B1"),
    ("X-Amz-Expires=86400", "X-Amz-Expires=99999999999999999999"),
    ("X-Amz-Expires=86400", "Y=1"), ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=x"),
    ("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""), ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders="),
    ("aeeed", "AEEED"), ("X-Amz-Date=2013", "X-Amz-Date=2012"), ("%2Fs3%2F", "%2F"),
  ])
  func malformedPresigned(_ old: String, _ new: String) {
    let code = code { () throws(S3Error) in
      _ = try Authorization(
        headers: [], query: try Query(presignedQuery.replacing(old, with: new)))
    }
    #expect(code == .authorizationQueryParametersError)
  }

  @Test func presignedLongest() throws {
    let query = presignedQuery.replacing("=86400", with: "=\(Limits.presignedSeconds)")
    guard case .version4(let signature) = try parse([], query: query, date: nil) else {
      Issue.record("not version 4")
      return
    }
    #expect(signature.expires == Limits.presignedSeconds)
  }

  @Test func version2() throws {
    guard case .version2(let header) = try parse(["AWS a:b:c="]),
      case .version2(let query) = try parse([], query: "AWSAccessKeyId=k&Signature=s%3D&Expires=9")
    else {
      Issue.record("not version 2")
      return
    }
    #expect(header.accessKeyID == "a:b" && header.expires == nil)
    #expect(query.accessKeyID == "k" && query.expires == 9)
    for text in ["AWSAccessKeyId=k", "AWSAccessKeyId=k&Signature=s&Expires=x", "Signature=s"] {
      #expect(throws: S3Error.self) { try parse([], query: text) }
    }
  }

  @Test func noneIsAnonymousAndTokensAreRefused() throws {
    guard case .anonymous = try parse([]) else {
      Issue.record("not anonymous")
      return
    }
    let token = code { () throws(S3Error) in
      _ = try Authorization(headers: [("X-Amz-Security-Token", "t")], query: try Query(""))
    }
    #expect(token == .invalidToken)
    let version4A = code { () throws(S3Error) in
      _ = try Authorization(
        headers: [("Authorization", "AWS4-ECDSA-P256-SHA256 x")], query: try Query(""))
    }
    #expect(version4A == .notImplemented)
  }
}
