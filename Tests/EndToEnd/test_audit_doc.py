"""docs/audit.md: its list of columns is the record's, its queries and commands do what it says."""

import os
import pathlib
import shlex
import sqlite3
import subprocess

import pytest

import audit_doc
from audit_record import is_scan
from frontend import PROGRAM, run

QUERIES = audit_doc.queries()


def test_the_columns_are_those_of_the_record(record):
    advice = "run scripts/audit-doc"
    assert audit_doc.FILE.read_text() == audit_doc.document(record.database), advice
    assert audit_doc.METADATA.read_text() == audit_doc.metadata(record.database), advice


def read(record, statement):
    """With SQLite alone, beside the running server."""
    connection = sqlite3.connect(f"file:{record.database}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute(statement)]
    connection.close()
    return rows


# What the answer must have, by the query's number: (column, value) of some row.
EXPECTED = [
    {"object_key": "results/small.txt", "requests": 3, "bytes": 18},
    {"operation": "HeadObject", "status": 200, "object_key": "results/small.txt", "bytes_out": 0},
    {"operation": "GetObject", "status": 404, "error_code": "NoSuchKey", "persons": 1},
    {"object_key": "results/large.bin", "outcome": "client_abort", "object_size": 20_000_000},
    {"username": "researcher@example.org", "auth": "header", "remote_ip": "127.0.0.1"},
    {"remote_ip": "127.0.0.1"},
    {"persons": 1},
    {"operation": "HeadObject", "requests": 1},
    {"username": "researcher@example.org", "remote_ip": "127.0.0.1"},
    {"what": "no server ran"},
]


@pytest.mark.parametrize("number", range(10))
def test_a_query_answers(record, number):
    assert len(QUERIES) == 10
    statement = record.fill_in(list(QUERIES.values())[number])
    rows = record.sql(statement)
    assert rows == read(record, statement)
    assert any(EXPECTED[number].items() <= row.items() for row in rows), rows


@pytest.mark.parametrize("title", QUERIES)
def test_a_query_reads_an_index(record, title):
    plan = [row["detail"] for row in record.sql("EXPLAIN QUERY PLAN " + QUERIES[title])]
    assert not any(map(is_scan, plan)), plan
    if " requests" in QUERIES[title] and "rollups" not in QUERIES[title]:
        assert any("USING INDEX request_" in line for line in plan), plan


def test_a_download_that_was_cut_has_its_share(record):
    row, = record.sql(QUERIES["Downloads that ended too early"])
    assert 0 < row["percent"] < 100


def test_a_sign_in_opens_its_collection(record):
    rows = record.sql(QUERIES["Sign-ins, and the collections that their credentials open"])
    assert [row["opens"] for row in rows] == [record.collection] * 2


def test_the_commands_run(record, tmp_path):
    copy = tmp_path / "audit.db"
    with sqlite3.connect(record.database) as live, sqlite3.connect(copy) as other:
        live.backup(other)
    live.close()
    other.close()
    environment = {**os.environ, "GLOBUS_S3_AUDIT_DB": str(copy)}
    commands = [record.fill_in(line) for line in audit_doc.commands()]
    assert len(commands) > 20
    for command in commands:
        line = command.replace("globus-s3-frontend", shlex.quote(PROGRAM), 1)
        answer = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=environment,
                                capture_output=True, text=True, timeout=60)
        assert answer.returncode == 0, (command, answer.stderr)
    assert {"copy.db", "steward.db"} <= {path.name for path in tmp_path.iterdir()}

    said = run("audit", "verify", "--audit-db", copy)
    assert said.returncode == 0, said.stdout
    with sqlite3.connect(copy) as connection:
        commands = [name for name, in connection.execute("SELECT command FROM note")]
        names = connection.execute("SELECT count(username), count(identity_id) FROM requests "
                                   "WHERE object_key = 'results/small.txt'").fetchone()
    connection.close()
    assert names == (0, 0), "the person was forgotten"
    table = audit_doc.FILE.read_text().partition("| command | detail |")[2].partition("\n\n")[0]
    documented = {name.strip("` ") for line in table.splitlines()[2:]
                  for name in line.split("|")[1].split(",")}
    assert set(commands) <= documented, "notes that are not documented"


def test_debians_sqlite3_reads_it(record):
    line, = [line for block in audit_doc.blocks("shell") for line in block.splitlines()
             if line.startswith("sqlite3 ")]
    answer = subprocess.run(["bash", "-c", line], cwd=pathlib.Path(record.database).parent,
                            capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "researcher@example.org" in answer.stdout
