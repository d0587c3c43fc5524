import Audit
import Reactor
import Testing

@testable import Frontend

private let bucket = GatewayBed.bucket
private let signInURL = "http://localhost:8000/\(bucket)/?auth"

@Suite(.onLoop) struct GatewayTests {
  @Test(arguments: [
    ("GET", "/a/../b", 400, "InvalidURI", "GetObject"),
    ("GET", "/a%00", 400, "InvalidURI", "GetObject"),
    ("GET", "/%2e%2e/b", 400, "InvalidURI", "GetObject"),
    ("GET", "/a?b=%zz", 400, "InvalidURI", "Unknown"),
    ("GET", "/a?torrent", 501, "NotImplemented", "GetObjectTorrent"),
    ("GET", "/a?strange", 501, "NotImplemented", "Unknown"),
    ("GET", "/?session", 501, "NotImplemented", "CreateSession"),
    ("GET", "/a?attributes", 400, "InvalidArgument", "GetObjectAttributes"),
    ("GET", "/a?acl&versionId=3", 404, "NoSuchVersion", "GetObjectAcl"),
    ("GET", "/?uploads&max-uploads=x", 400, "InvalidArgument", "ListMultipartUploads"),
    ("PUT", "/a?acl", 501, "NotImplemented", "PutObjectAcl"),
    ("DELETE", "/", 403, "AccessDenied", "DeleteBucket"),
    ("GET", "/a?response-expires=1%0D%0AX:y", 400, "InvalidArgument", "GetObject"),
    ("GET", "/a?versionId=1&versionId=1", 400, "InvalidArgument", "GetObject"),
    ("DELETE", "/a", 501, "NotImplemented", "DeleteObject"),
    ("POST", "/a", 405, "MethodNotAllowed", "Unknown"),
  ])
  @Loop func refusalsAskNobodyAndAreRecorded(
    _ method: String, _ target: String, _ status: Int, _ code: String, _ operation: String
  ) async throws {
    let bed = try GatewayBed()
    defer { bed.close() }
    let parts = target.split(separator: "?", maxSplits: 1)
    let answer = try await bed.ask(
      method, String(parts[0]), query: parts.count > 1 ? String(parts[1]) : "")
    #expect(answer.status == status && answer.code == code)
    #expect(answer.headers["Content-Type"] == "application/xml")
    #expect(answer.headers["Allow"] != nil || code != "MethodNotAllowed")
    #expect(bed.collection.asked.isEmpty)
    let row = try bed.row(answer)
    #expect(row["operation"] == operation && row["error_code"] == code)
    #expect(row["outcome"] == (status < 500 ? "client_error" : "server_error"))
    let id = try #require(answer.headers["x-amz-request-id"])
    #expect(answer.body.contains("<RequestId>\(id)</RequestId>"))
  }

  @Test @Loop func aBucketThatIsNoUUIDComesBeforeEverything() async throws {
    let bed = try GatewayBed()
    defer { bed.close() }
    let answer = try await bed.send("GET", "/my-bucket/key")
    #expect(answer.status == 404 && answer.code == "NoSuchBucket")
    #expect(try bed.row(answer)["auth"] == "none")
  }

  @Test @Loop func whoIsRefused() async throws {
    let bed = try GatewayBed()
    defer { bed.close() }
    let anonymous = try await bed.send("GET", "/\(bucket)/a")
    #expect(anonymous.status == 403 && anonymous.code == "AccessDenied")
    #expect(anonymous.body.contains(signInURL))
    #expect(try bed.row(anonymous)["auth"] == "anonymous")
    let expired = try await bed.ask("GET", "/a", key: try bed.credential(expiresIn: -1))
    #expect(expired.status == 403 && expired.code == "ExpiredToken")
    #expect(try bed.row(expired)["auth_result"] == "expired")
    let other = "11111111-2222-4333-8444-555555555555"
    let elsewhere = try await bed.ask("GET", "/a", key: try bed.credential(bucket: other))
    #expect(elsewhere.status == 403 && elsewhere.code == "AccessDenied")
    #expect(elsewhere.body.contains(signInURL))
    #expect(try bed.row(elsewhere)["username"] == "ada@example.org")
    let forged = try await bed.send(
      "GET", "/\(bucket)/a",
      ["Authorization": "AWS GS3Anonsense:c2ln"])
    #expect(forged.status == 403 && forged.code == "InvalidAccessKeyId")
    #expect(try bed.row(forged)["auth_result"] == "malformed")
    let broken = try await bed.send("GET", "/\(bucket)/a", ["Authorization": "AWS4-HMAC-SHA256"])
    #expect(broken.status == 400 && broken.code == "AuthorizationHeaderMalformed")
    #expect(bed.collection.asked.isEmpty)
  }

