import Crypto
import Testing

@testable import Frontend

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

  /// x-amz-date is held to its own form also where a good Date stands beside it.
  @Test(
    arguments: [
      ("Date", "Fri, 24 May 2013 00:00:00 GMT", nil, true), ("Date", "20130524T000000Z", nil, true),
      ("Date", "Thu, 24 May 2013 00:00:00 GMT", nil, false), ("Date", "2013-05-24", nil, false),
      ("Date", "Sat, 25 May 2013 00:00:00 GMT", nil, false), ("Date", "", nil, false),
      ("Date", "Fri, 24 May 2013 00:00:00 +0200", nil, false),
      ("Date", "20130524T000000Z", "garbage", false), ("Date", "garbage", "20130524T000000Z", true),
    ] as [(String, String, String?, Bool)])
  func theDateHeaderIsReadToo(
    _ name: String, _ value: String, _ amzDate: String?, _ isGood: Bool
  ) throws {
    let headers =
      [(name: "Authorization", value: Self.good), (name: name, value: value)]
      + (amzDate.map { [(name: "x-amz-date", value: $0)] } ?? [])
    let query = try Query("")
    let found = code { () throws(S3Error) in
      _ = try Authorization(headers: headers, query: query)
    }
    #expect(found == (isGood ? nil : .authorizationHeaderMalformed))
  }

  @Test func onePlaceOnly() {
    for (fields, query) in [
      ([Self.good, Self.good], ""), ([Self.good], publishedPresignedQuery),
      ([Self.good], "AWSAccessKeyId=a&Signature=b&Expires=1"),
      ([], publishedPresignedQuery + "&Signature=b"),
    ] {
      #expect(throws: S3Error.self) { try parse(fields, query: query) }
    }
  }

  @Test(arguments: [
    ("X-Amz-Expires=86400", "X-Amz-Expires=604801"), ("X-Amz-Expires=86400", "X-Amz-Expires=0"),
    ("X-Amz-Expires=86400", "X-Amz-Expires=-1"), ("X-Amz-Expires=86400", "X-Amz-Expires=%2B1"),
    ("X-Amz-Expires=86400", "X-Amz-Expires=99999999999999999999"),
    ("X-Amz-Expires=86400", "X-Amz-Expires="), ("X-Amz-Expires=86400", "X-Amz-Expires=1e3"),
    ("X-Amz-Expires=86400", "X-Amz-Expires=60.0"), ("X-Amz-Expires=86400", "X-Amz-Expires=%D9%A1"),
    ("X-Amz-Expires=86400", "Y=1"), ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=x"),
    ("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""), ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders="),
    ("aeeed", "AEEED"), ("X-Amz-Date=2013", "X-Amz-Date=2012"), ("%2Fs3%2F", "%2F"),
  ])
  func malformedPresigned(_ old: String, _ new: String) {
    let code = code { () throws(S3Error) in
      _ = try Authorization(
        headers: [], query: try Query(publishedPresignedQuery.replacing(old, with: new)))
    }
    #expect(code == .authorizationQueryParametersError)
  }

  @Test func presignedLongest() throws {
    let query = publishedPresignedQuery.replacing("=86400", with: "=\(Limits.presignedSeconds)")
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
