import Foundation
import Logging
import Testing

@testable import Audit

@Suite struct FloodTests {
  private func open(
    _ folder: Folder, rows: Int, slots: Int = 64
  ) throws(AuditError) -> AuditLog {
    var options = AuditLog.Options(databasePath: folder.database)
    options.spoolSlots = slots
    options.strangersRowsPerMinute = rows
    return try AuditLog(options, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  /// A request without a credential; false: it must be refused for want of room.
  @discardableResult
  private func strange(
    _ log: AuditLog, from address: String = "198.51.100.1", at time: Int64 = exampleTime
  ) -> Bool {
    let id = log.newRequest(nowMicroseconds: time)
    var intent = Intent(
      requestID: id, startMicroseconds: time, method: "GET", operation: "GetObject",
      remoteIP: address, peerIP: address, userAgent: "curl")
    intent.authResult = .none
    guard let ticket = log.begin(intent) else { return false }
    log.complete(ticket, Completion(outcome: .clientError, status: 403, durationMicroseconds: 9))
    return true
  }

  @Test func beyondTheLimitStrangersAreCountedByAddressAndMinute() throws {
    let folder = try Folder()
    let log = try open(folder, rows: 5)
    for number in 0..<25 { strange(log, at: exampleTime + Int64(number) * 1_000_000) }
    strange(log, from: "198.51.100.2")
    for _ in 0..<10 { log.record() }
    #expect(log.flush())
    // The next minute: rows again, and the count of the last one is written.
    strange(log, at: exampleTime + 60_000_000)
    #expect(log.flush())
    let gaps = try folder.rows("SELECT * FROM gap")
    #expect(gaps.count == 1 && gaps[0]["records"] == "20")
    #expect(gaps[0]["remote_ip"] == "198.51.100.1")
    #expect(gaps[0]["from_us"] == "\(exampleTime + 5_000_000)")
    #expect(gaps[0]["to_us"] == "\(exampleTime + 24_000_000)")
    log.close()
    let counts = try folder.rows("SELECT auth_result, count(*) AS n FROM requests GROUP BY 1")
    #expect(counts.map { "\($0["auth_result"]!) \($0["n"]!)" } == ["none 7", "unverified 10"])
    #expect(try QueryReader(path: folder.database).verify(Witness()).problems == [])
  }

  @Test func aCountIsWrittenWhenItsMinuteIsOverThoughNobodyAsks() throws {
    let folder = try Folder()
    let log = try open(folder, rows: 1)
    for _ in 0..<4 { strange(log) }
    log.tick(nowMicroseconds: exampleTime + 1)
    #expect(log.flush())
    #expect(try folder.rows("SELECT * FROM gap").isEmpty)
    log.tick(nowMicroseconds: exampleTime + 60_000_000)
    #expect(log.flush())
    #expect(try folder.rows("SELECT records FROM gap").first?["records"] == "3")
    log.close()
  }

  @Test func aCountSurvivesAKill() throws {
    let folder = try Folder()
    let log = try open(folder, rows: 2)
    for _ in 0..<9 { strange(log) }
    let crashed = try folder.copyAsAfterCrash()
    try crashed.open().close()
    #expect(try crashed.rows("SELECT records FROM gap").first?["records"] == "7")
    #expect(try crashed.rows("SELECT * FROM request").count == 2)
    #expect(try crashed.rows("SELECT * FROM request WHERE operation = 'Flood'").isEmpty)
    log.close()
  }

  @Test func strangersNeverTakeTheLastSlots() throws {
    let folder = try Folder()
    let log = try open(folder, rows: 1_000, slots: 16)
    // None of them ends, so no slot comes back.
    var refused = 0
    for number in 0..<40 {
      var intent = Intent(
        requestID: log.newRequest(nowMicroseconds: exampleTime), startMicroseconds: exampleTime,
        method: "GET", operation: "Malformed", remoteIP: "198.51.100.\(number)",
        peerIP: "198.51.100.1", userAgent: "")
      intent.authResult = .malformed
      if log.begin(intent) == nil { refused += 1 }
    }
    #expect(refused == 40 - (16 - 16 / Limits.reservedShare))
    for _ in 0..<(16 / Limits.reservedShare) {
      #expect(log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime))) != nil)
    }
    #expect(log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime))) == nil)
    log.close()
  }

  @Test func aCallbackOfASignInIsNoStranger() {
    var intent = exampleIntent(RequestID(value: 1))
    #expect(!intent.isOfAStranger)
    intent.authResult = .badSignature
    #expect(intent.isOfAStranger)
    intent.operation = "AuthCallback"
    #expect(!intent.isOfAStranger)
  }

  @Test func addressesAndFloodsHaveLimits() {
    var meter = FloodMeter(limit: 1)
    _ = meter.turn(exampleTime)
    for number in 0..<Limits.meteredAddresses { #expect(meter.count("\(number)") == nil) }
    #expect(meter.count("one more") == nil)
    #expect(meter.count("another") == "", "addresses beyond the limit are counted as one")
    #expect(meter.count("0") == "0")
    for number in 0..<Limits.openFloods {
      let intent = Intent(floodFrom: "\(number)", id: RequestID(value: 1), at: exampleTime)
      meter.open(
        "\(number)",
        FloodMeter.Flood(
          ticket: AuditLog.Ticket.none(RequestID(value: 1)), intent: intent, last: exampleTime))
    }
    #expect(meter.count("1") == "1")
    #expect(meter.count("\(Limits.openFloods)") == "")
  }
}
