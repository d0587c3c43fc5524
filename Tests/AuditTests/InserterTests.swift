// What the writer's way of inserting, several rows with one statement, must not change.

import GRDB
import Testing

@testable import Audit

@Suite struct InserterTests {
  @Test func manyRowsInOneTransactionAreEachProven() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 4_096)
    let rows = Limits.rowsPerTransaction + Limits.leavesPerStatement + 3
    for number in 0..<rows { log.record { $0.objectKey = "data/\(number)" } }
    #expect(log.flush())
    log.close()
    let result = try QueryReader(path: folder.database).verify(Witness())
    #expect(result.problems == [] && result.proven == rows)
    let counts = try folder.rows(
      "SELECT count(DISTINCT object_key) AS keys, count(DISTINCT seq) AS leaves FROM request")
    #expect(counts == [["keys": "\(rows)", "leaves": "\(rows)"]])
  }

  @Test func emptyTextStaysEmptyAndANULIsShown() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record {
      $0.method = ""
      $0.host = ""
      $0.range = nil
      $0.objectKey = "a\0b"
    }
    log.close()
    let rows = try folder.rows(
      """
      SELECT typeof(method) AS method, typeof(host) AS host, typeof(range) AS range, object_key
      FROM request
      """)
    #expect(
      rows == [["method": "text", "host": "text", "range": "null", "object_key": "a␀b"]])
    #expect(try QueryReader(path: folder.database).verify(Witness()).problems == [])
  }

  @Test func aRowThatIsThereAlreadyTakesNoLeaf() throws {
    let folder = try Folder()
    let store = try Store(path: folder.database)
    try store.beginRun(atMicroseconds: exampleTime, version: "test")
    let records = (1...40).map {
      Record(intent: exampleIntent(RequestID(value: $0)), completion: exampleCompletion())
    }
    try store.insert(Array(records[..<30]))
    try store.insert(records)  // as a replay does
    try store.close(atMicroseconds: exampleTime, isClean: true)
    #expect(try folder.rows("SELECT count(*) AS n FROM leaf") == [["n": "40"]])
    let result = try QueryReader(path: folder.database).verify(Witness())
    #expect(result.problems == [] && result.unsigned == 40)
  }

  @Test func aValueThatTheTableRefusesIsAnErrorAndLeavesNothing() throws {
    let folder = try Folder()
    let store = try Store(path: folder.database)
    let record = Record(intent: exampleIntent(RequestID(value: 1)))
    try DatabaseQueue(path: folder.database).write { db in
      try db.execute(
        sql: """
          CREATE TRIGGER broken BEFORE INSERT ON leaf BEGIN SELECT RAISE(ABORT, 'broken'); END
          """)
    }
    #expect {
      try store.insert([record])
    } throws: {
      ($0 as? DatabaseError)?.message == "broken"
    }
    #expect(try folder.rows("SELECT * FROM request").isEmpty)
    try DatabaseQueue(path: folder.database).write { db in
      try db.execute(sql: "DROP TRIGGER broken")
    }
    try store.insert([record])
    #expect(try folder.rows("SELECT * FROM request").count == 1)
    try store.close(atMicroseconds: exampleTime, isClean: true)
  }
}
