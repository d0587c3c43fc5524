// Request bodies: chunked and by length, read, refused or dropped.

import CReactor
import Testing

struct ChunkedCase: Sendable, CustomTestStringConvertible {
  let body: String?  // nil: refused
  let bytes: String
  init(_ body: String?, _ bytes: String) {
    self.body = body
    self.bytes = bytes
  }
  var testDescription: String { bytes.prefix(50).debugDescription }
}

@Suite(.serialized) struct ChunkedTests {
  private static let head =
    "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
  private static let end = "0\r\n\r\n"

  static let cases: [ChunkedCase] = [
    ChunkedCase("", end),
    ChunkedCase("hello", "5\r\nhello\r\n" + end),
    ChunkedCase("hello0123456789", "5\r\nhello\r\nA\r\n0123456789\r\n" + end),
    ChunkedCase("hello", "0000000000000005\r\nhello\r\n0000\r\n\r\n"),
    ChunkedCase("hello", "5;chunk-signature=ab12;x\r\nhello\r\n0;y\r\n\r\n"),
    ChunkedCase("hello", "5\r\nhello\r\n0\r\nX-Check: a\r\nOther: b\r\n\r\n"),
    ChunkedCase(nil, "0x1\r\na\r\n" + end),
    ChunkedCase(nil, "-1\r\na\r\n" + end),
    ChunkedCase(nil, "+1\r\na\r\n" + end),
    ChunkedCase(nil, "1_0\r\na\r\n" + end),
    ChunkedCase(nil, "\r\na\r\n" + end),
    ChunkedCase(nil, ";x\r\na\r\n" + end),
    ChunkedCase(nil, "00000000000000005\r\nhello\r\n" + end),
    ChunkedCase(nil, "ffffffffffffffff\r\nhello\r\n" + end),
    ChunkedCase(nil, " 5\r\nhello\r\n" + end),
    ChunkedCase(nil, "5 \r\nhello\r\n" + end),
    ChunkedCase(nil, "5\nhello\r\n" + end),
    ChunkedCase(nil, "5\r\r\nhello\r\n" + end),
    ChunkedCase(nil, "5\rXhello\r\n" + end),
    ChunkedCase(nil, "5\r\nhelloX\r\n" + end),
    ChunkedCase(nil, "5\r\nhello\n" + end),
    ChunkedCase(nil, "5\r\nhello\rX" + end),
    ChunkedCase("hello", "5;a=1;b=c;d\r\nhello\r\n" + end),
    ChunkedCase(nil, "5;\r\nhello\r\n" + end),
    ChunkedCase(nil, "5;;a\r\nhello\r\n" + end),
    ChunkedCase(nil, "5;=a\r\nhello\r\n" + end),
    ChunkedCase(nil, "5;a=\r\nhello\r\n" + end),
    ChunkedCase(nil, "5;a=b=c\r\nhello\r\n" + end),
    ChunkedCase(nil, "5;a=;b\r\nhello\r\n" + end),
    ChunkedCase(nil, "5;a=\"b\"\r\nhello\r\n" + end),
    ChunkedCase(nil, "5;a\u{1}\r\nhello\r\n" + end),
    ChunkedCase(nil, "5;" + String(repeating: "x", count: 256) + "\r\nhello\r\n" + end),
    ChunkedCase(nil, "0\r\nContent-Length: 5\r\n\r\n"),
    ChunkedCase(nil, "0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ChunkedCase(nil, "0\r\nHost: a\r\n\r\n"),
    ChunkedCase(nil, "0\r\nauthorization: a\r\n\r\n"),
    ChunkedCase(nil, "0\r\nX-Amz-Date: a\r\n\r\n"),
    ChunkedCase(nil, "0\r\nbad trailer\r\n\r\n"),
    ChunkedCase(nil, "0\r\n\n"),
    ChunkedCase(nil, "0\r\nA: b\n\r\n"),
    ChunkedCase(nil, "0\r\nA: b\r\n c\r\n\r\n"),
    ChunkedCase(nil, "0\r\n" + String(repeating: "A: bcdefgh\r\n", count: 800) + "\r\n"),
  ]

  @Test(arguments: cases, [false, true])
  func decoding(_ chunked: ChunkedCase, byteByByte: Bool) throws {
    let server = try TestServer()
    let answer = roundTrip(server, Self.head + chunked.bytes, byteByByte: byteByByte)
    let events = server.events(until: "sent")
    if let body = chunked.body {
      #expect(answer.statuses == [200])
      #expect(answer.hasSuffix("\r\n\r\n" + body))
      #expect(events[2] == "body 0 \(body.utf8.count)")
    } else {
      #expect(answer.statuses == [400])
      #expect(events[2] == "body \(CR_EINVALID.rawValue) 0")
      #expect(answer.contains("Connection: close"))
    }
  }

  @Test func whatFollowsTheBodyIsTheNextRequest() throws {
    let server = try TestServer()
    let answer = roundTrip(
      server,
      Self.head.replacing("Connection: close\r\n", with: "") + "5\r\nhello\r\n" + Self.end
        + "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(answer.statuses == [200, 200])
    #expect(
      server.events(until: "sent", count: 2) == [
        "request PUT /echo", "ask 0", "body 0 5", "sent ok 200 5 in 5", "request GET /",
        "sent ok 200 5",
      ])
  }

  @Test(arguments: [(100_000, true), (200_000, true), (200_001, false)])
  func aLongBodyIsReadUpToItsMaximum(_ length: Int, _ fits: Bool) throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\n")
    if fits { client.send([UInt8](repeating: 0x62, count: length)) }
    let answer = client.receiveAnswer(body: fits ? length : 0)
    let events = server.events(until: "sent")
    if fits {
      #expect(answer.hasSuffix(String(repeating: "b", count: length)))
      #expect(events[2...] == ["body 0 \(length)", "sent ok 200 \(length) in \(length)"])
    } else {
      #expect(events[2...] == ["body \(CR_ETOOLARGE.rawValue) 0", "sent ok 400 0"])
    }
  }

