// TLS, with Python's ssl module as the client and a certificate made here.

import CReactor
import Glibc
import Testing

/// What a shell command prints on both its outputs; `meanwhile` is done while it runs.
private func run(_ command: String, meanwhile: () -> Void = {}) -> String {
  guard let pipe = popen("{ \(command)\n} 2>&1", "r") else { return "" }
  defer { pclose(pipe) }
  meanwhile()
  var bytes: [UInt8] = []
  var piece = [UInt8](repeating: 0, count: 4096)
  while true {
    let n = fread(&piece, 1, piece.count, pipe)
    if n == 0 { break }
    bytes += piece[..<n]
  }
  return String(decoding: bytes, as: UTF8.self)
}

/// A folder with two self-signed certificates and their keys, made once.
private let folder: String = {
  var template = Array("/tmp/creactor-tls-XXXXXX".utf8CString)
  let path = String(cString: mkdtemp(&template))
  for name in ["a", "b"] {
    _ = run(
      """
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=\(name) \
      -addext subjectAltName=IP:127.0.0.1 -keyout \(path)/\(name).key -out \(path)/\(name).crt
      """)
  }
  return path
}()

private func makeTLS(
  _ certificate: String, _ key: String, ticketKey: UInt64 = 3_600_000
) -> (OpaquePointer?, String) {
  var tls: OpaquePointer?
  var message = [CChar](repeating: 0, count: Int(CR_MESSAGE_BYTES))
  let result = cr_tls_new(
    "\(folder)/\(certificate)", "\(folder)/\(key)", ticketKey, &tls, &message)
  #expect((result == 0) == (tls != nil))
  return (tls, String(decoding: message.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self))
}

private func makeServer(
  stall: UInt32 = 20_000, proxies: String = "", ticketKey: UInt64 = 3_600_000
) throws -> TestServer {
  let (tls, message) = makeTLS("a.crt", "a.key", ticketKey: ticketKey)
  #expect(message == "")
  defer { cr_tls_free(tls!) }
  return try TestServer(tls: tls, stall: stall, proxies: proxies)
}

/// Runs lines of Python with `c` a TLS connection, and gives what they print.
private func python(
  _ server: TestServer, _ body: String, context: String = "", before: String = ""
) -> String {
  run(
    """
    python3 - <<'END'
    import socket, ssl, sys, time
    x = ssl.create_default_context(cafile='\(folder)/a.crt')
    x.set_alpn_protocols(['h2', 'http/1.1'])
    \(context)
    s = socket.create_connection(('127.0.0.1', \(server.port)))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    \(before)
    def everything():
        got = b''
        while True:
            piece = c.recv(65536)
            if not piece: return got
            got += piece
    try:
        c = x.wrap_socket(s, server_hostname='127.0.0.1')
    \(body.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n"))
    except Exception as error:
        print(type(error).__name__)
    END
    """)
}

private let ask = "printf 'GET /close HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'"

/// What openssl says of a connection on which `input` was sent.
private func connect(
  _ server: TestServer, _ flags: String, input: String = ask, meanwhile: () -> Void = {}
) -> String {
  run(
    "{ \(input); } | openssl s_client -connect 127.0.0.1:\(server.port) -ign_eof \(flags)",
    meanwhile: meanwhile)
}

