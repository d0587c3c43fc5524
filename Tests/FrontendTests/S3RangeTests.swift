import Testing

@testable import Frontend

@Suite struct S3RangeTests {
  @Test(
    arguments: [
      ("bytes=0-4", 10, 0...4), ("bytes=5-", 10, 5...9), ("bytes=-3", 10, 7...9),
      ("bytes=0-99", 10, 0...9), ("bytes=-99", 10, 0...9), ("bytes=9-9", 10, 9...9),
      ("Bytes=0-0", 1, 0...0), ("bytes=0-99999999999999999999", 10, 0...9),
      ("bytes=-99999999999999999999999", 10, 0...9), ("bytes=0-18446744073709551615", 10, 0...9),
    ] as [(String, UInt64, ClosedRange<UInt64>)])
  func resolves(_ header: String, _ size: UInt64, _ bytes: ClosedRange<UInt64>) throws {
    #expect(try #require(ByteRange(header)).resolve(size: size) == bytes)
  }

  @Test(
    arguments: [
      ("bytes=10-", 10), ("bytes=10-11", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-5", 0),
      ("bytes=0-0", 0), ("bytes=99999999999999999999-", 10),
      ("bytes=18446744073709551615-18446744073709551616", 10),
    ] as [(String, UInt64)])
  func isUnsatisfiable(_ header: String, _ size: UInt64) throws {
    #expect(try #require(ByteRange(header)).resolve(size: size) == nil)
  }

  @Test(arguments: [
    "", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=0-1,3-4", "items=0-1",
    "bytes=0x1-2", "bytes=+1-2", "bytes=1 -2", "bytes= 0-1", "bytes=--1", "bytes=1-2-3", "0-1",
    "bytes=\u{ff11}-2",
  ])
  func isIgnored(_ header: String) {
    #expect(ByteRange(header) == nil)
  }

  @Test(
    arguments: [
      (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
      (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
      (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
      (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
      (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
      (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
      (1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT"),
      (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] as [(Int64, String)])
  func dates(_ seconds: Int64, _ text: String) {
    #expect(HTTPDate.format(seconds) == text)
    #expect(HTTPDate.parse(text) == seconds)
  }

  @Test(
    arguments: [
      (784_111_777, "Sunday, 06-Nov-94 08:49:37 GMT"), (784_111_777, "Sun Nov  6 08:49:37 1994"),
      (0, "Thursday, 01-Jan-70 00:00:00 GMT"), (3_155_760_000, "Wednesday, 01-Jan-70 00:00:00 GMT"),
      (951_868_799, "Tuesday, 29-Feb-00 23:59:59 GMT"), (951_868_799, "Tue Feb 29 23:59:59 2000"),
      (3_155_759_999, "Tuesday, 31-Dec-69 23:59:59 GMT"),
    ] as [(Int64, String)])
  func olderDates(_ seconds: Int64, _ text: String) { #expect(HTTPDate.parse(text) == seconds) }

  @Test func datesOutsideTheFormAreMovedIntoIt() {
    #expect(HTTPDate.format(-1) == HTTPDate.format(0))
    #expect(HTTPDate.format(.max) == "Fri, 31 Dec 9999 23:59:59 GMT")
  }

  @Test(arguments: [
    "", "0", "Sun, 06 Nov 1994 08:49:37 gmt", "Mon, 06 Nov 1994 08:49:37 GMT",
    "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
    "Monday, 06-Nov-94 08:49:37 GMT", "Sunday, 6-Nov-94 08:49:37 GMT",
    "Sundae, 06-Nov-94 08:49:37 GMT",
    "Sunday, 06 Nov 94 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 UTC",
    "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 8:49:37 GMT", "Wednesday, 31-Dec-69 23:59:59 GMT",
    "Sun, 06-Nov-94 08:49:37 GMT",
    "Mon Nov  6 08:49:37 1994", "Sun Nov 06 08:49:37 1994", "Sun Nov 6 08:49:37 1994",
    "Sun Nov  6 08:49:37 1994 GMT", "Sun, Nov  6 08:49:37 194", ",,,,,,,,,,,,,,,,,,,,,,,,",
    "Sun, 06 Nov 1994 08:49:37 GMT ",
    "Sun, 06 Nov 0094 08:49:37 GMT", "Sun, 0\u{661} Nov 1994 08:49:37 GM",
  ])
  func noDates(_ text: String) { #expect(HTTPDate.parse(text) == nil) }

  @Test func timesOfSignatures() {
    #expect(HTTPDate.parseBasic("20130524T000000Z") == 1_369_353_600)
    #expect(HTTPDate.parseBasic("20240229T235959Z") == 1_709_251_199)
    for text in ["20230229T000000Z", "20130524T240000Z", "20130524T000000", "20130524 000000Z", ""]
    {
      #expect(HTTPDate.parseBasic(text) == nil, "\(text)")
    }
  }

  @Test func conditions() throws {
    let id = try #require(CollectionID("6d8f2e3a-1b2c-4d5e-8f90-a1b2c3d4e5f6"))
    let etag = ETag(collection: id, path: "/a", size: 1, modified: 784_111_777)
    let tag = etag.description
    let bare = String(tag.dropFirst().dropLast())
    let at = "Sun, 06 Nov 1994 08:49:37 GMT"
    let before = "Sun, 06 Nov 1994 08:49:36 GMT"
    let rows: [(Conditions, Conditions.Verdict)] = [
      (Conditions(), .proceed),
      (Conditions(ifMatch: tag), .proceed), (Conditions(ifMatch: bare), .proceed),
      (Conditions(ifMatch: "*"), .proceed), (Conditions(ifMatch: "\"x\", \(tag)"), .proceed),
      (Conditions(ifMatch: "\"x\""), .preconditionFailed("If-Match")),
      (Conditions(ifMatch: "W/\(tag)"), .preconditionFailed("If-Match")),
      (Conditions(ifMatch: ""), .preconditionFailed("If-Match")),
      (Conditions(ifNoneMatch: tag), .notModified), (Conditions(ifNoneMatch: "*"), .notModified),
      (Conditions(ifNoneMatch: "\"x\""), .proceed),
      (Conditions(ifModifiedSince: at), .notModified),
      (Conditions(ifModifiedSince: before), .proceed), (Conditions(ifModifiedSince: "x"), .proceed),
      (Conditions(ifUnmodifiedSince: at), .proceed),
      (Conditions(ifUnmodifiedSince: before), .preconditionFailed("If-Unmodified-Since")),
      // S3's documented pairs: the tag wins over the date.
      (Conditions(ifMatch: tag, ifUnmodifiedSince: before), .proceed),
      (Conditions(ifNoneMatch: "\"x\"", ifModifiedSince: at), .proceed),
      (Conditions(ifMatch: "\"x\"", ifNoneMatch: tag), .preconditionFailed("If-Match")),
    ]
    for (conditions, verdict) in rows {
      #expect(conditions.evaluate(etag: etag, modified: 784_111_777) == verdict, "\(conditions)")
    }
    let many = String(repeating: "\"x\",", count: Limits.entityTags)
    let within = Conditions(ifMatch: String(many.dropFirst(4)) + tag)
    let beyond = Conditions(ifMatch: many + tag)
    #expect(within.evaluate(etag: etag, modified: 0) == .proceed)
    #expect(beyond.evaluate(etag: etag, modified: 0) == .preconditionFailed("If-Match"))
    for (value, allows) in [(tag, true), (at, true), ("\"x\"", false), (before, false)] {
      #expect(
        Conditions(ifRange: value).allowRange(etag: etag, modified: 784_111_777) == allows)
    }
  }
}
