// Listeners: what they bind, how they refuse, how many they accept.

import CReactor
import Glibc
import Testing

private let request = "GET /peer HTTP/1.1\r\nHost: a\r\n\r\n"

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
