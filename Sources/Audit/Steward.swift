// Steward: the record as a command changes it, with or without a running server: notes of who
// asked, pruned, forgot or held what.
//
// A note and what it tells of are one transaction, and the note has a leaf in the chain. The
// server's writer waits a second for the lock, so a transaction here is kept short.

import Foundation
import GRDB

/// Writes to the record for the commands of data stewards.
public final class Steward {
  let queue: DatabaseQueue
  let actor: String

  /// Opens the record for writing; `actor` is who will stand in its notes. `isReader`: only a note
  /// is wanted, which nobody should wait for long.
  public init(
    path: String, actor: String = Steward.currentActor, isReader: Bool = false
  ) throws(AuditError) {
    let path = absolutePath(path)
    self.actor = actor
    do {
      var configuration = Configuration()
      configuration.label = "audit-steward"
      configuration.busyMode = .timeout(
        isReader ? Limits.readerBusySeconds : Limits.stewardBusySeconds)
      configuration.foreignKeysEnabled = false  // UnusedNames.swift says why
      guard FileManager.default.isWritableFile(atPath: path) else {
        throw AuditError(
          .unusable, "the audit database \(path) can't be written by you; run this as its owner")
      }
      queue = try DatabaseQueue(path: path, configuration: configuration)
      try queue.writeWithoutTransaction { db in
        try Self.check(db, path)
        try db.execute(sql: "PRAGMA synchronous = FULL")
      }
    } catch let error as AuditError {
      throw error
    } catch {
      let cause = (error as? DatabaseError)?.message ?? "\(error)"
      throw AuditError(.unusable, "cannot write to the audit database \(path): \(cause)")
    }
  }

  private static func check(_ db: Database, _ path: String) throws {
    guard try Int32.fetchOne(db, sql: "PRAGMA application_id") == Schema.applicationID else {
      throw AuditError(
        .notOurs, "\(path) is not an audit database; name the server's with --audit-db")
    }
    try Schema.requireCurrent(db, path)
  }

  /// The account that runs this, and the one behind `sudo`.
  public static var currentActor: String {
    let uid = getuid()
    let name = getpwuid(uid).map { String(cString: $0.pointee.pw_name) } ?? "uid \(uid)"
    guard let caller = ProcessInfo.processInfo.environment["SUDO_USER"], !caller.isEmpty else {
      return name
    }
    return "\(name) (sudo by \(caller.prefix(Limits.username)))"
  }

  /// Notes one use of the record, by itself.
  public func note(_ command: String, _ detail: [String: NoteValue]) throws {
    try queue.write { db in _ = try note(command, detail, db) }
  }

  /// Notes a use of the record in the transaction of what it does; returns the note's number.
  func note(_ command: String, _ detail: [String: NoteValue], _ db: Database) throws -> Int64 {
    try Self.note(command, detail, by: actor, db)
  }

  static func note(
    _ command: String, _ detail: [String: NoteValue], by actor: String, _ db: Database
  ) throws -> Int64 {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try db.execute(
      sql: "INSERT INTO note(at_us, command, actor, detail) VALUES (?, ?, ?, ?)",
      arguments: [
        AuditLog.wallMicroseconds(), command, actor,
        String(decoding: try encoder.encode(detail), as: UTF8.self),
      ])
    let number = db.lastInsertedRowID
    try Leaf.append(.note, row: number, of: "note", db)
    return number
  }
}

/// A value in the detail of a note.
public enum NoteValue: Encodable, Equatable, Sendable {
  case text(String)
  case integer(Int64)
  case list([String])
  case integers([Int64])

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .text(let text): try container.encode(text)
    case .integer(let integer): try container.encode(integer)
    case .list(let texts): try container.encode(texts)
    case .integers(let integers): try container.encode(integers)
    }
  }
}
