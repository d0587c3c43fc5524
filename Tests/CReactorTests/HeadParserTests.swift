// Request heads over real sockets: what is refused and how, what is taken. That the verdict does
// not depend on how the bytes are cut is also what Tests/Fuzz/head_fuzz.c holds for any bytes.

import CReactor
import Testing

struct HeadCase: Sendable, CustomTestStringConvertible {
  let status: Int
  let request: String
  init(_ status: Int, _ request: String) {
    self.status = status
    self.request = request
  }
  var testDescription: String { "\(status) \(request.prefix(60).debugDescription)" }
}

/// A GET of "/" with the Host header and these lines.
private func get(_ lines: String...) -> String {
  "GET / HTTP/1.1\r\nHost: a\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
}

private func line(_ line: String) -> String { line + "\r\nHost: a\r\n\r\n" }
private func host(_ value: String) -> String { "GET / HTTP/1.1\r\nHost:\(value)\r\n\r\n" }

private let framing: [HeadCase] =
  [
    "+5", "-5", "0x5", "5_0", "5 5", "5;", "5.0", "５", "", "5, 5", "9223372036854775808",
    "18446744073709551616", String(repeating: "1", count: 40),
  ].map { HeadCase(400, get("Content-Length: \($0)")) } + [
    HeadCase(400, get("Content-Length: 0", "Transfer-Encoding: chunked")),
    HeadCase(400, get("Content-Length: 5", "Content-Length: 6")),
    HeadCase(400, get("Content-Length: 5", "content-length: 5")),
    HeadCase(400, get("Transfer-Encoding: chunked, identity")),
    HeadCase(400, get("Transfer-Encoding: chunked, chunked")),
    HeadCase(501, get("Transfer-Encoding: identity")),
    HeadCase(501, get("Transfer-Encoding: gzip, chunked")),
    HeadCase(501, get("Transfer-Encoding: xchunked")),
    HeadCase(501, get("Transfer-Encoding: chunked;q=1")),
    HeadCase(400, get("Transfer-Encoding: ,chunked")),
    HeadCase(400, get("Transfer-Encoding: chunked,")),
    HeadCase(400, get("Transfer-Encoding: \"chunked\"")),
    HeadCase(400, get("Transfer-Encoding: \u{b}chunked")),
    HeadCase(400, get("Transfer-Encoding:")),
    HeadCase(400, get("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")),
    HeadCase(400, "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    HeadCase(400, get("Transfer-Encoding: chunked\t")),
    HeadCase(400, get("Content-Length:\t0")),
    HeadCase(400, get("Transfer_Encoding: chunked")),
    HeadCase(400, get("Content_Length: 5")),
    HeadCase(417, get("Expect: something")),
    HeadCase(417, get("Expect: 100-continue, more")),
  ]

private let requestLines: [HeadCase] = [
  HeadCase(400, "GET / HTTP/1.1\nHost: a\n\n"),
  HeadCase(400, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
  HeadCase(400, "GET / HTTP/1.1\rHost: a\r\n\r\n"),
  HeadCase(400, "GET / HTTP/1.1\r\n\rX: a\r\n\r\n"),
  HeadCase(400, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
  HeadCase(400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
  HeadCase(400, "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
  HeadCase(400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
  HeadCase(400, line("GET  / HTTP/1.1")),
  HeadCase(400, line("GET /  HTTP/1.1")),
  HeadCase(400, line("GET\t/ HTTP/1.1")),
  HeadCase(400, line("GET / HTTP/1.1 ")),
  HeadCase(400, line("GET /")),
  HeadCase(400, line("GET")),
  HeadCase(505, line("GET / HTTP/1.9")),
  HeadCase(400, line("GET / HTTP/01.1")),
  HeadCase(400, line("GET / http/1.1")),
  HeadCase(505, line("GET / HTTP/2.0")),
  HeadCase(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  HeadCase(400, line("GET / HTTP/4294967295.1")),
  HeadCase(400, line("get / HTTP/1.1")),
  HeadCase(400, line("GeT / HTTP/1.1")),
  HeadCase(400, line("G@T / HTTP/1.1")),
  HeadCase(400, line(String(repeating: "A", count: 33) + " / HTTP/1.1")),
  HeadCase(501, line("BREW / HTTP/1.1")),
  HeadCase(501, line("GE / HTTP/1.1")),
  HeadCase(405, line("CONNECT other:443 HTTP/1.1")),
  HeadCase(400, line("GET http://other/x HTTP/1.1")),
  HeadCase(400, line("GET http://a:80/x HTTP/1.1")),
  HeadCase(400, line("GET http://a HTTP/1.1")),
  HeadCase(400, line("GET http://a?b/c HTTP/1.1")),
  HeadCase(400, line("GET http://u@a/x HTTP/1.1")),
  HeadCase(400, line("GET http:///x HTTP/1.1")),
  HeadCase(400, line("GET http:/a/x HTTP/1.1")),
  HeadCase(400, line("GET ftp://a/x HTTP/1.1")),
  HeadCase(400, line("GET a:80 HTTP/1.1")),
  HeadCase(400, line("GET * HTTP/1.1")),
  HeadCase(400, line("GET x HTTP/1.1")),
  HeadCase(400, line("GET /a#b HTTP/1.1")),
  HeadCase(400, line("GET /a b HTTP/1.1")),
  HeadCase(400, line("GET /a\tb HTTP/1.1")),
  HeadCase(400, line("GET /a\u{7f}b HTTP/1.1")),
  HeadCase(400, line("GET /a\u{0}b HTTP/1.1")),
  HeadCase(400, line("GET /ä HTTP/1.1")),
  HeadCase(400, line("GET /a\\b HTTP/1.1")),
  HeadCase(400, line("GET /a<b HTTP/1.1")),
  HeadCase(400, line("GET /a\"b HTTP/1.1")),
  HeadCase(400, "\u{16}\u{3}\u{1}\u{2}"),
]

private let headerLines: [HeadCase] =
  [
    "Authorization", "Range", "Content-Type", "Content-MD5", "X-Amz-Date", "x-amz-content-sha256",
    "Date", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range",
  ].map { HeadCase(400, get("\($0): 1", "\($0.lowercased()): 1")) } + [
    HeadCase(400, get("Connection: Authorization")),
    HeadCase(400, get("Connection: close, x-amz-date")),
    HeadCase(400, get("Connection: close", "Connection: X-Forwarded-For")),
    HeadCase(400, get("Connection: host")),
    HeadCase(400, get("A: b\r\n c")),
    HeadCase(400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    HeadCase(400, get("A : b")),
    HeadCase(400, get("no colon")),
    HeadCase(400, get(": empty name")),
    HeadCase(400, get("A(b): c")),
    HeadCase(400, get("Ä: c")),
    HeadCase(400, get("A: b\u{0}c")),
    HeadCase(400, get("A: b\rc")),
    HeadCase(400, get("A: b\u{1b}c")),
    HeadCase(400, get("A: b\u{7f}c")),
    HeadCase(400, "GET / HTTP/1.1\r\n\r\n"),
    HeadCase(400, get("Host: a")),
    HeadCase(400, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
  ]

private let hosts: [HeadCase] =
  ["", " ", " a, b", " a/b", " u@a", " a b", " a:99999", " a:", " a:1x", " :80", " [::1", " [x]:1"]
  .map { HeadCase(400, host($0)) }
  + [" a", "a:8000", " [::1]:8000", " 127.0.0.1", " a.b-c_d~e:65535"].map {
    HeadCase(200, host($0))
  }

private let taken: [HeadCase] = [
  HeadCase(200, get()),
  HeadCase(200, "\r\n" + get()),
  HeadCase(200, "GET / HTTP/1.0\r\n\r\n"),
  HeadCase(200, line("OPTIONS * HTTP/1.1")),
  HeadCase(200, line("GET //other/x?a=%20&b=[{|}]^`> HTTP/1.1")),
  HeadCase(200, get("A: b\tc ä", "Empty:", "Connection: keep-alive, TE,, Unknown")),
  HeadCase(200, line("GET http://a/x HTTP/1.1")),
  HeadCase(200, line("GET HTTPS://A/x?y HTTP/1.1")),
  HeadCase(200, "GET http://[::1]:80/x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
  HeadCase(200, "GET http://other/x HTTP/1.0\r\n\r\n"),
  HeadCase(200, line("PROPFIND / HTTP/1.1")),
  HeadCase(200, line("TRACE / HTTP/1.1")),
  HeadCase(200, get("Upgrade: h2c", "Connection: Upgrade")),
  HeadCase(200, get("X-Repeated: 1", "X-Repeated: 2")),
  HeadCase(
    200,
    get("Content-Length: 0000000000000000005", "").replacing("\r\n\r\n\r\n", with: "\r\n\r\n")
      + "hello"),
  HeadCase(200, get("Transfer-Encoding: Chunked") + "0\r\n\r\n"),
]

@Suite(.serialized) struct HeadParserTests {
  static let cases = framing + requestLines + headerLines + hosts + taken

  @Test(arguments: cases, [false, true])
  func verdict(_ head: HeadCase, byteByByte: Bool) throws {
    let server = try TestServer()
    let answer = roundTrip(server, head.request, byteByByte: byteByByte)
    #expect(answer.statuses == [head.status])
    let events = server.events(until: "sent")
    #expect(events.contains("malformed \(head.status)") == (head.status != 200))
    if head.status != 200 { #expect(answer.contains("Connection: close\r\n")) }
  }

  @Test func ofAnAbsoluteTargetThePathIsTheTarget() throws {
    let server = try TestServer()
    _ = roundTrip(server, "GET http://a.b:80//x?y HTTP/1.1\r\nHost: A.b:80\r\n\r\n")
    #expect(server.events(until: "request") == ["request GET //x?y", "sent ok 200 5"])
  }

  @Test func namesAndValuesAreGivenWithoutTheSpaceAroundThem() throws {
    let server = try TestServer()
    let answer = roundTrip(
      server, "GET /headers HTTP/1.1\r\nHost: a\r\nX-One:\t b c \t\r\nx-two:\r\n\r\n")
    #expect(answer.hasSuffix("Host=a|X-One=b c|x-two=|"))
  }

  /// Each limit, at it and one over it.
  @Test(arguments: [
    (requestLineLimit, 200), (requestLineLimit + 1, 414),
  ]) func longRequestLine(_ length: Int, _ status: Int) throws {
    let fixed = "GET / HTTP/1.1\r\n".utf8.count
    let target = "/" + String(repeating: "a", count: length - fixed)
    let server = try TestServer()
    let answer = roundTrip(server, "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(answer.statuses == [status])
    #expect(server.events[0].hasPrefix("request GET /aaaa"))
  }

  @Test func anEndlessRequestLineIsRefusedBeforeItEnds() throws {
    let server = try TestServer()
    let client = RawClient(server.port)
    client.send("GET /" + String(repeating: "a", count: requestLineLimit))
    #expect(client.receiveText().statuses == [414])
  }

  @Test(arguments: [(headerLineLimit, 200), (headerLineLimit + 1, 431)])
  func longHeaderLine(_ length: Int, _ status: Int) throws {
    let server = try TestServer()
    let value = String(repeating: "v", count: length - "A: \r\n".utf8.count)
    #expect(roundTrip(server, get("A: \(value)")).statuses == [status])
  }

  @Test(arguments: [(100, 200), (101, 431)]) func headerCountLimit(_ count: Int, _ status: Int)
    throws
  {
    let server = try TestServer()
    let lines = (2...count).map { "X-\($0): 1" }.joined(separator: "\r\n")
    #expect(roundTrip(server, get(lines)).statuses == [status])
  }

  @Test(arguments: [(headLimit, 200), (headLimit + 1, 431)])
  func longHead(_ length: Int, _ status: Int) throws {
    let server = try TestServer()
    var head = "GET / HTTP/1.1\r\nHost: a\r\n"
    for i in 0..<4 { head += "X-\(i): " + String(repeating: "v", count: 10_000) + "\r\n" }
    head += "X-Last: " + String(repeating: "v", count: length - head.utf8.count - 12) + "\r\n\r\n"
    #expect(head.utf8.count == length)
    #expect(roundTrip(server, head).statuses == [status])
  }
}

// limits.h is not public: its figures are stated here once more, and crossing them is the test.
private let requestLineLimit = 16 * 1024
private let headerLineLimit = 16 * 1024
private let headLimit = 48 * 1024
