import Reactor
import Testing

@testable import Frontend

private let text = "0123456789"

/// A server that has `text` at every path and honours single ranges, as collections do.
@Loop private func honest(_ exchange: Exchange) async {
  let bytes = Array(text.utf8)
  guard let header = exchange.head["range"], let range = ByteRange(header) else {
    _ = await exchange.respond(200, [:], body: bytes)
    return
  }
  guard let part = range.resolve(size: UInt64(bytes.count)) else {
    _ = await exchange.respond(416, [:])
    return
  }
  _ = await exchange.respond(
    206, ["Content-Range": "bytes \(part.lowerBound)-\(part.upperBound)/*"],
    body: Array(bytes[Int(part.lowerBound)...Int(part.upperBound)]))
}

@Suite(.onLoop) struct ActionsTests {
  @Loop private func bed(_ upstream: @escaping Server.Handler = honest) throws -> GatewayBed {
    let bed = try GatewayBed(upstream: upstream)
    bed.addFile("/a.txt", size: text.utf8.count)
    bed.collection.files["/dir"] = FileStatus(
      kind: .directory, size: 4096, modified: GatewayBed.modified)
    bed.collection.files["/"] = bed.collection.files["/dir"]
    return bed
  }

  @Test @Loop func aWholeObject() async throws {
    let bed = try bed()
    defer { bed.close() }
    let answer = try await bed.ask("GET", "/a.txt")
    #expect(answer.status == 200 && answer.body == text)
    #expect(answer.headers["Content-Length"] == "10" && answer.headers["Accept-Ranges"] == "bytes")
    #expect(answer.headers["Content-Type"] == "text/plain")
    #expect(answer.headers["Last-Modified"] == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(answer.headers["ETag"]?.hasSuffix("-1\"") == true)
    #expect(answer.headers["Content-Security-Policy"] == "sandbox")
    #expect(answer.headers["X-Content-Type-Options"] == "nosniff")
    #expect(bed.collection.asked.sorted() == ["read /a.txt", "stat /a.txt"])
    let row = try bed.row(answer)
    #expect(row["operation"] == "GetObject" && row["outcome"] == "ok" && row["status"] == "200")
    #expect(row["object_key"] == "a.txt" && row["collection_id"] == GatewayBed.bucket)
    #expect(row["bytes_out"] == "10" && row["username"] == "ada@example.org")
    #expect(row["auth"] == "header" && row["auth_result"] == "unverified")
    #expect(row["upstream_calls"] == "2")
  }

  @Test(arguments: [
    ("bytes=2-4", "bytes 2-4/10", "234", "read /a.txt 2-4"),
    ("bytes=7-", "bytes 7-9/10", "789", "read /a.txt 7-9"),
    ("bytes=-2", "bytes 8-9/10", "89", "read /a.txt 8-9"),
    ("bytes=0-", "bytes 0-9/10", text, "read /a.txt"),
    ("bytes=5-5000", "bytes 5-9/10", "56789", "read /a.txt 5-5000"),
    ("bytes=5-99999999999999999999", "bytes 5-9/10", "56789", "read /a.txt 5-9"),
  ])
  @Loop func ranges(
    _ header: String, _ contentRange: String, _ body: String, _ read: String
  ) async throws {
    let bed = try bed()
    defer { bed.close() }
    let answer = try await bed.ask("GET", "/a.txt", ["Range": header])
    #expect(answer.status == 206 && answer.body == body)
    #expect(answer.headers["Content-Range"] == contentRange)
    #expect(bed.collection.asked.contains(read))
    let row = try bed.row(answer)
    #expect(row["range"] == header && row["bytes_out"] == "\(body.utf8.count)")
    let head = try await bed.ask("HEAD", "/a.txt", ["Range": header])
    #expect(head.status == 206 && head.body.isEmpty)
    #expect(head.headers["Content-Length"] == "\(body.utf8.count)")
  }

  @Test @Loop func aRangeThatCountsForNothing() async throws {
    let bed = try bed()
    defer { bed.close() }
    for header in ["bytes=5-2", "bytes=0-1,3-4", "items=0-1"] {
      let answer = try await bed.ask("GET", "/a.txt", ["Range": header])
      #expect(answer.status == 200 && answer.body == text)
    }
    let part = try await bed.ask("GET", "/a.txt", query: "partNumber=1")
    #expect(part.status == 206 && part.body == text)
    let stale = try await bed.ask("GET", "/a.txt", ["Range": "bytes=0-1", "If-Range": "\"x\""])
    #expect(stale.status == 200 && stale.body == text)
  }

