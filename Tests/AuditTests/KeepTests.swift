import Crypto
import Foundation
import GRDB
import Testing

@testable import Audit

@Suite struct KeepTests {
  private let other = "11111111-2222-4333-8444-555555555555"
  private let day: Int64 = 86_400_000_000

  /// Ten days with thirty requests each, of two collections and two persons in turn; a checkpoint
  /// for each day.
  private func makeRecord(from begin: Int64 = exampleTime) throws -> Folder {
    let folder = try Folder()
    for number in 0..<10 {
      let log = try folder.open()
      for row in 0..<30 {
        log.record(at: begin + Int64(number) * day) {
          if row % 2 == 1 { $0.collectionID = other }
          if row % 3 == 1 {
            $0.identityID = "22222222-2222-4333-8444-555555555555"
            $0.username = "second@example.org"
            $0.credentialFingerprint = "second"
            $0.remoteIP = "198.51.100.\(number)"
          }
        }
      }
      log.close()
    }
    return folder
  }

  private func count(_ folder: Folder, _ condition: String = "1") throws -> Int {
    Int(try folder.rows("SELECT count(*) AS n FROM requests WHERE \(condition)")[0]["n"]!)!
  }

  private func verify(_ folder: Folder) throws -> Verification {
    try QueryReader(path: folder.database).verify(Witness())
  }

