import Foundation
import GRDB
import Logging
import Testing

@testable import Audit

@Suite struct AuditLogTests {
  @Test func oneRequestIsOneRow() throws {
    let folder = try Folder()
    let log = try folder.open()
    let id = log.record()
    #expect(log.flush())
    let row = try #require(try folder.rows("SELECT * FROM requests").first)
    #expect(
      row == [
        "request_id": "\(id)", "time": "2026-11-22T10:00:00.000000Z", "operation": "GetObject",
        "status": "206", "error_code": "", "outcome": "ok", "username": "someone@example.org",
        "identity_id": exampleIdentity, "credential": "abcdefghijklmnopqrstuvwxyz",
        "collection_id": exampleCollection, "object_key": "data/example.txt",
        "range": "bytes=0-99", "bytes_in": "3", "bytes_out": "100", "duration_ms": "12.345",
        "remote_ip": "192.0.2.7", "peer_ip": "127.0.0.1", "user_agent": "aws-cli/2.15",
        "auth": "header", "auth_result": "unverified", "upstream_host": "m-1.data.example.org",
        "upstream_status": "206", "upstream_calls": "2", "start_us": "\(exampleTime)",
        "id": "\(id.value)",
      ])
    log.close()
  }

  @Test func rowsAppearWithoutFlush() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record()
    var rows = 0
    for _ in 0..<1_000 where rows == 0 {
      usleep(10_000)
      rows = try folder.outcomes().count
    }
    #expect(rows == 1)
    log.close()
  }

  @Test func amendmentReplacesTheIntentAndCompletionOverridesIt() throws {
    let folder = try Folder()
    let log = try folder.open()
    let id = log.newRequest(nowMicroseconds: exampleTime)
    let ticket = try #require(
      log.begin(
        Intent(
          requestID: id, startMicroseconds: exampleTime, method: "GET", operation: "Unknown",
          remoteIP: "192.0.2.7", peerIP: "192.0.2.7", userAgent: "")))
    var intent = exampleIntent(id, key: nil)
    intent.operation = "AuthCallback"
    intent.collectionID = nil
    intent.authResult = .none
    log.amend(ticket, intent)
    var completion = Completion(outcome: .ok, status: 200, durationMicroseconds: 1)
    completion.authResult = .verified
    completion.username = "new@example.org"
    completion.identityID = exampleCollection
    completion.credentialFingerprint = "new"
    completion.collectionIDs = [exampleCollection, exampleIdentity]
    log.complete(ticket, completion)
    log.flush()
    let row = try #require(try folder.rows("SELECT * FROM requests").first)
    #expect(row["operation"] == "AuthCallback" && row["auth_result"] == "verified")
    #expect(row["username"] == "new@example.org" && row["identity_id"] == exampleCollection)
    #expect(row["credential"] == "new" && row["collection_id"] == exampleCollection)
    #expect(try folder.rows("SELECT * FROM credential_collection").count == 2)
    log.close()
  }

  @Test func completingTwiceChangesNothing() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 1)
    let ticket = try #require(
      log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime))))
    log.complete(ticket, exampleCompletion())
    log.complete(ticket, Completion(outcome: .timeout, status: 503, durationMicroseconds: 1))
    log.flush()
    let next = log.newRequest(nowMicroseconds: exampleTime)
    let second = try #require(log.begin(exampleIntent(next)))
    log.complete(ticket, Completion(outcome: .timeout, status: 503, durationMicroseconds: 1))
    log.amend(ticket, exampleIntent(ticket.requestID, key: "other"))
    log.complete(second, exampleCompletion())
    log.flush()
    #expect(try folder.outcomes() == ["\(ticket.requestID)": "ok", "\(next)": "ok"])
    log.close()
    log.complete(second, exampleCompletion())
    #expect(log.begin(exampleIntent(next)) == nil)
  }

  @Test func aFullSpoolRefusesUntilASlotIsFree() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 8)
    var tickets: [AuditLog.Ticket] = []
    for _ in 0..<8 {
      tickets.append(
        try #require(log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime)))))
    }
    for _ in 0..<3 {
      #expect(log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime))) == nil)
    }
    log.complete(tickets[5], exampleCompletion())
    log.flush()
    let again = try #require(
      log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime))))
    log.complete(again, exampleCompletion())
    for (index, ticket) in tickets.enumerated() where index != 5 {
      log.complete(ticket, exampleCompletion())
    }
    log.flush()
    let ids = Set(tickets.map { "\($0.requestID)" } + ["\(again.requestID)"])
    #expect(Set(try folder.outcomes().keys) == ids)
    log.close()
    let gaps = try folder.rows("SELECT sum(records) AS n, max(reason) AS reason FROM gap")
    #expect(gaps.first?["n"] == "3")
    #expect(gaps.first?["reason"]?.contains("refused") == true)
  }

  @Test func continueServesUnrecordedAndCountsTheGap() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 1, onFailure: .continue)
    let first = try #require(
      log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime))))
    for _ in 0..<5 {
      let id = log.newRequest(nowMicroseconds: exampleTime)
      let ticket = try #require(log.begin(exampleIntent(id)))
      log.amend(ticket, exampleIntent(id, key: "other"))
      log.complete(ticket, exampleCompletion())
    }
    log.complete(first, exampleCompletion())
    log.close()
    #expect(try folder.outcomes() == ["\(first.requestID)": "ok"])
    let gaps = try folder.rows("SELECT sum(records) AS n, max(reason) AS reason FROM gap")
    #expect(gaps.first?["n"] == "5")
    #expect(gaps.first?["reason"]?.contains("unrecorded") == true)
  }

  @Test func manyMoreRequestsThanSlotsAllArrive() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 200)
    var ids: Set<String> = []
    while ids.count < 5_000 {
      let id = log.newRequest(nowMicroseconds: exampleTime)
      guard let ticket = log.begin(exampleIntent(id)) else {
        usleep(1_000)
        continue
      }
      log.complete(ticket, exampleCompletion())
      ids.insert("\(id)")
    }
    log.close()
    #expect(Set(try folder.outcomes().keys) == ids)
  }

  @Test func idsRiseOverRestarts() throws {
    let folder = try Folder()
    let log = try folder.open()
    let future = log.record(at: exampleTime + 3_600_000_000)
    log.close()
    let second = try folder.open()
    let next = second.newRequest(nowMicroseconds: exampleTime)
    #expect(next > future)
    // In the spool only, as after a crash.
    let ticket = try #require(
      second.begin(
        exampleIntent(second.newRequest(nowMicroseconds: exampleTime + 7_200_000_000))))
    let third = try folder.copyAsAfterCrash().open()
    #expect(third.newRequest(nowMicroseconds: exampleTime) > ticket.requestID)
    second.close()
    third.close()
  }

  @Test func aSecondServerIsRefused() throws {
    let folder = try Folder()
    let log = try folder.open()
    #expect { try folder.open() } throws: { ($0 as? AuditError)?.code == .inUse }
    #expect(log.record().value > 0)
    log.close()
    try folder.open().close()
  }

  @Test func aSecondServerIsRefusedByAnotherNameOfTheFile() throws {
    let folder = try Folder()
    let first = try folder.open()
    defer { first.close() }
    let link = folder.path + "/link.db"
    try FileManager.default.createSymbolicLink(
      atPath: link, withDestinationPath: folder.database)
    #expect(throws: AuditError.self) {
      try AuditLog(
        AuditLog.Options(databasePath: link),
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
  }

  @Test func aLockedDatabaseFillsTheSpoolAndRecovers() throws {
    let folder = try Folder()
    let log = try folder.open()
    let foreign = try DatabaseQueue(path: folder.database)
    var ids: [String] = []
    try foreign.writeWithoutTransaction { db in
      try db.execute(sql: "BEGIN IMMEDIATE")
      for _ in 0..<10 { ids.append("\(log.record())") }
      #expect(!log.flush())
      #expect(!log.isHealthy)
      for _ in 0..<10 { ids.append("\(log.record())") }
      #expect(log.backlog.rows == 20)
      #expect(log.backlog.oldestMilliseconds > 0)
      try db.execute(sql: "COMMIT")
    }
    #expect(log.flush())
    #expect(log.isHealthy)
    #expect(log.backlog == (0, 0))
    #expect(Set(try folder.outcomes().keys) == Set(ids))
    log.close()
  }

  @Test func namesOfARolledBackTransactionAreForgotten() throws {
    let folder = try Folder()
    let log = try folder.open()
    let foreign = try DatabaseQueue(path: folder.database)
    try foreign.write { db in
      try db.execute(
        sql: """
          CREATE TRIGGER broken BEFORE INSERT ON request WHEN NEW.object_key = 'b'
          BEGIN SELECT RAISE(ABORT, 'broken'); END
          """)
    }
    log.record { $0.objectKey = "a" }
    log.record { $0.objectKey = "b" }
    #expect(!log.flush())
    try foreign.write { db in try db.execute(sql: "DROP TRIGGER broken") }
    #expect(log.flush())
    #expect(
      try folder.rows("SELECT object_key, user_agent, username FROM requests ORDER BY id")
        == ["a", "b"].map {
          ["object_key": $0, "user_agent": "aws-cli/2.15", "username": "someone@example.org"]
        })
    log.close()
  }

  @Test func aRemovedDatabaseIsMadeAnew() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record()
    log.flush()
    try FileManager.default.removeItem(atPath: folder.database)
    var id = log.record()
    for _ in 0..<500 where !FileManager.default.fileExists(atPath: folder.database) {
      usleep(10_000)
    }
    id = log.record()
    #expect(log.flush())
    #expect(try folder.outcomes()["\(id)"] == "ok")
    #expect(try folder.rows("SELECT reason FROM gap").first?["reason"]?.contains("removed") == true)
    log.close()
  }

  @Test func isPrivate() throws {
    let folder = try Folder()
    var options = AuditLog.Options(databasePath: folder.path + "/new/deeper/audit.db")
    options.spoolSlots = 1
    let log = try AuditLog(options, logger: .init(label: "test"))
    log.record()
    log.flush()
    for name in ["", "/audit.db", "/audit.db-wal", "/audit.db-shm", "/audit.db.spool"] {
      var status = stat()
      #expect(stat(folder.path + "/new/deeper" + name, &status) == 0)
      #expect(status.st_mode & 0o777 == (name.isEmpty ? 0o700 : 0o600))
    }
    log.close()
    #expect(!FileManager.default.fileExists(atPath: options.databasePath + "-wal"))
  }

  @Test(arguments: [
    (["STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "HOME": "/h"], "/var/lib/a"),
    (["XDG_STATE_HOME": "/x", "HOME": "/h"], "/x"),
    (["XDG_STATE_HOME": "relative", "HOME": "/h"], "/h/.local/state"),
    (["HOME": "/h"], "/h/.local/state"),
  ])
  func hasADefaultPlace(environment: [String: String], folder: String) {
    #expect(
      AuditLog.defaultDatabasePath(environment: environment)
        == folder + "/globus-s3-frontend/audit.db")
  }
}
