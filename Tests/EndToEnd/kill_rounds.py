"""The promise under kill -9, round after round: the client's log against the database, row by row.

Each round loads a server, kills it at a random moment, starts it on the same database and compares.
`scripts/soak kill` runs 50 rounds of this file; test_audit.py runs three.
"""

import argparse
import dataclasses
import http.client
import pathlib
import random
import sqlite3
import tempfile
import threading
import time
import urllib.parse

from frontend import Program, run, sign_in
from test_one_object import authorization

KEYS = ("example.txt", "thousand.bin", "large.bin", "missing", "empty")


@dataclasses.dataclass
class Answer:
    """What a client saw of a request: at least its head."""

    request_id: str
    status: int
    received: int = 0
    complete: bool = False


def outcome(status):
    """What the record calls a whole answer."""
    return "ok" if status < 400 else "client_error" if status < 500 else "server_error"


class Load(threading.Thread):
    """One client: a request at a time until the server dies."""

    def __init__(self, base_url, collection, headers, seed):
        super().__init__(daemon=True)
        self.address = urllib.parse.urlsplit(base_url)
        self.collection = collection
        self.headers = headers
        self.random = random.Random(seed)
        self.answers = []

    def request(self):
        """Method, target and further headers of the next request."""
        key = self.random.choice(KEYS)
        kind = self.random.random()
        if kind < 0.1:
            return "GET", f"/{self.collection}?list-type=2", {}
        if kind < 0.25:
            return "HEAD", f"/{self.collection}/{key}", {}
        if kind < 0.4:
            return "GET", f"/{self.collection}/large.bin", {"Range": "bytes=1000-200000"}
        return "GET", f"/{self.collection}/{key}", {}

    def run(self):
        connection = http.client.HTTPConnection(
            self.address.hostname, self.address.port, timeout=20)
        try:
            while True:
                method, target, headers = self.request()
                connection.request(method, target, headers={**self.headers, **headers})
                response = connection.getresponse()
                answer = Answer(response.headers["x-amz-request-id"], response.status)
                self.answers.append(answer)
                while piece := response.read1(65536):
                    answer.received += len(piece)
                response.read()  # nothing more, but http.client frees the connection here only
                answer.complete = method == "HEAD" or (
                    answer.received == int(response.headers["Content-Length"]))
        except (OSError, http.client.HTTPException):
            connection.close()


class Rounds:
    """A database that outlives its servers."""

    def __init__(self, folder, database, threads=12, seed=None):
        self.database = pathlib.Path(database)
        self.threads = threads
        self.seed = seed if seed is not None else random.SystemRandom().randrange(2**32)
        self.random = random.Random(self.seed)
        self.arguments = ("local", "--directory", folder, "--listen", "127.0.0.1:0",
                          "--audit-db", database)
        self.newest = 0
        self.figures = dict(rounds=0, answers=0, rows=0, cut=0, lost=0, most_lost=0, unseen=0,
                            slowest_start=0.0)

    def one(self, least=100, longest=2.0):
        """One round; raises AssertionError at the first row that disagrees."""
        program = self.start()
        answers = self.load_and_kill(program, least, longest)
        self.start().stop()  # replays the spool
        self.compare(answers)

    def start(self):
        began = time.monotonic()
        program = Program(*self.arguments).wait_ready()
        figures = self.figures
        figures["slowest_start"] = max(figures["slowest_start"], time.monotonic() - began)
        return program

    def load_and_kill(self, program, least, longest):
        credential = sign_in(program.base_url, program.collection).json()
        clients = [Load(program.base_url, program.collection, authorization(credential),
                        self.random.random()) for _ in range(self.threads)]
        for client in clients:
            client.start()
        deadline = time.monotonic() + 60
        while sum(len(client.answers) for client in clients) < least:
            assert time.monotonic() < deadline, "too little load"
            time.sleep(0.02)
        time.sleep(self.random.uniform(0, longest))  # the moment of death
        program.kill()
        for client in clients:
            client.join()
        return [answer for client in clients for answer in client.answers]

    def compare(self, answers):
        rows = self.rows()
        by_id = {row["request_id"]: row for row in rows}
        assert len(by_id) == len(rows)
        lost = [row for row in rows if row["outcome"] == "lost"]
        assert len(lost) <= self.threads, f"{len(lost)} lost, {self.threads} in flight"
        assert len({answer.request_id for answer in answers}) == len(answers)
        for answer in answers:
            row = by_id.get(answer.request_id)
            assert row, f"no row for {answer} (seed {self.seed})"
            if row["outcome"] == "lost":
                continue
            assert row["status"] == answer.status, (dict(row), answer)
            if answer.complete:
                assert row["bytes_out"] == answer.received, (dict(row), answer)
                assert row["outcome"] == outcome(answer.status)
            else:
                assert row["bytes_out"] >= answer.received, (dict(row), answer)
        seen = {answer.request_id for answer in answers}
        unseen = [row for row in rows
                  if row["request_id"] not in seen and not row["operation"].startswith("Auth")]
        assert len(unseen) <= self.threads, f"{len(unseen)} rows that no client saw"
        self.count(answers, rows, lost, unseen)

    def rows(self):
        """The rows since the last round."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute(
                "SELECT * FROM requests WHERE id > ? ORDER BY id", [self.newest]).fetchall()
        connection.close()
        self.newest = rows[-1]["id"] if rows else self.newest
        return rows

    def count(self, answers, rows, lost, unseen):
        figures = self.figures
        figures["rounds"] += 1
        figures["answers"] += len(answers)
        figures["rows"] += len(rows)
        figures["cut"] += sum(not answer.complete for answer in answers)
        figures["lost"] += len(lost)
        figures["most_lost"] = max(figures["most_lost"], len(lost))
        figures["unseen"] += len(unseen)

    def finish(self):
        """The whole record, after the last round."""
        with sqlite3.connect(self.database) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT count(*) FROM gap").fetchone() == (0,)
            assert connection.execute(
                "SELECT count(*) FROM requests").fetchone() == (self.figures["rows"],)
        connection.close()
        verified = run("audit", "verify", "--audit-db", self.database)
        assert verified.returncode == 0, verified.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--threads", type=int, default=12)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples = pathlib.Path(folder, "samples")
        samples.mkdir()
        (samples / "example.txt").write_text("An object in a Globus collection.\n")
        (samples / "thousand.bin").write_bytes(bytes(n % 251 for n in range(1000)))
        (samples / "large.bin").write_bytes(random.Random(1).randbytes(4 * 1024 * 1024 + 7))
        (samples / "empty").touch()
        rounds = Rounds(samples, pathlib.Path(folder, "audit.db"), options.threads, options.seed)
        print(f"seed {rounds.seed}, {options.threads} clients", flush=True)
        for number in range(1, options.rounds + 1):
            rounds.one()
            figures = rounds.figures
            print(f"round {number}: {figures['answers']} answers, {figures['lost']} lost so far",
                  flush=True)
        rounds.finish()
        for name, value in rounds.figures.items():
            print(f"{name:>14} {value:.2f}" if isinstance(value, float) else f"{name:>14} {value}")
        print("every answer has its row; every row that is not lost agrees with its answer")


if __name__ == "__main__":
    main()
