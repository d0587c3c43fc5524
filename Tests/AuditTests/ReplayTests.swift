import Foundation
import Testing

@testable import Audit

@Suite struct ReplayTests {
  @Test func aCrashLosesNothing() throws {
    let folder = try Folder()
    let log = try folder.open()
    var expected: [String: String] = [:]
    expected["\(log.record())"] = "ok"
    log.flush()
    // One complete but maybe not committed, one begun, one amended, one in the middle of its end.
    expected["\(log.record())"] = "ok"
    let begun = log.newRequest(nowMicroseconds: exampleTime)
    _ = try #require(log.begin(exampleIntent(begun)))
    let amended = log.newRequest(nowMicroseconds: exampleTime)
    let ticket = try #require(log.begin(exampleIntent(amended, key: "first")))
    log.amend(ticket, exampleIntent(amended, key: "second"))
    expected["\(begun)"] = "lost"
    expected["\(amended)"] = "lost"

    let crashed = try folder.copyAsAfterCrash()
    try crashed.open().close()
    #expect(try crashed.outcomes() == expected)
    let row = try crashed.rows("SELECT * FROM requests WHERE id = \(amended.value)").first
    #expect(row?["object_key"] == "second" && row?["status"] == "" && row?["bytes_out"] == "0")
    let runs = try crashed.rows("SELECT clean, stopped_us FROM server_run ORDER BY run_id")
    #expect(runs.map { $0["clean"] } == ["0", "1"])
    #expect(runs[0]["stopped_us"] != "")

    // Again: nothing is inserted twice, nothing is left.
    try crashed.open().close()
    #expect(try crashed.outcomes() == expected)
    log.close()
  }

  @Test func replayIsIdempotent() throws {
    let folder = try Folder()
    let log = try folder.open()
    log.record()
    let id = log.newRequest(nowMicroseconds: exampleTime)
    let ticket = try #require(log.begin(exampleIntent(id)))
    let crashed = try folder.copyAsAfterCrash()
    // The spool of the crash comes back after its rows were committed, as if slots weren't freed.
    try crashed.open().close()
    let rows = try crashed.outcomes()
    try FileManager.default.removeItem(atPath: crashed.spool)
    try FileManager.default.copyItem(atPath: folder.spool, toPath: crashed.spool)
    try crashed.open().close()
    #expect(rows["\(id)"] == "lost")
    #expect(try crashed.outcomes() == rows)
    log.complete(ticket, exampleCompletion())
    log.close()
  }

  @Test func aDamagedCompletionLeavesTheIntent() throws {
    let folder = try Folder()
    try folder.open(slots: 4).close()
    let spool = try Spool(path: folder.spool, slots: 4)
    let id = RequestID(value: 9)
    spool.begin(exampleIntent(id), slot: 2)
    spool.complete(exampleCompletion(), of: id, slot: 2)
    spool.close()
    try damage(folder, Data("m-1.data".utf8))
    try folder.open(slots: 4).close()
    #expect(try folder.outcomes() == ["\(id)": "lost"])
    #expect(try folder.rows("SELECT * FROM gap").isEmpty)
  }

  @Test func aDamagedIntentIsAGap() throws {
    let folder = try Folder()
    try folder.open(slots: 4).close()
    let spool = try Spool(path: folder.spool, slots: 4)
    spool.begin(exampleIntent(RequestID(value: 9)), slot: 2)
    spool.begin(exampleIntent(RequestID(value: 10), key: "whole"), slot: 3)
    spool.close()
    try damage(folder, Data("data/example.txt".utf8))
    try folder.open(slots: 4).close()
    #expect(try folder.outcomes() == ["\(RequestID(value: 10))": "lost"])
    #expect(try folder.rows("SELECT records FROM gap").first?["records"] == "1")
    try folder.open(slots: 4).close()
    #expect(try folder.rows("SELECT records FROM gap").count == 1)
  }

  @Test func aCompletionOfAnotherRequestDoesNotCount() throws {
    let folder = try Folder()
    let spool = try Spool(path: folder.spool, slots: 1)
    spool.begin(exampleIntent(RequestID(value: 9)), slot: 0)
    spool.complete(exampleCompletion(), of: RequestID(value: 8), slot: 0)
    #expect(spool.record(slot: 0) == Record(intent: exampleIntent(RequestID(value: 9))))
    spool.close()
  }

  /// A disk that brought back anything at all: the start goes on and counts what it can't read.
  @Test func randomDamageNeverStopsTheStart() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix(state: seed)
    for _ in 0..<20 {
      let folder = try Folder()
      try folder.open(slots: 8).close()
      let spool = try Spool(path: folder.spool, slots: 8)
      for slot in 0..<8 {
        let id = RequestID(value: Int64(slot) + 1)
        spool.begin(exampleIntent(id), slot: slot)
        if slot % 2 == 0 { spool.complete(exampleCompletion(), of: id, slot: slot) }
      }
      spool.close()
      var bytes = try Data(contentsOf: URL(fileURLWithPath: folder.spool))
      for _ in 0..<200 {
        let range =
          random.next() % 4 == 0
          ? SpoolHeader.bytes..<SpoolHeader.bytes + 64
          : SpoolHeader.slotsOffset(slots: 8)..<bytes.count
        bytes[Int.random(in: range, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      try bytes.write(to: URL(fileURLWithPath: folder.spool))
      try folder.open(slots: 8).close()
      let rows = try folder.outcomes().count
      let gaps = try folder.rows("SELECT total(records) AS n FROM gap").first?["n"]
      #expect(Double(rows) + (Double(gaps ?? "") ?? 0) <= 8, "seed \(seed)")
    }
  }

  @Test func theNumberOfSlotsCanChange() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 8)
    let id = log.newRequest(nowMicroseconds: exampleTime)
    let ticket = try #require(log.begin(exampleIntent(id)))
    let crashed = try folder.copyAsAfterCrash()
    let larger = try crashed.open(slots: 20)
    #expect(try crashed.outcomes() == ["\(id)": "lost"])
    for _ in 0..<20 {
      #expect(larger.begin(exampleIntent(larger.newRequest(nowMicroseconds: exampleTime))) != nil)
    }
    #expect(larger.begin(exampleIntent(larger.newRequest(nowMicroseconds: exampleTime))) == nil)
    larger.close()
    log.complete(ticket, exampleCompletion())
    log.close()
  }

  /// Requests in flight at a clean stop are not forgotten either.
  @Test func closingWithRequestsInFlightKeepsThem() throws {
    let folder = try Folder()
    let log = try folder.open()
    let id = log.newRequest(nowMicroseconds: exampleTime)
    _ = try #require(log.begin(exampleIntent(id)))
    log.close()
    #expect(try folder.outcomes().isEmpty)
    #expect(try folder.rows("SELECT clean FROM server_run").first?["clean"] == "0")
    try folder.open().close()
    #expect(try folder.outcomes() == ["\(id)": "lost"])
  }

  /// Changes the first byte of `text` in the spool.
  private func damage(_ folder: Folder, _ text: Data) throws {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: folder.spool))
    let place = try #require(bytes.range(of: text))
    bytes[place.lowerBound] ^= 0xFF
    try bytes.write(to: URL(fileURLWithPath: folder.spool))
  }
}
