// Pruner: lets old rows go, a few at a time, so that the write lock is held for milliseconds.
//
// A note comes first: from which time on rows go, and which collections are held. Rows of a held
// collection stay. A leaf stays without its salt, until every row of its checkpoint is gone; then
// the leaves go too, and a note names the checkpoint. Killed anywhere, it leaves a record that
// verifies, and the next pruning goes on.

import Foundation
import GRDB

final class Pruner {
  /// Rows deleted so far.
  private(set) var rows = 0

  private let before: Int64
  private let held: Set<Int64>
  private let actor: String
  private let now: () -> Double
  private var last = (start: Int64.min, id: Int64.min)
  private var chunk = Limits.firstPruneChunk
  private var checkpoint: Int64 = 0
  private var phase = Phase.rows

  private enum Phase {
    case rows, floods, checkpoints, survey
    case names(UnusedNames)
    case space, done
  }

  /// Begins a pruning of what began before `microseconds`, with its note.
  init(
    before microseconds: Int64, by actor: String, _ db: Database,
    now: @escaping () -> Double = AuditLog.monotonicSeconds
  ) throws {
    before = microseconds
    self.actor = actor
    self.now = now
    held = Set(try Int64.fetchAll(db, sql: "SELECT collection_pk FROM hold"))
    _ = try Steward.note(
      "prune",
      ["before_us": .integer(microseconds), "held": .integers(held.sorted())], by: actor, db)
  }

  /// How many rows would go.
  static func count(before: Int64, _ db: Database) throws -> Int {
    try Int.fetchOne(
      db,
      sql: """
        SELECT count(*) FROM request WHERE start_us < ?
          AND ifnull(collection_pk NOT IN (SELECT collection_pk FROM hold), 1)
        """, arguments: [before]) ?? 0
  }

  /// Does a part of the work, each in a transaction of its own; false: nothing was left to do.
  func advance(_ queue: DatabaseQueue) throws -> Bool {
    switch phase {
    case .survey:
      phase = .names(try queue.read(UnusedNames.init(surveying:)))
    case .names(let names):
      try queue.write(names.delete)
      phase = .space
    case .done:
      return false
    case .rows:
      var began = 0.0
      let isMore = try queue.write { db in
        began = now()
        return try deleteRows(db)
      }
      adapt(now() - began)  // with the commit: until it is on the disk the lock is held
      if !isMore { phase = .floods }
    default:
      try queue.write(step)
    }
    return true
  }

  private func step(_ db: Database) throws {
    switch phase {
    case .floods:
      if try !deleteFloods(db) { phase = .checkpoints }
    case .checkpoints:
      if try !deleteLeaves(db) { phase = rows > 0 ? .survey : .done }
    default:
      if try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0 == 0 { phase = .done }
      _ = try Row.fetchAll(db, sql: "PRAGMA incremental_vacuum(\(Limits.pagesPerVacuum))")
    }
  }

  /// Aims at a transaction of half the time for which the lock may be held.
  private func adapt(_ seconds: Double) {
    let aim = Limits.pruneLockSeconds / 2
    let wanted = Double(chunk) * aim / max(seconds, aim / 4)
    chunk = min(max(Int(wanted), Limits.smallestPruneChunk), Limits.largestPruneChunk)
  }

