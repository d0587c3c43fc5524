import Reactor
import Testing

@testable import Frontend

/// A transfer that breaks midway is gone on with, as long as the object is the same.
@Suite(.onLoop) struct ActionsResumeTests {
  private static let size = 1 << 20
  private static let object = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }

  /// Sends `piece` bytes of what is asked for and breaks, until that reaches the end.
  @Loop private func breaking(after piece: Int, tag: [String] = []) throws -> GatewayBed {
    let bed = try GatewayBed { exchange in
      let range = exchange.head["range"].flatMap { $0.split(separator: "=").last }
      let first = range.flatMap { Int($0.prefix { $0 != "-" }) } ?? 0
      let last = range.flatMap { $0.split(separator: "-").last }.flatMap { Int($0) }
      let end = (last ?? Self.size - 1) + 1
      var headers: Headers = [:]
      if range != nil { headers.add("Content-Range", "bytes \(first)-\(end - 1)/*") }
      if !tag.isEmpty { headers.add("ETag", first == 0 ? tag[0] : tag[1]) }
      guard exchange.begin(range == nil ? 200 : 206, headers, length: UInt64(end - first)) else {
        return
      }
      let stop = min(first + piece, end)
      _ = await exchange.write(Array(Self.object[first..<stop]))
      // A reset throws away what is still on its way.
      if stop < end { await Loop.sleep(milliseconds: 100) }
      _ = stop == end ? await exchange.finish() : await exchange.abort()
    }
    bed.addFile("/a.bin", size: Self.size)
    return bed
  }

  @Test(arguments: [(nil, 0, size), ("bytes=1000-900000", 1000, 900_001)] as [(String?, Int, Int)])
  @Loop func theClientGetsEveryByte(range: String?, first: Int, end: Int) async throws {
    let bed = try breaking(after: 400_000)
    defer { bed.close() }
    let body = try await bed.bytes("/a.bin", range.map { ["Range": $0] } ?? [:])
    #expect(body == Array(Self.object[first..<end]))
    #expect(try bed.column("outcome") == ["ok"])
    #expect(try bed.column("bytes_out") == ["\(end - first)"])
    let reads = bed.collection.asked.filter { $0.hasPrefix("read") }.count
    #expect(reads >= 3)
    #expect(bed.metrics.resumes == (reads - 1, 0))
    // Where it broke it is not gone on with, if there is another node.
    let again = TransferRequest.Connection.fresh(avoiding: ["127.0.0.1"])
    #expect(bed.collection.connections.dropFirst().prefix(1) == [again])
  }

  @Test @Loop func anObjectThatChangedIsCutNotSpliced() async throws {
    let bed = try breaking(after: 400_000)
    defer { bed.close() }
    bed.collection.freshFiles["/a.bin"] = FileStatus(
      kind: .file, size: UInt64(Self.size), modified: GatewayBed.modified + 1)
    await #expect(throws: TransferError.self) { try await bed.bytes("/a.bin", [:]) }
    #expect(try bed.column("outcome") == ["upstream_abort"])
    #expect(bed.metrics.resumes == (0, 1))
    let detail = try bed.column("error_detail", of: "request")
    #expect(detail[0].contains("broken") && detail[0].contains("the object has changed"))
  }

  @Test @Loop func aTagThatChangedIsCutNotSpliced() async throws {
    let bed = try breaking(after: 400_000, tag: ["\"one\"", "\"two\""])
    defer { bed.close() }
    await #expect(throws: TransferError.self) { try await bed.bytes("/a.bin", [:]) }
    #expect(try bed.column("outcome") == ["upstream_abort"])
    #expect(try bed.column("error_detail", of: "request")[0].contains("the ETag has changed"))
  }

  @Test @Loop func itIsNotTriedForEver() async throws {
    let bed = try breaking(after: 1000)
    defer { bed.close() }
    await #expect(throws: TransferError.self) { try await bed.bytes("/a.bin", [:]) }
    #expect(bed.collection.asked.filter { $0.hasPrefix("read") }.count == 1 + Limits.resumes)
    #expect(try bed.column("outcome") == ["upstream_abort"])
  }

  @Test @Loop func whyItWasNotGoneOnWithIsRecorded() async throws {
    let bed = try breaking(after: 400_000)
    defer { bed.close() }
    bed.collection.errorAfterFirstRead = .expired
    await #expect(throws: TransferError.self) { try await bed.bytes("/a.bin", [:]) }
    #expect(try bed.column("outcome") == ["upstream_abort"])
    let detail = try bed.column("error_detail", of: "request")
    #expect(detail[0].contains("not gone on with: the server said expired"))
  }

  @Test @Loop func aBodyThatNeverBeginsIsAnErrorThatIsTold() async throws {
    let bed = try GatewayBed { exchange in
      _ = exchange.begin(200, [:], length: UInt64(Self.size))
      _ = await exchange.write(Array(Self.object[..<500]))
      await Loop.sleep(milliseconds: 20)
      _ = await exchange.abort()
    }
    defer { bed.close() }
    bed.addFile("/a.bin", size: Self.size)
    let answer = try await bed.ask("GET", "/a.bin", ["Range": "bytes=1000-"])
    #expect(answer.status == 503 && answer.code == "ServiceUnavailable")
    #expect(answer.headers["Retry-After"] != nil && answer.headers["ETag"] == nil)
    let row = try bed.row(answer)
    #expect(row["outcome"] == "server_error" && row["error_code"] == "ServiceUnavailable")
    #expect(row["bytes_out"] == "\(answer.body.utf8.count)")
    #expect(try bed.column("error_detail", of: "request")[0].contains("gone on with often enough"))
  }
}
