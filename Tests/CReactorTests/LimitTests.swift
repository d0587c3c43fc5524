// The limits of a listener and its connections, each crossed: who is turned away, who gives way, and
// that everybody else is served.

import CReactor
import Glibc
import Testing

private func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n" }
private let refusal = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"

@Suite(.serialized) struct LimitTests {
  /// A client that has had an answer, so that its connection is idle.
  private func idleClient(_ server: TestServer) -> RawClient {
    let client = RawClient(server.port)
    client.send(get("/"))
    #expect(client.receiveAnswer(body: 5).statuses == [200])
    return client
  }

  // MARK: connections

  @Test func atTheMaximumTheLongestIdleConnectionGivesWay() throws {
    let server = try TestServer(connections: 3)
    let first = idleClient(server)
    let second = idleClient(server)
    let third = idleClient(server)
    first.send(get("/"))
    #expect(first.receiveAnswer(body: 5).statuses == [200])
    let fourth = idleClient(server)
    #expect(second.receive().end == .closed)
    for client in [first, third, fourth] {
      client.send(get("/"))
      #expect(client.receiveAnswer(body: 5).statuses == [200])
    }
  }

  @Test func aConnectionThatWasNeverUsedGivesWay() throws {
    let server = try TestServer(connections: 2)
    let unused = RawClient(server.port)
    let used = idleClient(server)
    let third = idleClient(server)
    #expect(unused.receive().end == .closed)
    for client in [used, third] {
      client.send(get("/"))
      #expect(client.receiveAnswer(body: 5).statuses == [200])
    }
  }

  @Test func clientsWaitWhileNoConnectionIsIdle() throws {
    let server = try TestServer(connections: 2)
    let busy = [RawClient(server.port), RawClient(server.port)]
    for client in busy { client.send(get("/hold")) }
    _ = server.events(until: "request GET /hold", count: 2)
    let waiting = RawClient(server.port)
    waiting.send(get("/late"))
    #expect(waiting.receive(atLeast: 1, patience: 200).end == .waiting)
    #expect(!server.events.contains("request GET /late"))
    server.order(.answerHeld)
    #expect(waiting.receiveAnswer(body: 5).statuses == [200])
    for client in busy { #expect(client.receiveAnswer(body: 5).statuses == [200]) }
  }

  @Test func clientsWaitUntilABusyOneLeaves() throws {
    let server = try TestServer(connections: 1)
    let busy = RawClient(server.port)
    busy.send(get("/hold"))
    _ = server.events(until: "request GET /hold")
    let waiting = RawClient(server.port)
    waiting.send(get("/late"))
    busy.reset()
    #expect(waiting.receiveAnswer(body: 5).statuses == [200])
  }

  @Test func anAddressHasSoManyConnectionsAndNoMore() throws {
    let server = try TestServer(perAddress: 2, refusal: refusal)
    let first = idleClient(server)
    let second = idleClient(server)
    let third = RawClient(server.port)
    let (answer, end) = third.receive()
    #expect(String(decoding: answer, as: UTF8.self) == refusal && end == .closed)
    for client in [first, second] {
      client.send(get("/"))
      #expect(client.receiveAnswer(body: 5).statuses == [200])
    }
    first.reset()
    #expect(server.eventually { isServed(server) })
    #expect(second.send(get("/")) && second.receiveAnswer(body: 5).statuses == [200])
  }

  private func isServed(_ server: TestServer) -> Bool {
    let client = RawClient(server.port)
    client.send(get("/"))
    return client.receiveAnswer(body: 5).statuses == [200]
  }

  @Test func anAddressOfManyClientsIsNotLimited() throws {
    let server = try TestServer(perAddress: 1, shared: "192.0.2.0/24, 127.0.0.0/8")
    let clients = (0..<5).map { _ in idleClient(server) }
    #expect(clients.count == 5)
  }

  @Test func whatIsNoNetworkIsRefused() throws {
    let failure = #expect(throws: TestServer.Failure.self) {
      try TestServer(perAddress: 1, shared: "10.0.0.0/8,10.0.0.0/99")
    }
    #expect(failure?.message == "not an IP network: \"10.0.0.0/99\"")
  }

  @Test func aConnectionCarriesTenThousandRequests() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    let batch = String(repeating: get("/"), count: 100)
    var closing = 0
    for round in 0..<100 {
      client.send(batch)
      var text = ""
      while text.statuses.count < 100 {
        let more = client.receive(atLeast: 1).bytes
        guard !more.isEmpty else { break }
        text += String(decoding: more, as: UTF8.self)
      }
      #expect(text.statuses == [Int](repeating: 200, count: 100))
      closing += text.ranges(of: "Connection: close").count
      #expect(closing == (round == 99 ? 1 : 0))
    }
    #expect(client.receive().end == .closed)
  }

  // MARK: time

  @Test func aConnectionWithoutAFirstRequestIsClosedAfterTheTimeOfAHead() throws {
    let server = try TestServer(head: 100)
    let (bytes, end) = RawClient(server.port).receive()
    #expect(bytes.isEmpty && end == .closed && server.events == [])
    let used = idleClient(server)
    #expect(used.receive(patience: 300).end == .waiting)
  }

  @Test(arguments: [true, false]) func aBodyThatDripsIsGivenUp(_ isChunked: Bool) throws {
    let server = try TestServer(body: 200)
    let client = RawClient(server.port)
    client.send(
      "PUT /echo HTTP/1.1\r\nHost: a\r\n"
        + (isChunked ? "Transfer-Encoding: chunked" : "Content-Length: 100000") + "\r\n\r\n")
    // Each byte comes in time, all of them at some hundred a second.
    while !server.events.contains(where: { $0.hasPrefix("body") }) {
      guard client.send(isChunked ? "1\r\na\r\n" : "a") else { break }
      usleep(5000)
    }
    let events = server.events(until: "sent")
    #expect(events.contains("body \(CR_ETIMEOUT.rawValue) 0"))
    #expect(events.last?.hasPrefix("sent ok 400 0 in ") == true)
    #expect(client.receiveText().contains("Connection: close"))
  }

  @Test func aSlowBodyThatIsFastEnoughIsTaken() throws {
    let server = try TestServer(body: 100)
    let client = RawClient(server.port)
    client.send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    for _ in 0..<20 {
      client.send([UInt8](repeating: 0x61, count: 5000))
      usleep(20_000)
    }
    #expect(client.receiveAnswer(body: 100_000).statuses == [200])
  }
}
