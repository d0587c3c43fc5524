// Whose request begins next: in order, so many in a turn, and what goes on, or ends, while others wait.

import CReactor
import Glibc
import Testing

private func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n" }

@Suite(.serialized) struct TurnTests {
  /// Clients that have had an answer each, so that the server waits for all of them.
  private func clients(_ count: Int, _ server: TestServer, before: String = "") -> [RawClient] {
    let clients = (0..<count).map { _ in RawClient(server.port) }
    for client in clients {
      client.send(before + get("/known"))
      #expect(client.receiveAnswer(body: 5).statuses == [200])
    }
    return clients
  }

  /// The targets of the requests since the last that `clients` made.
  private func begun(_ server: TestServer, atLeast count: Int, after known: Int) -> [String] {
    let events = server.events(until: "request", count: known + count)
    let requests = events.filter { $0.hasPrefix("request") }
    return requests.dropFirst(known).map { String($0.split(separator: " ")[2]) }
  }

  private func expectAnswers(_ clients: some Sequence<RawClient>) {
    for client in clients { #expect(client.receiveAnswer(body: 5).statuses == [200]) }
  }

  @Test func soManyRequestsBeginInATurnInOrder() throws {
    let server = try TestServer()
    let clients = clients(200, server)
    server.hold {
      for (i, client) in clients.enumerated() {
        client.send(get("/\(i)"))
        usleep(200)  // until it is delivered
      }
    }
    expectAnswers(clients)
    #expect(begun(server, atLeast: 200, after: 200) == (0..<200).map { "/\($0)" })
    #expect(server.mostBegunInATurn == 16)
  }

  @Test func behindAProxyTheyWaitAsWell() throws {
    let server = try TestServer(proxies: "127.0.0.1")
    let clients = (0..<100).map { _ in RawClient(server.port) }
    server.hold {
      for (i, client) in clients.enumerated() {
        client.send("PROXY TCP4 192.0.2.\(i) 198.51.100.1 1 2\r\n" + get("/client"))
      }
    }
    for (i, client) in clients.enumerated() {
      let address = "192.0.2.\(i)"
      #expect(client.receiveAnswer(body: address.count).hasSuffix("\r\n\r\n" + address))
    }
    #expect(server.mostBegunInATurn <= 16)
  }

  @Test func whoSendsManyAheadHasOneTurnLikeOthers() throws {
    let server = try TestServer()
    let clients = clients(200, server)
    server.hold {
      clients[0].send(String(repeating: get("/flood"), count: 400))
      for client in clients[1...] { client.send(get("/other")) }
    }
    expectAnswers(clients[1...])
    let order = begun(server, atLeast: 599, after: 200)
    #expect(order.count == 599)
    #expect(order.prefix(150).count { $0 == "/flood" } == 1)
  }

  @Test func aBodyDoesNotWaitForTheTurnsOfOthers() throws {
    let server = try TestServer()
    let clients = clients(200, server)
    let uploader = RawClient(server.port)
    uploader.send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    _ = server.events(until: "ask")
    server.hold {
      for client in clients { client.send(get("/other")) }
      uploader.send([UInt8](repeating: 0x62, count: 100_000))
    }
    expectAnswers(clients)
    let events = server.events
    let body = try #require(events.firstIndex(of: "body 0 100000"))
    let last = try #require(events.lastIndex(of: "request GET /other"))
    #expect(body < last - 100)
  }

  @Test func aRequestThatIsNotAnsweredHoldsNobodyBack() throws {
    let server = try TestServer()
    let clients = clients(100, server)
    server.hold {
      for client in clients[..<50] { client.send(get("/hold")) }
      for client in clients[50...] { client.send(get("/other")) }
    }
    expectAnswers(clients[50...])
    server.order(.answerHeld)
    expectAnswers(clients[..<50])
  }

  @Test func aHeadInPartsIsReadOnAfterItsTurn() throws {
    let server = try TestServer(head: 300)
    let clients = clients(60, server)
    let head = get("/in-parts")
    server.hold {
      for client in clients { client.send(String(head.prefix(7))) }
    }
    for client in clients { client.send(String(head.dropFirst(7))) }
    expectAnswers(clients)
    clients[0].send(String(head.prefix(7)))
    #expect(clients[0].receiveText().statuses == [408])
  }

  // MARK: ends

  /// What was read is forgotten with a connection that is reset; a half close is not its end.
  @Test func whoVanishesWhileWaitingIsGoneAndTheOthersAreServed() throws {
    let server = try TestServer()
    let clients = clients(200, server)
    server.hold {
      clients[0].send(get("/block?100"))
      for (i, client) in clients.enumerated().dropFirst() { client.send(get("/\(i)")) }
      for client in clients[100..<150] { client.finishSending() }
    }
    _ = server.events(until: "request GET /block")
    for client in clients[150...] { client.reset() }
    expectAnswers(clients[..<150])
    for client in clients[100..<150] { #expect(client.receive().end == .closed) }
    let order = begun(server, atLeast: 150, after: 200)
    #expect(order.count == 150)
  }

  @Test func noTimeLimitEndsWhoWaits() throws {
    let server = try TestServer(head: 100, idle: 100)
    let clients = (0..<60).map { _ in RawClient(server.port) }
    #expect(clients[59].send(get("/first")))
    expectAnswers([clients[59]])
    server.hold {
      clients[0].send(get("/block?300"))
      for client in clients[1...] { client.send(get("/other")) }
    }
    expectAnswers(clients)
  }

  @Test func theTimeOfWaitingIsTold() throws {
    let server = try TestServer()
    let clients = clients(60, server)
    server.hold {
      clients[0].send(get("/block?300"))
      for client in clients[1...] { client.send(get("/waited")) }
    }
    let waited = clients[59].receiveAnswer(body: 3).split(separator: "\r\n").last
    #expect((300..<2000).contains(waited.flatMap { Int($0) } ?? 0))
  }

  @Test func whoWaitsIsNotIdleAndGivesWayToNobody() throws {
    let server = try TestServer(connections: 60)
    let clients = clients(60, server)
    server.hold {
      clients[0].send(get("/block?200"))
      for client in clients[1...] { client.send(get("/other")) }
    }
    _ = server.events(until: "request GET /block")
    let newcomer = RawClient(server.port)
    newcomer.send(get("/new"))
    expectAnswers(clients)
    expectAnswers([newcomer])
  }

  @Test func whenTheListenerClosesWhoWaitsIsAnswered() throws {
    let server = try TestServer()
    let clients = clients(100, server)
    server.hold {
      clients[0].send(get("/end"))
      for client in clients[1...] { client.send(get("/other")) }
    }
    for client in clients {
      let answer = client.receiveText()
      #expect(answer.statuses == [200] && answer.contains("Connection: close"))
    }
    #expect(server.listenersClosed() == 1)
  }

  @Test func theLoopEndsWhileSomeWait() throws {
    let server = try TestServer()
    let clients = clients(200, server)
    server.hold {
      clients[0].send(get("/block?500"))
      for client in clients[1...] { client.send(get("/other")) }
    }
    _ = server.events(until: "request GET /block")
    server.stop()
    for client in clients { #expect(client.receive().end != .waiting) }
    #expect(server.listenersClosed() == 1)
    #expect(server.events.count { $0 == "request GET /other" } < 100)
  }
}
