// Documents that nobody in good faith would send: refused or left out, never believed, never fatal.

import Reactor
import Testing

@testable import Frontend

@Suite struct GlobusHostileTests {
  private static let time = #""last_modified": "1970-01-01 00:01:00+00:00""#
  private static func file(size: String, more: String = "") -> String {
    #"{"type": "file", "size": \#(size), \#(time)\#(more)}"#
  }
  private static func deep(_ levels: Int) -> String {
    String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
  }

  private static func status(_ body: [UInt8]) -> FileStatus? {
    try? GlobusJSON.decode(FileDocument.self, from: body, "it").status()
  }

  private static let none: [String] = [
    "", " ", "null", "[]", "5", "\"file\"", "{", "{}", "{\"type\"", "<html></html>", "\u{feff}",
    file(size: "-1"), file(size: "1.5"), file(size: "18446744073709551616"), file(size: "1e400"),
    file(size: "-1e400"), file(size: "NaN"), file(size: "Infinity"), file(size: "0x5"),
    file(size: "\"5\""), file(size: "true"), file(size: "[5]"), file(size: "null"),
    file(size: String(repeating: "9", count: 10_000)),
    file(size: "5") + "}", file(size: "5") + file(size: "6"),
    file(size: "5", more: #", "x": \#(deep(100_000))"#), deep(100_000),
    String(repeating: #"{"x":"#, count: 100_000),
    #"{"type": ["file"], "size": 5, \#(time)}"#,
    #"{"type": "file", "size": 5, "last_modified": 60}"#,
    #"{"type": "file", "size": 5, "last_modified": "99999999999-01-01 00:00:00+00:00"}"#,
    #"{"type": "file", "size": 5, "last_modified": "1970-13-45 99:99:99+00:00"}"#,
  ]

  @Test(arguments: none)
  func documentsThatAreNone(text: String) {
    #expect(Self.status(Array(text.utf8)) == nil)
  }

  @Test func bytesThatAreNoTextAreNoName() throws {
    let texts: [[UInt8]] = [
      [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82], Array(#"\ud800"#.utf8),
      Array(#"\udc00\ud800"#.utf8),
    ]
    for bytes in texts {
      let start = Array(#"{"DATA": [{"name": "a"#.utf8)
      let end = Array((#"", "# + Self.file(size: "1").dropFirst() + "]}").utf8)
      let plain = try GlobusJSON.decode(FolderDocument.self, from: start + end, "it")
      #expect(try plain.entries().map(\.name) == ["a"])
      let odd = try? GlobusJSON.decode(FolderDocument.self, from: start + bytes + end, "it")
      #expect(try odd?.entries().isEmpty != false, "\(bytes)")
      let type = Array(#"{"size": 1, \#(Self.time), "type": "file"#.utf8)
      #expect(Self.status(type + bytes + Array(#""}"#.utf8)) == nil, "\(bytes)")
    }
  }

  /// Whatever is made of them, the bytes have to agree with it.
  @Test func ofFieldsGivenTwiceOneIsTaken() {
    let twice = Self.status(Array(Self.file(size: "5", more: #", "size": 6"#).utf8))
    #expect(twice == nil || [5, 6].contains(twice!.size))
  }

  @Test func entriesWithoutAKeyAreLeftOut() throws {
    let names = [
      #""a""#, #""""#, #"".""#, #""..""#, #""/""#, #""a/b""#, #""../a""#, #""/etc""#,
      #""a\u0000b""#,
      #""a\nb""#, #""\u007f""#, "5", "null", #"["a"]"#, #""é""#,
      "\"" + String(repeating: "x", count: 2000) + "\"",
    ]
    let entries = names.map { #"{"name": \#($0), "type": "file", "size": 1, \#(Self.time)}"# }
    let odd = [
      "5", "null", "[]", "{}", #"{"name": "b"}"#,
      #"{"name": "c", "type": "file", "size": -1, \#(Self.time)}"#,
      #"{"name": "d", "type": "file", "size": 1}"#,
    ]
    let text = #"{"DATA": [\#((entries + odd).joined(separator: ","))]}"#
    let document = try GlobusJSON.decode(FolderDocument.self, from: Array(text.utf8), "it")
    let request = try ListingRequest(.version2, query: try Query("delimiter=/")) { _ in nil }
    #expect(!(try document.entries().contains { $0.name.isEmpty }))
    let page = try ListingPage(request, entries: try document.entries())
    #expect(page.items.map(\.key) == ["a", "é"])
  }

  @Test(arguments: [
    "", "[]", "{}", #"{"DATA": {}}"#, #"{"DATA": null}"#, #"{"DATA": [}"#,
    #"{"DATA": \#(deep(100_000))}"#,
  ])
  func listingsThatAreNone(text: String) {
    #expect(throws: GlobusError.self) {
      try GlobusJSON.decode(FolderDocument.self, from: Array(text.utf8), "it")
    }
  }

  @Test func errorDocumentsThatAreNoneTellNothing() {
    for body in [
      Self.deep(100_000), #"{"code": 5}"#, #"{"code": null}"#, "{", #"{"code": "x\u{0}"}"#,
      #"{"message": "c=PATH_NOT_FOUND"}"#, #"{"code": "x", "message": 5}"#,
    ] {
      let error = TransferFault.error(status: 502, headers: [:], body: Array(body.utf8))
      guard case .unavailable(let why) = error else {
        Issue.record("\(body.prefix(40)): \(error)")
        continue
      }
      #expect(why.utf8.count < 100)
    }
  }

  @Test func tenMebibytesAreNotADocument() async throws {
    Loop.runInBackground()
    try await onLoop {
      let padding = String(repeating: " ", count: 10 << 20)
      let upstream = try GlobusUpstream { _, _ in .init(200, Self.file(size: "5") + padding) }
      var configuration = Configuration(
        baseURL: BaseURL("http://localhost:8000")!, clientID: "app", clientSecret: "s")
      configuration.transferURL = upstream.url
      let client = try TransferClient(configuration)
      let id = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!
      await #expect(throws: GlobusError.self) {
        try await client.stat(
          "/x", in: id, token: TransferToken(secret: Secret("AgT")), trace: UpstreamTrace())
      }
      // What is too large once is not asked for again.
      #expect(upstream.requests.count == 1)
    }
  }
}
