// Answers: their form, their flow when the client is slow, and how they are cut.

import CReactor
import Glibc
import Testing

private func get(_ target: String, _ lines: String...) -> String {
  "GET \(target) HTTP/1.1\r\nHost: a\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
}

@Suite(.serialized) struct ResponseTests {
  @Test func theHeadHasItsLinesInOrder() throws {
    let server = try TestServer()
    let lines = roundTrip(server, get("/status?200")).split(separator: "\r\n")
    #expect(lines[0] == "HTTP/1.1 200 OK")
    let date = /Date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d GMT/
    #expect(lines[1].wholeMatch(of: date) != nil)
    #expect(lines[2...] == ["X-First: 1", "X-Second: 2", "Content-Length: 5", "hello"])
  }

  @Test func theAnswerToHeadDeclaresALengthAndHasNoBody() throws {
    let server = try TestServer()
    let answer = roundTrip(server, "HEAD /status?200 HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(answer.hasSuffix("Content-Length: 7\r\n\r\n"))
    #expect(server.events(until: "sent") == ["request HEAD /status?200", "sent ok 200 0"])
  }

  @Test func aBegunAnswerToHeadIsCompleteWithItsHead() throws {
    let server = try TestServer()
    let answer = roundTrip(server, "HEAD /big?70000 HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(answer.hasSuffix("Content-Length: 70000\r\n\r\n"))
    #expect(server.events(until: "sent").last == "sent ok 200 0")
  }

  @Test(arguments: [204, 304]) func someStatusesHaveNoBody(_ status: Int) throws {
    let server = try TestServer()
    let answer = roundTrip(server, get("/status?\(status)") + get("/"))
    #expect(answer.statuses == [status, 200])
    let first = answer.split(separator: "HTTP/1.1 200")[0]
    #expect(first.hasSuffix("X-Second: 2\r\n\r\n") && !first.contains("Content-Length"))
  }

  @Test func aBegunAnswerOfNoBytesIsComplete() throws {
    let server = try TestServer()
    #expect(roundTrip(server, get("/big?0")).hasSuffix("Content-Length: 0\r\n\r\n"))
    #expect(server.events(until: "sent").last == "sent ok 200 0")
  }

  @Test(arguments: [
    (get("/", "Connection: close"), "Connection: close"),
    (get("/", "Connection: keep-alive, CLOSE"), "Connection: close"),
    (get("/close"), "Connection: close"),
    ("GET / HTTP/1.0\r\n\r\n", "Connection: close"),
    ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "Connection: keep-alive"),
  ]) func theConnectionLine(_ request: String, _ line: String) throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send(request)
    let answer = client.receiveAnswer(body: 5)
    #expect(answer.contains("Content-Length: 5\r\n\(line)\r\n\r\n"))
    let closed = line == "Connection: close"
    if !closed { client.send(request) }
    #expect(client.receive(atLeast: 1).end == (closed ? .closed : .waiting))
  }

  @Test func whatIsNoAnswerIsRefusedAndChangesNothing() throws {
    let server = try TestServer()
    #expect(roundTrip(server, get("/invalid")).statuses == [200])
    #expect(server.events.filter { $0 == "respond \(CR_EINVALID.rawValue)" }.count == 2)
  }

  @Test func moreThanWasDeclaredIsRefused() throws {
    let server = try TestServer()
    #expect(roundTrip(server, get("/over")).hasSuffix("\r\n\r\nabc"))
    #expect(
      server.events(until: "sent") == [
        "request GET /over", "write \(CR_ETOOLARGE.rawValue)", "write 0",
        "write \(CR_ESTATE.rawValue)", "respond \(CR_ESTATE.rawValue)", "sent ok 200 3",
      ])
  }

  @Test func aSlowClientMakesTheWriterWaitAndGetsEveryByte() throws {
    let server = try TestServer()
    let client = RawClient(server.port, receiveBuffer: 8192)
    let length = 20_000_000
    client.send(get("/big?\(length)", "Connection: close"))
    #expect(server.events(until: "wait").last == "wait")
    let (bytes, end) = client.receive()
    #expect(bytes.count > length && bytes.suffix(length).allSatisfy { $0 == 0x61 })
    #expect(end == .closed)
    let events = server.events(until: "sent")
    #expect(events.last == "sent ok 200 \(length)")
    let flow = events.dropFirst().dropLast()
    #expect(flow.count > 4)
    #expect(zip(flow, flow.dropFirst()).allSatisfy { $0 != $1 })  // wait, room, wait, room …
  }

  // MARK: cut answers

  @Test func aClientThatTakesNothingIsGivenUp() throws {
    let server = try TestServer(stall: 150)
    let client = RawClient(server.port, receiveBuffer: 8192)
    client.send(get("/big?50000000"))
    let sent = try #require(server.events(until: "sent").last?.split(separator: " "))
    #expect(sent[1] == "timeout" && sent[2] == "200")
    let bytes = try #require(Int(sent[3]))
    #expect(bytes > 0 && bytes < 50_000_000)
    #expect(client.receive().end == .reset)
  }

  @Test func anAbortAfterBytesResetsTheConnection() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send(get("/half"))
    #expect(server.events(until: "sent") == ["request GET /half", "sent aborted 200 5"])
    usleep(50_000)
    #expect(client.receive().end == .reset)
  }

  @Test func anAbortBeforeAnyByteCloses() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send(get("/abort"))
    let (bytes, end) = client.receive()
    #expect(bytes.isEmpty && end == .closed)
    #expect(server.events(until: "sent") == ["request GET /abort", "sent aborted 0 0"])
  }

  @Test func aResetDuringTheAnswerIsToldWithTheBytesThatWentOut() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send(get("/big?50000000"))
    let received = client.receive(atLeast: 1_000_000).bytes.count
    client.reset()
    let sent = try #require(server.events(until: "sent").last?.split(separator: " "))
    #expect(sent[1] == "gone" && sent[2] == "200")
    let bytes = try #require(Int(sent[3]))
    #expect(bytes >= received - 200 && bytes < 50_000_000)
  }
}
