import Reactor
import Testing

@testable import Frontend

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

  @Test(arguments: [("bytes=3-", 206, "3456"), ("bytes=-1", 206, "6")])
  @Loop func theWholeForARangeIsSkipped(_ header: String, _ status: Int, _ body: String)
    async throws
  {
    let bed = try bed(size: 7, replying("0123456"))
    defer { bed.close() }
    let answer = try await bed.ask("GET", "/a.txt", ["Range": header])
    #expect(answer.status == status && answer.body == body)
  }

  @Test @Loop func theWholeForAMiddleRangeIsRefused() async throws {
    let bed = try bed(size: 7, replying("0123456"))
    defer { bed.close() }
    #expect(try await bed.ask("GET", "/a.txt", ["Range": "bytes=1-3"]).status == 503)
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
