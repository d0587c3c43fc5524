// Paths and folders: what is found, and that nothing leads out.

import Glibc
import Testing

@testable import LocalGlobus

@Suite struct CollectionPathTests {
  @Test(arguments: [
    ("", "/"), ("/", "/"), ("/~/", "/"), ("~/a", "/a/"), ("/a//b/", "/a/b/"), ("/a/./b", "/a/b/"),
    ("/a/../b", "/b/"), ("/a/~", "/a/~/"), ("/é\u{301}", "/é\u{301}/"),
  ])
  func normalisation(_ text: String, _ normal: String) throws {
    #expect(Array(try CollectionPath(text).directoryText.utf8) == Array(normal.utf8))
  }

  @Test(arguments: ["..", "/..", "/a/../..", "/~/.."])
  func climbing(_ text: String) {
    #expect(throws: CollectionPath.Refusal.notAllowed) { try CollectionPath(text) }
    let encoded = text.replacing(".", with: "%2e")
    #expect(throws: CollectionPath.Refusal.notAllowed) {
      try CollectionPath(percentEncoded: encoded)
    }
  }

  @Test(arguments: ["/a\0b", "/a\r\nb"]) func names(_ text: String) {
    #expect(throws: CollectionPath.Refusal.invalid) { try CollectionPath(text) }
  }

  @Test func length() throws {
    #expect(try CollectionPath(String(repeating: "a", count: Limits.pathBytes)).name != nil)
    #expect(throws: CollectionPath.Refusal.invalid) {
      try CollectionPath(String(repeating: "a", count: Limits.pathBytes + 1))
    }
  }

  @Test func namesThatAreNotUTF8ReturnAsTheyWent() throws {
    let name: [UInt8] = [0x61, 0xe9, 0xff]
    #expect(FileName.text(name) == "\u{fffd}aéÿ")
    #expect(try CollectionPath("/d/" + FileName.text(name)).name == name)
    #expect(try CollectionPath(percentEncoded: "/d/a%e9%FF").name == name)
    #expect(try CollectionPath("/d/\u{301}a").name == Array("\u{301}a".utf8))
    #expect(FileName.bytes("\u{fffd}€") == Array("\u{fffd}€".utf8))
  }
}

@Suite struct LocalFolderTests {
  @Test func entriesAndTheirLinks() throws {
    let temporary = TemporaryFolder()
    try temporary.file("b", "12345")
    temporary.folder("a")
    temporary.link("in", to: "b")
    temporary.link("broken", to: "nothing")
    temporary.link("out", to: "/etc/passwd")
    temporary.link("up", to: "..")
    let entries = try LocalFolder(temporary.path).entries(.root)
    #expect(
      entries.map { String(decoding: $0.name, as: UTF8.self) } == [
        "a", "b", "broken", "in", "out", "up",
      ])
    #expect(
      entries.map(\.attributes.type) == [
        .dir, .file, .invalidSymlink, .file, .invalidSymlink, .invalidSymlink,
      ])
    #expect(entries[3].attributes.size == 5)
    #expect(entries[3].link?.target == Array("b".utf8))
    #expect(entries[1].link == nil)
  }

  @Test(arguments: ["out", "out/passwd", "up", "up/etc", "absolute/passwd"])
  func linksThatLeadOut(_ path: String) throws {
    let temporary = TemporaryFolder()
    temporary.link("out", to: "/etc/passwd")
    temporary.link("up", to: "../..")
    temporary.link("absolute", to: "/etc")
    let folder = try LocalFolder(temporary.path)
    let error = #expect(throws: FileError.self) { try folder.open(try CollectionPath(path)) }
    #expect(error == (path == "out/passwd" ? .notDirectory : .notAllowed))
  }

  @Test func aSiblingWhoseNameBeginsAlikeIsOutside() throws {
    let temporary = TemporaryFolder()
    temporary.folder("data")
    temporary.folder("data-private")
    try temporary.file("data-private/x", "secret")
    temporary.link("data/link", to: "../data-private/x")
    let folder = try LocalFolder(temporary.path + "/data")
    #expect(throws: FileError.notAllowed) { try folder.open(try CollectionPath("link")) }
  }

  @Test func aFolderWithTooManyEntries() throws {
    let temporary = TemporaryFolder()
    for name in ["a", "b", "c"] { try temporary.file(name) }
    let folder = try LocalFolder(temporary.path)
    #expect(try folder.entries(.root, limit: 3).count == 3)
    #expect(throws: FileError.tooMany) { try folder.entries(.root, limit: 2) }
  }

  @Test func whatIsNoFolder() throws {
    let temporary = TemporaryFolder()
    try temporary.file("file")
    #expect(throws: LocalGlobusError.self) { try LocalFolder(temporary.path + "/file") }
    #expect(throws: LocalGlobusError.self) { try LocalFolder(temporary.path + "/nothing") }
    let folder = try LocalFolder(temporary.path)
    #expect(throws: FileError.notDirectory) { try folder.entries(try CollectionPath("file")) }
    #expect(throws: FileError.notFound) { try folder.entries(try CollectionPath("nothing")) }
  }

  @Test(
    arguments: [
      (0, "1970-01-01 00:00:00+00:00"), (1_700_000_000, "2023-11-14 22:13:20+00:00"),
      (951_782_399, "2000-02-28 23:59:59+00:00"),
    ] as [(Int64, String)])
  func times(_ seconds: Int64, _ text: String) { #expect(transferTime(seconds) == text) }

  @Test func collectionIDsFollowTheDirectory() {
    let id = collectionID(forDirectory: "/data")
    #expect(id == collectionID(forDirectory: "/data") && id != collectionID(forDirectory: "/date"))
    let digits = Array(id.utf8)
    #expect(digits.count == 36 && digits[14] == UInt8(ascii: "8"))
    #expect("89ab".utf8.contains(digits[19]))
    #expect(randomUUID() != randomUUID() && Array(randomUUID().utf8)[14] == UInt8(ascii: "4"))
  }
}
