// Listeners: what they bind, how they refuse, how many they accept.

import CReactor
import Glibc
import Testing

private let request = "GET /peer HTTP/1.1\r\nHost: a\r\n\r\n"

/// A socket as a service manager would hold it, and its port.
private func listeningSocket() throws -> (descriptor: Int32, port: UInt16) {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  try withUnsafeMutablePointer(to: &address) {
    try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      try #require(bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0)
      try #require(getsockname(descriptor, $0, &length) == 0)
    }
  }
  return (descriptor, UInt16(bigEndian: address.sin_port))
}

@Suite(.serialized) struct ListenerTests {
  @Test func theErrorNamesTheAddressAndTheReason() throws {
    let first = try TestServer()
    let taken = #expect(throws: TestServer.Failure.self) { try TestServer(port: first.port) }
    #expect(taken?.message == "can't listen on 127.0.0.1:\(first.port): Address already in use")
    let foreign = #expect(throws: TestServer.Failure.self) { try TestServer(host: "192.0.2.1") }
    #expect(
      foreign?.message == "can't listen on 192.0.2.1:0: Cannot assign requested address")
    let unknown = #expect(throws: TestServer.Failure.self) { try TestServer(host: "no host") }
    #expect(unknown?.message.hasPrefix("can't listen on no host:0: ") == true)
  }

  @Test(arguments: ["127.0.0.1", "0.0.0.0", "::"]) func thePeerIsItsNumericAddress(_ host: String)
    throws
  {
    let server: TestServer
    do { server = try TestServer(host: host) } catch let failure as TestServer.Failure {
      // A machine without IPv6 can't bind ::, and says so.
      #expect(host == "::" && failure.message.contains("not supported"))
      return
    }
    #expect(roundTrip(server, request).hasSuffix("\r\n\r\n127.0.0.1 false"))
  }

  @Test func aSharedSocketIsLeftOpenForTheNext() throws {
    let (socket, port) = try listeningSocket()
    defer { close(socket) }
    let first = try TestServer(socket: dup(socket))
    #expect(first.port == port)
    #expect(roundTrip(first, request).statuses == [200])
    first.order(.closeListener)
    #expect(first.listenersClosed() == 1)

    let between = RawClient(port)
    between.send(request)
    let second = try TestServer(socket: dup(socket))
    #expect(between.receiveAnswer(body: 15).statuses == [200])
    #expect(first.events.count { $0.hasPrefix("request") } == 1)
    second.stop()
    #expect(second.listenersClosed() == 1)
  }

  @Test func aSocketThatDoesNotListenIsRefusedAndStaysItsOwners() throws {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { #expect(close(socket) == 0) }
    let failure = #expect(throws: TestServer.Failure.self) { try TestServer(socket: socket) }
    #expect(failure?.message == "can't listen on 127.0.0.1:0: invalid argument")
  }

  @Test func theBacklogIsAnsweredBeforeTheSocketCloses() throws {
    let server = try TestServer()
    var clients: [RawClient] = []
    server.closeListener {
      clients = (0..<50).map { _ in RawClient(server.port) }
      for client in clients { client.send(request) }
    }
    for client in clients {
      let answer = client.receiveText()
      #expect(answer.statuses == [200] && answer.contains("Connection: close"))
    }
    #expect(server.listenersClosed() == 1)
  }

  @Test func aRequestThatCameAsTheListenerClosedIsAnswered() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send(request)
    #expect(client.receiveAnswer(body: 15).statuses == [200])
    server.closeListener { client.send(request) }
    let answer = client.receiveText()
    #expect(answer.statuses == [200] && answer.contains("Connection: close"))
  }

  /// An answer that has said otherwise before is kept to.
  @Test func aConnectionThatWasToldToStayHasAnotherRequest() throws {
    let server = try TestServer()
    let client = RawClient(server.port, receiveBuffer: 8192)
    client.send("GET /big?20000000 HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = server.events(until: "wait")
    server.order(.closeListener)
    _ = server.events(until: "listener closed")
    #expect(!client.receiveAnswer(body: 20_000_000).prefix(200).contains("Connection: close"))
    client.send(request)
    let answer = client.receiveText()
    #expect(answer.statuses == [200] && answer.contains("Connection: close"))
  }

  @Test(arguments: [20_000, 0]) func whoIsAtWorkComesAgainWhenTheListenerCloses(_ idle: UInt32)
    throws
  {
    let server = try TestServer(idle: idle)
    let silent = RawClient(server.port)
    let new = RawClient(server.port)
    let known = RawClient(server.port)
    known.send(request)
    #expect(known.receiveAnswer(body: 15).statuses == [200])
    server.order(.closeListener)
    _ = server.events(until: "listener closed")
    for client in [new, known] {
      client.send(request)
      let answer = client.receiveText()
      #expect(answer.statuses == [200] && answer.contains("Connection: close"))
    }
    #expect(silent.receive().end == .closed)
    #expect(server.listenersClosed() == 1)
  }

  @Test func otherTimesAndNumbersHoldForThoseWhoWaitAlready() throws {
    let server = try TestServer(connections: 1)
    let first = RawClient(server.port)
    first.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = server.events(until: "request")
    let second = RawClient(server.port)
    second.send(request)
    #expect(second.receive(atLeast: 1, patience: 100).end == .waiting)
    server.reconfigure { $0.connections = 2 }
    #expect(second.receiveAnswer(body: 15).statuses == [200])
    server.order(.answerHeld)
    #expect(first.receiveAnswer(body: 5).statuses == [200])
    let refused = server.reconfigure {
      $0.idle = 50
      $0.proxies = "nowhere"
    }
    #expect(refused == "reconfigured \(CR_EINVALID.rawValue)")
    #expect(first.receive(atLeast: 1, patience: 100).end == .waiting)
    server.reconfigure {
      $0.idle = 50
      $0.proxies = ""
    }
    #expect(first.receive().end == .closed)
    #expect(second.receive().end == .closed)
  }

  @Test func forEverCanBecomeATimeAndATimeForEver() throws {
    let server = try TestServer(idle: 0)
    let client = RawClient(server.port)
    client.send(request)
    #expect(client.receiveAnswer(body: 15).statuses == [200])
    server.reconfigure { $0.idle = 300 }
    server.reconfigure { $0.idle = 0 }
    #expect(client.receive(atLeast: 1, patience: 600).end == .waiting)
    server.reconfigure { $0.idle = 50 }
    #expect(client.receive().end == .closed)
    let held = RawClient(server.port)
    held.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = server.events(until: "request", count: 2)
    server.order(.closeListener)
    _ = server.events(until: "listener closed")
    #expect(server.reconfigure { $0.idle = 20 } == "reconfigured \(CR_ESTATE.rawValue)")
  }

  @Test func manyConnectionsComeAndGo() throws {
    let server = try TestServer()
    for _ in 0..<5 {
      let clients = (0..<100).map { _ in RawClient(server.port) }
      for client in clients { client.send(request) }
      for client in clients { #expect(client.receiveAnswer(body: 15).statuses == [200]) }
    }
    #expect(server.events(until: "sent", count: 500).count == 1000)
  }
}
