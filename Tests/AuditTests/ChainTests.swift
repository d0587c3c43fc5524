import Crypto
import Foundation
import GRDB
import Testing

@testable import Audit

@Suite struct ChainTests {
  @Test func everyRowHasALeafThatFollowsFromIt() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record()
    log.record {
      $0.identityID = nil
      $0.collectionID = nil
      $0.objectKey = nil
    }
    log.close()
    try DatabaseQueue(path: folder.database).read { db in
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT \(Leaf.requestColumns.map { "request.\($0)" }.joined(separator: ", ")),
            collection_id, \(Leaf.personalColumns.joined(separator: ", ")), leaf.*
          FROM request JOIN leaf USING(seq) JOIN client USING(client_pk)
            LEFT JOIN principal ON principal.principal_pk = request.principal_pk
            LEFT JOIN credential ON credential.credential_pk = request.credential_pk
            LEFT JOIN collection ON collection.collection_pk = request.collection_pk
          ORDER BY leaf.seq
          """)
      #expect(rows.count == 2)
      let fixed = Leaf.requestColumns.count
      for row in rows {
        let values = Array(row.databaseValues)
        let salt: Data = row["salt"]
        let personal = Leaf.personal(
          salt: Array(salt),
          Array(values[(fixed + 1)...].prefix(Leaf.personalColumns.count)))
        #expect(Array(row["personal"] as Data) == personal)
        #expect(
          Leaf.content(
            values.prefix(fixed), collectionID: row["collection_id"], personal: personal)
            == Array(row["content"] as Data))
      }
      #expect((rows[0]["salt"] as Data) != (rows[1]["salt"] as Data))
    }
  }

  @Test func checkpointsAreChainedOverRunsAndSigned() throws {
    let folder = try Folder()
    let seed = SecretBytes([UInt8](repeating: 7, count: 32))
    for _ in 0..<3 {
      let log = try folder.open(signingSeed: seed)
      for _ in 0..<5 { log.record() }
      log.close()
    }
    try folder.open(signingSeed: seed).close()  // nothing new: no checkpoint
    let key = try Ed25519.PrivateKey(seed: seed)
    try DatabaseQueue(path: folder.database).read { db in
      let rows = try Row.fetchAll(db, sql: "SELECT * FROM checkpoint ORDER BY checkpoint_id")
      #expect(rows.map { $0["first_seq"] as Int64 } == [1, 6, 11])
      #expect(rows.map { $0["last_seq"] as Int64 } == [5, 10, 15])
      var previous = Checkpoint.genesis
      for row in rows {
        let head = Array(row["head_sha256"] as Data)
        #expect(Array(row["prev_sha256"] as Data) == previous)
        #expect(
          Ed25519.verify(Array(row["signature"] as Data), of: head, publicKey: key.publicKey))
        previous = head
      }
      #expect(
        try Data.fetchAll(db, sql: "SELECT public_key FROM signer") == [Data(key.publicKey)])
    }
  }

  @Test func aThousandRowsAreSignedWhileTheServerRuns() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 512)
    for number in 0..<(Limits.leavesPerCheckpoint + 50) {
      if number % 200 == 0 { log.flush() }
      log.record()
    }
    log.flush()
    log.flush()  // the checkpoint is written behind the commit
    #expect(try folder.rows("SELECT * FROM checkpoint").count == 1)
    log.close()
    #expect(try folder.rows("SELECT * FROM checkpoint").count == 2)
  }

  @Test func aMinuteWithRowsIsSigned() {
    var now = 100.0
    var schedule = CheckpointSchedule { now }
    #expect(!schedule.isDue)
    schedule.inserted(1)
    now += Limits.secondsPerCheckpoint - 1
    #expect(!schedule.isDue)
    now += 1
    #expect(schedule.isDue)
    let isFirst = schedule.written()
    #expect(isFirst)
    schedule.inserted(Limits.leavesPerCheckpoint)
    #expect(schedule.isDue)
    let isLoggedAgain = schedule.written()
    #expect(!isLoggedAgain, "the log has had a head within the minute")
  }

  @Test func gapsAreInTheChain() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 1)
    let held = log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime)))
    #expect(log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime))) == nil)
    if let held { log.complete(held, exampleCompletion()) }
    log.close()
    #expect(try folder.rows("SELECT * FROM gap").count == 1)
    #expect(
      Set(try folder.rows("SELECT kind FROM leaf").map { $0["kind"] }) == ["0", "1"])
  }

  @Test func hoursAreSummed() throws {
    let folder = try Folder()
    let log = try folder.open()
    for _ in 0..<3 { log.record() }
    log.record(at: exampleTime + Rollup.hourMicroseconds)
    log.flush()
    log.record(
      completion: Completion(outcome: .serverError, status: 503, durationMicroseconds: 5))
    log.close()
    let rows = try folder.rows("SELECT * FROM rollup_hour ORDER BY hour")
    #expect(rows.map { $0["requests"] } == ["4", "1"])
    #expect(rows.map { $0["errors"] } == ["1", "0"])
    #expect(rows.map { $0["bytes_out"] } == ["300", "100"])
    #expect(rows[0]["duration_us"] == "\(3 * 12_345 + 5)")
  }
}
