"""A flood of strangers, whose requests have no genuine credential: rows up to a limit for each
address and minute, then one count; nobody who is signed in notices."""

import collections
import contextlib
import http.client
import json
import socket
import threading
import time

import pytest

from frontend import Program, audit, audit_rows, run, sign_in
from raw import Connection

STRANGER = "127.0.0.2"
ROWS_PER_MINUTE = 20
SENDERS = 4


@pytest.fixture
def arguments(local, tmp_path):
    return ("local", "--directory", local.folder, "--listen", "127.0.0.1:0",
            "--audit-db", tmp_path / "audit.db", "--audit-strangers-per-minute", ROWS_PER_MINUTE)


class Flood(threading.Thread):
    """Sends anonymous or malformed requests from another address, one after the other."""

    def __init__(self, program, malformed, requests):
        super().__init__(daemon=True)
        self.port = int(program.base_url.rsplit(":", 1)[1])
        self.target = f"/{program.collection}/example.txt"
        self.send = self.malformed if malformed else self.anonymous
        self.requests = requests
        self.connection = None
        self.statuses = collections.Counter()

    def anonymous(self):
        if not self.connection:
            self.connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=30, source_address=(STRANGER, 0))
        self.connection.request("GET", self.target)
        answer = self.connection.getresponse()
        assert b"<Code>AccessDenied</Code>" in answer.read()
        return answer.status

    def malformed(self):
        with socket.create_connection(
            ("127.0.0.1", self.port), timeout=30, source_address=(STRANGER, 0)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n")
            return int(connection.recv(65536).split()[1])

    def run(self):
        with contextlib.suppress(OSError, http.client.HTTPException, IndexError):  # killed
            while sum(self.statuses.values()) < self.requests:
                self.statuses[self.send()] += 1


def start_flood(program, requests):
    threads = [Flood(program, malformed=number % 2, requests=requests) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    return threads


def recorded(database):
    """The strangers' rows, and the counts of those without."""
    rows = [row for row in audit(database) if row["remote_ip"] == STRANGER]
    answer = run("audit", "sql", "--audit-db", database, "--format", "json",
                 f"SELECT * FROM gaps WHERE remote_ip = '{STRANGER}'")
    return rows, [json.loads(line) for line in answer.stdout.splitlines()]


def test_strangers_are_answered_and_counted_and_users_are_recorded(arguments, tmp_path):
    database = tmp_path / "audit.db"
    program = Program(*arguments).wait_ready()
    credential = sign_in(program.base_url, program.collection).json()
    threads = start_flood(program, requests=250)
    user = Connection(program.base_url, credential)
    answers = []
    while any(thread.is_alive() for thread in threads):
        answers.append(user.ask("GET", f"/{program.collection}/example.txt"))
        answers.append(user.ask("HEAD", f"/{program.collection}/thousand.bin"))
    for thread in threads:
        thread.join()
    assert [thread.statuses for thread in threads] == [{403: 250}, {400: 250}] * (SENDERS // 2)
    assert answers and {answer.status for answer in answers} == {200}
    mine = audit_rows(database, [answer.request_id for answer in answers])
    assert {row["outcome"] for row in mine.values()} == {"ok"}
    assert {row["username"] for row in mine.values()} == {"researcher@example.org"}
    assert program.stop() == 0

    rows, gaps = recorded(database)
    assert len(rows) + sum(gap["records"] for gap in gaps) == SENDERS * 250
    by_minute = collections.Counter(row["time"][:16] for row in rows)
    assert max(by_minute.values()) == ROWS_PER_MINUTE
    # One count for each minute, only of a minute that has all its rows.
    flooded = [gap["time"][:16] for gap in gaps]
    assert flooded and len(flooded) == len(set(flooded))
    assert all(by_minute[minute] == ROWS_PER_MINUTE for minute in flooded)


def test_kill_9_keeps_the_count(arguments, tmp_path):
    program = Program(*arguments).wait_ready()
    threads = start_flood(program, requests=1_000_000)
    deadline = time.monotonic() + 30
    while sum(sum(t.statuses.values()) for t in threads) < 400 and time.monotonic() < deadline:
        time.sleep(0.02)
    program.kill()
    for thread in threads:
        thread.join()
    Program(*arguments).wait_ready().stop()  # replays the spool
    rows, gaps = recorded(tmp_path / "audit.db")
    answered = sum(sum(thread.statuses.values()) for thread in threads)
    assert answered >= 400 and gaps
    assert 0 <= len(rows) + sum(gap["records"] for gap in gaps) - answered <= SENDERS


@pytest.mark.parametrize("rows", ["0", "many"])
def test_a_limit_must_be_a_number_of_rows(rows, tmp_path):
    answer = run("serve", "--client-id", "x", "--audit-db", tmp_path / "audit.db",
                 "--audit-strangers-per-minute", rows, env={"GLOBUS_CLIENT_SECRET": "x"})
    assert answer.returncode == 64
    assert "--audit-strangers-per-minute must be a number" in answer.stderr
