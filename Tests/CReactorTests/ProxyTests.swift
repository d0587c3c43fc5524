// The PROXY protocol over real sockets: whose header is wanted, what it says, what is refused. That
// the verdict does not depend on how the bytes are cut is also what Tests/Fuzz/proxy_fuzz.c holds.

import CReactor
import Testing

private let request = "GET /client HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
private let signature: [UInt8] = Array("\r\n\r\n\0\r\nQUIT\n".utf8)

/// A header of version 2, its length said right unless `length` says another.
private func binary(
  _ command: UInt8, _ family: UInt8, _ rest: [UInt8] = [], length: Int? = nil
) -> [UInt8] {
  let length = length ?? rest.count
  return signature + [command, family, UInt8(length >> 8), UInt8(length & 255)] + rest
}

private func vector(_ type: UInt8, _ value: [UInt8]) -> [UInt8] {
  [type, UInt8(value.count >> 8), UInt8(value.count & 255)] + value
}

/// From 192.0.2.7, and from 2001:db8::7, both ports 443.
private let ipv4: [UInt8] = [192, 0, 2, 7, 198, 51, 100, 1, 1, 187, 1, 187]
private let ipv6: [UInt8] = documentation(7) + documentation(1) + [1, 187, 1, 187]
private func documentation(_ last: UInt8) -> [UInt8] {
  [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [last]
}
private let mapped: [UInt8] = [UInt8](repeating: 0, count: 10) + [255, 255, 192, 0, 2, 8]

struct ProxyCase: Sendable, CustomTestStringConvertible {
  let header: [UInt8]
  /// The client, or why the header is refused.
  let verdict: String
  init(_ header: [UInt8], _ verdict: String) {
    self.header = header
    self.verdict = verdict
  }
  init(_ header: String, _ verdict: String) { self.init(Array(header.utf8), verdict) }
  var testDescription: String {
    "\(String(decoding: header.prefix(60), as: UTF8.self).debugDescription): \(verdict)"
  }
}

private let peer = "127.0.0.1"
private let taken: [ProxyCase] = [
  ProxyCase("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", "192.0.2.7"),
  ProxyCase("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", "255.255.255.255"),
  ProxyCase("PROXY TCP6 2001:DB8::7 ::1 1 2\r\n", "2001:db8::7"),
  ProxyCase(
    "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      + "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
  ProxyCase("PROXY TCP6 ::ffff:192.0.2.8 ::1 1 2\r\n", "192.0.2.8"),
  ProxyCase("PROXY UNKNOWN\r\n", peer),
  ProxyCase("PROXY UNKNOWN " + String(repeating: "f", count: 91) + "\r\n", peer),
  ProxyCase(binary(0x21, 0x11, ipv4), "192.0.2.7"),
  ProxyCase(binary(0x21, 0x12, ipv4), "192.0.2.7"),
  ProxyCase(binary(0x21, 0x21, ipv6), "2001:db8::7"),
  ProxyCase(binary(0x21, 0x21, mapped + mapped + [0, 1, 0, 2]), "192.0.2.8"),
  ProxyCase(binary(0x21, 0x31, [UInt8](repeating: 0x2f, count: 216)), peer),
  ProxyCase(binary(0x21, 0x00), peer),
  ProxyCase(binary(0x21, 0x00, [1, 2, 3]), peer),
  ProxyCase(binary(0x21, 0x10, ipv4), peer),
  ProxyCase(binary(0x20, 0x00), peer),
  ProxyCase(binary(0x20, 0xff, ipv4 + [9]), peer),
  ProxyCase(binary(0x21, 0x11, ipv4 + vector(4, []) + vector(5, [7, 7, 7])), "192.0.2.7"),
  ProxyCase(binary(0x21, 0x11, ipv4 + vector(3, [0x24, 0x31, 0xb3, 0xe4])), "192.0.2.7"),
  ProxyCase(
    binary(0x21, 0x11, ipv4 + vector(4, [UInt8](repeating: 0, count: 4096 - 16 - 12 - 3))),
    "192.0.2.7"),
]

private let refused: [ProxyCase] =
  [
    "PROXY TCP4 192.0.2.07 198.51.100.1 1 2\r\n", "PROXY TCP4 192.0.2 198.51.100.1 1 2\r\n",
    "PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
    "PROXY TCP6 192.0.2.7 ::1 1 2\r\n", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    "PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n", "PROXY TCP4\t192.0.2.7 198.51.100.1 1 2\r\n",
    "PROXY TCP4 192.0.2.7  198.51.100.1 1 2\r\n", "PROXY TCP4\r\n", "PROXY TCP4 \r\n",
    "PROXY TCP41 192.0.2.7 198.51.100.1 1 2\r\n", "PROXY TCP4 192.0.2.7\0 198.51.100.1 1 2\r\n",
  ].map { ProxyCase($0, "a PROXY line with a malformed address") }
  + [
    "PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n",
    "PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n",
    "PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n",
    "PROXY TCP4 192.0.2.7 198.51.100.1  2\r\n",
  ].map { ProxyCase($0, "a PROXY line with a malformed port") }
  + [
    "PROXY TCP5 a b 1 2\r\n", "PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n", "PROXY \r\n",
    "PROXY tcp4 192.0.2.7 198.51.100.1 1 2\r\n", "PROXY UNKNOWNS\r\n", "PROXY UNKN\r\n",
  ].map { ProxyCase($0, "a PROXY line of an unknown protocol") }
  + [
    "PROXY UNKNOWN\n", "PROXY UNKNOWN\r", "PROXY UNKNOWN a\rb\r\n",
    "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n",
  ].map { ProxyCase($0, "a PROXY line that does not end in CRLF") }
  + [
    ProxyCase(
      "PROXY UNKNOWN " + String(repeating: "f", count: 92) + "\r\n",
      "a PROXY line that does not end"),
    ProxyCase("GET / HTTP/1.1\r\n", "no PROXY header"),
    ProxyCase("proxy UNKNOWN\r\n", "no PROXY header"),
    ProxyCase(" PROXY UNKNOWN\r\n", "no PROXY header"),
    ProxyCase("PROXYX", "no PROXY header"), ProxyCase("\r\n\r\nGET", "no PROXY header"),
    ProxyCase([0x16, 3, 1], "no PROXY header"),
    ProxyCase(binary(0x11, 0x11, ipv4), "a PROXY header of an unknown version or command"),
    ProxyCase(binary(0x22, 0x11, ipv4), "a PROXY header of an unknown version or command"),
    ProxyCase(binary(0x21, 0x41, ipv4), "a PROXY header of an unknown family or transport"),
    ProxyCase(binary(0x21, 0x13, ipv4), "a PROXY header of an unknown family or transport"),
    ProxyCase(
      binary(0x21, 0x11, ipv4, length: 11), "a PROXY header without room for its addresses"),
    ProxyCase(
      binary(0x21, 0x21, ipv4, length: 35), "a PROXY header without room for its addresses"),
    ProxyCase(
      binary(0x21, 0x31, ipv6, length: 215), "a PROXY header without room for its addresses"),
    ProxyCase(binary(0x20, 0x00, length: 4096 - 16 + 1), "a PROXY header over the limit"),
    ProxyCase(binary(0x21, 0x11, ipv4 + [4]), "a PROXY header with a cut vector"),
    ProxyCase(binary(0x21, 0x11, ipv4 + [4, 0, 1]), "a PROXY header with a cut vector"),
    ProxyCase(
      binary(0x21, 0x11, ipv4 + vector(3, [0, 0, 0, 0])), "a PROXY header with a wrong checksum"),
    ProxyCase(binary(0x21, 0x11, ipv4 + vector(3, [])), "a PROXY header with a wrong checksum"),
  ]

@Suite(.serialized) struct ProxyTests {
  @Test(arguments: taken, [false, true])
  func theHeaderNamesTheClient(_ one: ProxyCase, _ byteByByte: Bool) throws {
    let server = try TestServer(proxies: "127.0.0.0/8")
    let client = RawClient(server.port)
    if byteByByte {
      for byte in one.header.prefix(300) { client.send([byte]) }
      client.send(Array(one.header.dropFirst(300)))
      client.send(request)
    } else {
      client.send(one.header + Array(request.utf8))
    }
    #expect(client.receiveText().hasSuffix("\r\n\r\n\(one.verdict)"))
    let length = one.verdict.utf8.count
    #expect(
      server.events(until: "sent") == ["request GET /client", "sent ok 200 \(length)"])
  }

  @Test(arguments: refused, [false, true])
  func whatIsNoHeaderResetsTheConnection(_ one: ProxyCase, _ byteByByte: Bool) throws {
    let server = try TestServer(proxies: "127.0.0.0/8")
    let client = RawClient(server.port)
    let bytes = one.header + Array(request.utf8)
    if byteByByte {
      for byte in bytes where !client.send([byte]) { break }
    } else {
      client.send(bytes)
    }
    let (answer, end) = client.receive()
    // A send that met the reset has taken it away from the receive.
    #expect(answer == [] && (end == .reset || byteByByte && end == .closed))
    #expect(server.events(until: "refused") == ["refused 127.0.0.1: \(one.verdict)"])
  }

  @Test(arguments: [
    ("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n", "request PROXY TCP4"),
    (String(decoding: binary(0x21, 0x11, ipv4), as: UTF8.self), "request  "),
  ])
  func fromOthersAHeaderIsAMalformedRequest(_ header: String, _ first: String) throws {
    for networks in ["", "192.0.2.0/24, ::1"] {
      let server = try TestServer(proxies: networks)
      #expect(roundTrip(server, header + request).statuses == [400])
      #expect(server.events(until: "sent").prefix(2) == [first, "malformed 400"])
      #expect(roundTrip(server, request).hasSuffix("\r\n\r\n127.0.0.1"))
    }
  }

  @Test func theHeaderIsForAllRequestsOfItsConnection() throws {
    let server = try TestServer(proxies: "127.0.0.1")
    let client = RawClient(server.port)
    let kept = "GET /client HTTP/1.1\r\nHost: a\r\n\r\n"
    client.send("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n")
    for _ in 0..<3 {
      client.send(kept)
      #expect(client.receiveAnswer(body: 9).hasSuffix("\r\n\r\n192.0.2.7"))
    }
    client.send("GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(client.receiveText().hasSuffix("\r\n\r\n127.0.0.1 false"))
  }

  @Test func aSecondHeaderIsAMalformedRequest() throws {
    let server = try TestServer(proxies: "127.0.0.1")
    let header = "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n"
    #expect(roundTrip(server, header + header + request).statuses == [400])
  }

  @Test func aPeerThatSendsNoHeaderInTimeIsRefused() throws {
    let server = try TestServer(head: 100, proxies: "127.0.0.1")
    for begin in ["", "PROXY TCP4 192.0.2.7"] {
      let client = RawClient(server.port)
      client.send(begin)
      #expect(client.receive().end == .reset)
    }
    #expect(
      server.events(until: "refused", count: 2)
        == [String](repeating: "refused 127.0.0.1: no PROXY header in time", count: 2))
  }

  @Test func aHealthCheckWithoutAByteIsNotRefusedAndABrokenHeaderIs() throws {
    let server = try TestServer(proxies: "127.0.0.1")
    let check = RawClient(server.port)
    check.finishSending()
    #expect(check.receive().end == .closed)
    let broken = RawClient(server.port)
    broken.send("PROXY TCP4 192.0.2.7")
    broken.finishSending()
    #expect(broken.receive().end == .reset)
    #expect(
      server.events(until: "refused") == ["refused 127.0.0.1: a PROXY header that breaks off"])
  }

  @Test func theListenerAndTheLoopEndWhileHeadersAreAwaited() throws {
    let server = try TestServer(proxies: "127.0.0.1")
    let first = RawClient(server.port)
    let second = RawClient(server.port)
    second.send("PROXY TCP4 ")
    // Accepted after both of them.
    #expect(roundTrip(server, "PROXY UNKNOWN\r\n" + request).statuses == [200])
    server.order(.closeListener)
    #expect(first.receive().end == .closed)
    server.stop()
    #expect(second.receive().end != .waiting)
    #expect(server.events.last == "listener closed")
  }

  @Test func networksThatAreNoneAreSaid() throws {
    let failure = #expect(throws: TestServer.Failure.self) {
      try TestServer(proxies: "10.0.0.0/8, 10.0.0/8")
    }
    #expect(failure?.message == "not an IP network: \"10.0.0/8\"")
  }
}
