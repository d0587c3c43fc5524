// MillionTests: fills a record as the server's writer does, for measurements: scripts/soak-million
// says where and with how many rows. Three months, 40 collections, 200 persons, 300 programs; a
// person works in one collection for a hundred requests, then another person does.

import Crypto
import Foundation
import GRDB
import Testing

@testable import Audit

private let environment = ProcessInfo.processInfo.environment

@Suite(.enabled(if: environment["AUDIT_MILLION_DB"] != nil))
struct MillionTests {
  @Test func fillsARecord() throws {
    let path = try #require(environment["AUDIT_MILLION_DB"])
    let rows = try #require(Int(environment["AUDIT_MILLION_ROWS"] ?? "1000000"))
    let store = try Store(path: path)
    let key = try Ed25519.PrivateKey()
    var ids = RequestIDGenerator(after: 0)
    var random = SplitMix(state: 1)
    try store.beginRun(atMicroseconds: exampleTime, version: "test")
    let step = 90 * 24 * Rollup.hourMicroseconds / Int64(rows)
    for first in stride(from: 0, to: rows, by: Limits.rowsPerTransaction) {
      let last = min(first + Limits.rowsPerTransaction, rows)
      try store.insert(
        (first..<last).map { row in
          record(ids.next(nowMicroseconds: exampleTime + Int64(row) * step), row, &random)
        })
      if (first / Limits.rowsPerTransaction) % 8 == 7 {
        _ = try store.checkpoint(signedWith: key, atMicroseconds: exampleTime)
      }
    }
    try store.close(atMicroseconds: exampleTime, isClean: true)
    let reader = try QueryReader(path: path)
    #expect(
      try reader.queue.read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM requests") }
        == rows)
  }

  private func record(_ id: RequestID, _ row: Int, _ random: inout SplitMix) -> Audit.Record {
    var intent = exampleIntent(id)
    intent.startMicroseconds = RequestIDGenerator.epochMicroseconds + id.value >> 10
    let session = row / 100
    let person = session * 7919 % 200
    intent.identityID = uuid(1, person)
    intent.username = "person\(person)@example.org"
    intent.credentialFingerprint = "credential\(person)-\(row / 10_000)"
    intent.collectionID = uuid(2, session * 104_729 % 40)
    intent.authResult = person % 3 == 0 ? .verified : .unverified
    intent.remoteIP = "192.0.2.\(person)"
    intent.userAgent = "aws-cli/2.\(session % 300)"
    intent.objectKey =
      "run\(Int.random(in: 0..<100, using: &random))/part-\(Int.random(in: 0..<500, using: &random))"
    intent.range = nil
    var end = exampleCompletion()
    end.status = 200
    end.bytesOut = Int64.random(in: 0...1_000_000, using: &random)
    end.durationMicroseconds = Int64.random(in: 500...2_000_000, using: &random)
    switch row % 50 {
    case 0:
      end.outcome = .clientError
      end.status = 404
      end.errorCode = "NoSuchKey"
    case 1...10: intent.operation = "HeadObject"
    case 11...15:
      intent.operation = "ListObjectsV2"
      intent.objectKey = nil
    case 16 where row % 10_000 == 16: intent.operation = "AuthCallback"
    case 17 where row % 1_000 == 17: intent.operation = "DeleteObject"
    default: break
    }
    return Audit.Record(intent: intent, completion: end)
  }

  private func uuid(_ kind: Int, _ number: Int) -> String {
    String(format: "%08d-0000-4000-8000-%012d", kind, number)
  }
}
