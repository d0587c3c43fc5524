import Crypto
import Foundation
import GRDB
import Testing

@testable import Audit

@Suite struct VerifierTests {
  /// A record of two runs with twelve requests, a gap and a note, all signed.
  private func makeRecord() throws -> Folder {
    let folder = try Folder()
    for run in 0..<2 {
      let log = try folder.open(slots: 64)
      for number in 0..<6 {
        log.record { $0.objectKey = "run \(run) key \(number)" }
      }
      log.close()
    }
    let log = try folder.open(slots: 1)
    let held = log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime)))
    #expect(log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime))) == nil)
    try Steward(path: folder.database).note("query", ["limit": .integer(1)])
    if let held { log.complete(held, exampleCompletion()) }
    log.close()
    return folder
  }

  private func verify(_ folder: Folder, _ witness: Witness = Witness()) throws -> Verification {
    try QueryReader(path: folder.database).verify(witness)
  }

  private func tamper(_ folder: Folder, _ sql: String) throws {
    try DatabaseQueue(path: folder.database).writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA foreign_keys = OFF")
      try db.execute(sql: "DROP TRIGGER IF EXISTS request_immutable")
      try db.execute(sql: "DROP TRIGGER IF EXISTS note_immutable")
      try db.execute(sql: "DROP TRIGGER IF EXISTS gap_immutable")
      try db.execute(sql: sql)
    }
  }

  @Test func whatTheServerWroteIsIntact() throws {
    let result = try verify(makeRecord())
    #expect(result.problems == [])
    #expect(result.isIntact && result.proven == 13 && result.checkpoints == 3)
    #expect(result.unsigned == 0 && result.keys.count == 3 && result.head != nil)
  }

  @Test(arguments: [
    ("UPDATE request SET status = 404 WHERE object_key = 'run 0 key 3'", "was changed"),
    ("UPDATE request SET object_key = 'x' WHERE object_key = 'run 0 key 3'", "was changed"),
    ("UPDATE request SET bytes_out = 0", "was changed"),
    ("UPDATE request SET id = id + 500 WHERE object_key = 'run 0 key 3'", "was removed"),
    ("DELETE FROM request WHERE object_key = 'run 1 key 3'", "was removed"),
    ("DELETE FROM request", "was removed"),
    (
      "DELETE FROM leaf WHERE seq = 3; DELETE FROM request WHERE seq = 3",
      "checkpoint 1: its leaves were changed, removed or added to"
    ),
    ("UPDATE principal SET username = 'other'", "the person or the client was changed"),
    ("UPDATE principal SET identity_id = 'other'", "the person or the client was changed"),
    ("UPDATE client SET remote_ip = '198.51.100.1'", "the person or the client was changed"),
    ("UPDATE credential SET fingerprint = 'other'", "the person or the client was changed"),
    ("UPDATE collection SET collection_id = 'other'", "was changed"),
    ("UPDATE leaf SET salt = NULL WHERE seq = 2", "its person was removed, and no note says so"),
    ("UPDATE leaf SET content = x'00' WHERE seq = 2", "checkpoint 1: its leaves were changed"),
    ("UPDATE leaf SET collection_pk = 9 WHERE seq = 2", "checkpoint 1: its leaves were changed"),
    ("UPDATE leaf SET row_id = 1 WHERE seq = 2", "checkpoint 1: its leaves were changed"),
    ("UPDATE gap SET records = 0", "gap 1: was changed"),
    ("DELETE FROM gap", "gap 1: was removed"),
    ("INSERT INTO gap VALUES (7, 1, 1, 1, 'none', NULL)", "gap 7: was inserted"),
    ("UPDATE note SET actor = 'nobody'", "note 1: was changed"),
    ("DELETE FROM note", "note 1: was removed"),
    ("INSERT INTO note VALUES (7, 1, 'query', 'a', '{}')", "note 7: was inserted"),
    (
      "DELETE FROM checkpoint WHERE checkpoint_id = 2",
      "before checkpoint 3: a checkpoint was removed"
    ),
    (
      "UPDATE checkpoint SET at_us = at_us + 1 WHERE checkpoint_id = 1", "checkpoint 1: was changed"
    ),
    (
      "UPDATE checkpoint SET signature = x'00' WHERE checkpoint_id = 1",
      "the signature is not of this"
    ),
    ("UPDATE signer SET public_key = x'00' WHERE signer_pk = 1", "the signature is not of this"),
    (
      """
      DELETE FROM checkpoint WHERE checkpoint_id = 3; DELETE FROM leaf WHERE seq > 12;
      DELETE FROM request WHERE seq > 12; DELETE FROM gap; DELETE FROM note
      """, "rows behind leaf 12 were removed"
    ),
    (
      "UPDATE checkpoint SET pruned_by = 1; DELETE FROM leaf; DELETE FROM request",
      "no note says that they were pruned"
    ),
    (
      """
      INSERT INTO request SELECT id + 500, run_id, start_us, duration_us, ttfb_us, client_pk, host,
        method, operation, auth, auth_result, principal_pk, credential_pk, collection_pk,
        object_key, range, status, error_code, error_detail, outcome, bytes_in, bytes_out,
        object_size, upstream_host, upstream_status, upstream_calls, truncated, NULL
      FROM request LIMIT 1
      """, "was inserted"
    ),
  ])
  func whateverIsTamperedWithIsNamed(sql: String, problem: String) throws {
    let folder = try makeRecord()
    try tamper(folder, sql)
    let result = try verify(folder)
    #expect(
      result.problems.contains { $0.contains(problem) }, "\(result.problems) after \(sql)")
    #expect(!result.isIntact)
  }

  @Test func aChangedRowIsNamedByItsRequestID() throws {
    let folder = try makeRecord()
    let id = try #require(
      try folder.rows("SELECT request_id FROM requests WHERE object_key = 'run 1 key 2'").first)
    try tamper(folder, "UPDATE request SET status = 404 WHERE object_key = 'run 1 key 2'")
    #expect(try verify(folder).problems == ["request \(id["request_id"]!): was changed"])
  }

  @Test func prunedRowsAreKnownByTheirNoteUnlessHeld() throws {
    let folder = try makeRecord()
    let steward = try Steward(path: folder.database)
    try steward.note("prune", ["before_us": .integer(exampleTime + 1), "held": .integers([])])
    try tamper(folder, "DELETE FROM request WHERE seq BETWEEN 2 AND 4")
    let result = try verify(folder)
    #expect(result.problems == [] && result.pruned == 3 && result.proven == 10)

    let held = try makeRecord()
    try Steward(path: held.database).note(
      "prune", ["before_us": .integer(exampleTime + 1), "held": .integers([1])])
    try tamper(held, "DELETE FROM request WHERE seq BETWEEN 2 AND 4")
    #expect(try verify(held).problemCount == 3)

    let later = try makeRecord()
    try Steward(path: later.database).note(
      "prune", ["before_us": .integer(exampleTime), "held": .integers([])])
    try tamper(later, "DELETE FROM request WHERE seq = 3")
    #expect(try verify(later).problemCount == 1)
  }

  @Test func wholeCheckpointsMayBePruned() throws {
    let folder = try makeRecord()
    let steward = try Steward(path: folder.database)
    try steward.note("pruned", ["rows": .integer(6), "checkpoints": .integers([1])])
    try tamper(
      folder,
      """
      DELETE FROM request WHERE seq <= 6; DELETE FROM leaf WHERE seq <= 6;
      UPDATE checkpoint SET pruned_by = 2 WHERE checkpoint_id = 1
      """)
    let result = try verify(folder)
    #expect(result.problems == [] && result.pruned == 6 && result.proven == 7)
  }

  @Test func forgottenPersonsAreKnownByTheirNote() throws {
    let folder = try makeRecord()
    let steward = try Steward(path: folder.database)
    try steward.note("forget", ["principals": .integers([1]), "rows": .integer(13)])
    try tamper(
      folder,
      """
      UPDATE principal SET identity_id = NULL, username = NULL;
      UPDATE leaf SET salt = NULL WHERE kind = 0
      """)
    let result = try verify(folder)
    #expect(result.problems == [] && result.forgotten == 13 && result.proven == 0)

    let fewer = try makeRecord()
    try Steward(path: fewer.database).note(
      "forget", ["principals": .integers([1]), "rows": .integer(12)])
    try tamper(fewer, "UPDATE leaf SET salt = NULL WHERE kind = 0")
    #expect(try verify(fewer).problems.contains { $0.contains("more rows") })
  }

  @Test func headsOfTheLogShowWhatWasWrittenAnew() throws {
    let folder = try makeRecord()
    let head = try #require(try verify(folder).head)
    let heads = try folder.rows("SELECT lower(hex(head_sha256)) AS head FROM checkpoint")
    var witness = Witness()
    witness.readLog(
      """
      2026 notice globus-s3-frontend: checkpoint=1 head=\(heads[0]["head"]!) key=00 audit checkpoint
      {"message":"audit checkpoint","checkpoint":"3","head":"\(head)"}
      another line
      """)
    #expect(witness.heads.keys.sorted() == [1, 3])
    #expect(try verify(folder, witness).isIntact)

    // The same rows, written by somebody else's server.
    #expect(
      try verify(makeRecord(), witness).problems == [
        "checkpoint 1: the log has another head", "checkpoint 3: the log has another head",
      ])
    witness.heads[9] = head
    #expect(
      try verify(folder, witness).problems == [
        "checkpoint 9: the log has it, the record does not"
      ])
  }

  @Test func onlyTheGivenKeysMayHaveSigned() throws {
    let folder = try Folder()
    let seed = SecretBytes([UInt8](repeating: 7, count: 32))
    let log = try folder.open(signingSeed: seed)
    log.record()
    log.close()
    var witness = Witness()
    witness.keys = [Hex.encode(try Ed25519.PrivateKey(seed: seed).publicKey)]
    #expect(try verify(folder, witness).isIntact)
    witness.keys = [String(repeating: "0", count: 64)]
    #expect(try verify(folder, witness).problems.first?.contains("not among those given") == true)
  }

  @Test func rowsOfTheFirstVersionAreCountedAndNoMoreCanHideAmongThem() throws {
    let folder = try Folder()
    let queue = try DatabaseQueue(path: folder.database)
    try Schema.migrator.migrate(queue, upTo: "1 requests")
    let row = """
      INSERT INTO request(
        id, run_id, start_us, client_pk, method, operation, auth, auth_result, outcome, bytes_in,
        bytes_out, upstream_calls, truncated)
      VALUES (%, 1, 1, 1, 'GET', 'GetObject', 'header', 'verified', 'ok', 0, 0, 0, 0);
      """
    try queue.write { db in
      try db.execute(
        sql: """
          INSERT INTO server_run(run_id, started_us, host, pid, version) VALUES (1, 1, 'h', 1, '0');
          INSERT INTO client VALUES (1, '192.0.2.1', '192.0.2.1', 'curl', 1);
          """ + row.replacing("%", with: "7") + row.replacing("%", with: "9"))
    }
    try queue.close()
    let log = try folder.open()
    log.record()
    log.close()
    let result = try verify(folder)
    #expect(result.problems == [] && result.uncovered == 2 && result.proven == 1)
    try tamper(folder, row.replacing("%", with: "8"))
    #expect(try verify(folder).problems == ["request 0000000000000009: was inserted"])
  }

  @Test func problemsHaveALimit() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 512)
    for _ in 0..<(Limits.problemsShown + 5) { log.record() }
    log.close()
    try tamper(folder, "UPDATE request SET status = 500")
    let result = try verify(folder)
    #expect(result.problems.count == Limits.problemsShown)
    #expect(result.problemCount == Limits.problemsShown + 5)
  }
}
