import Crypto
import Testing

@testable import Frontend

@Suite struct S3ListingTests {
  private static let tokens = ContinuationToken(keys: [SecretBytes(Array(repeating: 7, count: 32))])

  private func request(_ query: String) throws -> ListingRequest {
    let query = try Query(query)
    let form: ListingForm =
      query.contains("versions") ? .versions : query["list-type"] == nil ? .version1 : .version2
    return try ListingRequest(form, query: query) { Self.tokens.open($0) }
  }

  private func entries(_ names: [String]) -> [FolderEntry] {
    names.map { name in
      let isFolder = name.hasSuffix("/")
      return FolderEntry(
        name: isFolder ? String(name.dropLast()) : name,
        status: FileStatus(kind: isFolder ? .directory : .file, size: 1, modified: 0))
    }
  }

  @Test(arguments: [
    ("list-type=2&delimiter=/", ["a-b", "a.txt", "a/", "a0", "é"]),
    ("list-type=2&delimiter=/&prefix=a", ["a-b", "a.txt", "a/", "a0"]),
    ("list-type=2&delimiter=/&prefix=a/", []),
    ("delimiter=/&marker=a.txt", ["a/", "a0", "é"]),
    ("delimiter=/&marker=a/", ["a0", "é"]),
    ("list-type=2&delimiter=/&start-after=a/b", ["a/", "a0", "é"]),
    ("list-type=2&delimiter=/&max-keys=2", ["a-b", "a.txt"]),
    ("list-type=2&delimiter=/&max-keys=0", []),
    ("list-type=2&prefix=a0", ["a0"]), ("list-type=2&max-keys=0", []),
    ("versions&delimiter=/&key-marker=a.txt&version-id-marker=null", ["a/", "a0", "é"]),
    ("versions&delimiter=/&key-marker=a/", ["a0", "é"]),
    ("versions&delimiter=/&marker=a0&start-after=a0", ["a-b", "a.txt", "a/", "a0", "é"]),
  ])
  func whatIsListedInS3sOrder(_ query: String, _ expected: [String]) throws {
    let all = query.contains("prefix=a/") ? [] : ["é", "a0", "a/", "a.txt", "a-b"]
    let page = try ListingPage(request(query), entries: entries(all))
    #expect(page.items.map(\.key) == expected)
    #expect(page.isTruncated == query.contains("max-keys=2"))
  }

  @Test(arguments: ["list-type=2", "list-type=2&delimiter=-", "prefix=a"])
  func whatNeedsADeepWalkIsRefusedNotGuessed(_ query: String) throws {
    #expect(throws: S3Error.self) {
      try ListingPage(request(query), entries: entries(["a/", "b"]))
    }
  }

  @Test func pagesOfAnySizeJoinToTheSortedKeys() throws {
    let seed = UInt64.random(in: .min ... .max)
    var random = Seeded(state: seed)
    for _ in 0..<200 {
      let alphabet = ["a", "-", ".", "0", "é", "z", " ", "+", "~"]
      let names = Set(
        (0..<Int.random(in: 0...12, using: &random)).map { _ in
          (0..<Int.random(in: 1...3, using: &random)).map { _ in
            alphabet.randomElement(using: &random)!
          }.joined()
        }
      ).filter { $0 != "." && $0 != ".." }.map { Bool.random(using: &random) ? $0 + "/" : $0 }
      let sorted = names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
      let size = Int.random(in: 1...5, using: &random)
      var keys: [String] = []
      var token: String?
      repeat {
        let next = token.map { "&continuation-token=\($0)" } ?? ""
        let page = try ListingPage(
          request("list-type=2&delimiter=/&max-keys=\(size)\(next)"), entries: entries(names))
        keys += page.items.map(\.key)
        token = page.last.map { Self.tokens.seal($0) }
      } while token != nil
      #expect(keys == sorted, "seed \(seed)")
    }
  }

  @Test(arguments: [
    "max-keys=-1", "max-keys=abc", "max-keys=99999999999", "encoding-type=x", "list-type=3",
    "versions&version-id-marker=null", "versions&key-marker=a&version-id-marker=3",
    "list-type=2&continuation-token=Zm9yZ2VkIGZvcmdlZCBmb3JnZWQ",
  ])
  func badArgumentsAreNamed(_ query: String) throws {
    let error = try #require(throws: S3Error.self) { try request(query) }
    #expect(error.code == .invalidArgument)
    #expect(query.contains(error.details.first?.value ?? "?"))
  }

  @Test func moreThanAPageIsNeverGiven() throws {
    let names = (0...Limits.listedKeys).map { "k\($0)" }
    let page = try ListingPage(request("max-keys=5000"), entries: entries(names))
    #expect(page.items.count == Limits.listedKeys && page.isTruncated)
  }

  @Test(arguments: [
    ("", ""), ("a", ""), ("a/", "a"), ("a/b/c", "a/b"), ("/", nil), ("a//", nil), ("../", nil),
    ("a/./b", nil),
  ])
  func theFolderOfAPrefix(_ prefix: String, _ folder: String?) throws {
    #expect(try request("prefix=\(prefix)").folder == folder)
  }

  @Test func namesThatCanBeNoKeysAreLeftOut() throws {
    let page = try ListingPage(request(""), entries: entries(["a", "b\n", "..", "", "c/d"]))
    #expect(page.items.map(\.key) == ["a"])
  }

  @Test func aTokenIsNotMadeUp() {
    let sealed = Self.tokens.seal("a/b")
    #expect(Self.tokens.open(sealed) == "a/b")
    let other = ContinuationToken(keys: [SecretBytes(Array(repeating: 8, count: 32))])
    #expect(other.open(sealed) == nil)
    #expect(Self.tokens.open("") == nil && Self.tokens.open("!") == nil)
  }

  @Test func timesOfListings() {
    #expect(HTTPDate.formatISO(784_111_777) == "1994-11-06T08:49:37.000Z")
  }

  @Test func timesOfLogsAndKeys() {
    #expect(HTTPDate.formatISO(784_111_777, milliseconds: 7) == "1994-11-06T08:49:37.007Z")
    #expect(HTTPDate.formatISO(0, milliseconds: 999) == "1970-01-01T00:00:00.999Z")
    #expect(HTTPDate.formatISOSeconds(951_782_400) == "2000-02-29T00:00:00Z")
    #expect(HTTPDate.isISOSeconds("2000-02-29T00:00:00Z"))
    for text in ["", "2001-02-29T00:00:00Z", "20000229T000000Z", "2000-02-29T00:00:00.000Z"] {
      #expect(!HTTPDate.isISOSeconds(text))
    }
  }
}

private struct Seeded: RandomNumberGenerator {
  var state: UInt64

  /// SplitMix64.
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
