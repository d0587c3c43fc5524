"""The commands that ask the record, after real traffic: what they print, note and refuse."""

import csv
import io
import json
import os
import pathlib
import pty
import re
import select
import shutil
import sqlite3
import subprocess
import tempfile
import time
import unicodedata

import pytest
import requests

import record_history
from frontend import PROGRAM, Program, audit, run, sign_in
from test_one_object import authorization

REPORTS = ["reads", "failures", "top", "slow", "hourly", "deletes", "clients", "collections"]
COMMANDS = ["query", "show", "sql", "report", "verify", "snapshot", "export", "prune", "hold",
            "release", "forget"]
UUID = "11111111-2222-4333-8444-555555555555"
HARM = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2028"


# libreadline, which pytest loads, sets COLUMNS behind Python's back.
NO_TERMINAL = {name: value for name, value in os.environ.items() if name != "COLUMNS"}


def start(folder, name):
    files = folder / f"{name}-files"
    files.mkdir()
    (files / "some.txt").write_text(f"of {name}\n" * 100)
    program = Program("local", "--directory", files, "--listen", "127.0.0.1:0", "--audit-db",
                      folder / f"{name}.db", log=folder / f"{name}.log").wait_ready()
    program.credential = sign_in(program.base_url, program.collection).json()
    return program


def get(program, key, **headers):
    return requests.get(f"{program.base_url}/{program.collection}/{key}",
                        headers={**authorization(program.credential), **headers}, timeout=20)