  @Test func aChunkedBodyOverTheMaximumIsRefusedWhenItCrosses() throws {
    let server = try TestServer()
    let answer = roundTrip(
      server,
      Self.head.replacing("/echo", with: "/max?9") + "5\r\nhello\r\n5\r\nhello\r\n" + Self.end)
    #expect(answer.statuses == [400])
    #expect(server.events.contains("body \(CR_ETOOLARGE.rawValue) 0"))
  }

  @Test func aBodyThatEndsEarlyIsToldAndTheAnswerStillGoesOut() throws {
    let server = try TestServer()
    let answer = roundTrip(
      server, "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    #expect(answer.statuses == [400])
    #expect(
      server.events(until: "sent") == [
        "request PUT /echo", "ask 0", "body \(CR_ESTATE.rawValue) 0", "sent ok 400 0 in 5",
      ])
  }

  @Test func aBodyThatStallsIsToldAndTheConnectionCloses() throws {
    let server = try TestServer(body: 100)
    let client = RawClient(server.port)
    client.send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    let answer = client.receiveText()
    #expect(answer.statuses == [400])
    #expect(answer.contains("Connection: close"))
    #expect(server.events(until: "sent")[2] == "body \(CR_ETIMEOUT.rawValue) 0")
  }

  @Test func aRequestWithoutBodyHasAnEmptyOneAndItCanBeAskedForOnce() throws {
    let server = try TestServer()
    let answer = roundTrip(server, "GET /twice HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(answer.statuses == [200])
    #expect(
      server.events(until: "sent") == [
        "request GET /twice", "ask 0", "ask \(CR_ESTATE.rawValue)", "body 0 0", "sent ok 200 0",
      ])
  }

  // MARK: 100-continue

  @Test func continueIsSentWhenTheBodyIsAskedForAndNotBefore() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send(
      "PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
    #expect(client.receiveAnswer(body: 0) == "HTTP/1.1 100 Continue\r\n\r\n")
    client.send("hello")
    let answer = client.receiveAnswer(body: 5)
    #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("hello"))
    #expect(!answer.contains("Connection: close"))
  }

  @Test func aFinalAnswerInsteadOfContinueClosesTheConnection() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    let (bytes, end) = client.receive()
    let answer = String(decoding: bytes, as: UTF8.self)
    #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("Connection: close"))
    #expect(end == .closed)
  }

  @Test func aBodySentWithoutWaitingNeedsNoContinue() throws {
    let server = try TestServer()
    let answer = roundTrip(
      server,
      "PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
    #expect(answer.statuses == [200])
  }

  // MARK: bodies that nobody asks for

  @Test(arguments: ["Content-Length: 60000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nea60\r\n"])
  func aShortBodyIsDroppedAndIsNeverTheNextRequest(_ framing: String) throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    client.send("DELETE /x HTTP/1.1\r\nHost: a\r\n" + framing)
    #expect(client.receiveAnswer(body: 5).statuses == [200])
    client.send(smuggled + String(repeating: "z", count: 60_000 - smuggled.utf8.count))
    if framing.contains("chunked") { client.send("\r\n0\r\n\r\n") }
    client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.receiveAnswer(body: 5).statuses == [200])
    #expect(
      server.events(until: "sent", count: 2) == [
        "request DELETE /x", "sent ok 200 5", "request GET /next", "sent ok 200 5",
      ])
  }

  @Test func aLongBodyClosesTheConnectionButTheAnswerIsReadable() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000000\r\n\r\n")
    client.send([UInt8](repeating: 0x62, count: 30_000))
    let (bytes, end) = client.receive()
    #expect(String(decoding: bytes, as: UTF8.self).statuses == [200])
    #expect(end == .closed)
    client.send([UInt8](repeating: 0x62, count: 20_000))
    #expect(server.events(until: "sent") == ["request PUT /", "sent ok 200 5"])
  }

  @Test func anEndlessChunkedBodyIsNotDroppedForEver() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n")
    var sent = 0
    let piece = [UInt8](repeating: 0x62, count: 65_536)
    while client.send(piece) && sent < 100_000_000 { sent += piece.count }
    #expect(sent < 16_000_000)
    #expect(server.events(until: "sent") == ["request PUT /", "sent ok 200 5"])
  }
}
