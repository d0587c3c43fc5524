"""Keep, hand over, let go and prove, beside a running server under load."""

import json
import re
import sqlite3
import subprocess
import threading
import time

import pytest
import requests

from frontend import Program, audit, free_ports, run, sign_in
from test_command import APP, environment
from test_one_object import authorization

HELD = "1b6d2c9e-0000-4000-8000-00000000cccc"


class Load(threading.Thread):
    """Gets an object again and again until it is told to stop; remembers every answer."""

    def __init__(self, url, credential):
        super().__init__(daemon=True)
        self.url = url
        self.headers = authorization(credential)
        self.answers = []
        self.failures = []
        self.stopping = threading.Event()

    def run(self):
        session = requests.Session()
        while not self.stopping.is_set():
            began = time.time()
            try:
                answer = session.get(self.url, headers=self.headers, timeout=30)
                self.answers.append((answer.headers["x-amz-request-id"], answer.status_code,
                                     len(answer.content), began))
            except requests.RequestException as error:
                self.failures.append(error)


class Stage:
    """A server with two collections under load, and what was done to its record."""

    def __init__(self, folder):
        self.folder = folder
        self.database = folder / "audit.db"
        for name in ("free", "held"):
            (folder / name).mkdir()
            (folder / name / "some.txt").write_text("of a collection\n" * 50)
        self.program = Program(
            "local", "--directory", folder / "free", "--collection", f"{HELD}={folder / 'held'}",
            "--listen", "127.0.0.1:0", "--audit-db", self.database, log=folder / "log"
        ).wait_ready()
        free = next(value for name, value in self.program.all_settings
                    if name == "collection" and value != HELD)
        self.free = free
        self.loads = {}
        for collection in (free, HELD):
            credential = sign_in(self.program.base_url, collection).json()
            self.loads[collection] = [
                Load(f"{self.program.base_url}/{collection}/{key}", credential)
                for key in ("some.txt", "missing")]
        for load in self.all_loads:
            load.start()

    @property
    def all_loads(self):
        return [load for loads in self.loads.values() for load in loads]

    def answers(self):
        return sum(len(load.answers) for load in self.all_loads)

    def wait_for(self, more):
        wanted, deadline = self.answers() + more, time.monotonic() + 60
        while self.answers() < wanted:
            assert time.monotonic() < deadline, "the server answers no more"
            time.sleep(0.02)

    def command(self, *arguments, code=0):
        command, *rest = arguments
        answer = run("audit", command, "--audit-db", self.database, *rest)
        assert answer.returncode == code, answer
        self.wait_for(4)  # requests go on
        return answer

    def stop(self):
        for load in self.all_loads:
            load.stopping.set()
        for load in self.all_loads:
            load.join()
        assert self.program.stop() == 0
        assert [load.failures for load in self.all_loads if load.failures] == []


