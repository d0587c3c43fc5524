import Testing

@testable import Frontend

@Suite struct S3ErrorTests {
  @Test func bodyIsAsS3WritesIt() {
    let error = S3Error(.noSuchKey, details: [("Key", "a")])
    #expect(
      String(decoding: error.body(resource: "/b/a", requestID: "ID"), as: UTF8.self)
        == #"<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code>"#
        + "<Message>There is no such key.</Message><Key>a</Key><Resource>/b/a</Resource>"
        + "<RequestId>ID</RequestId><HostId>ID</HostId></Error>")
  }

  @Test(arguments: [
    ("<a href=\"x\">&", "&lt;a href=&quot;x&quot;&gt;&amp;"),
    ("\u{0}\u{1b}[31m\u{8}", "\u{fffd}\u{fffd}[31m\u{fffd}"), ("\r\n\t", "&#13;\n\t"),
    ("\u{fffe}\u{ffff}é€😀", "\u{fffd}\u{fffd}é€😀"), ("]]>", "]]&gt;"),
  ])
  func whatAClientSentStaysText(_ text: String, _ written: String) {
    var xml = XML()
    xml.element("T", text)
    let body = String(decoding: xml.bytes, as: UTF8.self)
    #expect(
      body.utf8.elementsEqual(#"<?xml version="1.0" encoding="UTF-8"?><T>\#(written)</T>"#.utf8))
  }

  @Test(arguments: [
    (GlobusError.notFound, "NoSuchKey", 404), (.collectionNotFound, "NoSuchBucket", 404),
    (.noHTTPS, "InvalidBucketState", 409), (.denied, "AccessDenied", 403),
    (.expired, "ExpiredToken", 403), (.signInRequired(.none), "AccessDenied", 403),
    (.noAccount, "AccessDenied", 403),
    (.slowDown(retryAfter: 7), "SlowDown", 503), (.unavailable("x"), "ServiceUnavailable", 503),
    (.addressRefused("10.0.0.1"), "AccessDenied", 403), (.invalidRange, "InvalidRange", 416),
  ])
  func globusInS3sWords(_ globus: GlobusError, _ code: String, _ status: Int) {
    let error = S3Error(globus, signInURL: "https://s3.example.org/c/?auth")
    #expect(error.code.rawValue == code && error.status == status)
    let names = error.headers.map(\.name)
    #expect(names.contains("Retry-After") == (status == 503))
    switch globus {
    case .denied, .expired, .signInRequired:
      #expect(error.message.contains("https://s3.example.org/c/?auth"))
    case .noAccount:
      // A sign-in would lead here again.
      #expect(!error.message.contains("https://") && error.message.contains("administrator"))
    case .addressRefused:
      #expect(error.message.contains("10.0.0.1"))
      #expect(error.message.contains("--allow-private-upstream"))
    case .unavailable:
      #expect(!error.message.contains("x.") && error.cause == "x")
    default: break
    }
  }

  @Test(
    arguments: [
      (nil, "5"), (0, "1"), (30, "30"), (Int.max, "3600"), (-4, "1"),
    ] as [(Int?, String)])
  func retryAfterStaysWithinBounds(_ seconds: Int?, _ header: String) {
    let error = S3Error(.slowDown(retryAfter: seconds), signInURL: "")
    #expect(error.headers.first?.value == header)
  }

  @Test(arguments: [
    (400, "BadRequest"), (405, "MethodNotAllowed"), (408, "RequestTimeout"),
    (413, "EntityTooLarge"),
    (414, "RequestURITooLong"), (417, "ExpectationFailed"),
    (431, "RequestHeaderSectionTooLarge"), (501, "NotImplemented"),
    (505, "HTTPVersionNotSupported"),
  ])
  func malformedRequests(_ status: Int, _ code: String) {
    let error = S3Error(malformedStatus: status, reason: "why")
    #expect(error.code.rawValue == code && error.status == status)
    #expect(error.message.contains("why"))
  }

  @Test func everyCodeHasAnErrorStatus() {
    for code in S3Error.Code.allCases {
      #expect(400...599 ~= code.status && !code.message.isEmpty, "\(code)")
    }
  }
}
