-- An audit database as the first version of the schema left it, with rows.
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE grdb_migrations(identifier TEXT NOT NULL PRIMARY KEY);
INSERT INTO grdb_migrations VALUES ('1 requests');
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
  JOIN client l USING(client_pk)
  LEFT JOIN principal p ON p.principal_pk = r.principal_pk
  LEFT JOIN credential c ON c.credential_pk = r.credential_pk
  LEFT JOIN collection k ON k.collection_pk = r.collection_pk;
PRAGMA application_id = 1196634945;
PRAGMA user_version = 1;
INSERT INTO server_run VALUES (1, 1795341600000000, 1795341700000000, 1, 'host', 1, '0.1.0');
INSERT INTO collection VALUES (1, '6c54cade-bde5-45c1-bdea-f4bd71dba2cc', 1795341600000000);
INSERT INTO principal VALUES
  (1, 'ae341a98-d274-11e5-b888-dbae3a8ba545', 'someone@example.org', 1795341600000000);
INSERT INTO credential VALUES (1, 'abcdefghijklmnopqrstuvwxyz', 1, 1795341600000000);
INSERT INTO credential_collection VALUES (1, 1);
INSERT INTO client VALUES (1, '192.0.2.7', '127.0.0.1', 'aws-cli/2.15', 1795341600000000);
INSERT INTO request
  WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 500)
  SELECT 222669569000000000 + i, 1, 1795341600000000 + i, 1000, 500, 1, 'localhost', 'GET',
    'GetObject', 'header', 'verified', 1, 1, 1, 'data/' || i, NULL, 200, NULL, NULL, 'ok', 0, i, i,
    'host', 200, 2, 0 FROM n;