  @Test(arguments: [
    (SignaturePolicy.any, false, false, 404, "unverified"),
    (.any, false, true, 404, "verified"), (.any, true, false, 403, "bad_signature"),
    (.any, true, true, 404, "verified"), (.verify, false, false, 403, "bad_signature"),
    (.verify, false, true, 404, "verified"),
  ])
  @Loop func signaturesCountWhereTheyMust(
    _ policy: SignaturePolicy, _ isStrict: Bool, _ isRight: Bool, _ status: Int, _ result: String
  ) async throws {
    let bed = try GatewayBed(policy: policy)
    defer { bed.close() }
    let key = try bed.credential(strict: isStrict)
    let answer = try await bed.ask(
      "GET", "/a%20b/%C3%A9", query: "x-id=GetObject&versionId=null", key: key,
      secret: isRight ? key.secretAccessKey : Secret("wrong"))
    #expect(answer.status == status)
    #expect(answer.code == (status == 403 ? "SignatureDoesNotMatch" : "NoSuchKey"))
    #expect(try bed.row(answer)["auth_result"] == result)
    #expect(bed.collection.asked.isEmpty == (status == 403))
  }

  @Test @Loop func aWrongVersion2CountsOnlyWhereNothingIsVerified() async throws {
    for (policy, status) in [(SignaturePolicy.any, 404), (.verify, 403)] {
      let bed = try GatewayBed(policy: policy)
      defer { bed.close() }
      let key = try bed.credential().accessKeyID
      let answer = try await bed.send("GET", "/\(bucket)/a", ["Authorization": "AWS \(key):c2ln"])
      #expect(answer.status == status)
      let presigned = try await bed.send(
        "GET", "/\(bucket)/a?AWSAccessKeyId=\(key)&Expires=99999999999&Signature=c2ln")
      #expect(presigned.status == 403 && presigned.code == "SignatureDoesNotMatch")
    }
  }

  @Test @Loop func presignedURLsAreAlwaysVerified() async throws {
    let bed = try GatewayBed()
    defer { bed.close() }
    let key = try bed.credential()
    let now = Loop.wallClockMicroseconds / 1_000_000
    for (secret, age, status, result) in [
      (key.secretAccessKey, 0, 404, "verified"), (Secret("wrong"), 0, 403, "bad_signature"),
      (key.secretAccessKey, 100, 403, "expired"),
    ] as [(Secret, Int64, Int, String)] {
      let query = SignedHeaders.presigned(
        "/\(bucket)/a", host: "s3.example.org", date: SignedHeaders.date(now - age), expires: 60,
        key: key.accessKeyID, secret: secret)
      let answer = try await bed.send(
        "GET", "/\(bucket)/a?\(query)", ["Host": "s3.example.org"])
      #expect(answer.status == status)
      let row = try bed.row(answer)
      #expect(row["auth"] == "presigned" && row["auth_result"] == result)
      #expect(!row.values.contains { $0.contains(key.accessKeyID) || $0.contains("X-Amz") })
    }
  }

