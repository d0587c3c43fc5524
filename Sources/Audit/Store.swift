// Store: the database, as the writer thread sees it: open, insert, run, close.
//
// WAL with synchronous=FULL: a committed row survives a power cut. A row is inserted once whatever
// happens: the same id again is ignored, so a spool can be replayed any number of times.

import Crypto
import Foundation
import GRDB

final class Store {
  /// The number of this server's run in the record; set by `beginRun`.
  private(set) var run: Int64 = 0
  /// When the first run of the record began; nil in a new one.
  let began: Int64?
  private let queue: DatabaseQueue
  private let inserter = Inserter()
  private let path: String
  private let identity: FileIdentity?

  /// Opens or creates the database and brings its schema up to date. Throws `AuditError` for what
  /// must not be touched, `DatabaseError` for what SQLite can't do.
  init(path: String) throws {
    self.path = path
    try Self.createFile(path)
    var configuration = Configuration()
    configuration.label = "audit"
    configuration.busyMode = .timeout(Limits.busySeconds)
    configuration.observesSuspensionNotifications = false
    // A row mentions only names that the transaction made, found, or remembers from a time since
    // which nobody else has written: `Inserter.beginBatch` sees to it.
    configuration.foreignKeysEnabled = false
    queue = try DatabaseQueue(path: path, configuration: configuration)
    do {
      try queue.writeWithoutTransaction { db in try Self.prepare(db, path) }
      try Schema.migrator.migrate(queue)
      began = try queue.read { db in
        try Int64.fetchOne(db, sql: "SELECT min(started_us) FROM server_run")
      }
    } catch {
      try? queue.close()
      throw error
    }
    identity = FileIdentity(path: path)
  }

