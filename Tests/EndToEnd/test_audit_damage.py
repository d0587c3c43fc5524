"""What can happen to the audit's files, and what the frontend does then: docs/audit-faults.md."""

import os
import re
import shutil
import sqlite3

from audit_bed import HERE, eventually, gaps, rows
from frontend import run


def torn(database):
    """Every page of the file but the first becomes noise, as after a disk's fault."""
    with open(database, "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for page in range(4096, size, 4096):
            os.pwrite(file.fileno(), os.urandom(4096), page)


def test_a_damaged_database_is_replaced_without_a_restart(bed, database, tmp_path):
    client = bed.client()
    with bed.server(database) as server:
        client.get(30)
        foreign = sqlite3.connect(database, isolation_level=None)
        foreign.execute("PRAGMA user_version")
        eventually(lambda: len(rows(database)) == 30, "rows")
        foreign.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        torn(database)
        foreign.execute("PRAGMA user_version = 2")  # so that the server reads its pages again
        client.get(5)
        eventually(lambda: list(tmp_path.glob("audit.db.corrupt-*Z")), "moved aside")
        bed.wait_ready()
        assert client.get(5) == [200] * 5
        foreign.close()
        assert bed.metric("globus_s3_frontend_audit_moved_aside_total") == 1
        log = server.log_path.read_text()
    assert "critical the audit database is damaged" in log
    [moved] = tmp_path.glob("audit.db.corrupt-*Z")
    new = {row["request_id"] for row in rows(database)}
    assert new == {answer[0] for answer in client.answers[30:]}
    [gap] = gaps(database)
    assert str(moved) in gap["reason"] and gap["from_us"] < gap["to_us"]
    assert run("audit", "verify", "--audit-db", database).returncode == 0


def test_a_damaged_database_is_replaced_at_the_start(bed, database, tmp_path):
    client = bed.client()
    with bed.server(database):
        client.get(3)
    with open(database, "r+b") as file:
        file.write(os.urandom(4096))
    damaged = database.read_bytes()
    with bed.server(database) as server:
        assert bed.readiness()[0] == 200
        assert client.get(2) == [200] * 2
        assert "critical the audit database is damaged" in server.log_path.read_text()
    [moved] = tmp_path.glob("audit.db.corrupt-*Z")
    assert moved.read_bytes() == damaged and moved.stat().st_mode & 0o777 == 0o600
    assert len(rows(database)) == 2 and str(moved) in gaps(database)[0]["reason"]


def test_a_removed_database_is_made_anew(bed, database):
    client = bed.client()
    with bed.server(database) as server:
        client.get(3)
        eventually(lambda: len(rows(database)) == 3, "rows")
        database.unlink()
        client.get(3)
        eventually(database.exists, "a new file")
        bed.wait_ready()
        assert client.get(3) == [200] * 3
        assert "removed or replaced" in server.log_path.read_text()
    recorded = {row["request_id"] for row in rows(database)}
    assert {answer[0] for answer in client.answers[-3:]} <= recorded
    assert "removed or replaced" in gaps(database)[0]["reason"]


def test_a_restored_snapshot_takes_the_place_of_the_database(bed, database, tmp_path):
    client, snapshot = bed.client(), tmp_path / "snapshot"
    with bed.server(database) as server:
        client.get(3)
        eventually(lambda: len(rows(database)) == 3, "rows")
        assert run("audit", "snapshot", "--audit-db", database, snapshot).returncode == 0
        client.get(4)
        eventually(lambda: len(rows(database)) == 7, "rows")
        snapshot.rename(database)
        # Whoever opens the new file beside the old log, before the server has seen it, mixes them.
        eventually(lambda: "removed or replaced" in server.log_path.read_text(), "noticed")
        eventually(lambda: "written again" in server.log_path.read_text(), "opened anew")
        bed.wait_ready()
        assert client.get(2) == [200] * 2
    recorded = [row["request_id"] for row in rows(database)]
    answers = [answer[0] for answer in client.answers]
    assert recorded == answers[:3] + answers[7:]  # the four between are in the gap
    [gap] = gaps(database)
    [third, first_after] = [row["start_us"] for row in rows(database)][2:4]
    assert gap["from_us"] == third and gap["to_us"] < first_after
    assert rows(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_a_truncated_spool_is_a_gap_for_what_is_missing(bed, database, tmp_path):
    with bed.server(database):
        bed.client().get(2)
    spool = tmp_path / "audit.db.spool"
    whole = spool.stat().st_size
    with open(spool, "r+b") as file:
        file.seek(4096)
        file.write((1).to_bytes(8, "little"))  # the first slot holds an intent
        file.truncate(4096 + 8192 * 8)
    with bed.server(database):
        assert bed.client().get(2) == [200] * 2
    assert spool.stat().st_size == whole
    assert [(gap["records"], gap["reason"]) for gap in gaps(database)] == [
        (1, "unreadable slots of the spool at start")]


def test_the_page_names_tests_that_exist():
    """docs/audit-faults.md: a fault without its test is no promise."""
    root = HERE.parents[1]
    page = (root / "docs/audit-faults.md").read_text().split("## What is not promised")[0]
    files = {"F": "EndToEnd/test_audit_faults.py", "D": "EndToEnd/test_audit_damage.py",
             "A": "EndToEnd/test_audit.py", "C": "EndToEnd/test_command.py"}
    files.update({name: f"AuditTests/{name}Tests.swift"
                  for name in ("Disk", "Damage", "Replay", "Spool", "Schema")})
    files["Log"] = "AuditTests/AuditLogTests.swift"
    named = re.findall(r"`([A-Z]\w*)(?:::|\.)(\w+)`", page)
    assert len(named) > 30
    for suite, test in named:
        assert f" {test}(" in (root / "Tests" / files[suite]).read_text(), (suite, test)
    table = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert all(line.split("|")[-2].strip() for line in table)


def test_a_migration_killed_at_every_step_keeps_every_row(bed, tmp_path):
    """The start on a database of the first version ends in the middle of each of its writes."""
    schema = (HERE / "audit_v1.sql").read_text()
    old, count = tmp_path / "old.db", tmp_path / "count"
    connection = sqlite3.connect(old)
    connection.executescript(schema)
    connection.close()
    wanted = rows(old)
    assert len(wanted) == 500

    def attempt(**environment):
        folder = tmp_path / "attempt"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(old, folder / "audit.db")
        server = bed.start(folder / "audit.db", **environment)
        return folder / "audit.db", server

    database, server = attempt(FAULTS_COUNT=str(count))
    server.wait_listening(bed.base_url)
    server.kill()
    steps = int(count.read_text())
    assert steps > 10
    for step in range(1, steps + 1):
        database, server = attempt(FAULTS_EXIT_AT=str(step))
        assert server.process.wait(timeout=30) == 137, step
        server.stop()
        connection = sqlite3.connect(database)  # old or new, never between
        [version] = connection.execute("PRAGMA user_version").fetchone()
        columns = [row[1] for row in connection.execute("PRAGMA table_info(request)")]
        connection.close()
        assert ("seq" in columns) == (version == 2), step
        server = bed.start(database).wait_listening(bed.base_url)
        assert rows(database) == wanted, step
        assert rows(database, "PRAGMA user_version") == [{"user_version": 2}]
        assert rows(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        server.kill()
    verified = run("audit", "verify", "--audit-db", database)
    assert verified.returncode == 0, verified.stdout + verified.stderr
