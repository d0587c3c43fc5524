// Snapshot: a copy of the record in one file, whole, or of one collection for the steward who may
// see only that. The copy is private (0600), is no WAL database, and never replaces a file.
//
// A whole copy verifies as the record does. One of a collection has no chain: the leaves of others
// would be missing.

import Foundation
import GRDB

extension Steward {
  /// Copies the record, or one collection's rows, to a file that must not be there yet.
  public func snapshot(to path: String, collectionID: String?) throws {
    let path = absolutePath(path)
    let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw AuditError(.unusable, "cannot create \(path): \(reason(errno)); choose another file")
    }
    close(descriptor)
    do {
      try note(
        "snapshot",
        ["file": .text(path)].merging(collectionID.map { ["collection": .text($0)] } ?? [:]) { $1 })
      // SQLite accepts a file of no bytes.
      try queue.writeWithoutTransaction { db in
        try db.execute(sql: "VACUUM INTO ?", arguments: [path])
      }
      if let collectionID { try Self.reduce(path, to: collectionID) }
    } catch {
      unlink(path)
      throw error
    }
  }

  private static func reduce(_ path: String, to collectionID: String) throws {
    var configuration = Configuration()
    configuration.foreignKeysEnabled = false
    let copy = try DatabaseQueue(path: path, configuration: configuration)
    try copy.write { db in
      let number = try Int64.fetchOne(
        db, sql: "SELECT collection_pk FROM collection WHERE collection_id = ?",
        arguments: [collectionID])
      guard let number else {
        throw QueryError("the record has no collection \(collectionID)")
      }
      try db.execute(
        sql: """
          DELETE FROM request WHERE collection_pk IS NOT \(number);
          DELETE FROM collection WHERE collection_pk <> \(number);
          DELETE FROM rollup_hour WHERE collection_pk <> \(number);
          DELETE FROM hold WHERE collection_pk <> \(number);
          DELETE FROM principal WHERE principal_pk NOT IN (
            SELECT principal_pk FROM request WHERE principal_pk IS NOT NULL);
          DELETE FROM credential WHERE credential_pk NOT IN (
            SELECT credential_pk FROM request WHERE credential_pk IS NOT NULL);
          DELETE FROM credential_collection WHERE collection_pk <> \(number)
            OR credential_pk NOT IN (SELECT credential_pk FROM credential);
          DELETE FROM client WHERE client_pk NOT IN (SELECT client_pk FROM request);
          INSERT INTO gap(from_us, to_us, records, reason)
            SELECT from_us, to_us, records, reason FROM gap WHERE remote_ip IS NOT NULL;
          DELETE FROM gap WHERE remote_ip IS NOT NULL;
          DELETE FROM leaf; DELETE FROM checkpoint; DELETE FROM signer; DELETE FROM note;
          DELETE FROM sqlite_sequence;
          """)
    }
    // What was deleted must not be in the file's free pages.
    try copy.writeWithoutTransaction { db in try db.execute(sql: "VACUUM") }
    try copy.close()
  }
}