  /// An empty file that only its owner can read: SQLite gives `-wal` and `-shm` the same mode.
  private static func createFile(_ path: String) throws(AuditError) {
    let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw AuditError(
        .unusable, "cannot open the audit database \(path): \(reason(errno)); check --audit-db")
    }
    Glibc.close(descriptor)
  }

  /// Refuses what isn't ours before anything is changed.
  private static func prepare(_ db: Database, _ path: String) throws {
    let application = try Int32.fetchOne(db, sql: "PRAGMA application_id")
    let version = try Int32.fetchOne(db, sql: "PRAGMA user_version") ?? 0
    if application == Schema.applicationID {
      if try version > Schema.version || Schema.migrator.hasBeenSuperseded(db) {
        throw AuditError(
          .newer, "the audit database \(path) is of a newer version of this program; update it")
      }
    } else {
      // The migrator's own table is made before the first migration: a killed start leaves it.
      let foreign = try Int.fetchOne(
        db, sql: "SELECT count(*) FROM sqlite_master WHERE tbl_name <> 'grdb_migrations'")
      guard application == 0, version == 0, foreign == 0 else {
        throw AuditError(
          .notOurs,
          "\(path) is a database, but not an audit database; choose another --audit-db")
      }
      try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
    }
    try db.execute(sql: "PRAGMA journal_mode = WAL")
    try db.execute(sql: "PRAGMA synchronous = FULL")
    // For a list, `outcome IN (…)`, SQLite 3.40 opens a temporary table at every INSERT. What this
    // connection writes comes from enums; other programs' writes are still checked.
    try db.execute(sql: "PRAGMA ignore_check_constraints = ON")
    try db.execute(sql: "PRAGMA journal_size_limit = \(Limits.walBytesKept)")
    try db.execute(sql: "PRAGMA wal_autocheckpoint = \(Limits.walPagesPerCheckpoint)")
    try db.execute(sql: "PRAGMA cache_size = -\(Limits.pageCacheKiB)")
  }

  /// The greatest id of the record, 0 if it is empty.
  func lastID() throws -> Int64 {
    try queue.read { db in try Int64.fetchOne(db, sql: "SELECT max(id) FROM request") } ?? 0
  }

  /// When the newest record began; nil in an empty record.
  func lastStart() throws -> Int64? {
    try queue.read { db in
      try Int64.fetchOne(db, sql: "SELECT start_us FROM request ORDER BY id DESC LIMIT 1")
    }
  }

  /// Whether the run before did not end, or ended with requests left in the spool.
  func lastRunWasCut() throws -> Bool {
    try queue.read { db in
      try Bool.fetchOne(db, sql: "SELECT clean = 0 FROM server_run ORDER BY run_id DESC LIMIT 1")
    } ?? false
  }

  /// Attributes what is inserted from here on to the run before this one.
  func resumeLastRun(atMicroseconds now: Int64, version: String) throws {
    let last = try queue.read { db in
      try Int64.fetchOne(db, sql: "SELECT max(run_id) FROM server_run")
    }
    if let last { run = last } else { try beginRun(atMicroseconds: now, version: version) }
  }

  /// Opens a run; one that never ended gets the time of its last record as its end.
  func beginRun(atMicroseconds now: Int64, version: String) throws {
    run = try queue.write { db in
      try db.execute(
        sql: """
          UPDATE server_run SET stopped_us = max(started_us, coalesce(
            (SELECT start_us FROM request ORDER BY id DESC LIMIT 1), started_us))
          WHERE stopped_us IS NULL
          """)
      try db.execute(
        sql: "INSERT INTO server_run(started_us, host, pid, version) VALUES (?, ?, ?, ?)",
        arguments: [now, Self.hostName, getpid(), version])
      return db.lastInsertedRowID
    }
  }

  /// The machine's own name, without asking the network.
  private static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Inserts records and a gap in one transaction.
  func insert(_ records: [Record], gap: Gap? = nil) throws {
    do {
      try queue.write { db in try insert(records, gap, db) }
    } catch {
      inserter.forget()  // what it remembers may have been rolled back
      throw error
    }
  }

  private func insert(_ records: [Record], _ gap: Gap?, _ db: Database) throws {
    try inserter.beginBatch(db)
    for record in records {
      if record.intent.operation == Intent.flood, let flood = Gap(record) {
        try inserter.writeLeaves(db)
        try insert(flood, db)
      } else {
        try inserter.insert(record, run: run, db)
      }
    }
    try inserter.endBatch(db)
    if let gap { try insert(gap, db) }
  }

  private func insert(_ gap: Gap, _ db: Database) throws {
    try db.execute(
      sql: "INSERT INTO gap(from_us, to_us, records, reason, remote_ip) VALUES (?, ?, ?, ?, ?)",
      arguments: [
        gap.fromMicroseconds, gap.toMicroseconds, gap.records, gap.reason, gap.remoteIP,
      ])
    try Leaf.append(.gap, row: db.lastInsertedRowID, of: "gap", db)
  }

  /// Whether a pruning would find anything.
  func hasRows(before microseconds: Int64) throws -> Bool {
    try queue.read { db in
      try Bool.fetchOne(
        db,
        sql: """
          SELECT EXISTS (SELECT 1 FROM request WHERE start_us < ?
            AND ifnull(collection_pk NOT IN (SELECT collection_pk FROM hold), 1))
          """, arguments: [microseconds])
    } ?? false
  }

  /// Begins to let go of what began before that time.
  func beginPruning(before microseconds: Int64) throws -> Pruner {
    try queue.write { db in
      try Pruner(before: microseconds, by: "retention", db)
    }
  }

  /// Goes on with a pruning; false: it is done.
  func advance(_ pruner: Pruner) throws -> Bool {
    defer { inserter.forget() }  // names may have gone, and by this connection: no version tells
    return try pruner.advance(queue)
  }

  /// Signs what was inserted since the last checkpoint; nil when nothing was.
  func checkpoint(
    signedWith key: Ed25519.PrivateKey, atMicroseconds now: Int64
  ) throws -> Checkpoint? {
    try queue.write { db in
      let checkpoint = try Checkpoint.next(db, publicKey: key.publicKey, atMicroseconds: now)
      try checkpoint?.insert(db, signedWith: key)
      return checkpoint
    }
  }

  /// Ends the run and gives the database back whole: no log file is left beside it.
  func close(atMicroseconds now: Int64, isClean: Bool) throws {
    try queue.write { db in
      try db.execute(
        sql: "UPDATE server_run SET stopped_us = ?, clean = ? WHERE run_id = ?",
        arguments: [now, isClean, run])
    }
    try queue.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
    try queue.close()
  }

  /// Closes a database that can't be used any more. Its files are then nobody's: SQLite would
  /// delete the log of whatever stands at the path by then.
  func abandon() {
    try? queue.close()
  }

  /// Gives the log's space back to the disk, as far as readers allow.
  func shrinkLog() {
    _ = try? queue.writeWithoutTransaction { db in try db.checkpoint(.truncate) }
  }

  /// Whether the file at the path is still the one that is open.
  var isInPlace: Bool {
    FileIdentity(path: path) == identity
  }
}
