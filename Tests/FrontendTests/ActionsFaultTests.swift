import Testing

@testable import Frontend
@testable import Reactor

/// What a collection's server does wrong, and what a client sees of it: an error, or a cut
/// connection, never wrong bytes.
@Suite(.onLoop) struct ActionsFaultTests {
  @Loop private func bed(
    size: Int, _ upstream: @escaping Server.Handler
  ) throws -> GatewayBed {
    let bed = try GatewayBed(upstream: upstream)
    bed.addFile("/a.txt", size: size)
    return bed
  }

  @Loop private func replying(
    _ body: String, status: Int = 200, type: String = "text/plain"
  ) -> Server.Handler {
    { _ = await $0.respond(status, ["Content-Type": type], body: Array(body.utf8)) }
  }

  @Test @Loop func aSizeThatDisagrees() async throws {
    let bed = try bed(size: 5, replying("123"))
    defer { bed.close() }
    let answer = try await bed.ask("GET", "/a.txt")
    #expect(answer.status == 503 && answer.code == "ServiceUnavailable")
    #expect(answer.headers["Retry-After"] != nil)
    #expect(bed.collection.asked.filter { $0 == "stat /a.txt" }.count == 2)
    #expect(try bed.row(answer)["outcome"] == "server_error")
  }

  @Test @Loop func aFreshStatusSettlesIt() async throws {
    let bed = try bed(size: 5, replying("123"))
    defer { bed.close() }
    bed.collection.freshFiles["/a.txt"] = FileStatus(kind: .file, size: 3, modified: 1)
    let answer = try await bed.ask("GET", "/a.txt")
    #expect(answer.status == 200 && answer.body == "123")
    #expect(answer.headers["Last-Modified"] == "Thu, 01 Jan 1970 00:00:01 GMT")
  }

  @Test @Loop func aSignInPageIsNoObject() async throws {
    let page = try bed(size: 5, replying("<html>sign in", type: "text/html; charset=utf-8"))
    defer { page.close() }
    let answer = try await page.ask("GET", "/a.txt")
    #expect(answer.status == 403 && answer.code == "ExpiredToken")
    #expect(answer.body.contains("http://localhost:8000/\(GatewayBed.bucket)/?auth"))
    let own = try bed(size: 6, replying("<html>", type: "text/html"))
    defer { own.close() }
    #expect(try await own.ask("GET", "/a.txt").body == "<html>")
  }

  @Test @Loop func aSizeThatAgreesOnAnotherNode() async throws {
    let bed = try bed(size: 5) { exchange in
      let isFresh = exchange.head.target == "/a.txt" && Self.count(exchange) > 1
      _ = await exchange.respond(200, [:], body: Array((isFresh ? "12345" : "").utf8))
    }
    defer { bed.close() }
    Self.counts = [:]
    let answer = try await bed.ask("GET", "/a.txt")
    #expect(answer.status == 200 && answer.body == "12345")
    #expect(bed.collection.connections == [.any, .fresh(avoiding: ["127.0.0.1"])])
  }

  @Loop private static var counts: [String: Int] = [:]
  @Loop private static func count(_ exchange: Exchange) -> Int {
    counts[exchange.head.target, default: 0] += 1
    return counts[exchange.head.target, default: 0]
  }

  @Test(arguments: [
    ("bytes=3-", 206, "3456"), ("bytes=-1", 206, "6"), ("bytes=1-3", 206, "123"),
    ("bytes=0-0", 206, "0"), ("bytes=0-5", 206, "012345"), ("bytes=0-6", 206, "0123456"),
  ])
  @Loop func theWholeForARangeIsSkipped(_ header: String, _ status: Int, _ body: String)
    async throws
  {
    let bed = try bed(size: 7, replying("0123456"))
    defer { bed.close() }
    let answer = try await bed.ask("GET", "/a.txt", ["Range": header])
    #expect(answer.status == status && answer.body == body)
    #expect(try bed.row(answer)["outcome"] == "ok")
  }

  @Test @Loop func aPartTooFarBehindTheStartIsNotReadTowards() async throws {
    let size = GlobusLimits.skippedBytes + 10
    let bed = try bed(size: Int(size)) { exchange in
      _ = exchange.begin(200, [:], length: size)
      _ = await exchange.write([0])
      _ = await exchange.finish()
    }
    defer { bed.close() }
    let first = GlobusLimits.skippedBytes + 1
    let answer = try await bed.ask("GET", "/a.txt", ["Range": "bytes=\(first)-\(first + 1)"])
    #expect(answer.status == 503 && answer.body.contains("64 MiB"))
    #expect(answer.headers["Retry-After"] != nil)
  }