def verified(database, *arguments, code=0):
    answer = run("audit", "verify", "--audit-db", database, *arguments)
    assert answer.returncode == code, answer
    return dict(re.findall(r"^(\w+) +(\S+)", answer.stdout, re.M)), answer.stdout


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Everything that a steward does, done; the server has ended."""
    stage = Stage(tmp_path_factory.mktemp("keep"))
    stage.wait_for(200)
    identity = next(row["identity_id"] for row in audit(stage.database) if row["identity_id"])
    stage.command("hold", "--reason", "an inquiry", HELD)
    dry = stage.command("prune", "--before", "0s", "--dry-run")
    stage.prunable = int(re.fullmatch(r"(\d+) rows would go\n", dry.stdout)[1])
    pruned = stage.command("prune", "--before", "0s")
    stage.pruned_until = time.time()
    stage.pruned = int(re.fullmatch(r"(\d+) rows went\n", pruned.stdout)[1])
    stage.refused = stage.command("forget", "--identity", identity, code=64)
    stage.command("snapshot", stage.folder / "whole.db")
    stage.command("snapshot", "--collection", HELD.upper(), stage.folder / "one.db")
    stage.exported = stage.command("export", "--collection", HELD)
    stage.command("verify")
    stage.command("release", "--reason", "it is over", HELD)
    forgotten = stage.command("forget", "--identity", identity)
    stage.forgotten = int(re.fullmatch(r"(\d+) rows are nameless now\n", forgotten.stdout)[1])
    stage.wait_for(50)
    stage.identity = identity
    stage.stop()
    stage.proof = verified(stage.database, "--log", stage.folder / "log")
    yield stage


def test_rows_stay_right_meanwhile(stage):
    rows = {row["request_id"]: row for row in audit(stage.database)}
    seen = 0
    for collection, loads in stage.loads.items():
        for answer_id, status, received, began in (a for load in loads for a in load.answers):
            if answer_id not in rows:
                assert collection != HELD and began < stage.pruned_until, (collection, answer_id)
                continue
            row = rows[answer_id]
            assert (row["status"], row["collection_id"]) == (status, collection)
            assert row["bytes_out"] == received
            seen += 1
    assert seen > 100 and stage.pruned >= stage.prunable > 0
    assert sum(loads for loads in map(len, (load.answers for load in stage.loads[HELD]))) <= seen


def test_the_record_is_intact_and_agrees_with_the_log(stage):
    found, text = stage.proof
    # The server signed at its end; what came later is the note of this verification.
    assert found["verdict"] == "intact" and int(found["unsigned"]) == 1, text
    assert int(found["pruned"]) >= stage.pruned and int(found["forgotten"]) == stage.forgotten > 0
    compared = int(re.search(r"(\d+) compared with the log", text)[1])
    assert compared >= 1
    key = re.search(r"key=([0-9a-f]{64})", (stage.folder / "log").read_text())[1]
    verified(stage.database, "--public-key", key)
    other, text = verified(stage.database, "--public-key", "0" * 64, code=1)
    assert other["verdict"] == "not" and "NOT INTACT" in text


def test_a_log_is_read_from_a_pipe(stage):
    with subprocess.Popen(["cat", stage.folder / "log"], stdout=subprocess.PIPE) as cat:
        answer = run("audit", "verify", "--audit-db", stage.database, "--log", "/dev/stdin",
                     stdin=cat.stdout)
    assert answer.returncode == 0 and not re.search(r"\b0 compared", answer.stdout), answer


def test_each_change_is_noted(stage):
    with sqlite3.connect(stage.database) as db:
        notes = db.execute("SELECT command, actor, detail FROM notes ORDER BY at_us").fetchall()
    db.close()
    commands = [command for command, _, _ in notes]
    for command in ("hold", "prune", "snapshot", "export", "verify", "release", "forget", "query"):
        assert command in commands, commands
    assert commands.count("snapshot") == 2 and all(actor for _, actor, _ in notes)
    details = {command: json.loads(detail) for command, _, detail in notes}
    assert details["hold"]["reason"] == "an inquiry" and details["release"]["collection"] == HELD
    assert sum(json.loads(detail)["rows"] for command, _, detail in notes
               if command == "forget") == stage.forgotten


def test_a_held_person_is_not_forgotten(stage):
    assert HELD in stage.refused.stderr and "release these first" in stage.refused.stderr
    assert len(stage.refused.stderr.splitlines()) == 1


def test_snapshots_and_exports(stage):
    whole, one = stage.folder / "whole.db", stage.folder / "one.db"
    assert [file.stat().st_mode & 0o777 for file in (whole, one)] == [0o600, 0o600]
    assert verified(whole)[0]["verdict"] == "intact"
    rows = audit(one)
    assert rows and {row["collection_id"] for row in rows} == {HELD}
    assert stage.free.encode() not in one.read_bytes()
    exported = [json.loads(line) for line in stage.exported.stdout.splitlines()]
    assert {row["collection_id"] for row in exported} == {HELD}
    assert {row["request_id"] for row in rows} <= {row["request_id"] for row in exported}
    answer = run("audit", "snapshot", "--audit-db", stage.database, whole)
    assert answer.returncode == 78 and "choose another file" in answer.stderr


def test_a_row_that_was_changed_is_named(stage, tmp_path):
    run("audit", "snapshot", "--audit-db", stage.database, tmp_path / "copy.db")
    with sqlite3.connect(tmp_path / "copy.db") as db:
        db.execute("DROP TRIGGER request_immutable")
        [number] = db.execute("SELECT max(id) FROM request WHERE seq IS NOT NULL").fetchone()
        db.execute("UPDATE request SET bytes_out = bytes_out + 1 WHERE id = ?", [number])
    db.close()
    found, text = verified(tmp_path / "copy.db", code=1)
    assert found["verdict"] == "not" and f"{number:016X}" in text


def test_after_the_last_forgetting_no_name_is_left(stage):
    # Requests went on under the name after the first one.
    assert run("audit", "forget", "--audit-db", stage.database, "--identity",
               stage.identity).returncode == 0
    rows = audit(stage.database)
    assert rows and not [row for row in rows if row["username"] or row["identity_id"]]
    kept = b"".join(file.read_bytes() for file in stage.folder.glob("audit.db*"))
    assert b"researcher@example.org" not in kept and stage.identity.encode() not in kept
    assert verified(stage.database)[0]["verdict"] == "intact"


def test_the_heads_of_a_json_log_are_compared(tmp_path):
    [port] = free_ports(1)
    program = Program(
        "serve", "--listen", f"127.0.0.1:{port}", "--base-url", f"http://localhost:{port}",
        "--log-format", "json", log=tmp_path / "log",
        environment=environment(STATE_DIRECTORY=str(tmp_path), **APP)
    ).wait_listening(f"http://127.0.0.1:{port}")
    for _ in range(5):
        assert requests.get(f"http://127.0.0.1:{port}/{HELD}/x", timeout=20).status_code == 403
    assert program.stop() == 0
    database = tmp_path / "globus-s3-frontend/audit.db"
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    heads = [line for line in lines if line["message"] == "audit checkpoint"]
    assert heads and re.fullmatch("[0-9a-f]{64}", heads[-1]["head"])
    found, text = verified(database, "--log", tmp_path / "log", "--public-key", heads[-1]["key"])
    assert found["verdict"] == "intact" and "1 compared with the log" in text
    forged = (tmp_path / "log").read_text().replace(heads[-1]["head"], "0" * 64)
    (tmp_path / "forged").write_text(forged)
    assert verified(database, "--log", tmp_path / "forged", code=1)[0]["verdict"] == "not"
