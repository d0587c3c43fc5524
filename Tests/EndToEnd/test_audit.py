"""The audit as a steward uses it, and its promise under kill -9."""

import csv
import io
import json
import re
import sqlite3
import threading
import time

import pytest
import requests

from frontend import Program, audit, audit_row, run, sign_in
from test_one_object import authorization

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


class Load(threading.Thread):
    """Gets objects until the server dies; remembers every answer of which it got bytes."""

    def __init__(self, program, credential, key):
        super().__init__(daemon=True)
        self.url = f"{program.base_url}/{program.collection}/{key}"
        self.headers = authorization(credential)
        self.answers = []

    def run(self):
        session = requests.Session()
        while True:
            try:
                with session.get(self.url, headers=self.headers, stream=True, timeout=10) as answer:
                    record = [answer.headers["x-amz-request-id"], answer.status_code, 0, False]
                    self.answers.append(record)
                    for chunk in answer.iter_content(65536):
                        record[2] += len(chunk)
                    record[3] = True
            except requests.RequestException:
                return


@pytest.mark.parametrize("round_number", range(3))
def test_kill_9_loses_no_request_that_was_answered(local, tmp_path, round_number):
    database = tmp_path / "audit.db"
    arguments = ("local", "--directory", local.folder, "--listen", "127.0.0.1:0",
                 "--audit-db", database)
    program = Program(*arguments).wait_ready()
    credential = sign_in(program.base_url, program.collection).json()
    threads = [Load(program, credential, key)
               for key in ("example.txt", "thousand.bin", "large.bin", "missing") for _ in range(2)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while sum(len(thread.answers) for thread in threads) < 100 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3 * round_number)
    program.kill()
    for thread in threads:
        thread.join()

    Program(*arguments).wait_ready().stop()  # replays the spool
    rows = {row["request_id"]: row for row in audit(database)}
    answers = [answer for thread in threads for answer in thread.answers]
    assert len(answers) > 20
    lost = [row for row in rows.values() if row["outcome"] == "lost"]
    assert len(lost) <= len(threads)
    for request_id, status, received, complete in answers:
        row = rows[request_id]
        if row["outcome"] == "lost":
            continue
        assert row["status"] == status
        if complete and status == 200:
            assert (row["outcome"], row["bytes_out"]) == ("ok", received)
    assert all(json.loads(json.dumps(row))["time"].endswith("Z") for row in rows.values())