  private static let far = GlobusLimits.skippedBytes
  typealias Fit = (
    status: Int, length: UInt64?, total: String, size: UInt64, range: ClosedRange<UInt64>,
    fit: GetObject.Fit
  )
  private static let fits: [Fit] = [
    (200, 10, "", 10, 0...9, .part(skip: 0, take: nil)),
    (200, 10, "", 10, 2...9, .part(skip: 2, take: nil)),
    (200, 10, "", 10, 2...8, .part(skip: 2, take: 7)),
    (200, nil, "", 10, 2...8, .part(skip: 2, take: 7)),
    (200, 9, "", 10, 2...8, .disagreement),
    (200, far + 9, "", far + 9, far...far, .part(skip: far, take: 1)),
    (200, far + 9, "", far + 9, (far + 1)...(far + 8), .tooFar),
    (206, 7, "*", 10, 2...8, .part(skip: 0, take: nil)),
    (206, 7, "10", 10, 2...8, .part(skip: 0, take: nil)),
    (206, 7, "11", 10, 2...8, .disagreement), (206, 6, "*", 10, 2...8, .disagreement),
    (206, nil, "*", 10, 2...8, .part(skip: 0, take: nil)),
    (206, 2, "*", far * 4, (far * 2)...(far * 2 + 1), .part(skip: 0, take: nil)),
  ]

  @Test(arguments: fits.indices) func whereTheBytesAre(_ n: Int) {
    let it = Self.fits[n]
    let answer = ResponseHead(
      status: it.status,
      headers: it.total.isEmpty ? [:] : ["Content-Range": "bytes 2-8/\(it.total)"],
      contentLength: it.length, address: "")
    let head = ObjectHead(status: 206, headers: [:], size: it.size, modified: 0, range: it.range)
    #expect(GetObject.fit(answer, for: head) == it.fit, "\(it)")
  }

  @Test @Loop func headersOfTheServerStayBehind() async throws {
    let bed = try bed(size: 5) { exchange in
      _ = await exchange.respond(
        200,
        [
          "Set-Cookie": "a=b", "Location": "https://evil.example.org/",
          "WWW-Authenticate": "Bearer", "Content-Type": "text/html", "Content-Encoding": "gzip",
          "X-Amz-Request-Id": "forged", "ETag": "\"theirs\"", "Server": "Apache",
          "Strict-Transport-Security": "max-age=1", "Refresh": "0; url=/", "X-Forged": "x",
          "Access-Control-Allow-Origin": "*",
        ], body: Array("12345".utf8))
    }
    defer { bed.close() }
    let answer = try await bed.ask("GET", "/a.txt")
    #expect(answer.body == "12345")
    let names = Set(answer.headers.fields.map { $0.name.lowercased() })
    #expect(
      names == [
        "date", "content-length", "etag", "last-modified", "accept-ranges", "content-type",
        "content-security-policy", "x-content-type-options", "x-amz-request-id", "x-amz-id-2",
        "server",
      ])
    #expect(answer.headers["Content-Type"] == "text/plain")
    #expect(answer.headers["Server"] == "globus-s3-frontend")
    #expect(answer.headers.fields.allSatisfy { !$0.value.contains("forged") })
    #expect(answer.headers["ETag"] != "\"theirs\"")
  }

  @Test @Loop func aBodyCutMidway() async throws {
    let size = 1 << 20
    let bed = try bed(size: size) { exchange in
      guard exchange.begin(200, [:], length: UInt64(size)) else { return }
      _ = await exchange.write(Array(repeating: 0x61, count: size / 2))
      _ = await exchange.abort()
    }
    defer { bed.close() }
    await #expect(throws: TransferError.self) { try await bed.ask("GET", "/a.txt") }
    #expect(try bed.column("outcome") == ["upstream_abort"])
    #expect(try bed.column("status") == ["200"])
  }

  @Test(arguments: [
    (GlobusError.notFound, 503, "ServiceUnavailable"),
    (.unavailable("x"), 503, "ServiceUnavailable"), (.invalidRange, 503, "ServiceUnavailable"),
    (.denied, 403, "AccessDenied"), (.expired, 403, "ExpiredToken"),
    (.slowDown(retryAfter: 3), 503, "SlowDown"), (.noHTTPS, 409, "InvalidBucketState"),
  ])
  @Loop func readingFails(_ error: GlobusError, _ status: Int, _ code: String) async throws {
    let bed = try bed(size: 5, replying("12345"))
    defer { bed.close() }
    bed.collection.readError = error
    let answer = try await bed.ask("GET", "/a.txt")
    #expect(answer.status == status && answer.code == code)
  }

  @Test @Loop func missingIsWhatStatSays() async throws {
    let bed = try bed(size: 5, replying("12345"))
    defer { bed.close() }
    bed.collection.statError = .notFound
    #expect(try await bed.ask("GET", "/a.txt").code == "NoSuchKey")
    bed.collection.statError = .unavailable("x")
    let answer = try await bed.ask("GET", "/a.txt")
    #expect(answer.status == 503 && answer.headers["Retry-After"] != nil)
  }

  @Test @Loop func anObjectThatHasGone() async throws {
    let bed = try bed(size: 5, replying("12345"))
    defer { bed.close() }
    bed.collection.readError = .notFound
    bed.collection.freshFiles["/a.txt"] = FileStatus(kind: .directory, size: 0, modified: 0)
    #expect(try await bed.ask("GET", "/a.txt").code == "NoSuchKey")
  }
}
