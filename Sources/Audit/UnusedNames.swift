// UnusedNames: clients and credentials that no row mentions any more, found without holding the
// write lock: a survey of all rows, then, with the lock, only of the rows that came since.
//
// Foreign keys are off in the connections that delete: without an index on these columns SQLite
// would read every row again for each name that goes.

import GRDB

struct UnusedNames {
  private let clients: Set<Int64>
  private let credentials: Set<Int64>
  private let lastSeq: Int64

  /// Reads every row.
  init(surveying db: Database) throws {
    lastSeq = try Leaf.next(db) - 1
    clients = try Int64.fetchSet(
      db, sql: "SELECT client_pk FROM client EXCEPT SELECT client_pk FROM request")
    credentials = try Int64.fetchSet(
      db, sql: "SELECT credential_pk FROM credential EXCEPT SELECT credential_pk FROM request")
  }

  func delete(_ db: Database) throws {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT client_pk, credential_pk FROM leaf JOIN request ON request.id = leaf.row_id
        WHERE leaf.seq > ? AND leaf.kind = 0
        """, arguments: [lastSeq])
    let usedClients = Set(rows.compactMap { $0["client_pk"] as Int64? })
    let usedCredentials = Set(rows.compactMap { $0["credential_pk"] as Int64? })
    for client in clients.subtracting(usedClients) {
      try db.cachedStatement(sql: "DELETE FROM client WHERE client_pk = ?")
        .execute(arguments: [client])
    }
    for credential in credentials.subtracting(usedCredentials) {
      for table in ["credential_collection", "credential"] {
        try db.cachedStatement(sql: "DELETE FROM \(table) WHERE credential_pk = ?")
          .execute(arguments: [credential])
      }
    }
  }
}
