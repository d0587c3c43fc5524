import Testing

@testable import Frontend

private let uuid = "6d8f2e3a-1b2c-4d5e-8f90-a1b2c3d4e5f6"

@Suite struct S3RoutingTests {
  private func action(
    _ method: String, _ level: RequestAddress.Level, _ query: String, copies: Bool = false
  ) throws -> Action {
    try action(method, level, query, copies ? ["x-amz-copy-source": "a/b"] : [:])
  }

  private func action(
    _ method: String, _ level: RequestAddress.Level, _ query: String, _ headers: [String: String]
  ) throws -> Action {
    Action(method: method, level: level, query: try Query(query)) { headers[$0] }
  }

  @Test(arguments: [
    ("GET", RequestAddress.Level.object, "", "GetObject"),
    ("GET", .object, "x-id=GetObject", "GetObject"),
    ("GET", .object, "X-Amz-Signature=00&response-content-type=a", "GetObject"),
    ("HEAD", .object, "versionId=null", "HeadObject"), ("HEAD", .bucket, "", "HeadBucket"),
    ("GET", .service, "", "ListBuckets"), ("GET", .bucket, "", "ListObjects"),
    ("GET", .bucket, "prefix=a&delimiter=/", "ListObjects"),
    ("GET", .bucket, "list-type=2&prefix=", "ListObjectsV2"),
    ("GET", .bucket, "location", "GetBucketLocation"),
    ("GET", .bucket, "location=", "GetBucketLocation"),
    ("GET", .object, "acl", "GetObjectAcl"), ("PUT", .object, "acl", "PutObjectAcl"),
    ("PUT", .object, "", "PutObject"), ("DELETE", .object, "", "DeleteObject"),
    ("PUT", .object, "partNumber=1&uploadId=x", "UploadPart"),
    ("POST", .object, "uploads", "CreateMultipartUpload"),
    ("POST", .bucket, "delete", "DeleteObjects"),
    ("PUT", .bucket, "", "CreateBucket"), ("POST", .bucket, "", "PostObject"),
    ("OPTIONS", .object, "", "Unknown"), ("DELETE", .bucket, "", "DeleteBucket"),
    ("GET", .bucket, "versions&key-marker=a", "ListObjectVersions"),
    ("GET", .bucket, "uploads", "ListMultipartUploads"),
    ("GET", .object, "attributes", "GetObjectAttributes"),
    ("GET", .object, "torrent", "GetObjectTorrent"),
    ("GET", .bucket, "metrics", "ListBucketMetricsConfigurations"),
    ("GET", .bucket, "metrics&id=a", "GetBucketMetricsConfiguration"),
    ("PUT", .bucket, "metrics&id=a", "PutBucketMetricsConfiguration"),
    ("GET", .service, "auth", "AuthStart"), ("GET", .bucket, "auth=&strict", "AuthStart"),
    ("GET", .service, "auth-callback&code=x&state=y", "AuthCallback"),
  ])
  func namesTheAction(
    _ method: String, _ level: RequestAddress.Level, _ query: String, _ name: String
  ) throws {
    #expect(try action(method, level, query).operation == name)
  }

  @Test func copySourceDecides() throws {
    #expect(try action("PUT", .object, "", copies: true) == .unsupported("CopyObject"))
    let part = try action("PUT", .object, "uploadId=1&partNumber=2", copies: true)
    #expect(part == .unsupported("UploadPartCopy"))
    #expect(try action("GET", .object, "", copies: true) == .getObject)
  }

  @Test(arguments: [
    (["x-amz-acl": "private"], true), (["x-amz-acl": "bucket-owner-full-control"], true),
    (["x-amz-acl": "private", "content-length": "0"], true), ([:], false),
    (["x-amz-acl": "public-read"], false),
    (["x-amz-acl": "private", "content-length": "9"], false),
    (["x-amz-acl": "private", "transfer-encoding": "chunked"], false),
    (["x-amz-acl": "private", "x-amz-grant-read": "id=1"], false),
  ])
  func onlyTheACLThatThereIsIsPut(_ headers: [String: String], _ isKept: Bool) throws {
    for (level, name) in [(RequestAddress.Level.bucket, "PutBucketAcl"), (.object, "PutObjectAcl")]
    {
      let action = try action("PUT", level, "acl", headers)
      #expect(action == (isKept ? .keepACL(name) : .unsupported(name)))
      #expect((action.refusal == nil) == isKept)
    }
  }

  @Test(arguments: [
    ([:], true), (["x-amz-acl": "private"], true),
    (["x-amz-bucket-object-lock-enabled": "false"], true), (["x-amz-acl": "public-read"], false),
    (["x-amz-bucket-object-lock-enabled": "True"], false), (["x-amz-grant-write": "id=1"], false),
  ])
  func aBucketIsNotMadeWithMoreThanItHas(_ headers: [String: String], _ isMade: Bool) throws {
    let action = try action("PUT", .bucket, "", headers)
    #expect(action == (isMade ? .createBucket : .unsupported("CreateBucket")))
    #expect((action.refusal == nil) == isMade)
  }