def wait_for_rows(database, ids):
    deadline = time.monotonic() + 20
    while missing := ids - {row["request_id"] for row in audit(database)}:
        assert time.monotonic() < deadline, missing
        time.sleep(0.05)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Two running servers, each with a whole read, a part, a listing, a miss and a refusal."""
    folder = tmp_path_factory.mktemp("servers")
    programs = [start(folder, name) for name in ("first", "second")]
    for program in programs:
        answers = [
            get(program, "some.txt"), get(program, "some.txt", Range="bytes=0-9"),
            get(program, "missing"), get(program, "?list-type=2&delimiter=/"),
            requests.get(f"{program.base_url}/{program.collection}/some.txt", timeout=20)]
        assert [answer.status_code for answer in answers] == [200, 206, 404, 200, 403]
        program.ids = [answer.headers["x-amz-request-id"] for answer in answers]
        wait_for_rows(program.audit_db, set(program.ids))
    yield programs
    assert [program.stop() for program in programs] == [0, 0]


def notes(database, command):
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        rows = db.execute("SELECT detail FROM notes WHERE command = ?", [command]).fetchall()
    db.close()
    return [json.loads(row[0]) for row in rows]


def parse(answer, form):
    assert answer.returncode == 0, answer.stderr
    if form == "json":
        return [json.loads(line) for line in answer.stdout.splitlines()]
    return list(csv.DictReader(io.StringIO(answer.stdout, newline="")))


@pytest.mark.parametrize("report", REPORTS)
def test_each_report_in_each_form(servers, report):
    database = servers[0].audit_db
    asked = ["audit", "report", report, "--audit-db", database, "--since", "1h"]
    if report in ("top", "hourly", "collections"):
        asked[-1] = "3h"  # sums are of whole hours
    forms = {form: run(*asked, "--format", form, env=NO_TERMINAL)
             for form in ("json", "csv", "table")}
    objects, lines = parse(forms["json"], "json"), parse(forms["csv"], "csv")
    assert len(objects) == len(lines) and (report == "deletes") == (not objects)
    if objects and report != "clients":
        assert list(objects[0]) == list(lines[0])
    for form in ("json", "csv"):
        assert "through this gateway only" in forms[form].stderr
        assert "signatures that were not verified" in forms[form].stderr
        assert "gateway" not in forms[form].stdout
    table = forms["table"]
    assert table.returncode == 0 and table.stderr == ""
    rows = [line for line in table.stdout.splitlines() if not line.startswith("# ")]
    coverage = [line for line in table.stdout.splitlines() if line.startswith("# ")]
    assert len(rows) == 1 + len(objects) and len(coverage) >= 2
    assert table.stdout.splitlines() == rows + coverage
    assert {"report": report} == {key: value for key, value in notes(database, "report")[-1].items()
                                  if key == "report"}


def test_the_reports_tell_what_happened(servers):
    def rows(report, *more):
        return parse(run("audit", "report", report, "--audit-db", servers[0].audit_db, "--format",
                         "json", *more), "json")

    reads = {(row["object_key"], row["what"]): row for row in rows("reads")}
    whole = reads["some.txt", "complete"]
    assert (whole["requests"], whole["bytes"], whole["size"]) == (2, 900, 900)
    assert whole["username"] == "researcher@example.org" and whole["unverified"] == 2
    assert [row for row in reads.values() if row["what"] == "names"][0]["requests"] == 1
    failures = {row["error_code"]: row for row in rows("failures")}
    assert {"NoSuchKey", "AccessDenied"} <= set(failures)
    assert failures["NoSuchKey"]["request_id"] == servers[0].ids[2]
    [collection] = rows("collections")
    assert collection["collection_id"] == servers[0].collection and collection["errors"] == 2
    assert sum(row["requests"] for row in rows("hourly")) == len(audit(servers[0].audit_db))
    assert len(rows("slow", "--limit", "2")) == 2
    assert rows("reads", "--user", "nobody@example.org") == []


def test_show_tells_the_story(servers):
    answer = run("audit", "show", "--audit-db", servers[0].audit_db, servers[0].ids[1])
    story, _, fields = answer.stdout.partition("\n\n")
    for part in ["researcher@example.org asked from 127.0.0.1", "The request was GetObject of "
                 f"some.txt in the collection {servers[0].collection}, bytes=0-9",
                 "The answer was 206, with 10 bytes", "it was sent whole",
                 "The credential was given at", "other requests in the record are for this object"]:
        assert part in story, answer.stdout
    assert re.search(r"^range +bytes=0-9$", fields, re.M)
    assert notes(servers[0].audit_db, "show")[-1] == {"request_id": servers[0].ids[1]}


def test_running_servers_are_asked_as_one(servers):
    several = [part for server in servers for part in ("--audit-db", server.audit_db)]
    answer = run("audit", "report", "collections", *several, "--format", "json")
    assert {row["collection_id"] for row in parse(answer, "json")} == {
        server.collection for server in servers}
    assert "these 2 gateways only" in answer.stderr
    for server in servers:
        shown = run("audit", "show", *several, server.ids[0])
        assert shown.returncode == 0 and server.collection in shown.stdout
    rows = parse(run("audit", "query", *several, "--format", "json", "--limit", 1000), "json")
    assert {id for server in servers for id in server.ids} <= {row["request_id"] for row in rows}
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    summed = run("audit", "sql", *several, "--format", "csv",
                 "SELECT count(*) AS n FROM requests WHERE object_key = 'some.txt'")
    assert parse(summed, "csv") == [{"n": "6"}]
    exported = parse(run("audit", "export", *several), "json")
    assert len(exported) >= len(rows)
    for server in servers:
        assert notes(server.audit_db, "export")
    one = run("audit", "prune", *several, "--before", "1d")
    assert one.returncode == 64 and "give --audit-db once" in one.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command):
    answer = run("audit", command, "--help")
    assert answer.returncode == 0 and answer.stderr == ""
    assert "OVERVIEW: " in answer.stdout and "--audit-db <file>" in answer.stdout


ARGUMENTS = {"show": ["1"], "sql": ["SELECT 1"], "report": ["top"], "snapshot": ["copy.db"],
             "prune": ["--before", "1d"], "hold": ["--reason", "r", UUID],
             "release": ["--reason", "r", UUID], "forget": ["--identity", UUID]}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_record_is_refused(command, tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t(x)")
    db.close()
    (tmp_path / "text.db").write_text("not a database at all" * 100)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for database in (tmp_path / "none.db", other, tmp_path / "text.db", tmp_path):
        answer = run("audit", command, "--audit-db", database, *ARGUMENTS.get(command, []),
                     cwd=tmp_path)
        assert answer.returncode == 78, (database, answer)
        assert len(answer.stderr.splitlines()) == 1 and answer.stdout == "", answer
        assert str(database) in answer.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("arguments,code,says", [
    (["report"], 64, "name a report: reads, failures"),
    (["report", "nonsense"], 64, "nonsense"),
    (["report", "reads", "--since", "yesterday"], 64, "2026-11-22"),
    (["report", "reads", "--limit", "0"], 64, "--limit"),
    (["query", "--outcome", "fine"], 64, "client_error"),
    (["query", "--format", "xml"], 64, "xml"),
    (["show", "nonsense"], 64, "hexadecimal"),
    (["show", "00000000000000AB"], 1, "no request 00000000000000AB is recorded"),
    (["sql", "DELETE FROM request"], 64, "only reading"),
    (["sql", "SELECT nonsense"], 64, "no such column: nonsense"),
    (["verify", "--public-key", "ab"], 64, "64 hexadecimal digits"),
    (["verify", "--log", "/nonexistent"], 64, "/nonexistent"),
    (["verify", "--log", "/dev/null"], 64, "audit checkpoint"),
    (["snapshot", "/proc/none/copy.db"], 78, "choose another file"),
    (["snapshot", "--collection", UUID, "copy.db"], 64, UUID),
    (["export", "--format", "table"], 64, "table"),
    (["prune"], 64, "--before"),
    (["prune", "--before", "soon"], 64, "2026-11-22"),
    (["hold", UUID], 64, "--reason"),
    (["hold", "--reason", "r", "no-uuid"], 64, "UUID"),
    (["release", "--reason", "r", UUID], 1, "is not held"),
    (["forget", "--identity", "somebody"], 64, "UUID"),
])
def test_one_line_says_what_to_change(servers, tmp_path, arguments, code, says):
    command, *rest = arguments
    answer = run("audit", command, "--audit-db", servers[0].audit_db, *rest, cwd=tmp_path)
    assert answer.returncode == code, answer
    assert len(answer.stderr.splitlines()) == 1 and says in answer.stderr, answer
    assert answer.stdout == "" and list(tmp_path.iterdir()) == []


def test_a_record_that_another_program_holds(servers, tmp_path):
    database = tmp_path / "audit.db"
    with sqlite3.connect(servers[0].audit_db) as source, sqlite3.connect(database) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = WAL")
    source.close()
    copy.close()
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    answer = run("audit", "prune", "--audit-db", database, "--before", "1s")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == ("globus-s3-frontend: another program holds the audit database; "
                             "try again later\n")
    answer = run("audit", "query", "--audit-db", database)
    assert answer.returncode == 0 and "some.txt" in answer.stdout
    assert answer.stderr.startswith("this reading leaves no note in the record: another program")
    holder.close()


@pytest.fixture
def open_folder():
    """A folder that others can enter; pytest's own ones are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


