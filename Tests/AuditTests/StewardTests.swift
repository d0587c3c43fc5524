import Foundation
import GRDB
import Testing

@testable import Audit

@Suite struct StewardTests {
  @Test func aNoteIsARowAndALeafBesideARunningServer() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record()
    log.flush()
    let steward = try Steward(path: folder.database, actor: "a steward")
    try steward.note("query", ["operation": .text("GetObject"), "limit": .integer(5)])
    log.record()
    log.flush()
    let note = try #require(try folder.rows("SELECT * FROM note").first)
    #expect(note["command"] == "query" && note["actor"] == "a steward")
    #expect(note["detail"] == #"{"limit":5,"operation":"GetObject"}"#)
    #expect(
      try folder.rows("SELECT kind FROM leaf ORDER BY seq").map { $0["kind"] } == ["0", "2", "0"])
    #expect(throws: DatabaseError.self) {
      try steward.queue.write { db in try db.execute(sql: "UPDATE note SET actor = 'nobody'") }
    }
    log.close()
    #expect(
      try folder.rows("SELECT last_seq FROM checkpoint").map { $0["last_seq"] } == ["3"])
  }

  @Test func otherDatabasesAreNotWritten() throws {
    let folder = try Folder()
    #expect { try Steward(path: folder.database) } throws: {
      ($0 as? AuditError)?.code == .unusable
    }
    #expect(!FileManager.default.fileExists(atPath: folder.database))
    try DatabaseQueue(path: folder.database).write { db in try db.execute(sql: "CREATE TABLE a(b)")
    }
    #expect { try Steward(path: folder.database) } throws: { ($0 as? AuditError)?.code == .notOurs }
    let queue = try DatabaseQueue(path: folder.database + "2")
    try Schema.migrator.migrate(queue, upTo: "1 requests")
    #expect { try Steward(path: folder.database + "2") } throws: {
      ($0 as? AuditError)?.description.contains("older version") ?? false
    }
  }
}
