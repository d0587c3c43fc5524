import Foundation
import GRDB
import Testing

@testable import Audit

@Suite struct SchemaTests {
  @Test func theViewHasTheColumnsOfTheContract() throws {
    let folder = try Folder()
    try folder.open().close()
    let columns = try DatabaseQueue(path: folder.database).read { db in
      try db.makeStatement(sql: "SELECT * FROM requests").columnNames
    }
    #expect(
      columns.joined(separator: ", ") == """
        request_id, time, operation, status, error_code, outcome, username, identity_id, \
        credential, collection_id, object_key, range, bytes_in, bytes_out, duration_ms, \
        remote_ip, peer_ip, user_agent, auth, auth_result, upstream_host, upstream_status, \
        upstream_calls, start_us, id
        """)
    #expect(columns == Schema.viewColumns)
  }

  @Test func recordsAreAppendOnly() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record()
    log.close()
    let queue = try DatabaseQueue(path: folder.database)
    #expect {
      try queue.write { db in try db.execute(sql: "UPDATE request SET status = 200") }
    } throws: {
      ($0 as? DatabaseError)?.message == "audit records are append-only"
    }
  }

  @Test func isMarkedAndDurable() throws {
    let folder = try Folder()
    let log = try folder.open()
    #expect(try folder.rows("PRAGMA journal_mode").first?["journal_mode"] == "wal")
    #expect(try folder.rows("PRAGMA application_id").first?["application_id"] == "1196634945")
    #expect(try folder.rows("PRAGMA user_version").first?["user_version"] == "2")
    #expect(try folder.rows("PRAGMA auto_vacuum").first?["auto_vacuum"] == "2")
    log.close()
    #expect(try folder.rows("PRAGMA integrity_check").first?["integrity_check"] == "ok")
  }

  @Test func everyNameOfAnOutcomeIsAllowed() throws {
    let folder = try Folder()
    let log = try folder.open()
    for outcome in Outcome.allCases {
      log.record(completion: Completion(outcome: outcome, status: nil, durationMicroseconds: 1))
    }
    for auth in Authentication.allCases {
      for result in AuthenticationResult.allCases {
        log.record {
          $0.auth = auth
          $0.authResult = result
        }
      }
    }
    log.close()
    let outcomes = try folder.rows("SELECT DISTINCT outcome FROM request").map { $0["outcome"] }
    #expect(Set(outcomes) == Set(Outcome.allCases.map(\.name)))
    #expect(try folder.rows("SELECT DISTINCT auth, auth_result FROM requests").count == 28)
    #expect(Outcome.allCases.allSatisfy { Outcome(name: $0.name) == $0 })
  }

  @Test func namesAreStoredOnceAndARequestKeepsTheNameOfItsTime() throws {
    let folder = try Folder()
    let log = try folder.open()
    for number in 0..<50 { log.record { $0.objectKey = "key \(number)" } }
    log.flush()
    for _ in 0..<2 { log.record { $0.username = "renamed@example.org" } }
    for _ in 0..<2 { log.record { $0.username = nil } }
    log.close()
    for table in ["collection", "credential", "client"] {
      #expect(try folder.rows("SELECT * FROM \(table)").count == 1)
    }
    let names = try folder.rows(
      "SELECT username, count(*) AS n FROM requests GROUP BY username ORDER BY n DESC, username")
    #expect(names.map { $0["username"] } == ["someone@example.org", "", "renamed@example.org"])
    #expect(names.map { $0["n"] } == ["50", "2", "2"])
    #expect(try folder.rows("SELECT * FROM principal").count == 3)
  }

  @Test func theRememberedNamesHaveALimit() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 512)
    let agents = Limits.rememberedNames + 10
    for number in 0..<agents {
      if number % 500 == 0 { log.flush() }
      log.record { $0.userAgent = "agent \(number)" }
    }
    log.flush()
    log.record { $0.userAgent = "agent 0" }
    log.close()
    #expect(try folder.rows("SELECT count(*) AS n FROM client").first?["n"] == "\(agents)")
    #expect(try folder.rows("SELECT count(*) AS n FROM request").first?["n"] == "\(agents + 1)")
  }

  @Test func aNULDoesNotCutText() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record { $0.objectKey = "a\0b" }
    log.close()
    #expect(try folder.rows("SELECT object_key FROM requests").first?["object_key"] == "a␀b")
  }

  @Test func cutTextIsMarked() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record { $0.objectKey = String(repeating: "k", count: Limits.objectKey + 1) }
    log.record()
    log.close()
    #expect(
      try folder.rows("SELECT truncated FROM request ORDER BY id").map { $0["truncated"] }
        == ["1", "0"])
  }

  @Test(arguments: [
    ("CREATE TABLE mine(a)", AuditError.Code.notOurs),
    ("PRAGMA user_version = 3", .notOurs),
    ("PRAGMA application_id = 5", .notOurs),
    ("PRAGMA application_id = \(Schema.applicationID); PRAGMA user_version = 99", .newer),
  ])
  func refusesOtherDatabases(sql: String, code: AuditError.Code) throws {
    let folder = try Folder()
    try DatabaseQueue(path: folder.database).write { db in try db.execute(sql: sql) }
    let before = try Data(contentsOf: URL(fileURLWithPath: folder.database))
    #expect { try folder.open() } throws: { ($0 as? AuditError)?.code == code }
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.database)) == before)
    #expect { try QueryReader(path: folder.database) } throws: {
      ($0 as? AuditError)?.code == code
    }
  }

  @Test func aRecordOfTheFirstVersionIsBroughtUpToDate() throws {
    let folder = try Folder()
    let queue = try DatabaseQueue(path: folder.database)
    try Schema.migrator.migrate(queue, upTo: "1 requests")
    try queue.write { db in
      try db.execute(
        sql: """
          INSERT INTO server_run(run_id, started_us, host, pid, version) VALUES (1, 1, 'h', 1, '0');
          INSERT INTO principal VALUES (1, 'an-identity', 'a@example.org', 1);
          INSERT INTO client VALUES (1, '192.0.2.1', '192.0.2.1', 'curl', 1);
          INSERT INTO request(
            id, run_id, start_us, client_pk, method, operation, auth, auth_result, principal_pk,
            outcome, bytes_in, bytes_out, upstream_calls, truncated)
          VALUES (7, 1, 1, 1, 'GET', 'GetObject', 'header', 'verified', 1, 'ok', 0, 0, 0, 0);
          """)
    }
    try queue.close()
    let log = try folder.open()
    log.record()
    log.close()
    #expect(
      try folder.rows("SELECT username FROM requests ORDER BY id").map { $0["username"] }
        == ["a@example.org", "someone@example.org"])
    #expect(
      try folder.rows("SELECT username FROM rollups ORDER BY hour").map { $0["username"] }
        == ["a@example.org", "someone@example.org"])
    #expect(try folder.rows("PRAGMA foreign_key_check").isEmpty)
  }

  @Test func finishesAStartThatWasKilledBeforeTheFirstMigration() throws {
    let folder = try Folder()
    try DatabaseQueue(path: folder.database).write { db in
      try db.execute(sql: "CREATE TABLE grdb_migrations(identifier TEXT NOT NULL PRIMARY KEY)")
    }
    let log = try folder.open()
    log.record()
    log.close()
    #expect(try folder.outcomes().count == 1)
  }

  @Test func refusesMigrationsOfALaterVersion() throws {
    let folder = try Folder()
    try folder.open().close()
    try DatabaseQueue(path: folder.database).write { db in
      try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('3 later')")
    }
    #expect { try folder.open() } throws: { ($0 as? AuditError)?.code == .newer }
  }

  @Test func refusesWhatIsNoDatabase() throws {
    let folder = try Folder()
    try Data(String(repeating: "no database ", count: 100).utf8)
      .write(to: URL(fileURLWithPath: folder.database))
    #expect { try folder.open() } throws: { ($0 as? AuditError)?.code == .notOurs }
    #expect { try QueryReader(path: folder.database) } throws: {
      ($0 as? AuditError)?.code == .notOurs
    }
  }

  @Test func refusesAPlaceThatCannotBeWritten() throws {
    let folder = try Folder()
    let options = AuditLog.Options(databasePath: "/proc/none/audit.db")
    #expect { try AuditLog(options, logger: .init(label: "test")) } throws: {
      ($0 as? AuditError)?.code == .unusable
    }
    try FileManager.default.createDirectory(
      atPath: folder.database, withIntermediateDirectories: false)
    #expect { try folder.open() } throws: { ($0 as? AuditError)?.code == .unusable }
    // The lock was given back: the next attempt fails for the same reason, not for the lock.
    #expect { try folder.open() } throws: { ($0 as? AuditError)?.code == .unusable }
  }
}
