// Hold: a collection whose rows may be neither pruned nor made nameless, until it is released.

import GRDB

extension Steward {
  /// Holds a collection, known to the record or not yet.
  public func hold(_ collectionID: String, reason: String) throws {
    try queue.write { db in
      let collection = try number(of: collectionID, db)
      guard try !isHeld(collection, db) else { return }
      let note = try note(
        "hold", ["collection": .text(collectionID), "reason": .text(reason)], db)
      try db.execute(sql: "INSERT INTO hold VALUES (?, ?)", arguments: [collection, note])
    }
  }

  /// Ends a hold; false: there was none.
  public func release(_ collectionID: String, reason: String) throws -> Bool {
    try queue.write { db in
      let collection = try number(of: collectionID, db)
      guard try isHeld(collection, db) else { return false }
      _ = try note("release", ["collection": .text(collectionID), "reason": .text(reason)], db)
      try db.execute(sql: "DELETE FROM hold WHERE collection_pk = ?", arguments: [collection])
      return true
    }
  }

  private func isHeld(_ collection: Int64, _ db: Database) throws -> Bool {
    try Bool.fetchOne(
      db, sql: "SELECT EXISTS (SELECT 1 FROM hold WHERE collection_pk = ?)",
      arguments: [collection]) ?? false
  }

  private func number(of collectionID: String, _ db: Database) throws -> Int64 {
    try db.execute(
      sql: "INSERT OR IGNORE INTO collection(collection_id, first_seen_us) VALUES (?, ?)",
      arguments: [collectionID, AuditLog.wallMicroseconds()])
    return try Int64.fetchOne(
      db, sql: "SELECT collection_pk FROM collection WHERE collection_id = ?",
      arguments: [collectionID]) ?? 0
  }
}
