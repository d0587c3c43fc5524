// SchemaStewardship: the tables of the second migration: what makes the record last and be
// trusted. The chain (`leaf`, `checkpoint`, `signer`) is explained in Leaf.swift.
//
// A person who was renamed has a row of `principal` for each name, so that a request keeps the
// name that it was made under and the chain can vouch for it.

extension Schema {
  static let stewardship = """
    CREATE TABLE principal_2(
      principal_pk INTEGER PRIMARY KEY, identity_id TEXT, username TEXT,
      first_seen_us INTEGER NOT NULL, UNIQUE(identity_id, username)) STRICT;
    INSERT INTO principal_2 SELECT principal_pk, identity_id, username, first_seen_us
      FROM principal;
    DROP TABLE principal;
    ALTER TABLE principal_2 RENAME TO principal;
    CREATE INDEX principal_name ON principal(username);
    DROP INDEX request_failed;
    CREATE INDEX request_failed ON request(start_us) WHERE outcome <> 'ok';
    CREATE INDEX request_deleted_time ON request(start_us)
      WHERE operation IN ('DeleteObject', 'DeleteObjects');
    CREATE INDEX request_sign_in ON request(credential_pk) WHERE operation = 'AuthCallback';

    CREATE TABLE leaf(
      seq INTEGER PRIMARY KEY AUTOINCREMENT,
      kind INTEGER NOT NULL CHECK(kind IN (0, 1, 2)), row_id INTEGER NOT NULL,
      collection_pk INTEGER, salt BLOB, personal BLOB, content BLOB NOT NULL) STRICT;
    ALTER TABLE request ADD COLUMN seq INTEGER;
    ALTER TABLE gap ADD COLUMN remote_ip TEXT;
    CREATE TABLE signer(
      signer_pk INTEGER PRIMARY KEY, public_key BLOB NOT NULL UNIQUE,
      first_seen_us INTEGER NOT NULL) STRICT;
    CREATE TABLE checkpoint(
      checkpoint_id INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
      leaves INTEGER NOT NULL, leaves_sha256 BLOB NOT NULL, prev_sha256 BLOB NOT NULL,
      head_sha256 BLOB NOT NULL, at_us INTEGER NOT NULL,
      signer_pk INTEGER NOT NULL REFERENCES signer, signature BLOB NOT NULL,
      pruned_by INTEGER) STRICT;

    CREATE TABLE note(
      note_id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, command TEXT NOT NULL,
      actor TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
    CREATE TABLE hold(
      collection_pk INTEGER PRIMARY KEY REFERENCES collection, note_id INTEGER NOT NULL) STRICT;
    CREATE TABLE rollup_hour(
      hour INTEGER NOT NULL, collection_pk INTEGER NOT NULL, principal_pk INTEGER NOT NULL,
      operation TEXT NOT NULL, requests INTEGER NOT NULL, errors INTEGER NOT NULL,
      bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, duration_us INTEGER NOT NULL,
      PRIMARY KEY(hour, collection_pk, principal_pk, operation)) STRICT, WITHOUT ROWID;
    CREATE VIEW rollups AS SELECT
      strftime('%Y-%m-%dT%H:%M:%SZ', h.hour * 3600, 'unixepoch') AS hour,
      k.collection_id, p.identity_id, p.username, h.operation, h.requests, h.errors, h.bytes_in,
      h.bytes_out, h.duration_us, h.hour * 3600000000 AS hour_us, h.hour AS hour_number
    FROM rollup_hour h
      LEFT JOIN collection k ON k.collection_pk = h.collection_pk
      LEFT JOIN principal p ON p.principal_pk = h.principal_pk;
    CREATE VIEW reads AS SELECT
      strftime('%Y-%m-%dT%H:%M:%S', r.start_us / 1000000, 'unixepoch')
        || printf('.%06dZ', r.start_us % 1000000) AS time,
      r.operation, r.status, r.outcome, p.username, p.identity_id, k.collection_id, r.object_key,
      r.range, r.bytes_out, r.object_size, r.auth_result, r.start_us, r.id
    FROM request r
      LEFT JOIN principal p ON p.principal_pk = r.principal_pk
      LEFT JOIN collection k ON k.collection_pk = r.collection_pk
    WHERE r.operation IN ('GetObject', 'ListObjects', 'ListObjectsV2', 'ListObjectVersions')
      AND r.status BETWEEN 200 AND 299;
    CREATE VIEW notes AS SELECT
      strftime('%Y-%m-%dT%H:%M:%S', at_us / 1000000, 'unixepoch')
        || printf('.%06dZ', at_us % 1000000) AS time,
      command, actor, detail, at_us
    FROM note;
    CREATE VIEW gaps AS SELECT
      strftime('%Y-%m-%dT%H:%M:%S', from_us / 1000000, 'unixepoch')
        || printf('.%06dZ', from_us % 1000000) AS time,
      (to_us - from_us) / 1000000.0 AS seconds, records, reason, remote_ip, from_us
    FROM gap;
    CREATE TABLE documentation(
      name TEXT NOT NULL, column TEXT NOT NULL, unit TEXT NOT NULL, meaning TEXT NOT NULL,
      UNIQUE(name, column)) STRICT;
    CREATE TRIGGER note_immutable BEFORE UPDATE ON note
      BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;
    CREATE TRIGGER gap_immutable BEFORE UPDATE ON gap
      BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;
    """
}
