// Server and HTTPClient against each other, over real sockets: requests, answers, relays, ends.

import Glibc
import Testing

@testable import Reactor

@Suite(.timeLimit(.minutes(2))) struct ExchangeTests {
  init() { Loop.runInBackground() }

  @Loop private func client(maxActive: UInt32 = 64) throws -> HTTPClient {
    var configuration = HTTPClient.Configuration()
    configuration.allowPlainHTTP = true
    configuration.allowAnyAddress = true
    configuration.maxActive = maxActive
    return try HTTPClient(configuration)
  }

  @Loop private func server(_ handler: @escaping Server.Handler) throws -> Server {
    try Server(Server.Configuration(host: "127.0.0.1", port: 0), handler: handler)
  }

  @Loop private func url(_ server: Server, _ path: String) -> String {
    "http://127.0.0.1:\(server.port)\(path)"
  }

  @Test @Loop func aRequestArrivesWholeAndItsAnswerToo() async throws {
    let server = try server { exchange in
      let body = (try? await exchange.readBody(limit: 100)) ?? []
      let text = "\(exchange.head.method) \(exchange.head.target) \(exchange.head["x-name"] ?? "")"
      let sent = await exchange.respond(201, ["X-Echo": text], body: body.reversed())
      #expect(sent.outcome == .complete && sent.status == 201 && sent.bodyBytes == 3)
      #expect(sent.bytesIn == 3)
    }
    defer { server.close() }
    let request = TransferRequest(
      "POST", url(server, "/a%20b?c=d"), headers: ["X-Name": "välue"], body: [1, 2, 3])
    let answer = try await client().fetch(request, limit: 100)
    #expect(answer.head.status == 201)
    #expect(answer.head.headers["x-echo"] == "POST /a%20b?c=d välue")
    #expect(answer.body == [3, 2, 1])
  }

  @Test @Loop func aBodyOverTheLimitIsRefusedAndTheAnswerStillArrives() async throws {
    let server = try server { exchange in
      do throws(BodyError) {
        _ = try await exchange.readBody(limit: 10)
        Issue.record("11 bytes passed a limit of 10")
      } catch {
        #expect(error == .tooLarge)
        _ = await exchange.respond(413, [:])
      }
    }
    defer { server.close() }
    let request = TransferRequest("POST", url(server, "/"), body: Array(repeating: 7, count: 11))
    #expect(try await client().fetch(request, limit: 100).head.status == 413)
  }

  @Test @Loop func aCollectedBodyOverTheLimitFails() async throws {
    let server = try server { _ = await $0.respond(200, [:], body: Array(repeating: 7, count: 11)) }
    defer { server.close() }
    let transfer = try await client().start(TransferRequest("GET", url(server, "/")))
    await #expect(throws: TransferError.self) { try await transfer.collect(limit: 10) }
  }

  @Test @Loop func aRelayPassesTheBodyOnAndTellsHowMuch() async throws {
    let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let origin = try server { exchange in
      guard exchange.begin(200, [:], length: UInt64(body.count)) else { return }
      for start in stride(from: 0, to: body.count, by: 100_000) {
        guard await exchange.write(Array(body[start..<(start + 100_000)])) else { return }
      }
      _ = await exchange.finish()
    }
    let client = try client()
    let originURL = url(origin, "/")
    let front = try server { exchange in
      guard let transfer = try? await client.start(TransferRequest("GET", originURL)) else {
        return
      }
      #expect(exchange.begin(200, [:], length: UInt64(body.count - 5)))
      let end = await exchange.relay(transfer, skip: 5)
      #expect(end.error == nil && end.delivered == UInt64(body.count - 5))
      #expect(await exchange.finish().bodyBytes == UInt64(body.count - 5))
    }
    defer {
      origin.close()
      front.close()
    }
    let answer = try await client.fetch(TransferRequest("GET", url(front, "/")), limit: 4_000_000)
    #expect(answer.body == Array(body.dropFirst(5)))
  }

  @Test @Loop func aBrokenRelayIsGoneOnWithAtItsOffset() async throws {
    let body = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 17) }
    let origin = try server { exchange in
      let start = exchange.head["x-from"].flatMap { Int($0) } ?? 0
      guard exchange.begin(200, [:], length: UInt64(body.count - start)) else { return }
      let end = start == 0 ? 120_000 : body.count
      _ = await exchange.write(Array(body[start..<end]))
      _ = start == 0 ? await exchange.abort() : await exchange.finish()
    }
    let client = try client()
    let originURL = url(origin, "/")
    let front = try server { exchange in
      guard let first = try? await client.start(TransferRequest("GET", originURL)) else { return }
      _ = exchange.begin(200, [:], length: UInt64(body.count))
      let broken = await exchange.relay(first)
      #expect(broken.error?.code == .broken)
      let rest = TransferRequest("GET", originURL, headers: ["X-From": "\(broken.delivered)"])
      guard let second = try? await client.start(rest) else { return }
      let end = await exchange.relay(second)
      #expect(end.error == nil && broken.delivered + end.delivered == UInt64(body.count))
    }
    defer {
      origin.close()
      front.close()
    }
    let answer = try await client.fetch(TransferRequest("GET", url(front, "/")), limit: 1_000_000)
    #expect(answer.body == body)
  }

  @Test @Loop func anAbortedAnswerReachesTheClientAsAnError() async throws {
    let server = try server { exchange in
      _ = exchange.begin(200, [:], length: 10)
      _ = await exchange.write([1, 2, 3])
      #expect(await exchange.abort().outcome == .aborted)
    }
    defer { server.close() }
    let transfer = try await client().start(TransferRequest("GET", url(server, "/")))
    await #expect(throws: TransferError.self) { try await transfer.collect(limit: 100) }
  }

  @Test @Loop func aHandlerThatDoesNotAnswerLeavesNoHangingClient() async throws {
    let server = try server { _ in }
    defer { server.close() }
    await #expect(throws: TransferError.self) {
      try await client().start(TransferRequest("GET", url(server, "/")))
    }
  }

  @Test @Loop func aVanishedClientCancelsTheHandlersTransfers() async throws {
    let reached = Flag()
    let origin = try server { exchange in
      reached.raise(true)
      await Loop.sleep(milliseconds: 3_600_000)
    }
    let client = try client()
    let originURL = url(origin, "/")
    let frontEnded = Flag()
    let front = try server { exchange in
      do throws(TransferError) {
        _ = try await client.start(TransferRequest("GET", originURL))
      } catch {
        frontEnded.raise(error.code == .cancelled && Task.isCancelled)
      }
    }
    defer {
      origin.close()
      front.close()
    }
    let reset = try sendAndReset(port: front.port, after: reached)
    #expect(await frontEnded.wait())
    _ = await reset.value
  }

  /// Sends a request over a socket of its own and resets it once `reached` is raised: a mere close
  /// could be a half-close, whose answer is still owed.
  @Loop private func sendAndReset(port: UInt16, after reached: Flag) throws -> Task<Void, Never> {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(connected == 0)
    let request = Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
    try #require(send(fd, request, request.count, 0) == request.count)
    return Loop.start {
      _ = await reached.wait()
      var linger = linger(l_onoff: 1, l_linger: 0)
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
      close(fd)
    }
  }

  @Test @Loop func malformedRequestsReachTheHandlerWithTheirReason() async throws {
    let seen = Flag()
    let server = try server { exchange in
      seen.raise(exchange.head.malformed?.status == 417)
      _ = await exchange.respond(417, [:])
    }
    defer { server.close() }
    let request = TransferRequest("GET", url(server, "/"), headers: ["Expect": "miracles"])
    #expect(try await client().fetch(request, limit: 10).head.status == 417)
    #expect(await seen.wait())
  }

  @Test func controlBytesNeverReachAHeaderLine() {
    let headers: Headers = ["X-A": "one\r\nX-B: two\u{0}"]
    #expect(String(decoding: headers.lines, as: UTF8.self) == "X-A: one  X-B: two \r\n")
  }
}

/// Something that will have happened, with its verdict.
@Loop private final class Flag {
  private var value: Bool?
  private var waiter: CheckedContinuation<Bool, Never>?

  func raise(_ verdict: Bool) {
    value = verdict
    waiter?.resume(returning: verdict)
    waiter = nil
  }

  func wait() async -> Bool {
    if let value { return value }
    return await withCheckedContinuation { waiter = $0 }
  }
}