  @Test func pruningLeavesSumsAndAChainThatVerifies() throws {
    let folder = try makeRecord()
    let steward = try Steward(path: folder.database)
    let border = exampleTime + 4 * day
    #expect(try steward.countPrunable(before: border) == 120)
    #expect(try steward.prune(before: border) == 120)
    #expect(try count(folder) == 180 && count(folder, "start_us < \(border)") == 0)
    #expect(
      try folder.rows("SELECT sum(requests) AS n FROM rollup_hour").first?["n"] == "300")
    let result = try verify(folder)
    #expect(result.problems == [] && result.pruned == 120 && result.proven == 180)
    #expect(try folder.rows("SELECT * FROM leaf WHERE kind = 0").count == 180)
    // Addresses that only pruned rows mentioned are gone with them.
    #expect(try folder.rows("SELECT * FROM client WHERE remote_ip = '198.51.100.1'").isEmpty)
    #expect(try folder.rows("SELECT * FROM client WHERE remote_ip = '198.51.100.5'").count == 1)
    #expect(try steward.prune(before: border) == 0)
    let log = try folder.open()
    log.record()
    log.close()
    #expect(try verify(folder).isIntact)
  }

  @Test func rowsWhoseIDsAreAheadOfTheirTimeAndFloodsArePrunedToo() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record(at: exampleTime + 900 * day)
    // The clock is set back: ids go on from the last one.
    for _ in 0..<3 { log.record(at: exampleTime) }
    log.close()
    let store = try Store(path: folder.database)
    for (address, time) in [("198.51.100.1", exampleTime), (nil, exampleTime)] {
      try store.insert(
        [],
        gap: Gap(
          fromMicroseconds: time, toMicroseconds: time, records: 7, reason: "test",
          remoteIP: address))
    }
    #expect(try Steward(path: folder.database).prune(before: exampleTime + 1) == 3)
    #expect(try count(folder) == 1)
    #expect(try folder.rows("SELECT remote_ip FROM gap").map { $0["remote_ip"] } == [""])
    #expect(try verify(folder).problems == [])
    // What no note names is missed all the same.
    try DatabaseQueue(path: folder.database).write { db in
      try db.execute(sql: "DELETE FROM request; DELETE FROM gap")
    }
    #expect(try verify(folder).problemCount == 2)
  }

  @Test func aHeldCollectionStaysUntilItIsReleased() throws {
    let folder = try makeRecord()
    let steward = try Steward(path: folder.database)
    try steward.hold(other, reason: "an inquiry")
    try steward.hold(other, reason: "once more")
    let border = exampleTime + 4 * day
    #expect(try steward.prune(before: border) == 60)
    #expect(try count(folder, "collection_id = '\(other)'") == 150)
    var result = try verify(folder)
    #expect(result.problems == [] && result.pruned == 60)
    // A held row is missed, whatever its age.
    let copy = try folder.copyAsAfterCrash()
    try DatabaseQueue(path: copy.database).write { db in
      try db.execute(
        sql: """
          DELETE FROM request WHERE id = (SELECT id FROM requests
            WHERE collection_id = '\(other)' ORDER BY id LIMIT 1)
          """)
    }
    #expect(try verify(copy).problemCount == 1)

    #expect(try steward.release(other, reason: "done"))
    #expect(try !steward.release(other, reason: "done"))
    #expect(try steward.prune(before: border) == 60)
    result = try verify(folder)
    #expect(result.problems == [] && result.pruned == 120)
    #expect(
      try folder.rows("SELECT command FROM note WHERE command <> 'pruned' ORDER BY note_id")
        .map { $0["command"] } == ["hold", "prune", "release", "prune"])
  }

  @Test func aForgottenPersonLeavesRowsWithoutNames() throws {
    let folder = try makeRecord()
    let steward = try Steward(path: folder.database)
    #expect(try steward.forget(identity: "22222222-2222-4333-8444-555555555555") == 100)
    #expect(try count(folder) == 300)
    #expect(try count(folder, "identity_id IS NULL AND username IS NULL") == 100)
    #expect(try count(folder, "identity_id IS NULL AND remote_ip = '' AND user_agent = ''") == 100)
    let result = try verify(folder)
    #expect(result.problems == [] && result.forgotten == 100 && result.proven == 200)
    let sums = try folder.rows(
      "SELECT sum(requests) AS n, count(DISTINCT principal_pk) AS p FROM rollup_hour")
    #expect(sums[0]["n"] == "300" && sums[0]["p"] == "2")
    try steward.snapshot(to: folder.path + "/copy.db", collectionID: nil)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/copy.db"))
    for name in ["second@example.org", "22222222-2222-4333-8444-555555555555", "198.51.100."] {
      #expect(bytes.range(of: Data(name.utf8)) == nil, "\(name)")
    }
    #expect(try steward.forget(identity: "22222222-2222-4333-8444-555555555555") == 0)
  }

  @Test func aPersonWithHeldRowsIsNotForgotten() throws {
    let folder = try makeRecord()
    let steward = try Steward(path: folder.database)
    try steward.hold(other, reason: "an inquiry")
    #expect { try steward.forget(identity: exampleIdentity) } throws: {
      ($0 as? QueryError)?.description.contains(other) ?? false
    }
    #expect(try count(folder, "identity_id IS NULL") == 0)
  }

  @Test func aServerGoesOnWhileItsRecordIsPrunedAndForgotten() throws {
    let folder = try makeRecord()
    let log = try folder.open()
    log.record()
    #expect(log.flush())
    let steward = try Steward(path: folder.database)
    _ = try steward.prune(before: exampleTime + 9 * day)
    #expect(try steward.forget(identity: exampleIdentity) > 0)
    // The server remembers numbers of names that are gone now.
    log.record()
    #expect(log.flush() && log.isHealthy)
    log.close()
    #expect(try count(folder, "identity_id = '\(exampleIdentity)'") == 1)
    let result = try verify(folder)
    #expect(result.problems == [])
  }

  @Test func aServerWithARetentionPrunes() throws {
    let folder = try makeRecord(from: AuditLog.wallMicroseconds() - 30 * day)
    let store = try Store(path: folder.database)
    var now = 0.0
    var retention = Retention(days: 1) { now }
    var rows: Int?
    for _ in 0..<1_000 where rows == nil { rows = try retention.advance(store) }
    #expect(rows == 300)
    // Within the hour it looks no more, and when nothing is old enough it leaves no note.
    #expect(try retention.advance(store) == nil)
    now += Limits.secondsPerRetention
    #expect(try retention.advance(store) == nil)
    #expect(try folder.rows("SELECT * FROM note WHERE command = 'prune'").count == 1)
    #expect(try verify(folder).problems == [])
  }

  @Test func aPersonWhoComesBackWhileTheServerPrunesKeepsTheirNames() throws {
    let folder = try Folder()
    let store = try Store(path: folder.database)
    try store.beginRun(atMicroseconds: exampleTime, version: "test")
    var ids = RequestIDGenerator(after: 0)
    func insert(at time: Int64) throws {
      var intent = exampleIntent(ids.next(nowMicroseconds: time))
      intent.startMicroseconds = time
      try store.insert([Record(intent: intent, completion: exampleCompletion())])
    }
    // Only the old row mentions the client, whose number the inserter remembers.
    try insert(at: exampleTime)
    let pruner = try store.beginPruning(before: exampleTime + 1)
    var rows = 0
    while try store.advance(pruner) {
      // From when the client's name has gone, and before the pruning has ended.
      guard try folder.rows("SELECT * FROM client").isEmpty else { continue }
      try insert(at: exampleTime + day)
      rows += 1
    }
    #expect(rows == 1)
    #expect(try count(folder, "remote_ip = '192.0.2.7' AND credential IS NOT NULL") == 1)
    #expect(try verify(folder).problems == [])
  }

  @Test func chunksFollowTheTimeThatTheyTake() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 512)
    for number in 0..<1_200 {
      if number % 400 == 0 { log.flush() }
      log.record()
    }
    log.close()
    let queue = try DatabaseQueue(path: folder.database)
    var now = 0.0
    let pruner = try queue.write { db in
      // Each look at the clock is a tenth of a second later: every part seems too slow.
      try Pruner(before: exampleTime + 1, by: "test", db) {
        now += 0.1
        return now
      }
    }
    var counts: [Int] = []
    for _ in 0..<5 {
      let before = pruner.rows
      _ = try pruner.advance(queue)
      counts.append(pruner.rows - before)
    }
    #expect(counts.first == Limits.firstPruneChunk)
    #expect(counts[1] < counts[0] && counts.last == Limits.smallestPruneChunk)
  }

  @Test func aSnapshotVerifiesAndOneOfACollectionHasNothingElse() throws {
    let folder = try makeRecord()
    let steward = try Steward(path: folder.database)
    let whole = folder.path + "/whole.db"
    try steward.snapshot(to: whole, collectionID: nil)
    #expect(try QueryReader(path: whole).verify(Witness()).proven == 300)
    #expect(
      try FileManager.default.attributesOfItem(atPath: whole)[.posixPermissions] as? Int == 0o600)
    #expect { try steward.snapshot(to: whole, collectionID: nil) } throws: {
      ($0 as? AuditError)?.code == .unusable
    }
    try DatabaseQueue(path: folder.database).write { db in
      try db.execute(sql: "INSERT INTO gap VALUES (1, 2, 3, 4, 'a flood', '203.0.113.77')")
    }
    let part = folder.path + "/part.db"
    try steward.snapshot(to: part, collectionID: other)
    let rows = try DatabaseQueue(path: part).read { db in
      try String.fetchSet(db, sql: "SELECT DISTINCT collection_id FROM requests")
    }
    #expect(rows == [other])
    let bytes = try Data(contentsOf: URL(fileURLWithPath: part))
    for name in [exampleCollection, "203.0.113.77"] {
      #expect(bytes.range(of: Data(name.utf8)) == nil, "\(name)")
    }
    let gaps = try DatabaseQueue(path: part).read { db in
      try Int.fetchAll(db, sql: "SELECT records FROM gap")
    }
    #expect(gaps == [4], "how much is missing is known all the same")
    #expect {
      try steward.snapshot(to: folder.path + "/none.db", collectionID: "unknown")
    } throws: { $0 is QueryError }
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/none.db"))
  }

  @Test func aServerGoesOnFromARestoredSnapshot() throws {
    let folder = try makeRecord()
    let steward = try Steward(path: folder.database)
    let restored = try Folder()
    try steward.snapshot(to: restored.database, collectionID: nil)
    let log = try restored.open()
    log.record()
    log.close()
    let result = try verify(restored)
    #expect(result.problems == [] && result.proven == 301)
  }
}
