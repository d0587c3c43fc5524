// A connection's life: the order of its callbacks, pipelining, vanishing clients, time limits, ends.

import CReactor
import Glibc
import Testing

private func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n" }

@Suite(.serialized) struct ConnectionTests {
  @Test func aHundredPipelinedRequestsAreAnsweredOneByOneInOrder() throws {
    let server = try TestServer()
    let answer = roundTrip(server, (0..<100).map { get("/\($0)") }.joined())
    #expect(answer.statuses == [Int](repeating: 200, count: 100))
    let expected = (0..<100).flatMap { ["request GET /\($0)", "sent ok 200 5"] }
    #expect(server.events(until: "sent", count: 100) == expected)
  }

  @Test func theNextRequestWaitsForTheAnswerBeforeIt() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send(get("/hold") + get("/next"))
    #expect(server.events(until: "request") == ["request GET /hold"])
    usleep(50_000)
    #expect(server.events == ["request GET /hold"])
    server.order(.answerHeld)
    #expect(
      server.events(until: "sent", count: 2) == [
        "request GET /hold", "respond 0", "sent ok 200 5", "request GET /next", "sent ok 200 5",
      ])
  }

  @Test func aClientThatHalfClosesGetsItsAnswer() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send(get("/hold"))
    client.finishSending()
    usleep(50_000)
    #expect(server.events(until: "request") == ["request GET /hold"])
    server.order(.answerHeld)
    let (bytes, end) = client.receive()
    #expect(String(decoding: bytes, as: UTF8.self).statuses == [200])
    #expect(end == .closed)
  }

  @Test func aResetBeforeTheAnswerIsToldAtOnce() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send(get("/hold"))
    _ = server.events(until: "request")
    client.reset()
    #expect(server.events(until: "sent") == ["request GET /hold", "sent gone 0 0"])
  }

  @Test func aResetWhileTheBodyIsReadIsToldToBoth() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    _ = server.events(until: "ask")
    client.reset()
    let events = server.events(until: "sent")
    #expect(Array(events[..<3]) == ["request PUT /echo", "ask 0", "body \(CR_ESTATE.rawValue) 0"])
    #expect(events[3].hasPrefix("sent gone 0 0"))
  }

  @Test func whatAClientSendsDuringARequestIsBounded() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send(get("/hold"))
    _ = server.events(until: "request")
    #expect(client.flood(60_000_000) < 30_000_000)
    server.order(.answerHeld)
    #expect(server.events(until: "malformed").contains("malformed 400"))
  }

  // MARK: time limits

  @Test func aHeadThatStopsHalfWayIsARequestTimeout() throws {
    let server = try TestServer(head: 150)
    let client = RawClient(server.port)
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\nX-")
    let answer = client.receiveText()
    #expect(answer.statuses == [408] && answer.contains("Connection: close"))
    #expect(
      server.events(until: "sent").dropLast() == ["request GET /slow", "malformed 408"])
  }

  @Test func aHeadThatComesTooSlowlyIsARequestTimeout() throws {
    let server = try TestServer(head: 150)
    let client = RawClient(server.port)
    for byte in Array(get("/slow").utf8) where !server.events.contains("malformed 408") {
      client.send([byte])
      usleep(10_000)
    }
    #expect(server.events(until: "sent").contains("malformed 408"))
  }

  @Test(arguments: ["", "\r\n"]) func aClientThatSendsNothingIsSilentlyClosed(_ bytes: String)
    throws
  {
    let server = try TestServer(idle: 100)
    let client = RawClient(server.port)
    if !bytes.isEmpty { client.send(bytes) }
    let (received, end) = client.receive()
    #expect(received.isEmpty && end == .closed)
    #expect(server.events == [])
  }

  @Test func anIdleConnectionIsClosedAfterItsRequest() throws {
    let server = try TestServer(idle: 100)
    let client = RawClient(server.port)
    client.send(get("/"))
    let (bytes, end) = client.receive()
    #expect(String(decoding: bytes, as: UTF8.self).statuses == [200])
    #expect(end == .closed)
  }

  @Test func aRequestInFlightHasNoTimeLimitOfTheConnection() throws {
    let server = try TestServer(head: 50, idle: 50, body: 50, stall: 50)
    let client = RawClient(server.port)
    client.send(get("/hold"))
    _ = server.events(until: "request")
    usleep(300_000)
    server.order(.answerHeld)
    #expect(server.events(until: "sent").last == "sent ok 200 5")
  }

  @Test func aHeadCutByTheEndOfTheConnectionIsNoRequest() throws {
    let server = try TestServer()
    #expect(roundTrip(server, "GET / HTTP/1.1\r\nHost: a\r\n") == "")
    #expect(server.events == [])
  }

  // MARK: ends

  @Test func closingTheListenerClosesIdleConnectionsAndLetsRequestsEnd() throws {
    let server = try TestServer()
    let idle = RawClient(server.port)
    let busy = RawClient(server.port)
    idle.send(get("/"))
    #expect(idle.receiveAnswer(body: 5).statuses == [200])
    busy.send(get("/hold"))
    _ = server.events(until: "request GET /hold")
    server.order(.closeListener)
    #expect(idle.receive().end == .closed)
    #expect(busy.receive(patience: 100).end == .waiting)
  }

  @Test func aRequestThatOutlivesItsListenerIsAnsweredAndTheConnectionCloses() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send(get("/hold"))
    _ = server.events(until: "request")
    server.order(.closeListenerThenAnswer)
    let answer = client.receiveText()
    #expect(answer.statuses == [200] && answer.contains("Connection: close"))
    #expect(
      server.events(until: "sent") == [
        "request GET /hold", "listener closed", "respond 0", "sent ok 200 5",
      ])
  }

  @Test func theLoopsEndAbortsWhatIsInFlight() throws {
    let server = try TestServer()
    let held = RawClient(server.port)
    let half = RawClient(server.port)
    let idle = RawClient(server.port)
    let slow = RawClient(server.port, receiveBuffer: 8192)
    held.send(get("/hold"))
    half.send("GET /half")
    slow.send(get("/big?50000000"))
    _ = server.events(until: "wait")
    _ = server.events(until: "request GET /hold")
    server.stop()
    #expect(server.events.contains("sent aborted 0 0"))
    #expect(server.events.contains { $0.hasPrefix("sent aborted 200 ") })
    #expect(held.receive().end == .closed)
    #expect(half.receive().end != .waiting)
    #expect(idle.receive().end == .closed)
    #expect(slow.receive().end == .reset)
  }
}
