// Nothing above a bucket's root folder: what a root may be, and that no path escapes it.

import Testing

@testable import Frontend

/// Repeatable from its seed.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}

@Suite struct RootFolderTests {
  @Test(arguments: [
    ("/a", "/a"), ("a", "/a"), ("/a/", "/a"), ("/a/b c/é☂/", "/a/b c/é☂"), ("/~/", "/~"),
    ("/~/data", "/~/data"), ("/a/...", "/a/..."), ("/%2e%2e", "/%2e%2e"), ("/a+b", "/a+b"),
    // U+0301 makes one Character with the "/" before it, U+0600 with the one behind.
    ("/\u{301}a", "/\u{301}a"), ("\u{301}", "/\u{301}"), ("/a\u{600}/", "/a\u{600}"),
  ])
  func roots(text: String, expected: String) throws {
    #expect(try #require(RootFolder(text)).description == expected)
  }

  @Test(arguments: [
    "", "/", "//", "//a", "/a//b", "/a//", ".", "..", "/.", "/..", "/a/..", "/a/../b", "../a",
    "a/./b",
    "/a\u{0}", "/a\nb", "/a\u{85}", "/\u{7f}",
  ])
  func whatIsNoRoot(text: String) {
    #expect(RootFolder(text) == nil)
  }

  @Test func aRootHasAtMost1024Bytes() {
    let most = CredentialLimits.rootFolderBytes
    #expect(RootFolder("/" + String(repeating: "r", count: most - 1)) != nil)
    #expect(RootFolder("/" + String(repeating: "r", count: most)) == nil)
    #expect(RootFolder(String(repeating: "r", count: most)) == nil)
  }

  /// Equal as text, but other bytes on the storage.
  @Test func rootsAreComparedAsBytes() {
    #expect(RootFolder("/\u{e9}") != RootFolder("/e\u{301}"))
    #expect(RootFolder.confined("/e\u{301}/x", to: RootFolder("/\u{e9}")) == nil)
  }

  @Test(arguments: [
    ("/a", "/a"), ("/a/b", "/a/b"), ("/ab", nil), ("/", nil), ("/b", nil), ("", nil), ("a", nil),
    ("/a/", nil), ("/a/../b", nil), ("/a/./b", nil), ("/a//b", nil), ("/a/b\u{0}", nil),
    ("/A/b", nil), ("/a/..b", "/a/..b"), ("/a/...", "/a/..."), ("/a/..", nil), ("/a/.", nil),
    ("/a/.b", "/a/.b"),
  ])
  func confinement(path: String, expected: String?) {
    #expect(RootFolder.confined(path, to: RootFolder("/a")) == expected)
  }

  @Test func withoutARootEveryPlainPathIsOne() {
    #expect(RootFolder.confined("/", to: nil) == "/")
    #expect(RootFolder.confined("/~", to: nil) == "/./~")
    #expect(RootFolder.confined("/~/x", to: nil) == "/./~/x")
    #expect(RootFolder.confined("/~x", to: nil) == "/~x")
    for path in ["", "a", "//", "/..", "/a/", "/a/../..", "/\u{0}"] {
      #expect(RootFolder.confined(path, to: nil) == nil)
    }
    #expect(RootFolder.confined("/~", to: RootFolder("/~/")) == "/~/")
    #expect(RootFolder.confined("/~/x", to: RootFolder("~")) == "/~/x")
  }

  /// Keys, prefixes, markers and tokens as an attacker would write them: what is asked upstream is
  /// the root or below it, by a reading that resolves everything.
  @Test func noHostileKeyLeavesTheRoot() throws {
    let seed = UInt64.random(in: .min ... .max)
    var random = SplitMix64(state: seed)
    let root = try #require(RootFolder("/lab/open"))
    let parts = [
      "..", ".", "", "/", "a", "open", "lab", "%2e%2e", "%2E%2e", "..%2f", "%2f", "%5c..%5c", "~",
      "\\", "..\\", "%00", "%c0%ae%c0%ae", "%c0%af", ";", "..;", "é", "e\u{301}", "%", "%25%32%65",
      "....", "secret", "?", "#", " ", "%0d%0a", "\u{202e}", "%ef%bc%8f",
    ]
    var served = 0
    for _ in 0..<4_000 {
      let text = (0..<Int.random(in: 1...7, using: &random)).map { _ in
        parts[Int.random(in: 0..<parts.count, using: &random)]
      }.joined(separator: Bool.random(using: &random) ? "/" : "")
      var paths: [String] = []
      if let key = try? ObjectKey(encoded: text) { paths.append(root.description + key.path) }
      for name in ["prefix", "marker", "start-after", "continuation-token"] {
        guard let query = try? Query("delimiter=/&list-type=2&\(name)=\(text)"),
          let folder =
            (try? ListingRequest(name == "marker" ? .version1 : .version2, query: query) { $0 })?
            .folder
        else { continue }
        paths.append(root.description + (folder.isEmpty ? "" : "/" + folder))
      }
      for path in paths {
        served += 1
        let sent = RootFolder.confined(path, to: root)
        #expect(sent != nil, "seed \(seed): \(text)")
        #expect(isBelow(root, sent ?? "/"), "seed \(seed): \(text)")
      }
      // As if nobody had looked at the key before.
      for path in [text, "/" + text, root.description + text, root.description + "/" + text] {
        guard let sent = RootFolder.confined(path, to: root) else { continue }
        #expect(isBelow(root, sent), "seed \(seed): \(path)")
      }
    }
    #expect(served > 500)
  }

  /// Whether `path`, with every ".." resolved, is the folder or below it.
  private func isBelow(_ root: RootFolder, _ path: String) -> Bool {
    var names: [Substring.UTF8View] = []
    for name in Substring(path).utf8.split(separator: UInt8(ascii: "/")) {
      if name.elementsEqual("..".utf8) {
        _ = names.popLast()
      } else if !name.elementsEqual(".".utf8) {
        names.append(name)
      }
    }
    let top = Substring(root.description).utf8.split(separator: UInt8(ascii: "/"))
    return names.count >= top.count
      && zip(names, top).allSatisfy { $0.elementsEqual($1) }
  }
}
