// Opening: how the database comes to be open, whatever state its file is in: at the start, with what
// the last run left in the spool, and anew while the server runs.
//
// A damaged file is moved aside, never deleted, and a fresh one takes its place with a `gap` that
// names it. A file that is no database counts as damaged only where a spool stands beside it:
// otherwise it is somebody else's and is left alone.

import Foundation
import GRDB
import Logging

struct Opening {
  let options: AuditLog.Options
  let logger: Logger

  /// Opens, replays the spool and begins a run; returns also the greatest id of the record.
  func start(_ spool: Spool, _ ballast: Ballast) throws(AuditError) -> Opened {
    _ = ballast.look()  // on a full disk the replay needs its room
    do {
      do {
        return try attempt(spool)
      } catch let error where error.isFull {
        ballast.giveBack()
        return try attempt(spool)
      } catch let error where error.isDamage && !spool.isNew {
        let reason = try moveAside(because: error)
        let now = options.machine.wallMicroseconds()
        return try attempt(
          spool, Gap(fromMicroseconds: now, toMicroseconds: now, records: 0, reason: reason))
      }
    } catch {
      throw refusal(error)
    }
  }

  struct Opened {
    let store: Store
    let lastID: Int64
    let wasMovedAside: Bool
  }

  private func attempt(_ spool: Spool, _ damage: Gap? = nil) throws -> Opened {
    let store = try Store(path: options.databasePath)
    do {
      let replay = Replay(spool: spool, store: store, damage: damage, logger: logger)
      return Opened(
        store: store, lastID: try replay.run(options), wasMovedAside: damage != nil)
    } catch {
      store.abandon()
      throw error
    }
  }

  /// Opens what stands at the path now, begins a run in it and records what it doesn't have:
  /// everything after its last record, else everything since `began`.
  func anew(because reason: String, since began: Int64) throws -> Store {
    let store = try Store(path: options.databasePath)
    do {
      let now = options.machine.wallMicroseconds()
      let from = min(try store.lastStart() ?? began, now)
      try store.beginRun(atMicroseconds: now, version: options.version)
      try store.insert(
        [], gap: Gap(fromMicroseconds: from, toMicroseconds: now, records: 0, reason: reason))
      return store
    } catch {
      store.abandon()
      throw error
    }
  }

  /// Moves the damaged database and its log out of the way; returns what the gap says of it.
  func moveAside(because cause: any Error) throws(AuditError) -> String {
    let path = options.databasePath
    let aside = asidePath()
    for suffix in ["-wal", "-shm", ""] where access(path + suffix, F_OK) == 0 {
      guard rename(path + suffix, aside + suffix) == 0 else {
        throw AuditError(
          .unusable,
          "the audit database \(path) is damaged and can't be moved away: \(reason(errno))")
      }
    }
    logger.critical(
      "the audit database is damaged: it was moved aside and a fresh one begins",
      metadata: ["moved_to": "\(aside)", "cause": "\(cause.text)"])
    return "the database was damaged; what was recorded before is in \(aside)"
  }

  /// Moves away the log of a database that isn't at the path any more, if anything is left in it:
  /// the one that is there now would take it for its own.
  func moveLogAside() {
    let path = options.databasePath
    var status = stat()
    guard stat(path + "-wal", &status) == 0, status.st_size > 0 else { return }
    rename(path + "-wal", asidePath() + "-wal")
    unlink(path + "-shm")
  }

  /// `audit.db.corrupt-20261123T121314Z`, with a number when that is taken.
  private func asidePath() -> String {
    var seconds = time_t(options.machine.wallMicroseconds() / 1_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y%m%dT%H%M%SZ", &parts)
    let time = String(decoding: text.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    let path = "\(options.databasePath).corrupt-\(time)"
    var free = path
    var number = 2
    while access(free, F_OK) == 0 || access(free + "-wal", F_OK) == 0 {
      free = "\(path).\(number)"
      number += 1
    }
    return free
  }

  private func refusal(_ error: any Error) -> AuditError {
    if let error = error as? AuditError { return error }
    let path = options.databasePath
    guard let cause = (error as? DatabaseError)?.resultCode else {
      return AuditError(
        .unusable, "cannot open the audit database \(path): \(error.text); check --audit-db")
    }
    switch cause {
    case .SQLITE_NOTADB:
      return AuditError(.notOurs, "\(path) is not a database; choose another --audit-db")
    case .SQLITE_CORRUPT:
      return AuditError(
        .unusable, "the audit database \(path) is damaged (\(error.text)); move it away")
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      return AuditError(
        .unusable, "another process holds the audit database \(path): stop it, or wait for it")
    case .SQLITE_FULL:
      return AuditError(
        .unusable, "the disk of the audit database \(path) is full: free space there")
    default:
      return AuditError(
        .unusable,
        "cannot write to the audit database \(path): \(error.text); check its folder's "
          + "permissions and --audit-db")
    }
  }
}

extension Error {
  /// The file is no whole database.
  var isDamage: Bool {
    let code = (self as? DatabaseError)?.resultCode
    return code == .SQLITE_CORRUPT || code == .SQLITE_NOTADB
  }

  var isFull: Bool {
    (self as? DatabaseError)?.resultCode == .SQLITE_FULL
  }

  /// What went wrong, without statements and their values.
  var text: String {
    (self as? DatabaseError).map { $0.message ?? "\($0.resultCode)" } ?? "\(self)"
  }
}