  @Test @Loop func signInsHaveRows() async throws {
    let bed = try GatewayBed()
    defer { bed.close() }
    let answer = try await bed.send("GET", "/\(bucket.uppercased())/?auth&strict")
    #expect(answer.status == 303 && answer.headers["x-amz-request-id"] != nil)
    #expect(bed.signIn.requests.last?.collections.map(\.description) == [bucket])
    #expect(bed.signIn.requests.last?.isStrict == true)
    #expect(try bed.row(answer)["operation"] == "AuthStart")
    let other = "11111111-2222-4333-8444-555555555555"
    _ = try await bed.send(
      "GET", "/?auth&collection=\(bucket)&collection=\(other)&collection=\(bucket)")
    #expect(bed.signIn.requests.last?.collections.map(\.description) == [bucket, other])
    bed.signIn.reply = SignInReply(status: 200, body: Array("KEY".utf8))
    bed.signIn.reply.username = "ada@example.org"
    bed.signIn.reply.identityID = "00000000-0000-4000-8000-000000000001"
    bed.signIn.reply.credentialFingerprint = "FINGERPRINT"
    bed.signIn.reply.collections = [try #require(CollectionID(bucket))]
    let callback = try await bed.send("GET", "/?auth-callback&code=geheim&state=s")
    #expect(callback.body == "KEY" && bed.signIn.requests.last?.parameter("code") == "geheim")
    let row = try bed.row(callback)
    #expect(row["operation"] == "AuthCallback" && row["username"] == "ada@example.org")
    #expect(row["collection_id"] == bucket && row["credential"] == "FINGERPRINT")
    #expect(!row.values.contains { $0.contains("geheim") })
  }

  @Test @Loop func malformedRequestsHaveRows() async throws {
    let bed = try GatewayBed()
    defer { bed.close() }
    let answer = try await bed.send(
      "GET", "/\(bucket)/a", ["X-Long": String(repeating: "a", count: 40_000)])
    #expect(answer.status == 431 && answer.code == "RequestHeaderSectionTooLarge")
    let row = try bed.row(answer)
    #expect(row["operation"] == "Malformed" && row["outcome"] == "client_error")
  }

  @Test @Loop func whatCantBeRecordedIsRefused() async throws {
    let gate = Gate()
    let bed = try GatewayBed(spoolSlots: 1) { exchange in
      await gate.wait()
      _ = await exchange.respond(200, [:], body: Array("12345".utf8))
    }
    defer { bed.close() }
    bed.addFile("/slow", size: 5)
    async let slow = bed.ask("GET", "/slow")
    while bed.collection.asked.count < 2 { await Loop.sleep(milliseconds: 1) }
    let answer = try await bed.ask("GET", "/b")
    #expect(answer.status == 503 && answer.code == "ServiceUnavailable")
    #expect(answer.headers["Retry-After"] != nil)
    #expect(!bed.collection.asked.contains("stat /b"))
    gate.open()
    #expect(try await slow.body == "12345")
    #expect(try bed.column("status") == ["200"])
    #expect(try await bed.ask("GET", "/b").status == 404)
  }

  @Test @Loop func aClientThatLeavesHasARow() async throws {
    let size = 64 << 20
    let bed = try GatewayBed { exchange in
      guard exchange.begin(200, [:], length: UInt64(size)) else { return }
      let piece = [UInt8](repeating: 0x61, count: 1 << 20)
      for _ in 0..<(size >> 20) where await exchange.write(piece) {}
      _ = await exchange.finish()
    }
    defer { bed.close() }
    bed.addFile("/large", size: size)
    try await bed.leave("/large")
    var outcomes: [String] = []
    while outcomes.isEmpty {
      await Loop.sleep(milliseconds: 5)
      outcomes = try bed.column("outcome")
    }
    #expect(outcomes == ["client_abort"])
    #expect(try bed.column("bytes_out").allSatisfy { Int($0).map { $0 < size } ?? false })
  }

  @Test @Loop func onlyTrustedProxiesAreBelieved() async throws {
    for (proxies, address) in [([], "127.0.0.1"), (["127.0.0.0/8"], "192.0.2.7")] {
      let bed = try GatewayBed(proxies: proxies)
      defer { bed.close() }
      let answer = try await bed.ask("GET", "/a", ["X-Forwarded-For": "198.51.100.1, 192.0.2.7"])
      let row = try bed.row(answer)
      #expect(row["remote_ip"] == address && row["peer_ip"] == "127.0.0.1")
    }
  }
}

/// Holds its waiters until it is opened.
@Loop private final class Gate {
  private var isOpen = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func wait() async {
    if !isOpen { await withCheckedContinuation { waiting.append($0) } }
  }

  func open() {
    isOpen = true
    for continuation in waiting { continuation.resume() }
    waiting = []
  }
}