  @Test @Loop func unsatisfiableRanges() async throws {
    let bed = try bed()
    defer { bed.close() }
    bed.addFile("/empty", size: 0)
    for (path, header, size) in [
      ("/a.txt", "bytes=10-", 10), ("/a.txt", "bytes=10-11", 10), ("/a.txt", "bytes=-0", 10),
      ("/empty", "bytes=0-", 0), ("/empty", "bytes=-1", 0),
    ] {
      let answer = try await bed.ask("GET", path, ["Range": header])
      #expect(answer.status == 416 && answer.code == "InvalidRange", "\(path) \(header)")
      #expect(answer.headers["Content-Range"] == "bytes */\(size)")
    }
  }

  @Test @Loop func headsHaveTheSizeAndNoBody() async throws {
    let bed = try bed()
    defer { bed.close() }
    let answer = try await bed.ask("HEAD", "/a.txt")
    #expect(answer.status == 200 && answer.headers["Content-Length"] == "10")
    #expect(answer.body.isEmpty && bed.collection.asked == ["stat /a.txt"])
    let row = try bed.row(answer)
    #expect(row["operation"] == "HeadObject" && row["bytes_out"] == "0")
    let missing = try await bed.ask("HEAD", "/b.txt")
    #expect(missing.status == 404 && missing.body.isEmpty)
    #expect(missing.headers["x-amz-error-code"] == "NoSuchKey")
    #expect(missing.headers["x-amz-error-message"]?.isEmpty == false)
  }

  @Test @Loop func foldersAndFilesAreNotEachOther() async throws {
    let bed = try bed()
    defer { bed.close() }
    for (path, status) in [("/dir", 404), ("/a.txt/", 404), ("/no/", 404), ("/dir/", 200)] {
      for method in ["GET", "HEAD"] {
        #expect(try await bed.ask(method, path).status == status, "\(method) \(path)")
      }
    }
    let folder = try await bed.ask("GET", "/dir/")
    #expect(folder.headers["Content-Type"] == "application/x-directory")
    #expect(folder.headers["Content-Length"] == "0" && folder.body.isEmpty)
  }

  @Test @Loop func conditionsHold() async throws {
    let bed = try bed()
    defer { bed.close() }
    let etag = try #require(try await bed.ask("HEAD", "/a.txt").headers["ETag"])
    let same = try await bed.ask("GET", "/a.txt", ["If-None-Match": etag])
    #expect(same.status == 304 && same.body.isEmpty && same.headers["ETag"] == etag)
    #expect(try bed.row(same)["outcome"] == "ok")
    let other = try await bed.ask("GET", "/a.txt", ["If-Match": "\"x\"", "Range": "bytes=0-1"])
    #expect(other.status == 412 && other.code == "PreconditionFailed")
    let good = try await bed.ask("GET", "/a.txt", ["If-Match": etag, "Range": "bytes=0-1"])
    #expect(good.status == 206 && good.body == "01")
  }

  @Test @Loop func responseHeadersAreOverridden() async throws {
    let bed = try bed()
    defer { bed.close() }
    let answer = try await bed.ask(
      "GET", "/a.txt",
      query: "response-content-disposition=attachment%3B%20x&response-content-type=a%2Fb")
    #expect(answer.headers["Content-Type"] == "a/b")
    #expect(answer.headers["Content-Disposition"] == "attachment; x")
    #expect(answer.headers["Content-Security-Policy"] == "sandbox")
  }

  @Test @Loop func aBucketIsItsRootFolder() async throws {
    let bed = try bed()
    defer { bed.close() }
    let answer = try await bed.ask("HEAD", "/")
    #expect(answer.status == 200 && answer.headers["x-amz-bucket-region"] == "us-east-1")
    bed.collection.statError = .collectionNotFound
    let missing = try await bed.ask("HEAD", "")
    #expect(missing.status == 404 && missing.headers["x-amz-error-code"] == "NoSuchBucket")
  }

  @Test @Loop func arguments() async throws {
    let bed = try bed()
    defer { bed.close() }
    for (query, status, code) in [
      ("versionId=3", 404, "NoSuchVersion"), ("partNumber=2", 416, "InvalidPartNumber"),
      ("partNumber=0", 400, "InvalidArgument"), ("partNumber=10001", 400, "InvalidArgument"),
      ("partNumber=x", 400, "InvalidArgument"),
    ] {
      let answer = try await bed.ask("GET", "/a.txt", query: query)
      #expect(answer.status == status && answer.code == code, "\(query)")
    }
    #expect(bed.collection.asked.isEmpty)
    #expect(try await bed.ask("GET", "/a.txt", query: "versionId=null").body == text)
  }
}
