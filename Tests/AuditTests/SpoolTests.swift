import Foundation
import Testing

@testable import Audit

@Suite struct SpoolTests {
  /// CRC-32C of RFC 3720, appendix B.4.
  @Test(
    arguments: [
      ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
      ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
      ([UInt8](0..<32), 0x46DD_794E),
      ([UInt8]("123456789".utf8), 0xE306_9283),
    ] as [([UInt8], UInt32)])
  func checksumIsCRC32C(bytes: [UInt8], expected: UInt32) {
    let checksum = Checksum()
    defer { checksum.deallocate() }
    #expect(bytes.withUnsafeBytes { checksum($0.baseAddress!, count: $0.count) } == expected)
  }

  @Test func keepsEveryFieldOfARecord() throws {
    let folder = try Folder()
    let spool = try Spool(path: folder.spool, slots: 4)
    defer { spool.close() }
    let intent = exampleIntent(RequestID(value: 77))
    var completion = exampleCompletion()
    completion.errorCode = "NoSuchKey"
    completion.errorDetail = "detail"
    completion.authResult = .expired
    completion.identityID = exampleIdentity
    completion.username = "other@example.org"
    completion.credentialFingerprint = "zz"
    completion.collectionIDs = [exampleCollection, exampleIdentity]
    spool.begin(intent, slot: 3)
    #expect(spool.record(slot: 3) == Record(intent: intent))
    spool.complete(completion, of: intent.requestID, slot: 3)
    #expect(spool.record(slot: 3) == Record(intent: intent, completion: completion))
    spool.free(slot: 3)
    #expect(spool.record(slot: 3) == nil && !spool.isUsed(slot: 3))
  }

  @Test func neverWritesOverTheIntentThatCounts() throws {
    let folder = try Folder()
    let spool = try Spool(path: folder.spool, slots: 1)
    defer { spool.close() }
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix(state: seed)
    let id = RequestID(value: 1)
    spool.begin(exampleIntent(id, key: nil), slot: 0)
    var old = exampleIntent(id, key: nil)
    for _ in 0..<2_000 {
      var new = exampleIntent(id, key: String(repeating: "k", count: Int(random.next() % 1_025)))
      new.userAgent = String(repeating: "u", count: Int(random.next() % 257))
      let words = try Self.words(folder, slots: 1)
      spool.amend(new, slot: 0)
      #expect(spool.record(slot: 0)?.intent == new, "seed \(seed)")
      // Death just before the new word was stored: the old word still finds the old intent.
      let copy = try Self.copy(folder, words: words)
      let crashed = try Spool(path: copy.spool, slots: 1)
      #expect(crashed.record(slot: 0)?.intent == old, "seed \(seed)")
      crashed.close()
      old = new
      if random.next() % 100 == 0 { break }
    }
    let words = try Self.words(folder, slots: 1)
    spool.complete(exampleCompletion(), of: id, slot: 0)
    let copy = try Self.copy(folder, words: words)
    let crashed = try Spool(path: copy.spool, slots: 1)
    #expect(crashed.record(slot: 0) == Record(intent: old), "seed \(seed)")
    crashed.close()
  }

  @Test func longestRecordFitsASlot() {
    #expect(3 * Intent.largestPart + 24 <= Limits.slotBytes)
    #expect(2 * Intent.largestPart + Completion.largestPart + 24 <= Limits.slotBytes)
  }

