// Schema: the tables and the view of the record, as migrations.
//
// A migration that has been released never changes; the next one adds. Each runs in one
// transaction, so a killed migration leaves the old schema. Times: microseconds since 1970, UTC;
// durations: microseconds; sizes: bytes. Strings that repeat stand in tables of their own.

import GRDB

enum Schema {
  /// "GS3A": marks the file as this program's record.
  static let applicationID: Int32 = 0x4753_3341
  static let version: Int32 = 2

  /// The columns of the view `requests`, part of the contract.
  static let viewColumns = [
    "request_id", "time", "operation", "status", "error_code", "outcome", "username",
    "identity_id", "credential", "collection_id", "object_key", "range", "bytes_in", "bytes_out",
    "duration_ms", "remote_ip", "peer_ip", "user_agent", "auth", "auth_result", "upstream_host",
    "upstream_status", "upstream_calls", "start_us", "id",
  ]

  /// What several databases answer together.
  static let sharedViews = [
    "requests", "reads", "rollups", "notes", "gaps", "ocsf", "gcs_operation",
  ]

  /// Refuses a database that only another version of this program can read.
  static func requireCurrent(_ db: Database, _ path: String) throws {
    let found = try Int32.fetchOne(db, sql: "PRAGMA user_version") ?? 0
    if found > version {
      throw AuditError(
        .newer, "the audit database \(path) is of a newer version of this program; update it")
    }
    if found < version {
      throw AuditError(
        .unusable,
        "the audit database \(path) is of an older version; start the server once to update it")
    }
  }

  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1 requests") { db in
      try db.execute(sql: dimensions)
      try db.execute(sql: requests)
      try db.execute(sql: view)
      try db.execute(sql: "PRAGMA application_id = \(applicationID)")
      try db.execute(sql: "PRAGMA user_version = 1")
    }
    migrator.registerMigration("2 stewardship") { db in
      try db.execute(sql: "DROP VIEW requests")
      try db.execute(sql: stewardship)
      try db.execute(sql: view)
      try db.execute(sql: viewsForOthers)
      try document(db)
      try noteUncovered(db)
      try db.execute(sql: "PRAGMA user_version = 2")
    }
    return migrator
  }

  /// Rows of the first version have no leaves: a note in the chain says which these are. They
  /// have no sums either, until here.
  private static func noteUncovered(_ db: Database) throws {
    let rows = try Int64.fetchOne(db, sql: "SELECT count(*) FROM request") ?? 0
    guard rows > 0 else { return }
    let last = try Int64.fetchOne(db, sql: "SELECT max(id) FROM request") ?? 0
    try db.execute(
      sql: """
        INSERT INTO rollup_hour SELECT start_us / \(Rollup.hourMicroseconds),
          ifnull(collection_pk, 0), ifnull(principal_pk, 0), operation, count(*),
          sum(outcome <> 'ok'), sum(bytes_in), sum(bytes_out), sum(ifnull(duration_us, 0))
        FROM request GROUP BY 1, 2, 3, 4
        """)
    _ = try Steward.note(
      "migrate", ["rows": .integer(rows), "last_id": .integer(last)], by: "globus-s3-frontend", db)
  }

  private static let dimensions = """
    CREATE TABLE server_run(
      run_id INTEGER PRIMARY KEY, started_us INTEGER NOT NULL, stopped_us INTEGER,
      clean INTEGER NOT NULL DEFAULT 0 CHECK(clean IN (0, 1)),
      host TEXT NOT NULL, pid INTEGER NOT NULL, version TEXT NOT NULL) STRICT;
    CREATE TABLE collection(
      collection_pk INTEGER PRIMARY KEY, collection_id TEXT NOT NULL UNIQUE,
      first_seen_us INTEGER NOT NULL) STRICT;
    CREATE TABLE principal(
      principal_pk INTEGER PRIMARY KEY, identity_id TEXT NOT NULL UNIQUE, username TEXT,
      first_seen_us INTEGER NOT NULL) STRICT;
    CREATE TABLE credential(
      credential_pk INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE,
      principal_pk INTEGER REFERENCES principal, first_seen_us INTEGER NOT NULL) STRICT;
    CREATE TABLE credential_collection(
      credential_pk INTEGER NOT NULL REFERENCES credential,
      collection_pk INTEGER NOT NULL REFERENCES collection,
      PRIMARY KEY(credential_pk, collection_pk)) STRICT, WITHOUT ROWID;
    CREATE TABLE client(
      client_pk INTEGER PRIMARY KEY, remote_ip TEXT NOT NULL, peer_ip TEXT NOT NULL,
      user_agent TEXT NOT NULL, first_seen_us INTEGER NOT NULL,
      UNIQUE(remote_ip, peer_ip, user_agent)) STRICT;
    CREATE TABLE gap(
      gap_id INTEGER PRIMARY KEY, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL,
      records INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;
    """

  private static let requests = """
    CREATE TABLE request(
      id INTEGER PRIMARY KEY,
      run_id INTEGER NOT NULL REFERENCES server_run,
      start_us INTEGER NOT NULL, duration_us INTEGER, ttfb_us INTEGER,
      client_pk INTEGER NOT NULL REFERENCES client,
      host TEXT, method TEXT NOT NULL, operation TEXT NOT NULL,
      auth TEXT NOT NULL, auth_result TEXT NOT NULL,
      principal_pk INTEGER REFERENCES principal,
      credential_pk INTEGER REFERENCES credential,
      collection_pk INTEGER REFERENCES collection,
      object_key TEXT, range TEXT,
      status INTEGER, error_code TEXT, error_detail TEXT,
      outcome TEXT NOT NULL CHECK(outcome IN (
        'ok', 'client_error', 'server_error', 'client_abort', 'upstream_abort', 'timeout',
        'lost')),
      bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, object_size INTEGER,
      upstream_host TEXT, upstream_status INTEGER, upstream_calls INTEGER NOT NULL,
      truncated INTEGER NOT NULL CHECK(truncated IN (0, 1))) STRICT;
    CREATE INDEX request_time ON request(start_us);
    CREATE INDEX request_principal ON request(principal_pk, start_us);
    CREATE INDEX request_object ON request(collection_pk, object_key);
    CREATE INDEX request_failed ON request(principal_pk, start_us) WHERE outcome <> 'ok';
    CREATE INDEX request_deleted ON request(collection_pk, object_key, start_us)
      WHERE operation IN ('DeleteObject', 'DeleteObjects');
    CREATE TRIGGER request_immutable BEFORE UPDATE ON request
      BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;
    """

  private static let view = """
    CREATE VIEW requests AS SELECT
      printf('%016X', r.id) AS request_id,
      strftime('%Y-%m-%dT%H:%M:%S', r.start_us / 1000000, 'unixepoch')
        || printf('.%06dZ', r.start_us % 1000000) AS time,
      r.operation, r.status, r.error_code, r.outcome,
      p.username, p.identity_id, c.fingerprint AS credential, k.collection_id,
      r.object_key, r.range, r.bytes_in, r.bytes_out, r.duration_us / 1000.0 AS duration_ms,
      l.remote_ip, l.peer_ip, l.user_agent, r.auth, r.auth_result,
      r.upstream_host, r.upstream_status, r.upstream_calls, r.start_us, r.id
    FROM request r
      LEFT JOIN client l ON l.client_pk = r.client_pk
      LEFT JOIN principal p ON p.principal_pk = r.principal_pk
      LEFT JOIN credential c ON c.credential_pk = r.credential_pk
      LEFT JOIN collection k ON k.collection_pk = r.collection_pk;
    """
}
