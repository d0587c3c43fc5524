"""The record in the tools of others, as docs/audit.md shows them, while the server runs."""

import json
import os
import pathlib
import sqlite3
import subprocess
import time

import pytest
import requests

import audit_doc
from audit_record import is_scan
from frontend import ROOT, free_ports, run
from raw import Connection

AUDIT = pathlib.Path(os.environ.get("GLOBUS_S3_AUDIT_VENV", ROOT / ".venv-audit"))
SOAK = pathlib.Path(os.environ.get("GLOBUS_S3_SOAK_VENV", ROOT / ".venv-soak"))


def python(venv, folder, script):
    """The script's value of `answer`."""
    answer = subprocess.run(
        [venv / "bin" / "python", "-c", script + "\nimport json\nprint(json.dumps(answer))"],
        cwd=folder, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def datasette(record):
    """The command of the document, on a free port; returns a function that gets JSON."""
    line, = [line for block in audit_doc.blocks("shell") for line in block.splitlines()
             if line.startswith("datasette ")]
    arguments = [word.replace("docs/", f"{ROOT}/docs/") for word in line.split()[1:]]
    assert AUDIT.exists(), "scripts/test makes the environment of tools"
    port, = free_ports(1)
    process = subprocess.Popen(
        [AUDIT / "bin" / "python", "-m", "datasette", "serve", *arguments, "--port", str(port)],
        cwd=pathlib.Path(record.database).parent, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)

    def get(path, **query):
        answer = requests.get(f"http://127.0.0.1:{port}/{path}.json", params=query, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    for _ in range(400):
        try:
            get("-/versions")
            break
        except requests.ConnectionError:
            assert process.poll() is None, "datasette ended"
            time.sleep(0.05)
    yield get
    process.terminate()
    process.wait()


def test_datasette_shows_the_live_view(record, datasette):
    seen = {row["request_id"] for row in datasette("audit/requests", _shape="array", _size=1000)}
    assert record.request_id in seen
    connection = Connection(record.program.base_url, record.credential)
    new = connection.ask("HEAD", f"/{record.collection}/results/small.txt").request_id
    connection.close()
    for _ in range(100):
        rows = datasette("audit/requests", _shape="array", request_id=new)
        if rows:
            break
        time.sleep(0.05)
    assert [row["operation"] for row in rows] == ["HeadObject"], "not live"


def test_datasette_has_the_documentation(datasette):
    described = datasette("-/metadata")["databases"]["audit"]
    assert len(described["queries"]) == 10
    assert set(described["tables"]["requests"]["columns"]) == set(
        datasette("audit/requests", _shape="array", _size=1)[0])


@pytest.mark.parametrize("name", json.loads(audit_doc.METADATA.read_text())["databases"]["audit"]
                         ["queries"])
def test_datasette_runs_a_canned_query(record, datasette, name):
    values = {"collection": record.collection, "user": "researcher@example.org",
              "keys": "results/*"}
    assert datasette(f"audit/{name}", _shape="array", **values)


def test_pandas_reads_it(record):
    block, = audit_doc.blocks("python")
    script = block + '\nanswer = int(summary["researcher@example.org"]["GetObject"])'
    read = record.sql("SELECT sum(bytes_out) AS n FROM reads WHERE operation = 'GetObject'")
    assert python(AUDIT, pathlib.Path(record.database).parent, script) == read[0]["n"] > 18


def test_duckdb_reads_the_export(record, tmp_path):
    line, = [line for line in audit_doc.commands() if ".jsonl" in line]
    with open(tmp_path / "requests.jsonl", "wb") as file:
        export = line.split(" > ")[0].split()[1:]
        file.write(run(*export, "--audit-db", record.database).stdout.encode())
    sql, = audit_doc.blocks("sql duckdb")
    rows = python(AUDIT, tmp_path, f"import duckdb\nanswer = duckdb.sql({sql!r}).fetchall()")
    expected = record.sql("SELECT username, count(*) AS n, sum(bytes_out) AS bytes "
                          "FROM requests WHERE username IS NOT NULL GROUP BY 1")
    counts = {name: (count, int(size)) for name, count, size in rows if name}
    assert counts and counts == {row["username"]: (row["n"], row["bytes"]) for row in expected}


def test_clickhouse_reads_it(record):
    if not SOAK.exists():
        pytest.skip("chDB is large: scripts/soak-million installs it and runs this")
    sql, = audit_doc.blocks("sql chdb")
    script = f"import chdb\nanswer = chdb.query({sql!r}, 'JSONEachRow').bytes().decode()"
    text = python(SOAK, pathlib.Path(record.database).parent, script)
    rows = {row["operation"]: int(row["requests"]) for row in map(json.loads, text.splitlines())}
    expected = record.sql("SELECT operation, count(*) AS n FROM requests GROUP BY 1")
    assert rows == {row["operation"]: row["n"] for row in expected}


def holds_null(value):
    if isinstance(value, (dict, list)):
        return any(map(holds_null, value.values() if isinstance(value, dict) else value))
    return value is None


def test_ocsf_events(record):
    sql, = [sql for sql in audit_doc.blocks("sql") if "FROM ocsf" in sql]
    events = [json.loads(row["document"]) for row in record.sql(sql)]
    assert len(events) > 10
    for event in events:
        # What OCSF requires of API Activity, and of the objects in it.
        assert {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time",
                "type_uid", "actor", "api", "src_endpoint"} <= set(event)
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert {"product", "version"} <= set(event["metadata"])
        assert event["api"]["operation"] and event["actor"]["user"]["name"]
        assert event["src_endpoint"]["ip"] == "127.0.0.1"
        assert not holds_null(event)
    event, = [event for event in events if event["metadata"]["uid"] == record.request_id]
    assert (event["activity_name"], event["status_id"], event["severity_id"]) == ("Read", 1, 1)
    assert event["actor"]["user"]["name"] == "researcher@example.org"
    assert event["http_response"]["code"] == 200 and event["http_response"]["length"] == 10
    assert event["resources"][1]["name"] == "results/small.txt"
    assert {event["activity_name"] for event in events} >= {"Read", "Delete", "AuthCallback"}
    assert {event["status_id"] for event in events} == {1, 2}


GCS = """
CREATE TABLE session(id TEXT, ts DATETIME, client_addr TEXT, auth_type TEXT, process_user TEXT,
  storage_user TEXT, root_path TEXT, task_id TEXT, collection_id TEXT, identity_id TEXT);
CREATE TABLE operation(session_id TEXT, start_ts DATETIME, end_ts DATETIME, path TEXT,
  peer_addr TEXT, length BIGINT, result TEXT);
"""


def test_a_join_with_globus_connect_servers_audit(record, tmp_path):
    rows = record.sql("SELECT * FROM gcs_operation WHERE operation = 'GetObject' "
                      "AND object_key = 'results/small.txt' AND identity_id IS NOT NULL")
    gcs = sqlite3.connect(tmp_path / "audit-logs.db")
    gcs.executescript(GCS)
    for identifier, path in [("ours", rows[0]["path"]), ("ours", "/elsewhere"),
                             ("another's", rows[0]["path"])]:
        identity = rows[0]["identity_id"] if identifier == "ours" else audit_doc.IDENTITY + "x"
        gcs.execute("INSERT INTO session VALUES (?, ?, '192.0.2.1:43536', 'HTTPS', 'a', 'a', '/', "
                    "NULL, ?, ?)",
                    (identifier, rows[0]["start_ts"], rows[0]["collection_id"], identity))
        gcs.execute("INSERT INTO operation VALUES (?, ?, ?, ?, '192.0.2.1', 10, 'success')",
                    (identifier, rows[0]["start_ts"], rows[0]["end_ts"], path))
    gcs.commit()
    gcs.close()
    block, = audit_doc.blocks("sql gcs")
    attach, select = block.split(";\n", 1)
    joined = sqlite3.connect(f"file:{record.database}?mode=ro", uri=True)
    joined.row_factory = sqlite3.Row
    joined.execute(attach.replace("audit-logs.db", str(tmp_path / "audit-logs.db")))
    found = [dict(row) for row in joined.execute(select)]
    plan = [row["detail"] for row in joined.execute("EXPLAIN QUERY PLAN " + select)]
    joined.close()
    assert {row["request_id"] for row in found} == {row["request_id"] for row in rows}
    assert {(row["username"], row["client_addr"], row["storage_bytes"]) for row in found} == {
        ("researcher@example.org", "127.0.0.1", 10)}
    assert any("request_object (collection_pk=? AND object_key=?" in line for line in plan), plan
    assert not any(map(is_scan, plan)), plan