  @Test(arguments: ["what", "what=", "acl&policy", "auth", "auth-callback", "uploads&what"])
  func anUnknownSubresourceIsNeverAGet(_ query: String) throws {
    switch try action("GET", .object, query) {
    case .notImplemented(let name): #expect(query.contains(name))
    case .methodNotAllowed: #expect(query.hasPrefix("uploads"))
    case let other: Issue.record("\(query) became \(other)")
    }
  }

  @Test(arguments: [
    ("PATCH", RequestAddress.Level.object, ""), ("TRACE", .service, ""), ("POST", .object, ""),
    ("PUT", .service, ""), ("HEAD", .object, "acl"), ("POST", .bucket, "auth"),
    ("DELETE", .bucket, "location"),
  ])
  func methodsThatMakeNoSense(
    _ method: String, _ level: RequestAddress.Level, _ query: String
  ) throws {
    guard case .methodNotAllowed(let allow) = try action(method, level, query) else {
      Issue.record("\(method) ?\(query) was not refused")
      return
    }
    #expect(!allow.isEmpty && !allow.contains(method))
  }

  @Test(
    arguments: [
      ("", "/\(uuid)/a%20b/c", "\(uuid)", "a%20b/c", RequestAddress.Level.object),
      ("localhost:8000", "/\(uuid)", uuid, nil, .bucket),
      ("localhost:8000", "/\(uuid)/?list-type=2", uuid, nil, .bucket),
      ("s3.example.org", "/", nil, nil, .service),
      ("\(uuid).s3.example.org", "/", uuid, nil, .bucket),
      ("\(uuid.uppercased()).S3.example.ORG:444", "/a/b", uuid, "a/b", .object),
      ("\(uuid).s3.example.org", "//a", uuid, "/a", .object),
      // Whatever else stands before the base host names no bucket.
      ("data.s3.example.org", "/\(uuid)/a", uuid, "a", .object),
      ("\(uuid)s3.example.org", "/\(uuid)/a", uuid, "a", .object),
      ("x.\(uuid).s3.example.org", "/\(uuid)/a", uuid, "a", .object),
      ("\(uuid).evil.org", "/bucket/a", "bucket", "a", .object),
    ] as [(String, String, String?, String?, RequestAddress.Level)])
  func addresses(
    _ host: String, _ target: String, _ bucket: String?, _ key: String?,
    _ level: RequestAddress.Level
  ) throws {
    let address = try RequestAddress(host: host, target: target, baseHost: "s3.example.org")
    #expect(address.bucket == bucket && address.encodedKey == key && address.level == level)
  }

  @Test(arguments: ["*", "http://other/x", "host:443", "", "//key", "/%zz/a"])
  func targetsThatAreNoPath(_ target: String) {
    #expect(throws: S3Error.self) {
      try RequestAddress(host: "", target: target, baseHost: "localhost")
    }
  }

  @Test func aBucketIsAUUID() throws {
    let good = try RequestAddress(host: "", target: "/\(uuid.uppercased())", baseHost: "h")
    #expect(try good.collection()?.description == uuid)
    for name in ["bucket", "\(uuid)0", "%2e%2e", String(uuid.dropLast())] {
      let address = try RequestAddress(host: "", target: "/\(name)/key", baseHost: "h")
      #expect(code { () throws(S3Error) in _ = try address.collection() } == .noSuchBucket)
    }
  }

  @Test func queriesAreDecodedOnceAndInOrder() throws {
    let query = try Query("b=1%252&a=%2B+%20&flag&empty=&&z=%C3%A9")
    #expect(query.parameters.map(\.name) == ["b", "a", "flag", "empty", "z"])
    #expect(query.parameters.map(\.value) == ["1%2", "++ ", "", "", "é"])
    #expect(query["missing"] == nil && query.contains("flag"))
  }

  @Test func badQueries() throws {
    for text in ["a=%", "a=%4", "%zz", "a=%ff", "a=%c0%ae"] {
      #expect(code { () throws(S3Error) in _ = try Query(text) } == .invalidURI, "\(text)")
    }
    #expect(code { () throws(S3Error) in _ = try Query("=1") } == .invalidArgument)
    let repeated = try Query("prefix=a&prefix=b")
    #expect(code { () throws(S3Error) in try repeated.requireUnique() } == .invalidArgument)
    let most = (0..<Limits.queryParameters).map { "p\($0)" }.joined(separator: "&")
    #expect(try Query(most).parameters.count == Limits.queryParameters)
    #expect(code { () throws(S3Error) in _ = try Query(most + "&q") } == .invalidArgument)
  }
}

/// The code of what `body` throws.
func code(_ body: () throws(S3Error) -> Void) -> S3Error.Code? {
  do {
    try body()
    return nil
  } catch {
    return error.code
  }
}
