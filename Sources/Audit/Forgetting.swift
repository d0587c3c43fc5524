// Forgetting: takes a person's names out of the record and keeps the rows.
//
// Their rows get a person, a client and a credential without a name, and their leaves lose the
// salts, without which the digests tell nothing about anybody. A part of the rows and the note that
// counts them are one transaction. Rows can't be updated, so each is deleted and inserted anew.

import Foundation
import GRDB

extension Steward {
  /// Forgets an identity; returns how many rows lost its names. Refused while it has rows in a
  /// collection that is held.
  public func forget(identity: String) throws -> Int {
    var total = 0
    var nameless: Int64?
    while true {
      let (rows, person) = try queue.write { db in
        try forgetSome(of: identity, as: nameless, db)
      }
      nameless = person
      total += rows
      if rows == 0 {
        let unused = try queue.read(UnusedNames.init(surveying:))
        try queue.write(unused.delete)
        return total
      }
      usleep(Limits.pausePruneMicroseconds)
    }
  }

  private func forgetSome(
    of identity: String, as nameless: Int64?, _ db: Database
  ) throws -> (rows: Int, person: Int64?) {
    let persons = try Int64.fetchAll(
      db, sql: "SELECT principal_pk FROM principal WHERE identity_id = ?", arguments: [identity])
    guard !persons.isEmpty else { return (0, nameless) }
    let list = persons.map { "\($0)" }.joined(separator: ", ")
    try refuseIfHeld(list, db)
    let person = try nameless ?? makeNameless(db)
    let rows = try Row.fetchAll(
      db, sql: "SELECT id, seq FROM request WHERE principal_pk IN (\(list)) LIMIT ?",
      arguments: [Limits.rowsPerForgetting])
    guard !rows.isEmpty else {
      try deleteNames(list, person, db)
      return (0, person)
    }
    let client = try namelessClient(db)
    for row in rows { try rewrite(row["id"], seq: row["seq"], person, client, db) }
    _ = try note(
      "forget", ["principals": .integers([person]), "rows": .integer(Int64(rows.count))], db)
    return (rows.count, person)
  }

  private func refuseIfHeld(_ persons: String, _ db: Database) throws {
    let held = try String.fetchAll(
      db,
      sql: """
        SELECT collection_id FROM hold JOIN collection USING(collection_pk)
        WHERE EXISTS (SELECT 1 FROM request WHERE request.collection_pk = hold.collection_pk
          AND principal_pk IN (\(persons)))
        """)
    guard held.isEmpty else {
      throw QueryError(
        "this person has rows in collections that are held: \(held.joined(separator: ", ")); "
          + "release these first")
    }
  }

  private func makeNameless(_ db: Database) throws -> Int64 {
    try db.execute(
      sql: "INSERT INTO principal(first_seen_us) VALUES (?)",
      arguments: [AuditLog.wallMicroseconds()])
    return db.lastInsertedRowID
  }

  private func namelessClient(_ db: Database) throws -> Int64 {
    try db.execute(
      sql: """
        INSERT OR IGNORE INTO client(remote_ip, peer_ip, user_agent, first_seen_us)
        VALUES ('', '', '', ?)
        """, arguments: [AuditLog.wallMicroseconds()])
    return try Int64.fetchOne(
      db,
      sql: """
        SELECT client_pk FROM client WHERE remote_ip = '' AND peer_ip = '' AND user_agent = ''
        """) ?? 0
  }

  private func rewrite(
    _ id: Int64, seq: Int64?, _ person: Int64, _ client: Int64, _ db: Database
  ) throws {
    let columns = (Leaf.requestColumns + ["collection_pk", "seq"]).joined(separator: ", ")
    let row = try Row.fetchOne(
      db.cachedStatement(sql: "SELECT \(columns) FROM request WHERE id = ?"), arguments: [id])
    guard let row else { return }
    try db.cachedStatement(sql: "DELETE FROM request WHERE id = ?").execute(arguments: [id])
    let places = Array(repeating: "?", count: row.count + 2).joined(separator: ", ")
    try db.cachedStatement(
      sql: "INSERT INTO request(\(columns), principal_pk, client_pk) VALUES (\(places))"
    ).execute(arguments: StatementArguments(Array(row.databaseValues)) + [person, client])
    try db.cachedStatement(sql: "UPDATE leaf SET salt = NULL WHERE seq = ?")
      .execute(arguments: [seq])
  }

  /// The last part: nothing refers to the names any more.
  private func deleteNames(_ persons: String, _ nameless: Int64, _ db: Database) throws {
    try db.execute(
      sql: """
        INSERT INTO rollup_hour
          SELECT hour, collection_pk, \(nameless), operation, sum(requests), sum(errors),
            sum(bytes_in), sum(bytes_out), sum(duration_us)
          FROM rollup_hour WHERE principal_pk IN (\(persons)) GROUP BY 1, 2, 4;
        DELETE FROM rollup_hour WHERE principal_pk IN (\(persons));
        DELETE FROM credential_collection WHERE credential_pk IN (
          SELECT credential_pk FROM credential WHERE principal_pk IN (\(persons)));
        DELETE FROM credential WHERE principal_pk IN (\(persons));
        DELETE FROM principal WHERE principal_pk IN (\(persons));
        """)
  }
}
