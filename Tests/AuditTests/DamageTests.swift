// DamageTests: files that are damaged, gone, of another version; a clock that goes back.

import Foundation
import GRDB
import Testing

@testable import Audit

@Suite struct DamageTests {
  /// Files whose name says that they were moved aside, without SQLite's own beside them.
  private func aside(_ folder: Folder) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter {
        $0.hasPrefix("audit.db.corrupt-") && !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm")
      }
      .sorted()
  }

  private func write(_ text: String, to path: String, at offset: UInt64) throws {
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    try file.seek(toOffset: offset)
    try file.write(contentsOf: Data(text.utf8))
    try file.close()
  }

  private let noise = String(repeating: "torn", count: 1_024)

  private func gaps(_ folder: Folder) throws -> [String] {
    try folder.rows("SELECT reason FROM gap ORDER BY gap_id").map { $0["reason"]! }
  }

  @Test func aDamagedDatabaseIsMovedAsideAtTheStart() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record()
    log.close()
    try write(noise, to: folder.database, at: 0)
    let damaged = try Data(contentsOf: URL(fileURLWithPath: folder.database))
    let second = try folder.open { $0.machine.wallMicroseconds = { exampleTime } }
    let id = second.record()
    #expect(second.flush() && second.isHealthy && second.databasesMovedAside == 1)
    second.close()
    #expect(try folder.outcomes() == ["\(id)": "ok"])
    #expect(try aside(folder) == ["audit.db.corrupt-20261122T100000Z"])
    let moved = URL(fileURLWithPath: "\(folder.path)/\(try aside(folder)[0])")
    #expect(try Data(contentsOf: moved) == damaged)
    #expect(try gaps(folder).count == 1 && gaps(folder)[0].hasSuffix(moved.path))
    // The next one in the same second has a name of its own.
    try write(noise, to: folder.database, at: 0)
    try folder.open { $0.machine.wallMicroseconds = { exampleTime } }.close()
    #expect(try aside(folder).count == 2)
  }

  /// What the spool holds goes into the fresh file.
  @Test func theSpoolIsReplayedIntoTheFreshFile() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record()
    log.flush()
    let id = log.newRequest(nowMicroseconds: exampleTime)
    _ = try #require(log.begin(exampleIntent(id)))
    let crashed = try folder.copyAsAfterCrash()
    log.close()
    try FileManager.default.removeItem(atPath: crashed.database + "-wal")
    try write(noise, to: crashed.database, at: 0)
    try crashed.open().close()
    #expect(try crashed.outcomes() == ["\(id)": "lost"])
  }

  /// Every page but the first becomes noise: whatever the next commit touches is torn. The
  /// commit of another connection makes the server read its pages again.
  private func tear(_ folder: Folder, with other: DatabaseQueue) throws {
    try other.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
    let size = try #require(
      try FileManager.default.attributesOfItem(atPath: folder.database)[.size] as? Int)
    for page in stride(from: 4_096, to: size, by: 4_096) {
      try write(noise, to: folder.database, at: UInt64(page))
    }
    try other.write { db in
      try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
    }
  }

  @Test func aDatabaseDamagedInUseIsReplacedWithoutARestart() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 256)
    for number in 0..<200 { log.record { $0.objectKey = "old \(number)" } }
    #expect(log.flush())
    let other = try DatabaseQueue(path: folder.database)
    try tear(folder, with: other)
    let id = log.record { $0.objectKey = "new" }
    for _ in 0..<3_000 where try aside(folder).isEmpty || !log.isHealthy { usleep(10_000) }
    #expect(log.flush() && log.databasesMovedAside == 1)
    let last = log.record()
    log.close()
    #expect(try folder.outcomes() == ["\(id)": "ok", "\(last)": "ok"])
    let gap = try #require(try folder.rows("SELECT * FROM gap").first)
    #expect(gap["reason"]?.contains(try aside(folder)[0]) == true)
    #expect(Int64(gap["from_us"]!)! < Int64(gap["to_us"]!)!)
    #expect(try aside(folder).count == 1)
  }

  /// A disk that damages one file after the other is not filled with them.
  @Test func aSecondDamageWithinAMinuteWaits() throws {
    let folder = try Folder()
    let log = try folder.open()
    var other = try DatabaseQueue(path: folder.database)
    log.record()
    #expect(log.flush())
    try tear(folder, with: other)
    log.record()
    for _ in 0..<3_000 where try aside(folder).isEmpty || !log.isHealthy { usleep(10_000) }
    other = try DatabaseQueue(path: folder.database)
    try tear(folder, with: other)
    let id = log.record()
    #expect(!log.flush() && !log.flush() && !log.isHealthy)
    #expect(try aside(folder).count == 1 && log.databasesMovedAside == 1)
    // It waits in the spool for the time after that.
    log.close()
    try other.close()
    try folder.open().close()
    #expect(try folder.outcomes() == ["\(id)": "ok"])
    #expect(try aside(folder).count == 2)
  }

  /// Another file is put in the place of the database while somebody reads it, so that its log
  /// can't be emptied: the new file must not take that log for its own.
  @Test func theLogOfAReplacedDatabaseIsMovedAside() throws {
    let folder = try Folder()
    try folder.open().close()
    let replacement = folder.path + "/replacement"
    try FileManager.default.copyItem(atPath: folder.database, toPath: replacement)
    let log = try folder.open()
    let old = log.record()
    #expect(log.flush())
    try DatabaseQueue(path: folder.database).inDatabase { db in
      try db.execute(sql: "BEGIN")
      #expect(try Int.fetchOne(db, sql: "SELECT count(*) FROM request") == 1)
      #expect(rename(replacement, folder.database) == 0)
      func logs() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
          .count { $0.hasPrefix("audit.db.corrupt-") && $0.hasSuffix("-wal") }
      }
      for _ in 0..<3_000 where try logs() == 0 { usleep(10_000) }
      #expect(try logs() == 1)
      try db.execute(sql: "COMMIT")
    }
    let new = log.record()
    #expect(log.flush())
    log.close()
    #expect(try folder.outcomes() == ["\(new)": "ok"] && new > old)
    #expect(try gaps(folder).count == 1 && gaps(folder)[0].contains("replaced"))
    #expect(try folder.rows("PRAGMA integrity_check").first?["integrity_check"] == "ok")
  }

  @Test func aFileOfSomebodyElseIsLeftAlone() throws {
    let folder = try Folder()
    let text = String(repeating: "no database ", count: 100)
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.database))
    for _ in 0..<2 {  // the first attempt must not leave a spool that makes it ours
      #expect { try folder.open() } throws: { ($0 as? AuditError)?.code == .notOurs }
    }
    #expect(try String(contentsOfFile: folder.database, encoding: .utf8) == text)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["audit.db"])
  }

  @Test func aLostSpoolOrDatabaseIsAGap() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record()
    log.flush()
    let crashed = try folder.copyAsAfterCrash()
    log.close()
    try FileManager.default.removeItem(atPath: crashed.spool)
    try crashed.open().close()
    #expect(try gaps(crashed).count == 1 && gaps(crashed)[0].contains("spool of a run"))
    for suffix in ["", "-wal", "-shm"] {
      try? FileManager.default.removeItem(atPath: crashed.database + suffix)
    }
    try crashed.open().close()
    #expect(try gaps(crashed).count == 1 && gaps(crashed)[0].contains("database of the runs"))
    // After a clean end nothing is missing.
    try FileManager.default.removeItem(atPath: crashed.spool)
    try crashed.open().close()
    #expect(try gaps(crashed).count == 1)
  }

  @Test func aSpoolThatWasRemovedIsNotHealthy() throws {
    let folder = try Folder()
    let log = try folder.open()
    unlink(folder.spool)
    for _ in 0..<3_000 where log.isHealthy { usleep(10_000) }
    #expect(log.problems == ["the audit spool can't be synced"])
    let id = log.record()
    log.close()
    #expect(try folder.outcomes() == ["\(id)": "ok"])
  }

  @Test(arguments: [
    (0, AuditError.Code.unusable, "older version"), (2, .newer, "newer version"),
  ])
  func aSpoolOfAnotherVersionIsRefusedAndKept(
    version: UInt32, code: AuditError.Code, words: String
  ) throws {
    let folder = try Folder()
    try folder.open().close()
    var header = try FileHandle(forReadingFrom: URL(fileURLWithPath: folder.spool))
      .read(upToCount: 24)!
    withUnsafeBytes(of: version) { header.replaceSubrange(8..<12, with: $0) }
    let checksum = Checksum()
    defer { checksum.deallocate() }
    let crc = header.withUnsafeBytes { checksum($0.baseAddress!, count: 20) }
    withUnsafeBytes(of: crc) { header.replaceSubrange(20..<24, with: $0) }
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: folder.spool))
    try file.write(contentsOf: header)
    try file.close()
    let before = try Data(contentsOf: URL(fileURLWithPath: folder.spool))
    #expect { try folder.open() } throws: {
      let error = $0 as? AuditError
      return error?.code == code && error!.description.contains(words)
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.spool)) == before)
  }

  /// The clock steps an hour back, between two runs and within one.
  @Test func aClockThatStepsBackCostsNoRow() throws {
    let folder = try Folder()
    let hour = Rollup.hourMicroseconds
    var ids: [RequestID] = []
    for _ in 0..<2 {
      let log = try folder.open { $0.machine.wallMicroseconds = { exampleTime - hour } }
      ids.append(log.record(at: exampleTime))
      log.flush()
      ids.append(log.record(at: exampleTime - hour))
      ids.append(log.record(at: exampleTime - 2 * hour))
      log.close()
    }
    #expect(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 })
    let rows = try folder.rows("SELECT id, start_us FROM requests ORDER BY id")
    #expect(rows.map { $0["id"] } == ids.map { "\($0.value)" })
    #expect(
      rows.map { $0["start_us"] } == (0..<6).map { "\(exampleTime - Int64($0 % 3) * hour)" })
    let sums = try folder.rows("SELECT hour, requests FROM rollup_hour ORDER BY hour")
    #expect(sums.map { $0["requests"] } == ["2", "2", "2"])
    let runs = try folder.rows("SELECT stopped_us - started_us AS n FROM server_run")
    #expect(runs.allSatisfy { Int64($0["n"]!)! >= 0 })
    #expect(try QueryReader(path: folder.database).verify(Witness()).problems == [])
    // Nothing goes before its time, and everything goes once its time and its id's have come.
    let steward = try Steward(path: folder.database)
    #expect(try steward.prune(before: exampleTime - 2 * hour) == 0)
    #expect(try steward.prune(before: exampleTime + 1) == 6)
    #expect(try QueryReader(path: folder.database).verify(Witness()).problems == [])
  }
}