  private func deleteRows(_ db: Database) throws -> Bool {
    let found = try Row.fetchAll(
      db,
      sql: """
        SELECT id, start_us, seq, collection_pk FROM request
        WHERE start_us < ?1 AND start_us >= ?2 AND (start_us, id) > (?2, ?3)
        ORDER BY start_us, id LIMIT ?4
        """, arguments: [before, last.start, last.id, chunk])
    let end = RequestIDGenerator.first(atMicroseconds: before)
    guard let newest = found.last else { return false }
    last = (newest["start_us"], newest["id"])
    let nowHeld = Set(try Int64.fetchAll(db, sql: "SELECT collection_pk FROM hold"))
    let unsalt = try db.cachedStatement(sql: "UPDATE leaf SET salt = NULL WHERE seq = ?")
    let delete = try db.cachedStatement(sql: "DELETE FROM request WHERE id = ?")
    var ahead: [Int64] = []
    for row in found {
      let collection: Int64? = row["collection_pk"]
      if let collection, held.contains(collection) || nowHeld.contains(collection) { continue }
      let id: Int64 = row["id"]
      if id >= end { ahead.append(id) }
      try unsalt.execute(arguments: [row["seq"] as Int64?])
      try delete.execute(arguments: [id])
      rows += 1
    }
    // After the clock was set back an id is ahead of its time: the first note doesn't cover it.
    if !ahead.isEmpty { try notePruned(["ids": .integers(ahead)], db) }
    return true
  }

  /// Takes the counts of floods, which hold addresses.
  private func deleteFloods(_ db: Database) throws -> Bool {
    let gaps = try Int64.fetchAll(
      db,
      sql: """
        SELECT gap_id FROM gap WHERE remote_ip IS NOT NULL AND to_us < ?
        ORDER BY gap_id LIMIT \(Limits.largestPruneChunk)
        """, arguments: [before])
    guard !gaps.isEmpty else { return false }
    for gap in gaps {
      try db.cachedStatement(sql: "DELETE FROM gap WHERE gap_id = ?").execute(arguments: [gap])
    }
    try notePruned(["gaps": .integers(gaps)], db)
    return true
  }

  @discardableResult
  private func notePruned(_ detail: [String: NoteValue], _ db: Database) throws -> Int64 {
    try Steward.note("pruned", detail, by: actor, db)
  }

  /// Takes the leaves of a checkpoint none of whose rows is left.
  private func deleteLeaves(_ db: Database) throws -> Bool {
    let next = try Row.fetchOne(
      db,
      sql: """
        SELECT checkpoint_id, first_seq, last_seq FROM checkpoint
        WHERE checkpoint_id > ? AND pruned_by IS NULL ORDER BY checkpoint_id LIMIT 1
        """, arguments: [checkpoint])
    guard let next else { return false }
    checkpoint = next["checkpoint_id"]
    let range: StatementArguments = [next["first_seq"] as Int64, next["last_seq"] as Int64]
    // Leaves of notes and gaps stay, because these do; so do their neighbours' leaves.
    let remains = try Bool.fetchOne(
      db,
      sql: """
        SELECT EXISTS (
          SELECT 1 FROM leaf LEFT JOIN request ON request.id = leaf.row_id
          WHERE leaf.seq BETWEEN ? AND ? AND (leaf.kind <> 0 OR request.id IS NOT NULL))
        """, arguments: range)
    guard remains == false else { return true }
    try db.execute(sql: "DELETE FROM leaf WHERE seq BETWEEN ? AND ?", arguments: range)
    let note = try Steward.note(
      "pruned", ["rows": .integer(Int64(db.changesCount)), "checkpoints": .integers([checkpoint])],
      by: actor, db)
    try db.execute(
      sql: "UPDATE checkpoint SET pruned_by = ? WHERE checkpoint_id = ?",
      arguments: [note, checkpoint])
    return true
  }
}

extension Steward {
  /// Lets go of what began before `microseconds`; returns how many rows went. Waits between two
  /// parts, so that a server can write.
  public func prune(before microseconds: Int64) throws -> Int {
    let pruner = try queue.write { db in
      try Pruner(before: microseconds, by: actor, db)
    }
    while try pruner.advance(queue) { usleep(Limits.pausePruneMicroseconds) }
    return pruner.rows
  }

  /// How many rows `prune` would let go now.
  public func countPrunable(before microseconds: Int64) throws -> Int {
    try queue.read { db in try Pruner.count(before: microseconds, db) }
  }
}