def test_a_reader_who_may_not_write_gets_the_rows_and_is_told(servers, open_folder):
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("another user can't be had")
    folder = open_folder
    program = shutil.copy(PROGRAM, folder / "program")
    database = folder / "audit.db"
    with sqlite3.connect(servers[0].audit_db) as source, sqlite3.connect(database) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = WAL")
    source.close()
    copy.close()
    (folder / "audit.db.spool").touch()
    for file in folder.glob("audit.db*"):
        file.chmod(0o444)
    (folder / "program").chmod(0o555)
    before = database.read_bytes()

    def as_nobody(*arguments):
        return subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "audit",
             arguments[0], "--audit-db", database, *arguments[1:]],
            capture_output=True, text=True, timeout=60, cwd="/")

    for command in (["query"], ["report", "reads"], ["sql", "SELECT object_key FROM requests"],
                    ["show", servers[0].ids[0]], ["export"]):
        answer = as_nobody(*command)
        assert answer.returncode == 0 and "some.txt" in answer.stdout, answer
        [line] = [line for line in answer.stderr.splitlines() if "leaves no note" in line]
        assert "run this as its owner" in line
    for command in (["prune", "--before", "1s"], ["hold", "--reason", "r", UUID],
                    ["forget", "--identity", UUID], ["snapshot", "/nonexistent/copy"]):
        answer = as_nobody(*command)
        assert answer.returncode == 78 and len(answer.stderr.splitlines()) == 1, answer
    assert database.read_bytes() == before