  @Test func cutsEveryTextAtItsLimit() throws {
    let folder = try Folder()
    let spool = try Spool(path: folder.spool, slots: 2)
    defer { spool.close() }
    let long = String(repeating: "é", count: 4_000)
    let id = RequestID(value: 5)
    var intent = Intent(
      requestID: id, startMicroseconds: 0, method: long, operation: long, remoteIP: long,
      peerIP: long, userAgent: long)
    intent.host = long
    intent.collectionID = long
    intent.objectKey = long
    intent.range = long
    intent.identityID = long
    intent.username = long
    intent.credentialFingerprint = long
    var completion = exampleCompletion()
    completion.errorCode = long
    completion.errorDetail = long
    completion.upstreamHost = long
    completion.username = long
    completion.identityID = long
    completion.credentialFingerprint = long
    completion.collectionIDs = Array(repeating: long, count: Limits.collections + 1)
    spool.begin(exampleIntent(RequestID(value: 6)), slot: 1)
    spool.begin(intent, slot: 0)
    spool.amend(intent, slot: 0)
    spool.amend(intent, slot: 0)
    spool.complete(completion, of: id, slot: 0)
    let record = try #require(spool.record(slot: 0))
    let read = try #require(record.completion)
    #expect(record.isTruncated)
    let texts = [
      (record.intent.method, Limits.method), (record.intent.operation, Limits.operation),
      (record.intent.remoteIP, Limits.address), (record.intent.peerIP, Limits.address),
      (record.intent.userAgent, Limits.userAgent), (record.intent.host, Limits.host),
      (record.intent.collectionID, Limits.collectionID),
      (record.intent.objectKey, Limits.objectKey), (record.intent.range, Limits.range),
      (record.intent.identityID, Limits.identityID), (record.intent.username, Limits.username),
      (record.intent.credentialFingerprint, Limits.credential),
      (read.errorCode, Limits.errorCode), (read.errorDetail, Limits.errorDetail),
      (read.upstreamHost, Limits.upstreamHost), (read.username, Limits.username),
    ]
    for (text, limit) in texts {
      let text = try #require(text)
      #expect(text.hasSuffix("é…") && (limit - 1...limit).contains(text.utf8.count))
    }
    #expect(read.collectionIDs.count == Limits.collections)
    // The neighbour is untouched, and text of exactly the limit is not cut.
    #expect(spool.record(slot: 1)?.intent == exampleIntent(RequestID(value: 6)))
    let exact = exampleIntent(id, key: String(repeating: "k", count: Limits.objectKey))
    spool.begin(exact, slot: 1)
    #expect(spool.record(slot: 1) == Record(intent: exact))
  }

  @Test(arguments: [0, -1, Limits.maximumSlots + 1])
  func refusesNumbersOfSlotsBeyondTheLimit(slots: Int) throws {
    let folder = try Folder()
    #expect { try folder.open(slots: slots) } throws: { ($0 as? AuditError)?.code == .unusable }
    #expect(!FileManager.default.fileExists(atPath: folder.spool))
  }

  @Test func refusesASecondOwner() throws {
    let folder = try Folder()
    let spool = try Spool(path: folder.spool, slots: 4)
    #expect { try Spool(path: folder.spool, slots: 4) } throws: {
      ($0 as? AuditError)?.code == .inUse
    }
    spool.close()
    try Spool(path: folder.spool, slots: 4).close()
  }

  @Test func refusesFilesThatAreNoSpool() throws {
    let folder = try Folder()
    for (text, code) in [
      ("some other file, long enough for a header", AuditError.Code.notOurs),
      ("GS3SPOOL but the rest of it is damaged...", .unusable),
    ] {
      try Data(text.utf8).write(to: URL(fileURLWithPath: folder.spool))
      #expect { try Spool(path: folder.spool, slots: 4) } throws: {
        ($0 as? AuditError)?.code == code
      }
      #expect(try String(contentsOfFile: folder.spool, encoding: .utf8) == text)
    }
  }

  @Test func repairsAFileThatIsTooShort() throws {
    let folder = try Folder()
    let spool = try Spool(path: folder.spool, slots: 8)
    spool.begin(exampleIntent(RequestID(value: 1)), slot: 0)
    spool.begin(exampleIntent(RequestID(value: 2)), slot: 7)
    spool.close()
    truncate(folder.spool, off_t(SpoolHeader.slotsOffset(slots: 8) + Limits.slotBytes))
    let short = try Spool(path: folder.spool, slots: 8)
    defer { short.close() }
    #expect(short.record(slot: 0) != nil)
    #expect(short.isUsed(slot: 7) && short.record(slot: 7) == nil)
  }

  @Test func isPrivateAndReserved() throws {
    let folder = try Folder()
    try Spool(path: folder.spool, slots: 16).close()
    var status = stat()
    #expect(stat(folder.spool, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    #expect(Int(status.st_blocks) * 512 >= 16 * Limits.slotBytes)
  }

  private static func words(_ folder: Folder, slots: Int) throws -> Data {
    let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: folder.spool))
    try file.seek(toOffset: UInt64(SpoolHeader.bytes))
    return try file.read(upToCount: slots * 8) ?? Data()
  }

  private static func copy(_ folder: Folder, words: Data) throws -> Folder {
    let copy = try folder.copyAsAfterCrash()
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: copy.spool))
    try file.seek(toOffset: UInt64(SpoolHeader.bytes))
    try file.write(contentsOf: words)
    try file.close()
    return copy
  }
}

/// Random numbers that a seed repeats.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
