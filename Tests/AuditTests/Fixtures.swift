// Fixtures: a folder for each test, intents and completions to record, rows to compare.

import Crypto
import Foundation
import GRDB
import Logging

@testable import Audit

/// A folder that goes with its owner.
final class Folder {
  let path: String

  init() throws {
    path =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("audit-tests-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  var database: String { path + "/audit.db" }
  var spool: String { database + ".spool" }

  func open(
    slots: Int = 64, onFailure: AuditLog.OnFailure = .refuse, signingSeed: SecretBytes? = nil,
    change: (inout AuditLog.Options) -> Void = { _ in }
  ) throws(AuditError) -> AuditLog {
    var options = AuditLog.Options(databasePath: database)
    options.spoolSlots = slots
    options.onFailure = onFailure
    options.version = "test"
    options.signingSeed = signingSeed
    options.ballastBytes = 65_536
    change(&options)
    return try AuditLog(options, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  /// What a `kill -9` at this moment would leave: every file as it stands.
  func copyAsAfterCrash() throws -> Folder {
    let copy = try Folder()
    for name in try FileManager.default.contentsOfDirectory(atPath: path) {
      try FileManager.default.copyItem(
        atPath: "\(path)/\(name)", toPath: "\(copy.path)/\(name)")
    }
    return copy
  }

  /// Rows of the database, each column as text.
  func rows(_ sql: String) throws -> [[String: String]] {
    try DatabaseQueue(path: database).read { db in
      try Row.fetchAll(db, sql: sql).map { row in
        Dictionary(
          uniqueKeysWithValues: zip(row.columnNames, row.databaseValues).map { name, value in
            (name, QueryValue(value).description)
          })
      }
    }
  }

  /// The status of each recorded request, by id.
  func outcomes() throws -> [String: String] {
    let rows = try rows("SELECT request_id, outcome FROM requests")
    return Dictionary(uniqueKeysWithValues: rows.map { ($0["request_id"]!, $0["outcome"]!) })
  }
}

let exampleCollection = "6c54cade-bde5-45c1-bdea-f4bd71dba2cc"
let exampleIdentity = "ae341a98-d274-11e5-b888-dbae3a8ba545"
/// 2026-11-22T10:00:00Z
let exampleTime: Int64 = 1_795_341_600_000_000

func exampleIntent(_ id: RequestID, key: String? = "data/example.txt") -> Intent {
  var intent = Intent(
    requestID: id, startMicroseconds: exampleTime, method: "GET", operation: "GetObject",
    remoteIP: "192.0.2.7", peerIP: "127.0.0.1", userAgent: "aws-cli/2.15")
  intent.auth = .header
  intent.authResult = .unverified
  intent.host = "localhost:8000"
  intent.collectionID = exampleCollection
  intent.objectKey = key
  intent.range = "bytes=0-99"
  intent.identityID = exampleIdentity
  intent.username = "someone@example.org"
  intent.credentialFingerprint = "abcdefghijklmnopqrstuvwxyz"
  return intent
}

func exampleCompletion() -> Completion {
  var completion = Completion(outcome: .ok, status: 206, durationMicroseconds: 12_345)
  completion.bytesIn = 3
  completion.bytesOut = 100
  completion.timeToFirstByteMicroseconds = 1_000
  completion.objectSize = 4_096
  completion.upstreamHost = "m-1.data.example.org"
  completion.upstreamStatus = 206
  completion.upstreamCalls = 2
  return completion
}

extension AuditLog {
  /// Records one whole request.
  @discardableResult
  func record(
    at time: Int64 = exampleTime, completion: Completion = exampleCompletion(),
    change: (inout Intent) -> Void = { _ in }
  ) -> RequestID {
    let id = newRequest(nowMicroseconds: time)
    var intent = exampleIntent(id)
    intent.startMicroseconds = time
    change(&intent)
    if let ticket = begin(intent) { complete(ticket, completion) }
    return id
  }
}