@pytest.fixture(scope="module")
def hostile(servers, tmp_path_factory):
    """A record with names that would harm a terminal, in every column that strangers write."""
    database = tmp_path_factory.mktemp("hostile") / "audit.db"
    with sqlite3.connect(servers[0].audit_db) as source, sqlite3.connect(database) as copy:
        source.backup(copy)
    source.close()
    copy.close()
    record_history.insert(database, requests=60, days=0.01)
    with sqlite3.connect(database) as db:
        db.execute("DROP TRIGGER request_immutable")
        db.execute("UPDATE request SET object_key = object_key || ?1, error_code = ?1, range = ?1, "
                   "upstream_host = ?1 WHERE id < 1000", [HARM + "\n\r\b" + "x" * 300])
        db.execute("UPDATE client SET user_agent = ?", [HARM])
        db.execute("UPDATE principal SET username = username || ?", [HARM])
        db.execute("UPDATE collection SET collection_id = collection_id || ?", [HARM])
    db.close()
    return database


def on_terminal(*arguments, columns=100):
    """What the command sends to a terminal, as bytes."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns)}
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdin=theirs, stdout=theirs,
                               stderr=theirs, env=environment)
    os.close(theirs)
    sent = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 1)[0]:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            sent += part
    os.close(ours)
    return process.wait(timeout=10), sent


@pytest.mark.parametrize("arguments", [
    *[["report", report, *form] for report in REPORTS for form in ([], ["--format", "csv"])],
    ["report", "reads", "--format", "json"], ["query"], ["query", "--format", "csv"],
    ["query", "--format", "json"], ["export"], ["export", "--format", "csv"], ["show", "2"],
    ["sql", "SELECT * FROM requests"], ["sql", "SELECT '\x1b[31m' AS \"\x1b[5m\", char(155)"],
    ["sql", "SELECT * FROM \"\x1b[31m\""], ["sql", "\x1b[31m"], ["verify"],
    ["report", "\x1b[31m"], ["query", "--user", "\x1b[31m"], ["show", "\x1b[31m"],
    ["snapshot", "--collection", UUID, "/nonexistent\x1b[31m/x"],
    ["verify", "--log", "/nonexistent\x1b[31m"], ["forget", "--identity", "\x1b[31m"],
    ["hold", "--reason", "r", "\x1b[31m"],
])
def test_no_control_character_reaches_a_terminal(hostile, arguments):
    command, *rest = arguments
    code, sent = on_terminal("audit", command, "--audit-db", hostile, *rest)
    assert code in (0, 1, 64, 78) and sent
    text = sent.decode()  # UTF-8 it is, too
    lines = re.sub("\r+\n", "\n", text)  # CSV ends lines in CR LF, the terminal adds a CR
    harmful = {character for character in lines
               if character != "\n" and (ord(character) < 32 or 127 <= ord(character) < 160
                                         or character in "\u202e\u2028")}
    assert not harmful, harmful
    if command in ("query", "report") and "--format" not in rest and code == 0:
        assert max(width(line) for line in text.splitlines() if line[0] != "#") <= 100


def width(line):
    """Columns of a terminal."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1
               for character in line if not unicodedata.combining(character))