@Suite(.serialized) struct TLSTests {
  @Test(arguments: ["TLSv1_2", "TLSv1_3"]) func requestsOverBothVersions(_ version: String) throws {
    let server = try makeServer()
    let output = python(
      server,
      """
      print(c.version().replace('.', '_'), c.selected_alpn_protocol())
      c.send(b'GET /peer HTTP/1.1\\r\\nHost: a\\r\\n\\r\\nGET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')
      c.send(b'PUT /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 200000\\r\\nConnection: close\\r\\n\\r\\n')
      c.sendall(b'b' * 200000)
      got = everything()
      print(got.count(b'HTTP/1.1 200 OK'), b'127.0.0.1 true' in got, got.endswith(b'b' * 200000))
      """, context: "x.minimum_version = x.maximum_version = ssl.TLSVersion.\(version)")
    #expect(output == "\(version) http/1.1\n3 True True\n")
    #expect(
      server.events(until: "sent", count: 3) == [
        "request GET /peer", "sent ok 200 14", "request GET /", "sent ok 200 5",
        "request PUT /echo", "ask 0", "body 0 200000", "sent ok 200 200000 in 200000",
      ])
  }

  @Test func aSlowClientGetsEveryByteAndEachIsCountedOnce() throws {
    let server = try makeServer()
    let output = python(
      server,
      """
      c.send(b'GET /big?3000000 HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n')
      time.sleep(0.3)
      got = everything()
      print(len(got.split(b'\\r\\n\\r\\n', 1)[1]))
      """, context: "")
    #expect(output == "3000000\n")
    #expect(server.events(until: "sent").last == "sent ok 200 3000000")
  }

  @Test func aHeadThatComesByteByByteInRecordsOfOne() throws {
    let server = try makeServer()
    let output = python(
      server,
      """
      for b in b'GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n': c.send(bytes([b]))
      print(everything()[-5:])
      """)
    #expect(output == "b'hello'\n")
  }

  @Test(arguments: [
    "s.send(header)", "for b in header: s.send(bytes([b]))",
    // In one segment with the handshake's first bytes.
    "s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1); s.send(header)",
  ])
  func thePROXYHeaderComesBeforeTheHandshake(_ before: String) throws {
    let server = try makeServer(proxies: "127.0.0.1")
    let output = python(
      server,
      """
      c.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
      c.send(b'GET /client HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n')
      print(everything().split(b'\\r\\n\\r\\n')[1])
      """,
      before: "header = b'PROXY TCP4 192.0.2.7 198.51.100.1 1 2\\r\\n'\n\(before)")
    #expect(output == "b'192.0.2.7'\n")
  }

  @Test func aPROXYHeaderInsideTLSOrNoneIsRefused() throws {
    let server = try makeServer(proxies: "127.0.0.1")
    #expect(python(server, "print('connected')").contains("Error"))
    #expect(server.events(until: "refused") == ["refused 127.0.0.1: no PROXY header"])
  }

  @Test func fromOthersAPROXYHeaderIsNoTLS() throws {
    let server = try makeServer(proxies: "192.0.2.1")
    let client = RawClient(server.port)
    client.send("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n")
    #expect(client.receive().end != .waiting)
    #expect(server.events == [])
  }

  @Test func manyPipelinedBytesWaitUntilThereIsRoom() throws {
    let server = try makeServer()
    let output = python(
      server,
      """
      one = b'GET /' + b'x' * 1000 + b' HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'
      c.sendall(one * 300 + one.replace(b'Host', b'Connection: close\\r\\nHost'))
      print(everything().count(b'HTTP/1.1 200'))
      """)
    #expect(output == "301\n")
    #expect(server.events(until: "sent", count: 301).count == 602)
  }

  /// More than the server's buffer holds, so that ciphertext is kept while the request waits.
  @Test func manyConnectionsWaitForTheirTurns() throws {
    let server = try makeServer()
    let output = python(
      server,
      """
      peer = c.getpeername()
      def more(): return x.wrap_socket(socket.create_connection(peer), server_hostname='127.0.0.1')
      one = b'GET /' + b'x' * 4000 + b' HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'
      all = [c] + [more() for _ in range(40)]
      for c in all: c.sendall(one * 20 + one.replace(b'Host', b'Connection: close\\r\\nHost'))
      counts = set()
      for c in all: counts.add(everything().count(b'HTTP/1.1 200'))
      print(counts)
      """)
    #expect(output == "{21}\n")
    #expect(server.mostBegunInATurn <= 16)
  }

  @Test func anAnswerIsEndedWithCloseNotifyAndACutOneIsNot() throws {
    let server = try makeServer()
    let strict =
      "x.options |= ssl.OP_IGNORE_UNEXPECTED_EOF; x.options ^= ssl.OP_IGNORE_UNEXPECTED_EOF"
    let request = { (target: String) in
      """
      c.suppress_ragged_eofs = False
      c.send(b'GET \(target) HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')
      print(len(everything()) > 0)
      """
    }
    #expect(python(server, request("/close"), context: strict) == "True\n")
    #expect(
      ["ConnectionResetError\n", "SSLEOFError\n"].contains(
        python(server, request("/half"), context: strict)))
    #expect(server.events(until: "sent", count: 2).last == "sent aborted 200 5")
  }

  @Test(arguments: [
    "x.maximum_version = ssl.TLSVersion.TLSv1_1; x.minimum_version = ssl.TLSVersion.TLSv1_1",
    "x.set_alpn_protocols(['h2'])",
    "x.maximum_version = ssl.TLSVersion.TLSv1_2; x.set_ciphers('ECDHE-ECDSA-AES128-SHA256')",
  ]) func whatIsNotSpokenFailsInTheHandshake(_ context: String) throws {
    let server = try makeServer()
    #expect(python(server, "print('connected')", context: context).contains("Error"))
    #expect(server.events == [])
  }

  /// RFC 7301 section 3.2; without the extension HTTP/1.1 is spoken.
  @Test func protocolsThatAreNotSpokenAreRefusedByTheirOwnAlert() throws {
    let server = try makeServer()
    #expect(connect(server, "-alpn h2").contains("alert no application protocol"))
    #expect(connect(server, "-alpn h2,http/1.1").contains("ALPN protocol: http/1.1"))
    #expect(connect(server, "").contains("No ALPN negotiated"))
  }

  @Test func nobodyNegotiatesAnew() throws {
    let server = try makeServer()
    let renegotiate = "echo R"
    #expect(
      run("\(renegotiate) | openssl s_client -tls1_2 -connect 127.0.0.1:\(server.port)").contains(
        "no renegotiation"))
  }

  private static let versions = ["-tls1_2", "-tls1_3"]

  @Test(arguments: versions) func aTicketResumesASessionUntilItsKeyIsTurned(_ version: String)
    throws
  {
    let lasting = try makeServer()
    #expect(connect(lasting, "\(version) -sess_out \(folder)/ticket").contains("\nNew, "))
    #expect(connect(lasting, "\(version) -sess_in \(folder)/ticket").contains("\nReused, "))
    let turning = try makeServer(ticketKey: 0)
    #expect(connect(turning, "\(version) -sess_out \(folder)/ticket").contains("\nNew, "))
    let again = connect(turning, "\(version) -sess_in \(folder)/ticket")
    #expect(again.contains("\nNew, ") && again.contains("HTTP/1.1 200 OK"))
  }

  @Test(arguments: versions) func anotherCertificateIsForNewConnections(_ version: String) throws {
    let server = try makeServer()
    _ = connect(server, "\(version) -sess_out \(folder)/old")
    let (begun, done) = ("\(folder)/begun", "\(folder)/done")
    unlink(begun)
    unlink(done)
    let wait = "until [ -e \(done) ]; do sleep 0.02; done"
    let before = connect(server, "\(version) -sess_out \(begun)", input: "\(wait); \(ask)") {
      for _ in 0..<2000 where access(begun, F_OK) != 0 { usleep(5000) }
      let (tls, message) = makeTLS("b.crt", "b.key")
      #expect(message == "")
      server.reconfigure { $0.tls = tls }
      cr_tls_free(tls!)
      close(creat(done, 0o600))
    }
    #expect(before.contains("HTTP/1.1 200 OK") && before.contains("CN = a"))
    let after = connect(server, "\(version) -sess_in \(folder)/old")
    #expect(after.contains("HTTP/1.1 200 OK") && after.contains("CN = b"))
    #expect(after.contains("\nNew, "))
  }

  @Test(arguments: ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\u{16}\u{3}\u{1}\u{0}\u{5}hello"])
  func whatIsNoTLSIsClosed(_ bytes: String) throws {
    let server = try makeServer()
    let client = RawClient(server.port)
    client.send(bytes)
    #expect(client.receive().end != .waiting)
    #expect(server.events == [])
  }

  @Test func aHandshakeThatStopsIsClosed() throws {
    let server = try makeServer()
    let client = RawClient(server.port)
    client.send("\u{16}\u{3}")
    #expect(client.receive(patience: 30_000).end == .closed)
  }

  @Test func aClientThatTakesNothingIsGivenUpWithoutCountingWhatItCannotRead() throws {
    let server = try makeServer(stall: 150)
    _ = python(
      server,
      """
      c.send(b'GET /big?50000000 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')
      time.sleep(1)
      """)
    let sent = try #require(server.events(until: "sent").last?.split(separator: " "))
    #expect(sent[1] == "timeout" && sent[2] == "200")
    let bytes = try #require(Int(sent[3]))
    #expect(bytes > 0 && bytes < 50_000_000)
  }

  @Test func theLoopEndsInTheMiddleOfHandshakesAndAnswers() throws {
    let server = try makeServer()
    let begun = RawClient(server.port)
    begun.send("\u{16}\u{3}")
    usleep(50_000)
    server.stop()
    #expect(begun.receive().end == .closed)
  }

  @Test func certificatesThatCannotBeUsed() throws {
    let (mismatch, text) = makeTLS("a.crt", "b.key")
    #expect(
      mismatch == nil && text == "can't use the key file \(folder)/b.key: key values mismatch")
    let (missing, reason) = makeTLS("none.crt", "a.key")
    #expect(
      missing == nil && reason.hasPrefix("can't use the certificate file \(folder)/none.crt: "))
    let (noKey, why) = makeTLS("a.crt", "a.crt")
    #expect(noKey == nil && why.hasPrefix("can't use the key file \(folder)/a.crt: "))
  }
}
