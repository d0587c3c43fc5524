"""The audit as a steward uses it, and its promise under kill -9."""

import csv
import io
import re
import sqlite3

import pytest

from frontend import audit, audit_row, run
from kill_rounds import Rounds

COLUMNS = (
    "request_id time operation status error_code outcome username identity_id credential "
    "collection_id object_key range bytes_in bytes_out duration_ms remote_ip peer_ip user_agent "
    "auth auth_result upstream_host upstream_status upstream_calls start_us id"
).split()


def test_the_view_has_the_columns_of_the_contract(local, credential):
    answer = run("audit", "sql", "--audit-db", local.audit_db, "--format", "csv",
                 "SELECT * FROM requests LIMIT 1")
    assert next(csv.reader(io.StringIO(answer.stdout))) == COLUMNS


def test_query_filters_and_formats(local, credential, s3):
    answer = s3.head_object(Bucket=local.collection, Key="example.txt")
    audit_row(local.audit_db, answer["ResponseMetadata"]["RequestId"])
    rows = audit(local.audit_db, "--since", "1h", "--operation", "HeadObject")
    assert rows and {row["operation"] for row in rows} == {"HeadObject"}
    assert audit(local.audit_db, "--since", "2999-01-01") == []
    table = run("audit", "query", "--audit-db", local.audit_db, "--operation", "HeadObject")
    assert "HeadObject" in table.stdout and "example.txt" in table.stdout
    lines = run("audit", "query", "--audit-db", local.audit_db, "--format", "csv").stdout
    assert len(next(csv.reader(io.StringIO(lines)))) > 10


@pytest.mark.parametrize("statement", ["DELETE FROM request", "DROP VIEW requests",
                                       "ATTACH 'x.db' AS x", "UPDATE request SET status = 1"])
def test_sql_only_reads(local, credential, statement):
    before = len(audit(local.audit_db))
    answer = run("audit", "sql", "--audit-db", local.audit_db, statement)
    assert answer.returncode != 0 and len(answer.stderr.strip().splitlines()) == 1
    assert len(audit(local.audit_db)) >= before


def test_sql_runs_one_statement(local):
    answer = run("audit", "sql", "--audit-db", local.audit_db, "SELECT 1; SELECT 2")
    assert answer.returncode == 64 and "one statement" in answer.stderr


def test_rows_cannot_be_changed_even_by_a_writer(local, credential):
    with sqlite3.connect(local.audit_db) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute("UPDATE request SET status = 200")
    connection.close()


def test_malformed_requests_have_rows(local):
    import socket
    port = int(local.base_url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n")
        answer = connection.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 400 ")
    request_id = re.search(r"x-amz-request-id: (\w+)", answer, re.I).group(1)
    assert audit_row(local.audit_db, request_id)["operation"] == "Malformed"


def test_no_secret_is_stored(local, credential, s3):
    answer = s3.get_object(Bucket=local.collection, Key="example.txt")
    answer["Body"].read()
    audit_row(local.audit_db, answer["ResponseMetadata"]["RequestId"])
    stored = b""
    for suffix in ("", "-wal", ".spool"):
        with open(local.audit_db + suffix, "rb") as file:
            stored += file.read()
    for secret in (credential["access_key_id"], credential["secret_access_key"]):
        assert secret.encode() not in stored
    assert b"Signature=" not in stored


def test_kill_9_loses_no_request_that_was_answered(local, tmp_path):
    rounds = Rounds(local.folder, tmp_path / "audit.db", threads=8)
    for _ in range(3):
        rounds.one(longest=0.5)
    rounds.finish()
